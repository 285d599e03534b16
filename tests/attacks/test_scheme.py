"""Rows of the protocol page that the arithmetic alone answers: the paper's way is broken, ours is not.

Every test first lets its attacker win against the paper's model (its positive control), then meets ours with the same.
"""

from hashlib import sha256
from random import Random

import numpy as np
import pytest
from coincurve import PrivateKey, PublicKey

from gridproof.domain import Direction, MonthBounds, MonthId, RegionId, Slot, metering
from gridproof.domain.metering import Half, Halves, Secret
from gridproof.primitives import merkle, schnorr
from gridproof.primitives.bloom import BloomFilter
from gridproof.primitives.errors import InvalidProofError

from . import paper

PERIOD_S = 900
START_K = 1_958_000
BOUNDS = MonthBounds(MonthId(2025 * 12 + 9), START_K * PERIOD_S, (START_K + 96) * PERIOD_S, PERIOD_S)
SLOT = Slot(RegionId(1), Direction.IMPORT, START_K)
WORD = 2**64


def seed(*parts: object) -> bytes:
    return sha256(repr(parts).encode()).digest()


def view(meter: int) -> metering.ViewSeeds:
    return metering.view_seeds(seed("view", meter), Direction.IMPORT)


def our_halves(meter: int, k: int, reading_wh: int) -> Halves:
    first, second = (metering.leaf_at(each, BOUNDS, k) for each in view(meter))
    return metering.halves(reading_wh, first, second)


# Row 1 --------------------------------------------------------------------------------------------------------------


def test_row1_two_published_mask_sums_give_the_victims_reading_in_the_paper() -> None:
    chance = Random(1)
    meters = [paper.PaperMeter(chance, 1) for _ in range(5)]
    readings = [chance.randint(0, 4000) for _ in meters]
    records = [meter.records(0, wh, 7) for meter, wh in zip(meters, readings, strict=True)]
    in_advance = paper.mask_sum(meters, 0)
    # The aggregator withholds the victim's two records; the bill provider corrects the sum for the rest.
    corrected = paper.mask_sum(meters[1:], 0)
    victim_mask = in_advance - corrected
    assert records[0][0].rc + records[0][1].rc - victim_mask == readings[0]


# Rows 2 and 3 -------------------------------------------------------------------------------------------------------


def _advantage(twins: np.ndarray, strangers: np.ndarray) -> float:
    """TPR - FPR of the best threshold on |sum of two halves|, fitted on one half of the games, taken on the other."""
    middle = len(twins) // 2
    thresholds = np.quantile(np.concatenate([twins[:middle], strangers[:middle]]), np.linspace(0, 1, 401))
    fitted = max(thresholds, key=lambda t: float((twins[:middle] <= t).mean() - (strangers[:middle] <= t).mean()))
    return float((twins[middle:] <= fitted).mean() - (strangers[middle:] <= fitted).mean())


def test_row2_halves_with_integer_masks_find_each_other_and_halves_modulo_a_word_do_not() -> None:
    games = 200_000
    chance = np.random.default_rng(2)

    def paper_halves(n: int) -> tuple[np.ndarray, np.ndarray]:
        part, mask, other = (chance.integers(paper.LOW, paper.HIGH, n) for _ in range(3))
        return part + mask, chance.integers(0, 4000, n) - part + other

    first, second = paper_halves(games)
    stranger, _ = paper_halves(games)
    paper_advantage = _advantage(np.abs(first + second), np.abs(stranger + second))
    assert paper_advantage == pytest.approx(0.167, abs=0.02)

    # Ours: masks from the key tree; the sums are taken modulo 2**64 and read as signed numbers.
    masks = np.frombuffer(seed_stream(games * 3 * 8), dtype=np.uint64).reshape(3, games)
    part, mask, other = masks
    reading = chance.integers(0, 4000, games).astype(np.uint64)
    ours_first, ours_second = part + mask, reading - part + other
    sums = np.abs((ours_first + ours_second).view(np.int64).astype(np.float64))
    strangers = np.abs((np.roll(ours_first, 1) + ours_second).view(np.int64).astype(np.float64))
    assert abs(_advantage(sums, strangers)) < 0.03


