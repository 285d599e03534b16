"""The docstring gate finds what is missing, and asks for nothing more."""

from pathlib import Path

import pytest

from tools import docstrings

OPENING = '"""A module."""\n'


def rules(source: str) -> list[str]:
    return [finding.rule for finding in docstrings.check_source(source, Path("x.py"))]


@pytest.mark.parametrize(
    "source",
    [
        "",
        OPENING + "def f() -> None: ...",
        OPENING + "async def f() -> None: ...",
        OPENING + "class A: ...",
        OPENING + 'class A:\n    """One."""\n    def f(self) -> None: ...',
        OPENING + 'class A:\n    """One."""\n    class B: ...',
    ],
)
def test_public_code_without_docstring_is_found(source: str) -> None:
    assert rules(source) == ["missing"]


@pytest.mark.parametrize(
    "source",
    [
        OPENING + "def _f() -> None: ...",
        OPENING + "class _A:\n    def f(self) -> None: ...",
        OPENING + 'def f() -> None:\n    """Do."""\n    def inner() -> None: ...',
        OPENING + 'class A:\n    """One."""\n    def __len__(self) -> int: ...',
        OPENING + "@overload\ndef f() -> None: ...",
        OPENING + 'class A:\n    """One."""\n    @x.setter\n    def x(self, to: int) -> None: ...',
    ],
)
def test_what_is_private_magic_or_nested_needs_none(source: str) -> None:
    assert rules(source) == []


def test_a_first_paragraph_ends_like_a_sentence() -> None:
    assert rules(OPENING + 'class A:\n    """What happened"""') == ["full-stop"]
    assert rules(OPENING + 'class A:\n    """What happened,\n    and what to do.\n\n    More\n    """') == []


@pytest.mark.parametrize("thrown", ["BadEnd(now_s=1)", "BadEnd", "errors.BadEnd(x=1) from problem"])
def test_an_error_that_is_raised_is_named(thrown: str) -> None:
    body = f"    if x:\n        raise {thrown}\n"
    assert rules(OPENING + f'def f() -> None:\n    """Do."""\n{body}') == ["raises"]
    assert rules(OPENING + f'def f() -> None:\n    """Do.\n\n    Raises:\n        BadEnd: so.\n    """\n{body}') == []


def test_an_error_of_a_magic_method_may_be_named_by_its_class() -> None:
    body = "    def __init__(self) -> None:\n        raise BadEnd\n"
    assert rules(OPENING + f'class A:\n    """One."""\n{body}') == ["raises"]
    assert rules(OPENING + f'class A:\n    """One.\n\n    Raises:\n        BadEnd: so.\n    """\n{body}') == []


@pytest.mark.parametrize(
    "body", ["raise", "raise problem", "raise NotImplementedError", "def inner():\n        raise BadEnd"]
)
def test_what_is_passed_on_or_raised_elsewhere_is_not_asked_for(body: str) -> None:
    assert rules(OPENING + f'def f() -> None:\n    """Do."""\n    {body}\n') == []


def test_the_gate_fails_on_a_bad_file_and_passes_a_good_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text(OPENING + "class A: ...\n")
    good.write_text(OPENING)
    assert docstrings.main([str(bad)]) == 1
    assert "bad.py:2: missing: `A`" in capsys.readouterr().out
    assert docstrings.main([str(good)]) == 0
