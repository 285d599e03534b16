"""Who attacks the community while it works: at the aggregators' doors, at the ledger's, and with stolen keys.

They act beside the actors at the instants of the conductor, through the same doors, with real messages. What they hold
is what such people would hold: a key of their own, what passed them on the line, or a participant's keys.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from gridproof.actors import errors as actor_errors
from gridproof.actors.crew import Crew
from gridproof.actors.data_aggregator import DataAggregator
from gridproof.actors.public_rosters import PublicRosters, SlotRoster
from gridproof.actors.randomness import Randomness
from gridproof.actors.transport import Delivery
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import (
    PRID_SIZE,
    ParticipantId,
    Slot,
    bitmap_of,
    positions_in,
    record_hash,
    roster_leaf,
)
from gridproof.errors import GridproofError, Refusal
from gridproof.modules.aggregation import errors as ledger_errors
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import FixLiveSet, SubmitBatch
from gridproof.modules.aggregation.rules.timetable import Timetable, timetable
from gridproof.modules.aggregation.types import SlotRecord, SlotState, Status
from gridproof.primitives import merkle, secp256k1
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message, sign_transaction, system
from gridproof.state.errors import CheckFailed
from gridproof.state.refusals import refusal_in

from .docket import Docket
from .faults import LossyLine, Tap, altered, reason_of
from .script import Script

AGGREGATOR: Final = "aggregator"
LEDGER: Final = "ledger"
VALID_FOR_S: Final = 86_400
TIMEOUT_S: Final = 60.0

Plan = Callable[[int], bool]  # told the time; whether it is done


class Stolen(NamedTuple):
    """A participant's keys in the wrong hands; what they sign is not looked at before it is sent.

    Attributes:
        participant: whose.
        signer: its transaction key.
        client: the way to the ledger.
    """

    participant: ParticipantId
    signer: Signer
    client: LedgerClient

    def send(self, message: Message) -> GridproofError | None:
        """Send a message, and return why the ledger did not take it; None if it did."""
        status = self.client.status()
        raw = sign_transaction(
            self.signer,
            chain_id=status.chain_id,
            sender=self.participant,
            nonce=self.client.ask(system.next_nonce, self.participant),
            valid_until_s=status.ledger_time_s + VALID_FOR_S,
            messages=(message,),
        )
        try:
            place = self.client.wait(self.client.submit(raw), TIMEOUT_S)
        except Refusal as refusal:
            return refusal.with_traceback(None)
        return refusal_in(place.result)


class Village(NamedTuple):
    """What the attackers find before them.

    Attributes:
        crew: the actors; asked only for what the attacker in question would know.
        client: the way to the ledger.
        script: where what is tried.
        tap: what passed on the line.
        lossy: keeps the half that was lost.
        rosters: the public roster files.
        chance: where their own keys come from.
    """

    crew: Crew
    client: LedgerClient
    script: Script
    tap: Tap
    lossy: LossyLine
    rosters: PublicRosters
    chance: Randomness

    @property
    def chain_id(self) -> str:
        """Name of the ledger."""
        return self.client.status().chain_id

    @property
    def honest(self) -> DataAggregator:
        """A data aggregator that works as it should."""
        return self.crew.aggregators[min(self.crew.aggregators)]

    def times(self, slot: Slot) -> Timetable:
        """A slot's instants."""
        return timetable(slot.k, self.crew.rules[slot.region])

    def is_window_open(self, slot: Slot, now_s: int) -> bool:
        """Whether aggregators take the slot's records."""
        times = self.times(slot)
        return times.period_end_s <= now_s < times.window_end_s

    def state(self, slot: Slot) -> SlotState | None:
        """A slot as the ledger has it."""
        return self.client.ask(aggregation.slot, *slot)

    def ledger_time_s(self) -> int:
        """What time it is on the ledger."""
        return self.client.status().ledger_time_s


class Attacker:
    """Someone with plans, who tries at each instant those that are not done.

    Args:
        village: what they find.
        docket: notes what comes of it.
    """

    def __init__(self, village: Village, docket: Docket) -> None:
        self._village = village
        self._docket = docket
        self._plans = self.plans()

    def plans(self) -> list[Plan]:
        """What they want to do."""
        return []

    def act(self, now_s: int) -> None:
        """Do what can be done now."""
        self._plans = [plan for plan in self._plans if not plan(now_s)]


class Outsider(Attacker):
    """A stranger, and an eavesdropper: they try an honest aggregator's door."""

    def plans(self) -> list[Plan]:
        """Forge and replay while the window is open; come late with the lost half."""
        return [self._forge, self._replay, self._come_late]

    def _forge(self, now_s: int) -> bool:
        slot = self._village.script.tampered
        if not self._village.is_window_open(slot, now_s):
            return False
        forged = forge(self._village.chance, self._village.chain_id, slot)
        return self._try("forged_identity", Delivery(slot, forged), actor_errors.UnknownIdentityError)

    def _replay(self, now_s: int) -> bool:
        slot = self._village.script.tampered
        heard = self._village.tap.records(before(slot))
        if not heard or not self._village.is_window_open(slot, now_s):
            return False
        return self._try("replayed_record", Delivery(slot, heard[0]), actor_errors.UnknownIdentityError)

    def _come_late(self, now_s: int) -> bool:
        slot, kept = self._village.script.half_sent.slot, self._village.lossy.kept
        if kept is None or now_s < self._village.times(slot).window_end_s:
            return False
        return self._try("late_record", Delivery(slot, kept), actor_errors.RecordTooLateError)

    def _try(self, attack: str, delivery: Delivery, reason: type[GridproofError]) -> bool:
        self._docket.refused(attack, AGGREGATOR, reason_of(self._village.honest, delivery), reason)
        return True


