"""The demonstration over real readings, recounted here from the file and the faults that it reports."""

import json
from pathlib import Path
from typing import Any

import pytest

from gridproof.cli.main import run

from .bill_script import check_bills
from .demos import demo, readings_of, told_periods
from tests.shared import data

HOUSEHOLDS = "swiss_households_15min.csv"


def recount(summary: dict[str, Any], readings: dict[int, dict[str, int]]) -> int:
    """Hold each total against the file's readings less those that are reported missing; return how many there were."""
    enrolled = {meter for period in readings.values() for meter in period}
    shares: dict[int, set[str]] = {}
    opened = 0
    for slot in told_periods(summary):
        present = readings[slot["k"]]
        mine = shares.setdefault(slot["region"], set())
        if not mine:
            mine |= {meter for n, meter in enumerate(sorted(enrolled)) if n % summary["regions"] + 1 == slot["region"]}
        live = mine & present.keys() - slot["missing"].keys()
        assert mine - live == slot["missing"].keys(), "whoever has no reading counts as missing"
        assert slot["live"] == len(live)
        if slot["total_wh"] is not None:
            opened += 1
            assert slot["total_wh"] == sum({**present, **slot["understated_wh"]}[meter] for meter in live)
    return opened


@pytest.mark.shared("data")
def test_each_total_of_a_real_day_is_the_sum_of_its_live_meters_readings(tmp_path: Path) -> None:
    path = data(HOUSEHOLDS)
    ran = demo("--readings", path, "--periods", 96, "--dir", tmp_path / "day", "--json")
    assert ran.code == 0, ran.err
    summary = ran.json
    assert set(summary["attacks"].values()) == {"refused", "found"}
    assert (summary["households"], summary["periods"]) == (100, 96)
    readings = readings_of(path)
    assert recount(summary, readings) == 96
    first_k = min(readings)
    everything = sum(sum(readings[k].values()) for k in range(first_k, first_k + 96))
    assert 0 < summary["total_wh"] < everything
    assert check_bills(path, tmp_path / "day") == 100


@pytest.mark.shared("data")
def test_a_week_across_a_months_end_gives_two_months_and_every_total(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = data(HOUSEHOLDS).read_text(encoding="utf-8").splitlines()
    few = tmp_path / "few.csv"
    few.write_text("\n".join([rows[0], *(row for row in rows[1:] if row < "h008")]) + "\n", encoding="utf-8")
    ran = demo("--readings", few, "--periods", 7 * 96, "--dir", tmp_path / "week", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["households"] == 7
    assert recount(ran.json, readings_of(few)) >= 600
    assert run(["status", "--dir", str(tmp_path / "week"), "--json"]) == 0
    told = json.dumps(json.loads(capsys.readouterr().out))
    assert "2025-10" in told
    assert "2025-11" in told
    assert ran.json["bills"] == 14
    assert check_bills(few, tmp_path / "week") == 14


def test_a_gap_in_a_file_is_a_silent_meter_and_a_late_comer_counts_from_its_first_reading(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    lines = ["meter,start,energy_wh,channel"]
    gaps = {("m9", period) for period in range(9)} | {("m3", 8)}
    for period in range(10):
        start = f"2025-03-30T{period // 4:02d}:{period % 4 * 15:02d}:00Z"  # the night in which summer time begins
        meters = [f"m{number}" for number in range(10) if (f"m{number}", period) not in gaps]
        lines += [f"{meter},{start},{100 + period},import" for meter in meters]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    ran = demo("--readings", path, "--dir", tmp_path / "night", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["periods"] == 10
    slots = told_periods(ran.json)
    assert slots[8]["missing"]["m3"] == "silent"
    assert [slot["missing"].get("m9") for slot in slots] == ["silent"] * 9 + [slots[9]["missing"].get("m9")]
    recount(ran.json, readings_of(path))


def test_bad_rows_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("meter,start,energy_wh\nm1,2025-03-30T00:00:00Z,-5\n", encoding="utf-8")
    ran = demo("--readings", path, "--dir", tmp_path / "day", "--json")
    assert ran.code == 1
    assert ran.json["error"] == "ReadingsRefusedError"
    assert not (tmp_path / "day").exists()
