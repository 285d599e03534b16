"""A household's bill with all that proves it, in one file: recomputed offline from an app hash and the view secret.

The file holds the sealed report, and of the ledger: the registration, month, region, meter, tariffs, all slots and
prices of the month (they lead to the roots that the state holds), and the household's own records with their paths.
Without the household's secret it tells no reading; but it tells which records are one household's, so it is for its
owner only.

The checker's steps; then the bill itself is held to it as to a node's word (`verifying`):
    1. each entry of the state is a leaf of the tree behind the app hash, or proved to be absent;
    2. the month's slots lead to the root of its fold, and so do its prices, without a gap;
    3. each record stands in a batch of its slot, or of its side batch, under the root that the state keeps of it;
    4. each leaf stands at its position of the slot's roster;
    5. the sealed report has the registered digest.

Source: architecture.md, State and Slots ("later proofs take two steps"); private-metering.md, rows 17 and 21.
"""

import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from msgspec import Meta

from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.errors import ActorError, ProofFileError
from gridproof.connectors.files import PRIVATE_FILE, FileMissingError, FileUnreadableError, write_whole
from gridproof.domain import Direction, MonthBounds, MonthId, SlotPrice, TariffStep, bill_key, is_marked, roster_leaf
from gridproof.modules.aggregation import types as aggregation
from gridproof.modules.aggregation.types import FoldedSlot, LateState, SlotRecord, SlotState
from gridproof.modules.billing import types as billing
from gridproof.modules.billing.types import Bill
from gridproof.modules.pricing import types as pricing
from gridproof.modules.pricing.types import FoldedPrice
from gridproof.modules.registry import types as registry
from gridproof.modules.registry.types import KeyRole, Meter, Role
from gridproof.primitives import merkle
from gridproof.primitives.encoding import Codec, encode
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Map, Record, smt

from .evidence import FoundRecord, LeafFacts, SlotFacts, facts_of
from .reading import open_sealed
from .report import Report
from .verifying import BillVerdict, verify_report
from .words import Card

MAGIC: Final = b"gridproof-bill-proof/1\n"
MAX_FILE_BYTES: Final = 2**27
MAX_PROOF_BYTES: Final = 2**28  # once unpacked

V = TypeVar("V")
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Path_ = tuple[Hash, ...]


class UnprovenBillError(ActorError):
    """The file does not prove what it holds, nothing in it is to be believed. Have it made again."""

    detail: str


class OtherAppHashError(ActorError):
    """The file has another app hash than the one given, nothing in it is to be believed.
    Give the app hash that a ledger you trust had at the file's `height`, not at another; if that was it, have the file
    made again.
    """

    height: int
    file: str
    given: str


class ProvenEntry(Record, frozen=True):
    """An entry of the state: its encoded value, or nothing, with the proof of that."""

    value: bytes
    proof: bytes


class ProvenLeaf(Record, frozen=True):
    """A leaf's position in its slot's roster, with its RFC 6962 inclusion proof."""

    position: int
    path: Path_


class ProvenHalf(Record, frozen=True):
    """A record, its place in a batch (of the side batch where it was late), and its leaf."""

    record: SlotRecord
    late: bool
    batch: int
    index: int
    path: Path_
    leaf: ProvenLeaf


class ProvenLine(Record, frozen=True):
    """A line's two records.

    Attributes:
        k: the period.
        first: the record of the first half.
        second: that of the second.
        claims: where one came late, for each the claim that it was dropped, or the proof that there is none.
    """

    k: int
    first: ProvenHalf
    second: ProvenHalf
    claims: tuple[ProvenEntry, ...]


class ProvenAbsence(Record, frozen=True):
    """A slot without a line.

    Attributes:
        k: the period.
        leaves: its two leaves; none where the slot had no roster.
        proofs: their places in the roster.
        claims: for each leaf the claim that its record was dropped, or the proof that there is none.
        halves: its records, where they are there and cannot be true.
    """

    k: int
    leaves: tuple[Hash, ...]
    proofs: tuple[ProvenLeaf, ...]
    claims: tuple[ProvenEntry, ...]
    halves: tuple[ProvenHalf, ...]


