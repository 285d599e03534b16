"""How the participants' files of keys stand to what the ledger names; nothing is changed by looking."""

from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from gridproof.actors.commands import command
from gridproof.actors.credentials import Credentials
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import PassphraseNeededError
from gridproof.errors import GridproofError
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole, Participant, Role
from gridproof.primitives.schnorr import Signer

from .community import Community
from .errors import KeysDifferError, KeysMissingError
from .keyring import Change, Keyring
from .people import read_recovery


class Held(Enum):
    """How a file stands to the ledger."""

    GOOD = "good"
    AWAY = "away"  # not in this folder
    DIFFERS = "differs"  # the ledger names others
    SEALED = "sealed"  # and there is no passphrase to look inside
    UNREADABLE = "unreadable"


class KeyState(NamedTuple):
    """A participant's keys, on the ledger and in the folder.

    Attributes:
        name: the participant's.
        participant: its id.
        roles: what it may do.
        rotations: how often its keys were replaced.
        named: its public keys, by role.
        file: how the file of its keys stands to them.
        detail: what is wrong with the file, or empty.
        recovery: how the recovery key's file stands to the ledger, or None where none is registered.
        under_way: a change that the ledger does not name yet, or None.
        taken: a change that the ledger names while the files still lie as before, or None.
        former: how many former encryption keys the file keeps.
        path: the file.
    """

    name: str
    participant: int
    roles: tuple[str, ...]
    rotations: int
    named: dict[int, bytes]
    file: Held
    detail: str
    recovery: Held | None
    under_way: Change | None
    taken: Change | None
    former: int
    path: Path

    @property
    def advice(self) -> str:
        """What to do, in a sentence; empty where nothing is."""
        if self.taken is not None:
            return f"the ledger has taken new keys, run `{_command(self.taken, self.name)}` to put them in their place"
        if self.file is Held.UNREADABLE:
            return self.detail
        if self.file is Held.DIFFERS:
            return f"the ledger names other keys, bring the right file back or run {_recovery(self)}"
        if self.file is Held.AWAY:
            return f"the file is not here, bring it back or run {_recovery(self)}"
        if self.under_way is not None:
            return f"a {self.under_way.value} was cut short, run `{_command(self.under_way, self.name)}` to go on"
        return ""


def key_states(community: Community, client: LedgerClient) -> list[KeyState]:
    """Look at the keys of all participants, by their ids.

    Args:
        community: whose.
        client: the way to its ledger.

    Raises:
        ClientError: the ledger gave no answer.
    """
    return [_state(community, client, number, known) for number, known in client.ask(registry.participants)]


def _state(community: Community, client: LedgerClient, number: int, known: Participant) -> KeyState:
    name = known.name
    ring = community.keyring(client, name)
    file, detail, keys, under_way, taken = Held.GOOD, "", None, None, None
    try:
        settled = ring.find_taken()
        taken = settled.change if settled else None
        under_way = next((change for change in Change if change is not taken and ring.find(change)), None)
        keys = ring.keys()
    except KeysMissingError:
        file = Held.AWAY
    except KeysDifferError:
        file = Held.DIFFERS
    except PassphraseNeededError:
        file = Held.SEALED
    except GridproofError as wrong:
        file, detail = Held.UNREADABLE, str(wrong)
    return KeyState(
        name,
        number,
        tuple(role.label for role in Role if known.roles & role),
        known.rotations,
        ring.named(),
        file,
        detail,
        _recovery_state(community, ring),
        under_way,
        taken,
        _former(keys),
        community.folder.key_file(name),
    )


def _recovery_state(community: Community, ring: Keyring) -> Held | None:
    registered = ring.named().get(KeyRole.RECOVERY)
    if registered is None:
        return None
    try:
        secret = read_recovery(community.secrets, community.folder.recovery_file(ring.name), ring.name)
    except FileMissingError:
        return Held.AWAY
    except PassphraseNeededError:
        return Held.SEALED
    except GridproofError:
        return Held.UNREADABLE
    if Signer(secret).public_key == registered:
        return Held.GOOD
    with suppress(GridproofError):
        taken = ring.find_taken()
        if taken is not None and taken.successor.recovery:
            return Held.GOOD
    return Held.DIFFERS


def _former(keys: Credentials | None) -> int:
    return 0 if keys is None else len(keys.former)


def _command(change: Change, name: str) -> str:
    verb = "rotate" if change is Change.ROTATION else "recover"
    return command("key", verb, name)


def _recovery(state: KeyState) -> str:
    if state.recovery is None:
        return "nothing: it has no recovery key"
    return f"`{_command(Change.RECOVERY, state.name)}`"
