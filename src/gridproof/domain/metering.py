"""Scheme P's arithmetic: what meters, aggregators, the bill provider and the ledger must compute alike.

Words: a *leaf* is one half in one slot; a *place* is a meter's month of leaf pairs on one channel.

Rules:
- two secrets: *sign* gives one-time keys (meter and bill provider), *view* gives masks and splits (household as well);
- each month, half and channel has its own seed, so that no leaf serves twice;
- records, masks and halves are integers modulo 2**64: each alone is uniform and tells nothing;
- every hash that is signed names the chain and the slot; all its parts have a fixed width.

Source: private-metering.md, scheme P; seed 002, sections 4 and 5.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

from gridproof.primitives import ggm, secp256k1
from gridproof.primitives.checks import has_size, size_of
from gridproof.primitives.hashing import HASH_SIZE, Tag
from gridproof.primitives.hkdf import hkdf
from gridproof.primitives.schnorr import Signer

from .errors import DomainError, OutOfRangeError
from .ids import U32_MAX, U64_MAX, Direction, Slot, require_range
from .time import MonthBounds
from .units import MAX_READING_WH, WORD

__all__ = [
    "PRID_SIZE",
    "BitmapError",
    "ByteLengthError",
    "Half",
    "Halves",
    "Secret",
    "SignSeeds",
    "ViewSeeds",
    "bitmap_of",
    "halves",
    "identities",
    "identity",
    "is_marked",
    "join_bitmaps",
    "leaf_at",
    "leaves_between",
    "live_set_hash",
    "marked",
    "mask",
    "masks",
    "month_seed",
    "next_chain_key",
    "one_time_key",
    "positions_in",
    "reading",
    "receipt_hash",
    "record_hash",
    "record_hasher",
    "require_bitmap",
    "roster",
    "roster_leaf",
    "sign_seeds",
    "signer",
    "split",
    "view_seeds",
]

PRID_SIZE: Final = secp256k1.POINT_SIZE
_WORD_SIZE: Final = 8

_RECORD: Final = Tag("gridproof/record/v1")
_ROSTER_LEAF: Final = Tag("gridproof/roster-leaf/v1")
_ONE_TIME_KEY: Final = Tag("gridproof/one-time-key/v1")
_MASK: Final = Tag("gridproof/mask/v1")
_SPLIT: Final = Tag("gridproof/split/v1")
_RECEIPT: Final = Tag("gridproof/receipt/v1")
_LIVE_SET: Final = Tag("gridproof/live-set/v1")
_MONTH_SEED: Final = b"gridproof/month-seed/v1"
_NEXT_CHAIN_KEY: Final = b"gridproof/next-chain-key/v1"


class BitmapError(DomainError):
    """A bitmap is not the one of its roster: wrong length, a padding bit set, or a place twice. Build it again."""

    count: int
    detail: str


class ByteLengthError(DomainError):
    """A value of fixed width has another length; nothing was computed from it. Check what was passed."""

    what: str
    size: int
    expected: int


class Secret(IntEnum):
    """Which of a meter's two secrets."""

    SIGN = 1
    VIEW = 2


class Half(IntEnum):
    """Which of a reading's two halves."""

    FIRST = 1
    SECOND = 2


class _Hidden(NamedTuple):
    first: bytes
    second: bytes


class SignSeeds(_Hidden):
    """A month's seeds of the one-time keys on one channel, one a half; their text form is hidden."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SignSeeds(hidden)"


class ViewSeeds(_Hidden):
    """A month's seeds of the masks on one channel, one a half; the second gives the split as well. Hidden too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ViewSeeds(hidden)"


class Halves(NamedTuple):
    """What a meter hands out for one reading: two integers modulo 2**64."""

    first: int
    second: int


# Keys of a month


def month_seed(chain_key: bytes, secret: Secret, half: Half, channel: Direction) -> bytes:
    """The seed of a month's key tree.

    Args:
        chain_key: the secret's chain key of that month, 32 bytes.
        secret: sign or view.
        half: first or second.
        channel: import or export.

    Raises:
        ByteLengthError: the chain key is not 32 bytes.

    Source: private-metering.md, row 11.
    """
    _require_size("chain_key", chain_key, HASH_SIZE)
    return hkdf(chain_key, _MONTH_SEED + bytes((secret, half, channel)))


