"""The raw libraries, called as sparingly as Python can: what gridproof's own work is measured against.

libsecp256k1 is called through the binding that gridproof uses, in a plain loop, all buffers kept. What the loop and the
binding cost is measured by a function that only copies 32 bytes, and taken off: what remains is the C function's own
time, and a ratio to it counts all of Python's work against gridproof.
"""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import lmdb
from coincurve._libsecp256k1 import ffi, lib

from gridproof.state import SignatureClaim

CONTEXT: Final[Any] = lib.secp256k1_context_create(1)
CHUNK: Final = 64


def create_keys(secrets: Sequence[bytes]) -> None:
    """`secp256k1_ec_pubkey_create` for each secret."""
    create, context, key = lib.secp256k1_ec_pubkey_create, CONTEXT, ffi.new("secp256k1_pubkey *")
    for secret in secrets:
        create(context, key, secret)


def sign(secrets: Sequence[bytes], digest: bytes) -> None:
    """`secp256k1_keypair_create` and `secp256k1_schnorrsig_sign32` for each secret."""
    create, sign32, context, none = lib.secp256k1_keypair_create, lib.secp256k1_schnorrsig_sign32, CONTEXT, ffi.NULL
    pair, signature = ffi.new("secp256k1_keypair *"), ffi.new("unsigned char[64]")
    for secret in secrets:
        create(context, pair, secret)
        sign32(context, signature, digest, pair, none)


def verify(claims: Sequence[SignatureClaim]) -> None:
    """`secp256k1_xonly_pubkey_parse` and `secp256k1_schnorrsig_verify` for each claim."""
    parse, check, context = lib.secp256k1_xonly_pubkey_parse, lib.secp256k1_schnorrsig_verify, CONTEXT
    point = ffi.new("secp256k1_xonly_pubkey *")
    for key, message, signature in claims:
        parse(context, point, key)
        if not check(context, signature, message, 32, point):
            raise AssertionError("a signature that was made here does not hold")


def call_nothing(times: int) -> None:
    """`secp256k1_keypair_sec`, which copies 32 bytes: what a call from Python costs."""
    copy, context = lib.secp256k1_keypair_sec, CONTEXT
    pair, out = ffi.new("secp256k1_keypair *"), ffi.new("unsigned char[32]")
    for _ in range(times):
        copy(context, out, pair)


def verify_on(pool: ThreadPoolExecutor, claims: Sequence[SignatureClaim]) -> None:
    """`verify`, spread over a pool's threads: the least time in which these cores can check these signatures."""
    pieces = [pool.submit(verify, claims[at : at + CHUNK]) for at in range(0, len(claims), CHUNK)]
    for piece in pieces:
        piece.result()


class BareStore:
    """LMDB as it is: one database, durable transactions.

    Args:
        path: a folder that is made.
    """

    def __init__(self, path: str) -> None:
        self._environment = lmdb.open(path, map_size=1 << 36)

    def put(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Write entries in one transaction, on the disk when it returns."""
        with self._environment.begin(write=True) as transaction:
            for key, value in entries:
                transaction.put(key, value)

    def close(self) -> None:
        """Let it go."""
        self._environment.close()


@contextlib.contextmanager
def bare_store(path: str) -> Iterator[BareStore]:
    """A bare store that is closed afterwards."""
    store = BareStore(path)
    try:
        yield store
    finally:
        store.close()
