"""Rules A-8 to A-14: which records may come, and that none counts twice."""

import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gridproof.domain import (
    WORD,
    Direction,
    Half,
    RegionId,
    Slot,
    bitmap_of,
    positions_in,
    record_hash,
    roster,
    roster_leaf,
)
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.errors import (
    BadBatchBitmap,
    BatchUnproven,
    LeavesUnsorted,
    NothingNew,
    OtherRoster,
    PeriodRunning,
    SlotIsClosed,
    TooManyBatches,
)
from gridproof.modules.aggregation.keeper import MAX_BATCHES
from gridproof.modules.aggregation.messages import BatchAccepted, CloseSlot, SubmitBatch
from gridproof.modules.aggregation.rules.batches import join, missing_positions, untouched
from gridproof.modules.aggregation.types import Roster, SlotRecord, Status
from gridproof.modules.registry.errors import NotPermitted
from gridproof.primitives import merkle, schnorr
from gridproof.primitives.encoding import encode
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.primitives.secp256k1 import ORDER
from gridproof.state.errors import CheckFailed, MalformedTransaction

from .community import CHAIN_ID, FIRST_K, IMPORT, REGION, Community

K = FIRST_K


@pytest.fixture
def town() -> Community:
    """Four meters, their first period just over."""
    town = Community().begin()
    town.go_to(town.end_of(K))
    return town


def test_a_batch_fills_leaves_and_sums(town: Community) -> None:
    records = town.both(0, K) + town.both(2, K)
    event = town.accepts("first", town.batch(K, records))
    assert event == BatchAccepted(REGION, IMPORT, K, town.people["first"].id, 0, 4, 4)
    state = town.state(K)
    places = sorted(town.position(n, half, K) for n in (0, 2) for half in Half)
    assert positions_in(state.filled, state.count) == tuple(places)
    assert (state.status, state.filled_count) == (Status.OPEN, 4)
    assert state.total_rc == sum(record.rc for record in records) % WORD
    assert state.first_height == town.node.head.height
    (body,) = town.ask(queries.bodies, REGION, IMPORT, K)
    assert body.positions == tuple(places)
    assert sorted(body.records, key=lambda each: each.prid) == sorted(records, key=lambda each: each.prid)
    assert state.batches[0].root == merkle.root([encode(record) for record in body.records])
    assert town.ask(queries.batch, REGION, IMPORT, K, 0) == body


#


def test_a8_the_bitmap_marks_as_many_leaves_as_there_are_records(town: Community) -> None:
    town.refuses_by(
        "first",
        town.batch(K, town.both(0, K), bitmap=b"\xe0\x00"),
        BadBatchBitmap,
        count=10,
        records=2,
        detail="it marks 3 leaves",
    )


@pytest.mark.parametrize("padding", [0x01, 0x20])
def test_a8_bits_after_the_last_leaf_are_zero(town: Community, padding: int) -> None:
    batch = town.batch(K, town.both(0, K))
    wrong = bytes([batch.bitmap[0], batch.bitmap[1] | padding])
    refusal = town.refuses("first", town.batch(K, town.both(0, K), bitmap=wrong), code=BadBatchBitmap.code)
    assert isinstance(refusal, BadBatchBitmap)
    assert refusal.detail == "a bit after the last position is set"


@pytest.mark.parametrize("bitmap", [b"", b"\xc0", b"\xc0\x00\x00"])
def test_a8_the_bitmap_is_as_long_as_the_roster(town: Community, bitmap: bytes) -> None:
    refusal = town.refuses("first", town.batch(K, town.both(0, K), bitmap=bitmap), code=BadBatchBitmap.code)
    assert isinstance(refusal, BadBatchBitmap)
    assert refusal.detail == "its length is not that of the roster"


def test_a8_an_empty_batch_is_no_message(town: Community) -> None:
    message = town.batch(K, town.both(0, K), records=())
    town.refuses("first", message, code=MalformedTransaction.code)


@pytest.mark.parametrize(
    "wrong",
    [
        SlotRecord(bytes(31), 0, bytes(64)),
        SlotRecord(bytes(32), -1, bytes(64)),
        SlotRecord(bytes(32), 0, bytes(63)),
    ],
)
def test_a8_a_record_of_other_widths_is_no_message(town: Community, wrong: SlotRecord) -> None:
    message = town.batch(K, town.both(0, K), records=(wrong, wrong))
    town.refuses("first", message, code=MalformedTransaction.code)


