"""A household recomputes its bill: every line, every price, every penalty, and the sum.

It needs its view secret, the report, the month's card and the ledger's word (`Evidence`), and trusts nothing that the
report says. The checks, each with its name; all are made, so that one falsehood hides no other:
    identity   the report is for this ledger, region and month, and its BID comes from the household's own secret
    period     its instants are the month's, its stretch the meter's, and each slot stands in it once on each channel
    records    each line's two records are on the ledger and, unmasked, add up to its energy; it is called late
               where one of them came late and no aggregator is to blame: none was proved to have dropped it, and
               batches of others came in time
    prices     each line's price is the ledger's
    absences   nothing is called absent that the ledger has; the reason is the one that it shows
    leaves     all lines' and absences' leaves are those that the card bound in advance
    registers  the meter signed them, they cover the stretch, and energy billed and reconciled is their difference
    arithmetic lines, charges, taxes and sums are those of `gridproof.domain.make_bill`
    tariffs    those that the report names are the ledger's
Once the ledger has forgotten a month's records and prices, `records`, `prices`, `absences` and `arithmetic` are left
out, and the verdict names them.

Source: seed 002, dynamic billing phase, step h; private-metering.md, rows 17, 20, 21 and 22.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.errors import ActorError
from gridproof.domain import (
    MAX_READING_WH,
    Absent,
    Bill,
    BillMonth,
    ChannelMonth,
    Charge,
    ChargeKind,
    Direction,
    DomainError,
    Metered,
    MonthBounds,
    Registers,
    RegisterSpan,
    Why,
    bill_key,
    halves,
    leaves_between,
    make_bill,
    month_label,
    reading,
    roster_leaf,
    tariff_at,
    view_seeds,
)
from gridproof.domain.metering import Halves
from gridproof.errors import GridproofError
from gridproof.primitives import merkle
from gridproof.primitives.errors import InvalidProofError
from gridproof.primitives.hashing import HASH_SIZE

from .evidence import Evidence, FoundRecord, LeafFacts, uncovered
from .report import Report, ReportAbsence, ReportChannel, ReportLine
from .words import Card, CardError, CardPart, RegisterWord, RegisterWordError

CHECKS: Final = (
    "identity",
    "period",
    "records",
    "prices",
    "absences",
    "leaves",
    "registers",
    "arithmetic",
    "tariffs",
)
FORGOTTEN: Final = frozenset({"records", "prices", "absences", "arithmetic"})  # checks that need what retention prunes
_MAX_TOLD: Final = 5
_NO_LEAVES: Final = (bytes(HASH_SIZE), bytes(HASH_SIZE))


class Finding(NamedTuple):
    """What a check came to.

    Attributes:
        check: its name, one of `CHECKS`.
        falsehoods: what is false, a sentence each; none where it holds.
        looked_at: how many things were looked at.
    """

    check: str
    falsehoods: tuple[str, ...]
    looked_at: int

    @property
    def holds(self) -> bool:
        """Whether nothing is false."""
        return not self.falsehoods


class BillVerdict(NamedTuple):
    """What a household found of its bill.

    Attributes:
        findings: one a check that was made, in the order of `CHECKS`.
        gone: the checks that could not be made: the ledger has forgotten the month's records and prices.
    """

    findings: tuple[Finding, ...]
    gone: tuple[str, ...] = ()

    @property
    def is_true(self) -> bool:
        """Whether every check that was made holds."""
        return all(finding.holds for finding in self.findings)

    @property
    def falsehoods(self) -> list[str]:
        """All that is false."""
        return [f"{finding.check}: {each}" for finding in self.findings for each in finding.falsehoods]


class NoMonthError(ActorError):
    """The ledger has no such closed month, so there is nothing to hold the bill against."""

    region: int
    month: str


class _Case(NamedTuple):
    """All that is held against one another."""

    report: Report
    file: HouseholdFile
    evidence: Evidence
    card: Card | None
    bounds: MonthBounds


def verify_report(
    report: Report, file: HouseholdFile, evidence: Evidence, card: Card | None, *, pruned: bool = False
) -> BillVerdict:
    """Recompute a bill.

    Args:
        report: as it was opened.
        file: the household's, with its view secret.
        evidence: the ledger's word on the month.
        card: the month's card, which the household got in advance; None where it has none, which is a falsehood of
            `leaves` and `registers`: without it nobody can tell whose the leaves are.
        pruned: whether the evidence no longer has the month's records and prices, so that some checks are left out.

    Raises:
        NoMonthError: the ledger has no such closed month.
        MonthErasedError: the household's file begins after the month.
    """
    bounds = evidence.bounds()
    if bounds is None:
        raise NoMonthError(region=report.region, month=report.month)
    case = _Case(report, file, evidence, card, bounds)
    checks: dict[str, Callable[[_Case], Iterator[str]]] = {
        "identity": _identity,
        "period": _period,
        "records": _records,
        "prices": _prices,
        "absences": _absences,
        "leaves": _leaves,
        "registers": _registers,
        "arithmetic": _arithmetic,
        "tariffs": _tariffs,
    }
    slots = sum(len(channel.lines) + len(channel.absences) for channel in report.channels)
    counts = {"records": 2 * slots, "prices": slots, "absences": slots, "leaves": 2 * slots}
    gone = tuple(name for name in CHECKS if pruned and name in FORGOTTEN)
    made = (name for name in CHECKS if name not in gone)
    return BillVerdict(tuple(Finding(name, _told(checks[name](case)), counts.get(name, 1)) for name in made), gone)


def _told(falsehoods: Iterator[str]) -> tuple[str, ...]:
    """The first falsehoods, and how many more there are."""
    told: list[str] = []
    more = 0
    for falsehood in falsehoods:
        if len(told) < _MAX_TOLD:
            told.append(falsehood)
        else:
            more += 1
    return (*told, f"and {more} more") if more else tuple(told)


def _identity(case: _Case) -> Iterator[str]:
    report, file, bounds = case.report, case.file, case.bounds
    for what, said, true in (
        ("ledger", report.chain_id, case.evidence.chain_id),
        ("ledger of the household's file", file.chain_id, case.evidence.chain_id),
        ("region", report.region, file.region),
        ("month", report.month, month_label(bounds.month)),
        ("meter", report.meter, file.meter.hex()),
        ("household", report.household, file.name),
        ("billing identity", report.bid, _own_bid(case).hex()),
    ):
        if said != true:
            yield f"the {what} is {said}, not {true}"


def _own_bid(case: _Case) -> bytes:
    """The household's billing identity of the month, by its own secret."""
    return bill_key(case.file.identity_view(case.bounds.month)).public_key


