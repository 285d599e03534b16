"""Transactions that are none, in great number: the ledger refuses every one, and stays as it was.

They are those of `tests.malformed`: noise, and mutations of true transactions. Each goes through CheckTx; all of them
then stand in blocks, as if a hostile proposer had put them there, and every block is computed.
"""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context
from typing import Final, NamedTuple

from gridproof.drivers.verifying import available_cores
from gridproof.errors import Refusal
from gridproof.modules.registry.messages import OpenMonth
from gridproof.state import Application, Block, SerialVerifier
from gridproof.state.store import MemoryStore, Table

from .community import PEOPLE, REGION, Ledger, Meters, enrolment, genesis
from .measure import Spread
from .results import Figure, Row, Section
from tests.malformed import malformed

BLOCK: Final = 1_000


class Found(NamedTuple):
    """What came of a number of malformed transactions.

    Attributes:
        refused: how many, by the refusal's name.
        taken: how many the ledger took for transactions.
        changed: how many blocks of them changed the state or were not refused whole.
        state_changed: whether the stored state is another one at the end.
    """

    refused: Counter[str]
    taken: int
    changed: int
    state_changed: bool


def assail(seed: int, count: int) -> Found:
    """Send malformed transactions to a ledger of their own.

    Args:
        seed: of their making.
        count: how many.
    """
    meters = Meters(5, 1)
    start_s = meters.bounds.start_s - 86_400
    ledger = Ledger(MemoryStore(), SerialVerifier(), genesis(PEOPLE, start_s), list(PEOPLE), start_s)
    bounds = meters.bounds
    ledger.send("operator", OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s))
    ledger.send("provider", *(enrolment(number, bounds.first_k) for number in range(meters.meters)))
    valid = [
        ledger.sign("provider", meters.publication()),
        ledger.sign("provider", enrolment(99, bounds.first_k)),
        ledger.sign("aggregator", meters.batch(0, meters.records(0))),
        ledger.sign("operator", OpenMonth(REGION, bounds.month + 1, bounds.end_s, bounds.end_s + 1_800)),
    ]
    before = _state(ledger)
    stream = malformed(seed, count, valid)
    refused: Counter[str] = Counter()
    taken = changed = 0
    while block := list(islice(stream, BLOCK)):
        for raw in block:
            try:
                ledger.application.check_tx(raw)
                taken += 1
            except Refusal as refusal:
                refused[type(refusal).__name__] += 1
        changed += not _refused_whole(ledger.application, block, ledger.time_s)
    return Found(refused, taken, changed, _state(ledger) != before)


def _refused_whole(application: Application, raws: list[bytes], time_s: int) -> bool:
    head = application.info()
    block = Block(head.height + 1, time_s, 0, tuple(raws))
    result = application.finalize_block(block)
    return result.app_hash == head.app_hash and all(each.code for each in result.results)


def _state(ledger: Ledger) -> bytes:
    """Names everything that is stored."""
    digest = sha256(ledger.application.info().app_hash)
    with ledger.store.snapshot() as snapshot:
        for table in Table:
            for name, value in snapshot.scan(table):
                digest.update(b"%d|%d|%d|" % (table, len(name), len(value)) + name + value)
    return digest.digest()


def run(*, quick: bool, count: int = 10_000_000) -> Section:
    """Assail as many ledgers as there are cores."""
    count = 2_000 if quick else count
    cores = available_cores()
    shares = [count // cores + (number < count % cores) for number in range(cores)]
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(assail, range(cores), shares))
    refused = sum((each.refused for each in found), Counter[str]())
    harm = sum(each.taken + each.changed + each.state_changed for each in found)
    section = Section(
        rows=[
            Row(
                work=f"{count:,} malformed transactions, through CheckTx and in blocks",
                target="no crash, no state change",
                unit="taken, or changed the state",
                limit=0,
                actual=Spread.of([harm]),
            )
        ]
    )
    for name, times in refused.most_common():
        section.figures.append(Figure(f"malformed transactions refused as {name}", "", Spread.of([times])))
    return section
