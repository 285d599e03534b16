"""What a node tells of an upgrade to come, by the version that its own program has."""

from typing import Any, cast

import pytest

from gridproof import app
from gridproof.actors.node.upgrading import find_upgrade, is_too_old_for, program_version, words_of_upgrade
from gridproof.connectors.ledger import LedgerClient
from gridproof.modules.consensus import queries as consensus
from gridproof.state import Upgrade


class Told:
    """A ledger that tells of an upgrade."""

    def __init__(self, due: Upgrade | None) -> None:
        self.due = due

    def ask(self, function: Any) -> Upgrade | None:
        assert function is consensus.upgrade
        return self.due


def found(due: Upgrade | None) -> tuple[int, int] | None:
    return find_upgrade(cast("LedgerClient", Told(due)))


def test_an_upgrade_to_come_is_told_by_version_and_height() -> None:
    assert found(Upgrade(2, 500)) == (2, 500)
    assert found(None) is None


def test_an_older_program_is_told_to_be_replaced_before_the_height() -> None:
    due = program_version() + 1
    assert is_too_old_for(due)
    assert words_of_upgrade(due, 500) == (
        f"version {due} takes over at height 500, and this program has version {due - 1}: "
        "install the newer one before, or it stops"
    )


def test_a_program_that_has_the_version_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "APPLICATION_VERSION", 2)
    assert not is_too_old_for(2)
    assert words_of_upgrade(2, 500) == "version 2 takes over at height 500; this program has it"
