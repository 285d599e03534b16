"""Scheme P's arithmetic, rule by rule; each with the paper's pitfall where it names one."""

import hashlib
from typing import Any

import pytest

from gridproof import domain
from gridproof.domain import metering
from gridproof.domain.errors import OutOfRangeError
from gridproof.domain.ids import Direction, RegionId, Slot
from gridproof.domain.metering import BitmapError, ByteLengthError, Half, Halves, Secret
from gridproof.domain.time import MonthBounds, month_id
from gridproof.domain.units import MAX_READING_WH, WORD
from gridproof.primitives import merkle, schnorr, secp256k1
from gridproof.primitives.hashing import tagged_hash
from gridproof.primitives.hkdf import hkdf

CHAIN_KEY = bytes(range(32))
BOUNDS = MonthBounds(month_id(2025, 10), 1_759_269_600, 1_759_269_600 + 86_400, 900)
SIGN = metering.sign_seeds(CHAIN_KEY, Direction.IMPORT)
VIEW = metering.view_seeds(CHAIN_KEY, Direction.IMPORT)
SLOT = Slot(RegionId(7), Direction.IMPORT, BOUNDS.first_k + 3)
PRID = metering.identity(SIGN.first, BOUNDS, SLOT.k)


def test_every_name_of_the_module_is_offered_by_the_package() -> None:
    for name in metering.__all__:
        assert getattr(domain, name) is getattr(metering, name)
        assert name in domain.__all__


# Keys of a month


def test_seeds_differ_by_secret_half_and_channel() -> None:
    seeds = {
        metering.month_seed(CHAIN_KEY, secret, half, channel)
        for secret in Secret
        for half in Half
        for channel in Direction
    }
    seeds |= {metering.next_chain_key(CHAIN_KEY, secret) for secret in Secret}
    assert len(seeds) == 10
    assert (
        metering.month_seed(CHAIN_KEY, Secret.SIGN, Half.FIRST, Direction.IMPORT),
        metering.month_seed(CHAIN_KEY, Secret.SIGN, Half.SECOND, Direction.IMPORT),
    ) == SIGN
    assert metering.view_seeds(CHAIN_KEY, Direction.EXPORT).second == metering.month_seed(
        CHAIN_KEY, Secret.VIEW, Half.SECOND, Direction.EXPORT
    )


def test_months_are_linked_by_a_chain_that_goes_one_way() -> None:
    following = metering.next_chain_key(CHAIN_KEY, Secret.SIGN)
    assert following == hkdf(CHAIN_KEY, b"gridproof/next-chain-key/v1\x01")
    assert metering.sign_seeds(following, Direction.IMPORT) != SIGN


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), "0" * 32, None])
def test_a_chain_key_of_another_length_is_refused(key: Any) -> None:
    for use in (
        lambda: metering.month_seed(key, Secret.SIGN, Half.FIRST, Direction.IMPORT),
        lambda: metering.next_chain_key(key, Secret.VIEW),
        lambda: metering.sign_seeds(key, Direction.IMPORT),
        lambda: metering.view_seeds(key, Direction.IMPORT),
    ):
        with pytest.raises(ByteLengthError) as refusal:
            use()
        assert (refusal.value.what, refusal.value.expected) == ("chain_key", 32)


def test_seeds_show_nothing() -> None:
    for seeds in (SIGN, VIEW):
        for shown in (repr(seeds), str(seeds), f"{[seeds]}"):
            assert "hidden" in shown
            assert seeds.first.hex() not in shown
            assert repr(seeds.first) not in shown


# Leaves and identities


def test_a_range_of_identities_equals_them_one_by_one() -> None:
    some = metering.identities(SIGN.first, BOUNDS, BOUNDS.first_k + 2, BOUNDS.first_k + 9)
    assert some == [metering.identity(SIGN.first, BOUNDS, BOUNDS.first_k + n) for n in range(2, 9)]
    assert metering.identities(SIGN.first, BOUNDS, BOUNDS.end_k, BOUNDS.end_k) == []


