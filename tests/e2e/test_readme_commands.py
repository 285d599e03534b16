"""What the documentation tells people to type works, in the order in which it stands there.

Of each document all `$ gridproof ...` lines of its `console` blocks run in one empty folder. A line `<!-- not run -->`
just above a block leaves that block out; `<!-- file: NAME -->` just above any other block writes its text into that
folder first.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.shared import ROOT

BLOCK = re.compile(
    r"^(?:<!-- (?P<note>.+?) -->\n+)?```(?P<kind>[\w{}-]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
PATIENCE_S = 300


class Step(NamedTuple):
    """One thing to do for a document: a file to write (`name` is set) or a command to run."""

    name: str
    text: str


def steps(document: str) -> Iterator[Step]:
    """What a document asks its reader to have or to type, in order."""
    for block in BLOCK.finditer(document):
        note, body = block["note"] or "", block["body"]
        if note.startswith("file: "):
            yield Step(note.removeprefix("file: "), body)
        elif block["kind"] == "console" and note != "not run":
            lines = body.replace("\\\n", " ").splitlines()
            commands = (line.removeprefix("$ ").strip() for line in lines if line.startswith("$ "))
            yield from (Step("", command) for command in commands if command.split()[:1] == ["gridproof"])


def documents() -> list[Path]:
    """The README and the guide, as far as they show commands."""
    places = [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs" / "guide").glob("*.md")),
    ]
    places.remove(ROOT / "docs" / "operate.md")  # a network's: `test_operate_page` follows it
    return [path for path in places if any(not step.name for step in steps(path.read_text(encoding="utf-8")))]


def test_commands_and_files_are_found_in_order_and_marked_blocks_left_out() -> None:
    document = (
        "<!-- file: a.csv -->\n```csv\nx\n```\n\n"
        "```console\n$ make demo\n$ gridproof one \\\n    --two\nout\n$ gridproof three  # why\n```\n"
        "<!-- not run -->\n```console\n$ gridproof four\n```\n```text\n$ gridproof five\n```\n"
    )
    assert list(steps(document)) == [
        Step("a.csv", "x\n"),
        Step("", "gridproof one      --two"),
        Step("", "gridproof three  # why"),
    ]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_commands_of_a_document_work_in_order(document: Path, tmp_path: Path) -> None:
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for step in steps(document.read_text(encoding="utf-8")):
        if step.name:
            (tmp_path / step.name).write_text(step.text, encoding="utf-8")
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", step.text],
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"$ {step.text}\n{done.stdout}\n{done.stderr}"
