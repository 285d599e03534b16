"""Looking things up: any number may be asked for, and one that fits no key is simply not there.

Other modules and clients hand numbers on as they came: what fits no key is refused by the name of what is missing.
"""

from gridproof.domain import METER_ID_SIZE, U16_MAX, U32_MAX, MonthBounds
from gridproof.state import Reader

from .enrolment import NOBODY, count_at
from .errors import CountForgotten, MonthUnknown, NoMonth, NotPermitted, ParticipantUnknown, RegionUnknown
from .types import (
    ENROLMENTS,
    KEYS,
    LAST_MONTH,
    METERS,
    MONTHS,
    PARTICIPANTS,
    REGIONS,
    KeyRole,
    Meter,
    Month,
    Participant,
    Region,
    Role,
)

U8_MAX = 2**8 - 1
_KEY_ROLES = tuple(KeyRole)  # every envelope is looked at, and an enumeration is slow to walk

# --- people --------------------------------------------------------------------------------------------------------


def find_participant(view: Reader, participant: int) -> Participant | None:
    """The participant of this id, or None."""
    return PARTICIPANTS.find(view, participant) if 0 <= participant <= U32_MAX else None


def require_participant(view: Reader, participant: int) -> Participant:
    """The participant of this id.

    Raises:
        ParticipantUnknown: there is none.
    """
    known = find_participant(view, participant)
    if known is None:
        raise ParticipantUnknown(participant=participant)
    return known


def require_role(view: Reader, participant: int, role: Role) -> None:
    """Return if a participant holds a role (rule R-10).

    Raises:
        NotPermitted: it does not, or there is no such participant; nothing changed.
    """
    known = find_participant(view, participant)
    if known is None or not known.roles & role:
        raise NotPermitted(participant=participant, needed=role.label)


def operators(view: Reader) -> list[int]:
    """The ids of all operators, ascending."""
    return [participant for (participant,), known in PARTICIPANTS.all(view) if known.roles & Role.OPERATOR]


def find_key(view: Reader, participant: int, role: int) -> bytes | None:
    """A participant's key for a `KeyRole`, 32 bytes, or None."""
    known = 0 <= participant <= U32_MAX and role in _KEY_ROLES
    return KEYS.find(view, participant, role) if known else None


# --- regions and months --------------------------------------------------------------------------------------------


def find_region(view: Reader, region: int) -> Region | None:
    """The region of this number, or None."""
    return REGIONS.find(view, region) if 0 <= region <= U16_MAX else None


def require_region(view: Reader, region: int) -> Region:
    """The region of this number.

    Raises:
        RegionUnknown: there is none.
    """
    known = find_region(view, region)
    if known is None:
        raise RegionUnknown(region=region)
    return known


def find_month(view: Reader, region: int, month: int) -> Month | None:
    """A region's month of this number, or None."""
    fits = 0 <= region <= U16_MAX and 0 <= month <= U32_MAX
    return MONTHS.find(view, region, month) if fits else None


def require_month(view: Reader, region: int, month: int) -> Month:
    """A region's month of this number.

    Raises:
        MonthUnknown: it was not opened.
    """
    known = find_month(view, region, month)
    if known is None:
        raise MonthUnknown(region=region, month=month)
    return known


def require_month_of(view: Reader, region: int, k: int) -> tuple[int, Month]:
    """A region's month that period k lies in, after its number.

    Months are walked from the last one back, since what is asked for is mostly of today.

    Raises:
        RegionUnknown: there is no such region.
        NoMonth: no month that was opened holds the period.
    """
    start_s = k * require_region(view, region).period_s
    number = LAST_MONTH.get(view, region, default=0)
    while number:
        month = MONTHS.get(view, region, number)
        if month.start_s <= start_s < month.end_s:
            return number, month
        number = month.previous if start_s < month.start_s else 0
    raise NoMonth(region=region, k=k)


# --- meters --------------------------------------------------------------------------------------------------------


def find_meter(view: Reader, meter: bytes) -> Meter | None:
    """The meter that stands or stood under this handle, or None."""
    return METERS.find(view, meter) if len(meter) == METER_ID_SIZE else None


def enrolled_at(view: Reader, region: int, channel: int, k: int) -> int:
    """How many meters are enrolled on a region's channel at period k; settled once the period has begun.

    Raises:
        RegionUnknown: there is no such region.
        CountForgotten: the period lies before the months whose counts are kept (R-20).
    """
    require_region(view, region)
    enrolment = ENROLMENTS.get(view, region, channel, default=NOBODY) if 0 <= channel <= U8_MAX else NOBODY
    if k < enrolment.known_from_k:
        raise CountForgotten(region=region, channel=channel, k=k, known_from_k=enrolment.known_from_k)
    return count_at(enrolment, k)


def count_meters_in(view: Reader, region: int, bounds: MonthBounds) -> int:
    """How many of a region's meters were enrolled for some period of a month."""
    return sum(
        meter.region == region
        and meter.from_k < bounds.end_k
        and not (meter.until_k and meter.until_k <= max(meter.from_k, bounds.first_k))
        for _, meter in METERS.all(view)
    )
