"""`gridproof.toml`: a community's settings, from one table that checks, writes and documents them."""

from .errors import ConfigError, ConfigInvalidError, Fault, Faults, OptionsInvalidError
from .files import FILE_NAME, check, load, parse
from .settings import (
    Aggregator,
    Community,
    Content,
    Filters,
    Ledger,
    Meters,
    Paths,
    Privacy,
    Region,
    Settings,
    Spares,
    Windows,
)
from .table import Setting, settings_table
from .text import markdown, render

__all__ = [
    "FILE_NAME",
    "Aggregator",
    "Community",
    "ConfigError",
    "ConfigInvalidError",
    "Content",
    "Fault",
    "Faults",
    "Filters",
    "Ledger",
    "Meters",
    "OptionsInvalidError",
    "Paths",
    "Privacy",
    "Region",
    "Setting",
    "Settings",
    "Spares",
    "Windows",
    "check",
    "load",
    "markdown",
    "parse",
    "render",
    "settings_table",
]
