"""Tests of bills: the report, and what is made of it."""
