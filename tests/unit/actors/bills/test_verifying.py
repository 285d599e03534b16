"""A household's own check: each falsehood is found, by the check that is for it, and a true bill passes."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.evidence import LedgerEvidence
from gridproof.actors.bills.report import Report, ReportAbsence, ReportChannel, ReportLine
from gridproof.actors.bills.verifying import CHECKS, NoMonthError, verify_report
from gridproof.actors.bills.words import Card
from gridproof.actors.errors import MonthErasedError
from gridproof.actors.household import public_leaves
from gridproof.domain import Direction, MonthId, RegisterSpan, register_hash, register_key, roster_leaf
from gridproof.primitives.schnorr import Signer

from tests.simulation.billed import A_MONTH, BilledVillage
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
    Falsify,
    absence_of,
    eventful,
    in_absence,
    in_channel,
    in_line,
    line_of,
)
from tests.simulation.village import CHAIN, NOVEMBER, OCTOBER, REGION, START_S, slot

SECOND: Final = 6  # another period that has a line


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledVillage]:
    village = eventful(tmp_path_factory.mktemp("village"))
    yield village
    village.close()


def failing(
    village: BilledVillage, report: Report, name: str = ANN, card: Card | None = None, *, has_card: bool = True
) -> set[str]:
    """The checks in which a household finds something false."""
    reader = village.reader(name)
    opened = reader.open(OCTOBER)
    held = (card or reader.card(OCTOBER)) if has_card else None
    evidence = _evidence(village)
    verdict = verify_report(report, village.file(name), evidence, held)
    assert [finding.check for finding in verdict.findings] == list(CHECKS)
    assert verdict.is_true == (not verdict.falsehoods)
    if report == opened.report and card is None and has_card:
        assert verdict == reader.verify(opened, OCTOBER)
    return {finding.check for finding in verdict.findings if not finding.holds}


def _evidence(village: BilledVillage, month: MonthId = OCTOBER) -> LedgerEvidence:
    leaves_of = public_leaves(village.client, village.shelf.rosters)
    return LedgerEvidence(village.client, CHAIN, REGION, month, leaves_of)


def test_a_true_bill_passes_every_check(village: BilledVillage) -> None:
    for name in (ANN, BEA, *OTHERS):
        assert failing(village, village.open(name).report, name) == set()


def test_the_month_has_all_that_can_happen(village: BilledVillage) -> None:
    report = village.open(ANN).report
    (channel,) = report.channels
    assert [line.k - slot(0).k for line in channel.lines] == [LINE, LATE, EXCUSED, 7]
    assert [(absence.k - slot(0).k, absence.why) for absence in channel.absences] == [
        (SILENT, "silent"),
        (DROPPED, "dropped"),
        (EXCLUDED, "excluded"),
        (VOID, "void"),
    ]
    assert line_of(report, LATE).late
    assert not line_of(report, EXCUSED).late
    assert channel.register is not None
    assert channel.register.reconciled_wh > 0
    assert len({line.price_e5 for line in channel.lines}) > 1
    assert all(channel.leaf_proof for channel in village.open(BEA).report.channels)


# --- lines -----------------------------------------------------------------------------------------------------------


def _to(n: int = LINE, **changed: Any) -> Falsify:
    return in_line(n, lambda line, _channel: replace(line, **changed))


def _by(change: Callable[[ReportLine], dict[str, Any]], n: int = LINE) -> Falsify:
    return in_line(n, lambda line, _channel: replace(line, **change(line)))


def _price_of_another(line: ReportLine, channel: ReportChannel) -> ReportLine:
    (other,) = [each for each in channel.lines if each.k == slot(7).k]
    assert other.price_e5 != line.price_e5
    return replace(line, price_e5=other.price_e5, amount_e9=line.energy_wh * other.price_e5 * 10)


def _prids_of_another_slot(line: ReportLine, channel: ReportChannel) -> ReportLine:
    (other,) = [each for each in channel.lines if each.k == slot(SECOND).k]
    return replace(line, prids=other.prids)


LINES: Final[dict[str, tuple[Falsify, set[str]]]] = {
    "k": (_by(lambda line: {"k": line.k + 1}), {"period", "records", "prices", "leaves", "arithmetic"}),
    "k of another month": (
        _by(lambda line: {"k": line.k + A_MONTH}),
        {"period", "records", "leaves", "arithmetic"},
    ),
    "start_s": (_by(lambda line: {"start_s": line.start_s + 1}), {"period"}),
    "energy_wh": (_by(lambda line: {"energy_wh": line.energy_wh + 1}), {"records", "registers", "arithmetic"}),
    "energy_wh beyond any meter": (_to(energy_wh=2**53 - 1), {"records", "registers", "arithmetic"}),
    "price_e5": (_by(lambda line: {"price_e5": line.price_e5 + 1}), {"prices"}),
    "price_e5 of another slot": (in_line(LINE, _price_of_another), {"prices", "arithmetic"}),
    "fallback": (_to(fallback=True), {"prices"}),
    "a timely line called late": (_to(late=True), {"records", "arithmetic"}),
    "a late line called metered": (_to(LATE, late=False), {"records", "arithmetic"}),
    "a dropped line called late": (_to(EXCUSED, late=True), {"records", "arithmetic"}),
    "amount_e9": (_by(lambda line: {"amount_e9": line.amount_e9 - 1}), {"arithmetic"}),
    "prids swapped": (_by(lambda line: {"prids": line.prids[::-1]}), {"records", "leaves"}),
    "one prid twice": (_by(lambda line: {"prids": (line.prids[0], line.prids[0])}), {"records", "leaves"}),
    "prids of another slot": (in_line(LINE, _prids_of_another_slot), {"records", "leaves"}),
    "prids of nobody": (_to(prids=("00" * 32, "11" * 32)), {"records", "leaves"}),
}


@pytest.mark.parametrize("what", LINES)
def test_a_false_line_is_found(village: BilledVillage, what: str) -> None:
    falsify, expected = LINES[what]
    false = falsify(village.open(ANN).report)
    assert false != village.open(ANN).report
    assert failing(village, false) == expected


def test_another_households_records_are_found_though_the_energy_is_the_same(village: BilledVillage) -> None:
    other = line_of(village.open(OTHERS[0]).report, LINE)
    false = in_line(LINE, lambda line, _: replace(line, prids=other.prids))(village.open(ANN).report)
    assert failing(village, false) == {"records", "leaves"}


# --- slots left out, doubled, moved ----------------------------------------------------------------------------------


def _lines(change: Callable[[tuple[ReportLine, ...]], tuple[ReportLine, ...]]) -> Falsify:
    return in_channel(lambda channel: replace(channel, lines=change(channel.lines)))


def _absences(change: Callable[[tuple[ReportAbsence, ...]], tuple[ReportAbsence, ...]]) -> Falsify:
    return in_channel(lambda channel: replace(channel, absences=change(channel.absences)))


SLOTS: Final[dict[str, tuple[Falsify, set[str]]]] = {
    "a line left out": (_lines(lambda lines: lines[1:]), {"period", "leaves", "registers", "arithmetic"}),
    "a line doubled": (_lines(lambda lines: (lines[0], *lines)), {"period", "registers", "arithmetic"}),
    "lines out of order": (_lines(lambda lines: lines[::-1]), {"arithmetic"}),
    "an absence left out": (_absences(lambda absences: absences[1:]), {"period", "leaves", "arithmetic"}),
    "an absence doubled": (_absences(lambda absences: (absences[0], *absences)), {"period", "arithmetic"}),
    "absences out of order": (_absences(lambda absences: absences[::-1]), {"arithmetic"}),
    "no channel": (lambda report: replace(report, channels=()), {"period", "arithmetic"}),
    "a channel doubled": (lambda report: replace(report, channels=report.channels * 2), {"period", "arithmetic"}),
    "a channel that the meter has not": (
        lambda report: replace(report, channels=(*report.channels, replace(report.channels[0], channel="export"))),
        {"period", "records", "prices", "absences", "leaves", "registers", "arithmetic"},
    ),
    "the channel called another": (
        in_channel(lambda channel: replace(channel, channel="export")),
        {"period", "records", "prices", "absences", "leaves", "registers", "arithmetic"},
    ),
}


@pytest.mark.parametrize("what", SLOTS)
def test_every_slot_stands_once_where_it_belongs(village: BilledVillage, what: str) -> None:
    falsify, expected = SLOTS[what]
    assert failing(village, falsify(village.open(ANN).report)) == expected


# --- absences --------------------------------------------------------------------------------------------------------

ABSENCES: Final[dict[str, tuple[Falsify, set[str]]]] = {
    "k": (in_absence(SILENT, k=slot(SILENT).k + 1), {"period", "absences", "leaves", "arithmetic"}),
    "start_s": (in_absence(SILENT, start_s=START_S), {"period"}),
    "silent called dropped": (in_absence(SILENT, why="dropped"), {"absences", "arithmetic"}),
    "silent called excluded": (in_absence(SILENT, why="excluded"), {"absences", "arithmetic"}),
    "silent called void": (in_absence(SILENT, why="void"), {"absences", "arithmetic"}),
    "dropped called silent": (in_absence(DROPPED, why="silent"), {"absences", "arithmetic"}),
    "dropped called void": (in_absence(DROPPED, why="void"), {"absences"}),
    "dropped called excluded": (in_absence(DROPPED, why="excluded"), {"absences"}),
    "excluded called silent": (in_absence(EXCLUDED, why="silent"), {"absences", "arithmetic"}),
    "excluded called dropped": (in_absence(EXCLUDED, why="dropped"), {"absences"}),
    "excluded called void": (in_absence(EXCLUDED, why="void"), {"absences"}),
    "void called silent": (in_absence(VOID, why="silent"), {"absences", "arithmetic"}),
    "void called dropped": (in_absence(VOID, why="dropped"), {"absences"}),
    "void called excluded": (in_absence(VOID, why="excluded"), {"absences"}),
    "a penalty too high": (in_absence(SILENT, penalty_e9=70_000_001), {"arithmetic"}),
    "a penalty for a dropped slot": (in_absence(DROPPED, penalty_e9=70_000_000), {"arithmetic"}),
    "a penalty for a void slot": (in_absence(VOID, penalty_e9=70_000_000), {"arithmetic"}),
    "leaves of nobody": (in_absence(SILENT, leaves=("00" * 32, "11" * 32)), {"absences", "leaves"}),
}


@pytest.mark.parametrize("what", ABSENCES)
def test_a_false_absence_is_found(village: BilledVillage, what: str) -> None:
    falsify, expected = ABSENCES[what]
    assert failing(village, falsify(village.open(ANN).report)) == expected


def test_an_absence_is_not_backed_by_another_meters_empty_leaves(village: BilledVillage) -> None:
    """The framing that the card is against: somebody else's silence, told as this household's."""
    report = village.open(OTHERS[0]).report
    theirs = absence_of(village.open(ANN).report, SILENT)
    line = line_of(report, SILENT)
    framed = in_channel(
        lambda channel: replace(
            channel,
            lines=tuple(each for each in channel.lines if each != line),
            absences=(theirs, *channel.absences),
        )
    )(report)
    assert failing(village, framed, OTHERS[0]) == {"leaves", "registers", "arithmetic"}


@pytest.mark.parametrize("why", ["excluded", "silent", "void", "dropped"])
@pytest.mark.parametrize("n", [LINE, LATE])
def test_no_record_is_called_absent(village: BilledVillage, n: int, why: Any) -> None:
    line = line_of(village.open(ANN).report, n)
    first, second = (roster_leaf(bytes.fromhex(prid)).hex() for prid in line.prids)
    absence = ReportAbsence(k=line.k, start_s=line.start_s, why=why, penalty_e9=0, leaves=(first, second))
    false = in_channel(
        lambda channel: replace(
            channel,
            lines=tuple(each for each in channel.lines if each != line),
            absences=tuple(sorted((*channel.absences, absence), key=lambda each: each.k)),
        )
    )(village.open(ANN).report)
    assert failing(village, false) == {"absences", "registers", "arithmetic"}


# --- the card --------------------------------------------------------------------------------------------------------


def test_without_a_card_nobody_can_tell_whose_the_leaves_are(village: BilledVillage) -> None:
    assert failing(village, village.open(ANN).report, has_card=False) == {"leaves", "registers"}


def _foreign(village: BilledVillage) -> dict[str, tuple[Card, set[str]]]:
    card, other = village.reader(ANN).card(OCTOBER), village.reader(OTHERS[0]).card(OCTOBER)
    assert card is not None
    assert other is not None
    seat = village.crew.provider.seat
    stranger = Signer((7).to_bytes(32, "big"))

    def signed(changed: Card) -> Card:
        return replace(changed, key=seat.public_key, signature=seat.sign(changed.digest))

    return {
        "another household's": (other, {"leaves", "registers"}),
        "another household's, signed for this one": (signed(replace(other, bid=card.bid)), {"leaves", "registers"}),
        "another month's": (replace(card, month=NOVEMBER), {"leaves"}),
        "another ledger's": (signed(replace(card, chain_id="another")), {"leaves"}),
        "unsigned": (replace(card, signature=bytes(64)), {"leaves"}),
        "signed by a stranger": (
            replace(card, key=stranger.public_key, signature=stranger.sign(card.digest)),
            {"leaves"},
        ),
        "signed by the operator": (
            replace(card, key=village.crew.operator.public_key, signature=village.crew.operator.sign(card.digest)),
            {"leaves"},
        ),
        "of no channel": (signed(replace(card, parts=())), {"leaves", "registers"}),
        "beginning later": (
            signed(
                replace(
                    card,
                    parts=(
                        replace(card.parts[0], first_k=card.parts[0].first_k + 1, periods=card.parts[0].periods - 1),
                    ),
                )
            ),
            {"leaves"},
        ),
        "ending before the month": (
            signed(replace(card, parts=(replace(card.parts[0], periods=card.parts[0].periods - 1),))),
            {"leaves"},
        ),
    }


def test_a_false_card_is_found(village: BilledVillage) -> None:
    report = village.open(ANN).report
    found = {what: failing(village, report, card=card) for what, (card, _) in _foreign(village).items()}
    assert found == {what: expected for what, (_, expected) in _foreign(village).items()}


@pytest.mark.parametrize("name", ["import", "export"])
def test_a_false_leaf_proof_is_found(village: BilledVillage, name: str) -> None:
    report = village.open(BEA).report
    channel = report.channel(name)
    assert channel is not None
    proof = channel.leaf_proof
    for false in ((), proof[1:], proof[::-1], (*proof, "00" * 32), ("00" * 32, *proof[1:])):
        changed = in_channel(lambda channel, false=false: replace(channel, leaf_proof=false), name)(report)  # type: ignore[misc]
        assert failing(village, changed, BEA) == {"leaves"}
    needless = in_channel(lambda channel: replace(channel, leaf_proof=("00" * 32,)))(village.open(ANN).report)
    assert failing(village, needless) == {"leaves"}, "a whole month's leaves need no proof"


# --- registers -------------------------------------------------------------------------------------------------------


def _register(**changed: Any) -> Falsify:
    return in_channel(lambda channel: replace(channel, register=replace(channel.register, **changed)))  # type: ignore[type-var]


REGISTERS: Final[dict[str, tuple[Falsify, set[str]]]] = {
    "start_k": (_register(start_k=slot(1).k), {"registers"}),
    "end_k": (_register(end_k=slot(1).k), {"registers"}),
    "start_wh": (_register(start_wh=1), {"registers", "arithmetic"}),
    "end_wh": (_register(end_wh=100_000), {"registers", "arithmetic"}),
    "behind the records": (_register(end_wh=0), {"registers", "arithmetic"}),
    "carried_wh": (_register(carried_wh=5), {"registers", "arithmetic"}),
    "recorded_wh": (_register(recorded_wh=5), {"registers"}),
    "reconciled_wh": (_register(reconciled_wh=5), {"registers"}),
    "signature": (_register(signature="00" * 64), {"registers"}),
    "none": (in_channel(lambda channel: replace(channel, register=None)), {"arithmetic"}),
}


@pytest.mark.parametrize("what", REGISTERS)
def test_a_false_register_is_found(village: BilledVillage, what: str) -> None:
    falsify, expected = REGISTERS[what]
    assert failing(village, falsify(village.open(ANN).report)) == expected


def _signed_register(village: BilledVillage, month: MonthId, span: RegisterSpan, name: str = ANN) -> Falsify:
    """A register that the meter itself signed with the key of October, as a report has it."""
    meter = next(meter for meter in village.crew.fleet if meter.name == name)
    signer = meter._months[OCTOBER].registers[int(Direction.IMPORT)]
    signature = signer.sign(register_hash(CHAIN, meter.handle, month, span))
    return _register(start_k=span.start_k, end_k=span.end_k, signature=signature.hex())


def test_a_register_of_another_month_or_of_a_part_of_the_stretch_is_found(village: BilledVillage) -> None:
    report = village.open(ANN).report
    register = report.channels[0].register
    assert register is not None
    span = RegisterSpan(Direction.IMPORT, register.start_k, register.end_k, register.start_wh, register.end_wh)
    told = {
        "true": _signed_register(village, OCTOBER, span),
        "of another month": _signed_register(village, NOVEMBER, span),
        "of another meter": _signed_register(village, OCTOBER, span, OTHERS[0]),
        "ending early": _signed_register(village, OCTOBER, span._replace(end_k=span.end_k - 1)),
        "beginning late": _signed_register(village, OCTOBER, span._replace(start_k=span.start_k + 1)),
    }
    found = {what: failing(village, falsify(report)) for what, falsify in told.items()}
    assert found == {what: (set() if what == "true" else {"registers"}) for what in told}


def test_the_household_cannot_sign_a_register(village: BilledVillage) -> None:
    card, file = village.reader(ANN).card(OCTOBER), village.file(ANN)
    assert card is not None
    assert register_key(file.view_in_month(Direction.IMPORT, OCTOBER)).public_key != card.parts[0].register_key


# --- the sum, and the head -------------------------------------------------------------------------------------------


def _charge(n: int, **changed: Any) -> Falsify:
    def falsify(report: Report) -> Report:
        charges = list(report.charges)
        charges[n] = replace(charges[n], **changed)
        return replace(report, charges=tuple(charges))

    return falsify


SUMS: Final[dict[str, tuple[Falsify, set[str]]]] = {
    "a charge's kind": (_charge(1, kind="standing"), {"arithmetic"}),
    "a charge's name": (_charge(1, name="another"), {"arithmetic"}),
    "a charge's channel": (_charge(0, channel="export"), {"arithmetic"}),
    "a charge's from_k": (_charge(0, from_k=1), {"arithmetic"}),
    "a charge's until_k": (_charge(0, until_k=1), {"arithmetic"}),
    "a charge's quantity": (_charge(0, quantity=1), {"arithmetic"}),
    "a charge's rate": (_charge(2, rate=1), {"arithmetic"}),
    "a charge's amount_e9": (_charge(0, amount_e9=1), {"arithmetic"}),
    "a charge left out": (lambda report: replace(report, charges=report.charges[1:]), {"arithmetic"}),
    "a charge doubled": (lambda report: replace(report, charges=report.charges[:1] + report.charges), {"arithmetic"}),
    "charges moved": (lambda report: replace(report, charges=report.charges[::-1]), {"arithmetic"}),
    "the sum": (lambda report: replace(report, total_e9=report.total_e9 + 1), {"arithmetic"}),
    "what is to be paid": (lambda report: replace(report, payable_e9=report.total_e9), {"arithmetic"}),
    "the currency": (lambda report: replace(report, currency="EUR"), {"arithmetic"}),
    "the rounding": (lambda report: replace(report, rounding_e9=1), {"arithmetic"}),
    "a tariff's name": (
        lambda report: replace(report, tariffs=(replace(report.tariffs[0], name="another"),)),
        {"tariffs"},
    ),
    "a tariff's start": (
        lambda report: replace(report, tariffs=(replace(report.tariffs[0], from_k=report.from_k + 1),)),
        {"tariffs"},
    ),
    "no tariff": (lambda report: replace(report, tariffs=()), {"tariffs"}),
    "the ledger": (lambda report: replace(report, chain_id="another"), {"identity"}),
    "the region": (lambda report: replace(report, region=2), {"identity"}),
    "the month": (lambda report: replace(report, month="2025-11"), {"identity"}),
    "the meter": (lambda report: replace(report, meter="00" * 16), {"identity"}),
    "the household": (lambda report: replace(report, household="Bob"), {"identity"}),
    "the identity": (lambda report: replace(report, bid="00" * 32), {"identity"}),
    "the month's start": (lambda report: replace(report, month_start_s=0), {"period"}),
    "the month's end": (lambda report: replace(report, month_end_s=0), {"period"}),
    "the period's length": (lambda report: replace(report, period_s=1), {"period"}),
}


@pytest.mark.parametrize("what", SUMS)
def test_a_false_sum_or_head_is_found(village: BilledVillage, what: str) -> None:
    falsify, expected = SUMS[what]
    assert failing(village, falsify(village.open(ANN).report)) == expected


@pytest.mark.parametrize("field", ["from_k", "until_k"])
@pytest.mark.parametrize("by", [-1, 1, 2**40])
def test_a_false_stretch_is_found(village: BilledVillage, field: str, by: int) -> None:
    report = village.open(ANN).report
    false = replace(report, **{field: max(0, getattr(report, field) + by)})
    assert {"period", "arithmetic"} <= failing(village, false)


def test_all_falsehoods_are_told_and_the_many_are_counted(village: BilledVillage) -> None:
    report = village.open(OTHERS[0]).report
    false = in_channel(
        lambda channel: replace(channel, lines=tuple(replace(line, amount_e9=1, price_e5=2) for line in channel.lines))
    )(report)
    reader = village.reader(OTHERS[0])
    verdict = reader.verify(reader.open(OCTOBER)._replace(report=false), OCTOBER)
    told = {finding.check: finding.falsehoods for finding in verdict.findings if not finding.holds}
    assert {check: len(each) for check, each in told.items()} == {"prices": 6, "arithmetic": 6}
    assert told["prices"][-1] == "and 2 more"
    assert told["prices"][0] == f"import {slot(0).k}: its price is 2, the ledger's {line_of(report, 0).price_e5}"
    assert verdict.falsehoods[0] == f"prices: {told['prices'][0]}"


# --- what cannot be verified -----------------------------------------------------------------------------------------


def test_a_month_that_is_not_closed_gives_no_verdict(village: BilledVillage) -> None:
    with pytest.raises(NoMonthError) as refused:
        verify_report(village.open(ANN).report, village.file(ANN), _evidence(village, NOVEMBER), None)
    assert (refused.value.region, refused.value.month) == (1, "2025-10")


def test_a_file_of_a_later_month_cannot_verify_an_earlier_one(village: BilledVillage) -> None:
    later = replace(village.file(ANN), month=NOVEMBER)
    with pytest.raises(MonthErasedError):
        verify_report(village.open(ANN).report, later, _evidence(village), None)


def test_another_households_secret_finds_everything_of_its_own_false(village: BilledVillage) -> None:
    verdict = verify_report(
        village.open(ANN).report, village.file(BEA), _evidence(village), village.reader(BEA).card(OCTOBER)
    )
    false = {finding.check for finding in verdict.findings if not finding.holds}
    assert {"identity", "records", "leaves", "registers"} <= false