def _period(case: _Case) -> Iterator[str]:
    report, bounds = case.report, case.bounds
    said = (report.month_start_s, report.month_end_s, report.period_s)
    if said != (bounds.start_s, bounds.end_s, bounds.period_s):
        yield "the month's instants are not the ledger's"
    meter = case.evidence.meter(case.file.meter)
    if meter is None:
        yield "the ledger knows no such meter"
        return
    stretch = bounds.stretch(meter.from_k, meter.until_k)
    if (report.from_k, report.until_k) != stretch:
        yield f"the stretch is {report.from_k} to {report.until_k}, not {stretch[0]} to {stretch[1]}"
    if sorted(channel.channel for channel in report.channels) != sorted(
        Direction(channel).label for channel in meter.channels
    ):
        yield "the channels are not those of the meter"
    for channel in report.channels:
        ks = [line.k for line in channel.lines] + [absence.k for absence in channel.absences]
        if uncovered(ks, *stretch):
            yield f"{channel.channel}: not every slot of the stretch stands in it once"
        starts = [line.start_s for line in channel.lines] + [absence.start_s for absence in channel.absences]
        if starts != [k * bounds.period_s for k in ks]:
            yield f"{channel.channel}: a slot's start is not its period's"


# --- slots -----------------------------------------------------------------------------------------------------------


