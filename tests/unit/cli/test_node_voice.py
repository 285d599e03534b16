"""A company's say in its network: what `gridproof node` prints of votes, proposals and blocks, and what it refuses."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.community import found
from gridproof.actors.community.founding import Network
from gridproof.actors.node import deciding, running, standing
from gridproof.actors.node.founding import Birth, make_node
from gridproof.actors.node.settings import NodeSection
from gridproof.actors.randomness import Seeded
from gridproof.app import APPLICATION_VERSION, application
from gridproof.connectors.config import Aggregator, Ledger, Region, Settings
from gridproof.connectors.config import Community as CommunitySettings
from gridproof.connectors.engine_headers import EngineRpc
from gridproof.connectors.ledger import Sender
from gridproof.connectors.secret_files import SecretFiles
from gridproof.drivers.cometbft.engine import EngineKey
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.light import Flag
from gridproof.state import SerialVerifier
from gridproof.state.store import MemoryStore

from .home import START_S, refused, typed
from tests import light_chain
from tests.unit.actors.node.homes import NODE_KEY, settings
from tests.unit.connectors.ledger.engines import Engine, engine

NAMES = ("one", "two", "three", "four")


class Home:
    """A network's four nodes, whose engines stand before one ledger, at one address.

    Attributes:
        nodes: their folders.
        engine: theirs.
    """

    def __init__(self, root: Path, ledger: EmbeddedLedger, engine: Engine) -> None:
        self.ledger, self.engine = ledger, engine
        self.nodes = [self._node(root, number, name) for number, name in enumerate(NAMES, start=1)]

    def _node(self, root: Path, number: int, name: str) -> Path:
        of = settings(rpc=self.engine.url.removeprefix("http://"))
        of = replace(of, node=NodeSection(name=name, chain_id=self.ledger.status().chain_id))
        keys = (root / "community" / "secrets" / "keys" / f"{name}.key").read_bytes()
        signer = EngineKey(light_chain.key(number).private_bytes_raw())
        genesis = (root / "community" / "genesis.json").read_bytes()
        return make_node(root / name, Birth(of, signer, NODE_KEY, genesis, b"{}", keys)).root

    def typed(self, *words: object, by: int = 0, code: int = 0) -> str:
        """Type a command in a node's folder; what it printed, a line each."""
        return " ".join(typed("node", *words, "-C", self.nodes[by], code=code).out.split())

    def told(self, *words: object, by: int = 0) -> dict[str, Any]:
        return typed("node", *words, "-C", self.nodes[by], "--json").json


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "net"
    validators = [
        {"participant": name, "key": light_chain.public(number).hex(), "power": 10}
        for number, name in enumerate(NAMES, start=1)
    ]
    of = Settings(
        community=CommunitySettings(name="Net", zone="Europe/Zurich", currency="CHF", period_s=3_600),
        regions=(Region(number=1, name="Old Town"),),
        aggregators=tuple(Aggregator(name=name) for name in NAMES),
        ledger=Ledger(kind="network", nodes=("http://127.0.0.1:1",)),
    )
    network = Network({"consensus": {"validators": validators}})
    found(root / "community", of, START_S, SecretFiles(), Seeded(b"voice"), network=network)
    genesis = (root / "community" / "genesis.json").read_bytes()
    with EmbeddedLedger(MemoryStore(), application, genesis, Options(SerialVerifier())) as ledger:
        ledger.make_block(START_S, empty=True)
        ledger.start(0.002)
        with engine(ledger) as made:
            yield Home(root, ledger, made)
        ledger.stop()


def test_what_more_than_two_thirds_support_is_decided_and_each_is_told_how_far_it_is(home: Home) -> None:
    assert home.typed("proposals") == "Nothing is proposed."
    said = home.typed("remove", "four")
    assert "10 of 40, more than two thirds decide." in said
    (proposal,) = home.told("proposals")["proposals"]
    assert (proposal["supporters"], proposal["power"]) == (["one"], 10)
    digits = said.partition("gridproof node support ")[2].split()[0]
    assert str(proposal["proposal"]).startswith(digits)
    refused("node", "support", digits[:4], "-C", home.nodes[1], error="NoSuchProposalError")
    assert "20 of 40" in home.typed("support", digits, by=1)
    listed = home.typed("proposals", by=2)
    assert "one, two" in listed
    assert "20 of 40" in listed
    assert home.typed("support", digits, by=2).startswith("Decided: ")
    assert home.typed("proposals") == "Nothing is proposed."
    refused("node", "support", digits, "-C", home.nodes[0], error="NoSuchProposalError")


def test_who_supports_another_thing_is_told_that_the_first_support_is_taken_back(home: Home) -> None:
    home.typed("remove", "four")
    assert "one thing at a time" in home.typed("upgrade", "--version", APPLICATION_VERSION + 1, "--height", 10_000)


def test_a_request_to_vote_is_a_file_that_the_others_support(home: Home) -> None:
    assert "node support join.json" in home.typed("join", "--power", 12)
    assert "10 of 40" in home.typed("support", "join.json", by=1)
    other = json.loads(Path("join.json").read_text())
    Path("join.json").write_text(json.dumps(other).replace(home.ledger.status().chain_id, "another-chain"))
    refused("node", "support", "join.json", "-C", home.nodes[1], error="RequestError")


