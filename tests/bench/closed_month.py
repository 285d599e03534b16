"""A closed month on the disk: the bill provider's own files, and a ledger whose month stands as if every slot had come.

Meters are enrolled, keys drawn, rosters made and published, cards dealt and registers taken by the product's own code
and through its blocks. What follows through 1,440 slots is put into the ledger's tables directly, with its root: the
records, the slots as they ended, prices, folds. The records' signatures are hashes, for nobody who makes or recomputes
a bill looks at them: the ledger did, when it took them.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from hashlib import sha512
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from gridproof.actors.bill_provider import BillProvider, Newcomer, Shelf
from gridproof.actors.bill_provider.billing import Letterhead, Stores
from gridproof.actors.bill_provider.keys import Line
from gridproof.actors.bill_provider.months import Months
from gridproof.actors.bill_provider.places import Place
from gridproof.actors.bills.words import RegisterWord
from gridproof.actors.clock import SimulatedClock
from gridproof.actors.randomness import Seeded
from gridproof.actors.seat import Seat
from gridproof.app import application
from gridproof.connectors.content import FolderContent
from gridproof.connectors.ledger import InProcessClient, Sender
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import (
    WORD,
    ChannelTariff,
    Direction,
    Flat,
    Levy,
    MonthBounds,
    ParticipantId,
    Penalties,
    RegisterSpan,
    SignSeeds,
    Slot,
    Standing,
    Tariff,
    Tax,
    ViewSeeds,
    bitmap_of,
    halves,
    identities,
    leaves_between,
    register_hash,
    register_key,
    sign_seeds,
    view_seeds,
)
from gridproof.domain.metering import Halves
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.embedded.ledger import DATABASE_NAME, Options
from gridproof.drivers.verifying import available_cores
from gridproof.modules.aggregation.rules.folding import fold
from gridproof.modules.aggregation.types import (
    BODIES,
    FOLDED,
    FOLDS,
    BatchBody,
    BatchNote,
    FoldedSlot,
    SlotRecord,
    SlotState,
    Status,
)
from gridproof.modules.pricing.book import fold as fold_prices
from gridproof.modules.pricing.types import FOLDED as PRICED
from gridproof.modules.pricing.types import FOLDS as PRICE_FOLDS
from gridproof.modules.pricing.types import FoldedPrice, MonthPrices
from gridproof.modules.registry.messages import OpenMonth
from gridproof.modules.registry.types import MONTHS
from gridproof.primitives import merkle
from gridproof.primitives.encoding import Codec, encode
from gridproof.state import Head, Overlay, SnapshotReader, smt
from gridproof.state.store import LmdbStore, Store, Table

from .community import CHAIN_ID, PEOPLE, REGION, genesis, key
from .month import bounds_of

PROVIDER: Final = ParticipantId(2)
AGGREGATOR: Final = ParticipantId(3)
LINE: Final = Line(REGION, Direction.IMPORT)
PRICE_E5: Final = 8_000
TARIFF: Final = Tariff(
    "Riedholz 2025",
    "CHF",
    50_000_000,
    ChannelTariff(Flat(PRICE_E5), PRICE_E5),
    ChannelTariff(Flat(PRICE_E5), PRICE_E5),
    (Levy("Grid usage", 9_870),),
    (Standing("Basic charge", 6_500_000_000, 2_592_000),),
    (Tax("VAT", 810),),
    Penalties(100_000_000, 50_000_000),
)
LETTERHEAD: Final = Letterhead("Riedholz", "Europe/Zurich", {REGION: "Riedholz"})
_HEAD: Final = Codec(Head)


def value_wh(place: int, at: int) -> int:
    """What the meter of a place reads in a slot, by its index in the month."""
    return 100 + (37 * place + 11 * at) % 900


class Files(NamedTuple):
    """Where a closed month lies.

    Attributes:
        folder: above everything.
        periods: of the month.
    """

    folder: Path
    periods: int

    @property
    def bounds(self) -> MonthBounds:
        """The month."""
        return bounds_of(self.periods)

    @property
    def shelf(self) -> Shelf:
        """The bill provider's files."""
        under = self.folder
        return Shelf(under / "own", under / "enrolments", RosterFiles(under / "rosters"), SecretFiles())

    @property
    def stores(self) -> Stores:
        """Where sealed reports go."""
        return Stores(FolderContent(self.folder / "content"), FolderContent(self.folder / "archive"))

    @property
    def ledger(self) -> Path:
        """The ledger's folder."""
        return self.folder / "ledger"

    @contextmanager
    def opened(self, pool: ProcessPoolExecutor | None = None) -> Iterator[tuple[InProcessClient, BillProvider]]:
        """The ledger and the bill provider at its seat, a day before the month begins."""
        clock = SimulatedClock(self.bounds.start_s - 86_400)
        document = genesis(PEOPLE, clock.now_s())
        with EmbeddedLedger.at(self.ledger, application, document, Options(clock=clock.now_s)) as node:
            client = InProcessClient(node)
            seat = Seat(Sender(client, key("provider"), PROVIDER))
            with closing(BillProvider(seat, self.shelf, clock, Seeded(b"bench/bills"), executor=pool)) as provider:
                yield client, provider