#


def test_a9_records_stand_in_the_order_of_their_leaves(town: Community) -> None:
    batch = town.batch(K, town.both(0, K))
    message = town.batch(K, town.both(0, K), records=batch.records[::-1])
    town.refuses_by("first", message, LeavesUnsorted, index=1)


def test_a9_a_record_twice_in_a_batch_is_refused(town: Community) -> None:
    batch = town.batch(K, town.both(0, K))
    message = town.batch(K, town.both(0, K), records=(batch.records[0],) * 2)
    town.refuses_by("first", message, LeavesUnsorted, index=1)


def test_a9_keys_with_even_and_odd_y_cannot_both_fill(town: Community) -> None:
    """The 02/03 twins of compressed points; x coordinates are one identity, one leaf, and the first record stays."""
    secret = sha256(b"some one-time key")
    twin = (ORDER - int.from_bytes(secret, "big")).to_bytes(32, "big")
    compressed = [PrivateKey(each).public_key.format() for each in (secret, twin)]
    assert compressed[0] != compressed[1], "positive control: as compressed points they are two identities"
    prid = Signer(secret).public_key
    assert Signer(twin).public_key == prid

    leaves = sorted([roster_leaf(prid), *(sha256(bytes([n])) for n in range(9))])
    place = leaves.index(roster_leaf(prid))
    town.accepts("provider", town.rosters(K + 1, roots=merkle.root(leaves) * 2))
    town.go_to(town.end_of(K + 1))

    def batch(*records: SlotRecord) -> SubmitBatch:
        positions = [place] if len(records) == 1 else sorted([place, (place + 1) % 10])
        proof = merkle.multi_proof(leaves, positions)
        bitmap = bitmap_of(10, positions)
        return SubmitBatch(REGION, IMPORT, K + 1, merkle.root(leaves), 10, bitmap, records, proof)

    slot = Slot(REGION, IMPORT, K + 1)
    even, odd = (
        SlotRecord(prid, 5, Signer(each).sign(record_hash(CHAIN_ID, slot, prid, 5))) for each in (secret, twin)
    )
    town.refuses_by("first", batch(even, odd), LeavesUnsorted, index=1)
    town.accepts("first", batch(even))
    town.refuses_by("second", batch(odd), NothingNew, records=1)


#


def test_a10_a_forged_identity_spoils_only_its_own_batch(town: Community) -> None:
    forger = Signer(sha256(b"forger"))
    forged = SlotRecord(
        forger.public_key, 1, forger.sign(record_hash(CHAIN_ID, Slot(REGION, IMPORT, K), forger.public_key, 1))
    )
    honest = town.batch(K, town.both(0, K))
    records = tuple(sorted((forged, honest.records[0]), key=lambda each: roster_leaf(each.prid)))
    town.refuses_by(
        "second",
        town.batch(K, town.both(0, K), records=records),
        BatchUnproven,
        detail="it leads to another root",
    )
    town.accepts("first", honest)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda proof: proof[:-1], "it is truncated"),
        (lambda proof: (*proof, bytes(32)), "it is too long"),
        (lambda proof: (bytes(32), *proof[1:]), "it leads to another root"),
    ],
)
def test_a10_a_proof_has_exactly_the_hashes_of_the_tree(
    town: Community, change: Callable[[Any], Any], detail: str
) -> None:
    batch = town.batch(K, town.both(0, K))
    message = town.batch(K, town.both(0, K), proof=change(batch.proof))
    town.refuses_by("first", message, BatchUnproven, detail=detail)


def test_a10_records_at_other_positions_are_refused(town: Community) -> None:
    records = [town.record(0, Half.FIRST, K)]
    elsewhere = (town.position(0, Half.FIRST, K) + 1) % 10
    town.refuses("first", town.batch(K, records, bitmap=bitmap_of(10, [elsewhere])), code=BatchUnproven.code)


#


@dataclass(frozen=True)
class Elsewhere:
    """A name under a record's signature that is not the one it is sent under."""

    what: str
    signed: dict[str, Any]


