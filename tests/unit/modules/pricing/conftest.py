"""The community that the tests of prices begin with."""

import pytest

from tests.unit.modules.aggregation.community import TARIFF, Community


@pytest.fixture
def town() -> Community:
    """Four meters, a month of three periods with a tariff; before its first period."""
    return Community().begin(tariff=TARIFF)
