"""What a proof to take away can state, and how each statement follows from an app hash.

Statements of single entries have a kind, which names the table, and a place, which is the entry's key; so a proof of
one entry can never pass for another's. Where the ledger has nothing at a place, the same statement says so: its value
is empty, and its proof one of absence.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta

from gridproof.actors.bills.proof import BillProof, UnprovenBillError, verify_bill_proof
from gridproof.actors.bills.words import Card
from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.proof_file import ProofFile, verify_proof_file
from gridproof.domain import Direction, MonthId, RegionId, Slot, is_marked, month_label, record_hash, roster_leaf
from gridproof.light import Trusted
from gridproof.modules.aggregation import types as aggregation
from gridproof.modules.aggregation.types import FoldedSlot, SlotRecord, SlotState
from gridproof.modules.billing import types as billing
from gridproof.modules.consensus import types as consensus
from gridproof.modules.pricing import types as pricing
from gridproof.modules.pricing.types import FoldedPrice
from gridproof.modules.registry import types as registry
from gridproof.primitives import merkle, schnorr
from gridproof.primitives.encoding import Codec, encode
from gridproof.state import Map, Record, address_of, smt

from .errors import CardNeededError, HouseholdNeededError, StatementFalseError, StatementUnknownError

NEED_CARD: Final = frozenset({"leaves", "registers"})  # checks of a bill that cannot hold without its month's card
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Path_ = Annotated[tuple[Hash, ...], Meta(max_length=64)]
Word = Annotated[str, Meta(max_length=32)]

_PROOF: Final[Codec[Any]] = Codec(smt.Presence | smt.Absence)  # type: ignore[arg-type]


class Kind(NamedTuple):
    """A table whose entries can be stated.

    Attributes:
        table: the table.
        parts: what the parts of its key are called.
    """

    table: Map[Any]
    parts: tuple[str, ...]


KINDS: Final[Mapping[str, Kind]] = {
    "price": Kind(pricing.PRICES, ("region", "channel", "k")),
    "total": Kind(aggregation.SLOTS, ("region", "channel", "k")),
    "bill": Kind(billing.BILLS, ("region", "month", "bid", "version")),
    "participant": Kind(registry.PARTICIPANTS, ("participant",)),
    "key": Kind(registry.KEY_USES, ("key",)),
    "member": Kind(consensus.MEMBERS, ("participant",)),
    "meter": Kind(registry.METERS, ("meter",)),
    "region": Kind(registry.REGIONS, ("region",)),
    "month": Kind(registry.MONTHS, ("region", "month")),
    "tariff": Kind(pricing.TARIFFS, ("region", "month", "from_k")),
    "claim": Kind(aggregation.CLAIMED, ("region", "channel", "k", "position")),
    "side-batch": Kind(aggregation.LATE, ("region", "channel", "k")),
}
"""Single entries, by the word that people use."""


class Fold(NamedTuple):
    """A table of a closed month's folds, and what was folded."""

    table: Map[Any]
    leaf: Codec[Any]


FOLDS: Final[Mapping[str, Fold]] = {
    "price": Fold(pricing.FOLDS, Codec(FoldedPrice)),
    "total": Fold(aggregation.FOLDS, Codec(FoldedSlot)),
}
"""What of a closed month is proven through its fold."""


class Ground(NamedTuple):
    """What statements are held against.

    Attributes:
        trusted: the header whose app hash proves them, with its validators.
        household: the household's view secret, where it is at hand.
        card: the card of the bill's month, likewise.
    """

    trusted: Trusted
    household: HouseholdFile | None = None
    card: Card | None = None

    @property
    def app_hash(self) -> bytes:
        """Root of the state."""
        return self.trusted.header.app_hash

    @property
    def chain_id(self) -> str:
        """Of the chain."""
        return self.trusted.header.chain_id

    @property
    def height(self) -> int:
        """Of the state: a block's header tells the state before it."""
        return self.trusted.header.height - 1


