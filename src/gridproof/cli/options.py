"""What commands share: options with one meaning everywhere, and the community or node that they are about."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from gridproof.actors.community import Community
    from gridproof.actors.node.folder import NodeFolder
    from gridproof.connectors.ledger import LedgerClient
    from gridproof.connectors.secret_files import SecretFiles

HERE: Final = Path()

Dir = Annotated[Path, typer.Option("--dir", "-C", metavar="DIR", help="The community's folder.", show_default="here")]
NetDir = Annotated[Path, typer.Option("--dir", "-C", metavar="DIR", help="The network's folder.", show_default="here")]
NodeDir = Annotated[Path, typer.Option("--dir", "-C", metavar="DIR", help="The node's folder.", show_default="here")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="File (mode 0600) whose first line opens sealed secrets; GRIDPROOF_PASSPHRASE does so too.",
    ),
]
Regions = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="REGION", help="Only this region, by number or name; repeatable."),
]
Channel = Annotated[str, typer.Option("--channel", metavar="import|export", help="Which way the energy flows.")]


def open_community(root: Path, passphrase_file: Path | None = None) -> "Community":
    """Open the community of a folder.

    Args:
        root: the folder.
        passphrase_file: as the command was given it.

    Raises:
        NoCommunityError: there is none.
        ConfigInvalidError: its settings have faults.
    """
    from gridproof.actors.community import Community
    from gridproof.connectors.passphrase import read_passphrase

    def passphrase(sealed: bool) -> str | None:
        return read_passphrase(file=passphrase_file, prompt=getpass if sealed and on_terminal() else None)

    return Community(root, passphrase)


def open_node(root: Path) -> "NodeFolder":
    """Open the node of a folder.

    Raises:
        NoNodeError: there is none.
    """
    from gridproof.actors.node.folder import NodeFolder

    node = NodeFolder(root)
    node.require_node()
    return node


@contextmanager
def node_ledger(node: "NodeFolder") -> "Iterator[LedgerClient]":
    """The way to the ledger, by the node itself.

    Raises:
        NodeSilentError: it gives no answer; a NodeSilentSinceError where something was sent.
    """
    from gridproof.actors.node.errors import NodeSilentError, NodeSilentSinceError
    from gridproof.actors.node.settings import load
    from gridproof.connectors.ledger import NetworkClient, NodesUnreachableError, SentUnansweredError

    settings = load(node.root)
    client = NetworkClient((f"http://{settings.engine.rpc}",), settings.node.chain_id)
    try:
        yield client
    except NodesUnreachableError as silent:  # the settings that it speaks of are the community's
        kind = NodeSilentSinceError if isinstance(silent, SentUnansweredError) else NodeSilentError
        raise kind(node=silent.nodes) from silent
    finally:
        client.close()


def open_secrets(files: Iterable[Path], passphrase_file: Path | None = None) -> "SecretFiles":
    """What reads secret files; asks for their passphrase where one of them is sealed.

    Args:
        files: those that may be read.
        passphrase_file: as the command was given it.

    Raises:
        PassphraseError: it cannot be taken from where it should be.
    """
    from gridproof.connectors.passphrase import read_passphrase
    from gridproof.connectors.secret_files import SecretFiles, is_sealed_file

    prompt = getpass if on_terminal() and any(map(is_sealed_file, files)) else None
    return SecretFiles(read_passphrase(file=passphrase_file, prompt=prompt))


def on_terminal() -> bool:
    """Whether a person can be asked."""
    import sys

    return sys.stdin is not None and sys.stdin.isatty()


def require_one(**given: object) -> None:
    """Return if at most one of some options was given.

    Raises:
        BadParameter: several were.
    """
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise typer.BadParameter(f"give one of {' and '.join(named)}, not both")


def require_single(option: str, by: str, names: Sequence[str]) -> None:
    """Return if an option that takes one thing has one.

    Args:
        option: the option.
        by: the option that says which.
        names: what there is.

    Raises:
        BadParameter: there are several.
    """
    if len(names) > 1:
        raise typer.BadParameter(f"{option} takes one; name it with {by}: {', '.join(names)}")


def split(given: str, word: str) -> tuple[str, ...]:
    """Names parted by commas; or, of a number, so many numbered ones.

    Args:
        given: `Old Town,Hill` or `2`.
        word: what numbered ones are called.
    """
    if given.strip().isdigit() and given.isascii():
        return tuple(f"{word} {number}" for number in range(1, int(given) + 1))
    return tuple(name.strip() for name in given.split(","))
