"""Foreign vectors and data that lie beside the checkout, for tests only.

They are looked for in the folders that GRIDPROOF_VECTORS and GRIDPROOF_DATA name, else in `../shared/vectors` and
`../shared/data` from the project's root. Where the folder is not there a test that asks for it is skipped, loudly (see
`tests/conftest.py`), and under CI=true it fails: a check that nobody notices missing is none. A file that is missing
from a folder that is there always fails.
"""

import os
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
MISSING: Final = "shared folder missing"


def vectors(name: str) -> Path:
    """A file of test vectors, such as `merkle/inclusion.json`."""
    return _find("GRIDPROOF_VECTORS", "vectors", name)


def data(name: str) -> Path:
    """A file of test data, such as `swiss_households_15min.csv`."""
    return _find("GRIDPROOF_DATA", "data", name)


def in_ci() -> bool:
    """Whether this runs where nothing may be skipped."""
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


def _find(variable: str, folder: str, name: str) -> Path:
    named = os.environ.get(variable)
    place = Path(named) if named else ROOT.parent / "shared" / folder
    if not place.is_dir():
        reason = f"{MISSING}: {variable} names no folder and there is none beside the checkout (for {folder}/{name})"
        if in_ci():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)
    path = place / name
    if not path.exists():
        pytest.fail(f"{folder} is there, but {name} is not in it", pytrace=False)
    return path
