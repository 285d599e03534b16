"""A region's parameters: their limits, their defaults, and the floors of privacy that no operator can lower.

Limits are part of consensus. A default counts where a genesis section leaves a parameter out.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from gridproof.domain import PERIODS_S, SECONDS_PER_DAY

from .errors import OutOfLimits, PeriodUnsupported, PrivacyTooWeak

DEFAULT_PERIOD_S: Final = 900
MONTH_AHEAD_S: Final = 62 * SECONDS_PER_DAY


class Parameter(NamedTuple):
    """Limits of a parameter, both included, and its default."""

    low: int
    high: int
    default: int


PARAMETERS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "window_s": Parameter(60, 7 * SECONDS_PER_DAY, 3_600),
        "window_blocks": Parameter(0, 1_000, 1),
        "opening_s": Parameter(60, 90 * SECONDS_PER_DAY, 7 * SECONDS_PER_DAY),
        "claim_s": Parameter(60, 90 * SECONDS_PER_DAY, 7 * SECONDS_PER_DAY),
        "retention_months": Parameter(1, 240, 24),
    }
)
PRIVACY: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "k_min": Parameter(3, 1_000_000, 5),
        "min_live_permille": Parameter(500, 1_000, 800),
    }
)


def require_period(period_s: int) -> None:
    """Return if the ledger knows periods of this length (rule R-11).

    Raises:
        PeriodUnsupported: it does not.
    """
    if period_s not in PERIODS_S:
        raise PeriodUnsupported(period_s=period_s, supported=PERIODS_S)


def require_parameters(values: Mapping[str, int]) -> None:
    """Return if every parameter lies within its limits (rule R-11).

    Args:
        values: by the names in `PARAMETERS`.

    Raises:
        OutOfLimits: one does not.
    """
    for name, value in values.items():
        limits = PARAMETERS[name]
        if not limits.low <= value <= limits.high:
            raise OutOfLimits(parameter=name, value=value, low=limits.low, high=limits.high)


def require_privacy(k_min: int, min_live_permille: int) -> None:
    """Return if the privacy parameters keep their floors and limits (rule R-12).

    Args:
        k_min: the fewest live pairs for which a total comes out.
        min_live_permille: the least live share, in 1/1000.

    Raises:
        PrivacyTooWeak: one is below its floor.
        OutOfLimits: one is above its limit.
    """
    for name, value in (("k_min", k_min), ("min_live_permille", min_live_permille)):
        limits = PRIVACY[name]
        if value < limits.low:
            raise PrivacyTooWeak(parameter=name, value=value, floor=limits.low)
        if value > limits.high:
            raise OutOfLimits(parameter=name, value=value, low=limits.low, high=limits.high)
