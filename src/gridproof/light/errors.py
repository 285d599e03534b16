"""Reasons for which a header is not believed."""

from gridproof.errors import GridproofError


class LightError(GridproofError):
    """A header is not believed; nothing that rests on it is."""


# --- form


class TimeError(LightError):
    """A time is none of the years 1 to 9999; nothing was checked. Have the file made again."""

    seconds: int
    nanos: int


class HeaderFormError(LightError):
    """A header has a field that no block has, so it is none; it is not believed. Ask another node."""

    field: str
    detail: str


class CommitFormError(LightError):
    """A commit is not of the form that the engine makes, so it proves nothing. Ask another node."""

    detail: str


class ValidatorsFormError(LightError):
    """The validators are no set that the engine could have, so it is not used. Ask another node."""

    detail: str


# --- what does not fit together


class OtherChainError(LightError):
    """The header is of another chain than the one that is trusted; it is not believed. Take a file of this chain."""

    header: str
    trusted: str


class OtherBlockError(LightError):
    """The commit is for another block than the header's: one of them was altered. Neither is believed.
    Have the file made again, or ask another node.
    """

    header: bytes
    commit: bytes


class OtherHeightError(LightError):
    """The commit is for another height than the header's; neither is believed. Ask another node."""

    header: int
    commit: int


class OtherValidatorsError(LightError):
    """The validators are not those that the header names; neither is believed. Ask another node."""

    height: int
    header: bytes
    given: bytes


class NotSuccessorsError(LightError):
    """The next block's validators are not those that the trusted header announced; it is not believed.
    Ask another node; if it says the same, your trusted header is of a fork.
    """

    height: int
    announced: bytes
    header: bytes


class OtherAnchorError(LightError):
    """The file begins with another header than the one that you trust; nothing in it is believed.
    Have it made from your trusted header, or compare that header with what other members say.
    """

    trusted_height: int
    height: int
    trusted: bytes
    header: bytes


# --- time and order


class NotLaterError(LightError):
    """The header's height is not above the trusted one's; it is not believed. Trust an earlier header."""

    height: int
    trusted: int


class TimeOrderError(LightError):
    """The header's time is not after the trusted one's; it is not believed. Ask another node."""

    height: int


class FromTheFutureError(LightError):
    """The header's time lies ahead of now by more than clocks may differ; it is not believed. Check your clock."""

    height: int
    seconds: int
    now_s: int


class TrustExpiredError(LightError):
    """The trusted header is older than the trust period, so its validators could have sold their keys since.
    Take a younger header from somebody you trust.
    """

    height: int
    expired_s: int
    now_s: int


# --- votes


class WrongSignatureError(LightError):
    """A validator's signature does not fit the block; the commit was altered or forged. It is not believed."""

    height: int
    index: int


class OtherValidatorError(LightError):
    """A vote stands at another validator's place; the commit was altered. It is not believed."""

    height: int
    index: int


class DoubleVoteError(LightError):
    """A validator's vote stands in the commit twice; it was altered. It is not believed."""

    height: int
    index: int


class TooLittleTrustError(LightError):
    """No more than a third of the trusted validators' power signed, so the new ones are not known to be honest.
    Have the file made with more headers between, or trust a younger header.
    """

    height: int
    signed: int
    needed: int


class TooFewSignedError(LightError):
    """No more than two thirds of the validators' power signed the block; it is not believed. Ask another node."""

    height: int
    signed: int
    needed: int
