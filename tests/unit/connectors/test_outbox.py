"""A meter's outbox: rules O-1 and O-2."""

from pathlib import Path

import pytest

from gridproof.connectors.outbox import Entry, Outbox
from gridproof.connectors.private_sqlite import DatabaseError
from gridproof.domain import Direction, Half, RegionId, Slot
from gridproof.modules.aggregation.types import SlotRecord

ME, OTHER = b"m" * 16, b"o" * 16


def slot(k: int, channel: Direction = Direction.IMPORT) -> Slot:
    return Slot(RegionId(1), channel, k)


def pair(k: int, value: int = 2**64 - 1, channel: Direction = Direction.IMPORT) -> list[Entry]:
    return [
        Entry(slot(k, channel), half, SlotRecord(bytes([half]) * 32, value, bytes([half]) * 64), 100 + half, 3)
        for half in Half
    ]


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "meters.db")


def test_o1_records_come_back_as_they_were_put_in_even_from_another_process(tmp_path: Path, outbox: Outbox) -> None:
    outbox.put(ME, pair(1))
    outbox.close()
    again = Outbox(tmp_path / "meters.db")
    assert again.find(ME, slot(1)) == pair(1)
    assert again.find(ME, slot(1, Direction.EXPORT)) == again.find(OTHER, slot(1)) == []


def test_o1_a_second_pair_is_refused_and_the_first_kept(outbox: Outbox) -> None:
    outbox.put(ME, pair(1))
    with pytest.raises(DatabaseError):
        outbox.put(ME, pair(1, value=5))
    assert outbox.find(ME, slot(1)) == pair(1)
    outbox.put(OTHER, pair(1, value=5))
    assert outbox.of_slot(slot(1)) == {ME: pair(1), OTHER: pair(1, value=5)}


def test_o2_a_receipt_stays_and_ends_the_sending(outbox: Outbox) -> None:
    outbox.put(ME, pair(1))
    first, second = pair(1)
    receipted = first._replace(aggregator=9, receipt=b"r" * 64, receipt_key=b"k" * 32)
    outbox.receipted(ME, [receipted])
    outbox.receipted(ME, [receipted._replace(receipt=b"x" * 64, receipt_key=b"y" * 32)])
    assert outbox.find(ME, slot(1)) == [receipted, second]
    assert outbox.unsent(ME) == [second]


def test_a_postponed_record_is_still_to_be_sent_and_one_given_up_is_not(outbox: Outbox) -> None:
    outbox.put(ME, pair(1))
    first, second = pair(1)
    later = first._replace(send_s=500, aggregator=4)
    outbox.postpone(ME, [later])
    outbox.give_up(ME, [second])
    assert outbox.unsent(ME) == [later]
    assert outbox.find(ME, slot(1)) == [later, second]


def test_a_transaction_stores_all_or_nothing(outbox: Outbox) -> None:
    def interrupted() -> None:
        with outbox.transaction():
            outbox.put(ME, pair(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert outbox.find(ME, slot(1)) == []


def test_forgotten_records_are_gone_and_later_ones_stay(outbox: Outbox) -> None:
    for k in (1, 2, 3):
        outbox.put(ME, pair(k))
    outbox.put(OTHER, pair(1))
    outbox.forget([ME], 3)
    assert [len(outbox.find(ME, slot(k))) for k in (1, 2, 3)] == [0, 0, 2]
    assert outbox.find(OTHER, slot(1)) == pair(1)


def test_forgotten_records_lie_neither_in_the_file_nor_in_its_log(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put(ME, pair(1))
    records = [entry.record for entry in outbox.of_meter(ME)]
    assert holding(tmp_path, records[0].signature), "a search that finds nothing now proves nothing later"
    outbox.forget([ME], 2)
    assert [holding(tmp_path, record.signature) for record in records] == [[], []]
    assert outbox.of_meter(ME) == []


def holding(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and secret in path.read_bytes()]
