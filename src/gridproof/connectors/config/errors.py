"""Why a file of settings is refused."""

from typing import NamedTuple

from gridproof.errors import GridproofError


class Fault(NamedTuple):
    """One thing that is wrong with a file of settings.

    Attributes:
        key: where, as `privacy.k_min` or `regions[2].name` (counted from 1); empty for the file as a whole.
        sentence: what is wrong, and what would be right.
    """

    key: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.key}: {self.sentence}" if self.key else self.sentence


class Faults(tuple[Fault, ...]):
    """All that is wrong with a file of settings, in the order of its table."""

    __slots__ = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self))


class ConfigError(GridproofError):
    """The settings cannot be used."""


class ConfigInvalidError(ConfigError):
    """The settings have faults; nothing was taken from them. Correct them; `gridproof config check` lists them."""

    path: str
    faults: Faults


class OptionsInvalidError(ConfigError):
    """The options make no settings; nothing was made. Correct what is named."""

    faults: Faults


class TableError(ConfigError):
    """The table of settings has a type that it does not know: a mistake in gridproof, not in the file. Report it."""

    what: str
