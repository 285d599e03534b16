"""Rules of meters: enrolled, revoked and swapped from periods to come, and counted by steps."""

import pytest

from gridproof.domain import Direction, ParticipantId, RegionId
from gridproof.modules.registry import errors, queries
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.messages import EnrolMeter, MeterEnrolled, MeterRevoked, RevokeMeter, SwapMeter
from gridproof.modules.registry.types import Meter

from .community import (
    DAY_S,
    FIRST_K,
    NOVEMBER,
    NOVEMBER_S,
    OCTOBER,
    PERIOD_S,
    REGION,
    START_S,
    FoldMonth,
    context,
    enrol,
    handle,
    november,
    october,
)
from tests.ledger import Ledger

IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
NOVEMBER_K = NOVEMBER_S[0] // PERIOD_S


def counts(ledger: Ledger, channel: Direction, *periods: int, region: int = 1) -> list[int]:
    with context(ledger) as ctx:
        return [Keeper().enrolled(ctx, RegionId(region), channel, k) for k in periods]


def test_r17_a_meter_is_enrolled_on_its_channels(ledger: Ledger) -> None:
    announced = ledger.accepts("bill-provider", enrol(1, FIRST_K + 4, export=True))
    assert announced == MeterEnrolled(handle(1), 1, FIRST_K + 4)
    with context(ledger) as ctx:
        assert queries.meter(ctx, handle(1)) == Meter(1, (IMPORT, EXPORT), FIRST_K + 4, 0)
    for channel in (IMPORT, EXPORT):
        assert counts(ledger, channel, FIRST_K + 3, FIRST_K + 4, 2**60) == [0, 1, 1]


@pytest.mark.parametrize("channels", [(), (2, 1), (1, 1), (3,), (0,), (1, 2, 3), (-1,), (2**63,)])
def test_r17_other_lists_of_channels_are_refused(ledger: Ledger, channels: tuple[int, ...]) -> None:
    refusal = ledger.refuses("bill-provider", EnrolMeter(handle(1), 1, channels, FIRST_K), code=1027)
    assert isinstance(refusal, errors.BadChannels)
    assert refusal.channels == channels


def test_r17_a_handle_is_used_once_even_after_its_end(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1))
    refusal = ledger.refuses("bill-provider", enrol(1, FIRST_K + 9), code=1028)
    assert isinstance(refusal, errors.HandleUsed)
    assert refusal.meter == handle(1)
    ledger.accepts("bill-provider", RevokeMeter(handle(1), FIRST_K + 8))
    ledger.refuses("bill-provider", enrol(1, FIRST_K + 9), code=1028)
    ledger.accepts("bill-provider", enrol(2))
    ledger.refuses("bill-provider", SwapMeter(handle(2), handle(1), FIRST_K + 9), code=1028)
    ledger.refuses("bill-provider", SwapMeter(handle(2), handle(2), FIRST_K + 9), code=1028)


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_r17_a_handle_of_another_length_is_no_message(ledger: Ledger, size: int) -> None:
    ledger.refuses("bill-provider", EnrolMeter(bytes(size), 1, (1,), FIRST_K), code=1)


def test_r17_a_meter_of_no_region_is_refused(ledger: Ledger) -> None:
    refusal = ledger.refuses("bill-provider", enrol(1, region=3), code=1018)
    assert isinstance(refusal, errors.RegionUnknown)
    assert refusal.region == 3


def test_r18_nobody_is_enrolled_from_a_period_that_has_begun(ledger: Ledger) -> None:
    ledger.advance(PERIOD_S * 2 + 1)
    for k in (FIRST_K, FIRST_K + 2):
        refusal = ledger.refuses("bill-provider", enrol(1, k), code=1031)
        assert isinstance(refusal, errors.PeriodBegun)
        assert (refusal.k, refusal.start_s, refusal.now_s) == (k, k * PERIOD_S, START_S + 2 * PERIOD_S + 1)
    ledger.accepts("bill-provider", enrol(1, FIRST_K + 3))


def test_r18_a_period_that_begins_this_second_is_to_come(ledger: Ledger) -> None:
    ledger.advance(PERIOD_S)
    ledger.accepts("bill-provider", enrol(1, FIRST_K + 1))


