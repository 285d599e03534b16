"""The benchmarks run, in small, and what they write can be read; no figure is asserted, machines differ."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import dots, linking, page
from tests.bench.drawing import draw, shown
from tests.bench.results import Curve, Link, Run, Section, from_json, to_json
from tests.bench.section import SCRIPTS
from tests.shared import ROOT, data

LIMIT_S = 1_700  # far above what it takes, on a machine that is busy and measures coverage too

pytestmark = pytest.mark.timeout(LIMIT_S + 100)


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


def test_bills_and_verification_are_held_to_their_targets(quick_run: Run) -> None:
    targets = [row.target for name in ("bills", "verification") for row in quick_run.sections[name].rows]
    assert targets == [
        "< 1.5 core-minutes",
        "flat in the number of households",
        "< 0.5 s after start-up",
        "≤ 1.5 x the bare checks, all cores",
    ]
    assert all(row.actual is not None for name in ("bills", "verification") for row in quick_run.sections[name].rows)


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
    pictures = [path for path in written if path.match("bench-*.svg")]
    assert len(pictures) == 2
    for path in pictures:
        assert ET.fromstring(path.read_text(encoding="utf-8")).tag.endswith("svg")
        assert f"_static/{path.name}" in text
    assert from_json((tmp_path / "_static" / "bench.json").read_bytes()) == quick_run


@pytest.mark.shared("data")
def test_the_page_on_unlinkability_has_every_attacker_and_its_picture_the_gate(quick_run: Run, tmp_path: Path) -> None:
    data("swiss_households_15min.csv")  # without it nothing is measured
    found = page.links_of(quick_run)
    assert {link.ours for link in found} == {True, False}
    page.write(quick_run, tmp_path)
    text = (tmp_path / "guide" / "unlinkability.md").read_text(encoding="utf-8")
    drawn = ET.fromstring((tmp_path / "_static" / "unlinkability.svg").read_text(encoding="utf-8"))
    words = {element.text for element in drawn.iter() if element.text}
    assert "gate 0.01" in words
    for link in found:
        assert f"{link.advantage:.4f} | {link.bound:.4f}" in text
        assert link.attacker in words


def test_a_run_without_the_game_leaves_the_page_on_unlinkability_alone(quick_run: Run, tmp_path: Path) -> None:
    quick_run = from_json(to_json(quick_run))
    quick_run.sections["linking"] = Section()
    page.write(quick_run, tmp_path)
    assert not (tmp_path / "guide").exists()


def test_without_the_households_nothing_is_measured_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRIDPROOF_DATA", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CI", raising=False)
    assert linking.run(quick=True) == Section()
    assert "linking: not measured" in capsys.readouterr().err


def test_an_attackers_mark_stands_where_its_figure_says() -> None:
    def link(scheme: str, advantage: float, bound: float, *, ours: bool) -> Link:
        return Link(
            attacker="a & <b>",
            scheme=scheme,
            ours=ours,
            measure="",
            pairs=1,
            advantage=advantage,
            bound=bound,
            target="",
            met=True,
        )

    drawn = ET.fromstring(dots.draw([link("ours", -0.1, 0.0, ours=True), link("weaker", 1.0, 1.0, ours=False)]))
    marks = [element for element in drawn.iter() if list(element) and element.tag.endswith(("circle", "polygon"))]
    assert [element.get("cx") for element in marks[:1]] == ["270.0"]  # at the edge: it is below the axis
    assert (marks[1].get("points") or "").startswith("580.0,")


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
