"""A household's proof file: its own records as they stand on the ledger, checkable offline.

The file is JSON, so that a person can look into it; byte strings are hex. It holds the records, what ties each to its
slot, and what ties the slot to the app hash; it holds no secret, and without the household's view secret it tells no
reading. Whoever has it knows which records belong together, so it is written for its owner only.

The checker's steps, for each slot:
    1. the slot's state is a leaf of the tree behind the app hash, by itself or through its closed month's fold;
    2. each record is signed by its identity for this chain and this slot;
    3. each record stands in one of the slot's batches, under the root that the slot's state keeps of it, and its
       identity at its position of the slot's roster;
    4. both records are the halves that the household's view secret gives, and they add up to the reading;
    5. the live set, once it is fixed, tells by the positions whether the pair counts.
Whoever trusts the app hash then knows that these very readings are in this slot's total, or were left out of it.

Source: architecture.md, State ("later proofs take two steps"); private-metering.md, row 17.
"""

import json
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from gridproof.connectors.files import PRIVATE_FILE, FileMissingError, FileUnreadableError, write_whole
from gridproof.domain import MAX_READING_WH, Direction, MonthBounds, MonthId, RegionId, Slot, metering
from gridproof.errors import GridproofError
from gridproof.modules.aggregation.types import FOLDS, SLOTS, BatchNote, FoldedSlot, SlotRecord, SlotState, Status
from gridproof.primitives import merkle, schnorr
from gridproof.primitives.encoding import Codec, encode
from gridproof.state import smt

from .enrolment import HouseholdFile
from .errors import ProofFileError

FORMAT: Final = "gridproof/records"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 256 * 2**20

Hex = Annotated[str, Meta(pattern=r"^([0-9a-f]{2})*$")]
_STATE: Final = Codec(SlotState)
_FOLDED: Final = Codec(FoldedSlot)
_PROOF: Final[Codec[smt.Presence]] = Codec(smt.Presence)


class ProofPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file: its fields are its keys in JSON."""


class ProvenRecord(ProofPart, frozen=True):
    """A record and its place in a batch.

    Attributes:
        prid: one-time identity, 32 bytes.
        rc: masked half as text, for JSON's numbers end at 2**53.
        signature: 64 bytes.
        batch: index of the batch among the slot's.
        index: of the record among those that the batch added.
        path: RFC 6962 inclusion proof under the batch's root.
        position: of its identity's leaf in the slot's roster.
        leaf_path: RFC 6962 inclusion proof of that leaf under the roster's root.
    """

    prid: Hex
    rc: Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,19})$")]
    signature: Hex
    batch: int
    index: int
    path: list[Hex]
    position: int
    leaf_path: list[Hex]


class ProvenState(ProofPart, frozen=True):
    """What ties a slot's state to the app hash.

    Attributes:
        value: the slot's encoded state; in a closed month the encoded slot of its fold.
        fold: the encoded fold of the closed month, or empty.
        fold_path: RFC 6962 inclusion proof of `value` under the fold's root, or empty.
        proof: proof that the state's leaf, or the fold's, is in the tree.
    """

    value: Hex
    fold: Hex
    fold_path: list[Hex]
    proof: Hex


class ProvenSlot(ProofPart, frozen=True):
    """A period of the household: both halves and the slot that they were counted under."""

    channel: Literal["import", "export"]
    k: int
    month: int
    month_start_s: int
    month_end_s: int
    state: ProvenState
    first: ProvenRecord
    second: ProvenRecord


class ProofFile(ProofPart, frozen=True):
    """The file.

    Attributes:
        format: `gridproof/records`.
        version: 1.
        chain_id: name of the chain.
        height: of the ledger when the file was made.
        app_hash: root of the state's tree at that height, 32 bytes: the one thing that is taken on trust.
        region: number of the region.
        period_s: length of a period in seconds.
        slots: in the order of channel and period.
    """

    format: Literal["gridproof/records"]
    version: Literal[1]
    chain_id: str
    height: int
    app_hash: Hex
    region: int
    period_s: int
    slots: list[ProvenSlot]


class ProvenReading(NamedTuple):
    """What a slot of the file says once it is checked.

    Attributes:
        slot: region, channel and period.
        energy_wh: the reading.
        status: how far the slot has come.
        counted: whether it is in the slot's live set, and so in its total; None while that is not fixed, or where there
            will be none.
    """

    slot: Slot
    energy_wh: int
    status: Status
    counted: bool | None


class Verdict(NamedTuple):
    """The outcome of a check: the readings that hold, and every falsehood in a line."""

    readings: list[ProvenReading]
    falsehoods: list[str]


def write_proof_file(path: Path, file: ProofFile) -> None:
    """Write a proof file, for its owner only: it tells which records are one household's.

    Raises:
        FileError: it cannot be written, or stands there already.
    """
    formatted = json.dumps(msgspec.to_builtins(file), indent=1).encode()
    write_whole(path, formatted + b"\n", PRIVATE_FILE, replace=False)


def read_proof_file(path: Path) -> ProofFile:
    """Read a proof file.

    Raises:
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses.
        ProofFileError: it is none, of another version, or too large.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ProofFileError(detail=f"it is larger than {MAX_FILE_BYTES} bytes")
        return msgspec.json.decode(path.read_bytes(), type=ProofFile, strict=True)
    except FileNotFoundError as missing:
        raise FileMissingError(path=str(path)) from missing
    except OSError as failure:
        raise FileUnreadableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise ProofFileError(detail=str(wrong)) from wrong


