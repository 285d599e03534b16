"""A community whose ledger is a network: every command reaches the nodes, and what only a node can do is said."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from gridproof.actors.community import Community, community, found
from gridproof.actors.community.access import network_of, reached
from gridproof.actors.community.founding import Network
from gridproof.actors.randomness import Seeded
from gridproof.app import application
from gridproof.cli import main
from gridproof.cli.console import say_wait
from gridproof.connectors import patience
from gridproof.connectors.config import Aggregator, Ledger, Region, Settings
from gridproof.connectors.config import Community as CommunitySettings
from gridproof.connectors.ledger import Sender
from gridproof.connectors.ledger import nodes as nodes_of_networks
from gridproof.connectors.secret_files import SecretFiles
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.state import GenesisError, SerialVerifier
from gridproof.state.store import MemoryStore

from .home import NAMES, START_S, all_readings, refused, total_wh, typed, write_readings
from tests.unit.connectors.ledger.engines import Engine, engine

SETTINGS = Settings(
    community=CommunitySettings(name="Net", zone="Europe/Zurich", currency="CHF", period_s=3_600),
    regions=(Region(number=1, name="Old Town"),),
    aggregators=(Aggregator(name="one"), Aggregator(name="two")),
    ledger=Ledger(kind="network", nodes=("http://127.0.0.1:1",)),
)


def founded_for_a_network(root: Path, **more: object) -> Path:
    found(root, SETTINGS, START_S, SecretFiles(), Seeded(b"network"), **more)  # type: ignore[arg-type]
    return root


@contextmanager
def network_before(root: Path, nodes: int = 1) -> Iterator[list[Engine]]:
    """A network of a community's folder, whose nodes share a ledger, named in its settings."""
    genesis = (root / "genesis.json").read_bytes()
    with EmbeddedLedger(MemoryStore(), application, genesis, Options(SerialVerifier())) as ledger:
        ledger.make_block(START_S, empty=True)
        ledger.start(0.002)
        with engine(ledger) as first, engine(ledger) as second, engine(ledger) as third:
            engines = [first, second, third][:nodes]
            urls = ", ".join(f'"{each.url}"' for each in engines)
            config = root / "gridproof.toml"
            config.write_text(re.sub(r"(?m)^nodes = .*$", f"nodes = [{urls}]", config.read_text()))
            yield engines
        ledger.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return founded_for_a_network(tmp_path / "home")


def test_founding_makes_all_but_the_ledger(root: Path) -> None:
    assert not (root / "ledger").exists()
    assert (root / "genesis.json").exists()
    assert 'kind = "network"' in (root / "gridproof.toml").read_text()


def test_founding_tells_the_root_that_the_nodes_begin_with(tmp_path: Path) -> None:
    made = found(tmp_path / "home", SETTINGS, START_S, SecretFiles(), Seeded(b"network"))
    born = application(MemoryStore(), SerialVerifier()).init_chain(made.genesis.read_bytes())
    assert made.app_hash == born


def test_further_sections_stand_in_the_genesis_document_and_false_ones_are_refused(tmp_path: Path) -> None:
    validators = [{"participant": "one", "key": "ab" * 32, "power": 10}]
    root = founded_for_a_network(tmp_path / "good", network=Network({"consensus": {"validators": validators}}))
    assert "ab" * 32 in (root / "genesis.json").read_text()
    with pytest.raises(GenesisError):
        founded_for_a_network(tmp_path / "bad", network=Network({"nonsense": {}}))
    assert not (tmp_path / "bad").exists()


