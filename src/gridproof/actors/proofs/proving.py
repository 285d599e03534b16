"""Making proofs to take away: a statement from the ledger, and the headers that prove it, from the network's nodes.

The state after a block is told by the header of the block after it. A block that changes the state is followed by one
more in any case, so the wait is short; where nothing changed since, the last header tells the same state.
"""

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Any, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from gridproof.actors.bills.proof import BillProof
from gridproof.actors.errors import LedgerMovedError
from gridproof.actors.proof_file import ProofFile
from gridproof.connectors.engine_headers import EngineRefusedError, EngineUnreachableError, Headers
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import Slot
from gridproof.light import ABSENT, Flag, LightBlock, Policy, Time, Trusted, header_hash, verify_step
from gridproof.light.errors import OtherAnchorError, TooLittleTrustError
from gridproof.light.forms import verify_block_form
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import SlotRecord
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode
from gridproof.state import Map

from .anchor import Anchor
from .errors import (
    AnchorTooYoungError,
    HeaderAwaitedError,
    HeaderDiffersError,
    NodesDisagreeError,
    NothingToProveError,
    TooFewNodesError,
)
from .file import LightProof
from .statements import FOLDS, KINDS, AnyStatement, Entry, Folded, InBatch, OwnBill, OwnRecords

PATIENCE_S: Final = 10.0
ATTEMPTS: Final = 5
_PAUSE_S: Final = 0.05

T = TypeVar("T")
State = tuple[int, bytes]
"""A committed state: its height, and its root."""


class Agreed(NamedTuple):
    """A header that nodes agree on.

    Attributes:
        block: the header, with its validators.
        nodes: how many named it.
        silent: addresses of those that did not answer.
    """

    block: Trusted
    nodes: int
    silent: tuple[str, ...]


class Stated(NamedTuple):
    """A statement, and the one state that all its proofs are of."""

    statement: AnyStatement
    state: State


# --- headers ---------------------------------------------------------------------------------------------------------


def agreed_block(nodes: Sequence[Headers], height: int | None = None) -> Agreed:
    """The header that all nodes name at a height, for somebody to trust; nodes that do not answer are passed over.

    Args:
        nodes: at least one.
        height: the header's; the last that all of them have, when None.

    Raises:
        NodesDisagreeError: they name different ones.
        TooFewNodesError: of several, fewer than two answer.
        LightError: what a node tells is no block.
        EngineError: the only node does not answer, or a node's answer is of no use.
    """
    silent: list[str] = []
    latest = _answers(nodes, lambda node: node.latest_height(), len(nodes), silent)
    wanted = min(told for _, told in latest) if height is None else height
    blocks = _answers([node for node, _ in latest], lambda node: node.light_block(wanted), len(nodes), silent)
    first = blocks[0][1]
    for _, block in blocks:
        verify_block_form(block, block.header.chain_id)
        if block.header != first.header:
            found = (header_hash(first.header).hex(), header_hash(block.header).hex())
            raise NodesDisagreeError(height=wanted, first=found[0], other=found[1])
    return Agreed(Trusted(first.header, first.validators), len(blocks), tuple(silent))


def _answers(
    nodes: Sequence[Headers], ask: Callable[[Headers], T], named: int, silent: list[str]
) -> list[tuple[Headers, T]]:
    """What the nodes answer; the addresses of those that do not are added to the silent ones.

    Raises:
        TooFewNodesError: of several that were named, fewer than two answer.
        EngineError: the only one does not answer, or an answer is of no use.
    """
    found = []
    for node in nodes:
        try:
            found.append((node, ask(node)))
        except (EngineUnreachableError, EngineRefusedError) as failure:
            if named == 1:
                raise
            silent.append(failure.url)
    if len(found) < min(2, named):
        raise TooFewNodesError(named=named, silent=", ".join(silent))
    return found


def find_header(headers: Headers, state: State, patience_s: float = PATIENCE_S) -> LightBlock:
    """The block whose header tells a state.

    Args:
        headers: of the network.
        state: the state.
        patience_s: how long to wait for the block.

    Raises:
        HeaderAwaitedError: there is none yet.
        HeaderDiffersError: the network has another state at that height.
        EngineError: no node answers.
    """
    height, root = state
    deadline = monotonic() + patience_s
    while True:
        latest = headers.latest_height()
        block = headers.light_block(max(1, min(latest, height + 1)))
        if block.header.app_hash == root:
            return block
        if block.header.height == height + 1:
            raise HeaderDiffersError(height=height + 1, ledger=root.hex(), header=block.header.app_hash.hex())
        if monotonic() >= deadline:
            raise HeaderAwaitedError(height=height + 1, latest=latest)
        sleep(_PAUSE_S)


