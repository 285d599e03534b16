"""The book of bills: rules K-1 and K-2, and that what is forgotten is gone from the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.connectors.bill_book import BillBook, BillNote
from gridproof.connectors.registers import SignedRegister
from gridproof.domain import Direction, RegisterSpan

ME, OTHER = b"m" * 16, b"o" * 16
MONTH = 24_309


@pytest.fixture
def book(tmp_path: Path) -> Iterator[BillBook]:
    opened = BillBook(tmp_path / "book.db")
    yield opened
    opened.close()


def note(meter: bytes, month: int = MONTH, version: int = 1, total_e9: int = 5) -> BillNote:
    bid = meter + month.to_bytes(16, "big")
    return BillNote(meter, month, version, 1, bid, f"cid-{meter.hex()}-{version}", b"d" * 32, 1, 2, 1, 2, total_e9, 6)


def signed(meter: bytes, month: int = MONTH, start_wh: int = 0) -> SignedRegister:
    return SignedRegister(meter, month, RegisterSpan(Direction.IMPORT, 0, 10, start_wh, 9_000), meter * 4)


def holding(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and secret in path.read_bytes()]


def test_k2_a_note_of_the_same_version_gives_way_and_another_version_stands_beside_it(book: BillBook) -> None:
    book.note(note(ME))
    book.note(note(ME, total_e9=7))
    book.note(note(ME, version=2))
    assert book.bills(1, MONTH) == [note(ME, total_e9=7), note(ME, version=2)]
    assert book.last(1, MONTH) == {ME: note(ME, version=2)}
    assert book.bills(2, MONTH) == []


def test_history_has_the_last_bill_of_each_month_before(book: BillBook) -> None:
    for each in (note(ME, MONTH - 1), note(ME, MONTH - 1, 2), note(ME), note(OTHER, MONTH - 1)):
        book.note(each)
    assert book.history(ME, MONTH) == [note(ME, MONTH - 1, 2)]
    assert book.of_meter(ME) == [note(ME, MONTH - 1), note(ME, MONTH - 1, 2), note(ME)]


def test_first_register_of_a_month_stays(book: BillBook) -> None:
    book.take_register(signed(ME))
    book.take_register(signed(ME, start_wh=1))
    assert book.registers(MONTH) == {(ME, Direction.IMPORT): signed(ME)}


def test_registers_of_a_finished_month_are_gone_from_the_disk(book: BillBook, tmp_path: Path) -> None:
    for each in (signed(ME), signed(OTHER), signed(ME, MONTH + 1)):
        book.take_register(each)
    assert holding(tmp_path, signed(OTHER).signature), "a search that finds nothing now proves nothing later"
    book.forget_registers([ME, OTHER], MONTH)
    assert book.registers(MONTH) == {}
    assert book.registers(MONTH + 1) == {(ME, Direction.IMPORT): signed(ME, MONTH + 1)}
    assert holding(tmp_path, signed(OTHER).signature) == []


def test_a_forgotten_meter_leaves_nothing_in_the_file_or_its_log(book: BillBook, tmp_path: Path) -> None:
    for each in (note(ME), note(ME, MONTH + 1), note(OTHER)):
        book.note(each)
    book.take_register(signed(ME))
    assert book.forget(ME) == 2
    assert (book.of_meter(ME), book.registers(MONTH)) == ([], {})
    assert book.of_meter(OTHER) == [note(OTHER)]
    assert holding(tmp_path, ME) == []