def next_chain_key(chain_key: bytes, secret: Secret) -> bytes:
    """The chain key of the month after; the old one is erased, and cannot be had back from the new.

    Raises:
        ByteLengthError: the chain key is not 32 bytes.
    """
    _require_size("chain_key", chain_key, HASH_SIZE)
    return hkdf(chain_key, _NEXT_CHAIN_KEY + bytes((secret,)))


def sign_seeds(chain_key: bytes, channel: Direction) -> SignSeeds:
    """Both seeds of a month's one-time keys.

    Raises:
        ByteLengthError: the chain key is not 32 bytes.
    """
    return SignSeeds(*(month_seed(chain_key, Secret.SIGN, half, channel) for half in Half))


def view_seeds(chain_key: bytes, channel: Direction) -> ViewSeeds:
    """Both seeds of a month's masks.

    Raises:
        ByteLengthError: the chain key is not 32 bytes.
    """
    return ViewSeeds(*(month_seed(chain_key, Secret.VIEW, half, channel) for half in Half))


# Leaves


def leaf_at(seed: bytes, bounds: MonthBounds, k: int) -> bytes:
    """The leaf of period k under a month's seed.

    Raises:
        OutOfRangeError: k lies outside the month.
        ByteLengthError: the seed is not 32 bytes.
    """
    _require_size("seed", seed, ggm.SEED_SIZE)
    return ggm.leaf(seed, bounds.depth, bounds.leaf_index(k))


def leaves_between(seed: bytes, bounds: MonthBounds, start_k: int, stop_k: int) -> Iterable[bytes]:
    """The leaves of the periods start_k .. stop_k - 1; much cheaper than one by one.

    Raises:
        OutOfRangeError: the range does not lie in the month.
        ByteLengthError: the seed is not 32 bytes.
    """
    _require_size("seed", seed, ggm.SEED_SIZE)
    require_range("start_k", start_k, bounds.first_k, bounds.end_k)
    require_range("stop_k", stop_k, start_k, bounds.end_k)
    return ggm.leaves(seed, bounds.depth, start_k - bounds.first_k, stop_k - bounds.first_k)


def one_time_key(leaf: bytes) -> bytes:
    """H2: the secret key that a leaf of a sign seed gives, 32 bytes, always a scalar.

    Source: seed 002, filter generation phase; the counter answers the chance of 2**-128 that a hash is no scalar.
    """
    key = _ONE_TIME_KEY(leaf, b"\x00")
    counter = 0
    while not secp256k1.is_scalar(key):
        counter += 1
        key = _ONE_TIME_KEY(leaf, counter.to_bytes(1, "big"))
    return key


def mask(leaf: bytes) -> int:
    """The mask that a leaf of a view seed gives, uniform modulo 2**64."""
    return int.from_bytes(_MASK(leaf)[:_WORD_SIZE], "big")


def split(leaf: bytes) -> int:
    """The first half c' of a reading, uniform modulo 2**64, from the second view leaf.

    Its tag is not the mask's: with a shared derivation c' would equal the second mask, and rc'' would be c itself.
    """
    return int.from_bytes(_SPLIT(leaf)[:_WORD_SIZE], "big")


# Identities


def identity(seed: bytes, bounds: MonthBounds, k: int) -> bytes:
    """The one-time identity (PRID) of period k under a sign seed: x-only, 32 bytes.

    Raises:
        OutOfRangeError: k lies outside the month.
        ByteLengthError: the seed is not 32 bytes.
    """
    return secp256k1.x_only(one_time_key(leaf_at(seed, bounds, k)))


def identities(seed: bytes, bounds: MonthBounds, start_k: int, stop_k: int) -> list[bytes]:
    """The one-time identities of the periods start_k .. stop_k - 1.

    Raises:
        OutOfRangeError: the range does not lie in the month.
        ByteLengthError: the seed is not 32 bytes.
    """
    return secp256k1.x_only_all(map(one_time_key, leaves_between(seed, bounds, start_k, stop_k)))


