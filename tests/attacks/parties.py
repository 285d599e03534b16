"""What each party of a community has in its hands, and an attacker that makes of it all that it can.

A party's hands are read off the community's folder: what is public, and the files that are its own. Coalitions put
their files together. The attacker tries every value, every pair of values, every sum that is public, and every key that
the product's own functions lead to.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.actors import credentials
from gridproof.actors.bills.reading import open_sealed
from gridproof.actors.bills.sealing import open_report
from gridproof.actors.community import Community
from gridproof.actors.community.access import reached
from gridproof.actors.enrolment import HouseholdFile, read_household
from gridproof.connectors.content import FolderContent
from gridproof.connectors.inbox import Inbox
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import (
    WORD,
    Direction,
    Half,
    Halves,
    MonthBounds,
    MonthId,
    RegionId,
    Secret,
    Slot,
    leaf_at,
    month_seed,
    next_chain_key,
    reading,
    seal_secret,
    view_seeds,
)
from gridproof.errors import GridproofError
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.billing import queries as billing
from gridproof.modules.registry import queries as registry
from gridproof.primitives import hpke

from tests.billed import HOURS, NAMES, OF_NOVEMBER, OF_OCTOBER, PERIOD_S, START_S, energy_wh

REGION: Final = RegionId(1)
PLAUSIBLE_WH: Final = 100_000  # above every reading, and far below what chance gives
MONTHS: Final = (OF_OCTOBER, OF_NOVEMBER)
FIRST_K: Final = START_S // PERIOD_S
Learned = set[tuple[str, int]]  # name, hour from the start


class Seen(NamedTuple):
    """What is public of a slot.

    Attributes:
        values: of its records.
        sums: that the ledger tells: over all, over the live set, of their masks.
        total_wh: of its live meters.
        live: how many those are.
    """

    values: tuple[int, ...]
    sums: tuple[int, ...]
    total_wh: int
    live: int


class Sealed(NamedTuple):
    """A registered bill as anyone may fetch it."""

    month: int
    bid: bytes
    version: int
    content: bytes


class Public(NamedTuple):
    """What anyone sees.

    Attributes:
        chain_id: of the ledger.
        slots: by the hour from the start.
        bounds: of the months.
        bills: all that are registered.
    """

    chain_id: str
    slots: Mapping[int, Seen]
    bounds: Mapping[int, MonthBounds]
    bills: tuple[Sealed, ...]


class Hands(NamedTuple):
    """What a party or a coalition holds beside what is public.

    Attributes:
        households: files of households.
        keys: secret keys of any use, 32 bytes each.
        taken: values of records that reached it, by the hour from the start.
    """

    households: tuple[HouseholdFile, ...] = ()
    keys: tuple[bytes, ...] = ()
    taken: Mapping[int, tuple[int, ...]] = {}

    def with_(self, other: "Hands") -> "Hands":
        """Both parties' hands."""
        hours = {*self.taken, *other.taken}
        taken = {at: (*self.taken.get(at, ()), *other.taken.get(at, ())) for at in hours}
        return Hands(self.households + other.households, self.keys + other.keys, taken)


# --- what they have --------------------------------------------------------------------------------------------------


def public_of(root: Path) -> Public:
    """What anyone sees of a community in a folder."""
    content = FolderContent(root / "public" / "content")
    with reached(Community(root).folder) as ledger, closing(content):
        ask = ledger.client.ask
        months = dict(ask(registry.months, REGION))
        bounds = {
            number: MonthBounds(MonthId(number), months[number].start_s, months[number].end_s, PERIOD_S)
            for number in MONTHS
        }
        slots = {}
        for at in range(HOURS):
            k = FIRST_K + at
            month = next(number for number, each in bounds.items() if each.contains(k))
            folded = ask(aggregation.folded_slot, REGION, Direction.IMPORT, month, k)
            state = folded.state if folded else ask(aggregation.slot, REGION, Direction.IMPORT, k)
            assert state is not None
            bodies = ask(aggregation.bodies, REGION, Direction.IMPORT, k)
            values = tuple(record.rc for body in bodies for record in body.records)
            sums = (state.live_rc, state.mask_sum, sum(values) % WORD)
            slots[at] = Seen(values, sums, state.total_wh, state.live_pairs)
        bills = tuple(
            Sealed(month, bid, version, content.get(known.cid))
            for month in MONTHS
            for bid, version, known in ask(billing.bills, REGION, month)
        )
        return Public(ledger.client.status().chain_id, slots, bounds, bills)


def household(root: Path, name: str) -> Hands:
    """A household: its file, which holds its view secret."""
    path = next(iter((root / "enrolments").glob(f"{name}.*.household")))
    return Hands(households=(read_household(SecretFiles(), path),))


