"""The Application behind ABCI: each request of the engine answered by one method. Synchronous; knows no socket.

Rules:
    B-1 `FinalizeBlock` computes and stages; `Commit` alone persists: state, results, events and the block itself in
        one transaction of the store, before it answers. `InitChain` persists nothing.
    B-2 A block's time never goes back, nor before the genesis: an earlier one counts as the last block's.
    B-3 `ProcessProposal` accepts a block only if every transaction may stand at its place; the proposer of one that
        is refused is named in the log.
    B-4 `CheckTx` tests envelopes only. When it is asked again after a block, it also drops what this node left out of
        a proposal, and what has waited too long for an earlier nonce: the engine would make block after block for it.
        What is next and saw many blocks with room go by as well is dropped too: a node without a vote never learns
        why it stays out.
    B-5 A failure of the Application is told as an exception, after which nothing more may be asked: the engine ends.
    B-6 `CheckTx` refuses what is new of a sender that has as many transactions, or bytes of them, waiting at this node
        as one may have (`waiting`): nobody crowds the others out of the engine's room. No part of what nodes agree on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import groupby
from time import monotonic, perf_counter, time
from typing import Any, Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import MsgspecError, json

from gridproof import __version__
from gridproof.drivers import wire
from gridproof.drivers.answering import answer
from gridproof.drivers.blocks import KeptBlock, changes_for
from gridproof.drivers.errors import NoLedgerYet, WireError
from gridproof.drivers.limits import AT_ONCE, PER_SENDER, SENDER_BYTES
from gridproof.drivers.logs import logger
from gridproof.drivers.ports import ApplicationFactory
from gridproof.drivers.snapshots import Intake, discard, is_restoring
from gridproof.errors import GridproofError, Refusal
from gridproof.state import Block, BlockResult, Misbehaviour, Validator, Verifier, system
from gridproof.state.errors import Expired, NothingStagedError, StateError, UnknownQueryError, WrongBlockError
from gridproof.state.refusals import pack_error
from gridproof.state.store import Store
from gridproof.state.transaction import transaction_hash

from .committed import Committed
from .errors import GenesisDiffersError
from .observing import UNOBSERVED, Observer
from .sync import Keeping, Sync
from .waiting import Waiting
from .wire import abci_pb2 as abci

QUERY_PATH: Final = "/gridproof/1"
KEY_PATH: Final = "/key"
PROOF_TYPE: Final = "gridproof/smt/1"
GENESIS_FIELD: Final = "genesis"
PATIENCE_S: Final = 60.0
FRAME_BYTES: Final = 8  # what a block adds to each transaction: a tag and its length, with room to spare
UNANSWERED: Final = 1
MAX_SHOWN: Final = 100  # letters of a path that is none
RECHECK: Final = 1
ACCEPT: Final = abci.ResponseProcessProposal.ProposalStatus.ACCEPT
REJECT: Final = abci.ResponseProcessProposal.ProposalStatus.REJECT
STEPS: Final = frozenset({"init_chain", "prepare_proposal", "process_proposal", "finalize_block", "commit"})
_WELCOME: Final = abci.Response(check_tx=abci.ResponseCheckTx())
_NO_EXTENSION: Final = abci.ResponseVerifyVoteExtension(status=abci.ResponseVerifyVoteExtension.VerifyStatus.ACCEPT)

_log = logger("node")

Handler = Callable[[Any], Any]


class Options(NamedTuple):
    """What may be chosen about the service.

    Attributes:
        reached: called with the name of each step of a block before and after it; tests kill the process there.
        patience_s: how long a transaction may wait for an earlier nonce, or see blocks go by when it is next, while its
            sender's next one stays the same.
        monotonic: seconds, for that.
        clock: UTC epoch seconds, for telling the time to whoever asks; never part of a block.
        keeping: what is kept, and what others may fetch.
        chain_id: the chain that a snapshot must be of; any where none is given.
        observer: told what the service does.
        per_sender: the most transactions of one sender that may wait.
        sender_bytes: the most bytes of them.
    """

    reached: Callable[[str], None] = lambda _step: None
    patience_s: float = PATIENCE_S
    monotonic: Callable[[], float] = monotonic
    clock: Callable[[], int] = lambda: int(time())
    keeping: Keeping = Keeping()
    chain_id: str | None = None
    observer: Observer = UNOBSERVED
    per_sender: int = PER_SENDER
    sender_bytes: int = SENDER_BYTES


DEFAULTS: Final = Options()


class Service:
    """Answers the engine's requests from an Application.

    Args:
        store: keeps everything; closed by whoever opened it.
        application: makes the Application.
        verifier: checks signatures.
        options: what may be chosen.
    """

    def __init__(
        self, store: Store, application: ApplicationFactory, verifier: Verifier, options: Options = DEFAULTS
    ) -> None:
        if is_restoring(store):
            _log.warning("begun anew", reason="a snapshot was being taken in when the node ended")
            discard(store)
        self.application = application(store, verifier)
        intake = Intake(store, application, options.chain_id)
        self.sync = Sync(store, intake, options.keeping, self.application.reload, options.observer)
        self._options = options
        self._observer = options.observer
        self._waiting = Waiting(options.patience_s, options.monotonic, options.per_sender, options.sender_bytes)
        self._committed = Committed(store, self.application, options.clock, self._waiting.find_refusal)
        self._genesis: bytes | None = None
        self._block: tuple[KeptBlock, BlockResult] | None = None
        self._handlers: dict[str, Handler] = {
            "echo": lambda asked: abci.ResponseEcho(message=asked.message),
            "info": self._info,
            "init_chain": self._init_chain,
            "query": self._query,
            "prepare_proposal": self._prepare_proposal,
            "process_proposal": self._process_proposal,
            "extend_vote": lambda _asked: abci.ResponseExtendVote(),
            "verify_vote_extension": lambda _asked: _NO_EXTENSION,
            "finalize_block": self._finalize_block,
            "commit": self._commit,
            **self.sync.handlers,
        }

    def close(self) -> None:
        """End what goes on beside the engine's requests; the store stays open."""
        self.sync.close()

    def answer_all(self, requests: Sequence[abci.Request]) -> Iterator[abci.Response]:
        """Answer requests of the engine in order; envelopes that came together are tested together.

        Args:
            requests: without flushes, which ask for nothing.

        Raises:
            WireError: it is none that this application knows; at the place of the request that it is about.
            GridproofError: the Application failed there; nothing more may be asked (B-5).
        """
        for envelopes, run in groupby(requests, _is_envelope):
            if envelopes:
                yield from self._test(list(run))
            else:
                yield from map(self._answer, run)

    def _test(self, requests: Sequence[abci.Request]) -> Iterator[abci.Response]:
        for at in range(0, len(requests), AT_ONCE):
            together = [request.check_tx for request in requests[at : at + AT_ONCE]]
            began = perf_counter()
            self._options.reached("before check_tx")
            responses = self._check_all(together)
            self._options.reached("after check_tx")
            self._observer.answered("check_tx", perf_counter() - began, len(together))
            yield from responses

    def _answer(self, request: abci.Request) -> abci.Response:
        kind = request.WhichOneof("value")
        handler = self._handlers.get(kind or "")
        if kind is None or handler is None:
            raise WireError(detail="a request of no kind that this application knows")
        began = perf_counter()
        steps = kind in STEPS
        if steps:
            self._options.reached(f"before {kind}")
        response = abci.Response(**{kind: handler(getattr(request, kind))})
        if steps:
            self._options.reached(f"after {kind}")
        self._observer.answered(kind, perf_counter() - began)
        return response

    # --- birth -----------------------------------------------------------------------------------------------------

    def _info(self, _asked: abci.RequestInfo) -> abci.ResponseInfo:
        head = self.application.info()
        return abci.ResponseInfo(
            data="gridproof",
            version=__version__,
            app_version=self.application.app_version or 0,
            last_block_height=head.height,
            last_block_app_hash=head.app_hash if head.height else b"",
        )

    def _init_chain(self, asked: abci.RequestInitChain) -> abci.ResponseInitChain:
        genesis = read_app_state(asked.app_state_bytes)
        root = self.application.init_chain(genesis)
        self._require_same_birth(asked)
        self._genesis = genesis
        return abci.ResponseInitChain(consensus_params=_version(self.application.app_version), app_hash=root)

    def _require_same_birth(self, asked: abci.RequestInitChain) -> None:
        """Hold the engine's genesis to the ledger's.

        Raises:
            GenesisDiffersError: they contradict each other.
        """
        if asked.chain_id != self.application.chain_id:
            raise GenesisDiffersError(detail=f"the engine's chain is {asked.chain_id}")
        if asked.initial_height not in (0, 1):
            raise GenesisDiffersError(detail=f"the engine begins at height {asked.initial_height}")
        told = sorted((each.pub_key.ed25519, each.power) for each in asked.validators)
        kept = sorted((each.key, each.power) for each in self.application.validators())
        if told != kept:
            raise GenesisDiffersError(detail="the engine has other validators")

    # --- what waits ------------------------------------------------------------------------------------------------

    def _check_all(self, asked: Sequence[abci.RequestCheckTx]) -> list[abci.Response]:
        """Rules B-4, B-6. What was tested before is only looked at again: its place among its sender's, and its age."""
        names = [transaction_hash(each.tx) for each in asked]
        verdicts: list[Refusal | None] = [None] * len(asked)
        try:
            self._require_born()
        except Refusal as unborn:
            verdicts = [unborn] * len(asked)
        else:
            again = {at for at, each in enumerate(asked) if each.type == RECHECK and names[at] in self._waiting}
            fresh = [at for at in range(len(asked)) if at not in again]
            for at, checked in zip(fresh, self.application.check_all([asked[at].tx for at in fresh]), strict=True):
                if isinstance(checked, Refusal):
                    verdicts[at] = checked
                    continue
                verdicts[at] = self._waiting.admit(names[at], checked, anew=asked[at].type != RECHECK)
                again |= {at} if asked[at].type == RECHECK else set()
            for at, refusal in self._look_again({at: names[at] for at in again}).items():
                verdicts[at] = refusal
        return [self._checked(*each) for each in zip(asked, names, verdicts, strict=True)]

    def _look_again(self, names: Mapping[int, bytes]) -> dict[int, Refusal | None]:
        """The verdicts on transactions that wait, by their places; `names` are their hashes."""
        if not names:
            return {}
        with self.application.reading() as view:
            set_s = system.operator_clock_s(view)
            now_s = self.application.info().time_s if set_s is None else set_s
            next_nonce = lru_cache(maxsize=None)(partial(system.next_nonce, view))
            return {at: self._waiting.judge(name, now_s, next_nonce) for at, name in names.items()}

    def _checked(self, asked: abci.RequestCheckTx, name: bytes, refusal: Refusal | None) -> abci.Response:
        again = asked.type == RECHECK
        self._observer.checked(0 if refusal is None else refusal.code, again=again)
        if refusal is None:
            return _WELCOME
        self._waiting.forget_all((name,))
        if again:
            self._waiting.refuse(name, refusal)  # for its sender, who may still ask
        told = abci.ResponseCheckTx(code=refusal.code, log=str(refusal), data=pack_error(refusal))
        return abci.Response(check_tx=told)

    def _require_born(self) -> None:
        """Return if there is a ledger: the engine of a node that still takes a snapshot in asks all the same.

        Raises:
            NoLedgerYet: there is none.
        """
        try:
            _ = self.application.chain_id
        except StateError as unborn:
            raise NoLedgerYet from unborn

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _prepare_proposal(self, asked: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        time_s = self._time_s(asked.time)
        proposal = self.application.prepare_proposal(asked.txs, time_s, asked.max_tx_bytes)
        for raw, refusal in proposal.refused:
            name = transaction_hash(raw)
            # The block's time is not decided yet: another proposer's may be earlier, and the transaction stand in that.
            # Its sender would sign it anew. By a committed block's time it is dropped when it is asked about again.
            if not isinstance(refusal, Expired):
                self._waiting.refuse(name, refusal)
            self._observer.left_out(refusal.code)
            _log.info("refused", transaction=name.hex(), code=refusal.code)
        return abci.ResponsePrepareProposal(txs=self._within(proposal.chosen, asked.max_tx_bytes))

    def _within(self, chosen: Sequence[bytes], room: int) -> list[bytes]:
        """As many as fit, in order, with what the engine's own frames add to each."""
        taken: list[bytes] = []
        for raw in chosen:
            room -= len(raw) + FRAME_BYTES
            if room < 0:
                break
            taken.append(raw)
        return taken

    def _process_proposal(self, asked: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        """Rule B-3."""
        try:
            accepted = self.application.process_proposal(self._block_of(asked))
        except WrongBlockError as wrong:
            _log.warning("block out of place", reason=str(wrong))
            accepted = False
        if accepted:
            return abci.ResponseProcessProposal(status=ACCEPT)
        address = asked.proposer_address
        participant = self.application.participant_at(address)
        self._observer.refused(participant)
        _log.warning(
            "proposal refused",
            height=asked.height,
            proposer=address.hex(),
            participant=participant,
            block=asked.hash.hex(),
        )
        return abci.ResponseProcessProposal(status=REJECT)

    def _finalize_block(self, asked: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        block = self._block_of(asked)
        head = self.application.info()
        result = self.application.finalize_block(block)
        self._block = KeptBlock(head.app_hash, block), result
        return abci.ResponseFinalizeBlock(
            # The sentence is for people, and no part of what nodes must agree on; the particulars stay at home.
            tx_results=[abci.ExecTxResult(code=each.code, log=each.text) for each in result.results],
            validator_updates=[_update(each) for each in result.validator_updates],
            consensus_param_updates=_version(result.app_version),
            app_hash=result.app_hash,
        )

    def _commit(self, _asked: abci.RequestCommit) -> abci.ResponseCommit:
        """Rule B-1."""
        if self._block is None:
            raise NothingStagedError
        (kept, result), self._block = self._block, None
        beside = changes_for(kept, self._genesis if kept.block.height == 1 else None)
        head = self.application.commit(beside)
        raws = kept.block.transactions
        self._waiting.committed([transaction_hash(raw) for raw in raws], sum(map(len, raws)))
        if raws:
            count = len(raws)
            _log.info("block", height=head.height, transactions=count, app_hash=head.app_hash.hex())
        self._observer.committed(head, kept.block.proposer, [each.code for each in result.results])
        self.sync.committed(head)
        return abci.ResponseCommit(retain_height=self.sync.retain_height)

    def _block_of(self, asked: abci.RequestProcessProposal | abci.RequestFinalizeBlock) -> Block:
        return Block(
            asked.height,
            self._time_s(asked.time),
            self.application.participant_at(asked.proposer_address),
            tuple(asked.txs),
            tuple(_misbehaviour(each) for each in asked.misbehavior),
        )

    def _time_s(self, told: Timestamp) -> int:
        """Rule B-2."""
        return max(told.seconds, self.application.info().time_s)

    # --- asking ----------------------------------------------------------------------------------------------------

    def _query(self, asked: abci.RequestQuery) -> abci.ResponseQuery:
        head = self.application.info()
        if asked.height not in (0, head.height):
            sentence = f"only the last committed state is kept, of height {head.height}; leave the height out"
            return abci.ResponseQuery(code=UNANSWERED, log=sentence, height=head.height)
        try:
            path = asked.path.decode(errors="replace")  # anybody's bytes
            if path == QUERY_PATH:
                reply = answer(self._committed, wire.read_request(asked.data))
                return abci.ResponseQuery(value=wire.REPLIES.encode(reply), height=head.height)
            if path == KEY_PATH:
                return self._query_key(asked)
            raise UnknownQueryError(path=path[:MAX_SHOWN])
        except GridproofError as wrong:
            code = getattr(wrong, "code", UNANSWERED)
            return abci.ResponseQuery(code=code, log=str(wrong), height=head.height)

    def _query_key(self, asked: abci.RequestQuery) -> abci.ResponseQuery:
        """A record by its key, as tools ask for it that know the engine and not the wire."""
        found = self.application.query("key", asked.data, prove=asked.prove)
        proof = [abci.ProofOp(type=PROOF_TYPE, key=asked.data, data=found.proof)] if asked.prove else []
        return abci.ResponseQuery(
            key=asked.data, value=found.value, height=found.height, proof_ops=abci.ProofOps(ops=proof)
        )


def _is_envelope(request: abci.Request) -> bool:
    return request.HasField("check_tx")


def read_app_state(raw: bytes) -> bytes:
    """The ledger's genesis document in the engine's: as a text, whose bytes the engine never changes.

    Raises:
        GenesisDiffersError: it is not there.
    """
    try:
        document = json.decode(raw, type=dict[str, str])[GENESIS_FIELD]
    except (MsgspecError, KeyError, UnicodeDecodeError) as wrong:
        raise GenesisDiffersError(detail=f"its app_state has no text in {GENESIS_FIELD}") from wrong
    return document.encode()


def write_app_state(genesis: bytes) -> dict[str, str]:
    """The engine's `app_state` that holds a genesis document.

    Args:
        genesis: the document's bytes, UTF-8.
    """
    return {GENESIS_FIELD: genesis.decode()}


def _update(validator: Validator) -> abci.ValidatorUpdate:
    return abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=validator.key), power=validator.power)


def _version(version: int | None) -> abci.ConsensusParams | None:
    return None if version is None else abci.ConsensusParams(version=abci.VersionParams(app=version))


def _misbehaviour(told: abci.Misbehavior) -> Misbehaviour:
    validator, total = told.validator, told.total_voting_power
    return Misbehaviour(told.type, validator.address, told.height, told.time.seconds, total)
