"""A region with meters whose secrets the benchmark holds, and a ledger on the product's own wiring for its slots.

A tenth of a roster's places is spare, as the bill provider makes them. Everything follows from the figures given.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from gridproof.actors.bill_provider import Policy
from gridproof.actors.bill_provider.live_set import Judgement, SlotView, judge, mask_sum
from gridproof.actors.bill_provider.rosters import MaskTable, Rosters, cut, make
from gridproof.app import application
from gridproof.domain import (
    WORD,
    Direction,
    MonthBounds,
    ParticipantId,
    RegionId,
    Slot,
    bitmap_of,
    halves,
    leaf_at,
    live_set_hash,
    positions_in,
    record_hasher,
)
from gridproof.domain import signer as record_signer
from gridproof.modules.aggregation.messages import CloseSlot, FixLiveSet, OpenMasks, PublishRosters, SubmitBatch
from gridproof.modules.aggregation.types import BODIES, SLOTS, SlotRecord, SlotState
from gridproof.modules.registry.messages import EnrolMeter, OpenMonth
from gridproof.primitives import merkle
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Application, Block, Message, Verifier, sign_transaction
from gridproof.state.store import Store

from .month import bounds_of, seeds_of

CHAIN_ID: Final = "bench-1"
REGION: Final = RegionId(1)
WINDOW_S: Final = 600
ENROL_AT_ONCE: Final = 1_000
VALID_UNTIL_S: Final = 2**40
PEOPLE: Final = {"operator": "operator", "provider": "bill_provider", "aggregator": "data_aggregator"}


def key(name: str) -> Signer:
    """Someone's transaction key."""
    return Signer(sha256(b"bench/people/", name.encode()))


def genesis(people: dict[str, str], start_s: int) -> bytes:
    """A genesis document with people in the roles given, and one region of half-hours.

    Args:
        people: role by name; ids count from 1 in this order.
        start_s: ledger time at height 0, UTC epoch seconds.
    """
    participants = [
        {"name": name, "roles": [role], "keys": {"transaction": key(name).public_key.hex()}}
        for name, role in people.items()
    ]
    region = {"region": REGION, "name": "Riedholz", "period_s": 1_800, "window_s": WINDOW_S, "window_blocks": 0}
    document = {
        "chain_id": CHAIN_ID,
        "genesis_time_s": start_s,
        "clock": "block",
        "zone": "Europe/Zurich",
        "currency": "CHF",
        "modules": {"registry": {"participants": participants, "regions": [region]}},
    }
    return json.dumps(document).encode()


class Meters:
    """Meters and their places, with what the bill provider makes of them.

    Args:
        meters: how many report; their places come first.
        periods: of the month.
    """

    def __init__(self, meters: int, periods: int) -> None:
        self.meters = meters
        self.places = meters + Policy().spares(meters)
        self.bounds: MonthBounds = bounds_of(periods)
        self.seeds = seeds_of(self.places)

    @cached_property
    def rosters(self) -> Rosters:
        """All rosters of the month."""
        return make(self.seeds.sign, self.bounds, self.bounds.first_k)

    @cached_property
    def masks(self) -> MaskTable:
        """All masks of the month."""
        return MaskTable(self.seeds.view, self.bounds)

    @property
    def count(self) -> int:
        """Leaves of a roster."""
        return 2 * self.places

    def slot(self, at: int) -> Slot:
        """The month's slot at an index."""
        return Slot(REGION, Direction.IMPORT, self.bounds.first_k + at)

    def records(self, at: int) -> list[tuple[int, SlotRecord]]:
        """All records of a slot with their owners (place x 2 + half), as the meters sign them."""
        slot = self.slot(at)
        hash_of = record_hasher(CHAIN_ID, slot)
        made = []
        for place in range(self.meters):
            views = [leaf_at(seed, self.bounds, slot.k) for seed in self.seeds.view[place]]
            values = halves(100 + (37 * place + 11 * at) % 900, views[0], views[1])
            for half, (seed, rc) in enumerate(zip(self.seeds.sign[place], values, strict=True)):
                chance = record_signer(seed, self.bounds, slot.k)
                prid = chance.public_key
                made.append((2 * place + half, SlotRecord(prid, rc, chance.sign(hash_of(prid, rc)))))
        return made

    def batch(self, at: int, records: Iterable[tuple[int, SlotRecord]]) -> SubmitBatch:
        """A slot's batch, as a data aggregator brings it."""
        by_owner = dict(records)
        owners: list[int] = self.rosters.owners[at].tolist()
        positions = [position for position, owner in enumerate(owners) if owner in by_owner]
        proof = merkle.multi_proof(self.leaves(at), positions)
        brought = tuple(by_owner[owners[position]] for position in positions)
        root, bitmap = self.rosters.roots[at], bitmap_of(self.count, positions)
        return SubmitBatch(*self.slot(at), root, self.count, bitmap, brought, proof)

    def leaves(self, at: int) -> list[bytes]:
        """A roster's leaves."""
        return cut(self.rosters.rows[at])

    def publication(self) -> PublishRosters:
        """What binds the rosters."""
        bounds = self.bounds
        head = (REGION, Direction.IMPORT, bounds.month, bounds.first_k, self.count)
        return PublishRosters(*head, b"".join(self.rosters.roots), sha256(b"BF1"), b"")