def participant(root: Path, name: str) -> Hands:
    """Someone with keys on the ledger; a data aggregator has an inbox as well."""
    own = credentials.read(SecretFiles(), root / "secrets" / "keys" / f"{name}.key", name)
    keys = tuple(each for each in (own.transaction, own.receipt, own.encryption) if each)
    taken: dict[int, tuple[int, ...]] = {}
    if name.startswith("aggregator"):
        number = {"aggregator 1": 3, "aggregator 2": 4}[name]
        with closing(Inbox(root / "aggregators" / f"{number}.db")) as inbox:
            for at in range(HOURS):
                held = inbox.of(Slot(REGION, Direction.IMPORT, FIRST_K + at))
                taken[at] = tuple(each.record.rc for each in held.values())
    return Hands(keys=keys, taken=taken)


def parties(root: Path) -> dict[str, Hands]:
    """All parties but the bill provider, who knows everything."""
    return {
        "household": household(root, "Adalind"),
        "another household": household(root, "Bo"),
        "aggregator": participant(root, "aggregator 1"),
        "another aggregator": participant(root, "aggregator 2"),
        "control centre": participant(root, "control center"),
        "operator": participant(root, "operator"),
        "outsider": Hands(),
    }


# --- what they make of it --------------------------------------------------------------------------------------------


def readings_learned(public: Public, hands: Hands) -> Learned:
    """The true readings that a party or coalition can say.

    What it says is held against the truth here: a claim that is false counts for nothing.
    """
    learned: Learned = set()
    for at, seen in public.slots.items():
        claims = {*_by_adding(seen, hands.taken.get(at, ())), *_by_unmasking(public, hands, at)}
        claims |= _by_subtracting(public, hands, at)
        learned |= {(name, at) for number, name in enumerate(NAMES) if energy_wh(number, at) in claims}
    return learned


def bills_opened(public: Public, hands: Hands) -> set[str]:
    """The households whose bills a party or coalition can read."""
    opened = set()
    for bill in public.bills:
        for report in _openings(public, hands, bill):
            opened.add(report)
    return opened


def _by_adding(seen: Seen, taken: Iterable[int]) -> Iterator[int]:
    """Single values, pairs of values, and what they leave of every sum that is public."""
    values = sorted({*seen.values, *taken})
    pairs = [(first + second) % WORD for at, first in enumerate(values) for second in values[at + 1 :]]
    for known in (0, *seen.sums):
        for value in (*values, *pairs):
            for claim in ((value - known) % WORD, (known - value) % WORD):
                if claim < PLAUSIBLE_WH:
                    yield claim


def _by_unmasking(public: Public, hands: Hands, at: int) -> Iterator[int]:
    """Whatever any key in hand, led on or split in any way, takes off any two records."""
    k, seen = FIRST_K + at, public.slots[at]
    month, bounds = next((month, each) for month, each in public.bounds.items() if each.contains(k))
    values = {*seen.values, *hands.taken.get(at, ())}
    for first_seed, second_seed in view_seeds_of(hands, month):
        first_leaf, second_leaf = leaf_at(first_seed, bounds, k), leaf_at(second_seed, bounds, k)
        for first, second in permutations(values, 2):
            claim = reading(Halves(first, second), first_leaf, second_leaf)
            if claim < PLAUSIBLE_WH:
                yield claim


def view_seeds_of(hands: Hands, month: int) -> Iterator[tuple[bytes, bytes]]:
    for file in hands.households:
        yield view_seeds(file.view_in_month(Direction.IMPORT, month), Direction.IMPORT)
    for key in hands.keys:
        for chain in (key, next_chain_key(key, Secret.VIEW)):
            yield view_seeds(chain, Direction.IMPORT)
            first, second = (month_seed(chain, Secret.SIGN, half, Direction.IMPORT) for half in Half)
            yield first, second


def _by_subtracting(public: Public, hands: Hands, at: int) -> set[int]:
    """What the total leaves when one's own readings are taken from it, if it is one meter's."""
    k, seen = FIRST_K + at, public.slots[at]
    own = []
    for file in dict.fromkeys(hands.households):
        alone = Hands(households=(file,))
        own += list(dict.fromkeys(_by_unmasking(public, alone, at)))
    assert len(own) <= seen.live, k
    return {seen.total_wh - sum(own)} if seen.live - len(own) == 1 else set()


def _openings(public: Public, hands: Hands, bill: Sealed) -> Iterator[str]:
    for file in hands.households:
        try:
            yield open_sealed(bill.content, file, MonthId(bill.month), bill.version).household
        except GridproofError:
            continue
    for key in hands.keys:
        for secret in (key, hpke.derive_secret(key), seal_secret(key)):
            place = (public.chain_id, int(REGION), MonthId(bill.month), bill.bid, bill.version)
            try:
                yield open_report(bill.content, secret, *place).household
            except GridproofError:
                continue
