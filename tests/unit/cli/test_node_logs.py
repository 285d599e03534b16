"""What nodes say: the last lines of each log under its name, as words or as one object."""

import json
from pathlib import Path

import pytest

from gridproof.cli import net
from gridproof.cli.main import INTERRUPTED, MISUSED, run

NODE = '[node]\nname = "Acme"\nchain_id = "c"\n[engine]\nrpc = "a:1"\np2p = "a:2"\nexternal = "a:2"\n'


@pytest.fixture
def network(tmp_path: Path) -> Path:
    node = tmp_path / "acme"
    (node / "logs").mkdir(parents=True)
    (node / "node.toml").write_text(NODE)
    (node / "logs" / "node.log").write_text("one\ntwo\nthree\n")
    (node / "logs" / "engine.log").write_text("begun\n")
    return tmp_path


def test_the_last_lines_of_each_log_are_shown_with_its_name(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["node", "logs", "--lines", "2", "-C", str(network / "acme")]) == 0
    assert capsys.readouterr().out == "engine: begun\nnode: two\nnode: three\n"
    assert run(["net", "logs", "--lines", "1", "-C", str(network)]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ["Acme engine: begun", "Acme node: three"]


@pytest.mark.parametrize("command", ["node", "net"])
def test_programs_get_one_object_and_never_one_without_end(
    network: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = network / "acme" if command == "node" else network
    assert run([command, "logs", "--lines", "1", "--json", "-C", str(place)]) == 0
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert sorted(each["line"] for each in lines) == ["begun", "three"]
    assert run([command, "logs", "--json", "--follow", "-C", str(place)]) == MISUSED


def test_what_comes_is_shown_until_ctrl_c(
    network: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = network / "acme" / "logs"

    def said(name: str, words: str) -> None:
        with (logs / name).open("a") as log:
            log.write(words)

    def interrupted() -> None:
        raise KeyboardInterrupt

    steps = iter([lambda: said("node.log", "four\nfi"), lambda: said("engine.log", "on\x1b[2J\n"),
                  lambda: said("node.log", "ve\n"), lambda: None, interrupted])  # fmt: skip
    monkeypatch.setattr(net, "sleep", lambda _s: next(steps)())
    assert run(["net", "logs", "--lines", "1", "--follow", "-C", str(network)]) == INTERRUPTED
    shown = capsys.readouterr().out.splitlines()
    assert sorted(shown[:2]) == ["Acme engine: begun", "Acme node: three"]
    assert shown[2:] == ["Acme node: four", "Acme engine: on\\x1b[2J", "Acme node: five"]
