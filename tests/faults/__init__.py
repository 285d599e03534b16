"""Networks of real processes in which things break: `make faults` as often as asked, `make test` a few times."""
