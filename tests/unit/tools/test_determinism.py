"""The determinism gate finds what it should, and lets pass what it should."""

from pathlib import Path

import pytest

from tools import determinism


def rules(source: str, *allowed: str) -> list[str]:
    return [finding.rule for finding in determinism.check_source(source, Path("x.py"), frozenset(allowed))]


@pytest.mark.parametrize(
    "source",
    [
        "x = 1.5",
        "x = 1e9",
        "x = 2j",
        "x = float(3)",
        "x = map(float, y)",
        "def f(x: float) -> int: ...",
        "x = a / b",
        "x /= 2",
        "x = 2 ** -1",
        "x = math.sqrt(2)",
        "from math import log",
        "from operator import truediv",
        "x = numpy.float64",
        "x = 3 if y else complex(1)",
    ],
)
def test_floats_are_found(source: str) -> None:
    assert set(rules(source)) == {"float"}


@pytest.mark.parametrize(
    "source",
    [
        "x = a // b",
        "x //= 2",
        "x = 2 ** 64",
        "x = math.isqrt(9)",
        "from math import gcd",
        "x = pow(3, -1, 7)",
        "x = '1.5'",
    ],
)
def test_whole_numbers_pass(source: str) -> None:
    assert rules(source) == []


@pytest.mark.parametrize("name", ["hash", "id", "open", "eval", "exec", "input", "breakpoint", "__import__"])
def test_builtins_that_differ_between_processes_are_found_called_or_handed_on(name: str) -> None:
    assert rules(f"x = {name}(y)") == ["builtin"]
    assert rules(f"x = sorted(y, key={name})") == ["builtin"]


def test_attributes_of_the_same_name_pass() -> None:
    assert rules("x = record.id\ny = record.hash()\nz = store.open(1)") == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from os import environ",
        "import random as r",
        "from zoneinfo import ZoneInfo",
        "from datetime import UTC",
        "import threading",
        "from concurrent.futures import Executor",
        "import secrets",
        "from decimal import Decimal",
        "def f() -> None:\n    import socket",
        "import uuid, tempfile",
    ],
)
def test_imports_of_the_world_are_found(source: str) -> None:
    assert set(rules(source)) == {"import"}


@pytest.mark.parametrize(
    "source",
    [
        "from .time import month_id",
        "from gridproof.domain.time import x",
        "from . import random",
        "import hashlib",
        "import msgspec",
    ],
)
def test_own_modules_of_the_same_name_pass(source: str) -> None:
    assert rules(source) == []


def test_a_listed_exception_passes_and_only_that_one() -> None:
    assert rules("import os", "os") == []
    assert rules("import os\nimport time", "os") == ["import"]


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: ...",
        "for x in set(y): ...",
        "for x in frozenset(y): ...",
        "for x in {n for n in y}: ...",
        "z = [x for x in set(y)]",
        "z = {x: 1 for x in set(y)}",
        "z = list({1, 2})",
        "z = tuple(set(y))",
        "z = ','.join({'a', 'b'})",
        "z = next(iter({1, 2}))",
        "z = enumerate(set(y))",
        "z = dict.fromkeys(set(y))",
        "z = [*{1, 2}]",
        "f(*set(y))",
        "a, b = {1, 2}",
        "z = f'{set(y)}'",
        "z = str({1})",
        "z = sorted(set(y), key=len)",
        "z = min(set(y), key=len)",
        "z = sum(f(x) for x in sorted(set(y), key=len))",
        "z.extend(set(y))",
        "z = []\nz += set(y)",
        "z = list(a.keys() - b.keys())",
        "z = list(a.keys() & b)",
        "z = list(set(a) | b)",
        "z = list(a.union(b))",
        "known = {1, 2}\nfor x in known: ...",
        "known: frozenset[int] = make()\nz = list(known)",
        "from typing import Final\nknown: Final[set[int]] = make()\nz = list(known)",
        "def f(known: set[int]) -> list[int]:\n    return list(known)",
        "def f(known: 'set[int] | None') -> list[int]:\n    return list(known)",
        "def f(*, known: AbstractSet[int]) -> None:\n    for x in known: ...",
        "def f() -> int:\n    left = set()\n    return left.pop()",
        "def f():\n    yield from {1, 2}",
        "known = {1}\ndef f() -> list[int]:\n    return list(known)",
        "if (found := set(y)):\n    z = list(found)",
        "z = list(a if c else {1})",
        "class A:\n  def __init__(self) -> None:\n    self._seen = set()\n  def f(self):\n    return list(self._seen)",
        "class A:\n    seen: set[int]\n    def f(self):\n        return [x for x in self.seen]",
        "class A:\n  def __init__(self):\n    self.s: set[int] = make()\n  def f(self):\n    return tuple(self.s)",
    ],
)
def test_the_order_of_a_set_is_not_taken_over(source: str) -> None:
    assert "set-order" in rules(source)


@pytest.mark.parametrize(
    "source",
    [
        "z = sorted({1, 2})",
        "z = sorted(set(y))",
        "z = sorted(x + 1 for x in set(y))",
        "z = sorted(list(set(y)))",
        "z = sum(x for x in set(y))",
        "z = len(set(y)) + max(set(y))",
        "z = any(x > 1 for x in {1, 2})",
        "z = {x + 1 for x in set(y)}",
        "z = set(map(f, set(y)))",
        "z = frozenset(x for x in {1})",
        "z = 3 in {1, 2}",
        "z = {1} | {2}",
        "z = [x for x in sorted(set(y))]",
        "for x in [1, 2]: ...",
        "for x in {1: 2}: ...",
        "z = list({1: 2})",
        "z = list(a.keys())",
        "def f(known: set[int]) -> bool:\n    return 3 in known",
        "def f() -> None:\n    a = set()\n\ndef g(a: list[int]) -> list[int]:\n    return list(a)",
        "def f(rows: dict[str, set[int]]) -> list[str]:\n    return list(rows)",
        "def f(rows: list[set[int]]) -> list[set[int]]:\n    return [row for row in rows]",
        "z = [].pop()",
    ],
)
def test_what_does_not_depend_on_the_order_passes(source: str) -> None:
    assert rules(source) == []


def test_findings_name_the_file_and_line_in_order() -> None:
    found = determinism.check_source("import time\nx = 1\ny = x / 2\n", Path("a.py"))
    assert [str(finding).split(": ")[:2] for finding in found] == [["a.py:1", "import"], ["a.py:3", "float"]]


def test_the_gate_fails_on_a_bad_file_and_passes_a_good_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text("x = 0.5\n")
    good.write_text("x = 5\n")
    assert determinism.main([str(bad)]) == 1
    assert "bad.py:1: float" in capsys.readouterr().out
    assert determinism.main([str(good)]) == 0
    assert "all well" in capsys.readouterr().out
