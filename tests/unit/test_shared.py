"""Shared vectors are found where they lie, and a check that did not run is never quiet about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import shared

ASKS = (
    "from tests import engines, shared\n"
    "def test_with_vectors() -> None:\n    shared.vectors('merkle/inclusion.json')\n"
    "def test_with_kubo() -> None:\n    engines.engine('kubo')\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of vectors that the environment names, outside of CI."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("GRIDPROOF_VECTORS", str(tmp_path))
    monkeypatch.setenv("GRIDPROOF_DATA", str(tmp_path))
    return tmp_path


def run_pytest(place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    (place / "conftest.py").write_text("from tests.conftest import pytest_terminal_summary\n")
    (place / "test_asks.py").write_text(ASKS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_", "PYTEST_"))}
    environment = {
        **kept,
        "GRIDPROOF_VECTORS": str(place / "absent"),
        "GRIDPROOF_ENGINES": str(place),
        "PYTHONPATH": str(shared.ROOT),
        **variables,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(place), str(place)]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_file_is_found_in_the_folder_that_the_environment_names(folder: Path) -> None:
    (folder / "merkle").mkdir()
    (folder / "merkle" / "inclusion.json").touch()
    assert shared.vectors("merkle/inclusion.json") == folder / "merkle" / "inclusion.json"
    assert shared.data("merkle") == folder / "merkle"


def test_without_a_name_the_folder_beside_the_checkout_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRIDPROOF_DATA", raising=False)
    monkeypatch.setattr(shared, "ROOT", tmp_path / "checkout")
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "data" / "a.csv").touch()
    assert shared.data("a.csv") == tmp_path / "shared" / "data" / "a.csv"


def test_a_missing_file_in_a_folder_that_is_there_fails(folder: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"no\.json is not in it"):
        shared.vectors("no.json")


@pytest.mark.parametrize("told", ["true", "1", "yes"])
def test_a_missing_folder_is_skipped_at_a_desk_and_fails_in_ci(
    folder: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("GRIDPROOF_VECTORS", str(folder / "absent"))
    with pytest.raises(pytest.skip.Exception, match="GRIDPROOF_VECTORS"):
        shared.vectors("a.json")
    monkeypatch.setenv("CI", told)
    with pytest.raises(pytest.fail.Exception, match="GRIDPROOF_VECTORS"):
        shared.vectors("a.json")


@pytest.mark.parametrize("told", ["", "0", "false", "no"])
def test_ci_can_be_denied(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("CI", told)
    assert not shared.in_ci()


def test_what_was_skipped_is_named_before_the_last_line(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, CI="")
    assert done.returncode == 0, done.stdout
    assert "NOT CHECKED" in done.stdout
    assert "test_asks.py::test_with_vectors" in done.stdout
    assert "a real service is missing" in done.stdout
    assert "test_asks.py::test_with_kubo" in done.stdout
    assert done.stdout.strip().splitlines()[-1].startswith("2 skipped")


def test_in_ci_the_run_fails(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, CI="true")
    assert done.returncode == 1, done.stdout
    assert "2 failed" in done.stdout
