"""What happens on the line between meters and aggregators, and that all else passes as it was sent."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from gridproof.actors.demo.faults import Desk, DroppingDesk, Line, LossyLine, Tamperer, Tap, altered
from gridproof.actors.demo.script import Part
from gridproof.actors.errors import BadRecordError
from gridproof.actors.fleet import Fleet
from gridproof.actors.transport import Delivery, Receipt, Reply, Transport
from gridproof.domain import WORD, Direction, Half, RegionId, Slot, receipt_hash, record_hash
from gridproof.modules.aggregation.types import SlotRecord
from gridproof.primitives import schnorr
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer

CHAIN = "line-1"
HONEST, ROGUE = 3, 4


def slot(k: int) -> Slot:
    return Slot(RegionId(1), Direction.IMPORT, k)


def delivery(name: str, half: Half = Half.FIRST, k: int = 7) -> Delivery:
    return Delivery(slot(k), SlotRecord(sha256(f"{name}/{half}/{k}".encode()), 5, bytes(64)))


class Doors(Transport):
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.came: list[tuple[int, Delivery]] = []

    def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
        self.came += [(aggregator, each) for each in deliveries]
        return [Receipt(aggregator, each.record.prid) for each in deliveries]


def fleet(*names: str) -> Fleet:
    """Meters whose outboxes hold what `delivery` makes of their names."""

    def entries(name: str, of: Slot) -> list[Any]:
        return [SimpleNamespace(half=half, record=delivery(name, half, of.k).record) for half in Half]

    meters = {name.encode(): SimpleNamespace(name=name, handle=name.encode()) for name in names}
    outbox = SimpleNamespace(
        find=lambda handle, of: entries(handle.decode(), of),
        of_slot=lambda of: {handle: entries(handle.decode(), of) for handle in meters},
    )
    made = SimpleNamespace(outbox=outbox, find=lambda name, _k: meters.get(name.encode()), by_handle=meters.get)
    return cast("Fleet", made)


def test_a_line_carries_all_on_and_the_answers_back_in_order() -> None:
    doors = Doors()
    sent = [delivery("a"), delivery("b"), delivery("a", Half.SECOND)]
    replies = Line(doors).deliver(HONEST, sent)
    assert doors.came == [(HONEST, each) for each in sent]
    assert replies == [Receipt(HONEST, each.record.prid) for each in sent]


def test_a_tap_remembers_what_passed_in_its_slots_and_to_whom() -> None:
    tap = Tap(Doors(), [slot(7)])
    tap.deliver(HONEST, [delivery("a"), delivery("a", k=8)])
    tap.deliver(ROGUE, [delivery("b")])
    assert tap.records(slot(7)) == [delivery("a").record, delivery("b").record]
    assert tap.records(slot(7), ROGUE) == [delivery("b").record]


def test_a_lossy_line_loses_one_half_of_one_meter_each_time_and_keeps_it() -> None:
    doors = Doors()
    line = LossyLine(doors, Part(slot(7), "a"), fleet("a", "b"))
    lost = delivery("a", Half.SECOND)
    assert line.deliver(HONEST, [delivery("a"), lost, delivery("b", Half.SECOND)])[1] is None
    assert line.deliver(ROGUE, [lost]) == [None]
    line.deliver(HONEST, [delivery("a", Half.SECOND, k=8)])
    assert [each for _, each in doors.came] == [
        delivery("a"),
        delivery("b", Half.SECOND),
        delivery("a", Half.SECOND, k=8),
    ]
    assert line.kept == lost.record


def test_a_tamperer_alters_one_record_to_one_aggregator_and_tells_its_answer() -> None:
    class Strict(Doors):
        def deliver(self, aggregator: int, deliveries: Sequence[Delivery]) -> list[Reply]:
            super().deliver(aggregator, deliveries)
            return [BadRecordError(prid=each.record.prid) if each.record.rc != 5 else None for each in deliveries]

    doors, told = Strict(), list[Reply]()
    line = Tamperer(doors, slot(7), HONEST, told.append)
    line.deliver(ROGUE, [delivery("a")])
    replies = line.deliver(HONEST, [delivery("a", k=6), delivery("b"), delivery("c")])
    assert [each.record.rc for _, each in doors.came] == [5, 5, 1_005, 5]
    assert [isinstance(reply, BadRecordError) for reply in replies] == [False, True, False]
    assert told == [replies[1]]


def test_a_dropping_desk_signs_for_one_meters_records_and_hands_on_all_others() -> None:
    doors, signer = Doors(), Signer(sha256(b"rogue"))
    desk = DroppingDesk(doors, Desk(ROGUE, signer, CHAIN), slot(7), frozenset({"a"}), fleet("a", "b", "c"))
    desk.deliver(ROGUE, [delivery("b", k=6)])
    desk.deliver(HONEST, [delivery("b")])
    first = [delivery("a"), delivery("b"), delivery("c")]
    replies = desk.deliver(ROGUE, first) + desk.deliver(ROGUE, [delivery("b", Half.SECOND), delivery("b", k=8)])
    assert desk.dropped == Part(slot(7), "b")
    assert desk.records == [delivery("b").record, delivery("b", Half.SECOND).record]
    assert [each for _, each in doors.came[2:]] == [delivery("a"), delivery("c"), delivery("b", k=8)]
    receipt = replies[1]
    assert isinstance(receipt, Receipt)
    record = first[1].record
    signed = receipt_hash(CHAIN, slot(7), record.prid, record_hash(CHAIN, slot(7), record.prid, record.rc), ROGUE)
    schnorr.verify(signer.public_key, signed, receipt.signature)


def test_a_dropping_desk_waits_for_a_meter_that_it_can_drop() -> None:
    desk = DroppingDesk(
        Doors(), Desk(ROGUE, Signer(sha256(b"rogue")), CHAIN), slot(7), frozenset({"a"}), fleet("a", "b")
    )
    desk.deliver(ROGUE, [delivery("a"), delivery("stranger")])
    assert desk.dropped is None
    desk.deliver(ROGUE, [delivery("b", k=9)])
    assert desk.dropped == Part(slot(9), "b")


def test_an_altered_record_keeps_its_identity_and_signature_and_wraps_around() -> None:
    record = SlotRecord(bytes(32), WORD - 1, bytes(64))
    assert altered(record) == SlotRecord(bytes(32), 999, bytes(64))