@pytest.mark.parametrize(
    "other",
    [
        Elsewhere("chain", {"chain_id": "aggregation-2"}),
        Elsewhere("region", {"slot": Slot(RegionId(2), IMPORT, K)}),
        Elsewhere("channel", {"slot": Slot(REGION, Direction.EXPORT, K)}),
        Elsewhere("period", {"slot": Slot(REGION, IMPORT, K + 1)}),
        Elsewhere("identity", {"prid": bytes(31) + b"\x01"}),
        Elsewhere("value", {"rc": 12}),
    ],
    ids=lambda other: other.what,
)
def test_a11_a_record_replayed_or_altered_is_refused_by_its_signature(town: Community, other: Elsewhere) -> None:
    records = [town.record(0, Half.FIRST, K, **other.signed), town.record(0, Half.SECOND, K)]
    town.refuses("first", town.batch(K, records), code=CheckFailed.code)


def test_a11_a_months_identity_serves_its_own_slot_only(town: Community) -> None:
    """Replayed as it is into the next slot: that slot's roster does not know the identity."""
    replayed = [town.record(0, Half.FIRST, K)]
    batch = town.batch(K, replayed)
    town.go_to(town.end_of(K + 1))
    message = town.batch(K, replayed, k=K + 1, root=merkle.root(town.leaves(K + 1)))
    town.refuses("first", message, code=BatchUnproven.code)
    # Even where the proof is against the roster of its own slot:
    message = town.batch(K, replayed, k=K + 1)
    town.refuses("first", message, code=CheckFailed.code)
    town.accepts("first", batch)


#


@pytest.mark.parametrize("name", ["operator", "provider", "household"])
def test_a12_only_a_data_aggregator_brings_batches(town: Community, name: str) -> None:
    town.refuses(name, town.batch(K, town.both(0, K)), code=NotPermitted.code)


def test_a12_a_batch_against_the_roster_of_the_epoch_before_is_refused(town: Community) -> None:
    newer = roster(town.record(n, half, K + 1).prid for n in (0, 1, 2, 3, 9) for half in Half)
    town.accepts("provider", town.rosters(K + 1, roots=merkle.root(newer) * 2))
    town.go_to(town.end_of(K + 1))
    town.refuses_by(
        "first",
        town.batch(K + 1, town.both(0, K + 1)),
        OtherRoster,
        root=merkle.root(town.leaves(K + 1)),
        count=10,
        expected_root=merkle.root(newer),
        expected_count=10,
    )


def test_a12_a_batch_against_a_smaller_tree_with_the_same_records_is_refused(town: Community) -> None:
    leaves = roster(record.prid for record in town.both(0, K))
    message = town.batch(K, town.both(0, K), root=merkle.root(leaves), count=2, bitmap=b"\xc0", proof=())
    refusal = town.refuses("first", message, code=OtherRoster.code)
    assert (refusal.particulars["count"], refusal.particulars["expected_count"]) == (2, 10)


def test_a12_an_aggregator_has_64_batches_a_slot_and_the_others_theirs() -> None:
    places = MAX_BATCHES // 2 + 1
    town = Community(places=places, enrolled=1).begin()
    town.go_to(town.end_of(K))
    records = [town.record(n, half, K) for n in range(places) for half in Half]
    for record in records[:MAX_BATCHES]:
        town.accepts("first", town.batch(K, [record]))
    last = town.batch(K, records[MAX_BATCHES:])
    town.refuses_by("first", last, TooManyBatches, limit=MAX_BATCHES)
    town.accepts("second", last)
    assert town.state(K).filled_count == 2 * places


#


def test_a13_a_batch_comes_after_its_period() -> None:
    town = Community().begin()
    town.go_to(town.end_of(K) - 1)
    message = town.batch(K, town.both(0, K))
    town.refuses_by("first", message, PeriodRunning, now_s=town.end_of(K) - 1, end_s=town.end_of(K))


def test_a13_a_batch_after_closing_is_too_late(town: Community) -> None:
    town.closed(K, 0, 1, 2)
    town.refuses_by("first", town.batch(K, town.both(3, K)), SlotIsClosed, status=Status.CLOSED)


def test_a13_before_closing_a_batch_is_in_time_however_late(town: Community) -> None:
    town.filled(K, 0, 1)
    town.go_to(town.window_end_of(K) + 500)
    town.accepts("second", town.batch(K, town.both(2, K)))
    assert town.state(K).filled_count == 6