def test_a_range_of_masks_equals_them_one_by_one() -> None:
    some = metering.masks(VIEW.first, BOUNDS, BOUNDS.first_k, BOUNDS.end_k)
    assert some == [metering.mask(metering.leaf_at(VIEW.first, BOUNDS, k)) for k in range(BOUNDS.first_k, BOUNDS.end_k)]
    assert all(0 <= mask < WORD for mask in some)
    assert len(set(some)) == BOUNDS.periods


def test_the_signer_of_a_period_has_the_periods_identity() -> None:
    signer = metering.signer(SIGN.first, BOUNDS, SLOT.k)
    assert signer.public_key == PRID
    key = metering.one_time_key(metering.leaf_at(SIGN.first, BOUNDS, SLOT.k))
    assert secp256k1.x_only(key) == PRID
    assert key.hex() not in repr(signer)


@pytest.mark.parametrize("k", [BOUNDS.first_k - 1, BOUNDS.end_k])
def test_a_period_outside_the_month_has_no_leaf(k: int) -> None:
    for use in (metering.leaf_at, metering.identity, metering.signer):
        with pytest.raises(OutOfRangeError):
            use(SIGN.first, BOUNDS, k)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(BOUNDS.first_k - 1, BOUNDS.end_k), (BOUNDS.first_k, BOUNDS.end_k + 1), (BOUNDS.end_k, BOUNDS.first_k)],
)
def test_a_range_outside_the_month_is_refused(start: int, stop: int) -> None:
    for use in (metering.leaves_between, metering.identities, metering.masks):
        with pytest.raises(OutOfRangeError):
            use(SIGN.first, BOUNDS, start, stop)


@pytest.mark.parametrize("seed", [b"", bytes(31), "0" * 32])
def test_a_seed_of_another_length_is_refused(seed: Any) -> None:
    for use in (
        lambda: metering.leaf_at(seed, BOUNDS, BOUNDS.first_k),
        lambda: metering.leaves_between(seed, BOUNDS, BOUNDS.first_k, BOUNDS.end_k),
    ):
        with pytest.raises(ByteLengthError) as refusal:
            use()
        assert refusal.value.what == "seed"


def test_h2_hashes_again_where_a_hash_is_no_scalar(monkeypatch: pytest.MonkeyPatch) -> None:
    order = secp256k1.ORDER.to_bytes(32, "big")
    answers = {b"\x00": bytes(32), b"\x01": order, b"\x02": b"\x05" * 32}
    monkeypatch.setattr(metering, "_ONE_TIME_KEY", lambda leaf, counter: answers[counter])
    assert metering.one_time_key(b"leaf") == b"\x05" * 32


def test_the_split_does_not_share_the_masks_derivation() -> None:
    """Sharing it, c' equals mask'' and rc'' = c - c' + mask'' is the reading in clear."""
    first, second = (metering.leaf_at(seed, BOUNDS, SLOT.k) for seed in VIEW)
    assert metering.split(second) != metering.mask(second)
    shared = metering.mask(second)
    assert (1_234 - shared + metering.mask(second)) % WORD == 1_234  # the pitfall
    assert 1_234 not in metering.halves(1_234, first, second)


# Halves


@pytest.mark.parametrize("reading_wh", [0, 1, 1_234, MAX_READING_WH - 1])
def test_the_halves_less_their_masks_are_the_reading(reading_wh: int) -> None:
    first, second = (metering.leaf_at(seed, BOUNDS, SLOT.k) for seed in VIEW)
    record = metering.halves(reading_wh, first, second)
    assert all(0 <= half < WORD for half in record)
    assert metering.reading(record, first, second) == reading_wh
    assert (record.first - metering.mask(first)) % WORD == metering.split(second)
    masks = metering.mask(first) + metering.mask(second)
    assert (sum(record) - masks) % WORD == reading_wh