def signer(seed: bytes, bounds: MonthBounds, k: int) -> Signer:
    """What signs the record of period k; its `public_key` is the period's identity, at no further cost.

    Raises:
        OutOfRangeError: k lies outside the month.
        ByteLengthError: the seed is not 32 bytes.
    """
    return Signer(one_time_key(leaf_at(seed, bounds, k)))


def masks(seed: bytes, bounds: MonthBounds, start_k: int, stop_k: int) -> list[int]:
    """The masks of the periods start_k .. stop_k - 1 under a view seed.

    Raises:
        OutOfRangeError: the range does not lie in the month.
        ByteLengthError: the seed is not 32 bytes.
    """
    return [mask(leaf) for leaf in leaves_between(seed, bounds, start_k, stop_k)]


def roster_leaf(prid: bytes) -> bytes:
    """The data of an identity's leaf in its slot's roster; RFC 6962's prefix comes on top.

    Raises:
        ByteLengthError: the identity is not 32 bytes.
    """
    _require_size("prid", prid, PRID_SIZE)
    return _ROSTER_LEAF(prid)


def roster(prids: Iterable[bytes]) -> list[bytes]:
    """The data of a roster's leaves, strictly ascending.

    Args:
        prids: identities of the slot's places, spare ones included, each once.

    Raises:
        ByteLengthError: an identity is not 32 bytes.
        BitmapError: an identity comes twice.
    """
    leaves = sorted(map(roster_leaf, prids))
    if any(before == after for before, after in pairwise(leaves)):
        raise BitmapError(count=len(leaves), detail="an identity comes twice")
    return leaves


# Halves of a reading


def halves(reading_wh: int, first_leaf: bytes, second_leaf: bytes) -> Halves:
    """Split a reading and mask both halves: c'' = c - c', rc' = c' + mask', rc'' = c'' + mask'', modulo 2**64.

    Args:
        reading_wh: what the meter read in the period, Wh, below 2**32.
        first_leaf: the period's leaf of the first view seed.
        second_leaf: the period's leaf of the second view seed; it gives c' too.

    Raises:
        OutOfRangeError: the reading is negative or beyond any household's meter.
    """
    require_range("reading_wh", reading_wh, 0, MAX_READING_WH - 1)
    part = split(second_leaf)
    return Halves((part + mask(first_leaf)) % WORD, (reading_wh - part + mask(second_leaf)) % WORD)


def reading(record: Halves, first_leaf: bytes, second_leaf: bytes) -> int:
    """Take the masks off again: the reading, modulo 2**64; absurd where the halves do not belong together.

    Args:
        record: rc' and rc''.
        first_leaf: the period's leaf of the first view seed.
        second_leaf: the period's leaf of the second view seed.
    """
    return (record.first + record.second - mask(first_leaf) - mask(second_leaf)) % WORD


# What is signed


def record_hasher(chain_id: str, slot: Slot) -> Callable[[bytes, int], bytes]:
    """Make the function (identity, rc) -> hash that its owner signs, for all records of a slot.

    Args:
        chain_id: of the ledger.
        slot: region, channel and period.

    Raises:
        OutOfRangeError: a part of the slot does not fit its width, or the chain's id has over 255 bytes.

    Source: private-metering.md, row 8: chain, region, channel, k, PRID and rc are all signed.
    """
    head = _chain(chain_id) + slot.to_bytes()

    def record(prid: bytes, rc: int) -> bytes:
        _require_size("prid", prid, PRID_SIZE)
        return _RECORD(head, prid, _u64("rc", rc))

    return record


def record_hash(chain_id: str, slot: Slot, prid: bytes, rc: int) -> bytes:
    """What the owner of a one-time identity signs.

    Args:
        chain_id: of the ledger.
        slot: region, channel and period.
        prid: the identity, x-only, 32 bytes.
        rc: the masked half, modulo 2**64.

    Raises:
        OutOfRangeError: a part does not fit its width.
        ByteLengthError: the identity is not 32 bytes.
    """
    return record_hasher(chain_id, slot)(prid, rc)


