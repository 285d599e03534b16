"""A small model of the paper's scheme, read literally, for attacks to win against.

It keeps what the attacks need: one-time identities as compressed points, integer masks on the range of the halves, sums
of masks published in advance, a product of identities in a second filter, signatures over (value, time) alone. Nothing
of the product imports it.

Source: seed 002 (Oksuz 2024), section 5.
"""

from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import NamedTuple

from coincurve import PrivateKey, PublicKey

LOW, HIGH = -(2**31), 2**31  # the paper's range [phi_1, phi_2] of "32 bit" values


class PaperRecord(NamedTuple):
    """Tx = (PRID, rc, ts, signature)."""

    prid: bytes
    rc: int
    ts: int
    signature: bytes


def signed_bytes(rc: int, ts: int) -> bytes:
    """H1(rc, ts): neither region nor period nor identity is in it."""
    return sha256(f"{rc},{ts}".encode()).digest()


class PaperMeter:
    """SM_i with fresh keys and masks for each period, and one static billing identity."""

    def __init__(self, chance: Random, periods: int) -> None:
        self.keys = [(_key(chance), _key(chance)) for _ in range(periods)]
        self.masks = [(chance.randint(LOW, HIGH), chance.randint(LOW, HIGH)) for _ in range(periods)]
        self._chance = chance

    def identities(self, k: int) -> tuple[bytes, bytes]:
        """PRID and PRID' of period k, compressed."""
        first, second = self.keys[k]
        return first.public_key.format(), second.public_key.format()

    def records(self, k: int, reading_wh: int, ts: int) -> tuple[PaperRecord, PaperRecord]:
        """Both halves, masked by integers of the halves' own range."""
        part = self._chance.randint(LOW, HIGH)
        values = (part + self.masks[k][0], reading_wh - part + self.masks[k][1])
        made = [
            PaperRecord(key.public_key.format(), rc, ts, key.sign_schnorr(signed_bytes(rc, ts), bytes(32)))
            for key, rc in zip(self.keys[k], values, strict=True)
        ]
        return made[0], made[1]


def mask_sum(meters: Sequence[PaperMeter], k: int) -> int:
    """Z of period k, as it stands on the chain in advance."""
    return sum(sum(meter.masks[k]) for meter in meters)


def product(identities: Sequence[bytes]) -> bytes:
    """T: all identities of a period multiplied (added, on a curve)."""
    return PublicKey.combine_keys([PublicKey(each) for each in identities]).format()


def is_signed(record: PaperRecord) -> bool:
    """What an aggregator checks: the signature fits the identity that the record brings along."""
    from coincurve import PublicKeyXOnly

    return PublicKeyXOnly(record.prid[1:]).verify(record.signature, signed_bytes(record.rc, record.ts))


class DoubleHashed:
    """A filter whose indices come from two hashes, h1 + i h2, as many libraries do it."""

    def __init__(self, bits: int, hashes: int) -> None:
        self.bits, self.hashes, self._set = bits, hashes, bytearray(bits)

    def _indices(self, item: bytes) -> list[int]:
        digest = sha256(item).digest()
        first, second = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
        return [(first + i * second) % self.bits for i in range(self.hashes)]

    def add(self, item: bytes) -> None:
        """Put an item in."""
        for index in self._indices(item):
            self._set[index] = 1

    def __contains__(self, item: bytes) -> bool:
        return all(self._set[index] for index in self._indices(item))


def _key(chance: Random) -> PrivateKey:
    return PrivateKey(chance.randrange(1, 2**255).to_bytes(32, "big"))
