"""Replacing participants' keys: by themselves, or by the word of their recovery key.

Both go by the rules of `keyring`: whatever the point at which they are killed, the same command goes on, and all others
use the keys that the ledger names. All of it is done by a process that acts alone for the participants.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from gridproof.actors import credentials
from gridproof.actors.credentials import Successor
from gridproof.actors.errors import ActorError
from gridproof.connectors.files import FileError, FileMissingError
from gridproof.connectors.ledger import LedgerClient, Sender
from gridproof.connectors.secret_files import (
    NoSecretFileError,
    PassphraseNeededError,
    SecretFileError,
    WrongPassphraseError,
)
from gridproof.errors import Refusal
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.errors import KeyUsed
from gridproof.modules.registry.messages import RecoverKeys, RotateKeys, recovery_hash
from gridproof.modules.registry.types import KeyRole, Participant, Role
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message

from .community import Community, close_names
from .errors import (
    AnothersRecoveryKeyError,
    KeysDifferError,
    KeysMissingError,
    NobodyBringsError,
    NoKeyOfRoleError,
    NoRecoveryKeyError,
    NoSuchParticipantError,
    RecoveryKeyAwayError,
    RecoveryKeyDiffersError,
)
from .keyring import Change, Keyring
from .people import draw_recovery, read_recovery

_UNUSABLE: Final = (KeysMissingError, KeysDifferError, FileError, NoSecretFileError, ActorError)


class Rekeyed(NamedTuple):
    """Keys that were replaced.

    Attributes:
        name: the participant's.
        participant: its id.
        roles: of the keys that are new, ascending.
        named: its public keys now, by role.
        rotations: how often its keys were replaced by now.
        resumed: whether this went on with what an earlier attempt had begun.
        former: how many former encryption keys its file keeps.
        brought_by: whose transaction brought the recovery key's word; None for a rotation, and where it was there.
        recovery_file: the new recovery key's file, or None where that key stays.
    """

    name: str
    participant: int
    roles: tuple[KeyRole, ...]
    named: dict[int, bytes]
    rotations: int
    resumed: bool
    former: int
    brought_by: str | None = None
    recovery_file: Path | None = None


class _Messenger(NamedTuple):
    name: str
    sender: Sender


class Rekeying:
    """Replaces keys of a community's participants.

    Args:
        community: whose; this process acts alone for its participants.
        client: the way to its ledger.
    """

    def __init__(self, community: Community, client: LedgerClient) -> None:
        self._community = community
        self._client = client

    # --- by the participant itself -----------------------------------------------------------------------------------

    def rotate(self, name: str, only: Collection[KeyRole] = ()) -> Rekeyed:
        """Replace a participant's keys, or go on with what was begun.

        Args:
            name: the participant's.
            only: roles of the keys to replace; all that it has when empty.

        Raises:
            NoSuchParticipantError: there is none; close names are told.
            NoKeyOfRoleError: it has no key of a role; nothing changed.
            KeysMissingError, KeysDifferError: its keys are not here; nothing changed.
            FileError, SecretFileError: its keys cannot be read or written; the present ones stay.
            Refusal: the ledger refuses; the present keys stay.
            ClientError: the ledger gave no answer; the next call goes on.
        """
        ring = self._ring(name)
        settled = ring.settle()
        held = {entry.role for entry in ring.keys().public_keys()}
        wanted = set(only) or held
        for role in sorted(wanted - held):
            raise NoKeyOfRoleError(name=name, role=KeyRole(role).label)
        done: set[int] = set()
        if settled is not None and settled.change is Change.ROTATION:
            done.update(settled.successor.roles)
        waiting = ring.find(Change.ROTATION)
        if waiting is not None and self._rotate_to(ring, waiting, again=True):
            done.update(waiting.roles)
        resumed = bool(done)
        left = wanted - done
        if left:
            successor = credentials.succeed(ring.keys().renewed(left, self._community.randomness), tuple(left))
            ring.prepare(Change.ROTATION, successor)
            self._rotate_to(ring, successor)
        return self._told(ring, done | left, resumed=resumed)

    def _rotate_to(self, ring: Keyring, successor: Successor, *, again: bool = False) -> bool:
        sender = self._community.sender(self._client, ring.name)
        return self._tell(ring, Change.ROTATION, sender, RotateKeys(successor.entries()), again=again)

    def _tell(self, ring: Keyring, change: Change, sender: Sender, message: Message, *, again: bool) -> bool:
        """Tell the ledger of next keys and put them in their place; whether they are there.

        Args:
            ring: the participant's keys.
            change: which of its next keys.
            sender: who brings the message.
            message: names the next keys.
            again: whether the ledger may have heard of them before.

        Raises:
            Refusal: the ledger refuses, and names the next keys no more than before.
        """
        try:
            sender.send(message)
        except Refusal as refusal:
            if ring.settle() is not None:  # an earlier message came through in the meantime
                return True
            if isinstance(refusal, KeyUsed):  # they served and were replaced: they never come back
                ring.drop(change)
                if again:
                    return False
            raise
        return ring.settle() is not None

    # --- by its recovery key -----------------------------------------------------------------------------------------

    def recover(self, name: str, recovery_key: Path | None = None, *, new_recovery: bool = False) -> Rekeyed:
        """Replace a participant's keys by its recovery key's word, or go on with what was begun.

        Args:
            name: the participant's.
            recovery_key: file of its recovery key; the one in the community's folder when not given.
            new_recovery: whether to replace the recovery key as well.

        Raises:
            NoSuchParticipantError: there is none; close names are told.
            NoRecoveryKeyError: it was registered without one; nothing changed.
            RecoveryKeyAwayError, AnothersRecoveryKeyError, RecoveryKeyDiffersError: its key is not there; nothing
                changed.
            NobodyBringsError: no participant can bring the word; nothing changed.
            PassphraseNeededError: the community's secrets are sealed and there is no passphrase; nothing changed.
            FileError, SecretFileError: a file cannot be read or written; the present keys stay.
            Refusal: the ledger refuses; the present keys stay.
            ClientError: the ledger gave no answer; the next call goes on.
        """
        ring = self._ring(name)
        if self._community.is_sealed and not self._community.secrets.seals:
            raise PassphraseNeededError(path=str(self._community.folder.keys))
        settled = ring.settle()
        if settled is not None and settled.change is Change.RECOVERY and _covers(settled.successor, new_recovery):
            return self._recovered(ring, settled.successor, None, resumed=True)
        secret = self._recovery_secret(ring, recovery_key)
        ring.find_readable()  # what will be replaced: one that cannot be shall stop us before the ledger hears of it
        messenger = self._messenger(name)
        waiting = ring.find(Change.RECOVERY)
        if waiting is not None and self._recover_to(ring, waiting, secret, messenger, again=True):
            if _covers(waiting, new_recovery):
                return self._recovered(ring, waiting, messenger.name, resumed=True)
            messenger = self._messenger(name)
        successor = self._fresh(ring, new_recovery=new_recovery)
        ring.prepare(Change.RECOVERY, successor)
        self._recover_to(ring, successor, secret, messenger)
        return self._recovered(ring, successor, messenger.name, resumed=False)

    def _recover_to(
        self, ring: Keyring, successor: Successor, secret: bytes, messenger: _Messenger, *, again: bool = False
    ) -> bool:
        word, entries, rotations = Signer(secret), successor.entries(), self._known(ring).rotations
        signed = recovery_hash(self._client.status().chain_id, ring.participant, rotations, entries)
        message = RecoverKeys(ring.participant, rotations, entries, word.public_key, word.sign(signed))
        return self._tell(ring, Change.RECOVERY, messenger.sender, message, again=again)

    def _fresh(self, ring: Keyring, *, new_recovery: bool) -> Successor:
        randomness = self._community.randomness
        receipts = KeyRole.RECEIPT in ring.named() or bool(self._known(ring).roles & Role.DATA_AGGREGATOR)
        drawn = credentials.draw(ring.name, randomness, receipts=receipts)
        recovery = draw_recovery(randomness) if new_recovery else b""
        return credentials.succeed(drawn, [entry.role for entry in drawn.public_keys()], recovery)

    def _recovery_secret(self, ring: Keyring, given: Path | None) -> bytes:
        registered = ring.named().get(KeyRole.RECOVERY)
        if registered is None:
            raise NoRecoveryKeyError(name=ring.name)
        path = given or self._community.folder.recovery_file(ring.name)
        try:
            secret = read_recovery(self._community.secrets, path, ring.name)
        except FileMissingError as missing:
            if given is not None:
                raise
            raise RecoveryKeyAwayError(name=ring.name, path=str(path)) from missing
        except (NoSecretFileError, WrongPassphraseError) as unfit:
            holder = self._find_holder(path)
            if holder is None:
                raise
            raise AnothersRecoveryKeyError(name=ring.name, path=str(path), holder=holder) from unfit
        if Signer(secret).public_key != registered:
            raise RecoveryKeyDiffersError(name=ring.name, path=str(path))
        return secret

    def _find_holder(self, path: Path) -> str | None:
        """Whose recovery key the file holds, if anyone's."""
        for _, known in self._client.ask(registry.participants):
            with suppress(FileError, SecretFileError):
                read_recovery(self._community.secrets, path, known.name)
                return known.name
        return None

    def _messenger(self, name: str) -> _Messenger:
        """Who can bring the word: the first whose keys are here and good, the participant itself last."""
        names = [each for each in self._community.participants if each != name]
        for each in [*names, name]:
            try:
                return _Messenger(each, self._community.sender(self._client, each))
            except (PassphraseNeededError, WrongPassphraseError):
                raise
            except _UNUSABLE:
                continue
        raise NobodyBringsError(folder=str(self._community.folder.keys))

    # --- former keys -------------------------------------------------------------------------------------------------

    def forget(self, name: str) -> int:
        """Erase a participant's former encryption keys: nothing that was sealed for them is under way any more.

        Returns:
            How many there were.

        Raises:
            NoSuchParticipantError: there is none; close names are told.
            KeysMissingError, KeysDifferError: its keys are not here; nothing changed.
            FileError, SecretFileError: its keys cannot be read or written.
        """
        ring = self._ring(name)
        ring.settle()
        keys = ring.keys()
        if keys.former:
            ring.rewrite(replace(keys, former=()))
        return len(keys.former)

    # --- words -------------------------------------------------------------------------------------------------------

    def _ring(self, name: str) -> Keyring:
        known = [participant.name for _, participant in self._client.ask(registry.participants)]
        if name not in known:
            raise NoSuchParticipantError(participant=name, close=close_names(name, known))
        return Keyring(self._community.folder, self._community.secrets, name, self._client)

    def _known(self, ring: Keyring) -> Participant:
        known = self._client.ask(registry.participant, ring.participant)
        if known is None:  # never: no participant is removed
            raise NoSuchParticipantError(participant=ring.name, close=close_names(ring.name, ()))
        return known

    def _told(self, ring: Keyring, roles: Collection[int], *, resumed: bool) -> Rekeyed:
        keys, known = ring.keys(), self._known(ring)
        fresh = tuple(KeyRole(role) for role in sorted(roles))
        return Rekeyed(ring.name, ring.participant, fresh, ring.named(), known.rotations, resumed, len(keys.former))

    def _recovered(self, ring: Keyring, successor: Successor, brought_by: str | None, *, resumed: bool) -> Rekeyed:
        told = self._told(ring, [entry.role for entry in successor.entries()], resumed=resumed)
        path = self._community.folder.recovery_file(ring.name) if successor.recovery else None
        return told._replace(brought_by=brought_by, recovery_file=path)


def _covers(successor: Successor, new_recovery: bool) -> bool:
    return bool(successor.recovery) or not new_recovery
