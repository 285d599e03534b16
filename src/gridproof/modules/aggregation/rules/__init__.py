"""Pure functions of aggregation's rules, too long for the keeper."""
