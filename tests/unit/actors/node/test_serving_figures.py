"""A node's ledger serves its figures where the settings say so, and goes on where that fails."""

import json
import logging
import re
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from gridproof.actors.node.errors import NodeSettingsError
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.founding import Birth, make_node
from gridproof.actors.node.serving import RESTARTS, serve
from gridproof.actors.node.settings import EngineSection, FiguresSection, NodeSection, NodeSettings, load
from gridproof.drivers.cometbft.engine import EngineKey

from tests.tiny.app import tiny, tiny_genesis


def node(root: Path, figures: str) -> NodeFolder:
    nowhere = "127.0.0.1:1"  # nothing of this asks the engine
    settings = NodeSettings(
        node=NodeSection(name="acme", chain_id="tiny-1"),
        engine=EngineSection(rpc=nowhere, p2p=nowhere, external=nowhere),
        figures=FiguresSection(node=figures),
    )
    return make_node(root / "node", Birth(settings, EngineKey(bytes(32)), EngineKey(bytes(32)), tiny_genesis(), b"{}"))


def served(folder: NodeFolder, caplog: pytest.LogCaptureFixture, look: Callable[[list[str]], None]) -> None:
    """Serve a node's ledger, look at what it said once it is open, and end it."""
    stop = Event()

    def ready() -> None:
        stop.set()
        look([record.getMessage() for record in caplog.records])

    with caplog.at_level(logging.INFO, "gridproof"):
        assert serve(folder, factory=tiny, stop=stop, ready=ready) is None
    assert stop.is_set()


def page_of(lines: list[str]) -> str:
    (page,) = [found[1] for line in lines if (found := re.fullmatch(r"event=figures page=(\S+)", line))]
    return page


def test_figures_are_served_where_the_settings_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RESTARTS, "3")
    pages = []

    def look(lines: list[str]) -> None:
        pages.append(page_of(lines))
        with urllib.request.urlopen(pages[0], timeout=30) as reply:
            told = reply.read().decode()
        assert "\ngridproof_restarts_total 3.0\n" in told
        assert "\ngridproof_height 0.0\n" in told

    served(node(tmp_path, "127.0.0.1:0"), caplog, look)
    with pytest.raises(OSError, match="refused"):  # it ends with the node
        urllib.request.urlopen(pages[0], timeout=30)


def test_figures_are_served_nowhere_where_the_settings_say_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served(node(tmp_path, ""), caplog, lambda lines: _require(not any("figures" in line for line in lines)))


def test_an_address_that_is_taken_keeps_no_ledger_from_being_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        served(
            node(tmp_path, address),
            caplog,
            lambda lines: _require(any("no figures" in line and address in line for line in lines)),
        )


@pytest.mark.parametrize("told", ["", "many", "-1"])
def test_a_count_of_restarts_that_is_none_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv(RESTARTS, told)

    def look(lines: list[str]) -> None:
        with urllib.request.urlopen(page_of(lines), timeout=30) as reply:
            assert "\ngridproof_restarts_total 0.0\n" in reply.read().decode()

    served(node(tmp_path, "127.0.0.1:0"), caplog, look)


def _require(holds: bool) -> None:
    assert holds


@pytest.mark.parametrize("address", ["", "127.0.0.1:26661", "[::1]:26661", "localhost:1"])
def test_an_address_or_none_is_what_the_settings_take(tmp_path: Path, address: str) -> None:
    folder = node(tmp_path, address)
    assert load(folder.root).figures.node == address


@pytest.mark.parametrize(
    "address", ["26661", "127.0.0.1", "127.0.0.1:many", "127.0.0.1:99999", "127.0.0.1:1\n", "http://127.0.0.1:1/x"]
)
def test_what_is_no_address_is_named_before_anything_is_started(tmp_path: Path, address: str) -> None:
    folder = node(tmp_path, "127.0.0.1:1")
    file = folder.settings.read_text()
    folder.settings.write_text(file.replace('node = "127.0.0.1:1"', f"node = {json.dumps(address)}"))
    with pytest.raises(NodeSettingsError) as caught:
        load(folder.root)
    assert "figures.node" in caught.value.detail
