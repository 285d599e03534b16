"""The attacks of the protocol page, each against the paper's scheme (where it wins) and against ours."""
