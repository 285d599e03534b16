"""Aggregators, meters and strangers that do not play by the rules, against actors that do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gridproof.actors.data_aggregator import DataAggregator
from gridproof.actors.errors import (
    BadRecordError,
    OtherRecordError,
    RecordTooEarlyError,
    RecordTooLateError,
    UnknownIdentityError,
)
from gridproof.actors.transport import Delivery, DirectTransport, Reply, Transport
from gridproof.domain import (
    WORD,
    Direction,
    Slot,
    bitmap_of,
    live_set_hash,
    positions_in,
    receipt_hash,
    record_hash,
    roster_leaf,
)
from gridproof.modules.aggregation import errors as refusals
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import DropProven, OpenMasks
from gridproof.modules.aggregation.types import SlotRecord, Status
from gridproof.modules.registry.messages import KeyEntry, RotateKeys
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import schnorr
from gridproof.primitives.schnorr import Signer

from tests.simulation.village import CHAIN, PERIOD_S, START_S, Village, slot

NAMES = [f"meter {n}" for n in range(6)]
VICTIM = NAMES[2]


def reading(name: str, n: int) -> int:
    return 50 + NAMES.index(name) + n


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(6) for name in NAMES)
        yield village


def records_of(village: Village, name: str, n: int) -> list[SlotRecord]:
    meter = village.crew.fleet.find(name, slot(n).k)
    assert meter is not None
    return meter._make(slot(n), reading(name, n))


class Dropping(DataAggregator):
    """Gives receipts for a victim's records and never brings them."""

    victims: frozenset[bytes] = frozenset()

    def pending(self, slot: Slot) -> list[int]:
        held = self._held(slot)
        return [position for position in super().pending(slot) if held[position].record.prid not in self.victims]


def test_row14_a_dropped_record_is_claimed_and_names_the_aggregator_not_the_meter(village: Village) -> None:
    village.run(1)
    for aggregator in village.crew.aggregators.values():
        aggregator.__class__ = Dropping
        aggregator.victims = frozenset(record.prid for record in records_of(village, VICTIM, 1))  # type: ignore[attr-defined]
    village.run(2)
    state = village.state(1)
    assert state.total_wh == sum(reading(name, 1) for name in NAMES if name != VICTIM)
    claimed = village.client.ask(aggregation.claimed, *slot(1))
    assert len(claimed) == 2
    meter = village.crew.fleet.find(VICTIM, slot(1).k)
    assert meter is not None
    leaves = {roster_leaf(record.prid) for record in records_of(village, VICTIM, 1)}
    roster = village.crew._rosters.of(slot(1))
    assert {roster.leaves[position] for position in claimed} == leaves
    tallies = [
        village.client.ask(aggregation.tally, number, 2025 * 12 + 9).claims for number in village.crew.aggregators
    ]
    assert sum(tallies) == 2
    village.run(3)
    assert village.client.ask(aggregation.claimed, *slot(1)) == claimed
    assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def drop(village: Village, slots: int | range, names: Sequence[str]) -> None:
    """Let all aggregators drop what these meters send in a slot, or in several."""
    numbers = slots if isinstance(slots, range) else (slots,)
    victims = frozenset(record.prid for n in numbers for name in names for record in records_of(village, name, n))
    for aggregator in village.crew.aggregators.values():
        aggregator.__class__ = Dropping
        aggregator.victims = victims  # type: ignore[attr-defined]


def test_row14_claims_stand_in_the_order_of_the_leaves_which_tells_no_meter(village: Village) -> None:
    village.run(1)
    drop(village, 1, NAMES[:5])
    village.run(2)
    stored = village.client.events_since(b"", 10_000)
    told = [village.ledger.application.decode_event(each.body) for each in stored]
    positions = [event.position for event in told if isinstance(event, DropProven)]
    assert len(positions) == 10
    assert positions == sorted(positions)


def test_row14_whoever_drops_all_of_a_slot_is_named_though_it_is_void_at_once(village: Village) -> None:
    village.run(1)
    drop(village, 1, NAMES)
    village.run(2)
    assert village.state(1).status == Status.VOID
    assert len(village.client.ask(aggregation.claimed, *slot(1))) == 2 * len(NAMES)
    assert (village.watcher.refusals, village.watcher.problems) == ([], [])


