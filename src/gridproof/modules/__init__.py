"""The ledger's domain, one folder a module; modules never import one another."""
