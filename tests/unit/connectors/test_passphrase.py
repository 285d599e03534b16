"""Where a passphrase comes from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gridproof.connectors.files import FileExposedError, FileMissingError
from gridproof.connectors.passphrase import (
    FILE_VARIABLE,
    VARIABLE,
    EmptyPassphraseError,
    PassphraseMismatchError,
    PassphraseNotTextError,
    read_passphrase,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_bytes(b"from file\r\nsecond line\n")
    path.chmod(0o600)
    return path


def typing_in(*entries: str) -> Callable[[str], str]:
    waiting = list(entries)
    return lambda _: waiting.pop(0)


def test_the_file_comes_before_the_environment_and_that_before_the_prompt(file: Path) -> None:
    environment = {VARIABLE: "from variable", FILE_VARIABLE: str(file)}
    assert read_passphrase(file=file, environment=environment, prompt=typing_in("typed")) == "from file"
    assert read_passphrase(environment=environment, prompt=typing_in("typed")) == "from variable"
    assert read_passphrase(environment={FILE_VARIABLE: str(file)}, prompt=typing_in("typed")) == "from file"
    assert read_passphrase(environment={}, prompt=typing_in("typed")) == "typed"


def test_without_any_source_there_is_none() -> None:
    assert read_passphrase(environment={}) is None


def test_the_process_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "from variable")
    assert read_passphrase() == "from variable"


def test_a_passphrase_file_that_others_may_read_is_refused(file: Path) -> None:
    file.chmod(0o644)
    with pytest.raises(FileExposedError, match="chmod 600") as refusal:
        read_passphrase(file=file, environment={})
    assert refusal.value.mode == "0644"


def test_a_passphrase_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        read_passphrase(environment={FILE_VARIABLE: str(tmp_path / "absent")})


def test_an_empty_passphrase_is_refused_wherever_it_comes_from(file: Path) -> None:
    file.write_bytes(b"\n")
    with pytest.raises(EmptyPassphraseError) as refusal:
        read_passphrase(file=file, environment={})
    assert refusal.value.source == str(file)
    with pytest.raises(EmptyPassphraseError):
        read_passphrase(environment={VARIABLE: ""})
    with pytest.raises(EmptyPassphraseError):
        read_passphrase(environment={}, prompt=typing_in(""))


def test_a_first_passphrase_is_typed_twice() -> None:
    assert read_passphrase(environment={}, prompt=typing_in("a", "a"), confirm=True) == "a"
    with pytest.raises(PassphraseMismatchError):
        read_passphrase(environment={}, prompt=typing_in("a", "b"), confirm=True)


def test_bytes_that_are_no_text_are_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PassphraseNotTextError) as refusal:
        read_passphrase(file=file, environment={})
    assert refusal.value.source == str(file)
    with pytest.raises(PassphraseNotTextError):
        read_passphrase(environment={VARIABLE: "\udcff"})


def test_a_letter_typed_as_two_code_points_is_the_same_passphrase() -> None:
    assert read_passphrase(environment={VARIABLE: "Zu\u0308rich"}) == read_passphrase(
        environment={VARIABLE: "Z\u00fcrich"}
    )
