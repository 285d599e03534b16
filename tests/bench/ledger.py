"""The embedded ledger under single-message transactions, against LMDB and signature checks alone.

A transaction enrols a meter: it reads a role, a region and a count, writes a new key, changes the count and its
sender's nonce, and announces an event. The bare side checks as many signatures and writes, in one durable transaction
of LMDB, what no durable ledger can leave out: the transaction's bytes, the new key, the nonce. It is measured with its
checks on one core, as the ledger is fed by one thread, and with its checks spread over all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gridproof.app import application
from gridproof.domain import ParticipantId
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.drivers.verifying import available_cores
from gridproof.modules.registry.messages import OpenMonth
from gridproof.primitives.hashing import sha256
from gridproof.state import Message, SignatureClaim, sign_transaction

from . import bare
from .community import CHAIN_ID, REGION, VALID_UNTIL_S, enrolment, genesis, key
from .measure import Rounds, Spread, on_wall, timed
from .month import bounds_of
from .results import Curve, Figure, Row, Section

COMMIT: Final = 1_000  # transactions of a block
LIMIT: Final = 0.3
KEYS: Final = 100_000
CURVE: Final = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LOAD_TRANSACTION: Final = 1_000  # enrolments a transaction while keys are loaded
LOAD_BLOCK: Final = 10
WORKS: Final = {
    "ledger": "embedded ledger",
    "bare": "bare LMDB + checks on one core",
    "bare_spread": "bare LMDB + checks on all cores",
}
SMALL_VALUE: Final = bytes(24)  # of the bare store's entries: what a meter's record takes


class _Node:
    """An embedded ledger on the disk, with bill providers who enrol meters.

    Args:
        folder: of the ledger.
        senders: how many bill providers take turns.
    """

    def __init__(self, folder: Path, senders: int) -> None:
        names = [f"provider-{number}" for number in range(senders)]
        people = {"operator": "operator", **dict.fromkeys(names, "bill_provider")}
        bounds = bounds_of(1_440)
        self.time_s = bounds.start_s - 86_400
        self.node = EmbeddedLedger.at(
            folder, application, genesis(people, self.time_s), Options(clock=lambda: self.time_s)
        )
        self._senders = [(key(name), ParticipantId(number)) for number, name in enumerate(people, 1)]
        self._nonces = [0] * len(self._senders)
        self._first_k = bounds.first_k
        self.meters = 0
        opening = OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s)
        self.node.submit(self._sign(0, (opening,)))
        self.node.make_block()

    def _sign(self, sender: int, messages: tuple[Message, ...]) -> bytes:
        signer, participant = self._senders[sender]
        nonce = self._nonces[sender]
        self._nonces[sender] += 1
        return sign_transaction(
            signer,
            chain_id=CHAIN_ID,
            sender=participant,
            nonce=nonce,
            valid_until_s=VALID_UNTIL_S,
            messages=messages,
        )

    def transactions(self, count: int, messages: int = 1) -> list[bytes]:
        """Signed enrolments of meters to come, of all senders in turn."""
        made = []
        for number in range(count):
            meters = range(self.meters, self.meters + messages)
            self.meters += messages
            enrolments = tuple(enrolment(meter, self._first_k) for meter in meters)
            made.append(self._sign(1 + number % (len(self._senders) - 1), enrolments))
        return made

    def load(self, meters: int) -> None:
        """Enrol meters up to a number, many at a time."""
        while self.meters < meters:
            left = meters - self.meters
            raws = self.transactions(min(LOAD_BLOCK, -(-left // LOAD_TRANSACTION)), min(LOAD_TRANSACTION, left))
            self.commit(raws)

    def commit(self, raws: Sequence[bytes]) -> None:
        """Submit transactions and make the block that holds them all, durably."""
        for raw in raws:
            self.node.submit(raw)
        result = self.node.make_block()
        if result is None or [each for each in result.results if each.code] or len(result.results) != len(raws):
            raise AssertionError("the ledger refused an enrolment")


class _Bare:
    """The bare side, with as many keys.

    Args:
        store: LMDB as it is.
    """

    def __init__(self, store: bare.BareStore) -> None:
        self._store = store
        self.keys = 0

    def load(self, keys: int) -> None:
        """Write keys up to a number."""
        while self.keys < keys:
            count = min(10_000, keys - self.keys)
            self._store.put([self._entry() for _ in range(count)])

    def _entry(self) -> tuple[bytes, bytes]:
        self.keys += 1
        return b"\x01" + self.keys.to_bytes(17, "big"), SMALL_VALUE

    def commit(self, raws: Sequence[bytes], check: Callable[[], None]) -> None:
        """Check the signatures, then write what must not be lost."""
        check()
        entries = []
        for number, raw in enumerate(raws):
            entries += [
                (b"\x02" + sha256(raw), raw),
                self._entry(),
                (b"\x03" + number.to_bytes(8, "big"), len(raws).to_bytes(8, "big")),
            ]
        self._store.put(entries)


def _claims(count: int) -> list[SignatureClaim]:
    """As many signatures as a block has, made anew: what a check costs does not depend on whose they are."""
    signer = key("bare")
    digests = [sha256(b"bench/claims", number.to_bytes(8, "big")) for number in range(count)]
    return [SignatureClaim(signer.public_key, digest, signer.sign(digest)) for digest in digests]


def _levels(quick: bool) -> Iterator[tuple[int, int]]:
    """Numbers of keys at which to measure, and rounds."""
    if quick:
        yield 2_000, 2
    else:
        for keys in CURVE:
            yield keys, 9 if keys == KEYS else 4


def run(*, quick: bool) -> Section:
    """Commit blocks of transactions at ever more keys."""
    count = 200 if quick else COMMIT
    claims = _claims(count)
    section, points = Section(), _Points()
    with (
        TemporaryDirectory() as folder,
        bare.bare_store(str(Path(folder) / "bare")) as store,
        ThreadPoolExecutor(available_cores()) as pool,
    ):
        ours, theirs = _Node(Path(folder) / "ledger", senders=20), _Bare(store)
        checks = {"bare": partial(bare.verify, claims), "bare_spread": partial(bare.verify_on, pool, claims)}
        with ours.node:
            for keys, rounds in _levels(quick):
                written = (rounds + 1) * count  # keys that the measuring itself adds: half of them before the level
                ours.load(keys - written // 2)
                theirs.load(keys - written // 2)
                times = _commit(ours, theirs, checks, count, rounds)
                points.add(keys, times, count)
                if keys == KEYS or quick:
                    _tell(section, times, keys, count)
    section.curves.append(points.curve())
    return section


def _commit(ours: _Node, theirs: _Bare, checks: Mapping[str, Callable[[], None]], count: int, rounds: int) -> Rounds:
    times: dict[str, list[int]] = {"ledger": [], **{work: [] for work in checks}}
    for turn in range(rounds + 1):
        raws = ours.transactions(count)
        taken = {work: timed(on_wall, partial(theirs.commit, raws, check)) for work, check in checks.items()}
        taken["ledger"] = timed(on_wall, partial(ours.commit, raws))
        if turn:
            for work, time in taken.items():
                times[work].append(time)
    return Rounds(times)


class _Points:
    """The lines of the curve."""

    def __init__(self) -> None:
        self._lines: dict[str, list[tuple[float, float]]] = {name: [] for name in WORKS.values()}

    def add(self, keys: int, times: Rounds, count: int) -> None:
        """A number of keys."""
        for work, name in WORKS.items():
            self._lines[name].append((keys, _rate(times, work, count).median))

    def curve(self) -> Curve:
        """All of them."""
        return Curve(
            name="ledger",
            title="Durable single-message transactions a second, by the number of keys in the state",
            x="keys in the state",
            y="transactions a second",
            lines=self._lines,
        )


def _tell(section: Section, times: Rounds, keys: int, count: int) -> None:
    cores = available_cores()
    work = f"embedded ledger, signed one-message transactions, durable commits of {count:,}, {keys:,} keys"
    for against, where in (("bare", "one core"), ("bare_spread", f"all {cores} cores")):
        section.rows.append(
            Row(
                work=f"{work}: bare checks on {where}",
                target="≥ 30 % of bare LMDB + bare checks",
                unit="x the bare rate",
                limit=LIMIT,
                actual=times.ratio(against, "ledger"),
                at_most=False,
                note="one thread submits",
            )
        )
    section.figures += [Figure(name, "transactions/s", _rate(times, work, count)) for work, name in WORKS.items()]


def _rate(times: Rounds, work: str, count: int) -> Spread:
    return Spread.of([count * 1e9 / time for time in times.times[work]])
