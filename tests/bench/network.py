"""Four validators on one machine: small transactions against the engine's own application, and batches of records."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep
from typing import Any, Final, NamedTuple

from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.joining import JoinOrder, join_network
from gridproof.actors.node.network import NodeKeys, genesis_sections
from gridproof.actors.node.running import start_node, status_of
from gridproof.actors.randomness import system
from gridproof.domain import Direction, ParticipantId
from gridproof.drivers.snapshots import SnapshotFolder
from gridproof.drivers.verifying import available_cores
from gridproof.modules.aggregation.messages import SubmitBatch
from gridproof.modules.registry.messages import AdvanceClock, EnrolMeter, OpenMonth
from gridproof.state import Message, SignatureClaim, sign_transaction

from . import bare
from .community import CHAIN_ID, ENROL_AT_ONCE, PEOPLE, REGION, VALID_UNTIL_S, Meters, enrolment, genesis, key
from .measure import Spread, on_wall, timed
from .nets import COMMIT_MS, CONNECTIONS, P2P, PATIENCE_S, RPC, VALIDATORS, Net, gridproof_net, kvstore_net
from .results import Figure, Row, Section

SENDERS: Final = 96  # a whole number for each connection
FROM_K: Final = 2_000_000  # of the meters' first period, some decades ahead
LIMIT_SMALL: Final = 0.8
LIMIT_RECORDS: Final = 0.7
LIMIT_FINAL_S: Final = 1.5
LIMIT_JOIN_S: Final = 30.0
SNAPSHOT_EVERY: Final = 2
LOOK_S: Final = 0.1
WINDOW_S: Final = 7 * 86_400
COMPANIES: Final = tuple(f"company {number}" for number in range(1, VALIDATORS + 1))
SETTLE_S: Final = 1.0


def run(*, quick: bool) -> Section:
    """Take turns: our network, the peer behind a socket, the peer built in; then batches."""
    section = Section()
    count, rounds = (2 * SENDERS, 1) if quick else (40 * SENDERS, 3)
    with TemporaryDirectory() as folder:
        _small(section, Path(folder), count, rounds)
        _batches(section, Path(folder) / "batches", rounds, quick=quick)
        _join(section, Path(folder) / "join", 4_000 if quick else 100_000)
    return section


# --- small transactions ----------------------------------------------------------------------------------------------


def _small(section: Section, folder: Path, count: int, rounds: int) -> None:
    rates: dict[str, list[float]] = {"ours": [], "socket": [], "built in": []}
    for at in range(rounds):
        senders = [f"sender {number}" for number in range(SENDERS)]
        with gridproof_net(folder / f"ours-{at}", COMPANIES, partial(_document, senders)) as (net, _):
            for turn in range(2):
                rate = count / net.load(_enrolments(senders, count, turn * count // SENDERS))
                rates["ours"] += [rate] * turn  # the first turn warms everything up
        for name, behind_socket in (("socket", True), ("built in", False)):
            with kvstore_net(folder / f"{name}-{at}", behind_socket=behind_socket) as peer:
                for turn in range(2):
                    rate = count / peer.load(_pairs(count, turn))
                    rates[name] += [rate] * turn
    ratio = [ours / theirs for ours, theirs in zip(rates["ours"], rates["socket"], strict=True)]
    section.rows.append(
        Row(
            work=f"small transactions, {VALIDATORS} validators: {count:,} handed in and in blocks",
            target=">= 80 % of the engine's own kvstore behind a socket",
            unit="x kvstore behind a socket",
            limit=LIMIT_SMALL,
            actual=Spread.of(ratio),
            at_most=False,
        )
    )
    named = {"ours": "gridproof", "socket": "kvstore behind a socket", "built in": "kvstore built in"}
    for name, found in rates.items():
        told = f"{VALIDATORS} validators, small transactions: {named[name]}"
        section.figures.append(Figure(told, "transactions/s", Spread.of(found)))


def _document(senders: Sequence[str], keys: dict[str, NodeKeys]) -> bytes:
    """A genesis in which the companies are data aggregators, and others may send."""
    people = PEOPLE | dict.fromkeys(COMPANIES, "data_aggregator") | dict.fromkeys(senders, "bill_provider")
    document: dict[str, Any] = json.loads(genesis(people, 1_700_000_000))
    document["modules"] |= genesis_sections(keys)
    return json.dumps(document).encode()


def _enrolments(senders: Sequence[str], count: int, first: int) -> list[list[bytes]]:
    """Enrolments of meters by many bill providers, each one's at one node and in order; each adds an entry."""
    signers = [key(name) for name in senders]
    first_id = len(PEOPLE) + len(COMPANIES) + 1
    shares: list[list[bytes]] = [[] for _ in range(VALIDATORS * CONNECTIONS)]
    for at in range(count):
        number, nonce = at % len(senders), first + at // len(senders)
        message = EnrolMeter(os.urandom(16), REGION, (Direction.IMPORT,), FROM_K)
        shares[number % len(shares)].append(_signed(signers[number], first_id + number, nonce, message))
    return _interleaved(shares)


