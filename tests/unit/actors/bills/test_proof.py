"""A bill's proof file: offline it says what the ledger says, and nothing else can be made of it."""

import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.bills import proof as proof_module
from gridproof.actors.bills.proof import (
    MAGIC,
    BillProof,
    OtherAppHashError,
    ProofEvidence,
    ProvenChannel,
    ProvenEntry,
    UnprovenBillError,
    is_bill_proof,
    read_bill_proof,
    verify_bill_proof,
    write_bill_proof,
)
from gridproof.actors.bills.proving import BillProver
from gridproof.actors.bills.report import Report, ReportFormatError
from gridproof.actors.bills.verifying import verify_report
from gridproof.actors.errors import LedgerMovedError, MonthErasedError, ProofFileError, RecordUnknownError
from gridproof.actors.household import public_leaves
from gridproof.connectors.files import FileExistsAlreadyError, FileMissingError
from gridproof.domain import Direction
from gridproof.modules.aggregation import types as aggregation
from gridproof.modules.pricing import types as pricing
from gridproof.primitives import merkle
from gridproof.primitives.encoding import encode

from tests.simulation.billed import BilledVillage
from tests.simulation.falsehoods import (
    ANN,
    BEA,
    DROPPED,
    EXCLUDED,
    EXCUSED,
    LATE,
    LINE,
    OTHERS,
    SILENT,
    VOID,
    eventful,
    in_absence,
    in_line,
)
from tests.simulation.village import OCTOBER, REGION


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledVillage]:
    village = eventful(tmp_path_factory.mktemp("village"))
    yield village
    village.close()


@pytest.fixture(scope="module")
def proof(village: BilledVillage) -> BillProof:
    return proven(village, ANN)


def proven(village: BilledVillage, name: str) -> BillProof:
    reader = village.reader(name)
    prover = BillProver(village.client, public_leaves(village.client, village.shelf.rosters))
    return prover.prove(reader.open(OCTOBER), OCTOBER, reader.card(OCTOBER))


def checked(village: BilledVillage, proof: BillProof, name: str = ANN, trusted: bytes | None = None) -> list[str]:
    """What a household finds to be false, offline."""
    verdict = verify_bill_proof(proof, village.file(name), village.reader(name).card(OCTOBER), trusted).verdict
    return verdict.falsehoods


def test_offline_a_true_bill_holds_as_it_does_on_the_ledger(village: BilledVillage) -> None:
    trusted = village.client.status().app_hash
    for name in (ANN, BEA, *OTHERS):
        reader = village.reader(name)
        offline = verify_bill_proof(proven(village, name), village.file(name), reader.card(OCTOBER), trusted)
        opened = reader.open(OCTOBER)
        assert offline.report == opened.report
        assert offline.verdict == reader.verify(opened, OCTOBER)
        assert offline.verdict.is_true


def _line(n: int, **changed: Any) -> Callable[[Report], Report]:
    return in_line(n, lambda line, _channel: replace(line, **changed))


def _falsehoods() -> dict[str, Callable[[Report], Report]]:
    return {
        "energy": _line(LINE, energy_wh=1),
        "price": _line(LINE, price_e5=1),
        "late called metered": _line(LATE, late=False),
        "metered called late": _line(LINE, late=True),
        "dropped called late": _line(EXCUSED, late=True),
        "silent called dropped": in_absence(SILENT, why="dropped"),
        "dropped called silent": in_absence(DROPPED, why="silent"),
        "excluded called silent": in_absence(EXCLUDED, why="silent"),
        "void called silent": in_absence(VOID, why="silent"),
        "sum": lambda report: replace(report, total_e9=report.total_e9 - 1),
    }


@pytest.mark.parametrize("name", _falsehoods())
def test_offline_the_same_checks_find_the_same_falsehoods(village: BilledVillage, proof: BillProof, name: str) -> None:
    false = _falsehoods()[name](village.open(ANN).report)
    card, file = village.reader(ANN).card(OCTOBER), village.file(ANN)
    assert card is not None
    offline = verify_report(false, file, ProofEvidence(proof, file.meter, bytes.fromhex(false.bid), card.key), card)
    opened = village.open(ANN)
    online = village.reader(ANN).verify(opened._replace(report=false), OCTOBER)
    assert offline.findings == online.findings
    assert not offline.is_true


def _channel(proof: BillProof, **changed: Any) -> BillProof:
    (channel,) = proof.channels
    return replace(proof, channels=(replace(channel, **changed),))


def _first(proof: BillProof) -> ProvenChannel:
    return proof.channels[0]