class Own(NamedTuple):
    """What a meter sent in a month.

    Attributes:
        prids: identities of each half, joined in the order of the slots.
        values: the two halves of each slot.
    """

    prids: tuple[bytes, bytes]
    values: list[Halves]


def build(files: Files, meters: int) -> None:
    """Make a month of some meters, all of which report in every slot."""
    with ProcessPoolExecutor(available_cores(), mp_context=get_context("spawn")) as pool:
        with files.opened(pool) as (client, provider):
            _open_month(files, client)
            _enrol(files, provider, meters)
            _take_registers(files, provider)
            sent = _sent(files, provider, pool)
        with closing(LmdbStore(str(files.ledger / DATABASE_NAME))) as store:
            _write_slots(store, files, provider.months, sent)


def _open_month(files: Files, client: InProcessClient) -> None:
    bounds = files.bounds
    Sender(client, key("operator"), ParticipantId(1)).send(
        OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s, TARIFF)
    )


def _enrol(files: Files, provider: BillProvider, meters: int) -> None:
    bounds = files.bounds
    channels = (Direction.IMPORT,)
    provider.enrol([Newcomer(f"H{n}", REGION, channels, bounds.first_k, bounds.month) for n in range(meters)])
    _settle(provider.seat)
    provider.prepare_month(REGION, bounds)
    _settle(provider.seat)


def _settle(seat: Seat) -> None:
    for refused in seat.settle():
        raise refused.refusal


# --- what meters said ------------------------------------------------------------------------------------------------


def _places(files: Files, provider: BillProvider) -> list[Place]:
    """The month's places that a meter has, in the order in which owners count them: spares stand behind."""
    (epoch,) = provider.book.epochs(LINE, files.bounds.month)
    places = [provider.book[number] for number in epoch.places]
    used = [place for place in places if not place.is_spare]
    if places[: len(used)] != used:
        raise AssertionError("a spare place stands before one in use")
    return used


def _take_registers(files: Files, provider: BillProvider) -> None:
    """Each meter signs a register that its readings add up to."""
    bounds, places = files.bounds, _places(files, provider)
    chains = provider.keys.chains(LINE, bounds.month, [place.number for place in places])
    for at, place in enumerate(places):
        summed_wh = sum(value_wh(at, slot) for slot in range(bounds.periods))
        span = RegisterSpan(Direction.IMPORT, bounds.first_k, bounds.end_k, 0, summed_wh)
        signed = register_hash(CHAIN_ID, place.meter, bounds.month, span)
        signature = register_key(chains[place.number].sign).sign(signed)
        provider.cards.take_register(RegisterWord(place.meter, bounds.month, *span, signature))


def _sent(files: Files, provider: BillProvider, pool: ProcessPoolExecutor) -> list[Own]:
    """What each meter sent, in the order of the places."""
    bounds, places = files.bounds, _places(files, provider)
    chains = provider.keys.chains(LINE, bounds.month, [place.number for place in places])
    seeds = [
        (sign_seeds(chain.sign, Direction.IMPORT), view_seeds(chain.view, Direction.IMPORT))
        for chain in chains.values()
    ]
    return list(pool.map(partial(_own, bounds), range(len(seeds)), seeds, chunksize=8))


