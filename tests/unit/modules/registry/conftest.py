"""The ledger that the registry's tests work on."""

from collections.abc import Iterator

import pytest

from .community import registry_ledger
from tests.ledger import Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """The registry alone, its clock in the operator's hand, region 1 there."""
    made = registry_ledger()
    yield made
    made.close()