def _interleaved(shares: list[list[bytes]]) -> list[list[bytes]]:
    """For each node the transactions of its connections, dealt in turn as `Net.load` deals them out again."""
    per_node = []
    for node in range(VALIDATORS):
        mine = shares[node * CONNECTIONS : (node + 1) * CONNECTIONS]
        length = max(map(len, mine))
        per_node.append([share[at] for at in range(length) for share in mine if at < len(share)])
    return per_node


def _signed(signer: Any, sender: int, nonce: int, *messages: Message) -> bytes:
    return sign_transaction(
        signer,
        chain_id=CHAIN_ID,
        sender=ParticipantId(sender),
        nonce=nonce,
        valid_until_s=VALID_UNTIL_S,
        messages=messages,
        aux=os.urandom(32),
    )


def _pairs(count: int, turn: int) -> list[list[bytes]]:
    """As many pairs of the same length as ours, for the peer."""
    size = len(_signed(key("someone"), 1, 0, EnrolMeter(bytes(16), REGION, (Direction.IMPORT,), FROM_K)))
    raws = [f"{turn}-{at}=".encode() for at in range(count)]
    padded = [raw + b"v" * (size - len(raw)) for raw in raws]
    return [padded[node::VALIDATORS] for node in range(VALIDATORS)]


# --- joining ---------------------------------------------------------------------------------------------------------


def _join(section: Section, folder: Path, keys: int) -> None:
    """A network with so many entries in its state; a fifth node joins by a snapshot, and has the last block."""
    meters = Meters(1, 1)
    with gridproof_net(folder, COMPANIES, partial(_region, meters), SNAPSHOT_EVERY) as (net, nodes):
        for nonce, at in enumerate(range(0, keys, ENROL_AT_ONCE)):
            numbers = range(at, min(at + ENROL_AT_ONCE, keys))
            messages = tuple(enrolment(number, meters.bounds.first_k) for number in numbers)
            net.load([[_signed(key("provider"), _id("provider"), nonce, *messages)], [], [], []])
        _require_taken(net)
        wanted = int(net.ask(0, "abci_info")["response"]["last_block_height"])
        _await_snapshot(nodes[0])
        host = f"{net.hosts[0].rpartition('.')[0]}.{VALIDATORS + 1}"
        order = JoinOrder(
            "newcomer", f"http://{net.hosts[0]}:{RPC}", f"{host}:{RPC}", f"{host}:{P2P}", f"{host}:{P2P}",
            commit_ms=COMMIT_MS, by_snapshot=True,
        )  # fmt: skip
        began = perf_counter()
        made = join_network(folder / "newcomer", order, system)
        process = start_node(made.folder, dies_with_this=True)
        try:
            while height_now(made.folder) < wanted:
                sleep(LOOK_S)
            seconds = perf_counter() - began
        finally:
            process.terminate()
            process.wait(60)
    section.rows.append(
        Row(
            work=f"join by snapshot, {keys:,} entries: from making the node to the network's last block",
            target="< 30 s",
            unit="s",
            limit=LIMIT_JOIN_S,
            actual=Spread.of([seconds]),
        )
    )


def height_now(folder: NodeFolder) -> int:
    """The height of a node that runs; 0 while it does not answer."""
    return status_of(folder).height or 0


def _await_snapshot(node: NodeFolder) -> None:
    deadline = monotonic() + PATIENCE_S
    while not SnapshotFolder(node.snapshots).list():
        if monotonic() > deadline:
            raise AssertionError("no snapshot was taken")
        sleep(LOOK_S)


# --- batches ---------------------------------------------------------------------------------------------------------