def _own(bounds: MonthBounds, place: int, seeds: tuple[SignSeeds, ViewSeeds]) -> Own:
    span = bounds.first_k, bounds.end_k
    first, second = (b"".join(identities(seed, bounds, *span)) for seed in seeds[0])
    leaves = zip(*(leaves_between(seed, bounds, *span) for seed in seeds[1]), strict=True)
    values = [halves(value_wh(place, at), *pair) for at, pair in enumerate(leaves)]
    return Own((first, second), values)


# --- the ledger's tables ---------------------------------------------------------------------------------------------


def _write_slots(store: Store, files: Files, months: Months, sent: list[Own]) -> None:
    """Write a month as `CloseMonth` leaves it, and the root that follows."""
    bounds, folded = files.bounds, []
    for at in range(bounds.periods):
        slot = Slot(REGION, Direction.IMPORT, bounds.first_k + at)
        leaves, owners = months.slot(slot)
        body, state = _slot(slot, at, leaves, owners.tolist(), sent)
        folded.append(FoldedSlot(slot.k, state))
        changes = Overlay(_NOTHING)
        BODIES.put(changes, *slot, 0, value=body)
        FOLDED.put(changes, REGION, Direction.IMPORT, bounds.month, slot.k, value=folded[-1])
        store.write(changes.changes)
    with store.snapshot() as snapshot:
        view = SnapshotReader(snapshot)
        changes = Overlay(view)
        prices = tuple(FoldedPrice(each.k, PRICE_E5, fallback=False) for each in folded)
        line = REGION, Direction.IMPORT, bounds.month
        FOLDS.put(changes, *line, value=fold(folded))
        PRICED.put(changes, *line, value=MonthPrices(prices))
        PRICE_FOLDS.put(changes, *line, value=fold_prices(prices))
        MONTHS.put(changes, REGION, bounds.month, value=replace(MONTHS.get(view, REGION, bounds.month), closed=True))
        root, nodes = smt.apply(lambda node: view.read(Table.TREE, node), changes.changes[Table.STATE])
        changes.changes[Table.TREE] = dict(nodes)
        head = _HEAD.decode(snapshot.get(Table.META, b"head") or b"")
        changes.write(Table.META, b"head", _HEAD.encode(Head(head.height, root, head.time_s)))
        store.write(changes.changes)


def _slot(
    slot: Slot, at: int, leaves: Sequence[bytes], owners: Sequence[int], sent: Sequence[Own]
) -> tuple[BatchBody, SlotState]:
    """A slot's one batch, and the slot as it ended."""
    positions = tuple(position for position, owner in enumerate(owners) if owner // 2 < len(sent))
    records = []
    for position in positions:
        place, half = divmod(owners[position], 2)
        prid = sent[place].prids[half][32 * at : 32 * at + 32]
        records.append(SlotRecord(prid, sent[place].values[at][half], sha512(prid).digest()))
    bitmap, count = bitmap_of(len(leaves), positions), len(records)
    total_rc = sum(record.rc for record in records) % WORD
    total_wh = sum(value_wh(place, at) for place in range(len(sent)))
    note = BatchNote(AGGREGATOR, merkle.root([encode(record) for record in records]), count, count)
    state = SlotState(
        status=Status.OPENED,
        root=merkle.root(leaves),
        count=len(leaves),
        filled=bitmap,
        filled_count=count,
        total_rc=total_rc,
        batches=(note,),
        first_height=1,
        live=bitmap,
        live_pairs=count // 2,
        enrolled=count // 2,
        known=0,
        live_rc=total_rc,
        mask_sum=(total_rc - total_wh) % WORD,
        total_wh=total_wh,
    )
    return BatchBody(AGGREGATOR, positions, tuple(records)), state


class _Nothing:
    """What lies under the changes of a slot: they read nothing."""

    def read(self, _table: Table, _key: bytes) -> bytes | None:
        return None

    def scan(self, _table: Table, _prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(())


_NOTHING: Final = _Nothing()
