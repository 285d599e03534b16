"""The guide's page on privacy names tests for what it says: those are there, and its table has a cell for each."""

import re
from typing import Final

from .test_coalitions import PAIRS, PARTIES
from tests.shared import ROOT

PAGE: Final = (ROOT / "docs" / "guide" / "privacy.md").read_text(encoding="utf-8")
FOLDER: Final = ROOT / "tests" / "attacks"


def test_every_test_that_the_page_names_is_there() -> None:
    defined = {
        name
        for path in FOLDER.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = re.findall(r"`(test_\w+?)(_\.\.\.)?`", PAGE)
    assert len(named) > 15
    for name, more in named:
        if f"{FOLDER.name}/{name}.py" not in PAGE:
            assert any(each.startswith(name) if more else each == name for each in defined), name


def test_the_table_has_a_cell_for_each_party_and_each_coalition_of_two() -> None:
    cells = re.findall(r"`\[([a-z ]+)\]`", PAGE)
    assert sorted(cells) == sorted(" with ".join(coalition) for coalition in PAIRS)
    rows = re.findall(r"^\| \*\*([a-z ]+)\*\*", PAGE, re.MULTILINE)
    assert [row for row in rows if row in PARTIES] == list(PARTIES)