def seed_stream(size: int) -> bytes:
    """Masks as the scheme draws them are tagged hashes of pseudo-random leaves: a long hash stands for many of them."""
    from hashlib import shake_256

    return shake_256(b"masks").digest(size)


def test_row3_each_half_alone_is_uniform_whatever_the_reading() -> None:
    low = [our_halves(meter, START_K + k, 0).first for meter in range(20) for k in range(96)]
    high = [our_halves(meter, START_K + k, 4_000).second for meter in range(20) for k in range(96)]
    for values in (low, high):
        buckets = np.bincount([value >> 60 for value in values], minlength=16)
        expected = len(values) / 16
        assert float(((buckets - expected) ** 2 / expected).sum()) < 45  # chi square, 15 degrees: 1 in 10,000


def test_the_two_halves_of_a_reading_share_no_derivation() -> None:
    """With c' drawn as the second mask is, rc'' would be the reading itself."""
    leaf = metering.leaf_at(view(0).second, BOUNDS, START_K)
    careless_part = metering.mask(leaf)
    assert (1234 - careless_part + metering.mask(leaf)) % WORD == 1234  # the control: the reading in the clear
    assert metering.split(leaf) != metering.mask(leaf)
    assert our_halves(0, START_K, 1234).second != 1234


# Row 4 --------------------------------------------------------------------------------------------------------------


def test_row4_a_filter_lets_a_forged_identity_through_and_a_roster_does_not() -> None:
    one_in = 256
    members = [metering.identity(seed("sign", i), BOUNDS, START_K) for i in range(60)]
    bloom = BloomFilter.sized(len(members), one_in)
    bloom.update(members)
    tries = 0
    forged = None
    while forged is None:
        tries += 1
        candidate = schnorr.Signer(seed("forger", tries))
        forged = candidate if candidate.public_key in bloom else None
        assert tries < 40 * one_in
    # It passes the paper's whole test: in the filter, and well signed.
    message = paper.signed_bytes(10**6, 7)
    assert schnorr.is_valid(forged.public_key, message, forged.sign(message))

    leaves = metering.roster(members)
    root, count = merkle.root(leaves), len(leaves)
    forged_leaf = metering.roster_leaf(forged.public_key)
    for position in range(count):
        others = merkle.multi_proof(leaves, [position])
        with pytest.raises(InvalidProofError):
            merkle.verify_multi(root, count, [position], [forged_leaf], others)


# Row 5 --------------------------------------------------------------------------------------------------------------


def test_row5_two_chosen_keys_keep_the_product_and_leave_the_roster() -> None:
    chance = Random(5)
    meters = [paper.PaperMeter(chance, 1) for _ in range(4)]
    honest = [identity for meter in meters for identity in meter.identities(0)]
    victim = honest[:2]
    chosen = PrivateKey(seed("chosen"))
    minus = PublicKey(_negated(chosen.public_key.format()))
    completing = PublicKey.combine_keys([PublicKey(victim[0]), PublicKey(victim[1]), minus]).format()
    replaced = [chosen.public_key.format(), completing, *honest[2:]]
    assert paper.product(replaced) == paper.product(honest)  # BF2 cannot tell

    leaves = metering.roster(identity[1:] for identity in honest)
    with pytest.raises(InvalidProofError):
        merkle.verify_multi(
            merkle.root(leaves), len(leaves), list(range(len(leaves))), metering.roster(i[1:] for i in replaced), ()
        )


def _negated(point: bytes) -> bytes:
    return bytes((point[0] ^ 1,)) + point[1:]


# Row 7 --------------------------------------------------------------------------------------------------------------


