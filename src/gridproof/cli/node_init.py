"""`gridproof node init`: a new node of a network that runs."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gridproof.actors.commands import command

from .console import Speaker
from .options import AsJson, PassphraseFile, open_secrets

From = Annotated[str, typer.Option("--from", metavar="URL", help="RPC of a running node, such as http://HOST:26657.")]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it may be there if it is empty.")],
    *,
    url: From,
    name: Annotated[str, typer.Option(help="The company, as the ledger knows it.")],
    host: Annotated[str, typer.Option(help="Address that the node listens at, and is reached by.")] = "127.0.0.1",
    p2p_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port for the other nodes.")] = 26_656,
    rpc_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port for clients.")] = 26_657,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The company's keys, for `node join` and the like.")
    ] = None,
    snapshot: Annotated[
        bool | None, typer.Option("--snapshot/--replay", help="Join by a snapshot, or fetch all blocks.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A header that you trust, of `gridproof proof trust`.")
    ] = None,
    trust_height: Annotated[int | None, typer.Option(min=1, help="Height of a header that you trust.")] = None,
    trust_hash: Annotated[str | None, typer.Option(metavar="HEX", help="That header's hash.")] = None,
    passphrase_file: PassphraseFile = None,
    commit_ms: Annotated[
        int, typer.Option("--commit-ms", min=0, max=60_000, help="As the other nodes have it.")
    ] = 1_000,
    as_json: AsJson = False,
) -> None:
    """Make a new node of a running network. It follows the network at once; `node join` asks for a vote."""
    from gridproof.actors.node.joining import JoinOrder, join_network
    from gridproof.actors.randomness import system
    from gridproof.connectors.files import read_private

    if keys is not None:
        _require_owner(keys, passphrase_file, url, name)
    p2p, rpc = f"{host}:{p2p_port}", f"{host}:{rpc_port}"
    secret = None if keys is None else read_private(keys, 2**16)
    trusted = _trusted(trust, trust_height, trust_hash)
    order = JoinOrder(name, url, rpc, p2p, p2p, commit_ms=commit_ms, keys=secret, trusted=trusted, by_snapshot=snapshot)
    made = join_network(folder, order, system)
    told: dict[str, Any] = {"folder": made.folder.root, "chain_id": made.chain_id, "peers": made.peers}
    told["trusted"] = None if made.trusted is None else {"height": made.trusted[0], "header": made.trusted[1]}

    def tell(words: Console) -> None:
        words.print(f"A node of {made.chain_id} in {made.folder.root}; it knows {made.peers} others.", markup=False)
        if made.trusted is not None:
            words.print(f"It trusts header {made.trusted[1].hex()} of height {made.trusted[0]}.", markup=False)
            if trusted is None:
                words.print("That is what the asked node says: compare it with what other members say.")
        words.print(f"Next: {command('node', 'start', '-C', folder)}", markup=False)

    Speaker(as_json=as_json).result(told, tell)


def _require_owner(path: Path, passphrase_file: Path | None, url: str, name: str) -> None:
    """Return if a key file is the company's, as the network knows it.

    Raises:
        NetworkUnlikeError: the network does not answer.
        CompanyUnknownError, KeysOfAnotherError, FileError, SecretFileError: it is not.
    """
    from gridproof.actors.node.errors import NetworkUnlikeError
    from gridproof.actors.node.joining import require_owner
    from gridproof.connectors.ledger import NetworkClient, NodesUnreachableError

    try:
        with closing(NetworkClient((url,))) as client:
            require_owner(client, open_secrets([path], passphrase_file), path, name)
    except NodesUnreachableError as silent:
        raise NetworkUnlikeError(url=url, detail=silent.nodes.removeprefix(f"{url}: ")) from silent


def _trusted(path: Path | None, height: int | None, given: str | None) -> tuple[int, bytes] | None:
    """The header to trust.

    Raises:
        BadParameter: one of height and hash is missing, the hash is none, or there is a file as well.
        TrustFileError, FileError: the file is none, or cannot be read.
    """
    from gridproof.actors.proofs.anchor import read_anchor

    if height is None and given is None:
        anchor = None if path is None else read_anchor(path)
        return None if anchor is None else (anchor.height, anchor.hash)
    if path is not None:
        raise typer.BadParameter("give --trust, or --trust-height and --trust-hash, not both")
    try:
        raw = bytes.fromhex(given or "")
    except ValueError:
        raw = b""
    if height is None or len(raw) != 32:
        raise typer.BadParameter("--trust-height and --trust-hash go together; the hash has 64 hexadecimal digits")
    return height, raw