def test_halves_of_other_periods_give_an_absurd_reading() -> None:
    first, second = (metering.leaf_at(seed, BOUNDS, SLOT.k) for seed in VIEW)
    other = metering.leaf_at(VIEW.second, BOUNDS, SLOT.k + 1)
    record = metering.halves(1_234, first, second)
    assert metering.reading(record, first, other) >= 2**40
    assert metering.reading(Halves(record.first, 0), first, second) >= 2**40


@pytest.mark.parametrize("reading_wh", [-1, MAX_READING_WH])
def test_a_reading_that_no_meter_gives_is_refused(reading_wh: int) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        metering.halves(reading_wh, bytes(32), bytes(32))
    assert refusal.value.what == "reading_wh"


# What is signed


def test_a_records_hash_is_laid_out_as_documented() -> None:
    parts = b"\x04demo" + SLOT.to_bytes() + PRID + (5).to_bytes(8, "big")
    tag = hashlib.sha256(b"gridproof/record/v1").digest()
    assert metering.record_hash("demo", SLOT, PRID, 5) == hashlib.sha256(tag + tag + parts).digest()
    assert metering.record_hasher("demo", SLOT)(PRID, 5) == metering.record_hash("demo", SLOT, PRID, 5)


def test_a_record_is_bound_to_chain_region_channel_period_identity_and_value() -> None:
    """The paper signs (rc, ts) only: a record then serves in another region, period or month."""
    other = metering.identity(SIGN.second, BOUNDS, SLOT.k)
    hashes = {
        metering.record_hash(chain, slot, prid, rc)
        for chain in ("demo", "demo2")
        for slot in (
            SLOT,
            SLOT._replace(region=RegionId(8)),
            SLOT._replace(channel=Direction.EXPORT),
            SLOT._replace(k=SLOT.k + 1),
        )
        for prid in (PRID, other)
        for rc in (5, 6)
    }
    assert len(hashes) == 32


def test_a_signed_record_verifies_and_its_twin_on_another_slot_does_not() -> None:
    signer = metering.signer(SIGN.first, BOUNDS, SLOT.k)
    signature = signer.sign(metering.record_hash("demo", SLOT, PRID, 5))
    schnorr.verify(PRID, metering.record_hash("demo", SLOT, PRID, 5), signature)
    moved = metering.record_hash("demo", SLOT._replace(region=RegionId(8)), PRID, 5)
    assert not schnorr.is_valid(PRID, moved, signature)


def test_identities_are_x_only_so_that_a_key_has_one_name() -> None:
    """With 33 bytes both 02|x and 03|x verify the same signature: one record would count twice."""
    key = metering.one_time_key(metering.leaf_at(SIGN.first, BOUNDS, SLOT.k))
    twins = [bytes((form,)) + secp256k1.x_only(key) for form in (2, 3)]
    assert all(secp256k1.parse_point(twin) == twin for twin in twins)  # positive control: both are points
    for twin in twins:
        with pytest.raises(ByteLengthError) as refusal:
            metering.roster_leaf(twin)
        assert refusal.value.particulars == {"what": "prid", "size": 33, "expected": 32}
        with pytest.raises(ByteLengthError):
            metering.record_hash("demo", SLOT, twin, 5)


def test_a_receipt_names_chain_slot_record_and_aggregator() -> None:
    record = metering.record_hash("demo", SLOT, PRID, 5)
    receipt = metering.receipt_hash("demo", SLOT, PRID, record, 4)
    expected = tagged_hash("gridproof/receipt/v1", b"\x04demo", SLOT.to_bytes(), PRID, record, (4).to_bytes(4, "big"))
    assert receipt == expected
    assert receipt != metering.receipt_hash("demo", SLOT, PRID, record, 5)


@pytest.mark.parametrize(("value", "what"), [(-1, "rc"), (WORD, "rc")])
def test_a_masked_half_beyond_the_word_is_refused(value: int, what: str) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        metering.record_hash("demo", SLOT, PRID, value)
    assert (refusal.value.what, refusal.value.value) == (what, value)


