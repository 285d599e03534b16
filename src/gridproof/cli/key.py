"""`gridproof key`: the participants' keys, replaced by themselves or by the word of a recovery key."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from .console import Speaker, table
from .options import HERE, AsJson, Dir, PassphraseFile, open_community

if TYPE_CHECKING:
    from gridproof.actors.community.key_states import KeyState
    from gridproof.actors.community.rekeying import Rekeyed

_SHOWN = 8  # hexadecimal digits of a public key, for people

app = typer.Typer(help="Participants' keys: list, rotate, recover.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The participant.")]


class Kind(StrEnum):
    """Which of a participant's keys."""

    TRANSACTION = "transaction"
    RECEIPT = "receipt"
    ENCRYPTION = "encryption"


@app.command("list")
def list_keys(folder: Dir = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """List all participants with their keys on the ledger, and whether the files here agree with it."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.key_states import key_states

    community = open_community(folder, passphrase_file)
    with reached(community.folder) as ledger:
        states = key_states(community, ledger.client)

    def tell(words: Console) -> None:
        shown = table("participant", "roles", "keys", "#rotations", "file", "recovery key")
        for state in states:
            recovery = "none" if state.recovery is None else state.recovery.value
            roles = ", ".join(role.replace("_", " ") for role in state.roles)
            keys = " ".join(f"{label}:{key.hex()[:_SHOWN]}" for label, key in _labelled(state.named).items())
            file = state.file.value + (f", {state.former} former" if state.former else "")
            shown.add_row(escape(state.name), roles, keys, str(state.rotations), file, recovery)
        words.print(shown)
        for state in states:
            if state.advice:
                words.print(f"{state.name}: {state.advice}", markup=False)

    Speaker(as_json=as_json).result({"participants": [_told(state) for state in states]}, tell)


@app.command()
def rotate(
    name: Name,
    *,
    only: Annotated[
        list[Kind] | None, typer.Option("--only", help="Replace only this key; repeatable.", show_default="all")
    ] = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Replace a participant's keys by fresh ones, on the ledger and in its file. One that was cut short goes on."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.rekeying import Rekeying
    from gridproof.modules.registry.types import KeyRole

    community = open_community(folder, passphrase_file)
    roles = [KeyRole[kind.name] for kind in only or ()]
    with at_work(community.folder), reached(community.folder) as ledger:
        done = Rekeying(community, ledger.client).rotate(name, roles)
    _say(done, as_json=as_json)


@app.command()
def recover(
    name: Name,
    *,
    recovery_key: Annotated[
        Path | None,
        typer.Option(
            "--recovery-key",
            metavar="FILE",
            help="File of the participant's recovery key.",
            show_default="the one in the community's folder",
        ),
    ] = None,
    new_recovery: Annotated[
        bool, typer.Option("--new-recovery", help="Replace the recovery key too; the new one lies in the folder then.")
    ] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a participant fresh keys by its recovery key's word: the file of its keys was lost or stolen."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.rekeying import Rekeying

    community = open_community(folder, passphrase_file)
    with at_work(community.folder), reached(community.folder) as ledger:
        done = Rekeying(community, ledger.client).recover(name, recovery_key, new_recovery=new_recovery)
    _say(done, as_json=as_json)


@app.command()
def forget(name: Name, *, folder: Dir = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """Erase a participant's former encryption keys: nothing that was sealed for them can be opened any more."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.rekeying import Rekeying

    community = open_community(folder, passphrase_file)
    with at_work(community.folder), reached(community.folder) as ledger:
        forgotten = Rekeying(community, ledger.client).forget(name)
    Speaker(as_json=as_json).result(
        {"name": name, "forgotten": forgotten},
        lambda words: words.print(f"Former encryption keys of {name} that were erased: {forgotten}.", markup=False),
    )


def _labelled(named: dict[int, bytes]) -> dict[str, bytes]:
    from gridproof.modules.registry.types import KeyRole

    return {KeyRole(role).label: key for role, key in sorted(named.items())}


def _told(state: "KeyState") -> dict[str, Any]:
    return {
        "name": state.name,
        "participant": state.participant,
        "roles": state.roles,
        "keys": {label: key.hex() for label, key in _labelled(state.named).items()},
        "rotations": state.rotations,
        "file": state.file.value,
        "former": state.former,
        "recovery_key": None if state.recovery is None else state.recovery.value,
        "under_way": None if state.under_way is None else state.under_way.value,
        "taken": None if state.taken is None else state.taken.value,
        "advice": state.advice or None,
    }


def _say(done: "Rekeyed", *, as_json: bool) -> None:
    labels = [role.label for role in done.roles]
    told = {
        "name": done.name,
        "participant": done.participant,
        "replaced": labels,
        "keys": {label: key.hex() for label, key in _labelled(done.named).items()},
        "rotations": done.rotations,
        "resumed": done.resumed,
        "former": done.former,
        "brought_by": done.brought_by,
        "recovery_file": done.recovery_file,
    }

    def tell(words: Console) -> None:
        begun = " (begun earlier)" if done.resumed else ""
        former = "a former encryption key is" if done.former == 1 else f"{done.former} former encryption keys are"
        words.print(f"{done.name} has new keys{begun}: {', '.join(labels)}.", markup=False)
        if done.brought_by is not None:
            words.print(f"The recovery key's word was brought to the ledger by {done.brought_by}.", markup=False)
        if done.recovery_file is not None:
            words.print(f"Its recovery key is new as well; move it to a safe place, offline: {done.recovery_file}")
        if done.former:
            words.print(f"In its file {former} kept, for what is still under way to it.")

    Speaker(as_json=as_json).result(told, tell)
