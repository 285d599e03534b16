"""A data aggregator's inbox: rules I-1 and I-2."""

import sqlite3
from pathlib import Path

import pytest

from gridproof.connectors.inbox import Inbox, Taken
from gridproof.connectors.private_sqlite import DatabaseError
from gridproof.domain import Direction, RegionId, Slot
from gridproof.modules.aggregation.types import SlotRecord

SLOT = Slot(RegionId(1), Direction.IMPORT, 7)


def taken(position: int, value: int = 2**63) -> Taken:
    return Taken(position, SlotRecord(bytes([position]) * 32, value, bytes([position]) * 64), b"r" * 64)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox.db")


def test_records_come_back_by_position_even_in_another_process(tmp_path: Path, inbox: Inbox) -> None:
    inbox.put(SLOT, [taken(5), taken(2)])
    inbox.close()
    again = Inbox(tmp_path / "inbox.db")
    assert list(again.of(SLOT).items()) == [(2, taken(2)), (5, taken(5))]
    assert again.of(SLOT._replace(k=8)) == {}


def test_i1_a_position_has_one_record_and_the_first_stays(inbox: Inbox) -> None:
    inbox.put(SLOT, [taken(5)])
    with pytest.raises(DatabaseError):
        inbox.put(SLOT, [taken(6), taken(5, value=1)])
    assert inbox.of(SLOT) == {5: taken(5)}


def test_i2_the_file_has_no_column_for_times_or_addresses(tmp_path: Path, inbox: Inbox) -> None:
    with sqlite3.connect(tmp_path / "inbox.db") as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(records)")]
    db.close()
    assert columns == ["region", "channel", "k", "position", "prid", "rc", "signature", "receipt"]


def test_i2_records_lie_in_the_order_of_the_leaves_not_of_their_coming(inbox: Inbox) -> None:
    for position in (9, 1, 4):
        inbox.put(SLOT, [taken(position)])
    assert list(inbox.of(SLOT)) == [1, 4, 9]


def test_a_transaction_stores_all_or_nothing_and_forgotten_records_are_gone(inbox: Inbox) -> None:
    def interrupted() -> None:
        with inbox.transaction():
            inbox.put(SLOT, [taken(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert inbox.of(SLOT) == {}
    inbox.put(SLOT, [taken(1)])
    inbox.put(SLOT._replace(k=8), [taken(1)])
    inbox.forget(1, 8)
    assert (inbox.of(SLOT), inbox.of(SLOT._replace(k=8))) == ({}, {1: taken(1)})
