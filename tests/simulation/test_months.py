"""Months: keys are led on and erased, identities never return, slots are folded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.actors.bill_provider.keys import Line
from gridproof.actors.enrolment import read_household, read_meter
from gridproof.actors.errors import MonthErasedError
from gridproof.domain import Direction, MonthId, sign_seeds, view_seeds
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.registry import queries as registry

from tests.simulation.village import NOVEMBER, OCTOBER, PERIOD_S, REGION, START_S, Village, slot

NAMES = [f"meter {n}" for n in range(4)]
A_MONTH = 4  # periods
LINE = Line(REGION, Direction.IMPORT)


def reading(name: str, n: int) -> int:
    return 7 + NAMES.index(name) + n


def on_disk(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and secret in path.read_bytes()]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        village.read((name, n, reading(name, n)) for n in range(3 * A_MONTH) for name in NAMES)
        yield village


def test_totals_go_on_over_the_months_and_no_identity_returns(village: Village) -> None:
    village.run(3 * A_MONTH, month_periods=A_MONTH)
    prids = []
    for n in range(3 * A_MONTH):
        assert village.state(n).total_wh == sum(reading(name, n) for name in NAMES)
        prids += [record.prid for body in village.client.ask(aggregation.bodies, *slot(n)) for record in body.records]
    assert len(set(prids)) == len(prids) == 2 * len(NAMES) * 3 * A_MONTH
    assert (village.watcher.refusals, village.watcher.problems) == ([], [])


def test_row11_erased_keys_are_gone_from_the_disk_and_view_seeds_stay_until_the_bill_is_final(village: Village) -> None:
    village.run(A_MONTH - 1, month_periods=A_MONTH)
    place = village.crew.provider.book.of_meter(NAMES[0], slot(0).k)[0]
    chain = village.crew.provider.keys.chains(LINE, OCTOBER, [place.number])[place.number]
    signing = (chain.sign, chain.view, *sign_seeds(chain.sign, Direction.IMPORT))
    viewing = view_seeds(chain.view, Direction.IMPORT)
    assert on_disk(village.folder, chain.sign), "a search that finds nothing now proves nothing later"
    assert on_disk(village.folder, viewing.first)

    village.run(A_MONTH + 1, month_periods=A_MONTH)
    meter = village.crew.fleet.find(NAMES[0], slot(0).k)
    assert meter is not None
    for secret in signing:
        holders = [name for name in on_disk(village.folder, secret) if not name.endswith(".household")]
        assert holders == [], "keys of a past month lie about"
    assert on_disk(village.folder, viewing.first) == [f"{OCTOBER}.key"]
    assert village.crew.totals.readings(slot(0))[NAMES[0]] == reading(NAMES[0], 0)
    with pytest.raises(MonthErasedError):
        meter.record(slot(0), reading(NAMES[0], 0) + 1, village.clock.now_s())

    village.crew.provider.finish_month(REGION, OCTOBER)
    assert on_disk(village.folder, viewing.first) == []


def test_meter_and_bill_provider_lead_the_same_keys_on_and_the_household_can_follow(village: Village) -> None:
    household = read_household(village.secrets, next(iter(sorted((village.folder / "enrolments").glob("*.household")))))
    village.run(A_MONTH + 1, month_periods=A_MONTH)
    path = next(iter(sorted((village.folder / "enrolments").glob("*.meter"))))
    file = read_meter(village.secrets, path)
    assert file.month == NOVEMBER
    place = village.crew.provider.book.of_meter(file.name, slot(0).k)[0]
    assert village.crew.provider.keys.chains(LINE, NOVEMBER, [place.number])[place.number] == file.chains[0]
    assert household.view_in_month(Direction.IMPORT, NOVEMBER) == file.chains[0].view


def test_a_silent_meters_keys_are_led_on_too(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol([*NAMES, "silent"])
        village.read((name, n, 1) for n in range(A_MONTH + 1) for name in NAMES)
        village.run(A_MONTH + 1, month_periods=A_MONTH)
        months = {read_meter(village.secrets, path).month for path in (tmp_path / "enrolments").glob("*.meter")}
        assert months == {NOVEMBER}


def test_after_the_last_deadline_the_month_is_folded(village: Village) -> None:
    total_wh = sum(reading(name, n) for name in NAMES for n in range(A_MONTH))
    until_s = START_S + A_MONTH * PERIOD_S + 8 * 86_400
    village.run(A_MONTH, month_periods=A_MONTH, until_s=until_s)
    month = village.client.ask(registry.month, REGION, OCTOBER)
    fold = village.client.ask(aggregation.fold, REGION, Direction.IMPORT, OCTOBER)
    assert month is not None
    assert fold is not None
    assert month.closed
    assert (fold.slots, fold.opened, fold.total_wh) == (A_MONTH, A_MONTH, total_wh)
    before = village.ledger.head
    village.run(A_MONTH, month_periods=A_MONTH, until_s=until_s)
    assert village.ledger.head == before


def test_months_between_which_nothing_was_read_are_stepped_over(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        village.enrol(NAMES)
        december = MonthId(OCTOBER + 2)
        village.read((name, n, reading(name, n)) for n in (0, 2 * A_MONTH) for name in NAMES)
        conductor = village.conductor(month_periods=A_MONTH)
        conductor.run([OCTOBER], START_S, START_S + PERIOD_S)
        later = village.conductor(month_periods=A_MONTH)
        later.run([december], START_S + 2 * A_MONTH * PERIOD_S, START_S + (2 * A_MONTH + 1) * PERIOD_S)
        assert village.state(2 * A_MONTH).total_wh == sum(reading(name, 2 * A_MONTH) for name in NAMES)