def test_receipts_of_bad_parts_are_refused() -> None:
    record = metering.record_hash("demo", SLOT, PRID, 5)
    for aggregator in (-1, 2**32):
        with pytest.raises(OutOfRangeError):
            metering.receipt_hash("demo", SLOT, PRID, record, aggregator)
    with pytest.raises(ByteLengthError):
        metering.receipt_hash("demo", SLOT, PRID[1:], record, 4)
    with pytest.raises(ByteLengthError):
        metering.receipt_hash("demo", SLOT, PRID, record + b"\x00", 4)


@pytest.mark.parametrize("chain_id", ["", "x" * 256, "ö" * 128, "\ud800"])
def test_a_chains_name_of_another_length_is_refused(chain_id: str) -> None:
    with pytest.raises(OutOfRangeError):
        metering.record_hash(chain_id, SLOT, PRID, 5)


def test_a_live_set_is_named_by_slot_and_bitmap() -> None:
    names = {
        metering.live_set_hash(slot, bitmap)
        for slot in (SLOT, SLOT._replace(k=SLOT.k + 1))
        for bitmap in (b"", b"\x00", b"\x80", b"\x80\x00")
    }
    assert len(names) == 8


# Rosters


def test_a_roster_ascends_strictly_and_proves_its_leaves() -> None:
    prids = metering.identities(SIGN.first, BOUNDS, BOUNDS.first_k, BOUNDS.first_k + 9)
    leaves = metering.roster(prids)
    assert leaves == sorted(metering.roster_leaf(prid) for prid in prids)
    assert metering.roster(reversed(prids)) == leaves
    position = leaves.index(metering.roster_leaf(PRID))
    merkle.verify_inclusion(
        merkle.root(leaves), 9, position, leaves[position], merkle.inclusion_proof(leaves, position)
    )
    assert metering.roster([]) == []


def test_a_roster_with_an_identity_twice_is_refused() -> None:
    with pytest.raises(BitmapError):
        metering.roster([PRID, bytes(32), PRID])


# Bitmaps


def test_the_first_position_is_the_highest_bit() -> None:
    assert metering.bitmap_of(13, [0, 7, 8, 12]) == bytes((0b1000_0001, 0b1000_1000))
    assert metering.positions_in(bytes((0b1000_0001, 0b1000_1000)), 13) == (0, 7, 8, 12)
    assert metering.bitmap_of(0, []) == b""
    assert metering.positions_in(b"", 0) == ()


@pytest.mark.parametrize("positions", [[-1], [13], [1, 1], [3, 2, 3]])
def test_a_position_outside_or_twice_is_refused(positions: list[int]) -> None:
    with pytest.raises(BitmapError) as refusal:
        metering.bitmap_of(13, positions)
    assert refusal.value.count == 13


@pytest.mark.parametrize(
    "bitmap", [b"", b"\x00", bytes(3), b"\x00\x04", b"\x00\x01", b"\xff\xff", "00", None, bytearray(2)]
)
def test_another_length_or_a_padding_bit_is_refused(bitmap: Any) -> None:
    for use in (
        metering.require_bitmap,
        metering.positions_in,
        lambda bitmap, count: metering.join_bitmaps([bitmap], count),
    ):
        with pytest.raises(BitmapError) as refusal:
            use(bitmap, 13)
        assert refusal.value.count == 13
    metering.require_bitmap(b"\xff\xf8", 13)


def test_joined_bitmaps_mark_what_any_marks() -> None:
    one, other = metering.bitmap_of(13, [0, 5]), metering.bitmap_of(13, [5, 12])
    joined = metering.join_bitmaps([one, other], 13)
    assert metering.positions_in(joined, 13) == (0, 5, 12)
    assert metering.join_bitmaps([], 13) == bytes(2)
    assert metering.marked(joined) == 3
    assert [position for position in range(-2, 20) if metering.is_marked(joined, position)] == [0, 5, 12]
