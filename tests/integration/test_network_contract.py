"""What every client of the ledger does, over the real engine: the tests that the other twins pass, on a chain each.

The engine has a block of its own before the first transaction, and its clock is the machine's: so the tests ask the
ledger for its height, and time is the operator's word.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import pytest

from gridproof.actors.node.founding import Birth, make_node
from gridproof.actors.node.supervisor import end, tied
from gridproof.connectors.ledger import ClientError, LedgerClient, NetworkClient, RemoteHistory
from gridproof.domain import ParticipantId
from gridproof.drivers.cometbft.engine import EngineSettings, config_file, genesis_file
from gridproof.drivers.cometbft.server import Server
from gridproof.drivers.cometbft.service import Service
from gridproof.drivers.errors import MissingBlockError, WaitTimeoutError
from gridproof.drivers.verification import replay
from gridproof.state import Application, SerialVerifier, Validator, Verifier
from gridproof.state.store import MemoryStore, Store

from tests.engines import engine
from tests.kvstore_network import free_ports
from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis
from tests.unit.actors.node.homes import NODE_KEY, SIGNER, settings
from tests.unit.connectors.ledger import test_contract as contract
from tests.unit.drivers.scenes import signed

PATIENCE_S: Final = 120.0
VALIDATOR: Final = Validator(ParticipantId(1), SIGNER.public, 10)

test_a_query_is_asked_by_its_function = contract.test_a_query_is_asked_by_its_function
test_a_query_that_is_not_offered_is_refused = contract.test_a_query_that_is_not_offered_or_wrongly_asked_is_refused
test_a_record_is_read_with_a_proof = contract.test_a_record_is_read_with_a_proof
test_a_refusal_comes_back_as_its_own_class = contract.test_a_refusal_comes_back_as_its_own_class
test_a_refusal_in_a_block_comes_back_in_the_result = contract.test_a_refusal_in_a_block_comes_back_in_the_result
test_a_transaction_is_submitted_and_waited_for = contract.test_a_transaction_is_submitted_and_waited_for
test_arguments_of_another_type_are_refused = contract.test_arguments_of_another_type_are_refused
test_many_threads_use_one_client = contract.test_many_threads_use_one_client


@pytest.fixture
def now_s() -> int:
    """Ledger time: no word of the operator has moved it."""
    return GENESIS_TIME_S


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LedgerClient]:
    """A client of a node that has made its first block."""
    program = engine("cometbft")
    net, part = os.urandom(2)
    host = f"127.{1 + net % 250}.{part}.1"
    p2p, rpc = (f"{host}:{port}" for port in free_ports([host]))
    genesis = tiny_genesis("operator")
    born = genesis_file("tiny-1", genesis, GENESIS_TIME_S, [("Alpha Energy", VALIDATOR)])
    folder = make_node(tmp_path / "node", Birth(settings(), SIGNER, NODE_KEY, genesis, born))
    told = EngineSettings("Alpha", str(folder.socket), rpc, p2p, p2p, (), commit_ms=0, log_level="error")
    (folder.engine_config / "config.toml").write_bytes(config_file(told))
    with (
        closing(MemoryStore()) as store,
        closing(Service(store, voted_on, SerialVerifier())) as service,
        Server(service.answer_all, folder.socket),
        folder.engine_log.open("wb") as log,
        closing(NetworkClient([f"http://{rpc}"], "tiny-1")) as made,
    ):
        command = tied((str(program), "node", "--home", str(folder.engine)))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _await_block(made, folder.engine_log, process)
            yield made
        finally:
            end(process)


def voted_on(store: Store, verifier: Verifier) -> Application:
    """The tiny ledger, which has no list of validators, with the one that the engine has."""
    made = tiny(store, verifier)
    made.validators = lambda: (VALIDATOR,)  # type: ignore[method-assign]
    return made


def _await_block(client: LedgerClient, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the ledger, and not the engine alone, has the first block."""
    deadline = monotonic() + PATIENCE_S
    while True:
        try:
            if client.status().height:
                return
        except ClientError:
            pass
        is_over = process.poll() is not None or monotonic() > deadline
        assert not is_over, log.read_text(errors="replace")[-2_000:]
        sleep(0.02)


def test_what_is_unknown_or_late_is_waited_for_as_long_as_was_said(client: LedgerClient) -> None:
    """A node of a network cannot know that a transaction is unknown: another may have it."""
    later = client.submit(signed(nonce=5))
    for name in (bytes(32), later):
        with pytest.raises(WaitTimeoutError) as late:
            client.wait(name, 0.05)
        assert (late.value.name, late.value.timeout_ms) == (name, 50)
    for nonce in range(5):
        client.submit(signed(nonce=nonce))
    assert client.wait(later, PATIENCE_S).result.code == 0


def test_the_history_is_read_block_by_block_and_leads_to_the_same_state(client: LedgerClient) -> None:
    for nonce in range(3):
        client.wait(client.submit(signed(nonce=nonce)), PATIENCE_S)
    history = RemoteHistory(client)
    assert (history.chain_id, history.genesis) == ("tiny-1", tiny_genesis("operator"))
    report = replay(history, tiny, verifier=SerialVerifier())
    assert report.is_true
    assert report.app_hash == history.last_hash
    with pytest.raises(MissingBlockError):
        client.entry(history.last_height + 99)


def test_events_are_followed_from_a_cursor(client: LedgerClient) -> None:
    assert client.events_since(b"", 10) == []
    heights = [client.wait(client.submit(signed(nonce=nonce)), PATIENCE_S).height for nonce in range(3)]
    events = client.events_since(b"", 10)
    assert [event.height for event in events] == heights
    assert client.events_since(events[0].cursor, 1) == events[1:2]
    client.submit(signed(nonce=3))
    (woken,) = client.events_since(events[2].cursor, 10, 20)
    assert woken.height > heights[-1]
    assert client.events_since(woken.cursor, 10, 0.02) == []
