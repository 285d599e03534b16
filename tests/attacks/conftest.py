"""Communities for attacks on real files: made once, and left as they are."""

from pathlib import Path

import pytest

from tests.attacks.parties import Public, public_of
from tests.billed import october_billed


@pytest.fixture(scope="package")
def village(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a community whose October is billed, and whose November runs; nobody changes it."""
    return october_billed(tmp_path_factory.mktemp("attacked") / "home").root


@pytest.fixture(scope="package")
def public(village: Path) -> Public:
    """What anyone sees of it."""
    return public_of(village)
