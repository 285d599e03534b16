"""Meters that come and go: never-used places with keys of their own, and what is public of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.actors.bill_provider import Kind, Newcomer
from gridproof.actors.enrolment import read_household
from gridproof.actors.errors import AlreadyEnrolledError, NoSparePlaceError, NotEnrolledError, UnknownIdentityError
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import Direction, Slot, roster_leaf
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.registry import queries as registry

from tests.simulation.village import OCTOBER, PERIOD_S, REGION, START_S, Village, slot

NAMES = [f"meter {n}" for n in range(5)]
IMPORT = (Direction.IMPORT,)


def reading(name: str, n: int) -> int:
    return 20 + 3 * len(name) + n


def day(village: Village, start: int, stop: int) -> None:
    """Let periods go by in which every meter of the village reads."""
    names = sorted({place.name for place in village.crew.provider.book.places() if place.name})
    village.read((name, n, reading(name, n)) for n in range(start, stop) for name in names)
    village.run(stop)


def public_of(village: Village) -> list[bytes]:
    files = RosterFiles(village.folder / "public")
    roots = [files.open(REGION, Direction.IMPORT, OCTOBER, n + 1).roots() for n in range(epochs(village))]
    return [b"".join(roots)]


def epochs(village: Village) -> int:
    return village.client.ask(aggregation.last_epoch, REGION, Direction.IMPORT, OCTOBER)


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        day(village, 0, 2)
        yield village


def total(n: int, *names: str) -> int:
    return sum(reading(name, n) for name in names)


def test_row19_a_newcomer_takes_a_never_used_place_and_no_public_file_changes(village: Village) -> None:
    before = public_of(village)
    spares = [place.number for place in village.crew.provider.book.places() if place.is_spare]
    village.enrol(["newcomer"], from_k=slot(4).k)
    taken = village.crew.provider.book.of_meter("newcomer", slot(4).k)[0]
    assert taken.number == spares[0]
    assert (public_of(village), epochs(village)) == (before, 1)
    day(village, 2, 6)
    assert [village.state(n).total_wh for n in range(2, 6)] == [
        total(n, *NAMES, *(["newcomer"] if n >= 4 else [])) for n in range(2, 6)
    ]
    assert [village.state(n).enrolled for n in (3, 4)] == [5, 6]


def test_without_a_never_used_place_the_newcomer_waits_for_the_next_month(village: Village) -> None:
    village.enrol(["a", "b", "c"], from_k=slot(5).k)
    before = village.crew.provider.book.places()
    with pytest.raises(NoSparePlaceError) as refused:
        village.enrol(["d"], from_k=slot(5).k)
    assert (refused.value.region, refused.value.month) == (REGION, OCTOBER)
    assert village.crew.provider.book.places() == before
    village.enrol(["d"], from_k=slot(96).k, month=OCTOBER + 1)


def test_who_is_enrolled_cannot_be_enrolled_again(village: Village) -> None:
    with pytest.raises(AlreadyEnrolledError) as refused:
        village.enrol([NAMES[0]], from_k=slot(9).k)
    assert (refused.value.meter, refused.value.until_k) == (NAMES[0], 0)
    with pytest.raises(NotEnrolledError):
        village.crew.provider.move_out("stranger", slot(9).k)


def test_who_moves_in_gets_other_keys_than_who_moved_out(village: Village) -> None:
    name = NAMES[1]
    enrolments = village.folder / "enrolments"
    former = read_household(village.secrets, next(enrolments.glob(f"{name}.*.household")))
    before = public_of(village)
    village.crew.provider.move_out(name, slot(4).k)
    issued = village.crew.provider.enrol([Newcomer(name, REGION, IMPORT, slot(6).k, OCTOBER)])[0]
    village.settle()
    later = read_household(village.secrets, issued.household_file)
    assert (later.meter != former.meter, later.views != former.views) == (True, True)
    assert (public_of(village), epochs(village)) == (before, 1)
    day(village, 2, 8)
    others = [each for each in NAMES if each != name]
    expected = [total(n, *(NAMES if n < 4 or n >= 6 else others)) for n in range(2, 8)]
    assert [village.state(n).total_wh for n in range(2, 8)] == expected
    assert [village.state(n).enrolled for n in (3, 4, 6)] == [5, 4, 5]
    assert village.crew.totals.find_faults(slot(5)) == ()


def test_a_swapped_meter_is_followed_by_the_new_one_without_a_gap(village: Village) -> None:
    issued = village.crew.provider.swap(NAMES[2], "new device", slot(4).k, OCTOBER)
    village.settle()
    old = village.client.ask(registry.meter, village.crew.provider.book.of_meter(NAMES[2], slot(2).k)[0].meter)
    new = village.client.ask(registry.meter, issued.meter)
    assert old is not None
    assert new is not None
    assert (old.until_k, new.from_k, new.until_k) == (slot(4).k, slot(4).k, 0)
    village.read((name, n, reading(name, n)) for n in range(2, 6) for name in [*NAMES, "new device"])
    village.run(6)
    left = [name for name in NAMES if name != NAMES[2]]
    assert village.state(3).total_wh == total(3, *NAMES)
    assert village.state(4).total_wh == total(4, *left, "new device")
    assert [village.state(n).enrolled for n in (3, 4)] == [5, 5]


def test_a_swap_under_the_same_name_changes_keys_and_handle(village: Village) -> None:
    issued = village.crew.provider.swap(NAMES[2], NAMES[2], slot(4).k, OCTOBER)
    village.settle()
    day(village, 2, 6)
    assert [village.state(n).total_wh for n in (3, 4)] == [total(n, *NAMES) for n in (3, 4)]
    meter = village.crew.fleet.find(NAMES[2], slot(4).k)
    assert meter is not None
    assert meter.handle == issued.meter
    with pytest.raises(AlreadyEnrolledError):
        village.crew.provider.swap(NAMES[0], NAMES[1], slot(9).k, OCTOBER)


def leaves_of(village: Village, name: str, n: int) -> set[bytes]:
    """The roster leaves of a meter, from its own records."""
    meter = village.crew.fleet.find(name, slot(n).k)
    assert meter is not None
    return {roster_leaf(record.prid) for record in meter._make(slot(n), 1)}


def test_row19_a_revocation_publishes_what_is_left_of_the_place_and_keeps_the_count(village: Village) -> None:
    name, from_k = NAMES[3], slot(4).k
    files = RosterFiles(village.folder / "public")
    place = village.crew.provider.book.of_meter(name, from_k)[0]
    village.crew.provider.revoke(name, from_k)
    village.settle()
    assert epochs(village) == 2
    first, second = (files.open(REGION, Direction.IMPORT, OCTOBER, epoch) for epoch in (1, 2))
    assert (second.stretch.from_k, second.stretch.width) == (from_k, first.stretch.width)
    gone = {leaf for k in range(from_k, slot(96).k) for leaf in set(first.leaves(k)) - set(second.leaves(k))}
    assert len(gone) == 2 * 92
    assert leaves_of(village, name, 4) < gone
    publication = village.crew.provider.months.publication(village.crew.provider.book.epochs()[-1])
    assert publication.removed == b"".join(sorted(gone))

    old_filter, new_filter = (files.filter(REGION, Direction.IMPORT, OCTOBER, epoch) for epoch in (1, 2))
    assert all(leaf in old_filter for leaf in gone)
    assert not any(leaf in new_filter for leaf in gone)
    past = leaves_of(village, name, 3)
    assert all(leaf in new_filter for leaf in past), "the difference of the filters would link the past leaves"
    assert place.number in village.crew.provider.book.epochs()[0].places
    assert place.number not in village.crew.provider.book.epochs()[1].places


def test_a_revoked_meters_records_are_refused_at_once_and_the_others_go_on(village: Village) -> None:
    name = NAMES[3]
    village.crew.provider.revoke(name, slot(4).k)
    village.settle()
    day(village, 2, 4)
    village.clock.sleep_until_s(START_S + 5 * PERIOD_S + 1)
    meter = village.crew.fleet.find(name, slot(4).k)
    assert meter is not None
    aggregator = next(iter(village.crew.aggregators.values()))
    for record in meter._make(slot(4), 5):
        with pytest.raises(UnknownIdentityError):
            aggregator.take(slot(4), record)
    day(village, 4, 6)
    others = [each for each in NAMES if each != name]
    assert [village.state(n).total_wh for n in (3, 4, 5)] == [total(3, *NAMES), total(4, *others), total(5, *others)]
    assert village.watcher.refusals == []


def test_two_revocations_make_two_epochs_and_their_fresh_places_are_given_to_nobody_this_month(
    village: Village,
) -> None:
    village.crew.provider.revoke(NAMES[3], slot(4).k)
    village.crew.provider.revoke(NAMES[4], slot(6).k)
    village.settle()
    assert epochs(village) == 3
    village.enrol(["a", "b", "c"], from_k=slot(8).k)
    with pytest.raises(NoSparePlaceError):
        village.enrol(["d"], from_k=slot(8).k)
    day(village, 2, 10)
    assert village.state(9).total_wh == total(9, *NAMES[:3], "a", "b", "c")
    assert village.watcher.problems == []


def test_a_record_of_a_place_that_nobody_has_is_left_out_of_the_total(village: Village) -> None:
    """The former meter of a place goes on sending after the move: the ledger takes it, the live set does not."""
    name = NAMES[1]
    village.crew.provider.move_out(name, slot(3).k)
    village.settle()
    day(village, 2, 3)
    meter = village.crew.fleet.find(name, slot(3).k)
    assert meter is not None
    meter.record(slot(3), 500, village.clock.now_s())
    day(village, 3, 4)
    assert village.state(3).total_wh == total(3, *(each for each in NAMES if each != name))
    faults = village.crew.totals.find_faults(slot(3))
    assert [(fault.kind, fault.meter, fault.reading_wh) for fault in faults] == [(Kind.NOT_ENROLLED, name, 500)]


def test_who_is_enrolled_from_the_period_that_begins_just_now_counts_from_it_on(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.clock.sleep_until_s(START_S)
        village.enrol(["höhe " * 12, *NAMES])
        village.enrol(["as the last one"])
        day(village, 0, 1)
        assert (village.state(0).enrolled, village.state(0).live_pairs) == (7, 7)
        assert max(len(path.name) for path in (tmp_path / "enrolments").iterdir()) < 130


def test_files_can_be_issued_again_as_they_were(village: Village) -> None:
    enrolments = village.folder / "enrolments"
    before = {path.name: path.read_bytes() for path in enrolments.iterdir()}
    for path in enrolments.glob(f"{NAMES[0]}.*"):
        path.unlink()
    village.crew.provider.reissue(NAMES[0], slot(2).k, OCTOBER)
    assert {path.name: path.read_bytes() for path in enrolments.iterdir()} == before


def test_a_revocation_that_was_not_published_in_time_is_made_for_a_later_period(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        day(village, 0, 2)
        provider = village.crew.provider
        provider.revoke(NAMES[0], slot(4).k)  # handed in, but the process ends before any block
    with Village(tmp_path) as village:
        village.clock.sleep_until_s(START_S + 6 * PERIOD_S)
        village.crew.provider.catch_up()
        village.settle()
        assert epochs(village) == 2
        second = village.client.ask(aggregation.epochs, REGION, Direction.IMPORT, OCTOBER)[1]
        assert second.from_k == slot(6).k


def test_a_word_that_was_not_brought_in_time_holds_from_a_later_period(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        day(village, 0, 2)
        provider = village.crew.provider
        provider.enrol([Newcomer("newcomer", REGION, IMPORT, slot(3).k, OCTOBER)])
        provider.move_out(NAMES[0], slot(3).k)
        provider.swap(NAMES[1], "device", slot(3).k, OCTOBER)  # all handed in, but the process ends before any block
    with Village(tmp_path) as village:
        village.clock.sleep_until_s(START_S + 6 * PERIOD_S + 5)
        village.crew.provider.catch_up()
        assert village.settle() == []
        assert village.crew.provider.is_caught_up
        places = {place.name: place for place in village.crew.provider.book.places()}
        assert places["newcomer"].from_k == places[NAMES[0]].until_k == slot(7).k
        assert places["device"].from_k == places[NAMES[1]].until_k == slot(7).k
        day(village, 2, 9)
        for n, names in ((6, NAMES), (7, [*NAMES[2:], "device", "newcomer"])):
            assert village.state(n).total_wh == total(n, *names)
            assert village.state(n).enrolled == len(names)


def test_the_slot_of_a_region_without_rosters_is_said_to_have_none(village: Village) -> None:
    stranger = Slot(REGION, Direction.EXPORT, slot(0).k)
    aggregator = next(iter(village.crew.aggregators.values()))
    assert aggregator.pending(stranger) == []
