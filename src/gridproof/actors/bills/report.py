"""The bill report: what a household's bill says, as canonical JSON.

The document's form is published as a JSON schema (`docs/schema/bill-report-1.json`, made by `tools/schemas.py`). A form
that was published never changes; a new one takes a new version.

Rules:
    P-1 Keys are sorted, there is no blank, numbers are whole: a report has one encoding (RFC 8785 for what is in it).
    P-2 Amounts are what they add to the bill, in 1e-9 of the currency; energy fed in and credits are negative.
    P-3 A slot is named by its period k and its start in UTC epoch seconds; people's days and months are cut in `zone`.
    P-4 Every slot in which the meter was enrolled stands in its channel once: as a line or as an absence.

Source: seed 002, dynamic billing phase, step d.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gridproof.errors import GridproofError

FORMAT: Final = "gridproof-bill"
VERSION: Final = 1

Hex16 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z", description="16 bytes in hexadecimal digits")]
Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z", description="32 bytes in hexadecimal digits")]
Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z", description="64 bytes in hexadecimal digits")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Amount = Annotated[int, Meta(ge=-(2**62), le=2**62, description="1e-9 of the currency")]
Price = Annotated[int, Meta(ge=-(10**9), le=10**9, description="1e-5 of the currency per kWh")]
ChannelName = Literal["import", "export"]
Month = Annotated[str, Meta(pattern=r"\A[0-9]{4}-(0[1-9]|1[0-2])\Z")]


class ReportFormatError(GridproofError):
    """This is no bill report of a known form. Have the bill published again, or use the release that wrote it."""

    detail: str


class _Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An object of the document."""


class ReportLine(_Object, frozen=True):
    """A slot's line: `amount_e9 = energy_wh x price_e5 x 10`, negative on the channel export.

    Attributes:
        k: index of the period.
        start_s: its start, UTC epoch seconds.
        energy_wh: Wh.
        price_e5: the slot's price.
        fallback: whether that is the tariff's fallback price, the slot having no total.
        late: whether a record came late, into the side batch, and no aggregator is to blame: none was proved to have
            dropped it, and batches of others came in time.
        amount_e9: what it adds to the bill.
        prids: one-time identities of the two records.
    """

    k: Count
    start_s: Count
    energy_wh: Count
    price_e5: Price
    fallback: bool
    late: bool
    amount_e9: Amount
    prids: tuple[Hex32, Hex32]


class ReportAbsence(_Object, frozen=True):
    """A slot without a line.

    Attributes:
        k: index of the period.
        start_s: its start, UTC epoch seconds.
        why: `silent` (no records came), `dropped` (an aggregator had signed for them), `excluded` (they cannot be
            true), `void` (no batch came for anybody).
        penalty_e9: what it costs.
        leaves: data of the two roster leaves that were the meter's.
    """

    k: Count
    start_s: Count
    why: Literal["silent", "dropped", "excluded", "void"]
    penalty_e9: Amount
    leaves: tuple[Hex32, Hex32]


class ReportRegister(_Object, frozen=True):
    """The meter's signed cumulative register at both ends of the stretch.

    Attributes:
        start_k: period at whose start the first value was read.
        end_k: period at whose start the second one was.
        start_wh: first value, Wh.
        end_wh: second value, Wh.
        carried_wh: billed since the first value in earlier months without a signed register.
        recorded_wh: billed by this report's lines.
        reconciled_wh: the rest, billed by a charge of the kind `reconciliation`.
        signature: the meter's, by the key that the month's card names.
    """

    start_k: Count
    end_k: Count
    start_wh: Count
    end_wh: Count
    carried_wh: Count
    recorded_wh: Count
    reconciled_wh: Count
    signature: Hex64


class ReportChannel(_Object, frozen=True):
    """A channel of the household.

    Attributes:
        channel: `import` or `export`.
        lines: by period.
        absences: by period.
        register: what the meter signed; null where it signed nothing, so that nothing was reconciled.
        leaf_proof: with the leaves of all lines and absences it leads to the card's root (RFC 6962 multi-proof).
    """

    channel: ChannelName
    lines: tuple[ReportLine, ...]
    absences: tuple[ReportAbsence, ...]
    register: ReportRegister | None
    leaf_proof: tuple[Hex32, ...]


