"""The demonstration's tariff, as a file of a tariff says it: drawn energy costs more, the more a region draws."""

from typing import Final

_LOW: Final = (1, 3)  # of the mean load: at and below this the low price holds
_HIGH: Final = (5, 2)  # at and above this the high one does

_TARIFF: Final = """\
# The tariff of the demonstration. What drawn energy costs goes with what the whole region draws in a period.
name = "By the region's load"
rounding = 0.05

[import]
scheme = "linear"
from_kwh = {low}
from_price = 0.1200
to_kwh = {high}
to_price = 0.3600
# The price of a period without a total: too few meters were heard to tell one.
fallback = 0.2200

[feed-in]
scheme = "flat"
price = 0.0900
fallback = 0.0800

[[levy]]
name = "Grid usage and levies"
price = 0.0850

[[standing]]
name = "Metering and service"
amount = 6.00
per = "month"

[[tax]]
name = "VAT"
percent = 8.10

[penalties]
missing = 0.02
late = 0.005
"""


def tariff_for(mean_wh: int) -> bytes:
    """Write the tariff's file, so that prices move with the loads that are to come.

    Args:
        mean_wh: what a region draws in a period on average.
    """
    low, high = (mean_wh * share // whole for share, whole in (_LOW, _HIGH))
    return _TARIFF.format(low=_kwh(low), high=_kwh(max(high, low + 1))).encode()


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh // 1_000}.{energy_wh % 1_000:03d}"
