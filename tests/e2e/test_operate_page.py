"""`docs/operate.md` as a newcomer follows it, every command of it, on a network of real nodes.

Only what a test cannot wait for is another: addresses that are free, a short pause after blocks, early snapshots, and
the height of the upgrade. The release that is installed is `tests.upgraded`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gridproof.actors.node.network import free_subnet

from .operating import NODES, PORTS, Deed, Reader, deeds
from tests.engines import engine
from tests.shared import ROOT
from tests.upgraded import VERSION

PAGE: Final = ROOT / "docs" / "operate.md"


def test_deeds_are_found_in_order() -> None:
    page = (
        "<!-- file: a.csv -->\n```csv\nx\n```\n\n<!-- append: b.toml -->\n```toml\ny\n```\n"
        "```console\n$ gridproof one \\\n    --two\nout\n```\n<!-- ctrl-c: n -->\n<!-- exit code 3 -->\n"
        "```console\n$ gridproof three\n```\n<!-- not run -->\n```console\n$ gridproof four\n```\n```sh\n$ five\n```\n"
        "```console\n$ six\n```\n"
    )
    assert list(deeds(page)) == [
        Deed("file", "a.csv", "x\n"),
        Deed("append", "b.toml", "y\n"),
        Deed("type", "gridproof one --two"),
        Deed("ctrl-c", "n"),
        Deed("type", "gridproof three", code=3),
        Deed("type", "six"),
    ]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    engine("cometbft")
    programs = {"": tmp_path / "bin-1", f"version {VERSION}": tmp_path / "bin-2"}
    for folder, module in zip(programs.values(), ("gridproof", "tests.upgraded"), strict=True):
        folder.mkdir()
        program = folder / "gridproof"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        program.chmod(0o755)
    folder = tmp_path / "home"
    folder.mkdir()
    reader = Reader(folder, free_subnet(NODES, PORTS), programs)
    yield reader
    reader.close()


@pytest.mark.timeout(2_400)  # some seventy commands
def test_a_newcomer_runs_four_nodes_loses_one_replaces_it_and_upgrades_all(reader: Reader) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for deed in deeds(page):
        reader.do(deed)

    shown = re.findall(r"(?m)^\$ ", re.sub(r"(?s)<!-- not run -->\n```console.*?```", "", page))
    assert len(reader.typed) == len(shown), "a command of the page was not typed"
    now = reader.status("company-1")
    assert [each["name"] for each in now["validators"]] == ["company 1", "company 3", "company 4"]
    assert (now["version"], now["program"]) == (VERSION, VERSION)
    reader.make_a_block()  # three of three vote
    for node in ("company-3", "company-4", "company-5", "window"):
        assert reader.status(node)["ok"]
