"""The bill provider's book: registers that were signed, and how far each bill has come."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.connectors.bill_book import BillBook, BillNote
from gridproof.connectors.registers import SignedRegister
from gridproof.domain import Direction, RegisterSpan

ADA, BO = b"a" * 16, b"b" * 16


@pytest.fixture
def book(tmp_path: Path) -> Iterator[BillBook]:
    book = BillBook(tmp_path / "book.db")
    yield book
    book.close()


def note(meter: bytes = ADA, month: int = 3, version: int = 1, region: int = 1, payable_e9: int = 7) -> BillNote:
    bid = bytes([month]) * 32
    return BillNote(meter, month, version, region, bid, f"cid {version}", bytes(32), 5, 4, 3, 2, -1, payable_e9)


def register(meter: bytes = ADA, month: int = 3, end_wh: int = 9) -> SignedRegister:
    return SignedRegister(meter, month, RegisterSpan(Direction.IMPORT, 0, 1, 0, end_wh), bytes(64))


def test_the_first_register_of_a_month_stays(book: BillBook) -> None:
    book.take_register(register())
    book.take_register(register(end_wh=1))
    book.take_register(register(BO))
    book.take_register(register(month=4))
    assert book.registers(3) == {(ADA, 1): register(), (BO, 1): register(BO)}
    assert book.registers(5) == {}


def test_a_note_gives_way_to_one_of_the_same_version_only(book: BillBook) -> None:
    for each in (note(), note(version=2), note(payable_e9=-8), note(BO), note(BO, region=2, month=4)):
        book.note(each)
    assert book.bills(1, 3) == [note(payable_e9=-8), note(version=2), note(BO)]
    assert book.last(1, 3) == {ADA: note(version=2), BO: note(BO)}
    assert book.bills(2, 3) == []


def test_a_history_is_the_last_bill_of_each_month_before(book: BillBook) -> None:
    for month in (5, 3, 4):
        book.note(note(month=month))
    book.note(note(month=3, version=2))
    book.note(note(BO))
    assert book.history(ADA, 5) == [note(month=3, version=2), note(month=4)]
    assert book.history(ADA, 3) == []


def test_a_forgotten_meter_is_gone_from_the_disk(book: BillBook, tmp_path: Path) -> None:
    for each in (note(), note(version=2), note(BO)):
        book.note(each)
    book.take_register(register())
    assert book.forget(ADA) == 2
    assert book.bills(1, 3) == [note(BO)]
    assert book.registers(3) == {}
    book.close()
    assert all(ADA not in path.read_bytes() for path in tmp_path.iterdir())
    assert (tmp_path / "book.db").stat().st_mode & 0o777 == 0o600


def test_all_bills_of_a_meter_are_had_in_order(book: BillBook) -> None:
    for each in (note(month=4), note(version=2), note(), note(BO)):
        book.note(each)
    assert book.of_meter(ADA) == [note(), note(version=2), note(month=4)]


def test_registers_of_a_finished_month_are_gone_from_the_disk(book: BillBook, tmp_path: Path) -> None:
    for each in (register(), register(BO), register(month=4)):
        book.take_register(each)
    book.forget_registers([ADA, BO], 3)
    assert book.registers(3) == {}
    assert book.registers(4) == {(ADA, 1): register(month=4)}
    assert all(BO not in path.read_bytes() for path in tmp_path.iterdir())
