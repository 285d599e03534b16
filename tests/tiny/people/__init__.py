"""People: who may send to the tiny ledger and who is its operator; a table, fixed at genesis, and a clock to turn."""
