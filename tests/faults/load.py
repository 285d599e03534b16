"""A loader with a log of its own, and the count that holds the log against the blocks of every node.

The count asks no ledger: it reads the blocks as each node's engine tells them, finds every transaction by the hash of
its bytes, and compares.
"""

import hashlib
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

from gridproof.connectors.ledger import ClientError, NetworkClient
from gridproof.drivers.errors import MempoolError, WaitTimeoutError
from gridproof.modules.registry.messages import KeyEntry, RegisterParticipant
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import sign_transaction
from gridproof.state.errors import NonceAhead
from gridproof.state.transaction import read_body

from .genesis import Person
from .lab import PATIENCE_S, Lab, Node

FOR_EVER_S: Final = 2**33
BURST: Final = 4  # transactions of a sender that are under way at once
PAUSE_S: Final = 0.1
ANSWER_S: Final = 3.0
WAIT_S: Final = 5.0


class Acknowledged(NamedTuple):
    """What a client was told: this transaction stands in this block.

    Attributes:
        digest: SHA-256 of its bytes, in hexadecimal.
        sender: participant id.
        nonce: its nonce.
        height: of the block.
    """

    digest: str
    sender: int
    nonce: int
    height: int


class Loader:
    """Sends from several senders at once, each over a client of its own, until stopped.

    Args:
        urls: of the nodes.
        chain_id: of the chain.
        people: who sends.
        log: where each acknowledgement is written down, a line each.
    """

    def __init__(self, urls: Sequence[str], chain_id: str, people: Sequence[Person], log: Path) -> None:
        self._urls, self._chain_id, self._log = urls, chain_id, log
        self._guard = Lock()
        self._stop = Event()
        self.failures: list[str] = []
        self.count = 0
        self._threads = [
            Thread(target=self._work, args=(number, each), name=f"loader {number}", daemon=True)
            for number, each in enumerate(people)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait until all that is under way is acknowledged, and end; the network must be able to go on."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), f"{thread.name} still waits for an acknowledgement"
        assert not self.failures, self.failures

    def acknowledged(self) -> list[Acknowledged]:
        """What was written down."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [Acknowledged(digest, *map(int, rest)) for digest, *rest in map(str.split, lines)]

    def _work(self, number: int, person: Person) -> None:
        urls = [*self._urls[number % len(self._urls) :], *self._urls[: number % len(self._urls)]]
        client = NetworkClient(urls, self._chain_id, answer_s=ANSWER_S)
        nonce = 0
        try:
            while not self._stop.is_set():
                raws = [transaction(self._chain_id, person, nonce + at) for at in range(BURST)]
                for raw in raws:
                    hand_in(client, raw)
                for raw in raws:
                    self._note(raw, person, nonce, settle(client, raw))
                    nonce += 1
        except Exception as failure:  # noqa: BLE001 - told by whoever stops this
            self.failures.append(f"sender {person.participant}, nonce {nonce}: {type(failure).__name__}: {failure}")
        finally:
            client.close()

    def _note(self, raw: bytes, person: Person, nonce: int, height: int) -> None:
        told = Acknowledged(hashlib.sha256(raw).hexdigest(), person.participant, nonce, height)
        with self._guard, self._log.open("a") as log:
            log.write(" ".join(map(str, told)) + "\n")
            self.count += 1


def transaction(chain_id: str, person: Person, nonce: int) -> bytes:
    """A participant's registration."""
    key = Signer(sha256(b"tests/faults/newcomer", person.participant.to_bytes(8, "big"), nonce.to_bytes(8, "big")))
    entry = KeyEntry(KeyRole.TRANSACTION, key.public_key)
    return sign_transaction(
        person.signer,
        chain_id=chain_id,
        sender=person.participant,
        nonce=nonce,
        valid_until_s=FOR_EVER_S,
        messages=(RegisterParticipant(f"newcomer {person.participant} {nonce}", 0, (entry,)),),
    )


def hand_in(client: NetworkClient, raw: bytes) -> bytes:
    """Hand a transaction in, again and again where no node can take it now; its name."""
    deadline = monotonic() + PATIENCE_S
    while True:
        try:
            return client.submit(raw)
        except (NonceAhead, MempoolError, ClientError):
            if monotonic() > deadline:
                raise
            sleep(PAUSE_S)


def settle(client: NetworkClient, raw: bytes) -> int:
    """Wait until a transaction stands in a block, and took effect; the block's height."""
    deadline = monotonic() + PATIENCE_S
    while True:
        name = hand_in(client, raw)
        try:
            place = client.wait(name, WAIT_S)
        except (NonceAhead, MempoolError, ClientError, WaitTimeoutError):
            if monotonic() > deadline:
                raise
            sleep(PAUSE_S)
            continue
        assert place.result.code == 0, place.result
        return place.height


class BlockSeen(NamedTuple):
    """A block as a node's engine tells it.

    Attributes:
        hash: names it.
        app_hash: of the state before it.
        transactions: each as its bytes.
        evidence: against validators.
        proposer: address, in hexadecimal.
    """

    hash: str
    app_hash: str
    transactions: tuple[bytes, ...]
    evidence: tuple[Any, ...]
    proposer: str


def blocks_of(node: Node, last: int, first: int = 1) -> list[BlockSeen]:
    """All blocks of a node, by its engine."""
    return [_block(node.ask("block", height=str(height))) for height in range(first, last + 1)]


def _block(told: Any) -> BlockSeen:
    block = told["block"]
    raws = tuple(b64decode(each) for each in block["data"]["txs"] or ())
    evidence = tuple(block["evidence"]["evidence"] or ())
    header = block["header"]
    return BlockSeen(told["block_id"]["hash"], header["app_hash"], raws, evidence, header["proposer_address"])


class Counted(NamedTuple):
    """What the count came to.

    Attributes:
        height: of the last block, the same on all nodes.
        transactions: in all blocks.
        acknowledged: how many clients were told of; each stands once on every node.
        evidence: against validators, in all blocks.
        app_hash: of the last state, the same on all nodes.
    """

    height: int
    transactions: int
    acknowledged: int
    evidence: int
    app_hash: str


def count(lab: Lab, acknowledged: Iterable[Acknowledged], nodes: Sequence[Node] | None = None) -> Counted:
    """Hold the log against every node's blocks; the nodes rest.

    Raises:
        AssertionError: a fork, or something is lost, doubled or out of order.
    """
    nodes = lab.nodes if nodes is None else nodes
    height = lab.until_together(nodes)
    chains = [blocks_of(node, height) for node in nodes]
    for at, seen in enumerate(zip(*chains, strict=True), start=1):
        assert len(set(map(repr, seen))) == 1, f"a fork at height {at}: {[each.hash for each in seen]}"
    assert len({node.head() for node in nodes}) == 1, "the nodes rest at different states"
    places: dict[str, list[int]] = {}
    nonces: dict[int, list[int]] = {}
    for at, block in enumerate(chains[0], start=1):
        for raw in block.transactions:
            places.setdefault(hashlib.sha256(raw).hexdigest(), []).append(at)
            body = read_body(raw)
            nonces.setdefault(body.sender, []).append(body.nonce)
    told = list(acknowledged)
    for each in told:
        found = places.get(each.digest, [])
        assert found == [each.height], f"{each} stands in the blocks {found}"
    assert not [digest for digest, at in places.items() if len(at) > 1], "a transaction stands in two blocks"
    for sender, used in nonces.items():
        assert used == list(range(len(used))), f"the nonces of {sender} are out of order"
    by_sender = Counter(each.sender for each in told)
    assert all(by_sender[sender] <= len(used) for sender, used in nonces.items())
    transactions, evidence = len(places), sum(len(block.evidence) for block in chains[0])
    return Counted(height, transactions, len(told), evidence, nodes[0].head()[1])


def seconds(time: str) -> float:
    """A header's time as UTC epoch seconds."""
    whole = time.removesuffix("Z").partition(".")[0]
    return datetime.fromisoformat(f"{whole}+00:00").timestamp()