def test_r18_nobody_is_revoked_or_swapped_from_a_period_that_has_begun(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1))
    ledger.advance(PERIOD_S + 1)
    refusal = ledger.refuses("bill-provider", RevokeMeter(handle(1), FIRST_K + 1), code=1031)
    assert isinstance(refusal, errors.PeriodBegun)
    assert refusal.k == FIRST_K + 1
    ledger.refuses("bill-provider", SwapMeter(handle(1), handle(2), FIRST_K + 1), code=1031)
    ledger.accepts("bill-provider", RevokeMeter(handle(1), FIRST_K + 2))


@pytest.mark.parametrize("k", [0, -1, 2**40 + 1])
def test_r18_a_period_beyond_all_sense_is_no_message(ledger: Ledger, k: int) -> None:
    ledger.refuses("bill-provider", enrol(1, k), code=1)
    ledger.accepts("bill-provider", enrol(1))
    ledger.refuses("bill-provider", RevokeMeter(handle(1), k), code=1)
    ledger.refuses("bill-provider", SwapMeter(handle(1), handle(2), k), code=1)


def test_r19_a_revoked_meter_counts_no_longer_from_its_end(ledger: Ledger) -> None:
    ledger.send("bill-provider", enrol(1), enrol(2), enrol(3, export=True))
    announced = ledger.accepts("bill-provider", RevokeMeter(handle(3), FIRST_K + 8))
    assert announced == MeterRevoked(handle(3), 1, FIRST_K + 8)
    assert counts(ledger, IMPORT, FIRST_K, FIRST_K + 7, FIRST_K + 8) == [3, 3, 2]
    assert counts(ledger, EXPORT, FIRST_K, FIRST_K + 7, FIRST_K + 8) == [1, 1, 0]


def test_r19_an_enrolment_ends_once(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1))
    ledger.accepts("bill-provider", RevokeMeter(handle(1), FIRST_K + 8))
    for message in (RevokeMeter(handle(1), FIRST_K + 9), SwapMeter(handle(1), handle(2), FIRST_K + 9)):
        refusal = ledger.refuses("bill-provider", message, code=1030)
        assert isinstance(refusal, errors.MeterEnded)
        assert (refusal.meter, refusal.until_k) == (handle(1), FIRST_K + 8)


def test_r19_an_enrolment_does_not_end_before_it_begins(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1, FIRST_K + 8))
    refusal = ledger.refuses("bill-provider", RevokeMeter(handle(1), FIRST_K + 7), code=1032)
    assert isinstance(refusal, errors.EndsBeforeItBegins)
    assert (refusal.meter, refusal.from_k, refusal.until_k) == (handle(1), FIRST_K + 8, FIRST_K + 7)


def test_r19_an_enrolment_that_ends_where_it_begins_never_counts(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1, FIRST_K + 8))
    ledger.accepts("bill-provider", RevokeMeter(handle(1), FIRST_K + 8))
    assert counts(ledger, IMPORT, FIRST_K + 7, FIRST_K + 8, FIRST_K + 9) == [0, 0, 0]


def test_r19_a_meter_that_is_not_there_is_not_revoked(ledger: Ledger) -> None:
    for message in (RevokeMeter(handle(7), FIRST_K), SwapMeter(handle(7), handle(8), FIRST_K)):
        refusal = ledger.refuses("bill-provider", message, code=1029)
        assert isinstance(refusal, errors.MeterUnknown)
        assert refusal.meter == handle(7)


def test_a_swap_ends_one_and_begins_the_other_and_the_count_stays(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1, export=True))
    announced = ledger.send("bill-provider", SwapMeter(handle(1), handle(2), FIRST_K + 8))
    assert announced == (MeterRevoked(handle(1), 1, FIRST_K + 8), MeterEnrolled(handle(2), 1, FIRST_K + 8))
    with context(ledger) as ctx:
        assert dict(queries.meters(ctx, 1)) == {
            handle(1): Meter(1, (1, 2), FIRST_K, FIRST_K + 8),
            handle(2): Meter(1, (1, 2), FIRST_K + 8, 0),
        }
    assert counts(ledger, EXPORT, FIRST_K, FIRST_K + 7, FIRST_K + 8, FIRST_K + 9) == [1, 1, 1, 1]


