"""The file of a tariff that a new community begins with."""

from typing import Final

_DEFAULT: Final = """\
# The community's tariff. `gridproof tariff check` checks this file, `gridproof tariff show` tells what is in force.
# A month is opened with the tariff that stands here; in an open month, `gridproof tariff change` changes it.
# Prices are in {currency} per kWh with at most 5 decimals, amounts in {currency}; nothing is rounded on the way.

# What people call the tariff; it stands on every bill.
name = "Community tariff"

# The sum of a bill is rounded to a multiple of this.
rounding = {rounding}

# What drawn energy costs. Schemes: "flat", "time-of-use", "linear" and "stepped" (by the region's total of a period).
[import]
scheme = "time-of-use"
# The price of a period without a total: too few meters were heard to tell one.
fallback = 0.1450

# Bands are in the community's own time. A period takes the band that holds when it begins.
[[import.band]]
name = "high"
price = 0.1650
days = "mon-fri"
from = "07:00"
to = "20:00"

# The band without times holds when no other does.
[[import.band]]
name = "low"
price = 0.1290

# What energy that is fed in earns.
[feed-in]
scheme = "flat"
price = 0.0900

# Due for each drawn kWh, whatever its price.
[[levy]]
name = "Grid usage and levies"
price = 0.1120

# Due for being connected; per = "month", "day" or "year".
[[standing]]
name = "Metering and service"
amount = 6.00
per = "month"

# A share of what is charged for drawn energy, levies and standing charges.
[[tax]]
name = "VAT"
percent = 8.10

# What a period costs for which a meter's records never came, or came late: meters that are silent cost all others.
[penalties]
missing = 0.02
late = 0.005
"""

_ROUNDINGS: Final = {"CHF": "0.05"}


def default_tariff(currency: str) -> str:
    """Write the file that a new community begins with, with a comment on each line.

    Args:
        currency: ISO 4217 code.
    """
    return _DEFAULT.format(currency=currency, rounding=_ROUNDINGS.get(currency, "0.01"))
