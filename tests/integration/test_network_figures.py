"""A network's nodes tell what they do: the ledger's page and the engine's, in a shape that the dashboard knows."""

import json
import signal
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPException
from typing import NamedTuple

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gridproof.actors.node.settings import FiguresSection, load, render
from gridproof.drivers.cometbft.figures import CATALOGUE
from gridproof.modules.registry.messages import KeyEntry, RegisterParticipant
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import sign_transaction

from tests.engines import engine
from tests.faults.lab import Lab, Node
from tests.kvstore_network import free_ports
from tests.unit.deploy.test_dashboard import BOARD, ENGINE, NAME, SCRAPED, expressions, known

FOR_EVER_S = 2**33


class Pages(NamedTuple):
    """Where a node's figures are."""

    ledger: str
    engine: str


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    engine("cometbft")
    made = Lab(tmp_path_factory.mktemp("figures"), 2)
    ports = free_ports([node.host for node in made.nodes])
    while set(ports) & set(made.nodes[0].ports):
        ports = free_ports([node.host for node in made.nodes])
    for node in made.nodes:
        settings = load(node.folder.root)
        figures = FiguresSection(node=f"{node.host}:{ports[0]}", engine=f"{node.host}:{ports[1]}")
        keep = msgspec.structs.replace(settings.keep, snapshot_every=1)
        settings = msgspec.structs.replace(settings, figures=figures, keep=keep)
        node.folder.settings.write_bytes(render(settings))
    with made:
        yield made


def pages(node: Node) -> Pages:
    figures = load(node.folder.root).figures
    return Pages(f"http://{figures.node}/metrics", f"http://{figures.engine}/metrics")


class Told(NamedTuple):
    """A page, read."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def by(cls, page: str) -> "Told":
        with urllib.request.urlopen(page, timeout=30) as reply:
            families = list(text_string_to_metric_families(reply.read().decode()))
        return cls(
            {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}
        )

    def value(self, name: str, **labels: str) -> float:
        return self.values.get((name, frozenset(labels.items())), 0.0)

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.values}


def send(lab: Lab, nonce: int) -> None:
    """Have a participant registered, in a block."""
    person = lab.born.operators[0]
    key = Signer(sha256(b"figures", bytes([nonce]))).public_key
    message = RegisterParticipant(name=f"member {nonce}", roles=0, keys=(KeyEntry(KeyRole.TRANSACTION, key),))
    raw = sign_transaction(
        person.signer,
        chain_id=lab.born.chain_id,
        sender=person.participant,
        nonce=nonce,
        valid_until_s=FOR_EVER_S,
        messages=(message,),
    )
    assert lab.nodes[0].ask("broadcast_tx_sync", tx=b64encode(raw).decode())["code"] == 0
    for node in lab.nodes:
        applied = lambda: Told.by(pages(node).ledger).value("gridproof_transactions_total", result="applied") > nonce  # noqa: B023, E731
        lab.until(applied, f"node {node.number} counts transaction {nonce}")


def test_nodes_tell_of_blocks_and_start_again_with_fresh_counts(lab: Lab) -> None:
    send(lab, 0)
    _require_equal_standing(lab)
    _require_known_figures(lab)
    _require_restart_is_counted(lab)


def _require_equal_standing(lab: Lab) -> None:
    lab.until_together()
    first, second = (Told.by(pages(node).ledger) for node in lab.nodes)
    assert first.value("gridproof_height") == second.value("gridproof_height") >= 1
    for told in (first, second):
        assert told.value("gridproof_validators") == 2
        for member in lab.born.members:
            assert told.value("gridproof_validator_power", participant=str(member.participant)) == 10
        proposers = {dict(labels)["proposer"] for name, labels in told.values if name == "gridproof_blocks_total"}
        assert proposers <= {str(member.participant) for member in lab.born.members}
        assert told.value("gridproof_signatures_total") >= 1
        assert told.value("gridproof_store_bytes") > 0
        assert told.value("gridproof_restarts_total") == 0
    assert first.value("gridproof_envelopes_total", code="0", again="no") >= 1
    lab.until(
        lambda: Told.by(pages(lab.nodes[0]).ledger).value("gridproof_snapshots_total", outcome="taken") > 0,
        "a snapshot is told of",
    )


def _require_known_figures(lab: Lab) -> None:
    """What the dashboard asks for is told by these very processes, and what they tell was recorded."""
    node = lab.nodes[0]
    told, ours = Told.by(pages(node).engine), Told.by(pages(node).ledger)
    asked = {name for expression in expressions(json.loads(BOARD.read_text())) for name in NAME.findall(expression)}
    assert {name for name in asked if name.startswith("cometbft_")} <= told.names
    series = known()
    for name, labels in told.values:
        if name.startswith("cometbft_"):
            found = series.get(name) or series.get(name.removesuffix("_total"))  # the library that reads adds it
            assert found, f"{name} is not in {ENGINE.name}"
            assert {label for label, _ in labels} <= found.labels | SCRAPED
    catalogued = {each.name for each in CATALOGUE}
    told_only_in_trouble = {"gridproof_left_out_total", "gridproof_proposals_refused_total"}
    missing = {each for each in catalogued if not any(name.startswith(each) for name in ours.names)}
    assert missing <= told_only_in_trouble


def _require_restart_is_counted(lab: Lab) -> None:
    node = lab.nodes[1]
    assert node.send(signal.SIGKILL, "application")

    def is_back() -> bool:
        try:
            return Told.by(pages(node).ledger).value("gridproof_restarts_total") == 1
        except (OSError, HTTPException):  # it may be killed within an answer
            return False

    lab.until(is_back, "the node is back and says that it was started again")
    lab.until_height(1, [node])
    assert Told.by(pages(node).ledger).value("gridproof_height") >= 1
    heads = [line for line in node.log().splitlines() if line]
    assert heads
    assert all(line.startswith("timestamp=") and " event=" in line for line in heads)
