"""A ledger with one region and a few meters, whose secrets the tests hold: they can send whatever anyone could.

Pricing and billing work on it too; its months have no tariff unless one is given. Meter `n` sits in place `n`; the
places after the enrolled ones are spare. A month has a few periods only.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from msgspec.structs import replace

from gridproof.domain import (
    WORD,
    ChannelTariff,
    Direction,
    Flat,
    Half,
    Linear,
    MonthBounds,
    MonthId,
    ParticipantId,
    Penalties,
    RegionId,
    Slot,
    Tariff,
    ViewSeeds,
    bitmap_of,
    halves,
    leaf_at,
    live_set_hash,
    mask,
    receipt_hash,
    record_hash,
    roster,
    roster_leaf,
    sign_seeds,
    slot_price,
    view_seeds,
)
from gridproof.domain import signer as record_signer
from gridproof.errors import Refusal
from gridproof.modules.aggregation.keeper import Keeper as Aggregation
from gridproof.modules.aggregation.messages import (
    ClaimDropped,
    CloseMonth,
    CloseSlot,
    FixLiveSet,
    OpenMasks,
    PublishRosters,
    SubmitBatch,
    SubmitLate,
)
from gridproof.modules.aggregation.module import aggregation
from gridproof.modules.aggregation.ports import Release
from gridproof.modules.aggregation.types import SLOTS, SlotRecord, SlotState, Status
from gridproof.modules.billing.messages import AnswerObjection, NewBill, ObjectToBill, RegisterBills, objection_hash
from gridproof.modules.billing.module import billing
from gridproof.modules.pricing.book import Book
from gridproof.modules.pricing.messages import AnnouncePrice
from gridproof.modules.pricing.module import pricing
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.messages import EnrolMeter, OpenMonth
from gridproof.modules.registry.module import registry
from gridproof.primitives import merkle
from gridproof.primitives.cid import cid_v1
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Application, Message, Module, Verifier
from gridproof.state.store import Store

from tests.ledger import Ledger, Person

CHAIN_ID = "aggregation-1"
GENESIS_TIME_S = 1_760_000_000
PERIOD_S = 900
FIRST_K = 1_955_557
MONTH = MonthId(2025 * 12 + 9)
REGION = RegionId(1)
IMPORT = Direction.IMPORT
ROLES = {
    "operator": ["operator"],
    "provider": ["bill_provider"],
    "first": ["data_aggregator"],
    "second": ["data_aggregator"],
    "household": [],
    "center": ["control_center"],
}
RULES = {
    "period_s": PERIOD_S,
    "window_s": 600,
    "window_blocks": 1,
    "opening_s": 3_600,
    "claim_s": 7_200,
    "retention_months": 1,
    "k_min": 3,
    "min_live_permille": 600,
}
FILTER_HASH = sha256(b"BF1")
TARIFF = Tariff(
    "Riedholz",
    "CHF",
    50_000_000,
    ChannelTariff(Linear(0, 10_000, 1_000, 30_000), 25_000),  # 20 dearer for each Wh of the total
    ChannelTariff(Flat(6_000), 4_000),
    penalties=Penalties(20_000_000, 10_000_000),
)


class Community(Ledger):
    """The ledger, and what its meters, aggregators and bill provider would compute.

    Args:
        enrolled: meters, in the first places.
        places: places of a roster, spare ones included.
        periods: of the month.
        release: what holds slots back.
        weaken: what becomes of each module; nothing by default.
        rules: of the region, over `RULES`.
    """

    def __init__(
        self,
        *,
        enrolled: int = 4,
        places: int = 5,
        periods: int = 3,
        release: Release | None = None,
        weaken: Callable[[Module], Module] = lambda module: module,
        **rules: int,
    ) -> None:
        self.enrolled, self.places = enrolled, places
        self.rules = {**RULES, **rules}
        self.bounds = month_bounds(MONTH, FIRST_K, periods)
        people = {name: Person(ParticipantId(n), key(name, "transaction")) for n, name in enumerate(ROLES, start=1)}

        def application(store: Store, verifier: Verifier) -> Application:
            book = Book()
            directory = Registry(book)
            slots = Aggregation(directory, release, book)
            modules = (
                registry(directory),
                aggregation(slots),
                pricing(directory, slots, book),
                billing(directory),
            )
            return Application(tuple(map(weaken, modules)), store, directory, verifier)

        super().__init__(application, self._genesis(), people, start_s=GENESIS_TIME_S)

    def _genesis(self) -> bytes:
        people = [
            {
                "name": name,
                "roles": roles,
                "keys": {use: key(name, use).public_key.hex() for use in ("transaction", "receipt")},
            }
            for name, roles in ROLES.items()
        ]
        regions = [
            {"region": REGION, "name": "Riedholz", **self.rules},
            {"region": 2, "name": "Attisholz", **self.rules},
        ]
        document = {
            "chain_id": CHAIN_ID,
            "genesis_time_s": GENESIS_TIME_S,
            "clock": "block",
            "zone": "Europe/Zurich",
            "currency": "CHF",
            "modules": {"registry": {"participants": people, "regions": regions}},
        }
        return json.dumps(document).encode()

    # --- the course of things ----------------------------------------------------------------------------------------

    def begin(self, channels: Sequence[Direction] = (IMPORT,), tariff: Tariff | None = None) -> "Community":
        """Open the month, enrol the meters and publish the rosters."""
        self.accepts("operator", self.month_begun(tariff))
        for n in range(self.enrolled):
            numbers = tuple(map(int, channels))
            self.accepts("provider", EnrolMeter((n + 1).to_bytes(16, "big"), REGION, numbers, self.bounds.first_k))
        for channel in channels:
            self.accepts("provider", self.rosters(channel=channel))
        return self

    def go_to(self, instant_s: int) -> None:
        """Turn the clock."""
        self.advance(instant_s - self.now_s)

    def end_of(self, k: int) -> int:
        """When a period ends, UTC epoch seconds."""
        return (k + 1) * PERIOD_S

    def window_end_of(self, k: int) -> int:
        """When a slot's window ends."""
        return self.end_of(k) + self.rules["window_s"]

    def opening_end_of(self, k: int) -> int:
        """When the time to open a slot ends."""
        return self.window_end_of(k) + self.rules["opening_s"]

    def claim_end_of(self, k: int) -> int:
        """When the time to claim a slot's dropped records ends."""
        return self.window_end_of(k) + self.rules["claim_s"]

    def filled(self, k: int, *meters: int, orphans: Sequence[int] = (), channel: Direction = IMPORT) -> None:
        """Bring both records of some meters, and the first alone of others; by default of all."""
        whole = meters or tuple(n for n in range(self.enrolled) if n not in orphans)
        records = [self.record(n, half, k, channel=channel) for n in whole for half in Half]
        records += [self.record(n, Half.FIRST, k, channel=channel) for n in orphans]
        self.go_to(max(self.now_s, self.end_of(k)))
        self.accepts("first", self.batch(k, records, channel=channel))

    def closed(self, k: int, *meters: int, orphans: Sequence[int] = (), channel: Direction = IMPORT) -> None:
        """Bring records and close the slot."""
        self.filled(k, *meters, orphans=orphans, channel=channel)
        self.go_to(max(self.now_s, self.window_end_of(k)))
        self.accepts("household", CloseSlot(REGION, channel, k))

    def fixed(self, k: int, *meters: int, orphans: Sequence[int] = (), channel: Direction = IMPORT) -> None:
        """Bring records, close the slot and fix what remains without the orphans."""
        self.closed(k, *meters, orphans=orphans, channel=channel)
        self.accepts("provider", self.live_set(k, orphans=[(n, Half.FIRST) for n in orphans], channel=channel))

    def opened(self, k: int, *meters: int, channel: Direction = IMPORT) -> None:
        """Bring a slot to its total."""
        self.fixed(k, *meters, channel=channel)
        self.accepts("provider", self.opening(k, meters or range(self.enrolled), channel=channel))

    def refuses_by(self, name: str, message: Message, reason: type[Refusal], **particulars: Any) -> None:
        """Send a message that is refused for this very reason, with these particulars, and changes nothing."""
        refusal = self.refuses(name, message, code=reason.code)
        assert type(refusal) is reason
        assert refusal.particulars == particulars

    def state(self, k: int, channel: Direction = IMPORT) -> SlotState:
        """The slot as it stands."""
        with self.node.application.reading() as view:
            return SLOTS.get(view, REGION, channel, k)

    def ask(self, query: Any, *arguments: Any) -> Any:
        """A query's answer, read from the last committed state."""
        with self.node.application.reading() as view:
            return query(view, *arguments)

    # --- what the bill provider computes -----------------------------------------------------------------------------

    def leaves(self, k: int, channel: Direction = IMPORT) -> list[bytes]:
        """A roster's leaves."""
        return leaves_of(self.bounds, self.places, k, channel)

    def rosters(self, from_k: int | None = None, /, channel: Direction = IMPORT, **changes: Any) -> PublishRosters:
        """The rosters from a period on."""
        from_k = self.bounds.first_k if from_k is None else from_k
        fields: dict[str, Any] = {
            "region": REGION,
            "channel": channel,
            "month": self.bounds.month,
            "from_k": from_k,
            "count": 2 * self.places,
            "roots": b"".join(merkle.root(self.leaves(k, channel)) for k in range(from_k, self.bounds.end_k)),
            "filter_hash": FILTER_HASH,
            "removed": b"",
        }
        return PublishRosters(**(fields | changes))

    def position(self, meter: int, half: Half, k: int, channel: Direction = IMPORT) -> int:
        """Where a record's leaf stands in its roster."""
        prid = signer_of(self.bounds, meter, half, k, channel).public_key
        return self.leaves(k, channel).index(roster_leaf(prid))

    def live_set(
        self,
        k: int,
        orphans: Iterable[tuple[int, Half]] = (),
        excluded: Iterable[int] = (),
        channel: Direction = IMPORT,
    ) -> FixLiveSet:
        """The list that leaves out orphans (meter, half) and both halves of excluded meters."""
        alone = sorted(self.position(meter, half, k, channel) for meter, half in orphans)
        out = sorted(self.position(meter, half, k, channel) for meter in excluded for half in Half)
        return FixLiveSet(REGION, channel, k, tuple(alone), tuple(out))

    def mask_sum(self, k: int, meters: Iterable[int], channel: Direction = IMPORT) -> int:
        """Z over some meters."""
        return sum(mask(leaf_at(seed, self.bounds, k)) for n in meters for seed in view_of(n, channel)) % WORD

    def opening(self, k: int, meters: Iterable[int], /, channel: Direction = IMPORT, **changes: Any) -> OpenMasks:
        """The masks of some meters, for the live set that they are."""
        meters = tuple(meters)
        places = [self.position(n, half, k, channel) for n in meters for half in Half]
        fields: dict[str, Any] = {
            "region": REGION,
            "channel": channel,
            "k": k,
            "live_set": live_set_hash(Slot(REGION, channel, k), bitmap_of(2 * self.places, places)),
            "mask_sum": self.mask_sum(k, meters, channel),
        }
        return OpenMasks(**(fields | changes))

    # --- what meters and aggregators compute -------------------------------------------------------------------------

    def record(
        self, meter: int, half: Half, k: int, wh: int | None = None, channel: Direction = IMPORT, **signed: Any
    ) -> SlotRecord:
        """A meter's record of a reading; `signed` puts another chain, slot or value under the signature."""
        first, second = (leaf_at(seed, self.bounds, k) for seed in view_of(meter, channel))
        rc = halves(reading_of(meter, k) if wh is None else wh, first, second)[half - 1]
        chance = signer_of(self.bounds, meter, half, k, channel)
        named: dict[str, Any] = {
            "chain_id": CHAIN_ID,
            "slot": Slot(REGION, channel, k),
            "prid": chance.public_key,
            "rc": rc,
        } | signed
        return SlotRecord(chance.public_key, rc, chance.sign(record_hash(**named)))

    def both(self, meter: int, k: int, wh: int | None = None) -> list[SlotRecord]:
        """Both records of a meter."""
        return [self.record(meter, half, k, wh) for half in Half]

    def batch(
        self, k: int, records: Iterable[SlotRecord], /, channel: Direction = IMPORT, **changes: Any
    ) -> SubmitBatch:
        """A batch of records, sorted and proven."""
        leaves = self.leaves(k, channel)
        at = {leaf: position for position, leaf in enumerate(leaves)}
        placed = {at[roster_leaf(record.prid)]: record for record in records}
        positions = sorted(placed)
        fields: dict[str, Any] = {
            "region": REGION,
            "channel": channel,
            "k": k,
            "root": merkle.root(leaves),
            "count": len(leaves),
            "bitmap": bitmap_of(len(leaves), positions),
            "records": tuple(placed[position] for position in positions),
            "proof": merkle.multi_proof(leaves, positions),
        }
        return SubmitBatch(**(fields | changes))

    def claim(
        self, k: int, record: SlotRecord, giver: str = "first", /, channel: Direction = IMPORT, **changes: Any
    ) -> ClaimDropped:
        """The proof that an aggregator receipted a record."""
        slot, leaves = Slot(REGION, channel, k), self.leaves(k, channel)
        aggregator, receipting = self.people[giver].id, key(giver, "receipt")
        signed = record_hash(CHAIN_ID, slot, record.prid, record.rc)
        leaf = roster_leaf(record.prid)
        position = leaves.index(leaf) if leaf in leaves else 0
        fields: dict[str, Any] = {
            "region": REGION,
            "channel": channel,
            "k": k,
            "aggregator": aggregator,
            "receipt_key": receipting.public_key,
            "receipt": receipting.sign(receipt_hash(CHAIN_ID, slot, record.prid, signed, aggregator)),
            "record": record,
            "position": position,
            "path": merkle.inclusion_proof(leaves, position),
        }
        return ClaimDropped(**(fields | changes))

    def late(self, k: int, records: Iterable[SlotRecord], /, channel: Direction = IMPORT, **changes: Any) -> SubmitLate:
        """A side batch of records, sorted and proven."""
        batch = self.batch(k, records, channel=channel)
        return SubmitLate(**({name: getattr(batch, name) for name in batch.__struct_fields__} | changes))

    # --- what control centre, bill provider and households say of money ----------------------------------------------

    def price(self, k: int, /, channel: Direction = IMPORT, tariff: Tariff = TARIFF, **changes: Any) -> AnnouncePrice:
        """The price that a tariff gives to a slot as it stands."""
        state = self.state(k, channel)
        total_wh = state.total_wh if state.status == Status.OPENED else None
        fields: dict[str, Any] = {
            "region": REGION,
            "channel": channel,
            "k": k,
            "total_wh": total_wh or 0,
            "batch_roots": tuple(note.root for note in state.batches),
            "price_e5": slot_price(tariff, channel, k * PERIOD_S, total_wh),
        }
        return AnnouncePrice(**(fields | changes))

    def bill(self, meter: int, version: int = 1, /, **changes: Any) -> NewBill:
        """A household's sealed bill."""
        sealed = b"sealed bill %d of %d" % (version, meter)
        fields: dict[str, Any] = {
            "bid": bid_of(meter).public_key,
            "version": version,
            "cid": cid_v1(sealed),
            "digest": sha256(sealed),
        }
        return NewBill(**(fields | changes))

    def bills(self, *bills: NewBill, **changes: Any) -> RegisterBills:
        """A list of bills, sorted."""
        fields: dict[str, Any] = {
            "region": REGION,
            "month": self.bounds.month,
            "bills": tuple(sorted(bills, key=lambda each: each.bid)),
        }
        return RegisterBills(**(fields | changes))

    def objection(
        self, meter: int, number: int = 1, version: int = 1, /, by: Signer | None = None, **changes: Any
    ) -> ObjectToBill:
        """A household's signed objection; `changes` are made before it is signed, but for a signature of its own."""
        reasons = b"reasons %d of %d" % (number, meter)
        fields: dict[str, Any] = {
            "region": REGION,
            "month": self.bounds.month,
            "bid": bid_of(meter).public_key,
            "version": version,
            "number": number,
            "cid": cid_v1(reasons),
            "digest": sha256(reasons),
            "signature": bytes(64),
        }
        unsigned = ObjectToBill(**(fields | changes))
        if "signature" in changes:
            return unsigned
        return replace(unsigned, signature=(by or bid_of(meter)).sign(objection_hash(CHAIN_ID, unsigned)))

    def answer(self, meter: int, number: int = 1, /, **changes: Any) -> AnswerObjection:
        """The bill provider's answer."""
        reasons = b"answer %d to %d" % (number, meter)
        fields: dict[str, Any] = {
            "region": REGION,
            "month": self.bounds.month,
            "bid": bid_of(meter).public_key,
            "number": number,
            "upheld": True,
            "cid": cid_v1(reasons),
            "digest": sha256(reasons),
        }
        return AnswerObjection(**(fields | changes))

    def month_begun(self, tariff: Tariff | None = None) -> OpenMonth:
        """The message that opens the month."""
        return OpenMonth(REGION, self.bounds.month, self.bounds.start_s, self.bounds.end_s, tariff)

    def end_month(self) -> "Community":
        """Wait for the month's last deadlines, and close it."""
        last_k = self.bounds.end_k - 1
        self.go_to(max(self.now_s, self.claim_end_of(last_k), self.opening_end_of(last_k)))
        self.accepts("operator", self.month_over)
        return self

    @property
    def month_over(self) -> CloseMonth:
        """The message that closes the month."""
        return CloseMonth(REGION, self.bounds.month)


