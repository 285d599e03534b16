"""`tariff.toml`: a community's tariff as people write it, checked, and cut into months for the ledger."""

from .errors import TariffFileError, TariffInvalidError, TariffMonthError
from .plan import BandPlan, ChannelPlan, Per, StandingPlan, TariffPlan, TimeBands, Window
from .reading import FILE_NAME, check_tariff, load_tariff, parse_tariff, read_tariff
from .text import default_tariff

__all__ = [
    "FILE_NAME",
    "BandPlan",
    "ChannelPlan",
    "Per",
    "StandingPlan",
    "TariffFileError",
    "TariffInvalidError",
    "TariffMonthError",
    "TariffPlan",
    "TimeBands",
    "Window",
    "check_tariff",
    "default_tariff",
    "load_tariff",
    "parse_tariff",
    "read_tariff",
]
