"""Unit tests of the primitives."""
