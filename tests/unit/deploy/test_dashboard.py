"""The dashboard asks for figures that node and engine tell, by labels that they have."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gridproof.drivers.cometbft.figures import CATALOGUE

from tests.shared import ROOT

BOARD = ROOT / "deploy" / "grafana" / "gridproof.json"
ENGINE = Path(__file__).parent / "engine_figures.txt"
HISTOGRAM = ("_bucket", "_sum", "_count")
SCRAPED = {"node", "job", "instance", "le"}  # added by Prometheus, its configuration, or a histogram
NAME = re.compile(r"\b(?:gridproof|cometbft|process)_[a-z0-9_]+")
SELECTOR = re.compile(r"\{([^}]*)\}")
GROUPING = re.compile(r"\bby \(([^)]*)\)")


class Series(NamedTuple):
    kind: str
    labels: frozenset[str]


def known() -> dict[str, Series]:
    """All series that are told, by name."""
    found: dict[str, Series] = {}
    told = [(each.name, each.kind, frozenset(each.labels)) for each in CATALOGUE]
    for line in ENGINE.read_text().splitlines():
        if not line.startswith("#"):
            name, kind, *labels = line.split(" ")
            told.append((name, kind, frozenset(",".join(labels).split(","))))
    for name, kind, having in told:
        names = [name + end for end in HISTOGRAM] if kind == "histogram" else [name]
        found |= {each: Series(kind, having) for each in names}
    return found


def faults(expression: str) -> list[str]:
    """What an expression asks for and nobody tells."""
    series = known()
    found = [f"nobody tells {name}" for name in NAME.findall(expression) if name not in series]
    having = SCRAPED.union(*(series[name].labels for name in NAME.findall(expression) if name in series))
    asked = [label.strip() for listed in GROUPING.findall(expression) for label in listed.split(",")] + [
        re.split(r"[=!]", part)[0].strip() for listed in SELECTOR.findall(expression) for part in listed.split(",")
    ]
    found += [f"no label {label}" for label in asked if label not in having]
    for name in NAME.findall(expression):
        counts = name in series and (series[name].kind == "counter" or name.endswith(HISTOGRAM))
        # How often a node was started again is looked at as it is.
        if counts and name != "gridproof_restarts_total" and not re.search(rf"(rate|increase)\({name}\b", expression):
            found.append(f"{name} only grows; take its rate")
    return found


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(BOARD.read_text())
    return parsed


def expressions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize(
    "expression",
    [
        "gridproof_hight",
        "rate(cometbft_consensus_block_interval_seconds[5m])",
        "sum by (company) (gridproof_height)",
        'gridproof_height{proposer="1"}',
        "gridproof_blocks_total",
        "rate(gridproof_request_seconds_total[5m])",
    ],
)
def test_a_fault_would_be_found(expression: str) -> None:
    assert faults(expression)


def test_every_expression_asks_for_what_is_told(board: dict[str, Any]) -> None:
    asked = expressions(board)
    assert len(asked) > 20
    assert {expression: faults(expression) for expression in asked if faults(expression)} == {}
    assert all(expression.count("(") == expression.count(")") for expression in asked)


def test_every_expression_is_of_the_nodes_that_were_chosen(board: dict[str, Any]) -> None:
    for expression in expressions(board):
        assert len(NAME.findall(expression)) == expression.count('node=~"$node"'), expression


def test_the_ledgers_process_is_not_taken_for_the_engines(board: dict[str, Any]) -> None:
    """Both tell `process_` figures; the job tells them apart."""
    for expression in expressions(board):
        count = len(re.findall(r"\bprocess_", expression))
        assert count == expression.count('job="gridproof"'), expression


def test_legends_name_labels_that_are_left(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            grouped = GROUPING.search(target["expr"])
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                if grouped:
                    assert label in [each.strip() for each in grouped[1].split(",")], target
                else:
                    assert not faults(f"sum by ({label}) (rate({NAME.findall(target['expr'])[0]}[5m]))"), target


def test_every_figure_of_the_ledger_is_on_the_dashboard(board: dict[str, Any]) -> None:
    shown = {name for expression in expressions(board) for name in NAME.findall(expression)}
    spared = {"process_virtual_memory_bytes"}  # the database's map, which says nothing
    for each in CATALOGUE:
        assert each.name in spared or any(name.startswith(each.name) for name in shown), each.name


def test_panels_are_numbered_explained_and_do_not_lie_on_each_other(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}


def test_the_choices_are_those_that_panels_use(board: dict[str, Any]) -> None:
    choices = {each["name"]: each for each in board["templating"]["list"]}
    assert set(choices) == {"source", "node"}
    assert not faults(re.sub(r"label_values\((\w+), (\w+)\)", r"sum by (\2) (\1)", choices["node"]["definition"]))


def test_the_guide_tells_of_every_row(board: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "guide" / "figures.md").read_text()
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert len(rows) == 5
    assert all(f"| {row} |" in page for row in rows)


def test_the_alarms_that_are_advised_can_be_raised() -> None:
    text = (ROOT / "deploy" / "README.md").read_text().rpartition("Worth an alarm:\n\n```\n")[2].partition("```")[0]
    alarms = [line.partition("#")[0].strip() for line in text.splitlines()]
    assert len(alarms) == 6
    assert {alarm: faults(alarm) for alarm in alarms if faults(alarm)} == {}
