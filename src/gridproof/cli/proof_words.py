"""What a proof shows, in words with units; and as JSON, where numbers stay whole ones of smallest units.

What nobody has a sentence for is told field by field: by this project's convention a field's name says its unit.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console

from . import tariff_words
from .console import table
from .tariff_words import money

if TYPE_CHECKING:
    from gridproof.actors.proof_file import ProvenReading
    from gridproof.actors.proofs.statements import Shown
    from gridproof.modules.aggregation.types import SlotState
    from gridproof.modules.pricing.types import FoldedPrice, Price

Lines = Iterator[str]

NAMES: Final = MappingProxyType(
    {"k": "period", "bid": "bill id", "prid": "one-time identity", "from_k": "from period", "until_k": "until period"}
)
INSTANTS: Final = frozenset({"start_s", "end_s", "registered_s", "replaced_s"})
END_OF_DATES_S: Final = 253_402_300_800  # the year 10000, which no date has


def told(shown: "Shown") -> dict[str, Any]:
    """What a proof shows, for programs."""
    from gridproof.actors.proofs.statements import plain
    from gridproof.domain import Tariff

    found = tariff_words.told(shown.found) if isinstance(shown.found, Tariff) else plain(shown.found)
    return {"kind": shown.kind, "about": plain(shown.about), "found": found}


def say(words: Console, shown: "Shown", period_s: int | None) -> None:
    """Print what a proof shows.

    Args:
        words: where to.
        shown: what it is.
        period_s: length of a period in seconds, where the proof tells it.
    """
    from gridproof.actors.proofs.statements import FOLDS
    from gridproof.domain import Tariff

    about = ", ".join(f"{_label(name)} {_value(name, value)}" for name, value in shown.about.items())
    words.print(f"{shown.kind}: {about}" if about else shown.kind, markup=False)
    if shown.found is None:
        own = f" of its own: {shown.kind}s of a closed month lie in its fold" if shown.kind in FOLDS else ""
        words.print(f"  the ledger has nothing there{own}")
    elif isinstance(shown.found, Tariff):
        tariff_words.say_parts(words, shown.found)
    elif shown.kind == "records" and period_s:
        say_readings(words, shown.found["readings"], period_s)
        words.print(f"{summed(shown.found['readings'])}.")
    else:
        for line in SENTENCES.get(shown.kind, _fields)(shown.found):
            words.print(f"  {line}", markup=False)


def say_readings(words: Console, readings: "list[ProvenReading]", period_s: int) -> None:
    """Print a household's own readings.

    Args:
        words: where to.
        readings: those that hold.
        period_s: length of a period in seconds.
    """
    shown = table("channel", "period from (UTC)", "#Wh", "slot", "in its total")
    counted = {True: "yes", False: "left out", None: "not told"}
    for each in readings:
        start = datetime.fromtimestamp(each.slot.k * period_s, UTC)
        when, energy = f"{start:%Y-%m-%d %H:%M}", f"{each.energy_wh:,}"
        shown.add_row(each.slot.channel.label, when, energy, str(each.status), counted[each.counted])
    words.print(shown)


def summed(readings: "list[ProvenReading]") -> str:
    """How many readings there are, and what they come to."""
    return f"{len(readings)} readings, {sum(each.energy_wh for each in readings):,} Wh"


# --- sentences -------------------------------------------------------------------------------------------------------


def _price(price: "Price | FoldedPrice") -> Lines:
    per_kwh = f"{money(price.price_e5, 5, 4)} per kWh"
    if price.fallback:
        yield f"{per_kwh}, which the tariff names for a slot without a total"
        return
    total_wh = getattr(price, "total_wh", None)  # of a closed month, the total has a proof of its own
    yield per_kwh if total_wh is None else f"{per_kwh}, as it follows from a total of {total_wh:,} Wh"


def _total(state: "SlotState") -> Lines:
    from gridproof.modules.aggregation.types import Status

    if state.status == Status.OPENED:
        yield f"{state.total_wh:,} Wh, the sum of {state.live_pairs} meters; {state.enrolled} are enrolled"
    elif state.status == Status.SEALED:
        few = f"{state.live_pairs} of {state.enrolled} meters are too few to hide one another"
        yield f"no total, for good: the slot is sealed, for {few}"
    elif state.status == Status.VOID:
        why = "its masks were not opened in time" if state.batches else "nobody sent anything for it"
        yield f"no total, for good: the slot is void, for {why}"
    else:
        yield f"no total yet: the slot is {Status(state.status)}"
    yield f"{state.filled_count:,} records in {len(state.batches):,} batches"


def _record(found: Mapping[str, Any]) -> Lines:
    from gridproof.modules.aggregation.types import Status

    counted = {True: "it is in the total", False: "it was left out of the total", None: "nobody has said what counts"}
    yield f"it stands in batch {found['batch']}, which participant {found['aggregator']} brought"
    yield f"the slot is {Status(found['status'])}; {counted[found['counted']]}"


def _validator(found: Mapping[str, Any]) -> Lines:
    yield f"it votes with {found['power']:,} of {found['total_power']:,} power, by the key {found['key'].hex()}"


def _bill(found: Mapping[str, Any]) -> Lines:
    due = f"{money(found['payable_e9'], 9)} {found['currency']}"
    yield f"the bill of {found['household']}, all true; to be paid are {due}"


def _claim(aggregator: int) -> Lines:
    yield f"participant {aggregator} gave a receipt for the record and did not bring it"


SENTENCES: Final[Mapping[str, Callable[[Any], Lines]]] = MappingProxyType(
    {"price": _price, "total": _total, "record": _record, "validator": _validator, "whole-bill": _bill, "claim": _claim}
)


# --- field by field --------------------------------------------------------------------------------------------------


def _fields(found: Any) -> Lines:
    """A record's or an object's fields, one a line, what lies in them further in."""
    names = found.__struct_fields__ if isinstance(found, msgspec.Struct) else found
    for name in names:
        value = getattr(found, name) if isinstance(found, msgspec.Struct) else found[name]
        parts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(each, msgspec.Struct) for each in parts):
            for each in parts:
                yield f"{_label(name)}: {'; '.join(_fields(each))}"
        else:
            yield f"{_label(name)}: {', '.join(_value(name, each) for each in parts) or 'none'}"


def _label(name: str) -> str:
    if name in NAMES:
        return NAMES[name]
    return name.removesuffix("_s").removesuffix("_wh").removesuffix("_permille").replace("_", " ")


def _value(name: str, value: Any) -> str:
    from gridproof.domain import Direction, MonthId, month_label

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return value.hex() or "none"
    if not isinstance(value, int):
        return str(value)
    if name in ("channel", "channels") and value in set(Direction):
        return Direction(value).label
    if name in ("month", "previous", "until_k") and not value:
        return "none"
    if name in ("month", "previous"):
        return month_label(MonthId(value))
    if name in ("role", "roles"):
        return _roles(name, value)
    return _counted(name, value)


def _counted(name: str, value: int) -> str:
    if name in INSTANTS and value < END_OF_DATES_S:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC" if value else "never"
    if name.endswith("_s"):
        return f"{value:,} s"
    if name.endswith("_permille"):
        return f"{value / 10:g} %"
    return str(value)


def _roles(name: str, value: int) -> str:
    from gridproof.modules.registry.types import KeyRole, Role

    if name == "role":
        return KeyRole(value).label if value in set(KeyRole) else str(value)
    return ", ".join(each.label.replace("_", " ") for each in Role if value & each) or "none"