def test_row7_double_hashing_on_a_small_filter_is_far_worse_than_its_name_and_ours_is_not() -> None:
    members, nominal_one_in, probes = 6, 10**6, 60_000
    ours = BloomFilter.sized(members, nominal_one_in)
    careless = paper.DoubleHashed(ours.bits, ours.hashes)
    wrong_careless = wrong_ours = 0
    for filter_seed in range(4):
        ours = BloomFilter.sized(members, nominal_one_in)
        careless = paper.DoubleHashed(ours.bits, ours.hashes)
        for i in range(members):
            ours.add(seed("member", filter_seed, i))
            careless.add(seed("member", filter_seed, i))
        stranger = seed("strangers", filter_seed)
        for i in range(probes):
            probe = sha256(stranger + i.to_bytes(4, "big")).digest()
            wrong_careless += probe in careless
            wrong_ours += probe in ours
    assert wrong_careless / (4 * probes) > 30 / nominal_one_in
    assert wrong_ours <= 3


# Row 8 --------------------------------------------------------------------------------------------------------------


def test_row8_a_signature_counts_for_one_chain_region_channel_period_and_identity() -> None:
    chance = Random(8)
    first, _ = paper.PaperMeter(chance, 1).records(0, 500, 7)
    assert paper.is_signed(first)  # the same bytes pass in any region, period or month: nothing in them says where

    signer = metering.signer(seed("sign", 0), BOUNDS, START_K)
    signature = signer.sign(metering.record_hash("home", SLOT, signer.public_key, 5))
    assert schnorr.is_valid(signer.public_key, metering.record_hash("home", SLOT, signer.public_key, 5), signature)
    elsewhere = [
        ("other", SLOT, signer.public_key, 5),
        ("home", SLOT._replace(region=RegionId(2)), signer.public_key, 5),
        ("home", SLOT._replace(channel=Direction.EXPORT), signer.public_key, 5),
        ("home", SLOT._replace(k=START_K + 1), signer.public_key, 5),
        ("home", SLOT, metering.identity(seed("sign", 1), BOUNDS, START_K), 5),
        ("home", SLOT, signer.public_key, 6),
    ]
    for chain_id, slot, prid, rc in elsewhere:
        assert not schnorr.is_valid(signer.public_key, metering.record_hash(chain_id, slot, prid, rc), signature)


# Row 9 --------------------------------------------------------------------------------------------------------------


def test_row9_compressed_twins_are_two_identities_in_the_paper_and_one_in_ours() -> None:
    key = PrivateKey(seed("twin"))
    even, odd = b"\x02" + key.public_key.format()[1:], b"\x03" + key.public_key.format()[1:]
    message = paper.signed_bytes(5, 7)
    records = [paper.PaperRecord(prid, 5, 7, key.sign_schnorr(message, bytes(32))) for prid in (even, odd)]
    assert all(paper.is_signed(record) for record in records)  # one signature counts under two identities
    assert len({record.prid for record in records}) == 2
    for twin in (even, odd):
        with pytest.raises(metering.ByteLengthError):
            metering.roster_leaf(twin)


# Row 11 -------------------------------------------------------------------------------------------------------------


def test_row11_masks_that_stay_link_two_months_and_chained_ones_differ_everywhere() -> None:
    stays = view(0)
    october = [metering.mask(leaf) for leaf in metering.leaves_between(stays.first, BOUNDS, START_K, START_K + 20)]
    again = [metering.mask(leaf) for leaf in metering.leaves_between(stays.first, BOUNDS, START_K, START_K + 20)]
    assert october == again  # the control: with r unchanged every mask comes back a month later

    chain_key = seed("chain")
    following = metering.next_chain_key(chain_key, Secret.VIEW)
    month_a = metering.view_seeds(chain_key, Direction.IMPORT)
    month_b = metering.view_seeds(following, Direction.IMPORT)
    masks = [set(metering.masks(each, BOUNDS, START_K, START_K + 96)) for each in (*month_a, *month_b)]
    assert len(set().union(*masks)) == 4 * 96


