"""Secrets at rest: seeds and keys in files that only their owner may open, sealed where a passphrase is given.

A file is: magic | version u8 | form u8 | body. The body of a *plain* one (form 0) is a tagged hash of purpose and
secret, then the secret; of a *sealed* one (form 1) a sealed text of `primitives.sealing`, whose context is the file's
head and the purpose. So a file serves no other purpose than the one it was written for.

Rules:
    S-1 A secret is written whole or not at all, with mode 0600; a file that others may open is refused (`files`).
    S-2 What a secret replaces is overwritten, as is what is erased.
    S-3 With a passphrase every write seals; a plain file is still read, so that a folder can be sealed file by file.
    S-4 scrypt runs once per salt: what a run writes shares one salt, that of the first file it read, or a fresh one.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gridproof.errors import GridproofError
from gridproof.primitives.errors import DecryptionError, InvalidArgumentError
from gridproof.primitives.hashing import tagged_hash
from gridproof.primitives.sealing import DEFAULT_LOG2_N, NONCE_SIZE, SALT_SIZE, PassphraseKey

from .files import (
    LEFTOVERS,
    PRIVATE_FILE,
    FileMissingError,
    FileUnwritableError,
    make_private_folder,
    overwrite,
    read_private,
    sync_folder,
    temporary_beside,
    write_whole,
)

MAGIC: Final = b"gpsecret"
VERSION: Final = 1
PLAIN: Final = 0
SEALED: Final = 1
MAX_SECRET: Final = 16 * 2**20
_HEADER: Final = len(MAGIC) + 2
_CHECK: Final = 32
_OVERHEAD: Final = 256  # more than any form adds
_SEALED_HEAD: Final = 2 + SALT_SIZE  # version, cost, salt: which key a sealed text needs


class SecretFileError(GridproofError):
    """A secret cannot be used."""


class NoSecretFileError(SecretFileError):
    """This is no secret file, or one cut short or altered; nothing was taken from it. Restore it from a backup."""

    path: str
    purpose: str


class SecretVersionError(SecretFileError):
    """The secret file was written by a later version; nothing was taken from it. Update gridproof."""

    path: str
    version: int


class PassphraseNeededError(SecretFileError):
    """The secret is sealed. Give its passphrase at the prompt, in GRIDPROOF_PASSPHRASE, or in a file with mode 0600."""

    path: str


class WrongPassphraseError(SecretFileError):
    """The passphrase does not open this secret (or the file was altered); nothing was taken from it. Try another."""

    path: str
    purpose: str


class SecretFiles:
    """Writes, reads and erases secret files.

    Args:
        passphrase: seals what is written and opens what is sealed; None writes plain files.
        random: gives fresh random bytes, for salts and nonces.
        log2_n: scrypt's cost for what is written; less than the default only in tests.

    Raises:
        InvalidArgumentError: the passphrase is empty.
    """

    def __init__(
        self,
        passphrase: str | None = None,
        *,
        random: Callable[[int], bytes] = os.urandom,
        log2_n: int = DEFAULT_LOG2_N,
    ) -> None:
        if passphrase is not None and not passphrase:
            raise InvalidArgumentError(what="passphrase", detail="empty")
        self._passphrase = passphrase
        self._random = random
        self._log2_n = log2_n
        self._keys: list[PassphraseKey] = []

    def __repr__(self) -> str:
        return f"SecretFiles({'sealed' if self.seals else 'plain'})"

    @property
    def seals(self) -> bool:
        """Whether what is written is sealed."""
        return self._passphrase is not None

    def write(self, path: Path, secret: bytes, purpose: str, *, replace: bool = True) -> None:
        """Write a secret; what it replaces is overwritten (S-1, S-2).

        Args:
            path: the file; missing folders above it are made for their owner only.
            secret: what to keep, at most 16 MiB.
            purpose: what it is for, such as `meter/sign`; reading must name the same.
            replace: whether an existing secret gives way.

        Raises:
            FileExistsAlreadyError: it is there and shall not give way.
            FileUnwritableError: too long, disk full, folder read-only; the old secret still stands.
        """
        if len(secret) > MAX_SECRET:
            raise FileUnwritableError(path=str(path), detail=f"a secret has at most {MAX_SECRET} bytes")
        content = self._pack(secret, purpose)
        make_private_folder(path.parent)
        old = _open_old(path) if replace else None
        try:
            write_whole(path, content, PRIVATE_FILE, replace=replace)
            if old is not None:
                overwrite(old)
        finally:
            if old is not None:
                os.close(old)

    def read(self, path: Path, purpose: str) -> bytes:
        """Read a secret that was written for this purpose.

        Raises:
            FileMissingError: it is not there.
            FileExposedError: others may open it; run `chmod 600`.
            FileUnreadableError: the system refuses.
            NoSecretFileError: it is no secret file, is damaged, or (if plain) serves another purpose.
            SecretVersionError: a later version wrote it.
            PassphraseNeededError: it is sealed and there is no passphrase.
            WrongPassphraseError: the passphrase, or the purpose, is not the file's.
        """
        content = read_private(path, MAX_SECRET + _OVERHEAD)
        if len(content) < _HEADER or not content.startswith(MAGIC):
            raise NoSecretFileError(path=str(path), purpose=purpose)
        version, form = content[len(MAGIC)], content[len(MAGIC) + 1]
        if version != VERSION:
            raise SecretVersionError(path=str(path), version=version)
        if form == PLAIN and len(content) >= _HEADER + _CHECK:
            check, secret = content[_HEADER : _HEADER + _CHECK], content[_HEADER + _CHECK :]
            if check == _plain_check(secret, purpose):
                return secret
        elif form == SEALED and len(content) >= _HEADER + _SEALED_HEAD:
            return self._open(path, content, purpose)
        raise NoSecretFileError(path=str(path), purpose=purpose)

    def _pack(self, secret: bytes, purpose: str) -> bytes:
        if self._passphrase is None:
            return _header(PLAIN) + _plain_check(secret, purpose) + secret
        key = next((key for key in self._keys if key.log2_n == self._log2_n), None)
        if key is None:
            key = self._derive(self._passphrase, self._random(SALT_SIZE), self._log2_n)
        head = _header(SEALED)
        return head + key.seal(secret, self._random(NONCE_SIZE), head + purpose.encode())

    def _open(self, path: Path, content: bytes, purpose: str) -> bytes:
        if self._passphrase is None:
            raise PassphraseNeededError(path=str(path))
        head, sealed = content[:_HEADER], content[_HEADER:]
        try:
            key = next((key for key in self._keys if key.fits(sealed)), None)
            if key is None:
                key = self._derive(self._passphrase, sealed[2:_SEALED_HEAD], sealed[1])
            return key.open(sealed, head + purpose.encode())
        except InvalidArgumentError as impossible:  # a cost that no writer chooses
            raise NoSecretFileError(path=str(path), purpose=purpose) from impossible
        except DecryptionError as refused:
            raise WrongPassphraseError(path=str(path), purpose=purpose) from refused

    def _derive(self, passphrase: str, salt: bytes, log2_n: int) -> PassphraseKey:
        self._keys.append(PassphraseKey(passphrase, salt, log2_n))
        return self._keys[-1]


def erase(path: Path) -> None:
    """Overwrite a secret file with zeros, sync, and unlink it (S-2).

    Raises:
        FileMissingError: it is not there.
        FileUnwritableError: the system refuses; the file may still be whole.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            overwrite(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def discard(path: Path) -> None:
    """Erase a secret file that is looked for by its name: a kill leaves it whole, or nothing of this name.

    What is left under another name then, `erase_leftovers` finds.

    Raises:
        FileMissingError: it is not there.
        FileUnwritableError: the system refuses; the file may still be whole.
    """
    aside = temporary_beside(path)
    try:
        path.rename(aside)
        sync_folder(path.parent)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    erase(aside)


def erase_leftovers(folder: Path) -> int:
    """Erase what a write that was killed left in a folder of secrets; return how many files that were.

    Only while nothing else writes there. What else lies in the folder is not touched.

    Raises:
        FileUnwritableError: the system refuses.
    """
    leftovers = [path for path in sorted(folder.glob(LEFTOVERS)) if path.is_file() and not path.is_symlink()]
    for leftover in leftovers:
        if leftover.stat().st_nlink == 1:
            erase(leftover)
        else:  # killed when the content had its lasting name already: overwriting would take that away as well
            _drop_name(leftover)
    return len(leftovers)


def _drop_name(path: Path) -> None:
    try:
        path.unlink()
        sync_folder(path.parent)
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def _header(form: int) -> bytes:
    return MAGIC + bytes((VERSION, form))


def _plain_check(secret: bytes, purpose: str) -> bytes:
    name = purpose.encode()
    return tagged_hash("gridproof/secret-file/v1", len(name).to_bytes(2, "big"), name, secret)


def _open_old(path: Path) -> int | None:
    """The file that will be replaced, open, so that it can be overwritten once its name has gone to the new one."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure


def is_sealed_file(path: Path) -> bool:
    """Whether a file is there and sealed with a passphrase."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC) + 2)  # magic, version, form
    except OSError:
        return False
    return head.startswith(MAGIC) and head[-1] == SEALED
