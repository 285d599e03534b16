"""Why a file of a tariff is refused."""

from gridproof.connectors.config import Faults
from gridproof.errors import GridproofError


class TariffFileError(GridproofError):
    """The file of the tariff cannot be used."""


class TariffInvalidError(TariffFileError):
    """The tariff has faults; nothing was taken from it. Correct them; `gridproof tariff check` lists them."""

    path: str
    faults: Faults


class TariffMonthError(TariffFileError):
    """The tariff cannot be cut for this month; nothing was made of it. Correct what is named."""

    month: str
    detail: str