def lead(headers: Headers, anchor: Anchor, end: LightBlock, now: Time) -> tuple[Trusted, tuple[LightBlock, ...]]:
    """The headers that lead from a trusted one to another: as few as halving the way gives.

    Args:
        headers: of the network.
        anchor: what is trusted.
        end: the block to be led to.
        now: the time.

    Raises:
        AnchorTooYoungError: the block is older than what is trusted.
        OtherAnchorError: the network has another header at the trusted one's height.
        LightError: a block on the way is not believed.
        EngineError: no node answers.
    """
    if end.header.height < anchor.height:
        raise AnchorTooYoungError(trusted=anchor.height, height=end.header.height)
    first = headers.light_block(anchor.height)
    name = header_hash(first.header)
    if name != anchor.hash:
        raise OtherAnchorError(trusted_height=anchor.height, height=anchor.height, trusted=anchor.hash, header=name)
    start = at = Trusted(first.header, first.validators)
    policy = Policy(anchor.period_s)
    found: list[LightBlock] = []
    ahead = [] if end.header.height == anchor.height else [trimmed(end)]
    while ahead:
        try:
            at = verify_step(at, ahead[-1], policy, now)
        except TooLittleTrustError:
            middle = (at.header.height + ahead[-1].header.height) // 2
            ahead.append(trimmed(headers.light_block(middle)))
        else:
            found.append(ahead.pop())
    return start, tuple(found)


def trimmed(block: LightBlock) -> LightBlock:
    """The block without the votes that do not count: those for no block."""
    votes = tuple(vote if vote.flag == Flag.COMMIT else ABSENT for vote in block.commit.votes)
    return replace(block, commit=replace(block.commit, votes=votes))


def prove(headers: Headers, anchor: Anchor, stated: Stated, now: Time, patience_s: float = PATIENCE_S) -> LightProof:
    """Make the file of a statement.

    Args:
        headers: of the ledger's network.
        anchor: what the file's reader trusts.
        stated: the statement and its state.
        now: the time.
        patience_s: how long to wait for the header that tells the state.

    Raises:
        HeaderAwaitedError, HeaderDiffersError: no header tells the state.
        AnchorTooYoungError, OtherAnchorError: what is trusted does not lead there.
        LightError: a block on the way is not believed.
        EngineError: no node answers.
    """
    end = find_header(headers, stated.state, patience_s)
    start, blocks = lead(headers, anchor, end, now)
    return LightProof(start, blocks, _placed(stated.statement, end.header.height - 1))


def _placed(statement: AnyStatement, height: int) -> AnyStatement:
    """A household's file says the height of its state; the header may tell the same state at a later one."""
    if isinstance(statement, (OwnRecords, OwnBill)):
        return replace(statement, file=replace(statement.file, height=height))
    return statement


def signed_power(proof: LightProof) -> tuple[int | None, int]:
    """How much of the validators' power signed the header that tells the state, and how much there is.

    A header that is trusted itself has no votes in the file, and needs none: of it nothing is said.
    """
    total = sum(each.power for each in proof.end.validators)
    if not proof.blocks:
        return None, total
    block = proof.blocks[-1]
    entries = zip(block.commit.votes, block.validators, strict=False)
    return sum(each.power for vote, each in entries if vote.flag == Flag.COMMIT), total


# --- statements ------------------------------------------------------------------------------------------------------


def state_entry(ledger: LedgerClient, kind: str, *place: Any) -> Stated:
    """An entry of the state, or that there is none.

    Args:
        ledger: the way to it.
        kind: of `KINDS`.
        place: the parts of its key.

    Raises:
        UnprovenError: the ledger's proof does not hold.
        ClientError: no answer came.
    """
    table = KINDS[kind].table
    proven = ledger.prove(table, *place)
    plain = tuple(part if isinstance(part, bytes) else int(part) for part in place)
    entry = Entry(kind, plain, _stored(table, proven.value), encode(proven.proof))
    return Stated(entry, (proven.height, proven.app_hash))


def slot_entry(ledger: LedgerClient, kind: str, slot: Slot) -> Stated:
    """A slot's price or total, of an open month or through a closed month's fold.

    Args:
        ledger: the way to it.
        kind: `price` or `total`.
        slot: region, channel and period.

    Raises:
        NothingToProveError: the ledger has none, or no longer what leads to the fold.
        LedgerMovedError: the ledger moved on each time.
        UnprovenError, ClientError: no answer came, or none of use.
    """
    for _ in range(ATTEMPTS):
        found = state_entry(ledger, kind, slot.region, slot.channel, slot.k)
        if isinstance(found.statement, Entry) and found.statement.value:
            return found
        folded = _folded(ledger, kind, slot)
        if folded is not None:
            return folded
        if ledger.status().height == found.state[0]:
            about = f"region {slot.region}, {slot.channel.label}, period {slot.k}"
            raise NothingToProveError(kind=kind, about=about)
    raise LedgerMovedError(attempts=ATTEMPTS)


