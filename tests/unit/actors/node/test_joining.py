"""A node for a company that comes later, by the rules J-1 to J-3."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors import credentials
from gridproof.actors.node import joining as module
from gridproof.actors.node.errors import (
    CompanyUnknownError,
    KeysOfAnotherError,
    NetworkUnlikeError,
    NodeFolderTakenError,
    NodeSettingsError,
)
from gridproof.actors.node.joining import YOUNG, JoinOrder, Made, join_network, require_owner
from gridproof.actors.node.settings import load
from gridproof.actors.randomness import Seeded
from gridproof.connectors.engine_headers import EngineRpc
from gridproof.connectors.files import write_whole
from gridproof.connectors.ledger import InProcessClient
from gridproof.connectors.secret_files import NoSecretFileError, SecretFiles
from gridproof.drivers.cometbft.engine import genesis_file
from gridproof.state import Validator

from tests.tiny.app import GENESIS_TIME_S, tiny_genesis
from tests.unit.actors.node.homes import COMPANY_KEYS, SIGNER, Rpc, rpc
from tests.unit.modules.consensus import network as consensus

GENESIS = json.loads(genesis_file("tiny-1", tiny_genesis(), GENESIS_TIME_S, [("a", Validator(1, SIGNER.public, 10))]))


@pytest.fixture
def network() -> Iterator[Rpc]:
    with rpc() as made:
        made.status(40)
        made.told["genesis"] = {"genesis": GENESIS}
        info = {"id": "ef" * 20, "listen_addr": "127.0.0.7:26656", "other": {"rpc_address": "tcp://0.0.0.0:26657"}}
        made.told["net_info"] = {"n_peers": "1", "peers": [{"node_info": info}]}
        yield made


@pytest.fixture(autouse=True)
def _header(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the asked node's header hashes to: headers are read and hashed elsewhere, and tested there."""

    class Block:
        def __init__(self, height: int) -> None:
            self.header = height

    monkeypatch.setattr(EngineRpc, "light_block", lambda _self, height: Block(height))
    monkeypatch.setattr(module, "header_hash", lambda height: bytes((height % 256,)) * 32)


def joined(network: Rpc, root: Path, **more: Any) -> Made:
    order = JoinOrder("Beta", network.url, "127.0.0.5:1", "127.0.0.5:2", "beta:2", keys=COMPANY_KEYS, **more)
    return join_network(root, order, Seeded(b"join"))


def test_j1_genesis_and_peers_are_taken_from_the_node_that_is_asked(network: Rpc, tmp_path: Path) -> None:
    made = joined(network, tmp_path / "n")
    assert made.folder.genesis.read_bytes() == tiny_genesis()
    assert json.loads(made.folder.engine_genesis.read_bytes()) == GENESIS
    settings = load(made.folder.root)
    assert settings.engine.peers == ("cd" * 20 + "@127.0.0.8:26656", "ef" * 20 + "@127.0.0.7:26656")
    assert (settings.node.name, settings.node.chain_id, made.chain_id) == ("Beta", "tiny-1", "tiny-1")
    assert (settings.engine.rpc, settings.engine.p2p, settings.engine.external) == (
        "127.0.0.5:1",
        "127.0.0.5:2",
        "beta:2",
    )
    assert made.peers == 2
    assert made.folder.key_file("Beta").read_bytes() == COMPANY_KEYS


def test_j1_its_keys_are_its_own(network: Rpc, tmp_path: Path) -> None:
    first = joined(network, tmp_path / "a").folder
    order = JoinOrder("Beta", network.url, "127.0.0.5:1", "127.0.0.5:2", "beta:2")
    second = join_network(tmp_path / "b", order, Seeded(b"other")).folder
    keys = {path.read_bytes() for each in (first, second) for path in (each.signer_key, each.node_key)}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("status", b"nonsense"),
        ("status", {}),
        ("status", {"node_info": 5}),
        ("net_info", {"peers": [{}]}),
        ("net_info", {"peers": 7}),
        ("genesis", {}),
        ("genesis", {"genesis": {"app_state": {}}}),
        ("genesis", {"genesis": {"app_state": "text"}}),
        ("genesis", {"genesis": {"app_state": {"genesis": "\ud800"}}}),
        ("genesis", {"genesis": []}),
    ],
)
def test_j1_a_node_that_answers_otherwise_makes_nothing(network: Rpc, tmp_path: Path, method: str, told: Any) -> None:
    network.told[method] = told
    with pytest.raises(NetworkUnlikeError) as refused:
        joined(network, tmp_path / "n")
    assert refused.value.url == network.url
    assert "Error" not in refused.value.detail, "a sentence holds no other one"
    assert refused.value.detail.count(". ") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "told",
    [{"id": "nobody"}, {"listen_addr": 'evil:1"\n[engine]\nprogram = "/bin/sh'}, {"listen_addr": "no port"}],
)
def test_j1_a_peer_that_is_none_is_not_written_down(network: Rpc, tmp_path: Path, told: dict[str, str]) -> None:
    network.told["net_info"]["peers"][0]["node_info"] |= told
    with pytest.raises(NodeSettingsError):
        joined(network, tmp_path / "n")
    assert list(tmp_path.iterdir()) == []


