"""Bills: the report that a household gets, how it is made, encrypted, published, found again and recomputed."""