# Row 16 -------------------------------------------------------------------------------------------------------------


def test_row16_a_month_has_as_many_leaves_as_it_has_periods() -> None:
    for days in (28, 29, 30, 31):
        bounds = MonthBounds(BOUNDS.month, BOUNDS.start_s, BOUNDS.start_s + days * 86_400 + 3_600, PERIOD_S)
        assert bounds.periods == days * 96 + 4  # a month with 25 hours in one of its days
        assert 2**bounds.depth >= bounds.periods
        metering.leaf_at(seed("long month"), bounds, bounds.end_k - 1)


# Row 20 -------------------------------------------------------------------------------------------------------------


def test_row20_the_view_secret_signs_nothing() -> None:
    """In the paper one set of seeds does both, so the household can send a low record before the meter's true one."""
    shared = seed("the paper's one secret")
    household = metering.signer(shared, BOUNDS, START_K)
    meter = metering.signer(shared, BOUNDS, START_K)
    assert household.public_key == meter.public_key  # the control: who can recompute can also sign

    sign_chain, view_chain = seed("sign chain"), seed("view chain")
    identities = {
        metering.identity(each, BOUNDS, START_K) for each in metering.sign_seeds(sign_chain, Direction.IMPORT)
    }
    reachable = {
        metering.identity(metering.month_seed(view_chain, secret, half, channel), BOUNDS, START_K)
        for secret in Secret
        for half in Half
        for channel in Direction
    }
    assert not identities & reachable


# Row 19, in the filter ----------------------------------------------------------------------------------------------


def test_row19_a_new_filter_that_forgets_links_the_past_of_whom_it_forgot_and_ours_keeps_it() -> None:
    people = {name: [metering.identity(seed(name), BOUNDS, START_K + k) for k in range(10)] for name in "abcd"}
    past, future = slice(0, 5), slice(5, 10)
    before = BloomFilter.sized(40, 10**6)
    before.update(identity for each in people.values() for identity in each)

    forgetting = BloomFilter.sized(40, 10**6)
    forgetting.update(identity for name, each in people.items() if name != "d" for identity in each)
    seen_on_ledger = [identity for each in people.values() for identity in each[past]]
    linked = [identity for identity in seen_on_ledger if identity in before and identity not in forgetting]
    assert linked == people["d"][past]  # the control: the difference is the revoked meter's history

    keeping = BloomFilter.sized(40, 10**6)
    keeping.update(identity for name, each in people.items() for identity in (each[past] if name == "d" else each))
    assert all(identity in keeping for identity in seen_on_ledger)
    assert not any(identity in keeping for identity in people["d"][future])


# Pitfalls named in the text -----------------------------------------------------------------------------------------


def test_an_inner_node_cannot_stand_for_many_missing_leaves() -> None:
    """Taking bare hashes for missing leaves, whoever claims fewer leaves chooses which node stands for how many."""
    leaves = metering.roster(metering.identity(seed("sign", i), BOUNDS, START_K) for i in range(10))
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    # A careless verifier takes a list of hashes as the tree's lowest level and only asks that they give the root.
    right_half = _climb(hashes[8:])
    left_half = _climb(hashes[:8])
    assert _climb([left_half, right_half]) == merkle.root(leaves)  # ten leaves pass for two
    claimed_missing, truly_missing = 1, 8
    assert claimed_missing / 2 < truly_missing / 10

    with pytest.raises(InvalidProofError):
        merkle.verify_multi(merkle.root(leaves), 3, [1, 2], leaves[8:], (left_half,))
    merkle.verify_multi(merkle.root(leaves), 10, [8, 9], leaves[8:], merkle.multi_proof(leaves, [8, 9]))


def _climb(level: list[bytes]) -> bytes:
    while len(level) > 1:
        paired = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]
