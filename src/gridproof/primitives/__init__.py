"""Pure functions that everything else stands on: encoding, hashing, signatures, trees, filters, sealing.

Modules are imported by name: `from gridproof.primitives import merkle`. They touch no clock, chance, file or network;
whatever is random comes in as bytes (HPKE alone draws its one-time key, inside the library).
"""

from .errors import (
    DecryptionError,
    InvalidArgumentError,
    InvalidPointError,
    InvalidProofError,
    InvalidScalarError,
    InvalidSignatureError,
    MalformedEncodingError,
    NonCanonicalEncodingError,
    PrimitiveError,
)

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