def test_a_community_works_on_a_network(root: Path, tmp_path: Path) -> None:
    with network_before(root, 3) as (first, second, third):
        typed("meter", "enrol", *NAMES, "-C", root)
        typed("readings", "import", write_readings(tmp_path / "r.csv", all_readings()), "-C", root)
        first.spoil = lambda _method, _raw: None
        told = typed("run", "-C", root, "--json").json
        assert (told["problems"], told["slots"]["opened"]) == ([], 6)
        assert told["total_wh"] == sum(total_wh(at) for at in range(6))
        status = typed("status", "-C", root, "--json").json
        assert (status["node"], status["height"]) == ("network", told["height"])
        assert [(each["url"], each["height"]) for each in status["nodes"]] == [
            (first.url, None),
            (second.url, told["height"]),
            (third.url, told["height"]),
        ]
        assert "2 of the network's 3 nodes can be used" in typed("status", "-C", root).out
        verified = typed("verify", "ledger", "-C", root, "--json").json
        assert (verified["ok"], verified["app_hash"]) == (True, told["app_hash"])
        typed("export", "history", tmp_path / "past", "-C", root)
        assert typed("verify", "ledger", tmp_path / "past", "--json").json["app_hash"] == told["app_hash"]
        assert typed("export", "history", tmp_path / "past", "-C", root, code=1).err


@pytest.mark.parametrize("words", [("meter", "enrol", "Gil"), ("run", "--until", "2025-10-27")], ids=str)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_a_network_that_stands_still_is_told_of_before_time_is_up(
    root: Path, words: tuple[str, ...], form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with network_before(root, 2) as (first, _):
        typed("meter", "enrol", *NAMES, "-C", root)
        first.ledger.stop()

        def hear(sentence: str) -> None:
            say_wait(sentence)
            first.ledger.start(0.002)  # only who was told goes on

        monkeypatch.setattr(main, "say_wait", hear)
        monkeypatch.setattr(patience, "AFTER_S", 0.1)
        done = typed(*words, "-C", root, *form)
    told = [line for line in done.err.splitlines() if "waiting for a block" in line]
    assert len(told) == 1, done
    assert re.search(r"with a third of the votes missing none comes.*about \d+ s more at most", told[0])
    assert "waiting for" not in done.out
    assert not form or done.json


def test_a_meter_whose_enrolment_is_under_way_is_listed_as_such_until_it_is_said_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> list[tuple[str, bool | None]]:
        told = typed("meter", "list", "-C", root, "--json").json["meters"]
        return [(meter["name"], meter["on_ledger"]) for meter in told]

    with network_before(root) as (first,):
        typed("meter", "enrol", "Ada", "-C", root)

        def half_said(*words: str) -> None:
            first.swallow = True
            with monkeypatch.context() as hurried:
                hurried.setattr(community, "Sender", partial(Sender, timeout_s=0.5))
                refused("meter", *words, "-C", root, error="WaitTimeoutError")
            first.swallow = False

        half_said("enrol", "Gil")
        assert listed() == [("Ada", True), ("Gil", False)]
        assert "The ledger does not know the enrolment of Gil yet." in typed("meter", "list", "-C", root).out
        refused("meter", "enrol", "Gil", "-C", root, error="AlreadyEnrolledError")
        assert listed() == [("Ada", True), ("Gil", True)]
        half_said("revoke", "Ada")
        assert listed() == [("Ada", False), ("Gil", True)]
        assert "The ledger does not know the end of Ada yet." in typed("meter", "list", "-C", root).out
        typed("meter", "reissue", "Gil", "-C", root)
        assert listed() == [("Ada", True), ("Gil", True)]
        assert "does not know" not in typed("meter", "list", "-C", root).out
    assert listed() == [("Ada", None), ("Gil", None)], "nobody answers any more"
    assert "was not asked: No node" in typed("meter", "list", "-C", root).out


def test_a_node_that_hangs_is_left_soon_for_the_next_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes_of_networks, "QUICK_S", 0.2)
    with network_before(root, 2) as (first, second):
        first.hang.set()
        status = typed("status", "-C", root, "--json").json
        assert status["nodes"][0] == {"url": first.url, "height": None, "detail": "no answer within 0.2 s"}
        assert "abci_query" in second.asked


def test_what_only_a_node_can_do_is_said_in_a_sentence(root: Path, tmp_path: Path) -> None:
    said = refused("backup", tmp_path / "copy", "-C", root, error="LedgerElsewhereError").json["sentence"]
    assert "its nodes keep it" in said
    assert not (tmp_path / "copy").exists()
    refused("restore", tmp_path / "copy", root, error="LedgerElsewhereError")


