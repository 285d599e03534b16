"""What stands in `deploy/` names paths, commands, ports and versions that there are."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gridproof.actors.node.errors import AddressTakenError, LastingError, NodeRunningError, NoNodeError
from gridproof.actors.node.network import ENGINE_FIGURES_PORT, NODE_FIGURES_PORT, P2P_PORT, RPC_PORT
from gridproof.cli import main
from gridproof.cli.node import LASTS

from tests.shared import ROOT
from tools.engines import cometbft
from tools.environment import supported

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "gridproof-node@.service"
YAMLS = sorted([*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")])
# What a service of a compose file may say, as far as it is used here: a misspelt key would be ignored, or refused.
SERVICE_KEYS = {
    *("build", "image", "command", "user", "restart", "init", "stop_grace_period", "volumes", "ports", "networks"),
    *("read_only", "tmpfs", "cap_drop", "security_opt", "ulimits", "healthcheck", "profiles", "environment"),
}


def parse_command(words: list[str]) -> None:
    """Parse the words after `gridproof` as the program would, and run nothing."""
    command: Any = get_command(main.app)
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    command.make_context(command.name, words)


def test_a_command_that_is_none_would_be_noticed() -> None:
    parse_command(["node", "start", "-C", "x"])
    with pytest.raises(AssertionError, match="begin"):
        parse_command(["node", "begin", "-C", "x"])
    with pytest.raises(Exception, match="No such option"):
        parse_command(["node", "start", "--house", "x"])


# --- systemd ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unit() -> RawConfigParser:
    parsed = RawConfigParser(strict=True, delimiters=("=",), comment_prefixes=("#",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(UNIT.read_text())
    return parsed


def test_the_unit_runs_a_command_of_the_program_in_its_state_folder(unit: RawConfigParser) -> None:
    service = unit["Service"]
    program, *words = service["ExecStart"].split()
    assert program == "/opt/gridproof/bin/gridproof"
    parse_command(words)
    assert words[-1] == service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert service["Environment"] == "GRIDPROOF_COMETBFT=/opt/gridproof/bin/cometbft"


def test_the_unit_starts_again_but_for_what_lasts(unit: RawConfigParser) -> None:
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == str(LASTS)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["KillMode"] == "mixed"
    assert int(service["LimitNOFILE"]) >= 65_536


def test_the_unit_may_write_to_its_folder_only_and_gains_no_rights(unit: RawConfigParser) -> None:
    service = unit["Service"]
    wanted = {"ProtectSystem": "strict", "CapabilityBoundingSet": "", "StateDirectoryMode": "0700", "UMask": "0077"}
    for setting in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID"):
        wanted[setting] = "yes"
    assert {name: service[name] for name in wanted} == wanted
    assert service["User"] == service["Group"] == "gridproof"
    assert "ReadWritePaths" not in service
    assert {"AF_UNIX", "AF_INET", "AF_INET6"} <= set(service["RestrictAddressFamilies"].split())


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("this machine has no systemd-analyze")
    # The program is not installed here; that it is there is all that systemd would hold it to.
    tried = tmp_path / UNIT.name
    tried.write_text(UNIT.read_text().replace("/opt/gridproof/bin/gridproof", shutil.which("true") or "/bin/true"))
    told = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / "gridproof-node@acme.service")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line for line in told.stderr.splitlines() if UNIT.name.partition("@")[0] in line]
    # Systemd 252 and 253 do not know the two that make the pauses grow; the unit says so.
    assert [line for line in lines if not re.search(r"'(RestartSteps|RestartMaxDelaySec)'", line)] == []
    assert told.returncode == 0


def test_a_node_that_must_be_seen_to_exits_with_the_code_that_the_unit_leaves_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["node", "start", "-C", str(tmp_path)]) == LASTS == 3
    assert "There is no node in this folder." in capsys.readouterr().err
    assert main.run(["node", "start", "-C", str(tmp_path), "--json"]) == LASTS
    assert json.loads(capsys.readouterr().out)["error"] == "NoNodeError"
    assert issubclass(NoNodeError, LastingError)
    assert not issubclass(AddressTakenError, LastingError)
    assert issubclass(NodeRunningError, LastingError)
    assert f"\n| {LASTS} |" in (DEPLOY / "README.md").read_text()


# --- containers -------------------------------------------------------------------------------------------------------


@pytest.fixture
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return parsed


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_a_yaml_file_is_one(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_the_compose_file_says_only_what_a_compose_file_may(compose: dict[str, Any]) -> None:
    assert set(compose) == {"name", "services", "networks", "volumes"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, name
        assert ("build" in service) or (":" in service["image"]), f"{name} has no pinned version"
        assert set(service["networks"]) <= set(compose["networks"])
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_the_compose_file_mounts_and_builds_is_there(compose: dict[str, Any]) -> None:
    seen = 0
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.rpartition("}")[0] or volume.partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                seen += 1
            elif not source.startswith("$"):
                assert source in compose["volumes"]
    build = compose["services"]["node"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    assert seen == 3


def test_the_compose_files_commands_are_the_programs(compose: dict[str, Any]) -> None:
    node = compose["services"]["node"]
    parse_command(node["command"])
    kind, program, *words = node["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "gridproof")
    parse_command(words)


def test_only_the_port_for_other_nodes_is_open_to_them(compose: dict[str, Any]) -> None:
    node = compose["services"]["node"]
    assert node["ports"] == [f"{P2P_PORT}:{P2P_PORT}", f"127.0.0.1:{RPC_PORT}:{RPC_PORT}"]
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["grafana"]["ports"])
    assert "ports" not in compose["services"]["prometheus"]


def instructions() -> Iterator[tuple[str, list[str]]]:
    text = (DEPLOY / "Dockerfile").read_text()
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    for line in joined.splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.split()


def test_the_image_is_built_from_what_is_there_and_what_is_not_ignored() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = [
        source.rstrip("/")
        for word, rest in instructions()
        if word == "COPY" and not rest[0].startswith("--from")
        for source in rest[:-1]
    ]
    assert set(copied) == let_in
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_holds_the_engine_and_the_python_that_the_checkout_works_with() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    go = re.search(r"^go (\S+)$", (cometbft.BUILD.module / "go.mod").read_text(), re.MULTILINE)
    assert go
    assert f"FROM golang:{go[1]}-" in text
    assert cometbft.BUILD.packages["cometbft"] in text
    assert cometbft.BUILD.module.relative_to(ROOT).as_posix() in text
    pythons = re.findall(r"FROM python:(\d+)\.(\d+)-slim", text)
    assert len(pythons) == 2
    assert len({*pythons}) == 1
    assert all(supported((int(major), int(minor))) for major, minor in pythons)
    described = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert described["readme"] in text
    assert set(described["license-files"]) <= set(text.split())


def test_the_image_starts_the_node_as_somebody_without_rights(compose: dict[str, Any]) -> None:
    told = dict(instructions())
    assert told["USER"] == ["gridproof"]
    assert json.loads(" ".join(told["ENTRYPOINT"])) == ["gridproof"]
    assert json.loads(" ".join(told["CMD"])) == compose["services"]["node"]["command"]
    uid = re.search(r"--uid (\d+)", (DEPLOY / "Dockerfile").read_text())
    assert uid
    assert uid[1] in compose["services"]["node"]["user"]


def test_the_image_installs_by_the_locks_hashes() -> None:
    runs = [" ".join(rest) for word, rest in instructions() if word == "RUN"]
    (installer,) = [run for run in runs if "requirements/uv.txt" in run]
    assert "--require-hashes" in installer
    (package,) = [run for run in runs if "uv pip install" in run]
    assert "--constraints requirements/dev.txt" in package
    assert "--build-constraints requirements/dev.txt" in package


# --- Prometheus -------------------------------------------------------------------------------------------------------


def test_prometheus_asks_a_service_at_the_ports_that_nodes_have(compose: dict[str, Any]) -> None:
    asked = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    ports = {"gridproof": NODE_FIGURES_PORT, "cometbft": ENGINE_FIGURES_PORT}
    assert {each["job_name"] for each in asked} == set(ports)
    for job in asked:
        for targets in job["static_configs"]:
            assert set(targets["labels"]) == {"node"}
            for target in targets["targets"]:
                host, _, port = target.partition(":")
                assert set(compose["services"]["prometheus"]["networks"]) & set(compose["services"][host]["networks"])
                assert int(port) == ports[job["job_name"]]


def test_grafana_finds_prometheus_and_the_dashboard_where_the_compose_file_has_them(compose: dict[str, Any]) -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "gridproof.yaml").read_text())["datasources"]
    host = source["url"].removeprefix("http://").partition(":")[0]
    assert set(compose["services"]["grafana"]["networks"]) & set(compose["services"][host]["networks"])
    (provider,) = yaml.safe_load((folder / "dashboards" / "gridproof.yaml").read_text())["providers"]
    mounted = {volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]}
    assert f"{provider['options']['path']}/gridproof.json" in mounted