def _batches(section: Section, folder: Path, rounds: int, *, quick: bool) -> None:
    meters = Meters(50, 3) if quick else Meters(1_000, 43)
    batches = [meters.batch(at, meters.records(at)) for at in range(meters.bounds.periods)]
    rounds_ = [_accepted(folder / str(at), meters, batches) for at in range(rounds)]
    records = 2 * meters.meters * max(1, len(batches) - 3)
    section.rows += [
        Row(
            work=f"batches, {VALIDATORS} validators on one machine: {records:,} records accepted",
            target=">= 70 % of cores / (validators x bare signature check)",
            unit="x what the bare checks would let through",
            limit=LIMIT_RECORDS,
            actual=Spread.of([each.rate / each.possible for each in rounds_]),
            at_most=False,
            note="the bare checks on all cores at once, before and after",
        ),
        Row(
            work=f"a batch of {2 * meters.meters:,} records, {VALIDATORS} validators: handed in to final",
            target="< 1.5 s",
            unit="s",
            limit=LIMIT_FINAL_S,
            actual=Spread.of([final for each in rounds_ for final in each.finals]),
        ),
    ]
    told = f"{VALIDATORS} validators, batches of {2 * meters.meters:,}: records accepted"
    section.figures.append(Figure(told, "records/s", Spread.of([each.rate for each in rounds_])))


class _Accepted(NamedTuple):
    """What a network did.

    Attributes:
        finals: seconds that single batches took from being handed in to standing in a block.
        rate: records a second, of batches one after the other.
        possible: how many the bare checks would let through, a second.
    """

    finals: list[float]
    rate: float
    possible: float


def _accepted(folder: Path, meters: Meters, batches: Sequence[SubmitBatch]) -> _Accepted:
    claims: list[SignatureClaim] = list(batches[0].claims(CHAIN_ID))
    before = _bare_rate(claims)
    with gridproof_net(folder, COMPANIES, partial(_region, meters)) as (net, _):
        _open(net, meters)
        finals = []
        for nonce, batch in enumerate(batches[:3]):
            raw = _signed(key("aggregator"), _id("aggregator"), nonce, batch)
            finals.append(net.load([[raw], [], [], []]))
            sleep(SETTLE_S)
        rest = [_signed(key("aggregator"), _id("aggregator"), 3 + at, batch) for at, batch in enumerate(batches[3:])]
        seconds = net.load([rest, [], [], []]) if rest else finals[-1]
        _require_taken(net)
    possible = (before + _bare_rate(claims)) / 2 / VALIDATORS
    return _Accepted(finals, 2 * meters.meters * max(1, len(rest)) / seconds, possible)


def _bare_rate(claims: Sequence[SignatureClaim]) -> float:
    """How many signatures this machine can check in a second, all its cores at once."""
    with ThreadPoolExecutor(available_cores()) as pool:
        seconds = min(timed(on_wall, partial(bare.verify_on, pool, claims)) for _ in range(5)) / 1e9
    return len(claims) / seconds


def _region(meters: Meters, keys: dict[str, NodeKeys]) -> bytes:
    document: dict[str, Any] = json.loads(_document((), keys))
    document["clock"], document["genesis_time_s"] = "operator", meters.bounds.start_s - 86_400
    document["modules"]["registry"]["regions"][0]["window_s"] = WINDOW_S
    return json.dumps(document).encode()


def _open(net: Net, meters: Meters) -> None:
    """Bring the ledger to where all slots of the month take batches."""
    bounds = meters.bounds
    messages: list[tuple[str, tuple[Message, ...]]] = [
        ("operator", (OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s),))
    ]
    for at in range(0, meters.meters, ENROL_AT_ONCE):
        numbers = range(at, min(at + ENROL_AT_ONCE, meters.meters))
        enrolled: tuple[EnrolMeter, ...] = tuple(enrolment(number, bounds.first_k) for number in numbers)
        messages.append(("provider", enrolled))
    messages += [("provider", (meters.publication(),)), ("operator", (AdvanceClock(bounds.end_s),))]
    nonces = dict.fromkeys(PEOPLE, 0)
    for name, each in messages:
        net.load([[_signed(key(name), _id(name), nonces[name], *each)], [], [], []])
        nonces[name] += 1
    _require_taken(net)


def _id(name: str) -> int:
    return 1 + list(PEOPLE).index(name)


def _require_taken(net: Net) -> None:
    """Hold every transaction so far to having taken effect."""
    last = int(net.ask(0, "abci_info")["response"]["last_block_height"])
    for height in range(1, last + 1):
        for result in net.ask(0, "block_results", height=str(height))["txs_results"] or ():
            if result["code"]:
                raise AssertionError(f"block {height}: {result['log']}")
