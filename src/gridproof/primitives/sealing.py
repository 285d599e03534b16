"""Secrets at rest, sealed with a passphrase: scrypt, then ChaCha20-Poly1305.

A sealed text is `version u8 | log2 of scrypt's n u8 | salt 16 | nonce 12 | ciphertext and tag`; all before the
ciphertext is authenticated with it. Deriving the key is slow on purpose: derive it once, seal many times.
Salt and nonces come from the caller, fresh and random; a nonce is used once per key.

Source: RFC 7914 (scrypt, r = 8, p = 1); RFC 8439.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from .checks import has_size, is_bytes
from .errors import DecryptionError, InvalidArgumentError

__all__ = [
    "DEFAULT_LOG2_N",
    "MAX_LOG2_N",
    "MIN_LOG2_N",
    "NONCE_SIZE",
    "SALT_SIZE",
    "PassphraseKey",
    "open_with_passphrase",
    "seal_with_passphrase",
]

SALT_SIZE: Final = 16
NONCE_SIZE: Final = 12
DEFAULT_LOG2_N: Final = 17  # 128 MiB, a fraction of a second
MIN_LOG2_N: Final = 10
MAX_LOG2_N: Final = 20  # what an altered file can make a reader spend: 1 GiB

_VERSION: Final = 1
_HEAD_SIZE: Final = 2 + SALT_SIZE
_TAG_SIZE: Final = 16
_KEY_SIZE: Final = 32
_SCRYPT_R: Final = 8
_SCRYPT_P: Final = 1


class PassphraseKey:
    """A key derived once from a passphrase and a salt; its text form shows neither key nor passphrase.

    Attributes:
        salt: 16 bytes, public; stands in every text that the key sealed.
        log2_n: the cost of deriving it.
    """

    __slots__ = ("_aead", "_head", "log2_n", "salt")

    def __init__(self, passphrase: str, salt: bytes, log2_n: int = DEFAULT_LOG2_N) -> None:
        """Derive the key; slow.

        Args:
            passphrase: text, not empty.
            salt: 16 random bytes.
            log2_n: scrypt's cost, 10 .. 20; each step doubles time and memory.

        Raises:
            InvalidArgumentError: the passphrase is empty or no text, the salt not 16 bytes, the cost out of range.
        """
        if not passphrase:
            raise InvalidArgumentError(what="passphrase", detail="empty")
        _require_bytes("salt", salt, SALT_SIZE)
        if not MIN_LOG2_N <= log2_n <= MAX_LOG2_N:
            raise InvalidArgumentError(what="log2_n", detail=f"{log2_n} is not within {MIN_LOG2_N} .. {MAX_LOG2_N}")
        try:
            secret = passphrase.encode()
        except (UnicodeEncodeError, AttributeError) as fault:
            raise InvalidArgumentError(what="passphrase", detail="no valid text") from fault
        kdf = Scrypt(salt=salt, length=_KEY_SIZE, n=1 << log2_n, r=_SCRYPT_R, p=_SCRYPT_P)
        self._aead = ChaCha20Poly1305(kdf.derive(secret))
        self._head = bytes((_VERSION, log2_n)) + salt
        self.salt = salt
        self.log2_n = log2_n

    def seal(self, plaintext: bytes, nonce: bytes, context: bytes = b"") -> bytes:
        """Seal a text.

        Args:
            plaintext: any length.
            nonce: 12 bytes, fresh for every text under this key.
            context: what the text is for; it must be the same for opening.

        Raises:
            InvalidArgumentError: the nonce is not 12 bytes, or plaintext or context no bytes.
        """
        _require_bytes("nonce", nonce, NONCE_SIZE)
        head = self._head + nonce
        try:
            return head + self._aead.encrypt(nonce, plaintext, head + context)
        except TypeError as fault:
            raise InvalidArgumentError(what="plaintext", detail=str(fault)) from fault

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """Open what this key sealed.

        Raises:
            DecryptionError: another passphrase, salt or context, or altered bytes; nothing was decrypted.
        """
        _parse_head(sealed)
        if sealed[:_HEAD_SIZE] != self._head:
            raise DecryptionError(detail="sealed under another salt or cost")
        body = _HEAD_SIZE + NONCE_SIZE
        head = sealed[:body]
        try:
            return self._aead.decrypt(head[_HEAD_SIZE:], sealed[body:], head + context)
        except (InvalidTag, TypeError) as fault:
            raise DecryptionError(detail="wrong passphrase or context, or altered") from fault

    def fits(self, sealed: bytes) -> bool:
        """Whether a sealed text names this key's salt and cost, so that no other key need be derived for it."""
        return is_bytes(sealed) and sealed[:_HEAD_SIZE] == self._head

    def __repr__(self) -> str:
        return f"PassphraseKey(salt={self.salt.hex()}, log2_n={self.log2_n})"


def seal_with_passphrase(plaintext: bytes, passphrase: str, salt: bytes, nonce: bytes, context: bytes = b"") -> bytes:
    """Derive a key and seal one text with it.

    Raises:
        InvalidArgumentError: the passphrase is empty, salt or nonce have another length, or a text is no bytes.
    """
    return PassphraseKey(passphrase, salt).seal(plaintext, nonce, context)


def open_with_passphrase(sealed: bytes, passphrase: str, context: bytes = b"") -> bytes:
    """Derive the key that a sealed text names, and open it.

    Raises:
        InvalidArgumentError: the passphrase is empty.
        DecryptionError: another passphrase or context, or bytes that are altered or no sealed text.
    """
    log2_n, salt = _parse_head(sealed)
    return PassphraseKey(passphrase, salt, log2_n).open(sealed, context)


def _parse_head(sealed: bytes) -> tuple[int, bytes]:
    if not is_bytes(sealed) or len(sealed) < _HEAD_SIZE + NONCE_SIZE + _TAG_SIZE:
        raise DecryptionError(detail="too short for a sealed text")
    version, log2_n = sealed[0], sealed[1]
    if version != _VERSION or not MIN_LOG2_N <= log2_n <= MAX_LOG2_N:
        raise DecryptionError(detail="no sealed text of a known version")
    return log2_n, sealed[2:_HEAD_SIZE]


def _require_bytes(what: str, value: bytes, size: int) -> None:
    if not has_size(value, size):
        raise InvalidArgumentError(what=what, detail=f"not {size} bytes")
