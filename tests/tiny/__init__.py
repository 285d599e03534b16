"""A ledger of two tiny modules: proves that a module is one folder and one line, and exercises all that lies below."""