class Shown(NamedTuple):
    """What a statement says, once it is proven.

    Attributes:
        kind: the word for it.
        about: which one.
        found: what the ledger has; None where it is proven to have nothing.
    """

    kind: str
    about: Mapping[str, Any]
    found: Any


class Statement(Record, frozen=True):
    """Something that follows from a header."""

    @property
    def claims(self) -> str:
        """The word for what it states, unproven."""
        raise NotImplementedError

    def verify(self, ground: Ground) -> Shown:
        """Show what is stated, if it follows from the ground.

        Raises:
            GridproofError: it does not; the class says why.
        """
        raise NotImplementedError


class Entry(Statement, frozen=True, tag=1):
    """An entry of the state, or that there is none.

    Attributes:
        kind: of `KINDS`.
        place: the parts of its key.
        value: as it is stored; empty where there is none.
        proof: of presence or absence, encoded.
    """

    kind: Word
    place: Annotated[tuple[int | bytes, ...], Meta(max_length=8)]
    value: bytes
    proof: bytes

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return self.kind if self.value else f"absence of {self.kind}"

    def verify(self, ground: Ground) -> Shown:
        """Show the entry (`Statement.verify`).

        Raises:
            StatementUnknownError: there is no such kind, or the place has not its parts.
        """
        kind = KINDS.get(self.kind)
        if kind is None or len(kind.parts) != len(self.place):
            raise StatementUnknownError(kind=self.kind)
        found = prove_entry(ground.app_hash, kind.table, self.place, self.value, self.proof)
        return Shown(self.kind, dict(zip(kind.parts, self.place, strict=True)), found)


class Folded(Statement, frozen=True, tag=2):
    """A slot's entry of a closed month, in two steps: the month's fold, and the slot in it.

    Attributes:
        kind: of `FOLDS`.
        region: the region.
        channel: import or export.
        month: the closed month.
        k: the period.
        fold: the month's fold as it is stored.
        proof: of its presence, encoded.
        value: the slot as it was folded.
        path: RFC 6962 inclusion proof of it.
    """

    kind: Word
    region: int
    channel: int
    month: int
    k: int
    fold: bytes
    proof: bytes
    value: bytes
    path: Path_

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return self.kind

    def verify(self, ground: Ground) -> Shown:
        """Show the slot's entry (`Statement.verify`).

        Raises:
            StatementUnknownError: nothing of this kind is folded.
            StatementFalseError: the entry is another period's.
        """
        kind = FOLDS.get(self.kind)
        if kind is None or not self.fold:
            raise StatementUnknownError(kind=self.kind)
        place = (self.region, self.channel, self.month)
        fold = prove_entry(ground.app_hash, kind.table, place, self.fold, self.proof)
        merkle.verify_inclusion(fold.root, fold.slots, self.k - fold.first_k, self.value, self.path)
        leaf = kind.leaf.decode(self.value)
        if leaf.k != self.k:
            raise StatementFalseError(kind=self.kind, detail=f"the entry is that of period {leaf.k}")
        about = {"region": self.region, "channel": self.channel, "k": self.k, "month": self.month}
        return Shown(self.kind, about, leaf.state if isinstance(leaf, FoldedSlot) else leaf)


