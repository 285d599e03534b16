"""Checking settings: every fault at once, each with the key it concerns.

Rules:
    G-1 A key that the table does not know is refused, and the nearest known one named.
    G-2 A value has the table's type exactly (no text for a number, no true for 1) and lies within its limits.
    G-3 The zone exists; names, numbers and paths are unique; aggregators serve regions that exist, and each region has
        one. A ledger that is a network has nodes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from msgspec import inspect

from gridproof.calendar import Calendar, UnknownZoneError

from .errors import Fault, Faults
from .settings import Paths
from .table import ROOT, allowed, bare, section_types

_CLEARLY: Final = 0.1
_SECTIONS: Final = tuple(section.name for section in section_types())
_ANY_PERIOD_S: Final = 900
_MAX_SHOWN: Final = 60
_SIGNED_IN: Final = re.compile(r"//[^/]*@")  # a name and password in an address: no business of a terminal
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number",
    str: "text",
    list: "a list",
    dict: "a table",
}


def faults_of(raw: Mapping[str, Any]) -> Faults:
    """Name all that is wrong with settings.

    Args:
        raw: the file as TOML gives it.
    """
    return Faults(
        [*_check(raw, ROOT, ""), *_check_zone(raw), *_check_people(raw), *_check_nodes(raw), *_check_paths(raw)]
    )


# --- G-1 and G-2: keys, types, limits ------------------------------------------------------------------------------


def _check(value: object, type_: inspect.Type, key: str) -> Iterator[Fault]:
    kind = bare(type_)
    if isinstance(kind, inspect.StructType):
        yield from _check_struct(value, kind, key)
    elif isinstance(kind, inspect.VarTupleType):
        yield from _check_list(value, type_, kind, key)
    elif not _CHECKS[type(kind)](value, kind):
        yield Fault(key, f"{_shown(value)} is not {allowed(type_)}")


def _check_struct(value: object, kind: inspect.StructType, key: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(key, f"this is {_kind(value)}, not a table of settings")
        return
    known = {field.encode_name: field for field in kind.fields}
    for name in value:
        if name not in known:
            yield Fault(_below(key, name), f"unknown key; {_nearest(name, tuple(known), key)}")
    for name, field in known.items():
        if name in value:
            yield from _check(value[name], field.type, _below(key, name))
        elif field.required:
            yield Fault(_below(key, name), f"missing; it is {_needed(field.type)}")


def _check_list(value: object, type_: inspect.Type, kind: inspect.VarTupleType, key: str) -> Iterator[Fault]:
    item = kind.item_type
    tables = isinstance(bare(item), inspect.StructType)
    if not isinstance(value, list):
        wanted = f"tables: write [[{key}]]" if tables else allowed(type_)
        yield Fault(key, f"this is {_kind(value)}, not {wanted}")
        return
    if kind.min_length is not None and len(value) < kind.min_length:
        yield Fault(key, f"there must be at least {kind.min_length}")
    if kind.max_length is not None and len(value) > kind.max_length:
        yield Fault(key, f"there are {len(value)}, more than {kind.max_length}")
    for number, each in enumerate(value, 1):
        yield from _check(each, item, f"{key}[{number}]")


def _is_int(value: object, kind: inspect.IntType) -> bool:
    if type(value) is not int:
        return False
    return (kind.ge is None or value >= kind.ge) and (kind.le is None or value <= kind.le)


def _is_text(value: object, kind: inspect.StrType) -> bool:
    if not isinstance(value, str) or (kind.max_length is not None and len(value) > kind.max_length):
        return False
    return kind.pattern is None or re.search(kind.pattern, value) is not None


def _is_choice(value: object, kind: inspect.LiteralType) -> bool:
    return any(type(value) is type(choice) and value == choice for choice in kind.values)


_CHECKS: Final[Mapping[type[inspect.Type], Callable[[object, Any], bool]]] = {
    inspect.IntType: _is_int,
    inspect.StrType: _is_text,
    inspect.LiteralType: _is_choice,
}


def _needed(type_: inspect.Type) -> str:
    kind = bare(type_)
    if isinstance(kind, inspect.StructType):
        return "a table of settings"
    if isinstance(kind, inspect.VarTupleType) and isinstance(bare(kind.item_type), inspect.StructType):
        return "one table or more"
    return allowed(type_)


def _nearest(name: str, siblings: Sequence[str], key: str) -> str:
    """Name the known key that was most likely meant: a sibling, unless one elsewhere is clearly more alike."""
    elsewhere = [(section.name, field.encode_name) for section in section_types() for field in section.type.fields]
    sibling = max(siblings, key=lambda known: _likeness(name, known))
    section, other = max(elsewhere, key=lambda place: _likeness(name, place[1]))
    if key and name in _SECTIONS:
        return f"[{name}] stands for itself, outside [{key}]"
    if _likeness(name, other) > _likeness(name, sibling) + _CLEARLY:
        return f"did you mean {section}.{other}?"
    return f"did you mean {_below(key, sibling)}?"


def _likeness(name: str, known: str) -> float:
    return SequenceMatcher(None, name.casefold(), known).ratio()


# --- G-3: the settings together ------------------------------------------------------------------------------------


def _check_zone(raw: Mapping[str, Any]) -> Iterator[Fault]:
    zone = _table(raw, "community").get("zone")
    if isinstance(zone, str):
        try:
            Calendar(zone, _ANY_PERIOD_S)
        except UnknownZoneError as unknown:
            hint = f"; close to it: {', '.join(unknown.close)}" if unknown.close else ""
            yield Fault("community.zone", f"{_shown(zone)} is no zone of the IANA database{hint}")


def _check_people(raw: Mapping[str, Any]) -> Iterator[Fault]:
    regions, aggregators = _tables(raw, "regions"), _tables(raw, "aggregators")
    yield from _repeated("regions", "number", regions)
    yield from _repeated("regions", "name", regions)
    yield from _repeated("aggregators", "name", aggregators)
    numbers = [region.get("number") for region in regions]
    served: list[object] = []
    for place, aggregator in enumerate(aggregators, 1):
        listed = aggregator.get("regions", [])
        if not isinstance(listed, list):
            return
        served += listed or numbers
        for number in listed:
            if number not in numbers:
                yield Fault(f"aggregators[{place}].regions", f"there is no region {_shown(number)}")
    for place, number in enumerate(numbers, 1):
        if aggregators and number is not None and number not in served:
            yield Fault(f"regions[{place}]", f"no data aggregator serves region {_shown(number)}")


def _check_nodes(raw: Mapping[str, Any]) -> Iterator[Fault]:
    ledger = _table(raw, "ledger")
    nodes = ledger.get("nodes", [])
    if ledger.get("kind") == "network" and nodes == []:
        yield Fault("ledger.nodes", "a network has at least one node; name its address")
    if isinstance(nodes, list):
        for place, node in enumerate(nodes, 1):
            if node in nodes[: place - 1]:
                yield Fault(f"ledger.nodes[{place}]", f"{_shown(node)} is named twice")


def _check_paths(raw: Mapping[str, Any]) -> Iterator[Fault]:
    given = _table(raw, "paths")
    paths = {name: given.get(name, default) for name, default in _default_paths().items()}
    taken: dict[str, str] = {}
    for name, path in paths.items():
        if not isinstance(path, str):
            continue
        other = taken.setdefault(path.strip("/"), name)
        if other != name:
            yield Fault(f"paths.{name}", f"{_shown(path)} is taken by paths.{other}")


def _default_paths() -> dict[str, str]:
    defaults = Paths()
    return {name: getattr(defaults, name) for name in Paths.__struct_fields__}


def _repeated(section: str, key: str, tables: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    values = [table.get(key) for table in tables]
    for place, value in enumerate(values, 1):
        first = values.index(value) + 1
        if value is not None and first < place:
            yield Fault(f"{section}[{place}].{key}", f"{_shown(value)} is taken by {section}[{first}]")


def _table(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name, {})
    return found if isinstance(found, dict) else {}


def _tables(raw: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = raw.get(name, [])
    return [each if isinstance(each, dict) else {} for each in found] if isinstance(found, list) else []


# --- words ---------------------------------------------------------------------------------------------------------


def _below(key: str, name: str) -> str:
    plain = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _shown(name)
    return f"{key}.{plain}" if key else plain


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _shown(value: object) -> str:
    if not isinstance(value, bool | int | float | str):
        return _kind(value)
    shown = str(value).lower() if isinstance(value, bool) else _SIGNED_IN.sub("//…@", repr(value))
    return shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"
