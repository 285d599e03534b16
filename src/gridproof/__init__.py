"""gridproof: the trust layer of an energy community."""

__version__ = "0.1.0"
