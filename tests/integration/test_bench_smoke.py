"""The benchmarks run, in small, and what they write can be read; no figure is asserted, machines differ."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import page
from tests.bench.drawing import draw, shown
from tests.bench.results import Curve, Run, from_json, to_json
from tests.bench.section import SCRIPTS
from tests.shared import ROOT

LIMIT_S = 300


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What `python -m tests.bench --quick --json FILE` wrote."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return from_json(file.read_bytes())


def test_every_script_runs_and_measures_its_targets(quick_run: Run) -> None:
    assert list(quick_run.sections) == list(SCRIPTS)
    rows = [row for section in quick_run.sections.values() for row in section.rows]
    assert len(rows) >= 12
    for row in rows:
        assert row.actual is None or row.actual.least <= row.actual.median <= row.actual.greatest


def test_malformed_transactions_leave_the_ledger_as_it_was(quick_run: Run) -> None:
    (row,) = quick_run.sections["malformed"].rows
    assert row.actual is not None
    assert row.actual.greatest == 0


def test_the_page_names_every_work_and_every_curve_is_a_picture(quick_run: Run, tmp_path: Path) -> None:
    written = page.write(quick_run, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    for section in quick_run.sections.values():
        for row in section.rows:
            assert row.work in text
        for profile in section.profiles:
            assert profile.title[1:] in text
    pictures = [path for path in written if path.suffix == ".svg"]
    assert len(pictures) == 2
    for path in pictures:
        assert ET.fromstring(path.read_text(encoding="utf-8")).tag.endswith("svg")
        assert f"_static/{path.name}" in text
    assert from_json((tmp_path / "_static" / "bench.json").read_bytes()) == quick_run


def test_a_run_comes_back_from_its_json_as_it_was(quick_run: Run) -> None:
    assert from_json(to_json(quick_run)) == quick_run


def test_a_point_stands_where_its_figures_say() -> None:
    curve = Curve(name="x", title="t & <t>", x="x", y="y", lines={"one": [(10, 1.0), (1000, 100.0)], "none": []})
    drawn = ET.fromstring(draw(curve))
    circles = [element for element in drawn.iter() if element.tag.endswith("circle")]
    assert [(circle.get("cx"), circle.get("cy")) for circle in circles] == [("72.0", "364.0"), ("500.0", "48.0")]


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (1.1377, "1.14"), (26_740.4, "26,740"), (0.02349, "0.0235"), (120, "120")]
)
def test_figures_are_shown_with_three_digits(value: float, expected: str) -> None:
    assert shown(value) == expected