@pytest.mark.parametrize(
    ("power", "error"), [(2**40 + 1, "BadPower"), (2**40, "TooMuchPower"), (15, "TooMuchPower"), (14, "")]
)
def test_a_request_that_nobody_could_support_is_not_written(home: Home, power: int, error: str) -> None:
    if error:
        refused("node", "join", "--power", power, "-C", home.nodes[0], error=error)
        assert not Path("join.json").exists()
    else:
        home.typed("join", "--power", power)
        assert "10 of 40" in home.typed("support", "join.json", by=1)


def test_leaving_is_asked_for_like_all_else(home: Home) -> None:
    assert "10 of 40" in home.typed("leave", by=3)
    (proposal,) = home.told("proposals")["proposals"]
    assert proposal["supporters"] == ["four"]


def test_a_name_that_nobody_has_is_refused(home: Home) -> None:
    assert typed("node", "remove", "nobody", "-C", home.nodes[0], code=1).err
    assert home.typed("proposals") == "Nothing is proposed."


def test_a_node_that_does_not_answer_is_told(home: Home) -> None:
    home.engine.spoil = lambda _method, _raw: None
    for words in (("proposals",), ("remove", "four"), ("join",), ("block", "1")):
        assert typed("node", *words, "-C", home.nodes[0], code=1).err.startswith("gridproof: ")


def test_a_node_that_goes_silent_once_something_was_sent_says_that_it_may_take_effect(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "Sender", partial(Sender, timeout_s=1))

    def spoil(method: str, raw: bytes) -> bytes | None:
        return None if "broadcast_tx_sync" in home.engine.asked else raw

    home.engine.spoil = spoil
    refused("node", "remove", "four", "-C", home.nodes[0], error="NodeSilentSinceError")
    refused("node", "proposals", "-C", home.nodes[0], error="NodeSilentError")


def test_status_tells_who_votes_and_what_is_to_come(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "process_of", lambda _folder: 1)
    monkeypatch.setattr(standing, "AGAIN_S", 0.0)
    sync = {"latest_block_height": "7", "latest_app_hash": "AB" * 32, "latest_block_time": "2020-01-01T00:00:00Z",
            "catching_up": False, "earliest_block_height": "1"}  # fmt: skip
    home.engine.told = {
        "status": {
            "node_info": {"network": home.engine.chain_id}, "sync_info": sync, "validator_info": {"voting_power": "10"},
        },
        "net_info": {"n_peers": "3", "peers": []},
        "num_unconfirmed_txs": {"n_txs": "2"},
    }  # fmt: skip
    order = ("upgrade", "--version", APPLICATION_VERSION + 1, "--height", 9_000)
    home.typed(*order)
    said = home.typed("status")
    assert "Height 7 of 2020-01-01T00:00:00Z, 3 peers, 2 transactions wait." in said
    assert "No block since height 7 for " in said
    assert all(name in said for name in NAMES)
    assert f"Version {APPLICATION_VERSION} is in force; this program has version {APPLICATION_VERSION}." in said
    assert "Open proposals: 1" in said
    for by in (1, 2):
        home.typed(*order, by=by)
    said = home.typed("status")
    assert "To come: " in said
    assert "install the newer one before" in said


def test_a_block_is_shown_with_who_proposed_and_who_signed_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.typed("remove", "four")
    height = home.ledger.head.height
    block = light_chain.Network(home.engine.chain_id, latest=height + 1).light_block(height)
    monkeypatch.setattr(EngineRpc, "light_block", lambda _rpc, _height: block)
    told = home.told("block")
    assert told["height"] == height
    assert {each["name"] for each in told["signers"]} == set(NAMES)
    assert (told["signed_power"], told["total_power"]) == (40, 40)
    (carried,) = told["transactions"]
    assert (carried["sender"], carried["code"]) == ("one", 0)
    said = home.typed("block", height)
    assert f"Block {height}, {told['hash']}" in said
    assert "signed by 40 of 40 power" in said
    assert "one" in said
    assert home.typed("block", 1).count("It holds no transaction.") == 1
    refused("node", "block", height + 9, "-C", home.nodes[0], error="MissingBlockError")


def test_a_signer_whose_vote_is_missing_is_told_and_a_stranger_has_no_name(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    powers = {1: 10, 2: 10, 3: 10, 7: 5}  # the last one's key is no participant's
    header = light_chain.make_header(1, powers, powers, chain_id=home.engine.chain_id)
    flags = [Flag.COMMIT] * 3 + [Flag.ABSENT]
    block = light_chain.sign(header, powers, flags)
    monkeypatch.setattr(EngineRpc, "light_block", lambda _rpc, _height: block)
    told = home.told("block", 1)
    missing = [each for each in told["signers"] if not each["signed"]]
    assert len(missing) == 1
    assert "unknown" in {each["name"] for each in told["signers"]}
    assert f"{missing[0]['name']}, power {missing[0]['power']}: not in the commit" in home.typed("block", 1)
