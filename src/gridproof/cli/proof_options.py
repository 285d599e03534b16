"""What the commands of `gridproof proof` share: where headers come from, what is trusted, and the time."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .options import open_community

if TYPE_CHECKING:
    from gridproof.actors.proofs.anchor import Anchor
    from gridproof.connectors.engine_headers import EngineRpc
    from gridproof.light import Time

DAY_S: Final = 86_400
_BILLION: Final = 10**9

Node = Annotated[
    list[str] | None,
    typer.Option(
        "--node",
        metavar="URL",
        help="A node's RPC, such as http://127.0.0.1:26657; repeatable.",
        show_default="the settings'",
    ),
]
Trust = Annotated[Path | None, typer.Option(metavar="FILE", help="A file of `gridproof proof trust`.")]
TrustHash = Annotated[str | None, typer.Option(metavar="HEX", help="The trusted header's hash, instead of a file.")]
TrustHeight = Annotated[int | None, typer.Option(metavar="N", min=1, help="That header's height.")]
PeriodDays = Annotated[int, typer.Option(metavar="DAYS", min=1, max=3_660, help="How long a header may be trusted.")]


@contextmanager
def nodes_of(given: list[str] | None, folder: Path) -> "Iterator[list[EngineRpc]]":
    """Where headers are had from: the nodes that were named, or those of the settings.

    Args:
        given: addresses of nodes.
        folder: the community's.

    Raises:
        NoValidatorsError: none was given, and the ledger here is kept in one process.
        EngineUnreachableError: an address is none.
    """
    from gridproof.actors.proofs.errors import NoValidatorsError
    from gridproof.connectors.engine_headers import EngineRpc

    urls = tuple(given) if given else open_community(folder).settings.ledger.nodes
    if not urls:
        raise NoValidatorsError
    with ExitStack() as links:
        yield [links.enter_context(closing(EngineRpc(url))) for url in urls]


def anchor_from(path: Path | None, digits: str | None, height: int | None, period_days: int, chain_id: str) -> "Anchor":
    """What is trusted, from a file or from a header's hash and height.

    Args:
        path: the file.
        digits: the hash in hexadecimal digits.
        height: the header's.
        period_days: how long a header may be trusted, where there is no file.
        chain_id: the chain that a header without a file is taken to be of; its hash binds it.

    Raises:
        BadParameter: neither was given, or both, or the hash is none.
        TrustFileError, FileError: the file is none, or cannot be read.
    """
    from gridproof.actors.proofs.anchor import FORMAT, Anchor, read_anchor

    if path is not None:
        if digits is not None or height is not None:
            raise typer.BadParameter("give --trust, or --trust-hash and --trust-height, not both")
        return read_anchor(path)
    if digits is None or height is None:
        raise typer.BadParameter("say what you trust: --trust FILE, or --trust-hash HEX and --trust-height N")
    name = digits.strip().lower()
    if len(name) != 64 or any(sign not in "0123456789abcdef" for sign in name):
        raise typer.BadParameter("--trust-hash takes 64 hexadecimal digits")
    return Anchor(FORMAT, 1, chain_id, height, name, period_days * DAY_S)


def instant(given: str | None) -> "Time":
    """A time as it was given, or now.

    Raises:
        BadParameter: it is none, or has no offset.
    """
    from gridproof.light import Time

    if given is None:
        now_ns = time.time_ns()
        return Time(now_ns // _BILLION, now_ns % _BILLION)
    try:
        moment = datetime.fromisoformat(given.strip())
    except ValueError as unreadable:
        raise typer.BadParameter(f"{given[:40]} is no time such as 2026-01-31T12:00:00+01:00") from unreadable
    if moment.utcoffset() is None:
        raise typer.BadParameter(f"{given[:40]} has no offset, such as +01:00 or Z")
    return Time((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1), moment.microsecond * 1_000)