class ProvenLate(Record, frozen=True):
    """A slot's side batch, or the proof that there is none."""

    k: int
    entry: ProvenEntry


class ProvenChannel(Record, frozen=True):
    """A channel's month.

    Attributes:
        channel: import or export.
        fold: of the month's slots.
        slots: all of them, as encoded, in the order of k.
        price_fold: of the month's prices.
        prices: all of them.
        lines: of the household's lines.
        absences: of its absences.
        lates: side batches of the slots of late lines and of absences.
    """

    channel: int
    fold: ProvenEntry
    slots: tuple[bytes, ...]
    price_fold: ProvenEntry
    prices: tuple[FoldedPrice, ...]
    lines: tuple[ProvenLine, ...]
    absences: tuple[ProvenAbsence, ...]
    lates: tuple[ProvenLate, ...]


class BillProof(Record, frozen=True):
    """The file.

    Attributes:
        chain_id: of the ledger.
        height: of the ledger when the file was made.
        app_hash: root of the state's tree then, 32 bytes: the one thing that is taken on trust.
        region: the region.
        month: the month.
        version: of the bill.
        sealed: the sealed report.
        bill: its registration.
        month_entry: the month.
        region_entry: the region.
        meter_entry: the meter.
        steps: from which periods on the tariffs are in force.
        tariffs: the tariffs, in that order.
        key: whose the key is that signed the card, and who that is; nothing where there was no card.
        channels: what the meter reports.
    """

    chain_id: str
    height: int
    app_hash: Hash
    region: int
    month: int
    version: int
    sealed: bytes
    bill: ProvenEntry
    month_entry: ProvenEntry
    region_entry: ProvenEntry
    meter_entry: ProvenEntry
    steps: ProvenEntry
    tariffs: tuple[ProvenEntry, ...]
    key: tuple[ProvenEntry, ...]
    channels: tuple[ProvenChannel, ...]


class ProvenVerdict(NamedTuple):
    """What came of checking a file: the report, and what the household found of it."""

    report: Report
    verdict: BillVerdict


_FILE: Final = Codec(BillProof)
_PROOF: Final[Codec[Any]] = Codec(smt.Presence | smt.Absence)  # type: ignore[arg-type]
_FOLDED: Final = Codec(FoldedSlot)


# --- the file --------------------------------------------------------------------------------------------------------


def write_bill_proof(path: Path, proof: BillProof) -> None:
    """Write a proof file, for its owner only; nothing is overwritten.

    Raises:
        FileError: it cannot be written, or stands there already.
    """
    write_whole(path, MAGIC + zlib.compress(_FILE.encode(proof), 6), PRIVATE_FILE, replace=False)


def is_bill_proof(path: Path) -> bool:
    """Whether a file calls itself a bill's proof; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_bill_proof(path: Path) -> BillProof:
    """Read a proof file.

    Raises:
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses.
        ProofFileError: it is none, or too large.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ProofFileError(detail=f"it is larger than {MAX_FILE_BYTES} bytes")
        raw = path.read_bytes()
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    if not raw.startswith(MAGIC):
        raise ProofFileError(detail="it is no proof of a bill")
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(raw[len(MAGIC) :], MAX_PROOF_BYTES)
        if not unpacker.eof or unpacker.unused_data:
            raise ProofFileError(detail="it is cut short, or too long")
        return _FILE.decode(content)
    except (zlib.error, PrimitiveError) as wrong:
        raise ProofFileError(detail=str(wrong)) from wrong


