"""An engine's part, played by hand: a service over the tiny ledger, and the requests of a block."""

from collections.abc import Sequence
from pathlib import Path

from gridproof.drivers.cometbft.observing import Observer
from gridproof.drivers.cometbft.service import DEFAULTS, Service, write_app_state
from gridproof.drivers.cometbft.sync import Keeping
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.snapshots import SnapshotFolder
from gridproof.state import SerialVerifier, Verifier
from gridproof.state.store import MemoryStore, Store

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis

ROOM = 2**20


def born(
    observer: Observer,
    *,
    snapshots: Path | None = None,
    every: int = 0,
    verifier: Verifier | None = None,
    store: Store | None = None,
) -> Service:
    """A service whose ledger was born, before its first block."""
    keeping = Keeping(SnapshotFolder(snapshots), every) if snapshots else Keeping()
    options = DEFAULTS._replace(observer=observer, keeping=keeping)
    service = Service(store or MemoryStore(), tiny, verifier or SerialVerifier(), options)
    app_state = '{"genesis":' + _text(write_app_state(tiny_genesis())["genesis"]) + "}"
    next(
        service.answer_all(
            (abci.Request(init_chain=abci.RequestInitChain(chain_id="tiny-1", app_state_bytes=app_state.encode())),)
        )
    )
    return service


def _text(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check(service: Service, raw: bytes, *, again: bool = False) -> int:
    """Offer an envelope; its code."""
    asked = abci.RequestCheckTx(tx=raw, type=1 if again else 0)
    return next(service.answer_all((abci.Request(check_tx=asked),))).check_tx.code


def propose(service: Service, arrived: Sequence[bytes]) -> list[bytes]:
    """Have a block proposed; what is in it."""
    asked = abci.RequestPrepareProposal(txs=arrived, max_tx_bytes=ROOM)
    asked.time.seconds = GENESIS_TIME_S + 10
    return list(next(service.answer_all((abci.Request(prepare_proposal=asked),))).prepare_proposal.txs)


def judge(service: Service, height: int, transactions: Sequence[bytes]) -> bool:
    """Whether a proposed block is accepted."""
    asked = abci.RequestProcessProposal(height=height, txs=transactions)
    asked.time.seconds = GENESIS_TIME_S + 10
    status = next(service.answer_all((abci.Request(process_proposal=asked),))).process_proposal.status
    return status == abci.ResponseProcessProposal.ProposalStatus.ACCEPT


def commit(service: Service, height: int, transactions: Sequence[bytes]) -> list[int]:
    """Have a block decided and committed; its codes."""
    asked = abci.RequestFinalizeBlock(height=height, txs=transactions)
    asked.time.seconds = GENESIS_TIME_S + 10
    done = next(service.answer_all((abci.Request(finalize_block=asked),))).finalize_block
    next(service.answer_all((abci.Request(commit=abci.RequestCommit()),)))
    return [each.code for each in done.tx_results]