def _has(case: _Case, channel: Direction) -> bool:
    """Whether the household's file has a channel."""
    return any(view.channel == channel for view in case.file.views)


class _Leaves:
    """A household's view leaves of a month on one channel."""

    def __init__(self, case: _Case, channel: Direction) -> None:
        bounds = case.bounds
        seeds = view_seeds(case.file.view_in_month(channel, bounds.month), channel)
        self._first_k = bounds.first_k
        self._pairs = list(
            zip(*(leaves_between(seed, bounds, bounds.first_k, bounds.end_k) for seed in seeds), strict=True)
        )

    def at(self, k: int) -> tuple[bytes, bytes]:
        first, second = self._pairs[k - self._first_k]
        return first, second


def _records(case: _Case) -> Iterator[str]:
    for channel in case.report.channels:
        direction = Direction.parse(channel.channel)
        if not _has(case, direction):
            yield f"{channel.channel}: the household has no such channel"
            continue
        own = _Leaves(case, direction)
        for line in channel.lines:
            if not case.bounds.contains(line.k):
                yield _at(channel, line, "it lies outside the month")
                continue
            found = [case.evidence.find_record(direction, line.k, bytes.fromhex(prid)) for prid in line.prids]
            told = _is_line(case, direction, line, found, own.at(line.k))
            if told:
                yield _at(channel, line, told)


def _is_line(
    case: _Case, channel: Direction, line: ReportLine, found: Sequence[FoundRecord | None], own: tuple[bytes, bytes]
) -> str:
    """What is false about a line's records, or nothing."""
    first, second = found
    if first is None or second is None or line.prids[0] == line.prids[1]:
        return "its records are not both on the ledger"
    if line.energy_wh >= MAX_READING_WH or (first.rc, second.rc) != halves(line.energy_wh, *own):
        energy_wh = reading(Halves(first.rc, second.rc), *own)
        read = f"they read {energy_wh} Wh" if energy_wh < MAX_READING_WH else "they are another household's"
        return f"its records do not give {line.energy_wh} Wh: {read}"
    limit_wh = tariff_at(case.evidence.tariffs(), line.k).limit_wh
    if line.energy_wh > limit_wh:
        return f"it is above {limit_wh} Wh, which cannot be true"
    is_excused = first.dropped or second.dropped or not case.evidence.slot(channel, line.k).heard
    if line.late == ((first.late or second.late) and not is_excused):
        return ""
    if not line.late:
        return "its records came late, and it says otherwise"
    return "it is called late, and an aggregator is to blame" if is_excused else "it is called late, and was not"


def _prices(case: _Case) -> Iterator[str]:
    for channel in case.report.channels:
        prices = case.evidence.prices(Direction.parse(channel.channel))
        if len(prices) != case.bounds.periods:
            yield f"{channel.channel}: the ledger has no prices of the month"
            continue
        for line in channel.lines:
            if not case.bounds.contains(line.k):
                continue
            true = prices[line.k - case.bounds.first_k]
            if (line.price_e5, line.fallback) != true:
                yield _at(channel, line, f"its price is {line.price_e5}, the ledger's {true.price_e5}")


def _absences(case: _Case) -> Iterator[str]:
    for channel in case.report.channels:
        direction = Direction.parse(channel.channel)
        for absence in channel.absences:
            if not case.bounds.contains(absence.k):
                continue
            leaves = [case.evidence.find_leaf(direction, absence.k, bytes.fromhex(leaf)) for leaf in absence.leaves]
            told = _is_absence(case, direction, absence, leaves)
            if told:
                yield _at(channel, absence, told)


