"""Pythons are found where machines hide them."""

import os
import sys
from pathlib import Path

import pytest

from tools import versions


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_every_folder_of_the_path_and_every_pyenv_version_is_looked_at(tmp_path: Path) -> None:
    one = script(tmp_path / "a" / "python3", "")
    two = script(tmp_path / "b" / "python3.12", "")
    three = script(tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3.13", "")
    script(tmp_path / "b" / "python3.9", "")
    (tmp_path / "b" / "python3.11").write_text("not to be run")
    found = list(versions.candidates(f"{one.parent}{os.pathsep}{two.parent}", tmp_path / "pyenv"))
    assert found == [one, two, three]


def test_a_shim_that_does_not_run_is_no_python(tmp_path: Path) -> None:
    assert versions.ask(script(tmp_path / "python3.12", "echo 'command not found' >&2; exit 127")) is None
    assert versions.ask(script(tmp_path / "python3.13", "echo hello")) is None
    assert versions.ask(tmp_path / "absent") is None


def test_a_python_without_the_usual_lock_is_left_out(tmp_path: Path) -> None:
    assert versions.ask(script(tmp_path / "python3.13", "echo 3 13 0 /x")) is None
    assert versions.ask(script(tmp_path / "python3.12", "echo 3 12 1 /a b/python")) == ((3, 12), "/a b/python")


def test_one_python_of_each_supported_version_is_taken_the_first_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = script(tmp_path / "a" / "python3.12", "echo 3 12 1 /first")
    script(tmp_path / "b" / "python3.12", "echo 3 12 1 /second")
    script(tmp_path / "b" / "python3", "echo 3 10 1 /old")
    monkeypatch.setenv("PATH", f"{first.parent}{os.pathsep}{tmp_path / 'b'}")
    monkeypatch.setattr(versions, "pyenv_root", lambda: None)
    assert versions.interpreters() == {(3, 12): "/first"}


def test_without_another_python_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versions, "interpreters", lambda: {sys.version_info[:2]: sys.executable})
    assert versions.main([]) == 0
    assert "no other Python" in capsys.readouterr().out


def test_the_first_version_that_fails_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, int]] = []

    def test_on(version: tuple[int, int], interpreter: str, tests: list[str]) -> int:
        tried.append(version)
        return 3

    monkeypatch.setattr(versions, "interpreters", lambda: {(3, 98): "a", (3, 99): "b"})
    monkeypatch.setattr(versions, "test_on", test_on)
    assert versions.main([]) == 3
    assert tried == [(3, 98)]