def test_a13_a_void_slot_takes_no_batch(town: Community) -> None:
    town.go_to(town.window_end_of(K))
    town.accepts("household", CloseSlot(REGION, IMPORT, K))
    town.refuses_by("first", town.batch(K, town.both(3, K)), SlotIsClosed, status=Status.VOID)


#


def test_a14_the_first_record_of_a_leaf_stays_across_aggregators(town: Community) -> None:
    early, late = town.both(0, K), town.both(0, K, wh=9_999)
    town.accepts("first", town.batch(K, early))
    event = town.accepts("second", town.batch(K, [*late, *town.both(1, K)]))
    assert event == BatchAccepted(REGION, IMPORT, K, town.people["second"].id, 1, 4, 2)
    state = town.state(K)
    assert state.filled_count == 4
    assert state.total_rc == sum(each.rc for each in early + town.both(1, K)) % WORD
    second = town.ask(queries.batch, REGION, IMPORT, K, 1)
    assert sorted(each.prid for each in second.records) == sorted(each.prid for each in town.both(1, K))
    assert state.batches[1].root == merkle.root([encode(record) for record in second.records])
    assert (state.batches[1].count, state.batches[1].fresh) == (4, 2)
    assert state.first_height == town.node.head.height - 1


def test_a14_a_batch_that_adds_nothing_is_refused(town: Community) -> None:
    town.accepts("first", town.batch(K, town.both(0, K)))
    town.refuses_by("second", town.batch(K, town.both(0, K, wh=1)), NothingNew, records=2)
    town.refuses_by("first", town.batch(K, town.both(0, K)[:1]), NothingNew, records=1)


def test_a14_two_batches_in_one_transaction_count_once(town: Community) -> None:
    batch = town.batch(K, town.both(0, K))
    town.refuses("first", batch, town.batch(K, town.both(0, K)), code=NothingNew.code)
    assert town.ask(queries.slot, REGION, IMPORT, K) is None


@given(
    count=st.integers(1, 12).map(lambda half: 2 * half),
    batches=st.lists(st.frozensets(st.integers(0, 23), min_size=1), max_size=6),
)
def test_join_is_first_record_wins(count: int, batches: list[frozenset[int]]) -> None:
    """Against a model that keeps a record a leaf in a dictionary."""
    state, model = untouched(Roster(bytes(32), count)), dict[int, SlotRecord]()
    for number, chosen in enumerate(batches):
        positions = sorted(position for position in chosen if position < count)
        if not positions:
            continue
        records = [SlotRecord(bytes([position]) * 32, 2**63 + number, bytes(64)) for position in positions]
        bitmap = sum(1 << 8 * len(state.filled) - 1 - position for position in positions)
        joined = join(state, 7, 5 + number, bitmap.to_bytes(len(state.filled), "big"), records)
        fresh = {p: r for p, r in zip(positions, records, strict=True) if p not in model}
        model |= fresh
        if joined is None:
            assert not fresh
            continue
        state = joined.state
        assert dict(zip(joined.body.positions, joined.body.records, strict=True)) == fresh
        assert list(joined.body.positions) == sorted(fresh)
        assert state.batches[-1].fresh == len(fresh)
    assert positions_in(state.filled, count) == tuple(sorted(model))
    assert state.filled_count == len(model)
    assert state.total_rc == sum(record.rc for record in model.values()) % WORD
    assert missing_positions(state) == tuple(position for position in range(count) if position not in model)


def test_joining_a_batch_costs_under_a_fifth_of_its_bare_signature_checks() -> None:
    """Execution comes after the check, in the one thread of consensus; a bench measures it at 2,000 records."""
    town = Community(places=100).begin()
    batch = town.batch(K, [town.record(n, half, K) for n in range(100) for half in Half])
    claims = batch.claims(CHAIN_ID)
    checking = min(own_seconds(lambda: schnorr.find_invalid(claims)))
    state = untouched(Roster(batch.root, batch.count))
    joining = min(own_seconds(lambda: join(state, 3, 1, batch.bitmap, batch.records)))
    assert joining < checking / 5


def own_seconds(work: Callable[[], object]) -> list[float]:
    """What a piece of work costs this thread, a few times; what others do meanwhile does not count."""
    return timeit.repeat(work, timer=time.thread_time, number=1, repeat=10)