class RogueAggregator(Attacker):
    """A data aggregator that brings to the ledger what it should not.

    Args:
        village: what it finds.
        docket: notes what comes of it.
        keys: its own.
    """

    def __init__(self, village: Village, docket: Docket, keys: Stolen) -> None:
        super().__init__(village, docket)
        self._keys = keys

    def plans(self) -> list[Plan]:
        """Bring what is false while a slot is open, a whole batch twice, and what is late."""
        return [self._bring_false, self._bring_again, self._bring_late]

    def _bring_false(self, _now_s: int) -> bool:
        village, slot = self._village, self._village.script.tampered
        own, earlier = village.tap.records(slot, self._keys.participant), village.tap.records(before(slot))
        if not own or not earlier or village.ledger_time_s() < village.times(slot).period_end_s:
            return False
        roster = village.rosters.of(slot)
        forged = forge(village.chance, village.chain_id, slot)
        self._try("forged_identity", batch_of(slot, roster, [forged]), ledger_errors.BatchUnproven)
        self._try("altered_record", batch_of(slot, roster, [altered(own[0])]), CheckFailed)
        replayed = batch_of(slot, roster, earlier[:1])
        return self._try("replayed_record", replayed, ledger_errors.BatchUnproven)

    def _bring_again(self, _now_s: int) -> bool:
        slot = before(self._village.script.tampered)
        bodies = self._village.client.ask(aggregation.bodies, *slot)
        if not bodies:
            return False
        batch = batch_of(slot, self._village.rosters.of(slot), bodies[0].records)
        reasons = (ledger_errors.NothingNew, ledger_errors.SlotIsClosed)
        return self._try("replayed_record", batch, *reasons, more="a whole batch")

    def _bring_late(self, _now_s: int) -> bool:
        slot, kept = self._village.script.half_sent.slot, self._village.lossy.kept
        state = self._village.state(slot)
        if kept is None or state is None or state.status == Status.OPEN:
            return False
        return self._try(
            "late_batch", batch_of(slot, self._village.rosters.of(slot), [kept]), ledger_errors.SlotIsClosed
        )

    def _try(self, attack: str, batch: SubmitBatch, *reasons: type[GridproofError], more: str = "") -> bool:
        self._docket.refused(attack, LEDGER, self._keys.send(batch), *reasons, more=more)
        return True


class Thief(Attacker):
    """Someone who has the bill provider's keys, and wants to know one meter's reading.

    The difference of two mask sums is that meter's masks: the ledger must take one sum only, of the fixed live set.

    Args:
        village: what is found.
        docket: notes what comes of it.
        keys: the bill provider's.
    """

    def __init__(self, village: Village, docket: Docket, keys: Stolen) -> None:
        super().__init__(village, docket)
        self._keys = keys

    def plans(self) -> list[Plan]:
        """Come between the fixing of a live set and the opening of its masks."""
        return [self._open_other]

    def _open_other(self, _now_s: int) -> bool:
        slot = self._village.script.calm
        state = self._village.state(slot)
        if state is None or state.status != Status.FIXED:
            return False
        pair = self._victim(slot, state)
        others = [each for each in positions_in(state.live, state.count) if each not in pair]
        other = replace(state, live=bitmap_of(state.count, others))
        opening = self._village.crew.totals.opening(slot, other)
        self._docket.refused("other_live_set", LEDGER, self._keys.send(opening), ledger_errors.OtherLiveSet)
        second = FixLiveSet(*slot, (), pair)
        self._docket.refused("second_live_set", LEDGER, self._keys.send(second), ledger_errors.LiveSetExists)
        return True

    def _victim(self, slot: Slot, state: SlotState) -> tuple[int, ...]:
        """Leaf positions of a live meter."""
        places = (self._village.crew.provider.months.owners(slot) // 2).tolist()
        wanted = places[positions_in(state.live, state.count)[0]]
        return tuple(position for position, place in enumerate(places) if place == wanted)


def forge(chance: Randomness, chain_id: str, slot: Slot) -> SlotRecord:
    """A record under an identity that nobody enrolled; its signature holds.

    Args:
        chance: where the key and the value come from.
        chain_id: of the ledger.
        slot: where it shall count.
    """
    secret = sha256(chance(PRID_SIZE))
    while not secp256k1.is_scalar(secret):
        secret = sha256(secret)
    signer = Signer(secret)
    rc = int.from_bytes(chance(8), "big")
    return SlotRecord(signer.public_key, rc, signer.sign(record_hash(chain_id, slot, signer.public_key, rc)))


def batch_of(slot: Slot, roster: SlotRoster, records: Sequence[SlotRecord]) -> SubmitBatch:
    """A batch that is well formed but for what its records are: a stranger's is put where its leaf would have to stand.

    Args:
        slot: where it shall count.
        roster: the slot's.
        records: its records.
    """
    placed = {_position(roster, record): record for record in records}
    positions = sorted(placed)
    count = len(roster.leaves)
    proof = merkle.multi_proof(roster.leaves, positions)
    bitmap = bitmap_of(count, positions)
    return SubmitBatch(*slot, roster.root, count, bitmap, tuple(placed[each] for each in positions), proof)


def before(slot: Slot) -> Slot:
    """The slot of the period before."""
    return slot._replace(k=slot.k - 1)


def _position(roster: SlotRoster, record: SlotRecord) -> int:
    leaf = roster_leaf(record.prid)
    known = roster.positions.get(leaf)
    return min(bisect_right(roster.leaves, leaf), len(roster.leaves) - 1) if known is None else known
