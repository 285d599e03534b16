"""The participants' keys in a community's folder, and their recovery keys in one of their own, to be moved offline."""

from pathlib import Path
from typing import Final

from gridproof.actors import credentials
from gridproof.actors.credentials import Credentials
from gridproof.actors.errors import NodeUnclearError
from gridproof.actors.randomness import Randomness
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import ParticipantId
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import KeyEntry
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import secp256k1
from gridproof.primitives.hashing import HASH_SIZE

from .folder import Folder

OPERATOR: Final = "operator"
BILL_PROVIDER: Final = "bill provider"
CONTROL_CENTER: Final = "control center"


def equip(
    folder: Folder, secrets: SecretFiles, name: str, randomness: Randomness, *, receipts: bool
) -> tuple[KeyEntry, ...]:
    """Draw a participant's keys and keep them; keys that are there from an attempt before are used.

    Args:
        folder: where they lie.
        secrets: seals them, where there is a passphrase.
        name: the participant's.
        randomness: where keys come from.
        receipts: whether it signs receipts.

    Returns:
        Its public keys, that of recovery among them.

    Raises:
        FileError, SecretFileError: keys cannot be written, or those that are there cannot be read.
    """
    if not folder.key_file(name).exists():
        drawn = credentials.draw(name, randomness, receipts=receipts)
        write_recovery(secrets, folder.recovery_file(name), name, draw_recovery(randomness))
        credentials.write(secrets, folder.key_file(name), drawn)
    recovery = read_recovery(secrets, folder.recovery_file(name), name)
    own = keys_of(folder, secrets, name).public_keys()
    return (*own, KeyEntry(KeyRole.RECOVERY, secp256k1.x_only(recovery)))


def keys_of(folder: Folder, secrets: SecretFiles, name: str) -> Credentials:
    """A participant's keys.

    Raises:
        FileError, SecretFileError: they are not there, exposed, sealed, or no keys of this participant.
        SecretFormatError: the file holds something else.
    """
    return credentials.read(secrets, folder.key_file(name), name)


def draw_recovery(randomness: Randomness) -> bytes:
    """Draw a recovery key, 32 bytes."""
    while not secp256k1.is_scalar(drawn := randomness(HASH_SIZE)):
        pass  # once in 2**128 draws
    return drawn


def write_recovery(secrets: SecretFiles, path: Path, name: str, key: bytes) -> None:
    """Write a participant's recovery key; one that is there gives way and is overwritten.

    Raises:
        FileUnwritableError: the system refuses.
    """
    secrets.write(path, key, _recovery(name))


def read_recovery(secrets: SecretFiles, path: Path, name: str) -> bytes:
    """Read a participant's recovery key, 32 bytes.

    Raises:
        FileError, SecretFileError: it is not there, exposed, sealed, or no recovery key of this participant.
    """
    return secrets.read(path, _recovery(name))


def participant_id(client: LedgerClient, name: str) -> ParticipantId:
    """A participant's id.

    Raises:
        NodeUnclearError: the ledger does not know the participant.
    """
    for number, participant in client.ask(registry.participants):
        if participant.name == name:
            return ParticipantId(number)
    raise NodeUnclearError(what=f"find participant {name}", detail="the operator must register it first")


def _recovery(name: str) -> str:
    return f"participant/{name}/recovery"
