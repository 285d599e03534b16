"""Who takes part, a file each: they hold secrets, draw chance, and send messages to the ledger."""
