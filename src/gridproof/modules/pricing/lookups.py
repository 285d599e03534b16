"""Looking tariffs up: a month has few, each from a period on."""

from gridproof.domain import Tariff
from gridproof.state import Reader

from .types import STEPS, TARIFFS


def tariff_steps(view: Reader, region: int, month: int) -> list[tuple[int, Tariff]]:
    """A month's tariffs with the periods from which they are in force, ascending; none where it has no prices."""
    steps = STEPS.find(view, region, month)
    return [(from_k, TARIFFS.get(view, region, month, from_k)) for from_k in (steps.from_ks if steps else ())]


def find_tariff(view: Reader, region: int, month: int, k: int) -> Tariff | None:
    """The tariff in force at a period of a month, or None."""
    begun = [tariff for from_k, tariff in tariff_steps(view, region, month) if from_k <= k]
    return begun[-1] if begun else None
