"""Reasons for which a primitive refuses its input."""

from gridproof.errors import GridproofError

__all__ = [
    "DecryptionError",
    "InvalidArgumentError",
    "InvalidPointError",
    "InvalidProofError",
    "InvalidScalarError",
    "InvalidSignatureError",
    "MalformedEncodingError",
    "NonCanonicalEncodingError",
    "PrimitiveError",
]


class PrimitiveError(GridproofError):
    """A primitive refused its input."""


class MalformedEncodingError(PrimitiveError):
    """The bytes do not decode to what they should be; they were not used. Ask the sender for the original."""

    what: str
    detail: str


class NonCanonicalEncodingError(PrimitiveError):
    """The bytes decode but are not the one canonical encoding; they were not used. Encode the value again."""

    what: str


class InvalidPointError(PrimitiveError):
    """The bytes are no point of secp256k1 (wrong length, unknown form, or an x that is not on the curve)."""

    point: bytes


class InvalidScalarError(PrimitiveError):
    """A secret scalar lies outside 1 .. n-1, or is not 32 bytes long. Its value is not shown."""

    length: int


class InvalidSignatureError(PrimitiveError):
    """The signature does not fit the key and the message."""

    public_key: bytes


class InvalidProofError(PrimitiveError):
    """A Merkle proof is malformed, truncated, too long, or leads to another root. Get a fresh one."""

    detail: str


class InvalidArgumentError(PrimitiveError):
    """An argument lies outside the function's domain; nothing was computed."""

    what: str
    detail: str


class DecryptionError(PrimitiveError):
    """The ciphertext was not made for this key and context, or was altered; nothing was decrypted."""

    detail: str
