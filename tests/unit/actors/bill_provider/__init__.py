"""Tests of the bill provider, in parts."""
