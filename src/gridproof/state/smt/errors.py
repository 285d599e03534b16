"""Reasons for which the tree refuses."""

from gridproof.errors import GridproofError


class TreeError(GridproofError):
    """The sparse Merkle tree could not do what was asked."""


class TreeCorruptError(TreeError):
    """A stored node of the tree is missing or damaged; nothing was changed. Restore a backup."""

    position: bytes
