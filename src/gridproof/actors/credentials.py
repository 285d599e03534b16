"""A participant's own secret keys, in a file of their own.

What was sealed for an encryption key may still be under way when the key is replaced, so former ones stay in the file,
marked as such, until they are told to go.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from gridproof.connectors.secret_files import SecretFiles
from gridproof.modules.registry.messages import KeyEntry
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import hpke
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.primitives.hashing import HASH_SIZE, Tag
from gridproof.primitives.schnorr import Signer
from gridproof.primitives.secp256k1 import is_scalar
from gridproof.state import Record

from .enrolment import decode_secret
from .randomness import Randomness

VERSION: Final = 2
FIRST_VERSION: Final = 1  # without former keys
_SCALAR: Final = Tag("gridproof/participant-key/v1")


class FormerKey(Record, frozen=True):
    """An encryption key that another took the place of.

    Attributes:
        encryption: opens what was sealed to the participant before.
        replaced_s: ledger time at which it was found replaced, UTC epoch seconds.
    """

    encryption: bytes
    replaced_s: int

    def __repr__(self) -> str:
        return f"FormerKey({self.replaced_s}, hidden)"


class Credentials(Record, frozen=True):
    """A participant's secrets.

    Attributes:
        version: of this form.
        name: the participant's name.
        transaction: signs envelopes, 32 bytes.
        receipt: signs receipts; empty for one who gives none.
        encryption: opens what is sealed to the participant.
        former: encryption keys that it had before, the latest first.
    """

    version: int
    name: str
    transaction: bytes
    receipt: bytes
    encryption: bytes
    former: tuple[FormerKey, ...]

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

    def opening_secrets(self) -> tuple[bytes, ...]:
        """HPKE secret keys that may open what is sealed to the participant: the present one, then former ones."""
        materials = (self.encryption, *(each.encryption for each in self.former))
        return tuple(hpke.derive_secret(material) for material in materials)

    def renewed(self, roles: Collection[int], randomness: Randomness) -> "Credentials":
        """The same secrets with fresh ones for some `KeyRole`s."""
        fresh: dict[str, bytes] = {}
        if KeyRole.TRANSACTION in roles:
            fresh["transaction"] = _scalar(randomness)
        if KeyRole.RECEIPT in roles:
            fresh["receipt"] = _scalar(randomness)
        if KeyRole.ENCRYPTION in roles:
            fresh["encryption"] = randomness(HASH_SIZE)
        return replace(self, **fresh)

    def after(self, held: "Credentials | None", now_s: int) -> "Credentials":
        """These secrets in the place of others, whose encryption keys they keep as former ones.

        Args:
            held: what they replace, or None where that is lost; the same once more changes nothing.
            now_s: ledger time, UTC epoch seconds.
        """
        if held is None:
            return self
        gone = () if held.encryption == self.encryption else (FormerKey(held.encryption, now_s),)
        return replace(self, former=(*gone, *held.former))


class _FirstCredentials(Record, frozen=True):
    version: int
    name: str
    transaction: bytes
    receipt: bytes
    encryption: bytes


class Successor(Record, frozen=True):
    """Secrets that shall take the place of others once the ledger names them.

    Attributes:
        version: of this form.
        keys: the secrets.
        roles: the `KeyRole`s of those that are fresh, ascending.
        recovery: a fresh recovery key; empty where the present one stays.
    """

    version: int
    keys: Credentials
    roles: tuple[int, ...]
    recovery: bytes

    def __repr__(self) -> str:
        return f"Successor({self.keys.name!r}, {self.roles}, hidden)"

    def entries(self) -> tuple[KeyEntry, ...]:
        """What the ledger is told: the public keys of what is fresh."""
        fresh = [entry for entry in self.keys.public_keys() if entry.role in self.roles]
        if self.recovery:
            fresh.append(KeyEntry(KeyRole.RECOVERY, Signer(self.recovery).public_key))
        return tuple(fresh)


_CODEC: Final = Codec(Credentials)
_FIRST: Final = Codec(_FirstCredentials)
_SUCCESSOR: Final = Codec(Successor)


def draw(name: str, randomness: Randomness, *, receipts: bool = False) -> Credentials:
    """Draw fresh keys for a participant.

    Args:
        name: the participant's name.
        randomness: where they come from.
        receipts: whether it gives receipts (a data aggregator).
    """
    receipt = _scalar(randomness) if receipts else b""
    return Credentials(VERSION, name, _scalar(randomness), receipt, randomness(HASH_SIZE), ())


def write(secrets: SecretFiles, path: Path, credentials: Credentials, *, replace: bool = False) -> None:
    """Write a participant's keys.

    Args:
        secrets: seals them, where there is a passphrase.
        path: the file.
        credentials: what to keep.
        replace: whether keys that are there give way, and are overwritten.

    Raises:
        FileExistsAlreadyError: there are keys already, and they shall not give way.
        FileUnwritableError: the system refuses.
    """
    secrets.write(path, _CODEC.encode(credentials), _purpose(credentials.name), replace=replace)


def read(secrets: SecretFiles, path: Path, name: str) -> Credentials:
    """Read a participant's keys.

    Raises:
        FileError, SecretFileError: they are not there, exposed, sealed, or no keys of this participant.
        SecretFormatError: the content is not a participant's keys.
    """
    raw = secrets.read(path, _purpose(name))
    try:
        first = _FIRST.decode(raw)
    except PrimitiveError:
        return decode_secret(_CODEC, raw, "participant's keys", VERSION)
    decode_secret(_FIRST, raw, "participant's keys", FIRST_VERSION)
    return Credentials(VERSION, first.name, first.transaction, first.receipt, first.encryption, ())


def succeed(keys: Credentials, roles: Sequence[int], recovery: bytes = b"") -> Successor:
    """Secrets that shall take the place of others.

    Args:
        keys: all of the participant's, the fresh ones among them.
        roles: `KeyRole`s of those that are fresh.
        recovery: a fresh recovery key, or empty.
    """
    return Successor(VERSION, keys, tuple(sorted(roles)), recovery)


def write_successor(secrets: SecretFiles, path: Path, successor: Successor) -> None:
    """Write what shall take the place of a participant's keys, durably, before the ledger hears of it.

    Raises:
        FileExistsAlreadyError: there is such a file already.
        FileUnwritableError: the system refuses.
    """
    purpose = f"{_purpose(successor.keys.name)}/next"
    secrets.write(path, _SUCCESSOR.encode(successor), purpose, replace=False)


def read_successor(secrets: SecretFiles, path: Path, name: str) -> Successor:
    """Read what shall take the place of a participant's keys.

    Raises:
        FileError, SecretFileError: it is not there, exposed, sealed, or not of this participant.
        SecretFormatError: the content is of another form.
    """
    return decode_secret(_SUCCESSOR, secrets.read(path, f"{_purpose(name)}/next"), "next keys", VERSION)


def _scalar(randomness: Randomness) -> bytes:
    secret = _SCALAR(randomness(HASH_SIZE))
    while not is_scalar(secret):
        secret = _SCALAR(secret)
    return secret


def _purpose(name: str) -> str:
    return f"participant/{name}"
