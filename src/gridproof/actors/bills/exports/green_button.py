"""The report in Green Button's form: an Atom feed of ESPI 4.0 resources, as a customer downloads it.

Rules:
    N-1 Each line is an IntervalReading; a slot without a line has none, for a gap is no zero.
    N-2 A cost is what a reading adds to the bill, so that of energy fed in is negative. It is rounded to 1e-5 of the
        currency, so that a channel's costs up to each reading add up to their exact sum, rounded.
    N-3 All costs and the summary's details add up to the bill's amount; what rounding took or gave is a detail itself.
    N-4 A reading is of the quality 19 (good for billing); one that came late is of the quality 16 (other) as well.
    N-5 The usage point and what belongs to it for good keep their ids from month to month; the feed and the summary
        have the month's own. A corrected bill's feed has the same ids and a later `updated`, so it replaces the first.
    N-6 A currency that ISO 4217 gives no number is left out.

Source: NAESB REQ.21 ESPI 4.0 (espi.xsd), RFC 4287; issue 4, part 3.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gridproof.actors.bills.report import Report, ReportChannel, ReportCharge, ReportLine
from gridproof.calendar import Calendar, Day
from gridproof.domain import MonthBounds, half_up, month_id, require_range
from gridproof.errors import GridproofError

from .currencies import find_number
from .local_time import local_time
from .text import printable, utc

ATOM: Final = "http://www.w3.org/2005/Atom"
ESPI: Final = "http://naesb.org/espi"
MAX_INT48: Final = 2**47 - 1
MAX_TEXT: Final = 256  # of ESPI's String256
COST_E9: Final = 10_000  # a cost's unit, 1e-5 of the currency
_IDS: Final = uuid5(NAMESPACE_URL, "gridproof/green-button/1")
_ROOT: Final = "/espi/1_1/resource"
_WH, _ENERGY, _DELTA, _NORMAL, _ELECTRICITY = 72, 12, 4, 12, 1
_FLOWS: Final = {"import": 1, "export": 19}  # delivered to the customer, received from it
_TITLES: Final = {"import": "Electricity delivered", "export": "Electricity received"}
_GOOD_FOR_BILLING, _OTHER, _MIXED = 19, 16, 13
_ITEM_KINDS: Final = {"levy": 2, "standing": 4, "penalty": 4, "tax": 5}
_USAGE_FEE, _GENERATION_CREDIT, _FEE, _CREDIT = 3, 6, 4, 8

Tree = tuple[str, "str | int | list[Tree]"]
"""An element: its name, and its text or its children."""


class BeyondGreenButtonError(GridproofError):
    """Green Button has no room for a number as large as this; nothing was exported. Export the bill as CSV."""

    what: str
    value: int


def green_button(report: Report) -> bytes:
    """The report as an XML document (N-1 to N-6).

    Args:
        report: the bill report.

    Raises:
        BeyondGreenButtonError: an amount or a sum of energy is too large.
        UnknownZoneError: the report's zone is none.
        OutOfRangeError: a time or the length of the periods cannot be one, or a line lies outside the bill's stretch.
    """
    feed = _Feed(report)
    feed.add_usage_point()
    for channel in report.channels:
        feed.add_channel(channel)
    feed.add_summary()
    indent(feed.root, " ")
    document: bytes = tostring(feed.root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


class _Feed:
    """Builds the feed of a report, entry by entry."""

    def __init__(self, report: Report) -> None:
        year, month = map(int, report.month.split("-"))
        self._report = report
        self._calendar = Calendar(report.zone, report.period_s)
        self._month = month_id(year, month)
        start_s, end_s = report.from_k * report.period_s, report.until_k * report.period_s
        self._bounds = MonthBounds(self._month, start_s, end_s, report.period_s)
        self._bounds.validate()
        self._updated = utc(report.made_s)
        self._costs = 0
        customer = f"{_ROOT}/RetailCustomer/{self._id('customer').hex}"
        self._points = f"{customer}/UsagePoint"
        self._point = f"{self._points}/{self._id('usage-point').hex}"
        self._clocks = f"{_ROOT}/LocalTimeParameters"
        self._time = local_time(self._calendar, self._month)
        self._clock_id = self._id("local-time", report.zone, *map(str, self._time))
        self._clock = f"{self._clocks}/{self._clock_id.hex}"
        self.root = Element("feed", {"xmlns": ATOM})
        feed_id = self._id("feed", report.month)
        _add(self.root, ("id", feed_id.urn))
        _add(self.root, ("title", printable(f"{report.community}: {report.household}, {report.month}")))
        _add(self.root, ("updated", self._updated))
        _add(self.root, ("author", [("name", printable(report.community))]))
        SubElement(self.root, "link", {"rel": "self", "href": f"{_ROOT}/Subscription/{feed_id.hex}"})

    def add_usage_point(self) -> None:
        """Add where energy is metered, and the zone's time."""
        related = f"{self._point}/MeterReading", f"{self._point}/UsageSummary", self._clock
        point: Tree = ("UsagePoint", [("ServiceCategory", [("kind", 0)])])
        title = printable(self._report.household)
        self._entry(self._id("usage-point"), title, (self._point, self._points, *related), point)
        time = self._time
        clock: Tree = (
            "LocalTimeParameters",
            [
                ("dstEndRule", f"{time.dst_end_rule:08X}"),
                ("dstOffset", time.dst_offset_s),
                ("dstStartRule", f"{time.dst_start_rule:08X}"),
                ("tzOffset", time.tz_offset_s),
            ],
        )
        self._entry(self._clock_id, self._report.zone, (self._clock, self._clocks), clock)

    def add_channel(self, channel: ReportChannel) -> None:
        """Add a channel: what it is, its type of reading, and a block of readings for each day that has any."""
        name, title = channel.channel, _TITLES[channel.channel]
        reading_id, type_id = self._id("meter-reading", name), self._id("reading-type", name)
        readings, types = f"{self._point}/MeterReading", f"{_ROOT}/ReadingType"
        reading, kind = f"{readings}/{reading_id.hex}", f"{types}/{type_id.hex}"
        blocks = f"{reading}/IntervalBlock"
        self._entry(reading_id, title, (reading, readings, blocks, kind), ("MeterReading", []))
        self._entry(type_id, f"{title}, every {self._report.period_s} s", (kind, types), self._reading_type(name))
        costs = _rounded(line.amount_e9 for line in channel.lines)
        priced = [(self._within(line), cost) for line, cost in zip(channel.lines, costs, strict=True)]
        self._costs += sum(cost for _, cost in priced)
        for day in self._calendar.days(self._bounds):
            own = [(line, cost) for line, cost in priced if day.start_s <= line.start_s < day.end_s]
            if own:
                block_id = self._id("interval-block", name, day.label)
                links = f"{blocks}/{block_id.hex}", blocks
                self._entry(block_id, f"{title}, {day.label}", links, self._block(day, own))

    def add_summary(self) -> None:
        """Add the bill."""
        report = self._report
        bill = half_up(report.payable_e9, COST_E9) // COST_E9
        content: list[Tree] = [
            ("billingPeriod", _interval(self._bounds.start_s, self._bounds.end_s)),
            ("billLastPeriod", _int48("payable", bill)),
            ("costAdditionalLastPeriod", _int48("additional costs", bill - self._costs)),
            *self._details(bill - self._costs),
            *self._currency(),
        ]
        drawn = report.channel("import")
        if drawn is not None:
            reconciled_wh = 0 if drawn.register is None else drawn.register.reconciled_wh
            content.append(("overallConsumptionLastPeriod", _energy(_sum_wh(drawn.lines) + reconciled_wh)))
        whole = all(not channel.absences for channel in report.channels)
        content += [
            ("qualityOfReading", _GOOD_FOR_BILLING if whole else _MIXED),
            ("statusTimeStamp", report.made_s),
            ("commodity", _ELECTRICITY),
            ("tariffProfile", printable(", ".join(tariff.name for tariff in report.tariffs))[:MAX_TEXT]),
        ]
        summaries = f"{self._point}/UsageSummary"
        summary_id = self._id("usage-summary", report.month)
        links = f"{summaries}/{summary_id.hex}", summaries
        self._entry(summary_id, f"Bill of {report.month}", links, ("UsageSummary", content))

    def _reading_type(self, channel: str) -> Tree:
        content: list[Tree] = [
            ("accumulationBehaviour", _DELTA),
            ("commodity", _ELECTRICITY),
            *self._currency(),
            ("dataQualifier", _NORMAL),
            ("defaultQuality", _GOOD_FOR_BILLING),
            ("flowDirection", _FLOWS[channel]),
            ("intervalLength", self._report.period_s),
            ("kind", _ENERGY),
            ("phase", 0),
            ("powerOfTenMultiplier", 0),
            ("timeAttribute", 0),
            ("uom", _WH),
        ]
        return "ReadingType", content

    def _block(self, day: Day, priced: Iterable[tuple[ReportLine, int]]) -> Tree:
        content: list[Tree] = [("interval", _interval(day.start_s, day.end_s))]
        for line, cost in priced:
            reading: list[Tree] = [("cost", _int48("cost", cost))]
            if line.late:
                reading += [("ReadingQuality", [("quality", quality)]) for quality in (_OTHER, _GOOD_FOR_BILLING)]
            reading += [
                ("timePeriod", _interval(line.start_s, line.start_s + self._report.period_s)),
                ("value", _int48("energy_wh", line.energy_wh)),
            ]
            content.append(("IntervalReading", reading))
        return "IntervalBlock", content

    def _details(self, additional: int) -> Iterator[Tree]:
        """The charges beyond the readings' costs, and what rounding leaves of their sum."""
        span = self._bounds.start_s, self._bounds.end_s
        for charge in self._report.charges:
            if charge.kind not in ("energy", "feed_in"):
                amount = half_up(charge.amount_e9, COST_E9) // COST_E9
                additional -= amount
                yield _detail(charge, amount, self._report.period_s)
        if additional:
            yield _item(additional, "rounding", None, _FEE if additional > 0 else _CREDIT, span)

    def _currency(self) -> list[Tree]:
        number = find_number(self._report.currency)
        return [] if number is None else [("currency", number)]

    def _within(self, line: ReportLine) -> ReportLine:
        """The line, if it lies in the bill's stretch: else no day would hold it, and the export lose its energy."""
        require_range("start_s", line.start_s, self._bounds.start_s, self._bounds.end_s - self._report.period_s)
        return line

    def _id(self, *parts: str) -> UUID:
        return uuid5(_IDS, json.dumps((self._report.chain_id, self._report.meter, *parts)))

    def _entry(self, entry_id: UUID, title: str, links: tuple[str, ...], content: Tree) -> None:
        """Add an entry: links are its own place, the collection that it is in, and what belongs to it."""
        entry = SubElement(self.root, "entry")
        _add(entry, ("id", entry_id.urn))
        for place, href in enumerate(links):
            SubElement(entry, "link", {"rel": ("self", "up", "related")[min(place, 2)], "href": href})
        _add(entry, ("title", title))
        _add(SubElement(entry, "content", {"type": "application/xml"}), content).set("xmlns", ESPI)
        _add(entry, ("published", self._updated))
        _add(entry, ("updated", self._updated))


