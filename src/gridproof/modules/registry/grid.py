"""The rules of regions, months and meters (R-11 to R-20 in README.md)."""

from msgspec.structs import replace

from gridproof.domain import DomainError, MonthBounds, MonthId, ParticipantId, RegionId
from gridproof.state import Context

from .enrolment import NOBODY, changed_from, forgotten_before
from .errors import (
    BadMonthBounds,
    EndsBeforeItBegins,
    HandleUsed,
    MeterEnded,
    MeterUnknown,
    MonthAlreadyClosed,
    MonthOutOfOrder,
    MonthOverlaps,
    MonthStillRuns,
    MonthTooFarAhead,
    PeriodBegun,
    RegionExists,
)
from .lookups import require_month, require_region, require_role
from .messages import (
    AddRegion,
    EnrolMeter,
    MeterEnrolled,
    MeterRevoked,
    MonthOpened,
    OpenMonth,
    PrivacySet,
    RegionAdded,
    RevokeMeter,
    SetPrivacy,
    SwapMeter,
)
from .parameters import MONTH_AHEAD_S
from .ports import Tariffs
from .types import ENROLMENTS, LAST_MONTH, METERS, MONTHS, REGIONS, Meter, Month, Region, Role


class Grid:
    """Adds regions, opens and closes their months, and enrols their meters.

    Args:
        tariffs: keeps what months are opened with.
    """

    def __init__(self, tariffs: Tariffs) -> None:
        self._tariffs = tariffs

    # --- regions and months ----------------------------------------------------------------------------------------

    def add_region(self, ctx: Context, sender: ParticipantId, message: AddRegion) -> None:
        """Add a region and announce it.

        Raises:
            NotPermitted: `sender` is no operator (R-10).
            RegionExists: the number stands for a region already (R-13).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.OPERATOR)
        self.lay_region(ctx, message)

    def lay_region(self, ctx: Context, message: AddRegion) -> None:
        """Store a region; for `add_region` and the genesis.

        Raises:
            RegionExists: the number stands for a region already (R-13).
        """
        if REGIONS.has(ctx, message.region):
            raise RegionExists(region=message.region)
        region = Region(
            name=message.name,
            period_s=message.period_s,
            window_s=message.window_s,
            window_blocks=message.window_blocks,
            opening_s=message.opening_s,
            claim_s=message.claim_s,
            retention_months=message.retention_months,
            k_min=message.k_min,
            min_live_permille=message.min_live_permille,
        )
        REGIONS.put(ctx, message.region, value=region)
        ctx.emit(RegionAdded(message.region, message.name))

    def set_privacy(self, ctx: Context, sender: ParticipantId, message: SetPrivacy) -> None:
        """Change the privacy parameters of months that are opened from now on (R-14).

        Raises:
            NotPermitted: `sender` is no operator (R-10).
            RegionUnknown: there is no such region.

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.OPERATOR)
        region = require_region(ctx, message.region)
        changed = replace(region, k_min=message.k_min, min_live_permille=message.min_live_permille)
        REGIONS.put(ctx, message.region, value=changed)
        ctx.emit(PrivacySet(message.region, message.k_min, message.min_live_permille))

    def open_month(self, ctx: Context, sender: ParticipantId, message: OpenMonth) -> None:
        """Open a region's next month with the privacy parameters of this hour.

        Raises:
            NotPermitted: `sender` is no operator (R-10).
            RegionUnknown: there is no such region.
            MonthOutOfOrder: the number is not above the last one's (R-15).
            BadMonthBounds: the bounds are no month's (R-15).
            MonthOverlaps: it would begin before the last one ends (R-15).
            MonthTooFarAhead: it begins over 62 days from now (R-15).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.OPERATOR)
        region = require_region(ctx, message.region)
        last = LAST_MONTH.get(ctx, message.region, default=0)
        if message.month <= last:
            raise MonthOutOfOrder(region=message.region, month=message.month, last=last)
        bounds = MonthBounds(MonthId(message.month), message.start_s, message.end_s, region.period_s)
        try:
            bounds.validate()
        except DomainError as wrong:
            raise BadMonthBounds(detail=str(wrong)) from wrong
        last_end_s = MONTHS.get(ctx, message.region, last).end_s if last else 0
        if message.start_s < last_end_s:
            raise MonthOverlaps(region=message.region, start_s=message.start_s, last_end_s=last_end_s)
        latest_s = ctx.ledger_time_s + MONTH_AHEAD_S
        if message.start_s > latest_s:
            raise MonthTooFarAhead(start_s=message.start_s, latest_s=latest_s)

        opened = Month(
            message.start_s, message.end_s, region.k_min, region.min_live_permille, closed=False, previous=last
        )
        MONTHS.put(ctx, message.region, message.month, value=opened)
        LAST_MONTH.put(ctx, message.region, value=message.month)
        if message.tariff is not None:
            self._tariffs.begin(ctx, RegionId(message.region), bounds, message.tariff)
        ctx.emit(MonthOpened(message.region, message.month, message.start_s, message.end_s))

    def close_month(self, ctx: Context, region: int, month: int) -> None:
        """Mark a month as closed, and forget the counts of meters that no open month needs (R-16, R-20).

        Raises:
            RegionUnknown: there is no such region.
            MonthUnknown: it was not opened.
            MonthAlreadyClosed: it was closed before.
            MonthStillRuns: it has not ended yet.
        """
        period_s = require_region(ctx, region).period_s
        known = require_month(ctx, region, month)
        if known.closed:
            raise MonthAlreadyClosed(region=region, month=month)
        if ctx.ledger_time_s < known.end_s:
            raise MonthStillRuns(region=region, month=month, end_s=known.end_s, now_s=ctx.ledger_time_s)
        needed_from_s = min(other.start_s for _, other in MONTHS.under(ctx, region) if not other.closed)
        MONTHS.put(ctx, region, month, value=replace(known, closed=True))
        for key, enrolment in list(ENROLMENTS.under(ctx, region)):
            ENROLMENTS.put(ctx, *key, value=forgotten_before(enrolment, needed_from_s // period_s))

    # --- meters ----------------------------------------------------------------------------------------------------

    def enrol_meter(self, ctx: Context, sender: ParticipantId, message: EnrolMeter) -> None:
        """Enrol a meter from a period to come.

        Raises:
            NotPermitted: `sender` is no bill provider (R-10).
            RegionUnknown: there is no such region.
            HandleUsed: a meter stands or stood under the handle (R-17).
            PeriodBegun: the period has begun (R-18).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.BILL_PROVIDER)
        region = require_region(ctx, message.region)
        _require_to_come(ctx, region, message.from_k)
        _begin(ctx, message.meter, Meter(message.region, message.channels, message.from_k, until_k=0))

    def revoke_meter(self, ctx: Context, sender: ParticipantId, message: RevokeMeter) -> None:
        """End a meter's enrolment from a period to come.

        Raises:
            NotPermitted: `sender` is no bill provider (R-10).
            MeterUnknown: no meter was enrolled under the handle.
            MeterEnded: its enrolment has an end already (R-19).
            EndsBeforeItBegins: it would end before its first period (R-19).
            PeriodBegun: the period has begun (R-18).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.BILL_PROVIDER)
        self._end(ctx, message.meter, message.until_k)

    def swap_meter(self, ctx: Context, sender: ParticipantId, message: SwapMeter) -> None:
        """End one meter's enrolment and begin another's in its stead, at one period.

        Raises:
            NotPermitted: `sender` is no bill provider (R-10).
            MeterUnknown: no meter was enrolled under the old handle.
            MeterEnded: its enrolment has an end already (R-19).
            EndsBeforeItBegins: it would end before its first period (R-19).
            PeriodBegun: the period has begun (R-18).
            HandleUsed: a meter stands or stood under the new handle (R-17).

        Source: README.md, Messages.
        """
        require_role(ctx, sender, Role.BILL_PROVIDER)
        old = self._end(ctx, message.old, message.at_k)
        _begin(ctx, message.new, Meter(old.region, old.channels, message.at_k, until_k=0))

    def _end(self, ctx: Context, handle: bytes, until_k: int) -> Meter:
        meter = METERS.find(ctx, handle)
        if meter is None:
            raise MeterUnknown(meter=handle)
        if meter.until_k:
            raise MeterEnded(meter=handle, until_k=meter.until_k)
        if until_k < meter.from_k:
            raise EndsBeforeItBegins(meter=handle, from_k=meter.from_k, until_k=until_k)
        _require_to_come(ctx, REGIONS.get(ctx, meter.region), until_k)
        METERS.put(ctx, handle, value=replace(meter, until_k=until_k))
        _count(ctx, meter, until_k, by=-1)
        ctx.emit(MeterRevoked(handle, meter.region, until_k))
        return meter


def _begin(ctx: Context, handle: bytes, meter: Meter) -> None:
    if METERS.has(ctx, handle):
        raise HandleUsed(meter=handle)
    METERS.put(ctx, handle, value=meter)
    _count(ctx, meter, meter.from_k, by=1)
    ctx.emit(MeterEnrolled(handle, meter.region, meter.from_k))


def _count(ctx: Context, meter: Meter, k: int, *, by: int) -> None:
    for channel in meter.channels:
        enrolment = ENROLMENTS.get(ctx, meter.region, channel, default=NOBODY)
        ENROLMENTS.put(ctx, meter.region, channel, value=changed_from(enrolment, k, by))


def _require_to_come(ctx: Context, region: Region, k: int) -> None:
    start_s = k * region.period_s
    if start_s < ctx.ledger_time_s:
        raise PeriodBegun(k=k, start_s=start_s, now_s=ctx.ledger_time_s)