class InBatch(Statement, frozen=True, tag=3):
    """A record stands in a batch of its slot. It tells no reading: that takes the household's secret.

    Attributes:
        slot: the slot's entry, of the kind `total`.
        record: the record.
        batch: index of the batch among the slot's.
        index: of the record among those that the batch added.
        path: RFC 6962 inclusion proof under the batch's root.
        position: of its identity's leaf in the slot's roster.
        leaf_path: RFC 6962 inclusion proof of that leaf.
    """

    slot: Entry | Folded
    record: SlotRecord
    batch: int
    index: int
    path: Path_
    position: int
    leaf_path: Path_

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return "record"

    def verify(self, ground: Ground) -> Shown:
        """Show the record's place, and whether it counts (`Statement.verify`).

        Raises:
            StatementFalseError: the entry is no slot's, or has no such batch.
        """
        shown = self.slot.verify(ground)
        state = shown.found
        if shown.kind != "total" or not isinstance(state, SlotState) or not 0 <= self.batch < len(state.batches):
            raise StatementFalseError(kind="record", detail=f"the slot has no batch {self.batch}")
        place = Slot(RegionId(shown.about["region"]), Direction(shown.about["channel"]), shown.about["k"])
        signed = record_hash(ground.chain_id, place, self.record.prid, self.record.rc)
        schnorr.verify(self.record.prid, signed, self.record.signature)
        note = state.batches[self.batch]
        merkle.verify_inclusion(note.root, note.fresh, self.index, encode(self.record), self.path)
        leaf = roster_leaf(self.record.prid)
        merkle.verify_inclusion(state.root, state.count, self.position, leaf, self.leaf_path)
        about = {**shown.about, "prid": self.record.prid}
        counted = is_marked(state.live, self.position) if state.live else None
        found = {"batch": self.batch, "aggregator": note.aggregator, "status": state.status, "counted": counted}
        return Shown("record", about, found)


class IsValidator(Statement, frozen=True, tag=4):
    """Somebody is one of the validators who decided on the block.

    Attributes:
        address: the validator's.
    """

    address: Annotated[bytes, Meta(min_length=20, max_length=20)]

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return "validator"

    def verify(self, ground: Ground) -> Shown:
        """Show its key and power (`Statement.verify`).

        Raises:
            StatementFalseError: it is none of them.
        """
        total = sum(each.power for each in ground.trusted.validators)
        for each in ground.trusted.validators:
            if address_of(each.key) == self.address:
                return Shown("validator", {"address": self.address}, {**_fields(each), "total_power": total})
        raise StatementFalseError(kind="validator", detail="it is none of the block's validators")


class OwnRecords(Statement, frozen=True, tag=5):
    """A household's own records, with what proves the months and the region that they are read by.

    Attributes:
        file: as `gridproof export records` makes it.
        region: the region's entry.
        months: the entries of the months that the records lie in, ascending.
    """

    file: ProofFile
    region: Entry
    months: Annotated[tuple[Entry, ...], Meta(max_length=1_200)]

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return "records"

    def verify(self, ground: Ground) -> Shown:
        """Show the readings (`Statement.verify`).

        Raises:
            HouseholdNeededError: the household's view secret is not at hand.
            StatementFalseError: a record is not proven.
        """
        if ground.household is None:
            raise HouseholdNeededError(kind="records")
        _require_root(ground, "records", self.file.chain_id, self.file.height)
        self._verify_bounds(ground)
        verdict = verify_proof_file(self.file, ground.household, ground.app_hash)
        if verdict.falsehoods:
            raise StatementFalseError(kind="records", detail="; ".join(verdict.falsehoods[:3]))
        return Shown("records", {"region": self.file.region}, {"readings": verdict.readings})

    def _verify_bounds(self, ground: Ground) -> None:
        """The file's months and period are the ledger's."""
        bounds = {}
        for entry in self.months:
            shown = entry.verify(ground)
            if shown.kind == "month" and shown.found is not None and shown.about["region"] == self.file.region:
                bounds[shown.about["month"]] = (shown.found.start_s, shown.found.end_s)
        region = self.region.verify(ground)
        named = {slot.month: (slot.month_start_s, slot.month_end_s) for slot in self.file.slots}
        told = {slot.month: bounds.get(slot.month) for slot in self.file.slots}
        if any(bounds.get(slot.month) != (slot.month_start_s, slot.month_end_s) for slot in self.file.slots):
            raise StatementFalseError(kind="records", detail=f"months are {named}, the ledger's {told}")
        if (
            region.kind != "region"
            or region.found is None
            or region.about["region"] != self.file.region
            or region.found.period_s != self.file.period_s
        ):
            raise StatementFalseError(kind="records", detail="the region's period is another one")


