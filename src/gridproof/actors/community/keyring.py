"""A participant's keys while they change hands: the present ones, and next ones until the ledger names them.

Rules:
    K-1 Next keys lie durably in a file of their own before the ledger hears of them.
    K-2 Present keys stay until the ledger names the next ones. Whichever set the ledger names is used, so that a kill
        at any point locks nobody out.
    K-3 Once the ledger names the next keys, they are written over the present ones and their own file is erased. Each
        of these steps may be done again. Only a process that acts alone for the participants does them.
    K-4 Next keys that the ledger does not name are kept: what told it of them may still be under way.
    K-5 A replaced encryption key stays in the participant's file, marked as former.
"""

from contextlib import suppress
from enum import Enum
from pathlib import Path
from time import sleep
from typing import Final, NamedTuple

from gridproof.actors import credentials
from gridproof.actors.credentials import Credentials, Successor
from gridproof.actors.errors import SecretFormatError
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import NoSecretFileError, SecretFiles, discard
from gridproof.domain import ParticipantId
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole

from .errors import KeysDifferError, KeysMissingError, Names
from .folder import Folder
from .people import participant_id, write_recovery

_LOOKS: Final = 3  # another process may be at it: between two files, both may be of yesterday
_PAUSE_S: Final = 0.05


class Change(Enum):
    """How next keys come to the ledger."""

    ROTATION = "rotation"
    RECOVERY = "recovery"


class Settled(NamedTuple):
    """Next keys that the ledger named and that took their place.

    Attributes:
        change: how they came there.
        successor: they.
    """

    change: Change
    successor: Successor


class Keyring:
    """A participant's keys in a community's folder, held against the ledger.

    Args:
        folder: where they lie.
        secrets: opens and seals them.
        name: the participant's.
        client: the way to the ledger.

    Attributes:
        name: the participant's.
        participant: its id.

    Raises:
        NodeUnclearError: the ledger does not know the participant.
    """

    def __init__(self, folder: Folder, secrets: SecretFiles, name: str, client: LedgerClient) -> None:
        self.name = name
        self.participant: ParticipantId = participant_id(client, name)
        self._folder = folder
        self._secrets = secrets
        self._client = client

    # --- looking -----------------------------------------------------------------------------------------------------

    def named(self) -> dict[int, bytes]:
        """The public keys that the ledger names for the participant, by `KeyRole`."""
        found = {role: self._client.ask(registry.key, self.participant, role) for role in KeyRole}
        return {int(role): key for role, key in found.items() if key is not None}

    def keys(self) -> Credentials:
        """The keys that the ledger names, from whichever file holds them (K-2); no file is changed.

        Raises:
            KeysMissingError: there are none.
            KeysDifferError: the ledger names others.
            FileError, SecretFileError: they are exposed, sealed, or no keys of this participant.
            SecretFormatError: a file holds something else.
        """
        for look in range(_LOOKS):
            if look:
                sleep(_PAUSE_S)
            taken = self.find_taken()
            if taken is not None:
                return taken.successor.keys.after(self.find_readable(), self._client.status().ledger_time_s)
            present = self._find_present()
            differing = [] if present is None else self.differing(present)
            if present is not None and not differing:
                return present
        if present is None:
            raise KeysMissingError(name=self.name, path=str(self._folder.key_file(self.name)))
        raise KeysDifferError(name=self.name, roles=Names(differing))

    def find(self, change: Change) -> Successor | None:
        """Next keys of this kind, or None where there are none.

        Raises:
            FileError, SecretFileError: they are exposed, sealed, or no next keys of this participant.
            SecretFormatError: the file holds something else.
        """
        with suppress(FileMissingError):
            return credentials.read_successor(self._secrets, self._path(change), self.name)
        return None

    def find_readable(self) -> Credentials | None:
        """The present keys as their file has them, whatever the ledger says; None where it is lost or damaged.

        Raises:
            FileError, SecretFileError: it is exposed, sealed, or cannot be read.
        """
        with suppress(NoSecretFileError, SecretFormatError):
            return self._find_present()
        return None

    def find_taken(self) -> Settled | None:
        """Next keys that the ledger names already, or None."""
        for change in (Change.RECOVERY, Change.ROTATION):
            successor = self.find(change)
            if successor is not None:
                named = self.named()
                if all(named.get(entry.role) == entry.key for entry in successor.entries()):
                    return Settled(change, successor)
        return None

    def differing(self, keys: Credentials) -> list[str]:
        """For which key roles the ledger names another key than these are."""
        named = self.named()
        return [
            KeyRole(entry.role).label for entry in keys.public_keys() if named.get(entry.role, entry.key) != entry.key
        ]

    # --- changing: by who acts alone for the participants ------------------------------------------------------------

    def settle(self) -> Settled | None:
        """Put next keys that the ledger names in their place (K-3); harmless where there are none.

        Returns:
            What was settled.

        Raises:
            FileError, SecretFileError, SecretFormatError: a file cannot be read or written; no key is lost.
        """
        taken = self.find_taken()
        if taken is None:
            return None
        successor, held = taken.successor, self.find_readable()
        if successor.recovery:
            write_recovery(self._secrets, self._folder.recovery_file(self.name), self.name, successor.recovery)
        keys = successor.keys.after(held, self._client.status().ledger_time_s)
        credentials.write(self._secrets, self._folder.key_file(self.name), keys, replace=True)
        if taken.change is Change.RECOVERY:
            self.drop(Change.ROTATION)  # it was signed with a key that counts no more
        self.drop(taken.change)
        return taken

    def prepare(self, change: Change, successor: Successor) -> None:
        """Keep next keys, before the ledger hears of them (K-1).

        Raises:
            FileExistsAlreadyError: there are such already.
            FileUnwritableError: the system refuses.
        """
        credentials.write_successor(self._secrets, self._path(change), successor)

    def drop(self, change: Change) -> None:
        """Erase next keys, if there are any: they took their place, or never can.

        Raises:
            FileUnwritableError: the system refuses.
        """
        with suppress(FileMissingError):
            discard(self._path(change))

    def rewrite(self, keys: Credentials) -> None:
        """Write the present keys' file anew.

        Raises:
            FileUnwritableError: the system refuses; it is as it was.
        """
        credentials.write(self._secrets, self._folder.key_file(self.name), keys, replace=True)

    def _find_present(self) -> Credentials | None:
        with suppress(FileMissingError):
            return credentials.read(self._secrets, self._folder.key_file(self.name), self.name)
        return None

    def _path(self, change: Change) -> Path:
        if change is Change.ROTATION:
            return self._folder.next_file(self.name)
        return self._folder.recovered_file(self.name)
