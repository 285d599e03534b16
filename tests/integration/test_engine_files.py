"""The engine itself takes the files that are made for it: keys, genesis and settings."""

import json
import os
import socket
import subprocess
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

import pytest

from gridproof.actors.node.founding import make_node
from gridproof.actors.node.settings import EngineSection, FiguresSection, NodeSection, NodeSettings
from gridproof.connectors.engine_headers import EngineError, EngineRpc
from gridproof.drivers.cometbft.engine import (
    EngineKey,
    EngineSettings,
    StateSync,
    config_file,
    genesis_file,
    read_signer_file,
    signer_file,
)
from gridproof.drivers.cometbft.server import Server
from gridproof.drivers.cometbft.service import Service
from gridproof.state import SerialVerifier, Validator
from gridproof.state.store import MemoryStore

from tests.engines import engine
from tests.unit.actors.node.homes import NODE_KEY, SIGNER, birth
from tests.unit.modules.consensus import network as consensus

PATIENCE_S = 120.0


def free_host(ports: tuple[int, ...]) -> str:
    """A loopback address at which nobody listens."""
    while True:
        host = "127.{}.{}.1".format(*(1 + each % 250 for each in os.urandom(2)))
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return host


@pytest.fixture
def program() -> Path:
    return engine("cometbft")


def told(program: Path, *words: str) -> str:
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def written(tmp_path: Path, settings: NodeSettings, genesis: bytes, validators: list[tuple[str, Validator]]) -> Path:
    made = genesis_file(consensus.CHAIN_ID, genesis, consensus.START_S, validators)
    of = birth(settings)._replace(genesis=genesis, engine_genesis=made)
    return make_node(tmp_path / "node", of).root


def settings_at(host: str, name: str = "Zürich ⚡ \U0001f600", program: str = "") -> NodeSettings:
    return NodeSettings(
        node=NodeSection(name=name, chain_id=consensus.CHAIN_ID),
        engine=EngineSection(
            rpc=f"{host}:26657", p2p=f"{host}:26656", external=f"{host}:26656", commit_ms=50, program=program
        ),
        figures=FiguresSection(engine=f"{host}:26660"),
    )


def config_of(settings: NodeSettings, application: str, sync: StateSync | None = None) -> bytes:
    at = settings.engine
    return config_file(
        EngineSettings(
            settings.node.name, application, at.rpc, at.p2p, at.external, at.peers, at.commit_ms,
            settings.figures.engine, state_sync=sync,
        )
    )  # fmt: skip


def test_the_engine_reads_its_keys_and_settings(program: Path, tmp_path: Path) -> None:
    settings = settings_at("127.0.0.1")
    powers = [("a", Validator(1, SIGNER.public, 10))]
    home = written(tmp_path, settings, consensus.genesis(None), powers) / "engine"
    (home / "config" / "config.toml").write_bytes(config_of(settings, "/none.sock"))
    assert told(program, "show-node-id", "--home", str(home)) == NODE_KEY.address.hex()
    shown = json.loads(told(program, "show-validator", "--home", str(home)))
    assert shown == {"type": "tendermint/PubKeyEd25519", "value": b64encode(SIGNER.public).decode()}


def test_the_engines_own_key_files_are_read(program: Path, tmp_path: Path) -> None:
    told(program, "init", "--home", str(tmp_path))
    raw = (tmp_path / "config" / "priv_validator_key.json").read_bytes()
    key = read_signer_file(raw, "")
    assert key.address.hex().upper() == json.loads(raw)["address"]
    node = read_signer_file((tmp_path / "config" / "node_key.json").read_bytes(), "")
    assert told(program, "show-node-id", "--home", str(tmp_path)) == node.address.hex()


def test_the_engine_makes_blocks_with_them_before_our_server(program: Path, tmp_path: Path) -> None:
    host = free_host((26656, 26657, 26660))
    settings = settings_at(host)
    name = consensus.AGGREGATORS[0]
    signer = EngineKey(consensus.secret(name))
    genesis = consensus.genesis(consensus.section({name: 10}))
    root = written(tmp_path, settings, genesis, [(name, Validator(3, signer.public, 10))])
    (root / "signer" / "key.json").write_bytes(signer_file(signer))
    config = root / "engine" / "config" / "config.toml"
    service = Service(MemoryStore(), consensus.application, SerialVerifier())
    place = tmp_path / "s"
    config.write_bytes(config_of(settings, str(place)))
    rpc = EngineRpc(f"http://{host}:26657", PATIENCE_S)
    with Server(service.answer_all, place) as server, (tmp_path / "log").open("wb") as log, closing(rpc):
        node = subprocess.Popen([program, "node", "--home", str(root / "engine")], stdout=log, stderr=log)
        try:
            deadline = monotonic() + PATIENCE_S
            while not _height(rpc):
                assert node.poll() is None, (tmp_path / "log").read_text()[-2_000:]
                assert monotonic() < deadline, (tmp_path / "log").read_text()[-2_000:]
                sleep(0.05)
            status = rpc.ask("status")
            assert status["node_info"]["moniker"] == "Zurich"
            assert status["validator_info"]["address"] == signer.address.hex().upper()
            assert server.failure is None
        finally:
            node.terminate()
            node.wait(PATIENCE_S)
    service.close()
    assert service.application.info().height >= 1
    state = json.loads((root / "signer" / "state.json").read_bytes())
    assert int(state["height"]) >= 1, "what it signed is written beside the engine's folder"


def _height(rpc: EngineRpc) -> int:
    try:
        return rpc.latest_height()
    except EngineError:
        return 0
