"""Networks of real processes in which things break: `make faults` runs any row as often as asked, `make test` a few times."""
