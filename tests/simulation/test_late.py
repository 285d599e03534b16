"""Records that come after their slot: an aggregator brings those that are meters' own, once, and no others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gridproof.actors.data_aggregator import DataAggregator
from gridproof.domain import Direction
from gridproof.modules.aggregation import errors as refusals
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import SlotRecord

from tests.simulation.billed import A_MONTH, BilledVillage, Lossy
from tests.simulation.falsehoods import records_of
from tests.simulation.village import slot

NAMES = [f"meter {n}" for n in range(4)]
ADA = NAMES[0]
N = 2  # the period in which Ada's records are lost on the line


@pytest.fixture
def village(tmp_path: Path) -> Iterator[BilledVillage]:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.read_month(NAMES)
        line = Lossy(village)
        village.run(1, line, A_MONTH)
        line.lost = {record.prid for record in records_of(village, ADA, N)}
        bring, village.crew.bring_late = village.crew.bring_late, lambda _slot: 0  # type: ignore[assignment,method-assign]
        village.run(N + 1, line, A_MONTH)
        village.crew.bring_late = bring  # type: ignore[method-assign]
        yield village


@pytest.fixture
def aggregator(village: BilledVillage) -> DataAggregator:
    return next(iter(village.crew.aggregators.values()))


def brought(village: BilledVillage) -> list[SlotRecord]:
    bodies = village.client.ask(aggregation.late_bodies, *slot(N))
    return [record for body in bodies for record in body.records]


def test_what_a_meter_kept_is_brought_once(village: BilledVillage) -> None:
    assert brought(village) == []
    total = village.state(N)
    assert village.crew.bring_late(slot(N)) == 2
    assert village.settle() == []
    assert sorted(record.prid for record in brought(village)) == sorted(
        record.prid for record in records_of(village, ADA, N)
    )
    assert village.crew.bring_late(slot(N)) == 0
    assert village.state(N) == total, "a total is not touched by what comes late"


def test_what_the_slot_has_is_not_brought_again(village: BilledVillage, aggregator: DataAggregator) -> None:
    assert village.crew.bring_late(slot(N - 1)) == 0
    assert aggregator.submit_late(slot(N), records_of(village, NAMES[1], N)) == 2
    (refused,) = village.settle()
    assert isinstance(refused.refusal, refusals.NothingNew)
    assert brought(village) == []


def test_forged_foreign_and_malformed_records_are_left_out(village: BilledVillage, aggregator: DataAggregator) -> None:
    first, second = records_of(village, ADA, N)
    stray = records_of(village, ADA, N + 1)
    strange = [
        replace(first, rc=first.rc ^ 1),
        replace(first, signature=bytes(64)),
        replace(first, prid=bytes(32)),
        replace(first, prid=b"short"),
        replace(first, signature=b"short"),
        replace(first, rc=2**64),
        *stray,
    ]
    assert aggregator.submit_late(slot(N), strange) == 0
    assert aggregator.submit_late(slot(N), [*strange, second]) == 1
    assert village.settle() == []
    assert brought(village) == [second]


def test_a_slot_that_still_takes_batches_has_no_side_batch(village: BilledVillage, aggregator: DataAggregator) -> None:
    own = records_of(village, ADA, N + 1)
    assert aggregator.submit_late(slot(N + 1), own) == 2
    (refused,) = village.settle()
    assert isinstance(refused.refusal, refusals.AggregationError)
    assert village.client.ask(aggregation.late, *slot(N + 1)) is None


def test_a_region_that_no_aggregator_serves_gets_nothing_late(village: BilledVillage) -> None:
    posts = village.crew._posts
    village.crew._posts = posts._replace(aggregators=tuple(post._replace(regions=()) for post in posts.aggregators))
    assert village.crew.bring_late(slot(N)) == 0
    assert village.crew.bring_late(slot(N, Direction.EXPORT)) == 0
