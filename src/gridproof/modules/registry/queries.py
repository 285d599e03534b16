"""What one may read of the registry; each query takes a view of the state first."""

from gridproof.state import Reader

from .checks import KEY_SIZE
from .lookups import enrolled_at, find_key, find_meter, find_month, find_participant, find_region, require_region
from .types import KEY_USES, METERS, MONTHS, PARTICIPANTS, REGIONS, KeyUse, Meter, Month, Participant, Region


def participant(view: Reader, number: int) -> Participant | None:
    """The participant of this id, or None."""
    return find_participant(view, number)


def participants(view: Reader) -> tuple[tuple[int, Participant], ...]:
    """All participants with their ids, ascending."""
    return tuple((number, known) for (number,), known in PARTICIPANTS.all(view))


def key(view: Reader, number: int, role: int) -> bytes | None:
    """The key that a participant has for a `KeyRole`, 32 bytes, or None."""
    return find_key(view, number, role)


def key_use(view: Reader, key_bytes: bytes) -> KeyUse | None:
    """Whose a key is or was, and for what; None where nobody ever brought it."""
    return KEY_USES.find(view, key_bytes) if len(key_bytes) == KEY_SIZE else None


def region(view: Reader, number: int) -> Region | None:
    """The region of this number, or None."""
    return find_region(view, number)


def regions(view: Reader) -> tuple[tuple[int, Region], ...]:
    """All regions with their numbers, ascending."""
    return tuple((number, known) for (number,), known in REGIONS.all(view))


def month(view: Reader, region_number: int, number: int) -> Month | None:
    """A region's month of this number (year x 12 + month - 1), or None."""
    return find_month(view, region_number, number)


def months(view: Reader, region_number: int) -> tuple[tuple[int, Month], ...]:
    """A region's months with their numbers, ascending.

    Raises:
        RegionUnknown: there is no such region.
    """
    require_region(view, region_number)
    return tuple((number, known) for (_, number), known in MONTHS.under(view, region_number))


def meter(view: Reader, handle: bytes) -> Meter | None:
    """The meter that stands or stood under this handle, or None."""
    return find_meter(view, handle)


def meters(view: Reader, region_number: int) -> tuple[tuple[bytes, Meter], ...]:
    """A region's meters with their handles, ended ones included, in the order of the handles.

    Raises:
        RegionUnknown: there is no such region.
    """
    require_region(view, region_number)
    return tuple((handle, known) for (handle,), known in METERS.all(view) if known.region == region_number)


def enrolled(view: Reader, region_number: int, channel: int, k: int) -> int:
    """How many meters are enrolled on a region's channel at period k; settled once the period has begun.

    Raises:
        RegionUnknown: there is no such region.
        CountForgotten: the period lies before the months whose counts are kept (R-20).
    """
    return enrolled_at(view, region_number, channel, k)
