"""A node as its engine sees it: each request of ABCI by name, over a service and the store behind it."""

from collections.abc import Sequence
from typing import Any

from msgspec import json

from gridproof.drivers import wire
from gridproof.drivers.cometbft.service import DEFAULTS, QUERY_PATH, Options, Service, write_app_state
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.ports import ApplicationFactory
from gridproof.state import SerialVerifier, SignatureClaim, Verifier
from gridproof.state.store import MemoryStore, Store, Table

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis

ROOM = 21 * 2**20
ACCEPT = abci.ResponseProcessProposal.ProposalStatus.ACCEPT
REJECT = abci.ResponseProcessProposal.ProposalStatus.REJECT
FIRST_S = GENESIS_TIME_S + 10


class Counting(SerialVerifier):
    """A verifier that counts the signatures that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = 0

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        """The first claim that does not hold, or None."""
        self.claims += len(claims)
        return super().find_invalid(claims)


class Clock:
    """Seconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Node:
    """A service, and what its engine asks.

    Args:
        store: by default in memory.
        factory: makes the Application; the tiny one by default.
        options: of the service.
        verifier: by default serial.
    """

    def __init__(
        self,
        store: Store | None = None,
        factory: ApplicationFactory = tiny,
        options: Options = DEFAULTS,
        verifier: Verifier | None = None,
    ) -> None:
        self.store = store or MemoryStore()
        self.service = Service(self.store, factory, verifier or SerialVerifier(), options)

    def ask(self, **request: Any) -> Any:
        """Ask for one thing; its own part of the reply."""
        ((kind, asked),) = request.items()
        reply = next(self.service.answer_all((abci.Request(**{kind: asked}),)))
        assert reply.WhichOneof("value") == kind, "the reply is of another kind"
        return getattr(reply, kind)

    def info(self) -> abci.ResponseInfo:
        """Where the application stands."""
        told: abci.ResponseInfo = self.ask(info=abci.RequestInfo())
        return told

    def init(
        self, genesis: bytes | None = None, chain_id: str = "tiny-1", validators: Sequence[tuple[bytes, int]] = (),
        app_state: bytes | None = None, initial_height: int = 1,
    ) -> abci.ResponseInitChain:  # fmt: skip
        """Birth."""
        raw = json.encode(write_app_state(genesis or tiny_genesis())) if app_state is None else app_state
        powers = [abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=key), power=power) for key, power in validators]
        told: abci.ResponseInitChain = self.ask(
            init_chain=abci.RequestInitChain(
                chain_id=chain_id, validators=powers, app_state_bytes=raw, initial_height=initial_height
            )
        )
        return told

    def check(self, raw: bytes, *, again: bool = False) -> abci.ResponseCheckTx:
        """An envelope."""
        told: abci.ResponseCheckTx = self.ask(check_tx=abci.RequestCheckTx(tx=raw, type=1 if again else 0))
        return told

    def propose(self, arrived: Sequence[bytes], room: int = ROOM, time_s: int = FIRST_S) -> list[bytes]:
        """What this node proposes of what arrived."""
        asked = abci.RequestPrepareProposal(txs=arrived, max_tx_bytes=room, height=self.info().last_block_height + 1)
        asked.time.seconds = time_s
        return list(self.ask(prepare_proposal=asked).txs)

    def judge(
        self, transactions: Sequence[bytes], height: int | None = None, time_s: int = FIRST_S, proposer: bytes = b""
    ) -> int:
        """Its word on another's proposal."""
        asked = abci.RequestProcessProposal(
            txs=transactions, height=height or self.info().last_block_height + 1, proposer_address=proposer,
            hash=b"\xab" * 32,
        )  # fmt: skip
        asked.time.seconds = time_s
        return int(self.ask(process_proposal=asked).status)

    def finalize(
        self, transactions: Sequence[bytes] = (), height: int | None = None, time_s: int = FIRST_S,
        proposer: bytes = b"", misbehaviour: Sequence[abci.Misbehavior] = (),
    ) -> abci.ResponseFinalizeBlock:  # fmt: skip
        """A block that was decided."""
        asked = abci.RequestFinalizeBlock(
            txs=transactions, height=height or self.info().last_block_height + 1, proposer_address=proposer,
            misbehavior=misbehaviour,
        )  # fmt: skip
        asked.time.seconds = time_s
        told: abci.ResponseFinalizeBlock = self.ask(finalize_block=asked)
        return told

    def commit(self) -> abci.ResponseCommit:
        """Persist it."""
        told: abci.ResponseCommit = self.ask(commit=abci.RequestCommit())
        return told

    def block(self, *transactions: bytes, **more: Any) -> abci.ResponseFinalizeBlock:
        """A whole block; what was computed."""
        told = self.finalize(transactions, **more)
        self.commit()
        return told

    def query(self, path: str, data: bytes = b"", height: int = 0, *, prove: bool = False) -> abci.ResponseQuery:
        """A question."""
        asked = abci.RequestQuery(path=path.encode(), data=data, height=height, prove=prove)
        told: abci.ResponseQuery = self.ask(query=asked)
        return told

    def wire(self, request: wire.Request) -> wire.Reply:
        """A question in the words of the wire."""
        told = self.query(QUERY_PATH, wire.REQUESTS.encode(request))
        assert told.code == 0, told.log
        return wire.read_reply(told.value)

    def contents(self) -> dict[Table, list[tuple[bytes, bytes]]]:
        """All that the store holds."""
        with self.store.snapshot() as moment:
            return {table: list(moment.scan(table)) for table in Table}


def born(store: Store | None = None, options: Options = DEFAULTS, verifier: Verifier | None = None) -> Node:
    """A node of the tiny ledger, before its first block."""
    node = Node(store, options=options, verifier=verifier)
    node.init()
    return node
