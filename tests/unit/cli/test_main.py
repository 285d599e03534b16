"""The entry point: one sentence for what was foreseen, and exit codes that programs can act on."""

import subprocess
import sys
from pathlib import Path

import pytest

from gridproof import __version__
from gridproof.cli import main, options
from gridproof.cli.console import printable

from tests.unit.cli.home import refused, typed


def test_version_and_help_end_well() -> None:
    assert typed("--version").out == f"gridproof {__version__}\n"
    assert "readings" in typed("--help").out
    completed = subprocess.run(
        [sys.executable, "-m", "gridproof", "--version"], capture_output=True, text=True, check=True
    )
    assert completed.stdout == f"gridproof {__version__}\n"


def test_misused_words_exit_with_two_and_one_object() -> None:
    done = typed("status", "--bogus", "--json", code=2)
    assert done.json == {"error": "NoSuchOption", "sentence": "No such option: --bogus", "particulars": {}}
    assert "--bogus" in done.err
    typed("conjure", code=2)


def test_every_command_takes_json_and_names_its_folder_alike() -> None:
    import typer

    def commands(app: typer.Typer) -> list[object]:
        inner = [
            each for group in app.registered_groups if group.typer_instance for each in commands(group.typer_instance)
        ]
        return [command.callback for command in app.registered_commands if not command.hidden] + inner

    folders = (options.Dir, options.NetDir, options.NodeDir)
    founding = ("init", "demo")  # these make a folder
    for command in commands(main.app):
        annotations = getattr(command, "__annotations__", {})
        assert annotations.get("as_json") is options.AsJson, command
        if getattr(command, "__name__", "") not in founding:
            assert annotations.get("folder", options.Dir) in folders, command


def test_failure_of_the_system_is_a_sentence(monkeypatch: pytest.MonkeyPatch, new: Path) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise OSError(5, "Input/output error", "disk")

    monkeypatch.setattr("gridproof.connectors.config.check", broken)
    done = refused("config", "check", "-C", new, error="OSError")
    assert done.json["sentence"].startswith("disk: Input/output error; nothing more was done.")


def test_reader_that_goes_away_is_no_error_of_ours(worked: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gridproof", "period", "list", "-C", str(worked)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_what_is_told_cannot_steer_a_terminal() -> None:
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"


def test_an_interruption_while_the_program_is_loaded_is_told_in_a_sentence() -> None:
    """In a process of its own, in which loading the commands is interrupted."""
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'gridproof.cli.main': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from gridproof.__main__ import run\n"
        "sys.exit(run())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "gridproof: interrupted; nothing was begun.\n"
