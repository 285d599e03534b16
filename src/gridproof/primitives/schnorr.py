"""Schnorr signatures of BIP 340 over secp256k1.

Rules:
- a signer keeps its key pair, so that a signature costs one multiplication and is not verified again by its maker;
- without auxiliary randomness a signature is deterministic: the same message gives the same bytes on a resend;
- verification accepts exactly what BIP 340 accepts, and releases the interpreter's lock while it computes.

Source: BIP 340.
"""

from collections.abc import Iterable
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib

from .checks import has_size, is_bytes, shown, size_of
from .errors import InvalidArgumentError, InvalidPointError, InvalidScalarError, InvalidSignatureError
from .secp256k1 import POINT_SIZE, SCALAR_SIZE, _context, is_point

__all__ = ["SIGNATURE_SIZE", "Signer", "find_invalid", "is_valid", "sign", "verify"]

SIGNATURE_SIZE: Final = 64
_AUX_SIZE: Final = 32
_DIGEST_SIZE: Final = 32
_EXTRA_MAGIC: Final = b"\xda\x6f\xb3\x8c"

_KEYPAIR: Final[Any] = ffi.typeof("secp256k1_keypair *")
_XONLY: Final[Any] = ffi.typeof("secp256k1_xonly_pubkey *")
_BYTES32: Final[Any] = ffi.typeof("unsigned char[32]")
_BYTES64: Final[Any] = ffi.typeof("unsigned char[64]")
_EXTRA: Final[Any] = ffi.typeof("secp256k1_schnorrsig_extraparams *")
_NULL: Final[Any] = ffi.NULL


class Signer:
    """A secret key, ready to sign; its text form shows the public key only.

    Attributes:
        public_key: x-only, 32 bytes.

    Raises:
        InvalidArgumentError: it was to be copied or pickled, which would spread the secret.
    """

    __slots__ = ("_keypair", "public_key")

    def __init__(self, secret: bytes) -> None:
        """Take a secret key.

        Args:
            secret: 32 bytes.

        Raises:
            InvalidScalarError: it is not within 1 .. n-1, or not 32 bytes long.
        """
        self._keypair = keypair = ffi.new(_KEYPAIR)
        if not (has_size(secret, SCALAR_SIZE) and lib.secp256k1_keypair_create(_context, keypair, secret)):
            raise InvalidScalarError(length=size_of(secret))
        point, x = ffi.new(_XONLY), ffi.new(_BYTES32)
        lib.secp256k1_keypair_xonly_pub(_context, point, _NULL, keypair)
        lib.secp256k1_xonly_pubkey_serialize(_context, x, point)
        self.public_key = bytes(ffi.buffer(x))

    def sign(self, message: bytes, aux: bytes | None = None) -> bytes:
        """Sign a message.

        Args:
            message: bytes of any length; gridproof signs tagged hashes of 32 bytes.
            aux: 32 bytes of auxiliary randomness, or None for the deterministic signature.

        Returns:
            64 bytes.

        Raises:
            InvalidArgumentError: the message is not bytes, or `aux` is not 32 bytes.
        """
        if not is_bytes(message):
            raise InvalidArgumentError(what="message", detail="not bytes")
        if aux is not None and not has_size(aux, _AUX_SIZE):
            raise InvalidArgumentError(what="aux", detail="not 32 bytes")
        signature = ffi.new(_BYTES64)
        if len(message) == _DIGEST_SIZE:
            lib.secp256k1_schnorrsig_sign32(_context, signature, message, self._keypair, _NULL if aux is None else aux)
        else:
            self._sign_any_length(signature, message, aux)
        return ffi.buffer(signature)[:]  # type: ignore[no-any-return]

    def _sign_any_length(self, signature: Any, message: bytes, aux: bytes | None) -> None:
        extra = _NULL
        if aux is not None:
            kept = ffi.from_buffer(aux)  # lives as long as the call
            extra = ffi.new(_EXTRA, {"magic": _EXTRA_MAGIC, "noncefp": _NULL, "ndata": kept})
        lib.secp256k1_schnorrsig_sign_custom(_context, signature, message, len(message), self._keypair, extra)

    def __repr__(self) -> str:
        return f"Signer({self.public_key.hex()})"

    def __reduce__(self) -> Any:
        raise InvalidArgumentError(what="Signer", detail="a secret key is not pickled")


def sign(secret: bytes, message: bytes, aux: bytes | None = None) -> bytes:
    """Sign once, as `Signer.sign` does.

    Raises:
        InvalidScalarError: the secret is not within 1 .. n-1, or not 32 bytes long.
        InvalidArgumentError: the message is not bytes, or `aux` is not 32 bytes.
    """
    return Signer(secret).sign(message, aux)


def is_valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key signed the message; False for anything malformed.

    Args:
        public_key: x-only, 32 bytes.
        message: bytes of any length.
        signature: 64 bytes.
    """
    return find_invalid(((public_key, message, signature),)) is None


def find_invalid(claims: Iterable[tuple[bytes, bytes, bytes]]) -> int | None:
    """Verify many signatures.

    Args:
        claims: public key (32 bytes), message, signature (64 bytes) of each.

    Returns:
        The position of the first that is false or malformed, None if all are true.
    """
    parse, check, context = lib.secp256k1_xonly_pubkey_parse, lib.secp256k1_schnorrsig_verify, _context
    point = ffi.new(_XONLY)
    for position, (public_key, message, signature) in enumerate(claims):
        if not (
            has_size(public_key, POINT_SIZE)
            and has_size(signature, SIGNATURE_SIZE)
            and is_bytes(message)
            and parse(context, point, public_key)
            and check(context, signature, message, len(message), point)
        ):
            return position
    return None


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Return if the key signed the message.

    Raises:
        InvalidPointError: the public key is not the x of a point.
        InvalidSignatureError: the signature does not fit, or is not 64 bytes.
    """
    if is_valid(public_key, message, signature):
        return
    if not is_point(public_key):
        raise InvalidPointError(point=shown(public_key))
    raise InvalidSignatureError(public_key=shown(public_key))
