"""The book of places: rules B-1 to B-3."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gridproof.actors.bill_provider.keys import Line
from gridproof.actors.bill_provider.places import Epoch, PlaceBook
from gridproof.actors.errors import NoSparePlaceError
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, MonthBounds, MonthId

LINE, EXPORT = Line(1, Direction.IMPORT), Line(1, Direction.EXPORT)
MONTH = 24_000
BOUNDS = MonthBounds(MonthId(MONTH), 0, 100 * 900, 900)


def opened(folder: Path) -> PlaceBook:
    return PlaceBook(folder / "places.key", SecretFiles())


def a_month(book: PlaceBook, month: int = MONTH, line: Line = LINE, number: int = 1, from_k: int = 0) -> Epoch:
    start_s = (month - MONTH) * BOUNDS.end_s
    numbers = tuple(place.number for place in book.places(line))
    epoch = Epoch(*line, month, start_s, start_s + BOUNDS.end_s, 900, number, from_k, numbers)
    book.begin(epoch)
    return epoch


def enrolled(book: PlaceBook, name: str, from_k: int, line: Line = LINE) -> int:
    place = book.take(line, from_k)
    book.put(replace(place, name=name, meter=name.encode(), from_k=from_k))
    return place.number


def test_b1_a_place_is_given_once(tmp_path: Path) -> None:
    book = opened(tmp_path)
    spare = [book.add(LINE).number for _ in range(3)]
    a_month(book)
    assert [enrolled(book, name, 5) for name in "abc"] == spare
    book.end([book[spare[0]]], 7, revoked=False)
    with pytest.raises(NoSparePlaceError) as refused:
        book.take(LINE, 8)
    assert (refused.value.region, refused.value.channel, refused.value.month) == (1, "import", MONTH)


def test_b4_a_place_that_came_with_a_later_epoch_is_not_given_out_in_its_month(tmp_path: Path) -> None:
    """The difference of two epochs' public rosters names its leaves: a newcomer there would be linked by them."""
    book = opened(tmp_path)
    first = [book.add(LINE).number for _ in range(2)]
    a_month(book)
    fresh = book.add(LINE).number
    a_month(book, number=2, from_k=10)
    assert [enrolled(book, name, 20) for name in "ab"] == first
    with pytest.raises(NoSparePlaceError):
        book.take(LINE, 20)
    a_month(book, month=MONTH + 1)
    assert enrolled(book, "c", BOUNDS.end_k + 5) == fresh


def test_before_a_month_is_prepared_a_new_place_is_made(tmp_path: Path) -> None:
    book = opened(tmp_path)
    book.add(LINE)
    a_month(book)
    assert enrolled(book, "next month", BOUNDS.end_k) == 2
    assert [place.number for place in book.for_month(LINE, BOUNDS)] == [1]
    later = BOUNDS._replace(month=MonthId(MONTH + 1), start_s=BOUNDS.end_s, end_s=2 * BOUNDS.end_s)
    assert [place.number for place in book.for_month(LINE, later)] == [1, 2]


def test_a_channel_without_rosters_takes_nobody_in_a_running_month(tmp_path: Path) -> None:
    book = opened(tmp_path)
    book.add(LINE)
    a_month(book)
    with pytest.raises(NoSparePlaceError) as refused:
        book.take(EXPORT, 50)
    assert refused.value.channel == "export"


def test_b2_who_is_enrolled_when(tmp_path: Path) -> None:
    book = opened(tmp_path)
    number = enrolled(book, "a", 10)
    assert [book[number].is_active(k) for k in (9, 10, 99)] == [False, True, True]
    book.end([book[number]], 20, revoked=True)
    assert [book[number].is_active(k) for k in (19, 20)] == [True, False]
    assert [place.number for place in book.of_meter("a", 19)] == [number]
    assert book.of_meter("a", 20) == []
    assert not book.add(LINE).is_active(0)


def test_b3_the_book_is_as_it_was_when_a_change_fails(tmp_path: Path) -> None:
    book = opened(tmp_path)
    with book.changing():
        enrolled(book, "a", 1)

    def interrupted() -> None:
        with book.changing():
            enrolled(book, "b", 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    for again in (book, opened(tmp_path)):
        assert [place.name for place in again.places()] == ["a"]
        assert again.last_number == 1


def test_the_book_comes_back_as_it_was(tmp_path: Path) -> None:
    book = opened(tmp_path)
    enrolled(book, "a", 1)
    enrolled(book, "a", 1, EXPORT)
    epoch = a_month(book)
    book.save()
    again = opened(tmp_path)
    assert again.places() == book.places()
    assert again.epochs() == [epoch]
    assert (epoch.bounds, epoch.count) == (BOUNDS, 2)
    assert [str(place.line) for place in again.of_meter("a", 1)] == ["1-import", "1-export"]


def test_the_epoch_of_a_period_is_the_last_that_began(tmp_path: Path) -> None:
    book = opened(tmp_path)
    book.add(LINE)
    first, second = a_month(book), a_month(book, number=2, from_k=40)
    following = a_month(book, MONTH + 1, from_k=100)
    assert [book.epoch_at(LINE, k) for k in (0, 39, 40, 99, 100, 200)] == [
        first,
        first,
        second,
        second,
        following,
        None,
    ]
    assert book.latest(LINE) == [second, following]
    assert book.epochs(LINE, MONTH) == [first, second]
    book.strike(second)
    assert book.latest(LINE) == [first, following]


def test_a_forgotten_month_leaves_the_places_which_tell_whose_its_bills_were(tmp_path: Path) -> None:
    book = opened(tmp_path)
    gone, stays = (enrolled(book, name, 1) for name in "ab")
    a_month(book)
    book.end([book[gone]], 50, revoked=True)
    a_month(book, MONTH + 1, from_k=100)
    book.forget(LINE, MONTH)
    assert [place.number for place in book.places()] == [gone, stays]
    assert [epoch.month for epoch in book.epochs()] == [MONTH + 1]


def test_a_struck_meter_is_in_the_book_no_more_once_no_epoch_holds_it(tmp_path: Path) -> None:
    book = opened(tmp_path)
    gone, stays = (enrolled(book, name, 1) for name in "ab")
    spare = book.add(LINE).number
    a_month(book)
    book.strike_meter(book[gone].meter)
    assert [place.number for place in book.places()] == [gone, stays, spare]
    book.forget(LINE, MONTH)
    book.strike_meter(book[gone].meter)
    assert [place.number for place in book.places()] == [stays, spare]
