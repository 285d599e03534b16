"""The table of settings as people read it: the commented file, and the page of the documentation."""

import json
from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap
from typing import Any, Final

import msgspec

from .settings import Settings
from .table import SectionType, Setting, section_types, settings_table

_WIDTH: Final = 100
_HEAD: Final = "Settings of a gridproof community. Check them with `gridproof config check`."


def render(settings: Settings) -> str:
    """Write a commented file that says these settings, all of them, defaults included.

    Args:
        settings: valid ones.
    """
    values = msgspec.to_builtins(settings)
    lines = [f"# {_HEAD}", ""]
    for section in section_types():
        of_section = [row for row in settings_table() if row.section == section.name]
        lines += _comment(section.meaning)
        each = values[section.name] if section.repeated else [values[section.name]]
        for place, table in enumerate(each):
            lines += _table(section, of_section, table, explained=place == 0)
    return "\n".join(lines)


def markdown() -> str:
    """Write the documentation's tables of all settings."""
    meanings = {section.name: section.meaning for section in section_types()}
    lines: list[str] = []
    for (name, repeated), rows in groupby(settings_table(), key=lambda row: (row.section, row.repeated)):
        title = f"[[{name}]]" if repeated else f"[{name}]"
        lines += [f"## `{title}`", "", meanings[name], "", "| key | meaning | allowed | unit | default |"]
        lines += ["|---|---|---|---|---|", *map(_row, rows), ""]
    return "\n".join(lines)


def _table(section: SectionType, rows: list[Setting], values: dict[str, Any], *, explained: bool) -> Iterator[str]:
    yield f"[[{section.name}]]" if section.repeated else f"[{section.name}]"
    for row in rows:
        if explained:
            yield from _comment(f"{row.meaning} {_allowed(row)}.{_default(row)}")
        yield f"{row.key} = {_toml(values[row.key])}"
    yield ""


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, _WIDTH - 2)]


def _allowed(row: Setting) -> str:
    allowed = row.allowed[0].upper() + row.allowed[1:]
    return f"{allowed}, in {row.unit}" if row.unit else allowed


def _default(row: Setting) -> str:
    return "" if row.required else f" Default: {_toml(row.default)}."


def _row(row: Setting) -> str:
    default = "required" if row.required else f"`{_toml(row.default)}`"
    return f"| `{row.key}` | {row.meaning} | {row.allowed} | {row.unit} | {default} |"


def _toml(value: Any) -> str:
    """A value as TOML: of what settings hold, JSON writes numbers, lists and printable text the same."""
    return json.dumps(value, ensure_ascii=False)