FORGERIES: dict[str, Callable[[BillProof], BillProof]] = {
    "another app hash": lambda proof: replace(proof, app_hash=bytes(32)),
    "another region": lambda proof: replace(proof, region=2),
    "a version that is not registered": lambda proof: replace(proof, version=2),
    "no bill": lambda proof: replace(proof, bill=ProvenEntry(b"", proof.bill.proof)),
    "no month": lambda proof: replace(proof, month_entry=ProvenEntry(b"", proof.month_entry.proof)),
    "a tariff left out": lambda proof: replace(proof, tariffs=()),
    "no tariffs at all": lambda proof: replace(proof, tariffs=(), steps=ProvenEntry(b"", proof.steps.proof)),
    "a slot left out": lambda proof: _channel(proof, slots=_first(proof).slots[:-1]),
    "two slots changed places": lambda proof: _channel(proof, slots=_first(proof).slots[::-1]),
    "a price left out": lambda proof: _channel(proof, prices=_first(proof).prices[1:]),
    "a price changed": lambda proof: _channel(
        proof, prices=(replace(_first(proof).prices[0], price_e5=1), *_first(proof).prices[1:])
    ),
    "a record changed": lambda proof: _channel(proof, lines=(_other_record(proof), *_first(proof).lines[1:])),
    "a late record called timely": lambda proof: _channel(
        proof,
        lines=tuple(
            replace(line, first=replace(line.first, late=False), second=replace(line.second, late=False))
            for line in _first(proof).lines
        ),
    ),
    "a batch that is not there": lambda proof: _channel(
        proof,
        lines=tuple(replace(line, first=replace(line.first, batch=99)) for line in _first(proof).lines),
    ),
    "a leaf's place moved": lambda proof: _channel(
        proof,
        absences=tuple(
            replace(each, proofs=tuple(replace(place, position=place.position ^ 1) for place in each.proofs))
            for each in _first(proof).absences
        ),
    ),
    "a claim left out": lambda proof: _channel(
        proof, absences=tuple(replace(each, claims=()) for each in _first(proof).absences)
    ),
    "a late line's claims left out": lambda proof: _channel(
        proof, lines=tuple(replace(each, claims=()) for each in _first(proof).lines)
    ),
    "a late line's claim denied": lambda proof: _channel(
        proof,
        lines=tuple(
            replace(each, claims=tuple(ProvenEntry(b"", claim.proof) for claim in each.claims))
            for each in _first(proof).lines
        ),
    ),
    "side batches left out": lambda proof: _channel(proof, lates=()),
    "a side batch denied": lambda proof: _channel(
        proof,
        lates=tuple(replace(late, entry=ProvenEntry(b"", late.entry.proof)) for late in _first(proof).lates),
    ),
}


def _other_record(proof: BillProof) -> Any:
    line = _first(proof).lines[0]
    record = replace(line.first.record, rc=line.first.record.rc ^ 1)
    return replace(line, first=replace(line.first, record=record))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_file_proves_nothing(village: BilledVillage, proof: BillProof, name: str) -> None:
    with pytest.raises((UnprovenBillError, ReportFormatError)):
        checked(village, FORGERIES[name](proof))


def test_without_the_excluded_records_nobody_can_tell_that_they_cannot_be_true(
    village: BilledVillage, proof: BillProof
) -> None:
    hidden = _channel(proof, absences=tuple(replace(each, halves=()) for each in _first(proof).absences))
    assert [falsehood.split(": ")[0] for falsehood in checked(village, hidden)] == ["absences"]


def test_any_changed_byte_is_refused_or_found(village: BilledVillage, proof: BillProof, tmp_path: Path) -> None:
    """But for the height, which says only when the file was made."""
    chance, raw = Random(5), encode(proof)
    plain = encode(replace(proof, height=proof.height + 1))
    height_at = next(at for at, (ours, other) in enumerate(zip(raw, plain, strict=True)) if ours != other)
    for number in range(150):
        at = chance.randrange(len(raw))
        if at == height_at:
            continue
        changed = raw[:at] + bytes((raw[at] ^ (1 << chance.randrange(8)),)) + raw[at + 1 :]
        path = tmp_path / f"{number}.proof"
        path.write_bytes(MAGIC + zlib.compress(changed, 1))
        try:
            falsehoods = checked(village, read_bill_proof(path))
        except (ProofFileError, UnprovenBillError, ReportFormatError, MonthErasedError):
            continue
        assert falsehoods, f"byte {at} was changed and nobody noticed"