def test_r20_counts_follow_enrolments_in_any_order(ledger: Ledger) -> None:
    for number, k in enumerate((8, 0, 4, 4, 12)):
        ledger.accepts("bill-provider", enrol(number, FIRST_K + k))
    assert counts(ledger, IMPORT, *(FIRST_K + k for k in (0, 3, 4, 7, 8, 11, 12))) == [1, 1, 3, 3, 4, 4, 5]


def test_r20_regions_count_apart(ledger: Ledger) -> None:
    ledger.accepts("operator", REGION)
    ledger.send("bill-provider", enrol(1), enrol(2, region=2), enrol(3, region=2))
    assert counts(ledger, IMPORT, FIRST_K) == [1]
    assert counts(ledger, IMPORT, FIRST_K, region=2) == [2]
    with context(ledger) as ctx:
        assert [each for each, _ in queries.meters(ctx, 2)] == [handle(2), handle(3)]


def test_r20_a_closed_months_counts_stay_until_the_next_one_closes(ledger: Ledger) -> None:
    ledger.send("operator", october(), november())
    ledger.send("bill-provider", enrol(1), enrol(2, FIRST_K + 4), enrol(3, NOVEMBER_K + 4))
    ledger.advance(31 * DAY_S)
    ledger.accepts("operator", FoldMonth(1, OCTOBER))
    assert counts(ledger, IMPORT, FIRST_K, FIRST_K + 4, NOVEMBER_K, NOVEMBER_K + 4) == [1, 2, 2, 3]
    ledger.advance(30 * DAY_S)
    ledger.accepts("operator", FoldMonth(1, NOVEMBER))
    assert counts(ledger, IMPORT, NOVEMBER_K, NOVEMBER_K + 4) == [2, 3]
    for k in (FIRST_K, NOVEMBER_K - 1):
        with context(ledger) as ctx, pytest.raises(errors.CountForgotten) as refusal:
            Keeper().enrolled(ctx, RegionId(1), IMPORT, k)
        assert (refusal.value.region, refusal.value.channel) == (1, IMPORT)
        assert (refusal.value.k, refusal.value.known_from_k) == (k, NOVEMBER_K)


def test_r20_an_open_months_counts_outlive_a_later_months_close(ledger: Ledger) -> None:
    ledger.send("operator", october(), november())
    ledger.send("bill-provider", enrol(1), enrol(2, FIRST_K + 4))
    ledger.advance(61 * DAY_S)
    ledger.accepts("operator", FoldMonth(1, NOVEMBER))
    assert counts(ledger, IMPORT, FIRST_K, FIRST_K + 4, NOVEMBER_K) == [1, 2, 2]


def test_r20_meters_come_and_go_after_counts_were_forgotten(ledger: Ledger) -> None:
    ledger.send("operator", october(), november())
    ledger.send("bill-provider", enrol(1), enrol(2))
    ledger.advance(61 * DAY_S)
    ledger.send("operator", FoldMonth(1, OCTOBER), FoldMonth(1, NOVEMBER))
    end_k = NOVEMBER_S[1] // PERIOD_S
    ledger.send("bill-provider", RevokeMeter(handle(1), end_k), enrol(3, end_k + 1))
    assert counts(ledger, IMPORT, NOVEMBER_K, end_k, end_k + 1) == [2, 1, 2]


def test_hostile_questions_for_counts_are_answered(ledger: Ledger) -> None:
    ledger.accepts("bill-provider", enrol(1))
    with context(ledger) as ctx:
        for channel in (-1, 0, 3, 2**70):
            assert queries.enrolled(ctx, 1, channel, FIRST_K) == 0
        assert queries.meter(ctx, b"short") is None
        for region in (-1, 0, 9, 2**70):
            for ask in (queries.meters, queries.months):
                with pytest.raises(errors.RegionUnknown):
                    ask(ctx, region)
            with pytest.raises(errors.RegionUnknown):
                queries.enrolled(ctx, region, 1, FIRST_K)
            assert queries.region(ctx, region) is None
            assert queries.month(ctx, region, OCTOBER) is None
        for participant in (-1, 0, 9, 2**70):
            assert queries.participant(ctx, participant) is None
            assert queries.key(ctx, participant, 1) is None
            assert not Keeper().had_receipt_key(ctx, ParticipantId(participant), bytes(32), 0)
        assert queries.key(ctx, 1, 99) is None