def record(ledger: LedgerClient, slot: Slot, prid: bytes, leaves: list[bytes]) -> Stated:
    """A record's place in a batch of its slot.

    Args:
        ledger: the way to it.
        slot: region, channel and period.
        prid: the record's one-time identity, 32 bytes.
        leaves: of the slot's roster.

    Raises:
        NothingToProveError: the slot has no such record, or the ledger no longer has it.
        LedgerMovedError: the ledger moved on each time.
        UnprovenError, ClientError: no answer came, or none of use.
    """
    stated = slot_entry(ledger, "total", slot)
    if not isinstance(stated.statement, (Entry, Folded)):
        raise NothingToProveError(kind="record", about=prid.hex())
    for batch, body in enumerate(ledger.ask(aggregation.bodies, *slot)):
        for index, each in enumerate(body.records):
            if each.prid == prid:
                path = merkle.inclusion_proof([encode(other) for other in body.records], index)
                position = body.positions[index]
                sent = SlotRecord(each.prid, each.rc, each.signature)
                leaf_path = merkle.inclusion_proof(leaves, position)
                inside = InBatch(stated.statement, sent, batch, index, path, position, leaf_path)
                return Stated(inside, stated.state)
    raise NothingToProveError(kind="record", about=prid.hex())


def own_records(ledger: LedgerClient, make: Callable[[], ProofFile]) -> Stated:
    """A household's own records.

    Args:
        ledger: the way to it.
        make: makes their proof file.

    Raises:
        LedgerMovedError: the ledger moved on each time.
        GridproofError: the proof file cannot be made.
    """
    for _ in range(ATTEMPTS):
        file = make()
        months = sorted({each.month for each in file.slots})
        entries = [state_entry(ledger, "month", file.region, month) for month in months]
        region = state_entry(ledger, "region", file.region)
        root = bytes.fromhex(file.app_hash)
        if all(each.state[1] == root for each in (region, *entries)):
            statement = OwnRecords(file, _entry(region), tuple(_entry(each) for each in entries))
            return Stated(statement, (file.height, root))
    raise LedgerMovedError(attempts=ATTEMPTS)


def own_bill(file: BillProof) -> Stated:
    """A household's bill.

    Args:
        file: its proof file.
    """
    return Stated(OwnBill(file), (file.height, file.app_hash))


def _folded(ledger: LedgerClient, kind: str, slot: Slot) -> Stated | None:
    month = month_of(ledger, slot)
    if month is None:
        return None
    value, path = _fold_leaf(ledger, kind, slot, month)
    table = FOLDS[kind].table
    fold = ledger.prove(table, slot.region, slot.channel, month)
    if fold.value is None or not value:
        return None
    place = (int(slot.region), int(slot.channel), month, slot.k)
    folded = Folded(kind, *place, _stored(table, fold.value), encode(fold.proof), value, path)
    return Stated(folded, (fold.height, fold.app_hash))


def _fold_leaf(ledger: LedgerClient, kind: str, slot: Slot, month: int) -> tuple[bytes, tuple[bytes, ...]]:
    """What was folded of a slot, and its path; nothing where the ledger no longer has it."""
    if kind == "total":
        found = ledger.ask(aggregation.fold_proof, slot.region, slot.channel, month, slot.k)
        return (encode(found.slot), found.path) if found is not None else (b"", ())
    prices = ledger.ask(pricing.month_prices, slot.region, slot.channel, month)
    index = slot.k - prices[0].k if prices else -1
    if not 0 <= index < len(prices):
        return b"", ()
    leaves = [encode(each) for each in prices]
    return leaves[index], merkle.inclusion_proof(leaves, index)


def month_of(ledger: LedgerClient, slot: Slot) -> int | None:
    """The month that a period lies in, or None.

    Raises:
        ClientError: no answer came.
    """
    region = ledger.ask(registry.region, slot.region)
    if region is None:
        return None
    start_s = slot.k * region.period_s
    months = ledger.ask(registry.months, slot.region)
    return next((number for number, month in months if month.start_s <= start_s < month.end_s), None)


def _stored(table: Map[Any], value: Any) -> bytes:
    """A value as the table stores it; nothing where there is none."""
    if value is None:
        return b""
    return encode(value) if isinstance(table.value, type) else table.value.encode(value)


def _entry(stated: Stated) -> Entry:
    if not isinstance(stated.statement, Entry):
        raise NothingToProveError(kind="entry", about="")
    return stated.statement
