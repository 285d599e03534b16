"""The unlinkability game: can who sees only what is public tell that two things come from one meter?

`game` is the referee, `attackers` play, `ours` is the product's own traces, `weaker` are the controls that an attacker
must win against, and `contest` is the list of all games with what must come of each.

Source: private-metering.md, "Unlinkability is a measured figure"; seed 002, section 4.1, guarantee P2.
"""