def _is_absence(case: _Case, direction: Direction, absence: ReportAbsence, leaves: Sequence[LeafFacts | None]) -> str:
    """What is false about an absence, or nothing."""
    why, heard = Why(absence.why), case.evidence.slot(direction, absence.k).heard
    known = [leaf for leaf in leaves if leaf is not None]
    if why == Why.VOID and heard:
        return "batches came for this slot"
    if why == Why.VOID and not known:
        return ""  # it has no roster
    if why == Why.SILENT and not heard:
        return "no batch came for anybody, so the meter is not to blame"
    if len(known) < len(leaves):
        return "its leaves are not in the slot's roster"
    if why == Why.EXCLUDED:
        return _is_exclusion(case, direction, absence.k, known)
    if all(leaf.filled for leaf in known):
        return "both its records are on the ledger"
    dropped = any(leaf.dropped for leaf in known)
    if why == Why.SILENT and dropped:
        return "an aggregator was proved to have dropped it, so the meter is not to blame"
    if why == Why.DROPPED and not dropped:
        return "no aggregator was proved to have dropped it"
    return ""


def _is_exclusion(case: _Case, direction: Direction, k: int, leaves: Sequence[LeafFacts]) -> str:
    """What is false about records that are said to be no reading, or nothing."""
    if not _has(case, direction):
        return "the household has no such channel"
    values = [leaf.rc for leaf in leaves if leaf.rc is not None]
    if len(values) < len(leaves):
        return "a record of it is missing"
    energy_wh = reading(Halves(*values), *_Leaves(case, direction).at(k))
    limit_wh = tariff_at(case.evidence.tariffs(), k).limit_wh
    return f"its records read {energy_wh} Wh, which can be true" if energy_wh <= limit_wh else ""


# --- what was bound in advance ---------------------------------------------------------------------------------------


def _leaves(case: _Case) -> Iterator[str]:
    if case.card is None:
        yield "there is no card of this month to hold the leaves against; ask the bill provider for it"
        return
    if not case.evidence.is_provider_key(case.card.key):
        yield "the card was not signed by a bill provider of the ledger"
    try:
        case.card.verify(case.evidence.chain_id, _own_bid(case))
    except CardError as wrong:
        yield wrong.detail
    for channel in case.report.channels:
        part = case.card.part(Direction.parse(channel.channel))
        if part is None:
            yield f"{channel.channel}: the card does not bind it"
        elif not _leads_to(case, channel, part):
            yield f"{channel.channel}: the leaves are not those that the card binds"


def _leads_to(case: _Case, channel: ReportChannel, part: CardPart) -> bool:
    """Whether the leaves of a channel's slots stand at their places under the card's root."""
    pairs: dict[int, tuple[bytes, bytes]] = {}
    for line in channel.lines:
        pairs[line.k] = (roster_leaf(bytes.fromhex(line.prids[0])), roster_leaf(bytes.fromhex(line.prids[1])))
    for absence in channel.absences:
        pairs[absence.k] = (bytes.fromhex(absence.leaves[0]), bytes.fromhex(absence.leaves[1]))
    ks = range(max(case.report.from_k, part.first_k), case.report.until_k)
    if any(k not in pairs for k in ks) or part.first_k + part.periods != case.bounds.end_k:
        return False
    if any(pair != _NO_LEAVES for k, pair in pairs.items() if k < part.first_k):
        return False  # the slot had no roster
    leaves = [leaf for k in ks for leaf in pairs[k]]
    proof = [bytes.fromhex(step) for step in channel.leaf_proof]
    if not leaves:
        return not proof
    if len(ks) == part.periods:
        return merkle.root(leaves) == part.root and not proof
    first = 2 * (ks.start - part.first_k)
    try:
        merkle.verify_multi(part.root, 2 * part.periods, range(first, first + len(leaves)), leaves, proof)
    except InvalidProofError:
        return False
    return True