def test_init_leaves_networks_to_who_founds_them(root: Path, tmp_path: Path) -> None:
    done = typed("init", tmp_path / "other", "--config", root / "gridproof.toml", code=2)
    assert "gridproof net init" in done.err


def test_a_network_that_is_gone_is_told_with_each_node(root: Path) -> None:
    for words in (("status",), ("run",), ("verify", "ledger"), ("meter", "enrol", "Ada")):
        sentence = refused(*words, "-C", root, error="NodesUnreachableError").json["sentence"]
        assert "http://127.0.0.1:1: Connection refused" in sentence
        assert "sent" not in sentence, "nothing was"


def test_doctor_looks_at_each_node(root: Path) -> None:
    with network_before(root, 2) as (first, second):
        second.is_catching_up = True
        findings = typed("doctor", "-C", root, "--json").json["findings"]
        of_nodes = {each["sentence"].split()[0]: each["severity"] for each in findings if each["subject"] == "node"}
        assert of_nodes == {first.url: "ok", second.url: "hint"}
        assert "database" not in {each["subject"] for each in findings}


def test_doctor_makes_one_fault_of_a_network_that_is_gone(root: Path) -> None:
    findings = typed("doctor", "-C", root, "--json", code=1).json["findings"]
    wrong = [(each["subject"], each["sentence"]) for each in findings if each["severity"] == "wrong"]
    assert [subject for subject, _ in wrong] == ["ledger"]
    assert "no node of the network can be asked" in wrong[0][1]
    assert "readings" in {each["subject"] for each in findings}, "what needs no node is looked at"


def test_another_communitys_network_is_refused(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    found(other, SETTINGS, START_S, SecretFiles(), Seeded(b"another"))
    with network_before(other), network_before(root):
        config = (other / "gridproof.toml").read_text()
        (root / "gridproof.toml").write_text(config)
        assert "serves the chain" in refused("status", "-C", root, error="NodesUnreachableError").json["sentence"]
        (root / "genesis.json").unlink()
        assert typed("status", "-C", root).out, "which chain it should be is not known then; doctor says so"


def test_a_network_is_reached_by_its_client(root: Path) -> None:
    folder = Community(root).folder
    with network_before(root), reached(folder) as ledger:
        assert (ledger.ledger, ledger.network) == (None, ledger.client)
        assert ledger.client.status().height == 1
    network = network_of(folder)
    assert network is not None
    with closing(network):
        assert network.survey()[0].height is None


def test_settings_of_a_network_name_nodes_each_once(root: Path) -> None:
    config = root / "gridproof.toml"
    good = config.read_text()
    node = '"http://127.0.0.1:1"'
    for nodes, says in (("", "at least one node"), (f"{node}, {node}", "named twice"), ('"tcp://x"', "an address")):
        config.write_text(good.replace(f"nodes = [{node}]", f"nodes = [{nodes}]"))
        done = typed("config", "check", "-C", root, code=1)
        assert says in done.out + done.err


def test_settings_are_held_against_the_networks_ledger_and_who_cannot_says_why(root: Path) -> None:
    config = root / "gridproof.toml"
    with network_before(root):
        assert typed("config", "check", "-C", root, "--json").json["unasked"] == ""
        good = config.read_text()
        config.write_text(good.replace("period_s = 3600", "period_s = 900"))
        assert "period_s is 3600" in typed("config", "check", "-C", root, code=1).out
        config.write_text(good)
    told = typed("config", "check", "-C", root).out
    assert "all settings are good" in told
    assert "not held against the ledger" in told


def test_a_password_in_an_address_is_refused_and_not_shown(root: Path) -> None:
    config = root / "gridproof.toml"
    config.write_text(re.sub(r"(?m)^nodes = .*$", 'nodes = ["http://me:geheim@127.0.0.1:1"]', config.read_text()))
    done = typed("config", "check", "-C", root, code=1)
    assert "without a name or password in it" in done.out
    assert "geheim" not in done.out + done.err
