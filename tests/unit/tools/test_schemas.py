"""Published schemas say what the code reads."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gridproof.actors.bills.report import Report, ReportFormatError, decode_report, encode_report

from tests.unit.actors.bills.samples import sample
from tools import schemas

NAME = "bill-report-1.json"
SCHEMA = json.loads((schemas.FOLDER / NAME).read_text(encoding="utf-8"))
KINDS = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
KNOWN = {
    "$ref", "$schema", "$defs", "title", "description", "type", "properties", "required", "additionalProperties",
    "enum", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "pattern", "anyOf",
}  # fmt: skip


def holds(schema: dict[str, Any], value: object) -> bool:
    """Whether a value is what the schema wants; of the schema's words those that ours use, read by the standard."""
    assert set(schema) <= KNOWN
    if "$ref" in schema:
        return holds(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value)
    if "anyOf" in schema:
        return any(holds(each, value) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = KINDS[schema["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        return False
    if isinstance(value, dict):
        known = schema["properties"]
        assert schema["additionalProperties"] is False
        return set(schema["required"]) <= set(value) <= set(known) and all(
            holds(known[key], each) for key, each in value.items()
        )
    if isinstance(value, list):
        fixed = schema.get("prefixItems", [])
        rest = schema.get("items", {})
        if fixed and len(value) != len(fixed):
            return False
        return all(holds(each, part) for each, part in zip(fixed or [rest] * len(value), value, strict=True))
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int) and kind is int:
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


@pytest.mark.parametrize("name", ["day", "gaps", "unsigned", "tariff_change", "credit"])
def test_a_report_holds_to_the_schema(name: str) -> None:
    assert holds(SCHEMA, json.loads(encode_report(sample(name))))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("format",), "other"),
        (("currency",), "chf"),
        (("currency",), "CHF\n0"),
        (("month",), "2025-13"),
        (("meter",), "5d" * 17),
        (("bill_version",), 0),
        (("period_s",), -1),
        (("period_s",), 1.5),
        (("channels", 0, "channel"), "both"),
        (("channels", 0, "register"), 3),
        (("channels", 0, "lines", 0, "prids"), ["ab" * 32]),
        (("channels", 0, "lines", 0, "late"), 1),
        (("charges", 0, "kind"), "gift"),
        (("unknown",), 1),
    ],
)
def test_what_the_schema_refuses_the_code_refuses_too(path: tuple[str | int, ...], value: object) -> None:
    document = json.loads(encode_report(sample("day")))
    *way, last = path
    part = document
    for key in way:
        part = part[key]
    part[last] = value
    assert not holds(SCHEMA, document)
    with pytest.raises(ReportFormatError):
        decode_report(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("key", [field.name for field in msgspec.structs.fields(Report)])
def test_every_key_is_required_by_both(key: str) -> None:
    document = json.loads(encode_report(sample("day")))
    del document[key]
    assert not holds(SCHEMA, document)
    with pytest.raises(ReportFormatError):
        decode_report(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def test_every_key_is_described() -> None:
    for name, part in SCHEMA["$defs"].items():
        assert part["description"], name
        if name != "ReportTariff":  # its description says it all
            for key, field in part["properties"].items():
                assert field.get("description"), f"{name}.{key}"
    assert "\\\\A" not in json.dumps(SCHEMA)


def test_the_gate_passes_and_an_outdated_or_missing_schema_fails_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert schemas.main(["--check"]) == 0
    assert schemas.main(["--check"], tmp_path) == 1
    assert schemas.main([], tmp_path) == 0
    assert schemas.main(["--check"], tmp_path) == 0
    (tmp_path / NAME).write_text("{}\n")
    capsys.readouterr()
    assert schemas.main(["--check"], tmp_path) == 1
    assert "make schemas" in capsys.readouterr().out
    assert (tmp_path / NAME).read_text() == "{}\n"