def _registers(case: _Case) -> Iterator[str]:
    report = case.report
    for channel in report.channels:
        register, direction = channel.register, Direction.parse(channel.channel)
        if register is None:
            continue
        part = case.card.part(direction) if case.card else None
        span = RegisterSpan(direction, register.start_k, register.end_k, register.start_wh, register.end_wh)
        word = RegisterWord(case.file.meter, case.bounds.month, *span, bytes.fromhex(register.signature))
        try:
            word.verify(case.evidence.chain_id, part.register_key if part else b"")
        except RegisterWordError:
            yield f"{channel.channel}: the meter did not sign the register"
        if register.end_k != report.until_k or register.start_k > report.from_k:
            yield f"{channel.channel}: the register does not cover the stretch"
        if register.start_k == report.from_k and register.carried_wh:
            yield f"{channel.channel}: energy is carried over where there is no month to carry it from"
        recorded_wh = sum(line.energy_wh for line in channel.lines)
        difference_wh = register.end_wh - register.start_wh
        if register.recorded_wh != recorded_wh:
            yield f"{channel.channel}: the lines come to {recorded_wh} Wh, not {register.recorded_wh}"
        if register.reconciled_wh + recorded_wh + register.carried_wh != difference_wh:
            yield f"{channel.channel}: billed and reconciled energy is not the register's {difference_wh} Wh"


# --- the sum ---------------------------------------------------------------------------------------------------------


def _arithmetic(case: _Case) -> Iterator[str]:
    try:
        bill = make_bill(_month_of(case))
    except (DomainError, GridproofError) as wrong:
        yield str(wrong)
        return
    report = case.report
    lines = {(line.channel, line.k): line.amount_e9 for line in bill.lines}
    penalties = {(absence.channel, absence.k): absence.penalty_e9 for absence in bill.absences}
    for channel in report.channels:
        direction = Direction.parse(channel.channel)
        for line in channel.lines:
            if line.amount_e9 != lines[direction, line.k]:
                yield _at(channel, line, f"its amount is {lines[direction, line.k]}, not {line.amount_e9}")
        for absence in channel.absences:
            if absence.penalty_e9 != penalties[direction, absence.k]:
                yield _at(channel, absence, f"its penalty is {penalties[direction, absence.k]}")
    yield from _sums(report, bill, case)


def _sums(report: Report, bill: Bill, case: _Case) -> Iterator[str]:
    said = [
        Charge(
            ChargeKind(charge.kind),
            charge.name,
            Direction.parse(charge.channel),
            charge.from_k,
            charge.until_k,
            charge.quantity,
            charge.rate,
            charge.amount_e9,
        )
        for charge in report.charges
    ]
    for true in bill.charges:
        if true not in said:
            yield f"the charge {true.kind} {true.name} over {true.amount_e9} is missing or another"
    if len(said) != len(bill.charges):
        yield f"there are {len(said)} charges, not {len(bill.charges)}"
    elif said != list(bill.charges):
        yield "the charges are not those that the slots give, each once and in their order"
    if report.total_e9 != bill.total_e9:
        yield f"the sum is {bill.total_e9}, not {report.total_e9}"
    tariff = tariff_at(case.evidence.tariffs(), report.until_k - 1)
    if (report.rounding_e9, report.currency) != (tariff.rounding_e9, tariff.currency):
        yield "currency or rounding are not the tariff's"
    if report.payable_e9 != bill.payable_e9:
        yield f"to be paid is {bill.payable_e9}, not {report.payable_e9}"


def _month_of(case: _Case) -> BillMonth:
    """The month as the report's own slots have it, with the ledger's prices and tariffs."""
    report = case.report
    channels = []
    for channel in report.channels:
        direction = Direction.parse(channel.channel)
        register = channel.register
        channels.append(
            ChannelMonth(
                direction,
                case.evidence.prices(direction),
                [Metered(line.k, line.energy_wh, line.late) for line in channel.lines],
                [Absent(absence.k, Why(absence.why)) for absence in channel.absences],
                Registers(register.start_wh, register.end_wh, register.carried_wh) if register else None,
            )
        )
    return BillMonth(case.bounds, report.from_k, report.until_k, case.evidence.tariffs(), channels)


def _tariffs(case: _Case) -> Iterator[str]:
    said = [(tariff.from_k, tariff.name) for tariff in case.report.tariffs]
    if said != [(step.from_k, step.tariff.name) for step in case.evidence.tariffs()]:
        yield "the tariffs are not those that were in force"


def _at(channel: ReportChannel, slot: ReportLine | ReportAbsence, what: str) -> str:
    return f"{channel.channel} {slot.k}: {what}"