class ReportCharge(_Object, frozen=True):
    """A component of the bill.

    Attributes:
        kind: what it is for.
        name: of the levy, standing charge or tax; `missing` or `late` of a penalty; `energy` or `levies` of what was
            reconciled; empty otherwise.
        channel: the channel that it belongs to.
        from_k: first period that it is for.
        until_k: first period that it is no longer for.
        quantity: Wh of energy, levies and reconciliation; seconds of a standing charge; slots of a penalty; the base in
            1e-9 of the currency of a tax.
        rate: 1e-5 per kWh of levies and reconciliation; 1e-9 for the tariff's unit of time of a standing charge; 1e-9 a
            slot of a penalty; 1/10,000 of a tax; 0 where each slot has its own.
        amount_e9: what it adds to the bill.
    """

    kind: Literal["energy", "feed_in", "levy", "standing", "reconciliation", "penalty", "tax"]
    name: str
    channel: ChannelName
    from_k: Count
    until_k: Count
    quantity: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    rate: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    amount_e9: Amount


class ReportTariff(_Object, frozen=True):
    """A tariff that was in force, and from which period on."""

    from_k: Count
    name: str


class ReportHistory(_Object, frozen=True):
    """An earlier month of the same meter.

    Attributes:
        month: `2025-09`.
        import_wh: drawn, reconciled energy included, Wh.
        export_wh: fed in, likewise.
        total_e9: sum of the bill.
        payable_e9: as it was to be paid.
    """

    month: Month
    import_wh: Count
    export_wh: Count
    total_e9: Amount
    payable_e9: Amount


class Report(_Object, frozen=True, kw_only=True):
    """A household's bill of a month.

    Attributes:
        format: `gridproof-bill`.
        version: of this form.
        chain_id: of the ledger.
        community: name of the community.
        region: number of the region.
        region_name: its name.
        zone: IANA time zone in which people's days and months are cut.
        currency: ISO 4217 code.
        rounding_e9: the payable sum is a multiple of this.
        household: the meter's name among people.
        meter: its handle on the ledger.
        bid: billing identity of this month.
        bill_version: 1 for the first bill; each correction has the next number and replaces the one before.
        made_s: ledger time at which it was made, UTC epoch seconds.
        month: `2025-10`.
        month_start_s: the month's first instant, UTC epoch seconds.
        month_end_s: first instant after it.
        period_s: length of a period in seconds.
        from_k: first period in which the meter was enrolled.
        until_k: first period in which it no longer was, at most the month's end.
        tariffs: those in force.
        channels: what the meter reports.
        charges: the components; they add up to `total_e9`.
        total_e9: the bill's sum.
        payable_e9: as it is to be paid; negative where the household gets it.
        history: earlier months, oldest first.
    """

    format: Literal["gridproof-bill"] = FORMAT
    version: Literal[1] = VERSION
    chain_id: str
    community: str
    region: Count
    region_name: str
    zone: str
    currency: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
    rounding_e9: Count
    household: str
    meter: Hex16
    bid: Hex32
    bill_version: Annotated[int, Meta(ge=1, le=65_535)]
    made_s: Count
    month: Month
    month_start_s: Count
    month_end_s: Count
    period_s: Count
    from_k: Count
    until_k: Count
    tariffs: tuple[ReportTariff, ...]
    channels: tuple[ReportChannel, ...]
    charges: tuple[ReportCharge, ...]
    total_e9: Amount
    payable_e9: Amount
    history: tuple[ReportHistory, ...]

    def channel(self, name: str) -> ReportChannel | None:
        """The channel of this name, or None where the household has none."""
        return next((each for each in self.channels if each.channel == name), None)


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(Report)


def encode_report(report: Report) -> bytes:
    """The report's one encoding (P-1)."""
    return _ENCODER.encode(report)


def decode_report(raw: bytes) -> Report:
    """Read a report.

    Raises:
        ReportFormatError: it is no report, of an unknown version, or not in its one encoding.
    """
    try:
        report = _DECODER.decode(raw)
    except msgspec.MsgspecError as wrong:
        raise ReportFormatError(detail=str(wrong)) from wrong
    if encode_report(report) != raw:
        raise ReportFormatError(detail="it is not in its canonical encoding")
    return report
