"""What is due when, and in which order."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.actors.timeline import BRINGING, LEAD_S, SENDING, Kind, Step, month_steps, slot_steps, together
from gridproof.domain import MonthBounds, MonthId, RegionRules

RULES = RegionRules(900, 600, 1, 3_600, 7_200, 2)


def test_a_slot_is_recorded_sent_brought_and_closed() -> None:
    steps = list(slot_steps(1, RULES, 10, 11))
    end_s = 11 * 900
    assert steps[0] == Step(end_s, Kind.RECORD, 1, 10)
    assert steps[-1] == Step(end_s + 600, Kind.CLOSE, 1, 10)
    assert [step.at_s - end_s for step in steps if step.kind == Kind.SEND] == [75 * part for part in SENDING]
    assert [step.at_s - end_s for step in steps if step.kind == Kind.BRING] == [75 * part for part in BRINGING]


def test_what_is_sent_at_an_instant_can_still_be_brought_at_it() -> None:
    steps = list(slot_steps(1, RULES, 10, 11))
    for at_s in {step.at_s for step in steps if step.kind == Kind.BRING}:
        kinds = [step.kind for step in steps if step.at_s == at_s]
        assert kinds == sorted(kinds)


@settings(max_examples=50)
@given(st.sampled_from([300, 900, 3_600]), st.integers(60, 20_000), st.integers(0, 30))
def test_steps_come_in_order_also_when_windows_overlap(period_s: int, window_s: int, count: int) -> None:
    rules = RULES._replace(period_s=period_s, window_s=window_s)
    steps = list(slot_steps(1, rules, 5, 5 + count))
    assert all(before <= after for before, after in pairwise(steps))
    assert len(steps) == count * (2 + len(SENDING) + len(BRINGING))


def test_a_month_is_prepared_ahead_rolled_over_at_its_end_and_settled_after_the_last_deadline() -> None:
    months = [MonthBounds(MonthId(24_000 + n), n * 10 * 86_400, (n + 1) * 10 * 86_400, 900) for n in range(2)]
    steps = list(month_steps(3, RULES, months))
    assert steps == sorted(steps)
    assert [step for step in steps if step.number == 24_000] == [
        Step(0, Kind.PREPARE, 3, 24_000),
        Step(10 * 86_400, Kind.ROLL_OVER, 3, 24_000),
        Step(10 * 86_400 + 600 + 7_200, Kind.SETTLE, 3, 24_000),
    ]
    assert Step(10 * 86_400 - LEAD_S, Kind.PREPARE, 3, 24_001) in steps


def test_regions_are_taken_together_in_order() -> None:
    both = list(together([slot_steps(region, RULES, 0, 3) for region in (2, 1)]))
    assert both == sorted(both)
    assert {step.region for step in both} == {1, 2}
