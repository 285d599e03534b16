"""One history, two drivers: what a network recorded is replayed embedded, and the other way round."""

from base64 import b64decode
from contextlib import closing

from msgspec import json

from gridproof.app import application
from gridproof.drivers.cometbft.service import Service, write_app_state
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.history import Entry, HistoryFile, StoredHistory, export_history
from gridproof.drivers.verification import replay, verify_store
from gridproof.state import SerialVerifier
from gridproof.state.store import LmdbStore, MemoryStore

from . import load
from .byzantine import two_votes
from .lab import Lab, Node
from .town import Town
from .trial import Trial


def histories(trial: Trial) -> None:
    """Replay a network's history embedded, and an embedded one through the service that a network's engine talks to."""
    for time in range(trial.times):
        trial.counts["blocks of a network replayed embedded"] += _from_network(trial, time)
    trial.counts["embedded blocks replayed by the network's service"] += from_embedded()


def _from_network(trial: Trial, time: int) -> int:
    """Record a history with an offence in it, and replay it; the number of blocks.

    The app hashes it must come to are those that the engine's headers tell, and not the ledger's own.
    """
    folder = trial.folder / f"history-{time}"
    with Lab(folder) as lab:
        with trial.loaded(lab):
            lab.until_height(2, lab.nodes[:1])
            lab.nodes[0].ask(
                "broadcast_evidence", evidence=two_votes(lab.nodes[0], lab.born.members[3].signer, lab.born.chain_id, 2)
            )
            lab.until(lambda: len(lab.nodes[0].ask("validators")["validators"]) == 3, "the offence lands")
        height = lab.until_together()
        headers = [block.app_hash for block in load.blocks_of(lab.nodes[0], height)]
        last = b64decode(lab.nodes[0].head()[1]).hex().upper()
        for node in lab.nodes[1:]:
            assert node.ask("status")["sync_info"]["latest_app_hash"] == headers[-1]
        lab.nodes[0].end()
        exported = _export(lab.nodes[0], lab.born.chain_id)
    history = HistoryFile(exported)
    told = [entry.app_hash.hex().upper() for entry in history.entries()]
    assert told == [*headers[1:], last], "the history tells other app hashes than the engine's headers"
    assert any(entry.misbehaviour for entry in history.entries())
    report = replay(history, application, into=MemoryStore(), verifier=SerialVerifier())
    assert report.falsehoods == (), report.falsehoods
    assert report.app_hash.hex().upper() == last
    return report.last_height


def _export(node: Node, chain_id: str) -> str:
    """Write a node's history to a file, after the store itself was verified."""
    store = LmdbStore(str(node.folder.database), read_only=True)
    with closing(store):
        report = verify_store(store, application, verifier=SerialVerifier())
        assert report.falsehoods == (), report.falsehoods
        path = f"{node.folder.root}.history"
        with store.snapshot() as snapshot:
            head = application(store).info()
            export_history(StoredHistory(snapshot, head), chain_id, path)
    return path


def from_embedded() -> int:
    """Record a history embedded, and hand it to a network's service as an engine would; the number of blocks."""
    with closing(Town()) as town:
        entries = town.attacked(1).entries()
        born = town.born
    store = MemoryStore()
    service = Service(store, application, SerialVerifier())
    try:
        asked = abci.RequestInitChain(
            chain_id=born.chain_id, initial_height=1, app_state_bytes=json.encode(write_app_state(born.genesis))
        )
        next(service.answer_all((abci.Request(init_chain=asked),)))
        for entry in entries:
            _hand_over(service, entry)
            assert service.application.info().app_hash == entry.app_hash, f"another app hash at height {entry.height}"
    finally:
        service.close()
        store.close()
    return len(entries)


def _hand_over(service: Service, entry: Entry) -> None:
    judged = abci.RequestProcessProposal(height=entry.height, txs=entry.transactions)
    judged.time.seconds = entry.time_s
    told = next(service.answer_all((abci.Request(process_proposal=judged),))).process_proposal
    assert told.status == abci.ResponseProcessProposal.ProposalStatus.ACCEPT, f"block {entry.height} was refused"
    final = abci.RequestFinalizeBlock(height=entry.height, txs=entry.transactions)
    final.time.seconds = entry.time_s
    result = next(service.answer_all((abci.Request(finalize_block=final),))).finalize_block
    assert [each.code for each in result.tx_results] == list(entry.codes)
    assert result.app_hash == entry.app_hash
    next(service.answer_all((abci.Request(commit=abci.RequestCommit()),)))
