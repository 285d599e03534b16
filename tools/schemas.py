"""Write the JSON schemas of published documents from the types that read them; with `--check` only compare.

Rule: a schema that was published says what the code does. A form that needs another schema takes a new version.
"""

import inspect
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gridproof.actors.bills import report as bill_report

from tools.findings import ROOT, Finding, relative, report

FOLDER: Final = ROOT / "docs" / "schema"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE: Final = re.compile(r" {4}(\w+): (.*)")
DOCUMENTS: Final[dict[str, tuple[str, type]]] = {
    f"bill-report-{bill_report.VERSION}.json": ("gridproof bill report", bill_report.Report),
}


def schema(title: str, kind: type) -> str:
    """The schema of a document, as its file holds it.

    Args:
        title: the document's name.
        kind: the type that it is read into; each key is always written, so that each is required.
    """
    made = {"$schema": DIALECT, "title": title, **msgspec.json.schema(kind)}
    for part in made["$defs"].values():
        docstring = inspect.cleandoc(part.get("description", ""))
        part["description"] = " ".join(docstring.split("\n\n")[0].split())
        attributes = _attributes(docstring)
        for name, field in part["properties"].items():
            field.pop("default", None)
            if name in attributes:
                field["description"] = "; ".join((attributes[name].rstrip("."), *_described(field)))
        part["required"] = list(part["properties"])
    text = json.dumps(made, indent=2, ensure_ascii=False)
    return text.replace(r"\\A", "^").replace(r"\\Z", "$") + "\n"  # as ECMA-262 writes them, which schemas go by


def _described(field: Mapping[str, str]) -> list[str]:
    return [field["description"]] if "description" in field else []


def _attributes(docstring: str) -> dict[str, str]:
    """What a class's docstring says of its attributes."""
    found: dict[str, str] = {}
    name = ""
    for line in docstring.partition("Attributes:\n")[2].splitlines():
        begins = _ATTRIBUTE.fullmatch(line)
        if begins:
            name = begins[1]
            found[name] = begins[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write the schemas, or with `--check` compare them; return the exit status."""
    findings = []
    for name, (title, kind) in DOCUMENTS.items():
        path, wanted = folder / name, schema(title, kind)
        if "--check" in arguments:
            if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
                told = "is not what the code says: give the form a new version, or run `make schemas`"
                findings.append(Finding(relative(path), 1, "schema", told))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
    return report("schemas", len(DOCUMENTS), findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
