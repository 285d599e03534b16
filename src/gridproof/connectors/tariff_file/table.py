"""A table of a tariff's file, read entry by entry; what is wrong is noted with its place, and reading goes on.

Rules:
    F-1 A number is exact: a decimal with more places than its unit has is refused, never rounded.
    F-2 A key that nobody asked for is refused, and the nearest known one named.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import time
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from gridproof.connectors.config import Fault
from gridproof.domain import MAX_NAME, MAX_PRICE_E5, MAX_TOTAL_WH, TAX_WHOLE, is_name
from gridproof.domain.tariff import MAX_CHARGE_E9

MAX_DIGITS: Final = 40
MAX_SHOWN: Final = 60
STAND_IN: Final = "?"  # for a name that cannot be had, so that reading goes on
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})")


class Unit(NamedTuple):
    """What a number counts.

    Attributes:
        what: in words, `a price per kWh`.
        places: decimals that it may have.
        low: least value, in the smallest unit.
        high: greatest value.
        example: how one writes it.
    """

    what: str
    places: int
    low: int
    high: int
    example: str

    def __str__(self) -> str:
        low, high = (Decimal(end).scaleb(-self.places).normalize() for end in (self.low, self.high))
        return f"{self.what} from {low:f} to {high:f} with at most {self.places} decimals, such as {self.example}"


PRICE: Final = Unit("a price per kWh", 5, -MAX_PRICE_E5, MAX_PRICE_E5, "0.275")
LEVY: Final = Unit("a price per kWh", 5, 0, MAX_PRICE_E5, "0.085")
AMOUNT: Final = Unit("an amount", 9, 0, MAX_CHARGE_E9, "6.50")
STEP: Final = Unit("the smallest amount that is paid", 9, 1, MAX_CHARGE_E9, "0.05")
PERCENT: Final = Unit("a percentage", 2, 0, TAX_WHOLE, "8.1")
LOAD: Final = Unit("energy of one period in kWh", 3, 0, MAX_TOTAL_WH, "12.5")


class Table:
    """A table of the file.

    Args:
        raw: as TOML gives it.
        key: its place, `import.band[2]`; empty for the file itself.
        faults: where what is wrong is noted.
    """

    def __init__(self, raw: object, key: str, faults: list[Fault]) -> None:
        self.key = key
        self._faults = faults
        self._raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        self._is_table = isinstance(raw, dict)
        self._asked: dict[str, None] = {}
        if not self._is_table:
            self.fault("", f"{shown(raw)} is no table of entries")

    def place(self, name: str) -> str:
        """The place of an entry."""
        return ".".join(part for part in (self.key, name) if part)

    def fault(self, name: str, sentence: str) -> None:
        """Note what is wrong with an entry; with an empty name, with the table."""
        self._faults.append(Fault(self.place(name), sentence))

    @property
    def faults(self) -> int:
        """How many faults were noted in the whole file so far."""
        return len(self._faults)

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        self._asked[name] = None
        return name in self._raw

    def end(self) -> None:
        """Note the entries that nobody asked for (F-2)."""
        for name in self._raw:
            if name not in self._asked:
                close = get_close_matches(name, list(self._asked), 1, 0.5)
                hint = f"did you mean {close[0]}?" if close else f"known here are {', '.join(self._asked)}"
                self.fault(name, f"unknown key; {hint}")

    # --- entries -----------------------------------------------------------------------------------------------------

    def name(self, name: str = "name") -> str:
        """A name for people."""
        value = self._get(name, 'a name, such as "high"')
        if value is None:
            return STAND_IN
        if isinstance(value, str) and is_name(value) and value.isprintable():
            return value
        self.fault(name, f"{shown(value)} is not 1 to {MAX_NAME} printable characters without blanks at the ends")
        return STAND_IN

    def number(self, name: str, unit: Unit, default: int | None = None) -> int:
        """A number in its smallest unit (F-1).

        Args:
            name: of the entry.
            unit: what it counts.
            default: where the entry is not there; None where it must be.
        """
        if default is not None and not self.has(name):
            return default
        value = self._get(name, str(unit))
        decimal = None if value is None else _decimal(value)
        if value is not None and decimal is None:
            self.fault(name, f"{shown(value)} is not {unit}")
        if decimal is None:
            return unit.low
        if decimal.adjusted() > MAX_DIGITS or len(decimal.as_tuple().digits) > MAX_DIGITS:
            self.fault(name, f"{shown(value)} is not {unit}")
            return unit.low
        found = _units(decimal, unit.places)
        if found is None:
            self.fault(
                name, f"{shown(value)} has more than {unit.places} decimals, and nothing is rounded: write {unit}"
            )
            return unit.low
        if not unit.low <= found <= unit.high:
            self.fault(name, f"{shown(value)} is not {unit}")
            return unit.low
        return found

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of some words; the first one where it is none of them."""
        if default is not None and not self.has(name):
            return default
        value = self._get(name, f"one of {', '.join(choices)}")
        if value is not None and value not in choices:
            self.fault(name, f"{shown(value)} is not one of {', '.join(choices)}")
        return value if value in choices else choices[0]

    def flag(self, name: str) -> bool:
        """True or false; false where it is not there."""
        value = self._raw.get(name, False) if self.has(name) else False
        if not isinstance(value, bool):
            self.fault(name, f"{shown(value)} is neither true nor false")
        return value is True

    def cycle(self, name: str, words: Sequence[str], default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Days or months: `all`, one, several parted by commas, and stretches like `mon-fri`, which may wrap around.

        Args:
            name: of the entry.
            words: their names, in order.
            default: where the entry is not there; None for all.

        Returns:
            Their positions in `words`, ascending.
        """
        everything = tuple(range(len(words)))
        if not self.has(name):
            return everything if default is None else default
        value = self._raw[name]
        found = _positions(value, words) if isinstance(value, str) else None
        if found is None:
            wanted = f'"all", "{words[0]}-{words[4]}" or "{words[5]},{words[6]}" (of {" ".join(words)})'
            self.fault(name, f"{shown(value)} names none; write {wanted}")
        return found or everything

    def minute(self, name: str, default: int) -> int:
        """A time of the day in minutes."""
        if not self.has(name):
            return default
        value = self._raw[name]
        found = _minute(value)
        if found is None:
            self.fault(name, f'{shown(value)} is no time of the day; write it like "07:00", at most "24:00"')
            return default
        return found

    # --- tables below ------------------------------------------------------------------------------------------------

    def table(self, name: str) -> "Table | None":
        """The table of this name, where it is there."""
        return Table(self._raw[name], self.place(name), self._faults) if self.has(name) else None

    def tables(self, name: str, most: int) -> "list[Table]":
        """The tables of this name, `[[name]]`; none where there are none.

        Args:
            name: of the entry.
            most: so many at most.
        """
        found = self._raw[name] if self.has(name) else []
        if not isinstance(found, list):
            self.fault(name, f"there may be several of these: write [[{self.place(name)}]]")
            return []
        if len(found) > most:
            self.fault(name, f"there are {len(found)}, more than {most}")
        return [Table(each, f"{self.place(name)}[{at}]", self._faults) for at, each in enumerate(found[:most], 1)]

    def _get(self, name: str, wanted: str) -> Any:
        """An entry that must be there; None, and a fault, where it is not."""
        if not self.has(name):
            if self._is_table:
                self.fault(name, f"missing; it is {wanted}")
            return None
        return self._raw[name]


def shown(value: object) -> str:
    """A value as it stands in the file, shortened."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, int | Decimal) else repr(str(value))
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def exact(text: str) -> Decimal:
    """A decimal number of the file, exactly.

    Raises:
        ValueError: its exponent is beyond all reason.
    """
    try:
        return Decimal(text)
    except InvalidOperation as beyond:
        raise ValueError(f"{text[:MAX_SHOWN]} is too large or too small a number") from beyond


def _decimal(value: object) -> Decimal | None:
    """The number that is meant, exactly; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value if _NUMBER.fullmatch(value) else None
    if not isinstance(value, int | str | Decimal):
        return None
    decimal = Decimal(value)
    return decimal if decimal.is_finite() else None


def _units(value: Decimal, places: int) -> int | None:
    """A decimal in units of its last place, exactly; None where it has more places."""
    sign, digits, exponent = value.as_tuple()
    whole, shift = int("".join(map(str, digits))), int(exponent) + places
    if shift < -MAX_DIGITS:
        return None if whole else 0
    scale: int = 10 ** abs(shift)
    if shift < 0 and whole % scale:
        return None
    units = whole // scale if shift < 0 else whole * scale
    return -units if sign else units


def _positions(text: str, words: Sequence[str]) -> tuple[int, ...] | None:
    if text.strip().casefold() == "all":
        return tuple(range(len(words)))
    found: set[int] = set()
    for part in text.casefold().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in words or (dash and last not in words):
            return None
        start = words.index(first)
        length = (words.index(last) - start) % len(words) if dash else 0
        found |= {(start + step) % len(words) for step in range(length + 1)}
    return tuple(sorted(found))


def _minute(value: object) -> int | None:
    if isinstance(value, time):
        return None if value.second or value.microsecond else value.hour * 60 + value.minute
    parts = _TIME.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        return None
    hour, minute = int(parts[1]), int(parts[2])
    return hour * 60 + minute if (hour < 24 and minute < 60) or (hour, minute) == (24, 0) else None
