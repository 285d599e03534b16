"""The participants' keys in a community's folder, and their recovery keys in one of their own, to be moved offline."""

from typing import Final

from gridproof.actors import credentials
from gridproof.actors.credentials import Credentials
from gridproof.actors.randomness import Randomness
from gridproof.connectors.secret_files import SecretFiles
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
        secrets.write(folder.recovery_file(name), _scalar(randomness), _recovery(name))
        credentials.write(secrets, folder.key_file(name), drawn)
    recovery = secrets.read(folder.recovery_file(name), _recovery(name))
    own = keys_of(folder, secrets, name).public_keys()
    return (*own, KeyEntry(KeyRole.RECOVERY, secp256k1.x_only(recovery)))


def keys_of(folder: Folder, secrets: SecretFiles, name: str) -> Credentials:
    """A participant's keys.

    Raises:
        FileError, SecretFileError: they are not there, exposed, sealed, or no keys of this participant.
        SecretFormatError: the file holds something else.
    """
    return credentials.read(secrets, folder.key_file(name), name)


def _recovery(name: str) -> str:
    return f"participant/{name}/recovery"


def _scalar(randomness: Randomness) -> bytes:
    while not secp256k1.is_scalar(drawn := randomness(HASH_SIZE)):
        pass  # once in 2**128 draws
    return drawn