def receipt_hash(chain_id: str, slot: Slot, prid: bytes, record: bytes, aggregator: int) -> bytes:
    """What a data aggregator signs when it takes a record.

    Args:
        chain_id: of the ledger.
        slot: region, channel and period.
        prid: the record's identity, 32 bytes.
        record: the record's hash, 32 bytes.
        aggregator: participant id, u32.

    Raises:
        OutOfRangeError: a part does not fit its width.
        ByteLengthError: the identity or the hash is not 32 bytes.
    """
    _require_size("prid", prid, PRID_SIZE)
    _require_size("record", record, HASH_SIZE)
    require_range("aggregator", aggregator, 0, U32_MAX)
    return _RECEIPT(_chain(chain_id), slot.to_bytes(), prid, record, aggregator.to_bytes(4, "big"))


def live_set_hash(slot: Slot, bitmap: bytes) -> bytes:
    """Name a slot's live set: the masks opened for it fit no other.

    Args:
        slot: region, channel and period.
        bitmap: of the live places over the slot's roster.

    Raises:
        OutOfRangeError: a part of the slot does not fit its width.
    """
    return _LIVE_SET(slot.to_bytes(), len(bitmap).to_bytes(4, "big"), bitmap)


# Bitmaps over a roster: position 0 is the highest bit of the first byte; bits after the last position are zero


def bitmap_of(count: int, positions: Iterable[int]) -> bytes:
    """Mark positions of a roster.

    Args:
        count: number of the roster's leaves.
        positions: each once, in any order, below `count`.

    Raises:
        BitmapError: a position is outside or comes twice.
    """
    marks = bytearray((count + 7) // 8)
    for position in positions:
        if not 0 <= position < count:
            raise BitmapError(count=count, detail=f"position {position} is outside")
        bit = 0x80 >> (position & 7)
        if marks[position >> 3] & bit:
            raise BitmapError(count=count, detail=f"position {position} comes twice")
        marks[position >> 3] |= bit
    return bytes(marks)


def require_bitmap(bitmap: bytes, count: int) -> None:
    """Return if the bytes are a bitmap over `count` leaves.

    Raises:
        BitmapError: the length is another, or a bit after the last position is set.
    """
    if not has_size(bitmap, (count + 7) // 8):
        raise BitmapError(count=count, detail="its length is not that of the roster")
    if count % 8 and bitmap[-1] & 0xFF >> count % 8:
        raise BitmapError(count=count, detail="a bit after the last position is set")


def positions_in(bitmap: bytes, count: int) -> tuple[int, ...]:
    """The positions that a bitmap marks, ascending.

    Raises:
        BitmapError: it is no bitmap over `count` leaves.
    """
    require_bitmap(bitmap, count)
    digits = f"{int.from_bytes(bitmap, 'big'):0{8 * len(bitmap)}b}"
    return tuple(position for position, digit in enumerate(digits[:count]) if digit == "1")


def marked(bitmap: bytes) -> int:
    """How many positions a bitmap marks."""
    return int.from_bytes(bitmap, "big").bit_count()


def is_marked(bitmap: bytes, position: int) -> bool:
    """Whether a bitmap marks a position; False outside."""
    return 0 <= position < 8 * len(bitmap) and bool(bitmap[position >> 3] & 0x80 >> (position & 7))


def join_bitmaps(bitmaps: Sequence[bytes], count: int) -> bytes:
    """Mark what any of the bitmaps marks.

    Raises:
        BitmapError: one of them is no bitmap over `count` leaves.
    """
    joined = 0
    for bitmap in bitmaps:
        require_bitmap(bitmap, count)
        joined |= int.from_bytes(bitmap, "big")
    return joined.to_bytes((count + 7) // 8, "big")


def _chain(chain_id: str) -> bytes:
    try:
        raw = chain_id.encode()
    except UnicodeEncodeError:
        raw = b""  # no valid text: refused as an empty one is
    require_range("length of chain_id", len(raw), 1, 255)
    return len(raw).to_bytes(1, "big") + raw


def _u64(what: str, value: int) -> bytes:
    try:
        return value.to_bytes(_WORD_SIZE, "big")
    except OverflowError as fault:
        raise OutOfRangeError(what=what, value=value, low=0, high=U64_MAX) from fault


def _require_size(what: str, value: bytes, size: int) -> None:
    if not has_size(value, size):
        raise ByteLengthError(what=what, size=size_of(value), expected=size)
