"""A tethered process dies with the one that started it."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from gridproof.drivers import tether

PATIENCE_S = 60.0
PYTHON = [sys.executable, "-I", "-S"]


def tied(*command: str, parent: int | None = None) -> list[str]:
    return [*PYTHON, str(tether.__file__), str(os.getpid() if parent is None else parent), *command]


def is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_command_runs_in_its_place_with_its_arguments_and_its_exit_code() -> None:
    done = subprocess.run(
        tied(*PYTHON, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a b", "$HOME"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("['a b', '$HOME']", 7)


def test_a_process_whose_parent_is_another_runs_nothing(tmp_path: Path) -> None:
    done = subprocess.run(tied("/bin/touch", str(tmp_path / "ran"), parent=1), check=False)
    assert done.returncode == 1
    assert not (tmp_path / "ran").exists()


def test_a_program_that_is_not_there_is_an_error() -> None:
    done = subprocess.run(tied("/none/such"), capture_output=True, check=False)
    assert done.returncode != 0
    assert b"/none/such" in done.stderr or b"No such file" in done.stderr


def test_it_is_killed_when_its_parent_is() -> None:
    """The parent is a process of its own here, which starts a tethered sleeper and tells its number."""
    command = f"[sys.executable, '-I', '-S', {str(tether.__file__)!r}, str(os.getpid()), '/bin/sleep', '60']"
    code = (
        f"import os, subprocess, sys, time\np = subprocess.Popen({command})\nprint(p.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([*PYTHON, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        deadline = monotonic() + PATIENCE_S
        while Path(f"/proc/{child}/comm").read_text().strip() != "sleep":  # it has become the program
            assert monotonic() < deadline
            sleep(0.01)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        while is_there(child):
            assert monotonic() < deadline, "it outlived its parent"
            sleep(0.01)


def test_it_is_tied_before_it_looks_whether_its_parent_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a parent that dies in between would not be noticed."""
    steps: list[object] = []

    class Library:
        def prctl(self, *arguments: int) -> None:
            steps.append(arguments[:2])

    def parent() -> int:
        steps.append("parent")
        return 7

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    monkeypatch.setattr(os, "getppid", parent)
    monkeypatch.setattr(os, "execv", lambda *command: steps.append(command))
    tether.main(7, ["/bin/x", "y"])
    assert steps == [(1, signal.SIGKILL), "parent", ("/bin/x", ["/bin/x", "y"])]
    with pytest.raises(SystemExit):
        tether.main(8, ["/bin/x"])
    assert steps[-1] == "parent", "nothing was run"
