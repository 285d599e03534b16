"""The environment is what the lock says, and is left alone when nothing changed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import environment


def pinned(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in lock.read_text().splitlines():
        if line[:1].isalnum():
            name, version = line.split(" ")[0].split("==")
            found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def declared() -> list[Requirement]:
    described = tomllib.loads((environment.ROOT / "pyproject.toml").read_text())
    groups = described["dependency-groups"].values()
    lines = [
        *described["project"]["dependencies"],
        *described["build-system"]["requires"],
        *(line for group in groups for line in group),
    ]
    return [Requirement(line) for line in lines]


def test_the_lock_holds_every_declared_dependency_in_a_version_that_fits() -> None:
    locked = pinned(environment.LOCK)
    for need in declared():
        versions = locked.get(canonicalize_name(need.name), set())
        assert versions, f"{need} is not in the lock; run make lock"
        assert all(need.specifier.contains(version) for version in versions), (
            f"{need} is locked at {versions}; run make lock"
        )


@pytest.mark.parametrize("lock", [environment.LOCK, environment.INSTALLER])
def test_every_locked_package_has_hashes_and_no_address(lock: Path) -> None:
    entries = [part for part in lock.read_text().replace("\\\n", " ").splitlines() if part[:1].isalnum()]
    assert entries
    assert all("--hash=sha256:" in entry and "==" in entry and "//" not in entry for entry in entries)


@pytest.mark.parametrize(
    ("version", "fits"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False), ((2, 7), False)]
)
def test_only_supported_pythons_are_used(version: tuple[int, int], fits: bool) -> None:
    assert environment.supported(version) is fits


def test_a_step_that_fails_tells_what_it_was_and_what_it_said() -> None:
    with pytest.raises(environment.SetupError, match=r"(?s)breaking things failed:.*out of cheese"):
        environment.run([sys.executable, "-c", "import sys; sys.exit('out of cheese')"], "breaking things")


def test_an_environment_that_is_up_to_date_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "fingerprint", lambda: "same")
    monkeypatch.setattr(environment, "run", lambda command, doing: steps.append(doing))
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    uv = tmp_path / "elsewhere" / "uv"

    assert environment.make(sys.executable, folder, uv) is True
    assert len(steps) == 2
    assert environment.make(sys.executable, folder, uv) is False
    assert len(steps) == 2


def test_a_failed_set_up_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: object, doing: str) -> None:
        raise environment.SetupError(doing)

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "fingerprint", lambda: "new")
    monkeypatch.setattr(environment, "run", fail)
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / environment.STAMP).write_text("old")

    for _ in range(2):
        with pytest.raises(environment.SetupError):
            environment.make(sys.executable, folder, tmp_path / "uv")
        assert not (folder / environment.STAMP).exists()


def test_two_set_ups_at_once_wait_for_each_other(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path; from tools.environment import alone\n"
        "with alone(Path(sys.argv[1])):\n    os.write(1, b'\\nin\\n'); time.sleep(0.3); os.write(1, b'\\nout\\n')\n"
    )
    seen = tmp_path / "seen"
    with seen.open("a") as out:
        both = [
            subprocess.Popen([sys.executable, "-c", script, tmp_path / "venv"], cwd=environment.ROOT, stdout=out)
            for _ in range(2)
        ]
        for process in both:
            assert process.wait(timeout=30) == 0
    words = [word for word in seen.read_text().split() if word in ("in", "out")]
    assert words == ["in", "out", "in", "out"]
