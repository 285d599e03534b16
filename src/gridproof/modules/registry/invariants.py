"""What must hold for the registry after every block (README.md, Invariants)."""

from gridproof.domain import DomainError, MonthBounds, MonthId
from gridproof.errors import Refusal
from gridproof.state import Context, Violation

from .checks import require_key
from .enrolment import NOBODY, recount
from .lookups import operators
from .parameters import require_privacy
from .people import name_hash
from .types import (
    ENROLMENTS,
    KEY_USES,
    KEYS,
    LAST_MONTH,
    LAST_PARTICIPANT,
    METERS,
    MONTHS,
    NAMES,
    PARTICIPANTS,
    REGIONS,
    KeyRole,
    KeyUse,
    Month,
)


def ids_and_names_stand_for_one(ctx: Context) -> None:
    """Hold every id to at most the last one, and every name to one participant.

    Raises:
        Violation: an id is beyond the last, or the index of names does not fit the participants.
    """
    last = LAST_PARTICIPANT.get(ctx, default=0)
    named = {}
    for (participant,), known in PARTICIPANTS.all(ctx):
        if not 1 <= participant <= last:
            raise Violation(f"participant {participant} is beyond the last, {last}")
        if known.recovered_at > known.rotations:
            raise Violation(f"participant {participant} recovered after its last rotation")
        named[name_hash(known.name.encode())] = participant
    if named != {name: participant for (name,), participant in NAMES.all(ctx)}:
        raise Violation("the index of names does not fit the participants' names")


def keys_are_valid_and_used_once(ctx: Context) -> None:
    """Hold every key to its role's form and to one participant, and every participant to a transaction key.

    Raises:
        Violation: a key is malformed, held twice or unknown to the index, or a transaction key is missing.
    """
    seen: dict[bytes, int] = {}
    for (participant, role), key in KEYS.all(ctx):
        try:
            require_key(role, key)
        except Refusal as wrong:
            raise Violation(f"a key of participant {participant}: {wrong}") from wrong
        if key in seen:
            raise Violation(f"participants {seen[key]} and {participant} share a key")
        if not PARTICIPANTS.has(ctx, participant) or KEY_USES.find(ctx, key) != KeyUse(participant, role, 0):
            raise Violation(f"key {role} of participant {participant} is not in the index as its own")
        seen[key] = participant
    for (participant,), _ in PARTICIPANTS.all(ctx):
        if not KEYS.has(ctx, participant, KeyRole.TRANSACTION):
            raise Violation(f"participant {participant} has no transaction key")


def an_operator_remains(ctx: Context) -> None:
    """Hold the ledger to at least one operator.

    Raises:
        Violation: there is none.
    """
    if not operators(ctx):
        raise Violation("there is no operator")


def months_are_ordered_and_disjoint(ctx: Context) -> None:
    """Hold each region's months to valid bounds, ascending and apart, each naming the one before it.

    Raises:
        Violation: two overlap, a bound is invalid, or the chain of months is broken.
    """
    for (region,), known in REGIONS.all(ctx):
        number, end_s = 0, 0
        for (_, month), bounds in MONTHS.under(ctx, region):
            try:
                MonthBounds(MonthId(month), bounds.start_s, bounds.end_s, known.period_s).validate()
            except DomainError as wrong:
                raise Violation(f"month {month} of region {region}: {wrong}") from wrong
            if bounds.start_s < end_s or bounds.previous != number:
                raise Violation(f"month {month} of region {region} does not follow month {number}")
            number, end_s = month, bounds.end_s
        if LAST_MONTH.get(ctx, region, default=0) != number:
            raise Violation(f"the last month of region {region} is {number}, not the one that is named")


def privacy_keeps_its_floors(ctx: Context) -> None:
    """Hold the privacy parameters of every region and month to the floors.

    Raises:
        Violation: one is below its floor.
    """
    kept = [(f"region {region}", known.k_min, known.min_live_permille) for (region,), known in REGIONS.all(ctx)]
    kept += [
        (f"month {number} of region {region}", month.k_min, month.min_live_permille)
        for (region, number), month in MONTHS.all(ctx)
    ]
    for where, k_min, min_live_permille in kept:
        try:
            require_privacy(k_min, min_live_permille)
        except Refusal as wrong:
            raise Violation(f"{where}: {wrong}") from wrong


def enrolments_count_the_meters(ctx: Context) -> None:
    """Hold the steps of every channel to a count of its meters, as far back as they tell, and to what is still needed.

    Raises:
        Violation: the steps are another count, a count is negative, or an open month's counts were forgotten.
    """
    spans: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for _, meter in METERS.all(ctx):
        for channel in meter.channels:
            spans.setdefault((meter.region, channel), []).append((meter.from_k, meter.until_k))
    kept = dict(ENROLMENTS.all(ctx))
    for region, channel in sorted({*spans, *kept}):
        enrolment = kept.get((region, channel), NOBODY)
        counted = recount(spans.get((region, channel), ()), enrolment.known_from_k)
        if enrolment != counted:
            raise Violation(f"region {region}, channel {channel} counts {enrolment.steps}, not {counted.steps}")
        if any(count < 0 for _, count in enrolment.steps):
            raise Violation(f"region {region}, channel {channel} has a negative count of meters")
        period_s = REGIONS.get(ctx, region).period_s
        open_months: list[Month] = [month for _, month in MONTHS.under(ctx, region) if not month.closed]
        if any(month.start_s < enrolment.known_from_k * period_s for month in open_months):
            raise Violation(f"region {region}, channel {channel} forgot the counts of an open month")
