"""The table of settings as plain rows, read from the types in `settings`."""

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import inspect

from .errors import TableError
from .settings import Settings


class Setting(NamedTuple):
    """One setting.

    Attributes:
        section: its table in the file, such as `privacy`; for arrays of tables, `regions`.
        repeated: whether the table is one of an array, `[[regions]]`.
        key: its name within the table.
        meaning: what it is for.
        allowed: which values it takes, in words.
        unit: what a number counts; empty without one.
        required: whether the file must say it.
        default: the value if the file does not say it; None if it must.
    """

    section: str
    repeated: bool
    key: str
    meaning: str
    allowed: str
    unit: str
    required: bool
    default: Any


class SectionType(NamedTuple):
    """A table of the file.

    Attributes:
        name: as in the file.
        repeated: whether there may be several.
        meaning: what it holds.
        type: its struct as msgspec sees it.
        required: whether the file must have it.
    """

    name: str
    repeated: bool
    meaning: str
    type: inspect.StructType
    required: bool


ROOT: Final = inspect.type_info(Settings)


def section_types() -> tuple[SectionType, ...]:
    """The tables of the file, in order."""
    return tuple(_section(field) for field in struct(ROOT).fields)


def settings_table() -> tuple[Setting, ...]:
    """All settings, in the order of the file."""
    return tuple(
        Setting(
            section.name,
            section.repeated,
            field.encode_name,
            meaning(field.type),
            allowed(field.type),
            unit(field.type),
            field.required,
            None if field.required else field.default,
        )
        for section in section_types()
        for field in section.type.fields
    )


def struct(type_: inspect.Type) -> inspect.StructType:
    """The struct of a type that is one.

    Raises:
        TableError: it is none.
    """
    found = bare(type_)
    if not isinstance(found, inspect.StructType):
        raise TableError(what=f"{found} is no struct")
    return found


def bare(type_: inspect.Type) -> inspect.Type:
    """A type without its description."""
    return type_.type if isinstance(type_, inspect.Metadata) else type_


def meaning(type_: inspect.Type) -> str:
    """What a setting of this type is for."""
    described = type_.extra_json_schema if isinstance(type_, inspect.Metadata) else None
    return str((described or {}).get("description", ""))


def unit(type_: inspect.Type) -> str:
    """What a number of this type counts, or nothing."""
    return _extra(type_, "unit")


def allowed(type_: inspect.Type) -> str:
    """Which values a type takes, in words.

    Raises:
        TableError: no setting has such a type.
    """
    form, kind = _extra(type_, "form"), bare(type_)
    if form:
        return form
    if isinstance(kind, inspect.IntType):
        return f"a whole number from {kind.ge} to {kind.le}"
    if isinstance(kind, inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in kind.values)
    if isinstance(kind, inspect.VarTupleType):
        return f"a list, each {allowed(kind.item_type)}"
    raise TableError(what=f"{kind} has no words")


def _section(field: inspect.Field) -> SectionType:
    kind = bare(field.type)
    repeated = isinstance(kind, inspect.VarTupleType)
    inner = struct(kind.item_type if isinstance(kind, inspect.VarTupleType) else kind)
    words = " ".join((inner.cls.__doc__ or "").split())
    return SectionType(field.encode_name, repeated, words, inner, field.default is msgspec.NODEFAULT)


def _extra(type_: inspect.Type, name: str) -> str:
    extra = type_.extra if isinstance(type_, inspect.Metadata) else None
    return str((extra or {}).get(name, ""))
