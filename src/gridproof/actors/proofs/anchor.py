"""What somebody trusts to begin with: a header's hash, in a small file that is compared with what others say."""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gridproof.connectors.files import read_limited, write_whole
from gridproof.light import Trusted, header_hash
from gridproof.light.types import MAX_CHAIN_ID

from .errors import TrustFileError

FORMAT: Final = "gridproof/trust"
MAX_BYTES: Final = 4_096
DAY_S: Final = 86_400
PERIOD_S: Final = 14 * DAY_S

Digits = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A header that is trusted.

    Attributes:
        format: `gridproof/trust`.
        version: 1.
        chain_id: name of the chain.
        height: the header's.
        header: its hash in hexadecimal digits: the one thing that is taken on trust.
        period_s: how long after its time a header may be trusted, seconds.
    """

    format: Literal["gridproof/trust"]
    version: Literal[1]
    chain_id: Annotated[str, Meta(max_length=MAX_CHAIN_ID)]
    height: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    header: Digits
    period_s: Annotated[int, Meta(ge=1, le=10 * 366 * DAY_S)]

    @property
    def hash(self) -> bytes:
        """The header's hash, 32 bytes."""
        return bytes.fromhex(self.header)


def anchor_of(trusted: Trusted, period_s: int = PERIOD_S) -> Anchor:
    """What to write down of a header in order to trust it.

    Args:
        trusted: the header.
        period_s: how long after its time a header may be trusted, seconds.
    """
    header = trusted.header
    return Anchor(FORMAT, 1, header.chain_id, header.height, header_hash(header).hex(), period_s)


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Write it; nothing is overwritten.

    Raises:
        FileError: it cannot be written, or stands there already.
    """
    write_whole(path, msgspec.json.format(msgspec.json.encode(anchor), indent=1) + b"\n", replace=False)


def read_anchor(path: Path) -> Anchor:
    """Read it.

    Raises:
        FileError: it is not there, or cannot be read.
        TrustFileError: it is none.
    """
    raw = read_limited(path, MAX_BYTES)
    try:
        return msgspec.json.decode(raw, type=Anchor, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise TrustFileError(path=str(path), detail=str(wrong)) from wrong
