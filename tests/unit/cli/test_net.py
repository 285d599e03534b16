"""`gridproof net`, and `gridproof node` where no engine is needed."""

import json
import os
from pathlib import Path

import pytest

from gridproof.actors.node import program as engine_program
from gridproof.actors.node import running
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.network import nodes_in
from gridproof.actors.node.program import VARIABLE
from gridproof.actors.node.settings import load
from gridproof.actors.node.supervisor import require_whole
from gridproof.cli.node import LASTS
from gridproof.drivers.embedded import FolderLock

from tests.unit.actors.node.homes import mode, program
from tests.unit.cli.home import START, files_of, refused, typed

NAMES = ("Alpha", "Zürich Süd")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("net") / "home"
    typed("net", "init", root, "--validators", ",".join(NAMES), "--start", START, "--subnet", "127.9.9")
    return root


def test_a_network_has_a_folder_for_the_operator_and_one_for_each_company(made: Path) -> None:
    assert len(list(made.iterdir())) == 1 + len(NAMES)
    nodes = nodes_in(made)
    assert {load(node.root).node.name for node in nodes} == set(NAMES)
    for node in nodes:
        require_whole(node)
        assert [mode(path) for path in node.secret_files] == [0o600] * 3
        assert mode(node.root) == 0o700
    assert len({node.engine_genesis.read_bytes() for node in nodes}) == 1
    assert len({node.genesis.read_bytes() for node in nodes}) == 1
    assert len({node.signer_key.read_bytes() for node in nodes}) == len(nodes)
    assert 'kind = "network"' in (made / "community" / "gridproof.toml").read_text()


def test_each_knows_the_others_by_their_keys(made: Path) -> None:
    first, second = (load(node.root).engine for node in nodes_in(made))
    assert [len(each.peers) for each in (first, second)] == [1, 1]
    assert first.peers[0].endswith(f"@{second.external}")
    assert {first.rpc, second.rpc} == {"127.9.9.1:26657", "127.9.9.2:26657"}


def test_a_folder_with_something_in_it_stays(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    refused("net", "init", tmp_path, "--start", START, error="NodeFolderTakenError")
    assert files_of(tmp_path) == {"mine": b"keep"}
    twins = typed("net", "init", tmp_path / "n", "--validators", "A b,A-b", "--start", START, "--json", code=1).json
    assert twins["error"] == "NodeFolderTakenError"
    assert not (tmp_path / "n").exists()


def test_what_is_to_be_typed_next_can_be_typed_where_the_folder_has_blanks(tmp_path: Path) -> None:
    root = tmp_path / "old town [1]"
    told = typed("net", "init", root, "--validators", "Alpha,Beta", "--start", START).out
    assert told.splitlines()[-1] == f"Or run all here: gridproof net up -C '{root}'"
    assert f"in {root}." in told
    home = tmp_path / "my home"
    assert typed("init", home).out.endswith(f"\nNext: gridproof meter enrol NAME... -C '{home}'\n")


def test_names_of_companies_that_cannot_be_are_told_with_the_option(tmp_path: Path) -> None:
    told = typed("net", "init", tmp_path / "n", "--validators", "a,,b", "--start", START, code=2).err
    assert "--validators takes names parted by commas; number 2 is empty" in " ".join(told.split())
    sentence = refused("net", "init", tmp_path / "n", "--zone", "Nowhere", error="OptionsInvalidError").json["sentence"]
    assert "config check" not in sentence, "there is no file"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["Alpha", "Nobody=x", "Alpha=", "Alpha=a"])
def test_hosts_name_companies_and_all_of_them(tmp_path: Path, host: str) -> None:
    typed("net", "init", tmp_path / "n", "--validators", ",".join(NAMES), "--host", host, "--start", START, code=2)
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize("host", ["a b", "host:7000", "fd00::1", "-x", "http://x", "müller.ch", "[::1]"])
def test_a_host_that_is_none_makes_nothing(tmp_path: Path, host: str) -> None:
    words = ("net", "init", tmp_path / "n", "--validators", "Alpha,Beta", "--start", START)
    told = typed(*words, "--host", f"Alpha={host}", "--host", "Beta=b", code=2)
    assert "--host takes a host name" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("subnet", ["300.1.1", "10.0.0", "127.3.7.1", "127.3", "127.3.256"])
def test_a_subnet_that_is_none_of_loopback_makes_nothing(tmp_path: Path, subnet: str) -> None:
    told = typed("net", "init", tmp_path / "n", "--subnet", subnet, "--start", START, code=2)
    assert "--subnet takes the first three numbers" in told.err
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_down_says_so(made: Path) -> None:
    told = typed("net", "status", "-C", made, "--json", code=1).json
    assert [each["runs"] for each in told["nodes"]] == [False, False]
    assert (told["ok"], told["height"]) == (False, None)
    assert "down" in typed("net", "status", "-C", made, code=1).out
    assert typed("net", "down", "-C", made, "--json").json["stopped"] == 0


