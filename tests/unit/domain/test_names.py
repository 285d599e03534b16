"""Which texts are names: the registry's and the tariffs' one rule."""

import pytest

from gridproof.domain import MAX_NAME, is_name


@pytest.mark.parametrize("name", ["a", "Gemeinde Riedholz", "Höchsttarif", "太陽", "x" * MAX_NAME, "a  b", "-"])
def test_what_people_see_is_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * (MAX_NAME + 1), " a", "a ", "a\n", "a\tb", "a\xa0b", "a\u200bb", "a\u202eb", "\ufeffa", "\ud800"]
)
def test_what_nobody_sees_is_none(name: str) -> None:
    assert not is_name(name)