def verify_bill_proof(
    proof: BillProof, household: HouseholdFile, card: Card | None, trusted_app_hash: bytes | None = None
) -> ProvenVerdict:
    """Check a bill's proof offline, by the steps of this module's docstring.

    Args:
        proof: as read.
        household: the household's view secret.
        card: the month's card, which the household got in advance, or None.
        trusted_app_hash: 32 bytes that the household has from elsewhere; without it the file's own is taken.

    Raises:
        UnprovenBillError: the file does not prove what it holds, or is of another ledger.
        OtherAppHashError: its app hash is not the trusted one.
        ReportFormatError: the report does not open, or is none.
        MonthErasedError: the household's file begins after the month.
    """
    if proof.chain_id != household.chain_id:
        raise UnprovenBillError(detail=f"it is of chain {proof.chain_id}, the household of {household.chain_id}")
    if trusted_app_hash is not None and proof.app_hash != trusted_app_hash:
        raise OtherAppHashError(height=proof.height, file=proof.app_hash.hex(), given=trusted_app_hash.hex())
    month = MonthId(proof.month)
    report = open_sealed(proof.sealed, household, month, proof.version)  # another household's file ends here
    bid = bill_key(household.identity_view(month)).public_key
    try:
        evidence = ProofEvidence(proof, household.meter, bid, card.key if card else b"")
    except PrimitiveError as wrong:
        raise UnprovenBillError(detail=str(wrong)) from wrong
    registered = evidence.bill(bid, proof.version)
    if registered is None or sha256(proof.sealed).digest() != registered.digest:  # step 5
        raise UnprovenBillError(detail="the sealed report is not the registered one")
    return ProvenVerdict(report, verify_report(report, household, evidence, card))


# --- evidence --------------------------------------------------------------------------------------------------------


class _Channel(NamedTuple):
    """A channel's month once it is proved."""

    states: tuple[SlotState, ...]
    prices: tuple[SlotPrice, ...]
    records: dict[tuple[int, bytes], FoundRecord]
    leaves: dict[tuple[int, bytes], LeafFacts]


