"""What anyone sees does not tell whose it is: the basics, with attackers that win where the rule is broken."""

from itertools import pairwise
from pathlib import Path

import pytest

from gridproof.actors.bill_provider import Newcomer
from gridproof.domain import Direction, Half
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.registry.messages import EnrolMeter, MeterEnrolled, SwapMeter

from tests.simulation.village import OCTOBER, PERIOD_S, REGION, START_S, Village, slot

NAMES = [f"meter {n}" for n in range(6)]
PERIODS = 8


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Village:
    village = Village(tmp_path_factory.mktemp("village"), aggregators=3)
    village.enrol(NAMES)
    village.read((name, n, 400) for n in range(PERIODS) for name in NAMES)
    village.run(PERIODS, month_periods=4)
    return village


def owner_of(village: Village, prid: bytes, n: int) -> tuple[str, int]:
    for name in NAMES:
        meter = village.crew.fleet.find(name, slot(n).k)
        assert meter is not None
        for entry in meter._outbox.find(meter.handle, slot(n)):
            if entry.record.prid == prid:
                return name, entry.half
    raise AssertionError


def test_equal_readings_leave_no_equal_values(village: Village) -> None:
    values = [
        record.rc
        for n in range(PERIODS)
        for body in village.client.ask(aggregation.bodies, *slot(n))
        for record in body.records
    ]
    assert len(set(values)) == len(values) == 2 * len(NAMES) * PERIODS


def test_a_meters_place_among_the_leaves_changes_from_slot_to_slot(village: Village) -> None:
    positions: dict[str, set[int]] = {name: set() for name in NAMES}
    for n in range(PERIODS):
        for body in village.client.ask(aggregation.bodies, *slot(n)):
            for position, record in zip(body.positions, body.records, strict=True):
                positions[owner_of(village, record.prid, n)[0]].add(position)
    assert all(len(taken) > 4 for taken in positions.values())


def test_row15_records_stand_in_the_order_of_the_leaves_not_of_their_coming(village: Village) -> None:
    for n in range(PERIODS):
        for body in village.client.ask(aggregation.bodies, *slot(n)):
            assert list(body.positions) == sorted(body.positions)


def test_row15_halves_go_at_random_times_in_any_order_to_any_aggregator(village: Village) -> None:
    first_before, same_aggregator, times = 0, 0, set()
    for n in range(PERIODS):
        for entries in village.crew.fleet.outbox.of_slot(slot(n)).values():
            first, second = entries
            assert (first.half, second.half) == tuple(Half)
            end_s = START_S + (n + 1) * PERIOD_S
            assert all(end_s <= entry.send_s < end_s + 300 for entry in entries)
            first_before += first.send_s < second.send_s
            same_aggregator += first.aggregator == second.aggregator
            times |= {entry.send_s - end_s for entry in entries}
    pairs = PERIODS * len(NAMES)
    assert pairs // 4 < first_before < 3 * pairs // 4
    assert pairs // 8 < same_aggregator < 2 * pairs // 3
    assert len(times) > pairs


def test_row11_masks_of_two_months_share_nothing(village: Village) -> None:
    """The paper's masks repeat each month: the difference of two months' records is that of two readings."""
    sums = []
    for n in (1, 5):  # the same index in two months of four periods
        entries = village.crew.fleet.outbox.of_slot(slot(n))
        meter = village.crew.fleet.find(NAMES[0], slot(n).k)
        assert meter is not None
        sums.append(sum(entry.record.rc for entry in entries[meter.handle]) % 2**64)
    assert sums[0] != sums[1]


def test_handles_on_the_ledger_tell_nothing(village: Village) -> None:
    handles = [place.meter for place in village.crew.provider.book.places() if place.meter]
    assert len(set(handles)) == len(NAMES)
    public = b"".join(path.read_bytes() for path in sorted((village.folder / "public").rglob("*")) if path.is_file())
    assert not any(handle in public for handle in handles)


def told_meters(village: Village) -> list[bytes]:
    """Handles in the order in which the ledger heard of them."""
    stored = village.client.events_since(b"", 10_000)
    told = [village.ledger.application.decode_event(each.body) for each in stored]
    return [event.meter for event in told if isinstance(event, MeterEnrolled)]


def test_the_ledger_hears_of_meters_in_the_order_of_their_handles_not_of_the_given_list(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        provider = village.crew.provider
        provider.enrol([Newcomer(name, REGION, (Direction.IMPORT,), START_S // PERIOD_S, OCTOBER) for name in NAMES])
        assert village.settle() == []
        named = [provider.book.of_meter(name, slot(0).k)[0].meter for name in NAMES]
        assert named != sorted(named), "drawn in this order, else nothing is proved"
        assert told_meters(village) == sorted(named)
        assert provider.is_caught_up


def test_meters_swapped_before_the_ledger_heard_of_any_are_told_in_the_order_of_the_swaps(tmp_path: Path) -> None:
    with Village(tmp_path) as village:
        provider = village.crew.provider
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(provider, "catch_up", lambda: None)
            provider.enrol([Newcomer("meter", REGION, (Direction.IMPORT,), START_S // PERIOD_S, OCTOBER)])
            first = provider.book.of_meter("meter", slot(0).k)[0].meter
            handles = [first, *(provider.swap("meter", "meter", slot(n).k, OCTOBER).meter for n in range(1, 6))]
        assert handles != sorted(handles)
        told = list(provider._meter_messages())
        assert [each.meter for each in told if isinstance(each, EnrolMeter)] == handles[:1]
        assert [(each.old, each.new) for each in told if isinstance(each, SwapMeter)] == list(pairwise(handles))


def test_with_a_passphrase_no_key_and_no_owner_lies_open(tmp_path: Path) -> None:
    with Village(tmp_path, passphrase="secret words") as village:
        village.enrol(NAMES)
        village.read((name, n, 5) for n in range(2) for name in NAMES)
        village.run(2)
        place = village.crew.provider.book.of_meter(NAMES[0], slot(0).k)[0]
        chain = village.crew.provider.keys.chains(place.line, 2025 * 12 + 9, [place.number])[place.number]
        owners = village.crew.provider.months.owners(slot(0)).tobytes()
        for path in tmp_path.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not any(secret in content for secret in (chain.sign, chain.view, owners)), path
        for path in [*tmp_path.rglob("*.key"), *tmp_path.glob("enrolments/*")]:
            assert path.stat().st_mode & 0o777 == 0o600
        assert village.state(1).total_wh == 5 * len(NAMES)
        assert village.state(1, Direction.IMPORT).enrolled == len(NAMES)