def _add(parent: Element, tree: Tree) -> Element:
    name, content = tree
    element = SubElement(parent, name)
    if isinstance(content, list):
        for child in content:
            _add(element, child)
    else:
        element.text = str(content)
    return element


def _detail(charge: ReportCharge, amount: int, period_s: int) -> Tree:
    kind = _ITEM_KINDS.get(charge.kind)
    if kind is None:
        kind = _USAGE_FEE if charge.channel == "import" else _GENERATION_CREDIT
    note = f"{charge.kind}, {charge.channel}: {printable(charge.name)}"
    energy_wh = charge.quantity if charge.kind in ("levy", "reconciliation") else None
    return _item(amount, note, energy_wh, kind, (charge.from_k * period_s, charge.until_k * period_s))


def _item(amount: int, note: str, energy_wh: int | None, kind: int, span: tuple[int, int]) -> Tree:
    content: list[Tree] = [("amount", _int48("amount", amount)), ("note", note[:MAX_TEXT])]
    if energy_wh is not None:
        content.append(("measurement", _energy(energy_wh)))
    return "costAdditionalDetailLastPeriod", [*content, ("itemKind", kind), ("itemPeriod", _interval(*span))]


def _interval(start_s: int, end_s: int) -> list[Tree]:
    return [("duration", end_s - start_s), ("start", start_s)]


def _energy(energy_wh: int) -> list[Tree]:
    return [("powerOfTenMultiplier", 0), ("uom", _WH), ("value", _int48("energy_wh", energy_wh))]


def _int48(what: str, value: int) -> int:
    if abs(value) > MAX_INT48:
        raise BeyondGreenButtonError(what=what, value=value)
    return value


def _sum_wh(lines: Iterable[ReportLine]) -> int:
    return sum(line.energy_wh for line in lines)


def _rounded(amounts_e9: Iterable[int]) -> Iterator[int]:
    """Amounts in units of `COST_E9`, whose sums up to each are the exact sums, rounded half-up (N-2)."""
    exact_e9 = shown = 0
    for amount_e9 in amounts_e9:
        exact_e9 += amount_e9
        cost = half_up(exact_e9, COST_E9) // COST_E9 - shown
        shown += cost
        yield cost
