"""A meter: rules T-1 to T-4."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gridproof.actors.enrolment import read_household, read_meter
from gridproof.actors.errors import (
    BadRecordError,
    ChannelUnknownError,
    MonthErasedError,
    ReadingDiffersError,
    RecordTooLateError,
    WrongMonthError,
)
from gridproof.actors.meter import Meter, Surroundings
from gridproof.actors.randomness import Seeded
from gridproof.actors.transport import Receipt, Reply
from gridproof.connectors.outbox import Outbox
from gridproof.domain import (
    Direction,
    Half,
    Halves,
    MonthBounds,
    OutOfRangeError,
    Slot,
    leaf_at,
    reading,
    receipt_hash,
    record_hash,
    view_seeds,
)
from gridproof.modules.aggregation.rules.timetable import timetable
from gridproof.primitives import schnorr
from gridproof.primitives.schnorr import Signer

from tests.simulation.village import CHAIN, NOVEMBER, OCTOBER, PERIOD_S, REGION, START_S, Village, slot

BOUNDS = MonthBounds(OCTOBER, START_S, START_S + 96 * PERIOD_S, PERIOD_S)
END_S = START_S + PERIOD_S  # of slot 0
AGGREGATOR = Signer(b"\x0a" * 32)
KEYS = {5: AGGREGATOR.public_key, 9: Signer(b"\x0b" * 32).public_key}


OPENED: list[Outbox] = []


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        village.enrol(["meter"])
        yield village
    while OPENED:
        OPENED.pop().close()


def opened(village: Village, keys: Mapping[int, bytes] = KEYS) -> Meter:
    """The meter, as after a start of its process."""
    path = next((village.folder / "enrolments").glob("*.meter"))
    outbox = Outbox(village.folder / "own.db")
    OPENED.append(outbox)
    around = Surroundings(village.crew.rules[REGION], keys)
    meter = Meter(path, village.secrets, outbox, around, Seeded(b"times"))
    meter.begin_month(BOUNDS, END_S)
    return meter


@pytest.fixture
def meter(village: Village) -> Meter:
    return opened(village)


def receipt_for(meter: Meter, n: int, half: Half, signer: Signer = AGGREGATOR, aggregator: int = 5) -> Receipt:
    entry = meter._outbox.find(meter.handle, slot(n))[half - 1]
    prid, rc = entry.record.prid, entry.record.rc
    signed = record_hash(CHAIN, slot(n), prid, rc)
    return Receipt(aggregator, signer.sign(receipt_hash(CHAIN, slot(n), prid, signed, aggregator)))


def test_both_records_hide_the_reading_and_give_it_to_the_households_view(village: Village, meter: Meter) -> None:
    meter.record(slot(0), 1_234, END_S)
    entries = meter._outbox.find(meter.handle, slot(0))
    household = read_household(village.secrets, next((village.folder / "enrolments").glob("*.household")))
    seeds = view_seeds(household.view_in_month(Direction.IMPORT, OCTOBER), Direction.IMPORT)
    leaves = [leaf_at(seed, BOUNDS, slot(0).k) for seed in seeds]
    assert reading(Halves(*(entry.record.rc for entry in entries)), *leaves) == 1_234
    for entry in entries:
        signed = record_hash(CHAIN, slot(0), entry.record.prid, entry.record.rc)
        assert schnorr.is_valid(entry.record.prid, signed, entry.record.signature)


def test_t1_records_are_stored_before_they_can_be_sent_and_the_same_bytes_after_a_restart(
    village: Village, meter: Meter
) -> None:
    meter.record(slot(0), 100, END_S)
    stored = meter._outbox.find(meter.handle, slot(0))
    again = opened(village)
    again.record(slot(0), 100, END_S + 200)
    assert again._outbox.find(again.handle, slot(0)) == stored
    assert again.due(END_S + 600) == sorted(stored, key=lambda entry: entry.send_s)


def test_t2_another_reading_of_a_recorded_period_is_refused_and_the_first_kept(village: Village, meter: Meter) -> None:
    meter.record(slot(0), 100, END_S)
    stored = meter._outbox.find(meter.handle, slot(0))
    for each in (meter, opened(village)):
        with pytest.raises(ReadingDiffersError) as refused:
            each.record(slot(0), 101, END_S)
        assert (refused.value.meter, refused.value.channel, refused.value.k) == ("meter", "import", slot(0).k)
        assert each._outbox.find(each.handle, slot(0)) == stored


def test_t3_times_are_drawn_over_half_the_window_and_due_when_they_have_come(meter: Meter) -> None:
    for n in range(20):
        meter.record(slot(n), n, END_S)
    times = [entry.send_s - (START_S + (n + 1) * PERIOD_S) for n in range(20) for entry in _entries(meter, n)]
    assert all(0 <= after < 300 for after in times)
    assert len(set(times)) > 25
    assert meter.next_send_s == min(entry.send_s for n in range(20) for entry in _entries(meter, n))
    assert meter.due(END_S - 1) == []
    assert {entry.slot for entry in meter.due(END_S + 300)} == {slot(0)}
    assert {entry.aggregator for n in range(20) for entry in _entries(meter, n)} == {5, 9}


@pytest.mark.parametrize("after_s", [250, 300, 450, 590, 596])
def test_t3_the_halves_of_a_late_reading_go_apart_in_what_is_left_of_the_window(meter: Meter, after_s: int) -> None:
    spans = []
    for n in range(12):
        late_s = START_S + (n + 1) * PERIOD_S + after_s
        meter.record(slot(n), 5, late_s)
        first, second = [entry.send_s - late_s for entry in _entries(meter, n)]
        assert first != second
        assert all(0 <= each < (600 - after_s) // 2 for each in (first, second))
        spans.append(second - first)
    assert min(spans) < 0 < max(spans)


@pytest.mark.parametrize("after_s", [599, 600, 5_000])
def test_a_reading_that_comes_in_the_windows_last_second_or_after_it_is_sent_at_once(
    meter: Meter, after_s: int
) -> None:
    late_s = END_S + after_s
    meter.record(slot(0), 5, late_s)
    assert [entry.send_s for entry in _entries(meter, 0)] == [late_s, late_s]


def test_on_the_last_call_for_a_period_all_of_it_is_due_and_nothing_of_others(meter: Meter) -> None:
    for n in range(2):
        meter.record(slot(n), n, END_S)
    assert meter.due(END_S - 1, {slot(0).k}) == sorted(_entries(meter, 0), key=lambda entry: entry.send_s)


def test_a_genuine_receipt_is_kept_and_ends_the_sending(village: Village, meter: Meter) -> None:
    meter.record(slot(0), 5, END_S)
    first, second = _entries(meter, 0)
    meter.take_reply(first, receipt_for(meter, 0, Half.FIRST), END_S + 100)
    for each in (meter, opened(village)):
        assert each.due(END_S + 600) == [second]
        assert each._outbox.find(each.handle, slot(0))[0].receipt is not None


@pytest.mark.parametrize("keys", [{5: b"\x01" * 32}, {9: KEYS[9]}], ids=["rotated", "gone"])
def test_a_claim_names_the_key_that_the_receipt_was_checked_with_whatever_serves_now(
    village: Village, meter: Meter, keys: dict[int, bytes]
) -> None:
    meter.record(slot(0), 5, END_S)
    first, second = _entries(meter, 0)
    receipt = receipt_for(meter, 0, Half.FIRST)
    meter.take_reply(first, receipt, END_S + 100)
    later = opened(village, keys)
    (claim,) = later.claims(_entries(later, 0), lambda _prid: (3, ()))
    assert (claim.aggregator, claim.receipt_key, claim.receipt) == (5, AGGREGATOR.public_key, receipt.signature)
    assert claim.record == first.record
    keyless = first._replace(receipt=receipt.signature)
    assert later.claims([keyless, second], lambda _prid: (3, ())) == []


@pytest.mark.parametrize("reply", ["forged", "another record's", "stranger's", None, "refusal"])
def test_t3_what_got_no_genuine_receipt_is_sent_again_to_the_next_aggregator(meter: Meter, reply: str | None) -> None:
    meter.record(slot(0), 5, END_S)
    first = _entries(meter, 0)[0]
    answers: dict[str, Reply] = {
        "forged": receipt_for(meter, 0, Half.FIRST, Signer(b"\x0c" * 32)),
        "another record's": receipt_for(meter, 0, Half.SECOND),
        "stranger's": receipt_for(meter, 0, Half.FIRST, aggregator=77),
        "refusal": BadRecordError(prid=first.record.prid),
    }
    now_s = END_S + 100
    meter.take_reply(first, answers.get(reply or ""), now_s)
    later = _entries(meter, 0)[0]
    assert (later.record, later.receipt, later.send_s) == (first.record, None, now_s + 75)
    assert {first.aggregator, later.aggregator} == {5, 9}


def test_after_the_window_a_record_is_given_up_and_kept(village: Village, meter: Meter) -> None:
    meter.record(slot(0), 5, END_S)
    first, second = _entries(meter, 0)
    window_end_s = timetable(slot(0).k, village.crew.rules[REGION]).window_end_s
    meter.take_reply(first, None, window_end_s)
    meter.take_reply(second, RecordTooLateError(now_s=1, end_s=0), END_S + 100)
    for each in (meter, opened(village)):
        assert each.due(window_end_s + 10_000) == []
        assert [entry.record for entry in _entries(each, 0)] == [first.record, second.record]
        assert each.next_send_s is None


def test_periods_outside_the_month_the_region_and_the_enrolment_are_refused(village: Village, meter: Meter) -> None:
    for wrong in (slot(96), Slot(slot(0).region.__class__(2), Direction.IMPORT, slot(0).k)):
        with pytest.raises(WrongMonthError):
            meter.record(wrong, 5, END_S)
    with pytest.raises(MonthErasedError) as erased:
        meter.record(slot(-1), 5, END_S)
    assert erased.value.what == "meter meter"
    with pytest.raises(ChannelUnknownError):
        meter.record(slot(0, Direction.EXPORT), 5, END_S)
    with pytest.raises(OutOfRangeError):
        meter.record(slot(0), -1, END_S)
    assert _entries(meter, 0) == []
    village.enrol(["later"], from_k=slot(9).k)
    village.crew.fleet.refresh()
    later = village.crew.fleet.find("later", slot(9).k)
    assert later is not None
    later.begin_month(BOUNDS, END_S)
    with pytest.raises(WrongMonthError):
        later.record(slot(8), 5, END_S)


NOVEMBER_BOUNDS = MonthBounds(NOVEMBER, BOUNDS.end_s, BOUNDS.end_s + 900, PERIOD_S)


@pytest.mark.parametrize("restarted", [False, True])
def test_t4_a_later_month_erases_the_keys_of_the_one_before_when_its_windows_are_over(
    village: Village, meter: Meter, restarted: bool
) -> None:
    path = next((village.folder / "enrolments").glob("*.meter"))
    before = path.read_bytes()
    open_s, over_s = BOUNDS.end_s + 599, BOUNDS.end_s + 600
    meter.begin_month(NOVEMBER_BOUNDS, open_s)
    assert path.read_bytes() == before
    if restarted:
        meter = opened(village)
        meter.begin_month(NOVEMBER_BOUNDS, open_s)
    meter.record(slot(95), 5, open_s)
    meter.record(slot(96), 5, open_s)
    for _ in range(2):
        meter.begin_month(NOVEMBER_BOUNDS, over_s)
    assert read_meter(village.secrets, path).month == NOVEMBER
    with pytest.raises(MonthErasedError):
        meter.begin_month(BOUNDS, over_s)
    for n in (0, 94):
        with pytest.raises(MonthErasedError) as erased:
            meter.record(slot(n), 5, over_s)
        assert erased.value.month == OCTOBER
        assert _entries(meter, n) == []
    meter._outbox.forget([meter.handle], slot(97).k)
    meter.record(slot(96), 6, over_s)


def test_t4_both_months_records_are_the_same_whether_they_were_made_before_the_months_end_or_after(
    village: Village, meter: Meter
) -> None:
    made = [meter._make(slot(95), 5)]
    meter.begin_month(NOVEMBER_BOUNDS, BOUNDS.end_s)
    made.append(meter._make(slot(96), 5))
    again = [meter._make(slot(95), 5)]
    meter.begin_month(NOVEMBER_BOUNDS, BOUNDS.end_s + 600)
    assert [*again, meter._make(slot(96), 5)] == made


def test_forgotten_records_are_gone(meter: Meter) -> None:
    meter.record(slot(0), 5, END_S)
    meter.record(slot(1), 5, END_S)
    meter.forget(slot(1).k)
    assert (_entries(meter, 0), len(_entries(meter, 1))) == ([], 2)


def test_what_a_meter_shows_of_itself(meter: Meter) -> None:
    assert repr(meter) == "Meter('meter')"
    assert (meter.name, meter.region, meter.channels, len(meter.handle)) == ("meter", REGION, (Direction.IMPORT,), 16)


def _entries(meter: Meter, n: int) -> list:
    return meter._outbox.find(meter.handle, slot(n))
