"""Finding the engine: of the one version, where people put it."""

from pathlib import Path

import pytest

from gridproof.actors.node import program as module
from gridproof.actors.node.errors import EngineMissingError, EngineVersionError
from gridproof.actors.node.program import find_engine
from gridproof.drivers.cometbft.engine import VERSION

from tests.unit.actors.node.homes import program


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRIDPROOF_COMETBFT", "GRIDPROOF_ENGINES", "XDG_CACHE_HOME", "GOBIN", "GOPATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def put(place: Path, version: str = VERSION) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    return program(place, "", version=version)


def test_it_is_looked_for_in_the_settings_the_variable_the_path_gos_place_and_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = put(tmp_path / "home/.cache/gridproof/engines" / f"cometbft-{VERSION}-linux" / "cometbft")
    assert find_engine() == cached
    installed = put(tmp_path / "home/go/bin/cometbft")
    assert find_engine() == installed
    monkeypatch.setenv("GOPATH", str(tmp_path / "gopath"))
    installed = put(tmp_path / "gopath/bin/cometbft")
    assert find_engine() == installed
    monkeypatch.setenv("GOBIN", str(tmp_path / "gobin"))
    installed = put(tmp_path / "gobin/cometbft")
    assert find_engine() == installed
    in_path = put(tmp_path / "bin/cometbft")
    assert find_engine() == in_path
    by_variable = put(tmp_path / "mine")
    monkeypatch.setenv("GRIDPROOF_COMETBFT", str(by_variable))
    assert find_engine() == by_variable
    by_settings = put(tmp_path / "theirs")
    assert find_engine(str(by_settings)) == by_settings


def test_other_caches_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    cached = put(tmp_path / "caches/gridproof/engines" / f"cometbft-{VERSION}-x" / "cometbft")
    assert find_engine() == cached
    monkeypatch.setenv("GRIDPROOF_ENGINES", str(tmp_path / "engines"))
    with pytest.raises(EngineMissingError):
        find_engine()
    assert find_engine(str(cached)) == cached
    assert put(tmp_path / "engines" / f"cometbft-{VERSION}-y" / "cometbft") == find_engine()


def test_what_is_named_is_not_looked_for_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "bin/cometbft")
    with pytest.raises(EngineMissingError) as refused:
        find_engine(str(tmp_path / "none"))
    assert refused.value.looked_at == str(tmp_path / "none")
    monkeypatch.setenv("GRIDPROOF_COMETBFT", str(tmp_path / "none"))
    with pytest.raises(EngineMissingError):
        find_engine()


def test_one_of_another_version_that_nobody_named_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path / "bin/cometbft", "0.34.0")
    older = put(tmp_path / "home/go/bin/cometbft", "0.33.0")
    with pytest.raises(EngineVersionError) as refused:
        find_engine()
    assert (refused.value.program, refused.value.found) == (str(old), "0.34.0"), "that which a person would run"
    cached = put(tmp_path / "home/.cache/gridproof/engines" / f"cometbft-{VERSION}-linux" / "cometbft")
    assert find_engine() == cached
    with pytest.raises(EngineVersionError):
        find_engine(str(older))
    monkeypatch.setenv("GRIDPROOF_COMETBFT", str(older))
    with pytest.raises(EngineVersionError):
        find_engine()


def test_where_it_is_nowhere_it_is_said_where_it_was_looked_for_and_how_to_have_it(tmp_path: Path) -> None:
    with pytest.raises(EngineMissingError) as refused:
        find_engine()
    assert str(tmp_path / "home/go/bin/cometbft") in refused.value.looked_at
    assert "go install" in str(refused.value)


def test_a_home_may_be_written_as_a_tilde(tmp_path: Path) -> None:
    put(tmp_path / "home/x/cometbft")
    assert find_engine("~/x/cometbft") == tmp_path / "home/x/cometbft"


@pytest.mark.parametrize("version", ["v" + VERSION, VERSION + "+abcdef1"])
def test_a_version_may_bear_marks(tmp_path: Path, version: str) -> None:
    assert find_engine(str(put(tmp_path / "e", version))) == tmp_path / "e"


@pytest.mark.parametrize("version", ["0.38.24", "1.0.1", "", VERSION + "1", "\x07" * 1_000])
def test_another_version_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(EngineVersionError) as refused:
        find_engine(str(put(tmp_path / "e", version)))
    assert refused.value.wanted == VERSION
    assert len(refused.value.found) <= 100


def test_what_is_no_program_or_does_not_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    place = tmp_path / "e"
    for body in ("not a program", "#!/bin/sh\nexit 1\n", "#!/bin/sh\nexec /bin/sleep 30\n"):
        place.write_text(body)
        place.chmod(0o700)
        with pytest.raises(EngineVersionError) as refused:
            find_engine(str(place))
        assert refused.value.found.startswith("nothing")
    place.write_text("#!/bin/sh\nprintf '\\377\\376'\n")
    with pytest.raises(EngineVersionError):
        find_engine(str(place))
    place.chmod(0o600)
    with pytest.raises(EngineMissingError):
        find_engine(str(place))
    with pytest.raises(EngineMissingError):
        find_engine(str(tmp_path))