@pytest.mark.parametrize("claim_s", [60, 2 * PERIOD_S, 7 * 86_400])
def test_row14_who_drops_all_of_several_slots_is_named_before_the_time_for_claims_is_over(
    tmp_path: Path, claim_s: int
) -> None:
    with Village(tmp_path, rules={"claim_s": claim_s}) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(6) for name in NAMES)
        village.run(1)
        drop(village, range(1, 5), NAMES)
        village.run(6)
        assert [village.state(n).status for n in range(1, 5)] == [Status.VOID] * 4
        assert [len(village.client.ask(aggregation.claimed, *slot(n))) for n in range(1, 5)] == [2 * len(NAMES)] * 4
        assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_row14_nobody_escapes_by_a_new_receipt_key_after_the_receipt(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(2) for name in NAMES)
        village.run(1)
        drop(village, 1, [VICTIM])
        end_s = START_S + 2 * PERIOD_S
        village.run(2, stop=lambda: village.clock.now_s() >= end_s + 525)  # all is sent, the window is open
        for aggregator in village.crew.aggregators.values():
            new = Signer(bytes(31) + bytes([aggregator.seat.participant])).public_key
            aggregator.seat.send(RotateKeys((KeyEntry(KeyRole.RECEIPT, new),)))
        assert village.settle() == []
        victims = [aggregator.victims for aggregator in village.crew.aggregators.values()]  # type: ignore[attr-defined]
    with Village(tmp_path) as village:
        village.crew.fleet.refresh()
        for aggregator, dropped in zip(village.crew.aggregators.values(), victims, strict=True):
            aggregator.__class__ = Dropping
            aggregator.victims = dropped  # type: ignore[attr-defined]
        village.run(2)
        assert len(village.client.ask(aggregation.claimed, *slot(1))) == 2
        assert village.state(1).total_wh == sum(reading(name, 1) for name in NAMES if name != VICTIM)
        assert (village.watcher.refusals, village.watcher.problems) == ([], [])


class Silent(Transport):
    """Gives no answer the first time: the record may have come, the receipt did not."""

    def __init__(self, village: Village) -> None:
        self._straight = DirectTransport(village.crew.aggregators)
        self.heard: set[bytes] = set()
        self.again = 0

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        replies = self._straight.deliver(aggregator, deliveries)
        answers: list[Reply] = []
        for delivery, reply in zip(deliveries, replies, strict=True):
            prid = delivery.record.prid
            self.again += prid in self.heard
            answers.append(reply if prid in self.heard else None)
            self.heard.add(prid)
        return answers


def test_row9_what_got_no_receipt_is_sent_again_and_counts_once(village: Village) -> None:
    transport = Silent(village)
    village.run(2, transport)
    assert transport.again == 2 * 2 * len(NAMES)
    for n in range(2):
        assert village.state(n).total_wh == sum(reading(name, n) for name in NAMES)
        assert village.state(n).filled_count == 2 * len(NAMES)


class Altering(Transport):
    """Changes the value of everything that it carries."""

    def __init__(self, village: Village) -> None:
        self._straight = DirectTransport(village.crew.aggregators)
        self.replies: list[Reply] = []

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        bent = [
            Delivery(each.slot, SlotRecord(each.record.prid, (each.record.rc + 1) % WORD, each.record.signature))
            for each in deliveries
        ]
        self.replies += self._straight.deliver(aggregator, bent)
        return self._straight.deliver(aggregator, deliveries)


def test_an_altered_record_is_refused_and_the_true_one_taken(village: Village) -> None:
    transport = Altering(village)
    village.run(2, transport)
    assert {type(reply) for reply in transport.replies} == {BadRecordError}
    assert [village.state(n).total_wh for n in range(2)] == [sum(reading(name, n) for name in NAMES) for n in range(2)]


@pytest.fixture
def aggregator(village: Village) -> DataAggregator:
    village.run(2)
    village.clock.sleep_until_s(START_S + 4 * PERIOD_S + 10)  # in the window of slot 3
    return next(iter(village.crew.aggregators.values()))


def signed(secret: bytes, where: Slot, rc: int) -> SlotRecord:
    signer = Signer(secret)
    return SlotRecord(signer.public_key, rc, signer.sign(record_hash(CHAIN, where, signer.public_key, rc)))


def test_row4_a_forged_identity_is_refused(aggregator: DataAggregator) -> None:
    with pytest.raises(UnknownIdentityError) as refused:
        aggregator.take(slot(3), signed(b"\x07" * 32, slot(3), 5))
    assert refused.value.filtered


def test_row4_an_identity_that_the_filter_takes_for_its_own_fails_at_the_roster(
    village: Village, aggregator: DataAggregator
) -> None:
    """The paper's only check, the filter, is passed by any identity of another slot."""
    foreign = records_of(village, VICTIM, 4)[0]
    roster = aggregator._rosters.of(slot(3))
    assert roster_leaf(foreign.prid) in roster.bloom
    with pytest.raises(UnknownIdentityError) as refused:
        aggregator.take(slot(3), foreign)
    assert not refused.value.filtered


def test_row8_a_record_replayed_in_another_slot_or_channel_is_refused(
    village: Village, aggregator: DataAggregator
) -> None:
    record = records_of(village, VICTIM, 3)[0]
    aggregator.take(slot(3), record)
    assert village.crew.aggregators[aggregator.seat.participant].pending(slot(3)) != []
    village.clock.sleep_until_s(START_S + 5 * PERIOD_S + 10)
    with pytest.raises(UnknownIdentityError):
        aggregator.take(slot(4), record)