def test_j2_a_header_that_is_given_is_the_one_that_is_trusted(network: Rpc, tmp_path: Path) -> None:
    made = joined(network, tmp_path / "n", trusted=(17, b"\x11" * 32))
    sync = load(made.folder.root).sync
    assert sync is not None
    assert (sync.height, sync.header_hash) == (17, "11" * 32)
    assert made.trusted == (17, b"\x11" * 32)
    with pytest.raises(NetworkUnlikeError):
        joined(network, tmp_path / "other", trusted=(17, b"\xaa" * 32))  # the network has another there
    assert not (tmp_path / "other").exists()


def test_j2_where_none_is_given_that_of_the_asked_node_is_taken_and_told(network: Rpc, tmp_path: Path) -> None:
    made = joined(network, tmp_path / "n", by_snapshot=True)
    assert made.trusted == (40, b"\x28" * 32)
    sync = load(made.folder.root).sync
    assert sync is not None
    assert sync.servers == (network.url, "http://127.0.0.7:26657"), "under the host by which others reach it"


def test_j2_two_servers_are_named_even_where_there_is_one(network: Rpc, tmp_path: Path) -> None:
    network.told["net_info"] = {"peers": []}
    sync = load(joined(network, tmp_path / "n", by_snapshot=True).folder.root).sync
    assert sync is not None
    assert sync.servers == (network.url, network.url)


@pytest.mark.parametrize(
    ("height", "first", "by_snapshot"), [(40, 1, False), (YOUNG, 1, False), (YOUNG + 1, 1, True), (40, 2, True)]
)
def test_j3_a_young_network_that_has_all_blocks_is_followed_from_the_first(
    network: Rpc, tmp_path: Path, height: int, first: int, *, by_snapshot: bool
) -> None:
    peers = network.told["net_info"]
    network.status(height, earliest_block_height=str(first))
    network.told["net_info"] = peers
    made = joined(network, tmp_path / "n")
    assert (made.trusted is not None) == by_snapshot
    assert (load(made.folder.root).sync is not None) == by_snapshot


def test_j3_who_wants_all_blocks_gets_them_whatever_the_age(network: Rpc, tmp_path: Path) -> None:
    network.status(10 * YOUNG)
    assert joined(network, tmp_path / "n", by_snapshot=False).trusted is None


def test_a_folder_with_something_in_it_stays(network: Rpc, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(NodeFolderTakenError):
        joined(network, tmp_path)


def test_an_order_shows_no_keys() -> None:
    shown = repr(JoinOrder("Beta", "http://x", "a:1", "a:2", "a:2", keys=COMPANY_KEYS))
    assert "secret" not in shown
    assert "Beta" in shown


def test_nobody_there_is_said(tmp_path: Path) -> None:
    order = JoinOrder("Beta", "http://127.0.0.1:1", "a:1", "a:2", "a:2")
    with pytest.raises(NetworkUnlikeError) as refused:
        join_network(tmp_path / "n", order, Seeded(b"join"))
    assert refused.value.detail == "Connection refused"
    assert list(tmp_path.iterdir()) == []


# --- whose keys it is given -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_companys_own_key_file_is_taken_and_another_ones_refused_by_both_names(
    client: InProcessClient, tmp_path: Path, passphrase: str | None
) -> None:
    secrets = SecretFiles(passphrase, log2_n=10)
    own, other = consensus.AGGREGATORS[:2]
    path = tmp_path / "own.key"
    credentials.write(secrets, path, credentials.draw(own, Seeded(b"own")))
    require_owner(client, secrets, path, own)
    with pytest.raises(KeysOfAnotherError) as refused:
        require_owner(client, secrets, path, other)
    assert (refused.value.name, refused.value.owner) == (other, own)
    with pytest.raises(CompanyUnknownError) as unknown:
        require_owner(client, secrets, path, "Nobody")
    assert unknown.value.name == "Nobody"
    assert own in unknown.value.known


def test_a_file_that_is_nobodys_is_said_to_be_none(client: InProcessClient, tmp_path: Path) -> None:
    path = tmp_path / "own.key"
    write_whole(path, COMPANY_KEYS, 0o600)
    with pytest.raises(NoSecretFileError):
        require_owner(client, SecretFiles(), path, consensus.AGGREGATORS[0])
    credentials.write(SecretFiles(), path, credentials.draw("Stranger", Seeded(b"x")), replace=True)
    with pytest.raises(NoSecretFileError):
        require_owner(client, SecretFiles(), path, consensus.AGGREGATORS[0])
