"""The import contracts of pyproject.toml refuse what they should: shown on a small package of the same shape."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import ROOT

LINTER = Path(sys.executable).with_name("lint-imports")
FILES = (
    *("errors", "app", "calendar", "primitives.hashing", "domain.ids", "state.context", "state.store.lmdb_store"),
    *("state.store.files", "modules.registry.keeper", "modules.registry.module", "modules.registry.ports"),
    *(
        "modules.registry.queries",
        "modules.aggregation.keeper",
        "modules.aggregation.module",
        "modules.aggregation.ports",
    ),
    *("light.verifier", "drivers.embedded", "connectors.client", "actors.meter", "cli.main"),
)


def lint(place: Path, imports: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Make a package whose files import as given, and hold the project's contracts to it."""
    for name in FILES:
        path = place / "gridproof" / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(imports.get(name, ""))
        for folder in path.relative_to(place).parents:
            if folder.name:
                (place / folder / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", place)
    command = [str(LINTER), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=60)


def test_imports_down_the_layers_pass(tmp_path: Path) -> None:
    done = lint(
        tmp_path,
        {
            "cli.main": "import time\nfrom gridproof.actors import meter\nfrom gridproof import app",
            "actors.meter": "import secrets\nfrom gridproof.modules.registry import queries",
            "connectors.client": "from gridproof import calendar",
            "app": "from gridproof.modules.registry import keeper, module",
            "calendar": "import zoneinfo",
            "modules.registry.keeper": "from gridproof.state import context\nfrom gridproof.domain import ids",
            "state.store.lmdb_store": "import lmdb",
            "state.store.files": "import os, pathlib",
            "primitives.hashing": "import hashlib",
        },
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("importer", "imports", "broken"),
    [
        ("primitives.hashing", "from gridproof.domain import ids", "A layer imports only layers below it"),
        ("modules.registry.keeper", "from gridproof import calendar", "A layer imports only layers below it"),
        ("app", "from gridproof import calendar", "A layer imports only layers below it"),
        ("connectors.client", "from gridproof.actors import meter", "A layer imports only layers below it"),
        ("modules.registry.keeper", "import gridproof.modules.aggregation.keeper", "Modules never import one another"),
        ("actors.meter", "from gridproof.modules.registry import keeper", "known by its types, messages"),
        ("state.context", "import threading", "no clock, chance, file"),
        ("state.context", "import lmdb", "no clock, chance, file"),
        ("domain.ids", "import zoneinfo", "no clock, chance, file"),
        ("modules.registry.queries", "from datetime import UTC", "no clock, chance, file"),
        ("errors", "import os", "no clock, chance, file"),
        ("light.verifier", "import time", "no clock, chance, file"),
        ("light.verifier", "from gridproof.connectors import client", "A layer imports only layers below it"),
    ],
)
def test_a_forbidden_import_is_refused(tmp_path: Path, importer: str, imports: str, broken: str) -> None:
    done = lint(tmp_path, {importer: imports})
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert f"{broken}" in told
    assert "BROKEN" in told


def test_a_new_folder_beside_the_layers_is_refused_until_it_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "gridproof" / "extra").mkdir(parents=True)
    (tmp_path / "gridproof" / "extra" / "__init__.py").touch()
    done = lint(tmp_path, {})
    assert done.returncode == 1
    assert "extra" in done.stdout
