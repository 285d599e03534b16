"""Tariffs by commands in processes of their own, also while a node runs."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.actors.community import Community
from gridproof.actors.community.access import reached
from gridproof.actors.community.people import OPERATOR
from gridproof.domain import RegionId
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import OpenMonth

from tests.e2e.commands import PATIENCE_S, Commands

FLAT = (
    'name = "Flat"\nrounding = 0.05\n[import]\nscheme = "flat"\nprice = 0.2\n[feed-in]\nscheme = "flat"\nprice = 0.1\n'
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Commands]:
    """A community whose month has prices, and whose node runs."""
    root = tmp_path / "home"
    Commands(tmp_path)("init", root, "--start", "2025-10-01", "--period-s", 3600)
    community = Community(root)
    with reached(community.folder) as ledger:
        bounds = community.calendar.bounds(community.times.month("2025-10"))
        if ledger.client.ask(registry.month, 1, bounds.month) is None:
            tariff = community.tariff(RegionId(1), bounds)
            sender = community.sender(ledger.client, OPERATOR)
            sender.send(OpenMonth(1, bounds.month, bounds.start_s, bounds.end_s, tariff))
    commands = Commands(root)
    node = commands.start("run", "--serve")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (root / "node.sock").exists():
            assert time.monotonic() < deadline
            assert node.poll() is None, node.communicate()
            time.sleep(0.05)
        yield commands
    finally:
        node.send_signal(signal.SIGINT)
        node.communicate(timeout=PATIENCE_S)


def test_a_tariff_is_shown_and_changed_through_a_running_node(served: Commands) -> None:
    (served.root / "flat.toml").write_text(FLAT, encoding="utf-8")
    assert served("tariff", "check").out.startswith("tariff.toml: Community tariff: ")
    assert served("tariff", "check", "flat.toml", "--json").json["ok"]
    changed = served("tariff", "change", "flat.toml", "--from", "2025-10-26T02:00+01:00", "--json").json
    shown = served("tariff", "show", "--json").json
    assert shown == changed
    assert [(each["name"], each["from"]) for each in shown["tariffs"]] == [
        ("Community tariff", "2025-10-01T00:00:00+02:00"),
        ("Flat", "2025-10-26T02:00:00+01:00"),
    ]
    late = served("tariff", "change", "flat.toml", "--from", "2025-10-20", "--json", code=1).json
    assert (late["error"], late["code"]) == ("TariffTooEarly", 3003)
    served("tariff", "show", "--svg", "week.svg")
    assert (served.root / "week.svg").read_text(encoding="utf-8").startswith("<svg")