class OwnBill(Statement, frozen=True, tag=6):
    """A household's bill with all that proves it.

    Attributes:
        file: as `gridproof export bill` makes it.
    """

    file: BillProof

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return "whole-bill"

    def verify(self, ground: Ground) -> Shown:
        """Show what is to be paid (`Statement.verify`).

        Raises:
            HouseholdNeededError: the household's view secret is not at hand.
            CardNeededError: the month's card is not at hand, and all that can be checked without it holds.
            StatementFalseError: the bill does not follow from the ledger.
        """
        if ground.household is None:
            raise HouseholdNeededError(kind="whole-bill")
        _require_root(ground, "whole-bill", self.file.chain_id, self.file.height)
        try:
            proven = verify_bill_proof(self.file, ground.household, ground.card, ground.app_hash)
        except UnprovenBillError as wrong:
            raise StatementFalseError(kind="whole-bill", detail=wrong.detail) from wrong
        false = {finding.check for finding in proven.verdict.findings if not finding.holds}
        if ground.card is None and false and false <= NEED_CARD:
            raise CardNeededError(month=month_label(MonthId(self.file.month)))
        if false:
            raise StatementFalseError(kind="whole-bill", detail="; ".join(proven.verdict.falsehoods[:3]))
        about = {"region": self.file.region, "month": self.file.month, "version": self.file.version}
        return Shown(
            "whole-bill",
            about,
            {
                "household": proven.report.household,
                "payable_e9": proven.report.payable_e9,
                "currency": proven.report.currency,
            },
        )


class StateRoot(Statement, frozen=True, tag=7):
    """Nothing but the app hash itself, for `verify record` and `verify bill`, which take one."""

    @property
    def claims(self) -> str:
        """The word for what it states (`Statement.claims`)."""
        return "app-hash"

    def verify(self, ground: Ground) -> Shown:
        """Show the app hash (`Statement.verify`)."""
        return Shown("app-hash", {"height": ground.height}, {"app_hash": ground.app_hash})


AnyStatement = Entry | Folded | InBatch | IsValidator | OwnRecords | OwnBill | StateRoot


def prove_entry(app_hash: bytes, table: Map[Any], place: tuple[Any, ...], value: bytes, proof: bytes) -> Any:
    """An entry of the state, or None where it is proven that there is none.

    Args:
        app_hash: root of the state.
        table: the entry's table.
        place: all parts of its key.
        value: as it is stored; empty where there is none.
        proof: of presence or absence, encoded.

    Raises:
        PrimitiveError: the proof is false or malformed.
        StateError: the place does not fit the table.
    """
    name, found = table.key(*place), _PROOF.decode(proof)
    if not value:
        smt.verify_absence(app_hash, name, found)
        return None
    smt.verify_presence(app_hash, name, value, found)
    return table.decode(value)


def _require_root(ground: Ground, kind: str, chain_id: str, height: int) -> None:
    if (chain_id, height) != (ground.chain_id, ground.height):
        detail = f"it is of {chain_id} at {height}, the header proves {ground.chain_id} at {ground.height}"
        raise StatementFalseError(kind=kind, detail=detail)


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def plain(value: Any) -> Any:
    """A shown value as JSON has it: records as objects, bytes as hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Record):
        return {name: plain(each) for name, each in _fields(value).items()}
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value


__all__ = [
    "FOLDS",
    "KINDS",
    "AnyStatement",
    "Entry",
    "Folded",
    "Ground",
    "InBatch",
    "IsValidator",
    "OwnBill",
    "OwnRecords",
    "Shown",
    "StateRoot",
    "Statement",
    "plain",
    "prove_entry",
]
