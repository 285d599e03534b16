"""Proofs to take away: a statement of the ledger in one file, checked offline from a header that is trusted."""
