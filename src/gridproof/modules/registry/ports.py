"""What the registry needs of others."""

from typing import Protocol

from gridproof.domain import MonthBounds, RegionId, Tariff
from gridproof.state import Context


class Tariffs(Protocol):
    """Who keeps the tariffs that months are opened with (served by pricing)."""

    def begin(self, ctx: Context, region: RegionId, bounds: MonthBounds, tariff: Tariff) -> None:
        """Keep the tariff that a month begins with; it passed `require_tariff`."""


class NoTariffs:
    """Keeps no tariffs: for a ledger that counts and does not bill."""

    def begin(self, ctx: Context, region: RegionId, bounds: MonthBounds, tariff: Tariff) -> None:
        """Nothing is kept."""
