"""Engines are found by version and sources, built once, and what cannot be had is told."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from gridproof.drivers import tether

from tests.unit.tools.test_versions import script
from tools.engines import __main__ as engines
from tools.engines import chromium, cometbft, faulty, go_build, kubo
from tools.engines.go_build import Build
from tools.environment import SetupError

RIGHT = f"echo {kubo.VERSION}"
BUILDS = f"""
echo "$PWD $CGO_ENABLED $*" >> "$BUILDS"
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n{RIGHT}\\n' > "$2" && chmod +x "$2"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and nothing of this machine's programs."""
    monkeypatch.setenv("GRIDPROOF_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)


def test_an_engine_lies_in_the_users_cache_under_its_version_and_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GRIDPROOF_ENGINES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert kubo.BUILD.program.parent.parent == tmp_path / "caches" / "gridproof" / "engines"
    assert kubo.BUILD.program.parent.name.startswith(f"kubo-{kubo.VERSION}-")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kubo.BUILD.program.is_relative_to(tmp_path / ".cache" / "gridproof")


def test_other_sources_have_another_place(tmp_path: Path) -> None:
    before = kubo.BUILD.program
    (tmp_path / "go.mod").write_bytes((kubo.BUILD.module / "go.mod").read_bytes())
    (tmp_path / "go.sum").write_bytes((kubo.BUILD.module / "go.sum").read_bytes() + b"\n")
    assert kubo.BUILD._replace(module=tmp_path).program != before


@pytest.mark.parametrize(
    ("build", "source"), [(kubo.BUILD, "github.com/ipfs/kubo"), (cometbft.BUILD, "github.com/cometbft/cometbft")]
)
def test_a_module_pins_its_programs_and_every_source_by_its_hash(build: Build, source: str) -> None:
    described = (build.module / "go.mod").read_text()
    for package in build.packages.values():
        assert re.search(rf"^(tool |\t){re.escape(package)}$", described, re.MULTILINE)
    assert f"{source} v{build.version} " in described
    sums = (build.module / "go.sum").read_text().splitlines()
    assert all(re.fullmatch(r"\S+ \S+ h1:[A-Za-z0-9+/]{43}=", line) for line in sums)


def test_what_is_missing_does_not_run_or_has_another_version_is_not_found() -> None:
    assert kubo.find() is None
    script(kubo.BUILD.program, "exit 1")
    assert kubo.find() is None
    script(kubo.BUILD.program, "echo 0.42.0")
    assert kubo.find() is None
    script(kubo.BUILD.program, RIGHT)
    assert kubo.find() == kubo.BUILD.program


def test_kubo_is_built_once_from_its_own_module(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script(home / "bin" / "go", BUILDS)
    assert kubo.install() == kubo.BUILD.program
    assert kubo.install() == kubo.BUILD.program
    (build,) = (home / "builds").read_text().splitlines()
    assert build.startswith(f"{kubo.BUILD.module} 0 build -mod=readonly -trimpath ")
    assert build.endswith(kubo.BUILD.packages["ipfs"])
    assert not (kubo.BUILD.program.parent / "build-cache").exists()
    assert f"building Kubo {kubo.VERSION}" in capsys.readouterr().out


def test_a_long_build_says_that_it_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(go_build, "TELL_EVERY_S", 0.05)
    script(home / "bin" / "go", f"sleep 0.3\n{BUILDS}")
    kubo.install()
    assert "still building Kubo" in capsys.readouterr().out


def test_a_build_that_fails_tells_the_compilers_words_and_leaves_no_engine(home: Path) -> None:
    script(home / "bin" / "go", "echo 'out of cheese' >&2; exit 2")
    with pytest.raises(SetupError, match=r"(?s)building Kubo failed:.*out of cheese"):
        kubo.install()
    assert kubo.find() is None


def test_a_build_of_another_version_is_refused(home: Path) -> None:
    script(home / "bin" / "go", BUILDS.replace(RIGHT, "echo 0.1.0"))
    with pytest.raises(SetupError, match=r"says that it is 0\.1\.0"):
        kubo.install()
    assert kubo.find() is None


def test_two_runs_at_once_build_once(home: Path) -> None:
    script(home / "bin" / "go", f"sleep 0.3\n{BUILDS}")
    command = [sys.executable, "-m", "tools.engines", "kubo"]
    runs = [
        subprocess.Popen(command, cwd=kubo.BUILD.module.parents[2], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [run.communicate()[0] for run in runs] == [f"{kubo.BUILD.program}\n"] * 2
    assert len((home / "builds").read_text().splitlines()) == 1


def test_an_engine_may_be_built_over_altered_passages_of_the_standard_library(home: Path) -> None:
    clock = home / "go-root" / "src" / "time" / "time.go"
    clock.parent.mkdir(parents=True)
    clock.write_text("package time\n\nfunc Now() Time {\n\treturn Time{}\n}\n")
    disk = home / "go-root" / "src" / "os" / "file.go"
    disk.parent.mkdir(parents=True)
    disk.write_text("package os\n\nfunc (f *File) Write(b []byte) (n int, err error) {\n\tn, e := f.write(b)\n}\n")
    version = cometbft.VERSION
    script(
        home / "bin" / "go",
        f'[ "$1" = env ] && echo {home / "go-root"} && exit\n' + BUILDS.replace(RIGHT, f"echo {version}"),
    )
    assert faulty.install() == faulty.BUILD.program
    told = json.loads((faulty.BUILD.folder / "overlay.json").read_text())["Replace"]
    assert "func trueNow() Time {" in Path(told[str(clock)]).read_text()
    assert "func Now() Time {" in Path(told[str(clock.parent / "skew.go")]).read_text()
    assert "f.writeWhereRoom(b)" in Path(told[str(disk)]).read_text()
    assert "writeWhereRoom(b []byte)" in Path(told[str(disk.parent / "full.go")]).read_text()
    assert f"-overlay {faulty.BUILD.folder / 'overlay.json'}" in (home / "builds").read_text()
    assert faulty.BUILD.folder != cometbft.BUILD.folder


def test_a_standard_library_without_the_passage_is_refused(home: Path) -> None:
    clock = home / "go-root" / "src" / "time" / "time.go"
    clock.parent.mkdir(parents=True)
    clock.write_text("package time\n")
    script(home / "bin" / "go", f"echo {home / 'go-root'}")
    with pytest.raises(SetupError, match="is not as expected"):
        faulty.install()


def test_without_go_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_programs(monkeypatch)
    with pytest.raises(SetupError, match="there is no `go` here"):
        kubo.install()


def test_a_chromium_that_is_there_is_used_and_one_that_does_not_run_is_not(home: Path) -> None:
    program = script(home / "bin" / "chromium", "echo Chromium 1")
    assert chromium.find() == chromium.install() == program
    script(program, "exit 1")
    assert chromium.find() is None


def test_without_rights_it_is_told_how_chromium_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    without_programs(monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    with pytest.raises(SetupError, match="as root, run: apt-get install chromium fonts-dejavu-core"):
        chromium.install()


@pytest.mark.parametrize("works", [True, False])
def test_with_rights_chromium_is_installed_from_the_systems_packages(
    home: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    steps: list[list[str]] = []

    def install(command: list[str], doing: str) -> None:
        steps.append(command)
        if "install" in command and works:
            script(home / "bin" / "chromium", "echo Chromium 1")

    found = iter([None, home / "bin" / "chromium" if works else None])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    monkeypatch.setattr(chromium, "find", lambda: next(found))
    monkeypatch.setattr(chromium, "run", install)
    if works:
        assert chromium.install() == home / "bin" / "chromium"
    else:
        with pytest.raises(SetupError, match="does not run"):
            chromium.install()
    assert [step[:2] for step in steps] == [["apt-get", "update"], ["env", "DEBIAN_FRONTEND=noninteractive"]]
    assert set(chromium.PACKAGES) < set(steps[1])


def test_nothing_but_paths_is_printed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script(home / "bin" / "go", BUILDS)
    assert engines.main(["kubo"]) == 0
    told = capsys.readouterr()
    assert told.out == f"{kubo.BUILD.program}\n"
    assert "building Kubo" in told.err


def test_an_engine_that_nobody_knows_is_refused() -> None:
    for arguments in (["cassandra"], []):
        with pytest.raises(SystemExit):
            engines.main(arguments)


def test_what_cannot_be_had_for_tests_is_passed_over_at_a_desk_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> Path:
        raise SetupError("it cannot be had")

    monkeypatch.setattr(engines, "ENGINES", {"kubo": refuse})
    assert engines.main(["--for-tests"]) == 0
    assert "it cannot be had" in capsys.readouterr().err
    assert engines.main(["kubo"]) == 1
    monkeypatch.setenv("CI", "true")
    assert engines.main(["--for-tests"]) == 1


def test_a_tethered_program_dies_with_its_starter() -> None:
    sleeper = [sys.executable, "-I", "-S", tether.__file__]
    starts = (
        "import os, subprocess, sys;"
        f"child = subprocess.Popen([*{sleeper!r}, str(os.getpid()), {sys.executable!r}, '-c', 'input()'],"
        " stdin=subprocess.PIPE); print(child.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        child = Path("/proc") / starter.stdout.readline().strip()
        assert child.exists()
        starter.kill()
    deadline = monotonic() + 30
    while _lives(child) and monotonic() < deadline:
        sleep(0.01)
    assert not _lives(child)


def test_a_program_whose_starter_died_before_is_not_run(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", tether.__file__, "1", "/usr/bin/touch", str(tmp_path / "ran")]
    ended = subprocess.run(command, check=False)
    assert ended.returncode == 1
    assert not (tmp_path / "ran").exists()


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
