"""A light client of the ledger's network: it believes a header by its validators' signatures, and holds no chain.

Pure: the time is an argument, and whatever is verified is handed in.
"""

from . import errors
from .canonical import header_hash, in_order, validators_hash
from .errors import LightError
from .types import (
    ABSENT,
    NO_TIME,
    BlockId,
    Commit,
    Flag,
    Header,
    LightBlock,
    Policy,
    Time,
    Trusted,
    Validator,
    Vote,
)
from .verifier import verify_anchor, verify_chain, verify_step

__all__ = [
    "ABSENT",
    "NO_TIME",
    "BlockId",
    "Commit",
    "Flag",
    "Header",
    "LightBlock",
    "LightError",
    "Policy",
    "Time",
    "Trusted",
    "Validator",
    "Vote",
    "errors",
    "header_hash",
    "in_order",
    "validators_hash",
    "verify_anchor",
    "verify_chain",
    "verify_step",
]
