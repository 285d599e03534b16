"""Reasons for which content cannot be kept or had."""

from gridproof.errors import GridproofError


class ContentError(GridproofError):
    """Content cannot be kept or had."""


class ContentNameError(ContentError):
    """This is no name of content; nothing was looked for. Copy the CID whole, from the ledger."""

    cid: str
    detail: str


class ContentMissingError(ContentError):
    """The content store does not have this content, or not all of it. Who made it can put it there again."""

    cid: str


class ContentAlteredError(ContentError):
    """What the content store has under this name is not the content; it was not used.
    Who made it can put it there again.
    """

    cid: str


class ContentTooLargeError(ContentError):
    """The content is larger than a content store keeps; nothing was stored. Divide it."""

    size: int
    limit: int


class ContentNotStoredError(ContentError):
    """The content was not stored, and nobody sees a part of it. See to the cause, then put it again."""

    place: str
    detail: str


class ContentStoreUnreachableError(ContentError):
    """No content store answers here, or it answers as none would. Start it, or correct the setting; then ask again."""

    setting: str
    place: str
    detail: str