def verify_proof_file(file: ProofFile, household: HouseholdFile, trusted_app_hash: bytes | None = None) -> Verdict:
    """Check a proof file offline, by the steps of this module's docstring.

    Args:
        file: as read.
        household: the household's view secret.
        trusted_app_hash: 32 bytes that the household has from elsewhere; without it the file's own is taken.

    Returns:
        The readings that hold, and a line for everything that does not.
    """
    falsehoods = []
    if file.chain_id != household.chain_id:
        falsehoods.append(f"the file is of chain {file.chain_id}, the household of {household.chain_id}")
    if file.region != household.region:
        falsehoods.append(f"the file is of region {file.region}, the household of {household.region}")
    if trusted_app_hash is not None and file.app_hash != trusted_app_hash.hex():
        falsehoods.append(f"the app hash is {file.app_hash}, trusted is {trusted_app_hash.hex()}")
    if not file.slots:
        falsehoods.append("the file proves nothing: it holds no slot")
    readings: list[ProvenReading] = []
    seen: list[tuple[str, int]] = []
    for proven in file.slots:
        if (proven.channel, proven.k) in seen:
            falsehoods.append(f"{proven.channel} {proven.k}: it comes twice")
            continue
        seen.append((proven.channel, proven.k))
        try:
            readings.append(_verify_slot(file, household, proven))
        except GridproofError as wrong:
            falsehoods.append(f"{proven.channel} {proven.k}: {wrong}")
    return Verdict(readings, falsehoods)


def _verify_slot(file: ProofFile, household: HouseholdFile, proven: ProvenSlot) -> ProvenReading:
    slot = Slot(RegionId(file.region), Direction.parse(proven.channel), proven.k)
    state = _verify_state(bytes.fromhex(file.app_hash), slot, proven)  # step 1
    halves = []
    for record in (proven.first, proven.second):
        sent = SlotRecord(bytes.fromhex(record.prid), int(record.rc), bytes.fromhex(record.signature))
        schnorr.verify(  # step 2
            sent.prid, metering.record_hash(file.chain_id, slot, sent.prid, sent.rc), sent.signature
        )
        _verify_in_batch(state.batches, record, sent)  # step 3
        leaf_path = [bytes.fromhex(step) for step in record.leaf_path]
        merkle.verify_inclusion(state.root, state.count, record.position, metering.roster_leaf(sent.prid), leaf_path)
        halves.append(sent.rc)
    if proven.first.prid == proven.second.prid:
        raise ProofFileError(detail="both halves are one record")
    energy_wh = own_reading(household, file.period_s, proven, halves[0], halves[1])  # step 4
    return ProvenReading(slot, energy_wh, Status(state.status), _is_counted(state, proven))  # step 5


def _is_counted(state: SlotState, proven: ProvenSlot) -> bool | None:
    """Step 5: whether the pair is in the live set; None where none is fixed, or none of it is ever told."""
    if not state.live or state.status not in (Status.FIXED, Status.OPENED):
        return None
    return all(metering.is_marked(state.live, each.position) for each in (proven.first, proven.second))


def _verify_state(app_hash: bytes, slot: Slot, proven: ProvenSlot) -> SlotState:
    """Step 1: by the state's own leaf, or in two steps through the fold of a closed month."""
    value, proof = bytes.fromhex(proven.state.value), _PROOF.decode(bytes.fromhex(proven.state.proof))
    if not proven.state.fold:
        smt.verify_presence(app_hash, SLOTS.key(*slot), value, proof)
        return _STATE.decode(value)
    raw = bytes.fromhex(proven.state.fold)
    smt.verify_presence(app_hash, FOLDS.key(slot.region, slot.channel, proven.month), raw, proof)
    fold = FOLDS.decode(raw)
    path = [bytes.fromhex(step) for step in proven.state.fold_path]
    merkle.verify_inclusion(fold.root, fold.slots, slot.k - fold.first_k, value, path)
    folded = _FOLDED.decode(value)
    if folded.k != slot.k:
        raise ProofFileError(detail=f"the fold's slot is {folded.k}")
    return folded.state


def _verify_in_batch(batches: tuple[BatchNote, ...], record: ProvenRecord, sent: SlotRecord) -> None:
    if not 0 <= record.batch < len(batches):
        raise ProofFileError(detail=f"the slot has no batch {record.batch}")
    note = batches[record.batch]
    path = [bytes.fromhex(step) for step in record.path]
    merkle.verify_inclusion(note.root, note.fresh, record.index, encode(sent), path)


def own_reading(household: HouseholdFile, period_s: int, proven: ProvenSlot, first_rc: int, second_rc: int) -> int:
    """Step 4: take the masks off.

    Args:
        household: the view secret.
        period_s: length of a period in seconds.
        proven: names the slot and its month's bounds.
        first_rc: rc'.
        second_rc: rc''.

    Returns:
        The reading in Wh.

    Raises:
        ProofFileError: the halves are not the household's, or do not add up to a reading.
    """
    bounds = MonthBounds(MonthId(proven.month), proven.month_start_s, proven.month_end_s, period_s)
    bounds.validate()
    channel = Direction.parse(proven.channel)
    seeds = metering.view_seeds(household.view_in_month(channel, proven.month), channel)
    first, second = (metering.leaf_at(seed, bounds, proven.k) for seed in seeds)
    if first_rc != metering.halves(0, first, second).first:
        raise ProofFileError(detail="the first half is not the one that the view secret gives")
    energy_wh = metering.reading(metering.Halves(first_rc, second_rc), first, second)
    if energy_wh >= MAX_READING_WH:
        raise ProofFileError(detail="the halves do not add up to a reading")
    return energy_wh
