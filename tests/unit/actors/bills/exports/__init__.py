"""Tests of a month's exports."""
