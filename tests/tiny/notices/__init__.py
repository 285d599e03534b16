"""Notices: the operator tells all households of a region something, until a given time."""