def month_bounds(month: int, first_k: int, periods: int) -> MonthBounds:
    """A month of a few periods."""
    return MonthBounds(MonthId(month), first_k * PERIOD_S, (first_k + periods) * PERIOD_S, PERIOD_S)


def key(name: str, use: str) -> Signer:
    """A participant's key."""
    return Signer(sha256(b"tests/aggregation/", name.encode(), use.encode()))


def reading_of(meter: int, k: int) -> int:
    """What a meter reads in a period, Wh."""
    return 100 + 37 * meter + 11 * (k % 13)


@cache
def bid_of(meter: int) -> Signer:
    """The key of a household's billing identity."""
    return Signer(sha256(b"BID", meter.to_bytes(4, "big")))


@cache
def signer_of(bounds: MonthBounds, meter: int, half: Half, k: int, channel: Direction) -> Signer:
    """A one-time identity."""
    seeds = sign_seeds(sha256(b"sign", meter.to_bytes(4, "big")), channel)
    return record_signer(seeds[half - 1], bounds, k)


@cache
def view_of(meter: int, channel: Direction) -> ViewSeeds:
    """A meter's view seeds."""
    return view_seeds(sha256(b"view", meter.to_bytes(4, "big")), channel)


@cache
def leaves_of(bounds: MonthBounds, places: int, k: int, channel: Direction) -> list[bytes]:
    """A roster's leaves over all places."""
    return roster(signer_of(bounds, n, half, k, channel).public_key for n in range(places) for half in Half)
