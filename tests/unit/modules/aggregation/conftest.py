"""The community that most tests begin with."""

import pytest

from .community import Community


@pytest.fixture
def town() -> Community:
    """Four meters, five places, a month of three periods, rosters published; before its first period."""
    return Community().begin()
