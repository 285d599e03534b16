"""The same story on four validators, one of which is killed in the middle: the same totals, prices and bills."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from .demos import demo

STORY: Final = ("--households", 12, "--periods", 8, "--seed", 7)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    place = tmp_path_factory.mktemp("demo")
    alone = demo(*STORY, "--dir", place / "alone", "--json")
    together = demo(*STORY, "--net", 4, "--dir", place / "together", "--json")
    assert (alone.code, together.code) == (0, 0), together.err
    return alone.json, together.json


def content(summary: dict[str, Any], name: str) -> Any:
    return json.loads(Path(summary[name]).read_bytes())


def test_every_total_and_price_is_the_same(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    alone, together = (content(each, "periods_file") for each in told)
    assert alone == together


def test_every_bill_is_the_same(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    alone, together = (content(each, "bills_file") for each in told)
    assert alone == together


def test_every_attack_ends_the_same(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    alone, together = (each["attacks"] for each in told)
    assert alone == together


def test_a_node_was_killed_in_the_middle_and_all_agree_in_the_end(
    told: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    network = told[1]["network"]
    assert network["validators"] == 4
    assert network["killed"] == "company 4"
    assert 0 < network["killed_after"] < network["back_after"]
    assert network["app_hash"] == told[1]["final_app_hash"]
    assert network["height"] == told[1]["final_height"]
