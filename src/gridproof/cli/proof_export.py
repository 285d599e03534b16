"""`gridproof proof export`: write statements of the ledger into files that are believed by their signatures."""

from collections.abc import Callable
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate

import typer

from .console import Speaker
from .options import HERE, AsJson, Channel, Dir, PassphraseFile, open_community
from .proof_options import Node, Trust, instant, nodes_of

if TYPE_CHECKING:
    from gridproof.actors.community import Community
    from gridproof.actors.proofs.anchor import Anchor
    from gridproof.actors.proofs.proving import Stated
    from gridproof.connectors.ledger import LedgerClient
    from gridproof.domain import Slot

app = typer.Typer(help="Write a proof to take away.", no_args_is_help=True)

Target = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; nothing is overwritten.")]
Household = Annotated[str, typer.Argument(metavar="METER", help="The household's meter, by its name.")]
Region = Annotated[str, typer.Argument(metavar="REGION", help="By number or name.")]
When = Annotated[str, typer.Argument(metavar="TIME", help="A time in the period.")]
Month = Annotated[str | None, typer.Option(metavar="YYYY-MM", help="The month.", show_default="its last bill's")]
Version = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Version of the bill.", show_default="the last one")
]
KindOf = Annotated[str, typer.Argument(metavar="KIND", help="What it is: bill, participant, key, meter, claim ...")]
Parts = Annotated[list[str], typer.Argument(metavar="PART...", help="Its place: numbers, or hexadecimal digits.")]


class Given:
    """The options that all exports share.

    Args:
        folder: the community's.
        node: addresses of nodes.
        trust: a file of what the reader trusts.
        passphrase_file: opens sealed secrets.
        as_json: how to tell.
    """

    def __init__(
        self,
        folder: Path,
        node: list[str] | None,
        trust: Path | None,
        passphrase_file: Path | None,
        as_json: bool,
    ) -> None:
        self.folder, self.as_json, self.passphrase_file = folder, as_json, passphrase_file
        self._node, self._trust = node, trust

    def write(self, path: Path, what: str, state: "Callable[[Community, LedgerClient], Stated]") -> None:
        """Make a statement, and write its file."""
        from gridproof.actors.community.access import reached
        from gridproof.actors.proofs.file import write_light_proof
        from gridproof.actors.proofs.proving import prove
        from gridproof.connectors.engine_headers import AnyNode

        community = open_community(self.folder, self.passphrase_file)
        anchor = _anchor(self._trust)
        with nodes_of(self._node, self.folder) as nodes, reached(community.folder) as ledger:
            proof = prove(AnyNode(nodes), anchor, state(community, ledger.client), instant(None))
        write_light_proof(path, proof)
        end = proof.end.header
        told = {
            "path": path,
            "what": what,
            "chain_id": end.chain_id,
            "state_height": end.height - 1,
            "app_hash": end.app_hash,
            "header_height": end.height,
            "trusted_height": proof.trusted.header.height,
            "headers": len(proof.blocks),
        }
        sentence = f"The {what} is in {path}, proven after block {end.height - 1} of {end.chain_id}."
        Speaker(as_json=self.as_json).result(told, lambda words: words.print(sentence, markup=False))


def _anchor(path: Path | None) -> "Anchor":
    from gridproof.actors.proofs.anchor import read_anchor

    if path is None:
        raise typer.BadParameter("say what the file's reader trusts: --trust FILE, of `gridproof proof trust`")
    return read_anchor(path)