class Ledger:
    """The product's Application, driven block by block.

    Args:
        store: keeps the state.
        verifier: checks signatures.
        document: the genesis.
        people: names in the order of their ids.
        start_s: the first block's time, UTC epoch seconds.
    """

    def __init__(self, store: Store, verifier: Verifier, document: bytes, people: Sequence[str], start_s: int) -> None:
        self.store = store
        self.application: Application = application(store, verifier)
        self.application.init_chain(document)
        self.time_s = start_s
        self._ids = {name: ParticipantId(number) for number, name in enumerate(people, 1)}
        self._keys = {name: key(name) for name in people}
        self._nonces = dict.fromkeys(people, 0)

    def sign(self, name: str, *messages: Message) -> bytes:
        """A transaction with the sender's next nonce; it must be sent."""
        nonce = self._nonces[name]
        self._nonces[name] += 1
        return sign_transaction(
            self._keys[name],
            chain_id=CHAIN_ID,
            sender=self._ids[name],
            nonce=nonce,
            valid_until_s=VALID_UNTIL_S,
            messages=messages,
        )

    def prepare(self, *raws: bytes) -> Block:
        """CheckTx of transactions, and a block of them, chosen as the driver does."""
        for raw in raws:
            self.application.check_tx(raw)
        proposal = self.application.prepare_proposal(raws, self.time_s, 2**30)
        return Block(self.application.info().height + 1, self.time_s, 0, tuple(proposal.chosen))

    def finalize(self, block: Block) -> None:
        """Compute a block, all of which must take effect."""
        result = self.application.finalize_block(block)
        wrong = [each for each in result.results if each.code]
        if wrong or not result.results:
            raise AssertionError(f"the ledger refused: {wrong}")

    def send(self, name: str, *messages: Message) -> None:
        """One transaction in a block of its own."""
        self.finalize(self.prepare(self.sign(name, *messages)))
        self.application.commit()


class Community:
    """Meters and a ledger on which their month is open.

    Args:
        meters: with their rosters.
        store: keeps the ledger's state.
        verifier: checks signatures.
        make: makes the ledger.
    """

    def __init__(self, meters: Meters, store: Store, verifier: Verifier, make: type[Ledger] = Ledger) -> None:
        self.meters = meters
        bounds = meters.bounds
        start_s = bounds.start_s - 86_400
        self.ledger = make(store, verifier, genesis(PEOPLE, start_s), list(PEOPLE), start_s)
        self.ledger.send("operator", OpenMonth(REGION, bounds.month, bounds.start_s, bounds.end_s))
        for at in range(0, meters.meters, ENROL_AT_ONCE):
            numbers = range(at, min(at + ENROL_AT_ONCE, meters.meters))
            self.ledger.send("provider", *(enrolment(number, bounds.first_k) for number in numbers))
        self.ledger.send("provider", meters.publication())

    def end_period(self, at: int) -> None:
        """Let time pass until a slot takes batches."""
        self.ledger.time_s = max(self.ledger.time_s, (self.meters.slot(at).k + 1) * 1_800)

    def end_window(self, at: int) -> None:
        """Let time pass until a slot may be closed."""
        self.end_period(at)
        self.ledger.time_s = max(self.ledger.time_s, (self.meters.slot(at).k + 1) * 1_800 + WINDOW_S)

    def state(self, at: int) -> SlotState:
        """A slot as it stands."""
        with self.ledger.application.reading() as view:
            return SLOTS.get(view, *self.meters.slot(at))

    def close(self, at: int) -> CloseSlot:
        """What closes a slot."""
        return CloseSlot(*self.meters.slot(at))

    def judge(self, at: int) -> Judgement:
        """What the bill provider says of a closed slot, from the bodies on the ledger."""
        slot, meters = self.meters.slot(at), self.meters
        with self.ledger.application.reading() as view:
            bodies = [body for _, body in BODIES.under(view, *slot)]
        values = {
            position: record.rc
            for body in bodies
            for position, record in zip(body.positions, body.records, strict=True)
        }
        active = [place < meters.meters for place in range(meters.places)]
        return judge(SlotView(meters.rosters.owners[at], meters.masks.at(slot.k), active, values), 50_000)

    def fixing(self, at: int, judgement: Judgement) -> FixLiveSet:
        """What fixes a slot's live set."""
        return FixLiveSet(*self.meters.slot(at), judgement.orphans, judgement.excluded)

    def opening(self, at: int, state: SlotState) -> OpenMasks:
        """What opens a slot's masks."""
        slot = self.meters.slot(at)
        live = positions_in(state.live, state.count)
        summed = mask_sum(self.meters.rosters.owners[at], self.meters.masks.at(slot.k), live)
        return OpenMasks(*slot, live_set_hash(slot, state.live), summed % WORD)


def enrolment(number: int, from_k: int) -> EnrolMeter:
    """A meter's enrolment."""
    return EnrolMeter(number.to_bytes(16, "big"), REGION, (Direction.IMPORT,), from_k)