def test_the_weakened_checker_takes_what_ours_refuses(
    village: BilledVillage, proof: BillProof, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the roots of the folds, made-up prices pass for the ledger's."""
    forged = FORGERIES["a price changed"](proof)
    with pytest.raises(UnprovenBillError):
        checked(village, forged)
    true_roots = iter([_fold_root(proof, "slots"), _fold_root(proof, "prices")])
    monkeypatch.setattr(merkle, "root", lambda _leaves: next(true_roots))
    file, card = village.file(ANN), village.reader(ANN).card(OCTOBER)
    assert card is not None
    evidence = ProofEvidence(forged, file.meter, bytes.fromhex(village.open(ANN).report.bid), card.key)
    assert evidence.prices(Direction.IMPORT)[0].price_e5 == 1


def _fold_root(proof: BillProof, what: str) -> bytes:
    channel = _first(proof)
    if what == "slots":
        return aggregation.FOLDS.decode(channel.fold.value).root
    return pricing.FOLDS.decode(channel.price_fold.value).root


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_was_written_and_never_over_another(proof: BillProof, tmp_path: Path) -> None:
    path = tmp_path / "bill.proof"
    write_bill_proof(path, proof)
    assert read_bill_proof(path) == proof
    assert is_bill_proof(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(FileExistsAlreadyError):
        write_bill_proof(path, proof)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", MAGIC, MAGIC + b"no zlib", MAGIC + zlib.compress(b"no proof"), MAGIC + zlib.compress(b"\x90")],
)
def test_what_is_no_proof_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ProofFileError):
        read_bill_proof(path)


def test_a_file_cut_short_or_with_more_behind_it_is_refused(proof: BillProof, tmp_path: Path) -> None:
    path = tmp_path / "bill.proof"
    write_bill_proof(path, proof)
    raw = path.read_bytes()
    for changed in (raw[:-10], raw + b"more"):
        path.write_bytes(changed)
        with pytest.raises(ProofFileError):
            read_bill_proof(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_module, "MAX_PROOF_BYTES", 1_000)
    path = tmp_path / "bomb"
    path.write_bytes(MAGIC + zlib.compress(bytes(10_000)))
    with pytest.raises(ProofFileError):
        read_bill_proof(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert not is_bill_proof(tmp_path / "none")
    with pytest.raises(FileMissingError):
        read_bill_proof(tmp_path / "none")


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_another_households_file_opens_nothing(village: BilledVillage, proof: BillProof) -> None:
    with pytest.raises(ReportFormatError):
        checked(village, proof, OTHERS[0])


def test_an_app_hash_from_elsewhere_is_held_against_the_file(village: BilledVillage, proof: BillProof) -> None:
    assert checked(village, proof, trusted=proof.app_hash) == []
    with pytest.raises(OtherAppHashError, match=rf"at the file's `height`, .*height={proof.height}, ") as told:
        checked(village, proof, trusted=bytes(32))
    assert told.value.particulars == {"height": proof.height, "file": proof.app_hash.hex(), "given": "00" * 32}


def test_without_a_card_leaves_and_registers_do_not_hold(village: BilledVillage, proof: BillProof) -> None:
    verdict = verify_bill_proof(proof, village.file(ANN), None).verdict
    assert {finding.check for finding in verdict.findings if not finding.holds} == {"leaves", "registers"}


def test_a_card_whose_key_the_file_does_not_prove_does_not_hold(village: BilledVillage, proof: BillProof) -> None:
    unkeyed = replace(proof, key=())
    assert {falsehood.split(":")[0] for falsehood in checked(village, unkeyed)} == {"leaves"}


def test_a_ledger_that_moves_on_is_asked_again(village: BilledVillage, monkeypatch: pytest.MonkeyPatch) -> None:
    prover = BillProver(village.client, public_leaves(village.client, village.shelf.rosters))
    status, heights = village.client.status(), iter(range(1_000))
    monkeypatch.setattr(village.client, "status", lambda: replace(status, height=next(heights)))
    with pytest.raises(LedgerMovedError):
        prover.prove(village.open(ANN), OCTOBER, None)


def test_a_record_that_the_ledger_does_not_have_cannot_be_proved(village: BilledVillage) -> None:
    opened = village.open(ANN)
    false = _line(LINE, prids=("11" * 32, "22" * 32))(opened.report)
    prover = BillProver(village.client, public_leaves(village.client, village.shelf.rosters))
    with pytest.raises(RecordUnknownError):
        prover.prove(opened._replace(report=false), OCTOBER, None)
    assert opened.report.region == REGION