class ProofEvidence:
    """Evidence from a proof file; what it holds is proved when it is made.

    Args:
        proof: the file.
        meter: handle of the meter, 16 bytes.
        bid: the billing identity, 32 bytes.
        card_key: the key that signed the card, or nothing.

    Raises:
        UnprovenBillError: the file does not prove what it holds.
        PrimitiveError: a proof is false or malformed.
    """

    def __init__(self, proof: BillProof, meter: bytes, bid: bytes, card_key: bytes) -> None:
        self._proof = proof
        region, month = proof.region, proof.month
        # Step 1.
        self._bill = self._entry(billing.BILLS, proof.bill, region, month, bid, proof.version)
        self._place = (bid, proof.version)
        self._month = self._entry(registry.MONTHS, proof.month_entry, region, month)
        self._region = self._entry(registry.REGIONS, proof.region_entry, region)
        self._meter = self._entry(registry.METERS, proof.meter_entry, meter)
        self._handle = meter
        self._tariffs = self._prove_tariffs()
        self._card_key = card_key if self._is_provider(card_key) else b""
        self._channels = {channel.channel: self._prove_channel(channel) for channel in proof.channels}

    def _entry(self, table: Map[V], entry: ProvenEntry, *key: Any) -> V | None:
        """Step 1: an entry of the state, or None where it is proved to be absent."""
        name, found = table.key(*key), _PROOF.decode(entry.proof)
        if not entry.value:
            smt.verify_absence(self._proof.app_hash, name, found)
            return None
        smt.verify_presence(self._proof.app_hash, name, entry.value, found)
        return table.decode(entry.value)

    def _prove_tariffs(self) -> tuple[TariffStep, ...]:
        region, month = self._proof.region, self._proof.month
        steps = self._entry(pricing.STEPS, self._proof.steps, region, month)
        from_ks = steps.from_ks if steps else ()
        if len(from_ks) != len(self._proof.tariffs):
            raise UnprovenBillError(detail="a tariff of the month is missing")
        found = []
        for from_k, entry in zip(from_ks, self._proof.tariffs, strict=True):
            tariff = self._entry(pricing.TARIFFS, entry, region, month, from_k)
            if tariff is None:
                raise UnprovenBillError(detail="a tariff of the month is missing")
            found.append(TariffStep(from_k, tariff))
        return tuple(found)

    def _is_provider(self, key: bytes) -> bool:
        """Whether the key that signed the card is or was a bill provider's."""
        if not key or len(self._proof.key) != 2:
            return False
        use = self._entry(registry.KEY_USES, self._proof.key[0], key)
        if use is None or use.role != KeyRole.TRANSACTION:
            return False
        holder = self._entry(registry.PARTICIPANTS, self._proof.key[1], use.participant)
        return holder is not None and bool(holder.roles & Role.BILL_PROVIDER)

    def _prove_channel(self, channel: ProvenChannel) -> _Channel:
        region, month, bounds = self._proof.region, self._proof.month, self.bounds()
        fold = self._entry(aggregation.FOLDS, channel.fold, region, channel.channel, month)
        prices = self._entry(pricing.FOLDS, channel.price_fold, region, channel.channel, month)
        if bounds is None or fold is None or prices is None:
            raise UnprovenBillError(detail="the month is not closed, or has no prices")
        # Step 2.
        for what, leaves, root, first_k, count in (
            ("slots", channel.slots, fold.root, fold.first_k, fold.slots),
            ("prices", [encode(price) for price in channel.prices], prices.root, prices.first_k, prices.slots),
        ):
            if (first_k, count) != (bounds.first_k, len(leaves)) or merkle.root(list(leaves)) != root:
                raise UnprovenBillError(detail=f"the month's {what} are not those that the ledger has folded")
        states = tuple(_FOLDED.decode(raw).state for raw in channel.slots)
        lates = self._prove_lates(channel)
        records: dict[tuple[int, bytes], FoundRecord] = {}
        for line in channel.lines:
            state = states[bounds.leaf_index(line.k)]
            records |= self._prove_line(channel.channel, state, lates.get(line.k), line)
        found: dict[tuple[int, bytes], LeafFacts] = {}
        for absence in channel.absences:
            state = states[bounds.leaf_index(absence.k)]
            found |= self._prove_absence(channel.channel, state, lates, absence)
        slot_prices = tuple(SlotPrice(each.price_e5, each.fallback) for each in channel.prices)
        return _Channel(states, slot_prices, records, found)

    def _prove_line(
        self, channel: int, state: SlotState, late: LateState | None, line: ProvenLine
    ) -> dict[tuple[int, bytes], FoundRecord]:
        """Steps 1, 3 and 4 for a line."""
        halves = line.first, line.second
        for half in halves:
            _prove_half(state, late, half)
        if not (line.first.late or line.second.late):
            return {(line.k, half.record.prid): FoundRecord(half.record.rc, half.late) for half in halves}
        if len(line.claims) != len(halves):
            raise UnprovenBillError(detail=f"nothing is proved of what was dropped in {line.k}")
        found: dict[tuple[int, bytes], FoundRecord] = {}
        for half, claim in zip(halves, line.claims, strict=True):
            dropped = self._is_claimed(channel, line.k, half.leaf.position, claim)
            found[line.k, half.record.prid] = FoundRecord(half.record.rc, half.late, dropped)
        return found

    def _is_claimed(self, channel: int, k: int, position: int, claim: ProvenEntry) -> bool:
        """Step 1: whether the record of a leaf's position was proved to have been dropped."""
        return self._entry(aggregation.CLAIMED, claim, self._proof.region, channel, k, position) is not None

    def _prove_absence(
        self, channel: int, state: SlotState, lates: Mapping[int, LateState | None], absence: ProvenAbsence
    ) -> dict[tuple[int, bytes], LeafFacts]:
        """Steps 1, 3 and 4 for a slot without a line."""
        k, late = absence.k, lates.get(absence.k)
        if k not in lates or not len(absence.leaves) == len(absence.proofs) == len(absence.claims):
            raise UnprovenBillError(detail=f"nothing is proved of the leaves of {k}")
        values: dict[bytes, int] = {}
        for half in absence.halves:
            _prove_half(state, late, half)
            values[roster_leaf(half.record.prid)] = half.record.rc
        found: dict[tuple[int, bytes], LeafFacts] = {}
        for leaf, place, claim in zip(absence.leaves, absence.proofs, absence.claims, strict=True):
            merkle.verify_inclusion(state.root, state.count, place.position, leaf, place.path)
            dropped = self._is_claimed(channel, k, place.position, claim)
            filled = is_marked(state.filled, place.position) or (
                late is not None and is_marked(late.filled, place.position)
            )
            found[k, leaf] = LeafFacts(filled, dropped, values.get(leaf))
        return found

    def _prove_lates(self, channel: ProvenChannel) -> dict[int, LateState | None]:
        place = self._proof.region, channel.channel
        return {each.k: self._entry(aggregation.LATE, each.entry, *place, each.k) for each in channel.lates}

    # --- what `Evidence` asks ----------------------------------------------------------------------------------------

    @property
    def chain_id(self) -> str:
        """Of the ledger."""
        return self._proof.chain_id

    def bounds(self) -> MonthBounds | None:
        """The month as it was opened, once it is closed; None before, or where there is none."""
        if self._month is None or self._region is None or not self._month.closed:
            return None
        month = MonthId(self._proof.month)
        return MonthBounds(month, self._month.start_s, self._month.end_s, self._region.period_s)

    def meter(self, handle: bytes) -> Meter | None:
        """The meter under a handle, or None."""
        return self._meter if handle == self._handle else None

    def tariffs(self) -> tuple[TariffStep, ...]:
        """The tariffs in force in the month; none where it has no prices."""
        return self._tariffs

    def prices(self, channel: Direction) -> tuple[SlotPrice, ...]:
        """The prices of all slots of the month."""
        return self._channels[channel].prices if channel in self._channels else ()

    def bill(self, bid: bytes, version: int) -> Bill | None:
        """A registered bill, or None."""
        return self._bill if (bid, version) == self._place else None

    def slot(self, channel: Direction, k: int) -> SlotFacts:
        """What is known of a slot."""
        bounds = self.bounds()
        if channel not in self._channels or bounds is None or not bounds.contains(k):
            return facts_of(None)
        return facts_of(self._channels[channel].states[bounds.leaf_index(k)])

    def find_record(self, channel: Direction, k: int, prid: bytes) -> FoundRecord | None:
        """The record of an identity in a slot or its side batch, or None."""
        return self._channels[channel].records.get((k, prid)) if channel in self._channels else None

    def find_leaf(self, channel: Direction, k: int, leaf: bytes) -> LeafFacts | None:
        """What is known of a leaf of a slot's roster; None where the file does not prove it."""
        return self._channels[channel].leaves.get((k, leaf)) if channel in self._channels else None

    def is_provider_key(self, key: bytes) -> bool:
        """Whether a transaction key is or was a bill provider's."""
        return bool(key) and key == self._card_key


def _prove_half(state: SlotState, late: LateState | None, half: ProvenHalf) -> None:
    """Steps 3 and 4: a record stands in a batch of its slot, or of its side batch; its leaf stands in the roster."""
    batches = (late.batches if late else ()) if half.late else state.batches
    if not 0 <= half.batch < len(batches):
        raise UnprovenBillError(detail=f"the slot has no batch {half.batch}")
    note = batches[half.batch]
    merkle.verify_inclusion(note.root, note.fresh, half.index, encode(half.record), half.path)
    leaf = roster_leaf(half.record.prid)
    merkle.verify_inclusion(state.root, state.count, half.leaf.position, leaf, half.leaf.path)