def _slot(community: "Community", region: str, when: str, channel: str) -> "Slot":
    from gridproof.domain import Direction, RegionId, Slot

    number = community.region(region).number
    return Slot(RegionId(number), Direction.parse(channel), community.times.parse(when) // community.period_s)


Export = Callable[Concatenate[Given, ...], None]


def _given(*, trust: Trust = None, node: Node = None, folder: Dir = HERE, as_json: AsJson = False) -> Given:
    return Given(folder, node, trust, None, as_json)


def _given_with_secrets(
    *,
    trust: Trust = None,
    node: Node = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> Given:
    return Given(folder, node, trust, passphrase_file, as_json)


def exports(name: str | None = None, *, secrets: bool = False) -> Callable[[Export], Export]:
    """Make a subcommand: its own words and options come first, then the options that all exports share.

    Args:
        name: as it is typed; the function's where none is given.
        secrets: whether it opens secret files.

    Returns:
        What takes the function, which is handed the shared options as the first thing.
    """
    shared = _given_with_secrets if secrets else _given

    def make(export: Export) -> Export:
        _, *own = signature(export).parameters.values()
        options = signature(shared).parameters

        def run(**words: Any) -> None:
            export(shared(**{each: words.pop(each) for each in options}), **words)

        words_ = [*own, *options.values()]
        run.__name__, run.__doc__ = export.__name__, export.__doc__
        run.__annotations__ = {each.name: each.annotation for each in words_}
        run.__signature__ = Signature(words_)  # type: ignore[attr-defined]
        app.command(name)(run)
        return export

    return make


@exports()
def price(given: Given, region: Region, when: When, path: Target, *, channel: Channel = "import") -> None:
    """Prove a period's price."""
    _export_slot(given, "price", region, when, channel, path)


@exports()
def total(given: Given, region: Region, when: When, path: Target, *, channel: Channel = "import") -> None:
    """Prove a period's total, and how it came about."""
    _export_slot(given, "total", region, when, channel, path)


def _export_slot(given: Given, kind: str, region: str, when: str, channel: str, path: Path) -> None:
    from gridproof.actors.proofs.proving import slot_entry

    given.write(path, kind, lambda community, client: slot_entry(client, kind, _slot(community, region, when, channel)))


@exports()
def record(
    given: Given,
    region: Region,
    when: When,
    prid: Annotated[str, typer.Argument(metavar="IDENTITY", help="The record's one-time identity, 64 digits.")],
    path: Target,
    *,
    channel: Channel = "import",
) -> None:
    """Prove that a record stands in a batch of its period; it tells no reading."""

    def state(community: "Community", client: "LedgerClient") -> "Stated":
        from gridproof.actors.proofs import taking

        return taking.record(community, client, _slot(community, region, when, channel), _digits(prid))

    given.write(path, "record", state)


@exports(secrets=True)
def records(
    given: Given,
    meter: Household,
    path: Target,
    *,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only from this time on.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only before this time.")] = None,
) -> None:
    """Prove a household's own records; its view secret reads them."""

    def state(community: "Community", client: "LedgerClient") -> "Stated":
        from gridproof.actors.proofs import taking

        return taking.records(community, client, meter, community.times.span(start, end))

    given.write(path, f"file of the records of {meter}", state)


@exports(secrets=True)
def bill(
    given: Given,
    meter: Household,
    path: Target,
    *,
    month: Month = None,
    version: Version = None,
    whole: Annotated[bool, typer.Option("--whole", help="All that it is made of, not its registration only.")] = False,
) -> None:
    """Prove that a bill is registered, or with --whole that it is right."""

    def state(community: "Community", client: "LedgerClient") -> "Stated":
        from gridproof.actors.proofs import taking

        wanted = None if month is None else community.times.month(month)
        make = taking.whole_bill if whole else taking.bill
        return make(community, client, meter, wanted, version)

    given.write(path, f"bill of {meter}", state)


@exports()
def entry(given: Given, path: Target, kind: KindOf, parts: Parts) -> None:
    """Prove an entry of the ledger's state, by its kind and place."""
    _export_entry(given, path, kind, parts, there=True)


@exports()
def absence(given: Given, path: Target, kind: KindOf, parts: Parts) -> None:
    """Prove that the ledger's state has nothing of a kind at a place."""
    _export_entry(given, path, kind, parts, there=False)


def _export_entry(given: Given, path: Path, kind: str, parts: list[str], *, there: bool) -> None:
    from gridproof.actors.proofs import taking

    def state(_community: "Community", client: "LedgerClient") -> "Stated":
        return taking.entry(client, kind, parts, there=there)

    given.write(path, kind if there else f"absence of {kind}", state)


@exports()
def validator(
    given: Given,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The validator's, 40 hexadecimal digits.")],
    path: Target,
) -> None:
    """Prove that somebody is a validator, with which key and power."""
    from gridproof.actors.proofs import taking

    raw = _digits(address, 20)
    given.write(path, "validator", lambda _community, client: taking.validator(client, raw))


@exports("app-hash")
def app_hash(given: Given, path: Target) -> None:
    """Prove the app hash alone, for `verify record` and `verify bill`, which take one."""
    from gridproof.actors.proofs import taking

    given.write(path, "app hash", lambda _community, client: taking.app_hash(client))


def _digits(given: str, size: int = 32) -> bytes:
    """Bytes written as hexadecimal digits.

    Raises:
        BadParameter: they are not.
    """
    try:
        raw = bytes.fromhex(given.strip())
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise typer.BadParameter(f"{given[:20]} is not {2 * size} hexadecimal digits")
    return raw
