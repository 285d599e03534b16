"""Communities for the command line's tests: made once, copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.unit.cli.home import founded, worked_off


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRIDPROOF_PASSPHRASE", "GRIDPROOF_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="package")
def made_new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return founded(tmp_path_factory.mktemp("new") / "home")


@pytest.fixture(scope="package")
def made_worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worked_off(tmp_path_factory.mktemp("worked") / "home")


@pytest.fixture
def new(made_new: Path, tmp_path: Path) -> Path:
    """A community that was just founded."""
    return Path(shutil.copytree(made_new, tmp_path / "home"))


@pytest.fixture
def worked(made_worked: Path, tmp_path: Path) -> Path:
    """A community whose six meters have run over six hours."""
    return Path(shutil.copytree(made_worked, tmp_path / "home"))
