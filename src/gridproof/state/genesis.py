"""The genesis document: what a ledger is born with, as JSON that people read and sign off.

| field | meaning |
|---|---|
| `chain_id` | name of the chain, 1 to 64 letters, digits, `-`, `_`, `.`; every signature names it |
| `genesis_time_s` | ledger time at height 0, UTC epoch seconds |
| `clock` | `block`: ledger time is the block's; `operator`: it moves by the operator's `AdvanceClock` only |
| `zone` | IANA zone in which the community cuts months and days; for people, the ledger reads it not |
| `currency` | ISO 4217 code of the community's currency; likewise |
| `modules` | one section a module, documented in the module's README |
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from gridproof.primitives.hashing import Tag

from .errors import GenesisError

MAX_GENESIS_BYTES: Final = 64 * 2**20
genesis_hash: Final = Tag("gridproof/genesis/v1")


class Genesis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ledger is born with (fields: the module's docstring)."""

    chain_id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]
    genesis_time_s: Annotated[int, Meta(ge=0, le=2**40)]
    clock: Literal["block", "operator"]
    zone: Annotated[str, Meta(min_length=1, max_length=64)]
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    modules: dict[str, msgspec.Raw]


def parse_genesis(raw: bytes) -> Genesis:
    """Read a genesis document.

    Raises:
        GenesisError: it is too large, no JSON, or a field is missing, unknown or wrong; the place is named.
    """
    if len(raw) > MAX_GENESIS_BYTES:
        raise GenesisError(detail=f"{len(raw)} bytes are more than {MAX_GENESIS_BYTES}")
    document: Genesis = parse_section(raw, Genesis)
    return document


def parse_section(raw: bytes | msgspec.Raw, section: type[Any], name: str = "") -> Any:
    """Read a module's section, or the whole document.

    Raises:
        GenesisError: a field is missing, unknown or wrong; the place is named.
    """
    try:
        return msgspec.json.decode(raw, type=section, strict=True)
    except msgspec.ValidationError as wrong:
        raise GenesisError(detail=f"modules.{name}: {wrong}" if name else str(wrong)) from wrong
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise GenesisError(detail=f"not JSON: {wrong}") from wrong