def test_whoever_interrupts_a_start_is_told_how_to_stop_what_was_started(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_program, "find_engine", lambda _program: None)
    monkeypatch.setattr(running, "start_node", lambda _folder: None)
    monkeypatch.setattr(running, "await_nodes", interrupted)
    told = typed("net", "up", "-C", made, code=130)
    assert f"gridproof net down -C {made}" in told.err


def test_where_there_is_no_network_or_node_it_is_said(tmp_path: Path) -> None:
    refused("net", "status", "-C", tmp_path, error="NoNetworkError")
    refused("node", "status", "-C", tmp_path, error="NoNodeError")
    typed("node", "start", "-C", tmp_path, code=LASTS)


def test_a_second_start_of_a_node_that_runs_is_not_tried_again_by_a_service_manager(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(program(tmp_path / "cometbft", "time.sleep(60)")))
    node = nodes_in(made)[0]
    held = FolderLock(node.root)
    try:
        told = typed("node", "start", "-C", node.root, "--json", code=LASTS)
    finally:
        held.release()
    assert told.json["error"] == "NodeRunningError"
    assert told.json["particulars"] == {"folder": str(node.root), "held_by": f"process {os.getpid()}"}


def test_a_node_that_is_down(made: Path) -> None:
    node: NodeFolder = nodes_in(made)[0]
    assert typed("node", "status", "-C", node.root, "--json", code=1).json["ok"] is False
    findings = typed("node", "doctor", "-C", node.root, "--json", code=1).json["findings"]
    assert {each["what"] for each in findings} >= {"settings", "rights", "files", "node"}
    refused("node", "recover", "-C", node.root, "--from", "http://127.0.0.1:1", error="NetworkUnlikeError")


@pytest.mark.parametrize(
    "words", [("join",), ("leave",), ("remove", "Alpha"), ("support", "x"), ("proposals",), ("block",)]
)
def test_a_say_through_a_node_that_is_down_names_what_its_company_can_do(
    made: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    sentence = refused("node", *words, "-C", nodes_in(made)[0].root, error="NodeSilentError").json["sentence"]
    assert "gridproof node start" in sentence
    assert "sent" not in sentence, "nothing was"
    assert "ledger.nodes" not in sentence, "a company's folder has no such setting"


def test_what_cannot_be_made_is_a_folder_and_what_is_in_the_way_need_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    refused("net", "init", tmp_path / "file", "--start", START, error="NodeFolderTakenError")
    refused("net", "init", tmp_path / "file" / "n", "--start", START, error="FolderUnmadeError")
    assert files_of(tmp_path) == {"file": b"keep"}


def test_keys_are_held_to_their_company_before_a_node_is_made(made: Path, tmp_path: Path) -> None:
    keys = next(nodes_in(made)[0].keys.iterdir())
    words = ("node", "init", tmp_path / "n", "--from", "http://127.0.0.1:1", "--name", "Alpha", "--keys", keys)
    refused(*words, error="NetworkUnlikeError")
    assert list(tmp_path.iterdir()) == []


def test_logs_are_told_by_name(made: Path) -> None:
    node = nodes_in(made)[0]
    (node.logs / "node.log").write_text("".join(f"line {number}\n" for number in range(30)))
    out = typed("net", "logs", "-C", made, "--lines", 2).out
    assert out == "Alpha node: line 28\nAlpha node: line 29\n"
    assert typed("node", "logs", "-C", node.root, "--lines", 1).out == "node: line 29\n"
    assert typed("net", "logs", "-C", made, "--node", "Zürich Süd").out == ""
    typed("net", "logs", "-C", made, "--node", "Nobody", code=2)


@pytest.mark.parametrize(
    "words", [("--trust-height", "5"), ("--trust-hash", "ab" * 32), ("--trust-height", "5", "--trust-hash", "zz")]
)
def test_a_trusted_header_is_given_whole(tmp_path: Path, words: tuple[str, ...]) -> None:
    typed("node", "init", tmp_path / "n", "--from", "http://127.0.0.1:1", "--name", "B", *words, code=2)
    assert json.dumps([path.name for path in tmp_path.iterdir()]) == "[]"


@pytest.mark.parametrize("words", [(), ("--version", "2"), ("--height", "9"), ("--cancel", "--version", "2")])
def test_an_upgrade_is_given_whole_or_cancelled(made: Path, words: tuple[str, ...]) -> None:
    typed("node", "upgrade", "-C", nodes_in(made)[0].root, *words, code=2)
