"""Readings come from a file's first periods, or are made up, the same from the same seed."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from gridproof.actors.demo.script import Span
from gridproof.actors.demo.supply import PERIOD_S, from_file, made_up
from gridproof.connectors.readings import ReadingsRefusedError
from gridproof.domain import Direction

BOTH = (Direction.IMPORT, Direction.EXPORT)
START_S = 1_761_519_600  # 26 October 2025, 23:00 UTC
K = START_S // PERIOD_S


def written(path: Path, rows: Iterable[str]) -> Path:
    path.write_text("\n".join(["meter,start,energy_wh,channel", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_files_first_periods_are_taken_of_all_its_meters(tmp_path: Path) -> None:
    rows = ["b,2025-10-26T23:15:00Z,7,", "a,2025-10-26T23:00:00Z,5,import", "a,2025-10-26T23:00:00Z,1,export"]
    path = written(tmp_path / "few.csv", [*rows, "c,2025-10-27T00:00:00+00:00,9,import"])
    with from_file(path, None, 2) as supply:
        assert dict(supply.meters) == {"a": BOTH, "b": (Direction.IMPORT,), "c": (Direction.IMPORT,)}
        assert supply.span == Span(K, 2)
        readings = list(supply.readings)
    assert [(each.meter, each.energy_wh) for each in readings] == [("a", 5), ("a", 1), ("b", 7)]


def test_a_short_file_gives_fewer_periods_and_a_limit_the_first_meters_by_name(tmp_path: Path) -> None:
    rows = [f"{name},2025-10-26T23:{quarter:02d}:00Z,1," for name in "cab" for quarter in (0, 15)]
    with from_file(written(tmp_path / "short.csv", rows), 2, 96) as supply:
        assert supply.span.periods == 2
        assert list(supply.meters) == ["a", "b"]
        assert {each.meter for each in supply.readings} == {"a", "b"}


def test_a_file_without_readings_gives_no_meters(tmp_path: Path) -> None:
    with from_file(written(tmp_path / "empty.csv", []), None, 96) as supply:
        assert dict(supply.meters) == {}


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ReadingsRefusedError),
        from_file(written(tmp_path / "bad.csv", ["a,2025-10-26T23:01:00Z,1,"]), None, 96),
    ):
        pass


def test_made_up_households_start_at_a_local_midnight_and_some_have_generators() -> None:
    supply = made_up(20, 3, seed=1)
    assert supply.span.first_k * PERIOD_S % 86_400 == 22 * 3_600  # summer time
    assert list(supply.meters) == sorted(supply.meters)
    assert 0 < sum(channels == BOTH for channels in supply.meters.values()) < 20
    readings = list(supply.readings)
    assert len(readings) == 3 * sum(map(len, supply.meters.values()))
    assert readings == list(made_up(20, 3, seed=1).readings)
    assert readings != list(made_up(20, 3, seed=2).readings)