def test_row9_the_first_record_of_an_identity_stays_and_the_same_one_gets_the_same_receipt(
    village: Village, aggregator: DataAggregator
) -> None:
    first = records_of(village, VICTIM, 3)[0]
    meter = village.crew.fleet.find(VICTIM, slot(3).k)
    assert meter is not None
    other = meter._make(slot(3), reading(VICTIM, 3) + 1)[1]
    second = records_of(village, VICTIM, 3)[1]
    receipt = aggregator.take(slot(3), second)
    assert aggregator.take(slot(3), second) == receipt
    with pytest.raises(OtherRecordError) as refused:
        aggregator.take(slot(3), other)
    assert refused.value.prid == second.prid
    assert [taken.record for taken in aggregator._held(slot(3)).values()] == [second]
    assert first.prid != second.prid


def test_row9_a_record_sent_again_after_a_rotation_is_receipted_under_the_key_that_the_meter_knows(
    village: Village, aggregator: DataAggregator
) -> None:
    record = records_of(village, VICTIM, 3)[0]
    former = aggregator.take(slot(3), record)
    fresh = Signer(b"\x09" * 32)
    aggregator._signer = fresh
    receipt = aggregator.take(slot(3), record)
    signed = record_hash(CHAIN, slot(3), record.prid, record.rc)
    receipted = receipt_hash(CHAIN, slot(3), record.prid, signed, receipt.aggregator)
    assert schnorr.is_valid(fresh.public_key, receipted, receipt.signature)
    assert not schnorr.is_valid(fresh.public_key, receipted, former.signature)
    assert aggregator.take(slot(3), record) == receipt
    assert [taken.record for taken in aggregator._held(slot(3)).values()] == [record]


@pytest.mark.parametrize(
    "bent",
    [
        SlotRecord(b"short", 1, bytes(64)),
        SlotRecord(bytes(32), -1, bytes(64)),
        SlotRecord(bytes(32), 2**64, bytes(64)),
        SlotRecord(bytes(32), 1, b"short"),
    ],
    ids=["identity", "negative", "too large", "signature"],
)
def test_a_record_with_parts_of_other_widths_is_refused(aggregator: DataAggregator, bent: SlotRecord) -> None:
    with pytest.raises(BadRecordError):
        aggregator.take(slot(3), bent)
    assert aggregator._held(slot(3)) == {}


def test_records_outside_the_window_are_refused(village: Village, aggregator: DataAggregator) -> None:
    early, late = records_of(village, VICTIM, 5)[0], records_of(village, VICTIM, 3)[0]
    with pytest.raises(RecordTooEarlyError) as too_early:
        aggregator.take(slot(5), early)
    assert too_early.value.end_s == START_S + 6 * PERIOD_S
    village.clock.sleep_until_s(START_S + 4 * PERIOD_S + 600)
    with pytest.raises(RecordTooLateError) as too_late:
        aggregator.take(slot(3), late)
    assert too_late.value.now_s == too_late.value.end_s == START_S + 4 * PERIOD_S + 600


def test_row5_all_places_are_checked_exactly_two_chosen_keys_replace_nobody(
    village: Village, aggregator: DataAggregator
) -> None:
    for secret in (b"\x05" * 32, b"\x06" * 32):
        with pytest.raises(UnknownIdentityError):
            aggregator.take(slot(3), signed(secret, slot(3), 1))
    village.run(4)
    assert village.state(3).total_wh == sum(reading(name, 3) for name in NAMES)


def test_row1_masks_are_opened_for_the_fixed_live_set_and_no_other(village: Village) -> None:
    village.run(3)
    state = village.state(2)
    owners = village.crew.provider.months.owners(slot(2))
    live = positions_in(state.live, state.count)
    victim = [position for position in live if owners[position] // 2 == owners[live[0]] // 2]
    smaller = bitmap_of(state.count, [position for position in live if position not in victim])
    village.crew.provider.seat.send(OpenMasks(*slot(2), live_set_hash(slot(2), smaller), 0))
    refused = village.settle()
    assert [type(each.refusal) for each in refused] == [refusals.AlreadyOpened]
    assert village.state(2) == state


def test_an_aggregator_that_is_not_there_gives_no_answer(village: Village) -> None:
    straight = DirectTransport(village.crew.aggregators)
    delivery = Delivery(slot(0), SlotRecord(bytes(32), 1, bytes(64)))
    assert straight.deliver(4_000, [delivery, delivery]) == [None, None]
    one = next(iter(village.crew.aggregators.values()))
    assert one.deliver(4_000, [delivery]) == [None]


def test_a_slot_that_nobody_sent_for_is_void_and_one_without_masks_in_time_too(tmp_path: Path) -> None:
    with Village(tmp_path, rules={"opening_s": 60, "claim_s": 60}) as village:
        village.enrol(NAMES)
        village.read((name, n, 1) for n in (0, 2) for name in NAMES)
        village.run(3)
        assert [village.state(n).status for n in range(3)] == [Status.OPENED, Status.VOID, Status.OPENED]
        assert village.client.ask(aggregation.slot, *slot(1, Direction.EXPORT)) is None
