"""What tests of connectors share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.connectors.private_sqlite import PrivateDatabase


@pytest.fixture(autouse=True)
def databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PrivateDatabase]]:
    """Every private database that a test opens is closed after it: Python 3.13 tells of those that are not."""
    opened: list[PrivateDatabase] = []
    make = PrivateDatabase.__init__

    def noted(self: PrivateDatabase, path: Path, schema: str, version: int) -> None:
        make(self, path, schema, version)
        opened.append(self)

    monkeypatch.setattr(PrivateDatabase, "__init__", noted)
    yield opened
    for each in opened:
        each.close()
