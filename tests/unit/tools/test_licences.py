"""Default dependencies fit Apache-2.0."""

from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from tools import licences


class Made(Distribution):
    """A distribution with the metadata that a test gives it."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._text = Message()
        for name, value in [("Metadata-Version", "2.4"), ("Name", "made"), ("Version", "1"), *fields]:
            self._text[name] = value

    def read_text(self, filename: str) -> str | None:
        return self._text.as_string() if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        raise NotImplementedError


@pytest.mark.parametrize(
    "text",
    [
        "GPL-3.0-or-later",
        "AGPL-3.0-only",
        "GNU General Public License v3 (GPLv3)",
        "GNU Affero General Public License v3",
        "",
    ],
)
def test_gpl_agpl_and_silence_are_refused(text: str) -> None:
    assert licences.is_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "Apache-2.0 OR BSD-3-Clause",
        "MIT OR GPL-2.0-only",
        "LGPL-3.0-or-later",
        "GNU Lesser General Public License v3",
        "BSD",
    ],
)
def test_others_and_a_free_choice_pass(text: str) -> None:
    assert not licences.is_refused(text)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ([("License-Expression", "MIT"), ("License", "GPL")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("License", "x")], "MIT License"),
        ([("License", "BSD 3-Clause")], "BSD 3-Clause"),
        ([], ""),
    ],
)
def test_the_clearest_of_what_a_distribution_says_counts(fields: list[tuple[str, str]], told: str) -> None:
    assert licences.licence(Made(fields)) == told


def test_indirect_dependencies_are_followed_and_extras_are_not() -> None:
    found = licences.closure("gridproof")
    assert {"msgspec", "coincurve", "cffi"} <= set(found)
    assert not {"gridproof", "sphinx", "pytest"} & set(found)
    assert found["msgspec"].version == distribution("msgspec").version


def test_the_gate_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main([]) == 0
    assert "all well" in capsys.readouterr().out
