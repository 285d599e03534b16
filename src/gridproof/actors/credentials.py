"""A participant's own secret keys, in a file of their own."""

from pathlib import Path
from typing import Final

from gridproof.connectors.secret_files import SecretFiles
from gridproof.modules.registry.messages import KeyEntry
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import hpke
from gridproof.primitives.encoding import Codec
from gridproof.primitives.hashing import HASH_SIZE, Tag
from gridproof.primitives.schnorr import Signer
from gridproof.primitives.secp256k1 import is_scalar
from gridproof.state import Record

from .enrolment import decode_secret
from .randomness import Randomness

VERSION: Final = 1
_SCALAR: Final = Tag("gridproof/participant-key/v1")


class Credentials(Record, frozen=True):
    """A participant's secrets.

    Attributes:
        version: of this form.
        name: the participant's name.
        transaction: signs envelopes, 32 bytes.
        receipt: signs receipts; empty for one who gives none.
        encryption: opens what is sealed to the participant.
    """

    version: int
    name: str
    transaction: bytes
    receipt: bytes
    encryption: bytes

    def __repr__(self) -> str:
        return f"Credentials({self.name!r}, hidden)"

    @property
    def signer(self) -> Signer:
        """Signs envelopes."""
        return Signer(self.transaction)

    @property
    def receipt_signer(self) -> Signer:
        """Signs receipts."""
        return Signer(self.receipt)

    def public_keys(self) -> tuple[KeyEntry, ...]:
        """What the registry is told."""
        keys = [KeyEntry(KeyRole.TRANSACTION, self.signer.public_key)]
        if self.receipt:
            keys.append(KeyEntry(KeyRole.RECEIPT, self.receipt_signer.public_key))
        keys.append(KeyEntry(KeyRole.ENCRYPTION, hpke.public_key(hpke.derive_secret(self.encryption))))
        return tuple(keys)


_CODEC: Final = Codec(Credentials)


def draw(name: str, randomness: Randomness, *, receipts: bool = False) -> Credentials:
    """Draw fresh keys for a participant.

    Args:
        name: the participant's name.
        randomness: where they come from.
        receipts: whether it gives receipts (a data aggregator).
    """
    receipt = _scalar(randomness) if receipts else b""
    return Credentials(VERSION, name, _scalar(randomness), receipt, randomness(HASH_SIZE))


def write(secrets: SecretFiles, path: Path, credentials: Credentials) -> None:
    """Write a participant's keys; an existing file stays and is refused to be replaced.

    Raises:
        FileExistsAlreadyError: there are keys already.
        FileUnwritableError: the system refuses.
    """
    secrets.write(path, _CODEC.encode(credentials), _purpose(credentials.name), replace=False)


def read(secrets: SecretFiles, path: Path, name: str) -> Credentials:
    """Read a participant's keys.

    Raises:
        FileError, SecretFileError: they are not there, exposed, sealed, or no keys of this participant.
        SecretFormatError: the content is not a participant's keys.
    """
    return decode_secret(_CODEC, secrets.read(path, _purpose(name)), "participant's keys", VERSION)


def _scalar(randomness: Randomness) -> bytes:
    secret = _SCALAR(randomness(HASH_SIZE))
    while not is_scalar(secret):
        secret = _SCALAR(secret)
    return secret


def _purpose(name: str) -> str:
    return f"participant/{name}"
