"""Secrets at rest, by the rules S-1 to S-4 and F-1, F-2."""

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridproof.connectors import files, secret_files
from gridproof.connectors.files import (
    FileExistsAlreadyError,
    FileExposedError,
    FileMissingError,
    FileUnreadableError,
    FileUnwritableError,
)
from gridproof.connectors.secret_files import (
    MAGIC,
    NoSecretFileError,
    PassphraseNeededError,
    SecretFiles,
    SecretVersionError,
    WrongPassphraseError,
    discard,
    erase,
    erase_leftovers,
)
from gridproof.primitives.errors import InvalidArgumentError
from gridproof.primitives.sealing import PassphraseKey

SECRET, PURPOSE = b"\x07" * 64, "meter/sign"
CHEAP = 10  # scrypt's lowest cost


def sealing(passphrase: str = "correct horse") -> SecretFiles:
    return SecretFiles(passphrase, log2_n=CHEAP)


@pytest.fixture(params=["plain", "sealed"])
def secrets(request: pytest.FixtureRequest) -> SecretFiles:
    return SecretFiles() if request.param == "plain" else sealing()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_s1_a_secret_comes_back_and_only_its_owner_may_open_it(secrets: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "meters" / "h001"
    secrets.write(path, SECRET, PURPOSE)
    assert secrets.read(path, PURPOSE) == SECRET
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    assert [entry.name for entry in path.parent.iterdir()] == ["h001"]


@pytest.mark.parametrize("exposed", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_s1_a_secret_that_others_may_open_is_refused_and_chmod_named(
    secrets: SecretFiles, tmp_path: Path, exposed: int
) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE)
    path.chmod(exposed)
    with pytest.raises(FileExposedError, match="chmod 600") as refusal:
        secrets.read(path, PURPOSE)
    assert (refusal.value.path, refusal.value.mode) == (str(path), f"{exposed:04o}")
    path.chmod(0o600)
    assert secrets.read(path, PURPOSE) == SECRET


def test_s1_a_disk_that_fills_up_leaves_the_old_secret_and_nothing_else(
    secrets: SecretFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(FileUnwritableError, match="No space left") as refusal:
            secrets.write(path, b"new", PURPOSE)
    assert refusal.value.path == str(path)
    assert secrets.read(path, PURPOSE) == SECRET
    assert [entry.name for entry in tmp_path.iterdir()] == ["h001"]


def test_s1_a_secret_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_files, "MAX_SECRET", 63)
    with pytest.raises(FileUnwritableError):
        SecretFiles().write(tmp_path / "h001", SECRET, PURPOSE)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_shall_not_be_replaced_stays(secrets: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE, replace=False)
    with pytest.raises(FileExistsAlreadyError) as refusal:
        secrets.write(path, b"other", PURPOSE, replace=False)
    assert refusal.value.path == str(path)
    assert secrets.read(path, PURPOSE) == SECRET
    assert [entry.name for entry in tmp_path.iterdir()] == ["h001"]


def test_s2_what_a_secret_replaces_is_overwritten(secrets: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE)
    with path.open("rb") as old:
        secrets.write(path, b"next month", PURPOSE)
        assert set(old.read()) == {0}
    assert secrets.read(path, PURPOSE) == b"next month"


def test_s2_an_erased_secret_is_overwritten_and_gone(secrets: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE)
    with path.open("rb") as held:
        erase(path)
        assert set(held.read()) == {0}
    assert not path.exists()
    with pytest.raises(FileMissingError):
        erase(path)


def test_s2_a_discarded_secret_is_whole_or_of_no_name_that_anyone_looks_for(
    secrets: SecretFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "next"
    secrets.write(path, b"secret", "test")
    whole = path.read_bytes()

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("gridproof.connectors.secret_files.overwrite", killed)
        with pytest.raises(KeyboardInterrupt):
            discard(path)
    (left,) = tmp_path.iterdir()
    assert (left.name == path.name, left.read_bytes()) == (False, whole)
    assert erase_leftovers(tmp_path) == 1
    with pytest.raises(FileMissingError):
        discard(path)
    secrets.write(path, b"secret", "test")
    discard(path)
    assert list(tmp_path.iterdir()) == []


def test_s2_a_link_is_neither_erased_nor_replaced_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    SecretFiles().write(target, SECRET, PURPOSE)
    link.symlink_to(target)
    with pytest.raises(FileUnwritableError):
        erase(link)
    with pytest.raises(FileUnwritableError):
        SecretFiles().write(link, b"other", PURPOSE)
    assert SecretFiles().read(target, PURPOSE) == SECRET


def test_s2_what_a_killed_write_left_is_erased(tmp_path: Path) -> None:
    SecretFiles().write(tmp_path / "h001", SECRET, PURPOSE)
    (tmp_path / ".h001.0badcafe.new").write_bytes(SECRET)
    assert erase_leftovers(tmp_path) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["h001"]


def test_s2_what_was_killed_after_it_got_its_lasting_name_keeps_its_content(tmp_path: Path) -> None:
    SecretFiles().write(tmp_path / "h001", SECRET, PURPOSE, replace=False)
    (tmp_path / ".h001.0badcafe.new").hardlink_to(tmp_path / "h001")
    assert erase_leftovers(tmp_path) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["h001"]
    assert SecretFiles().read(tmp_path / "h001", PURPOSE) == SECRET


def test_s2_neither_links_nor_files_of_other_names_are_leftovers(tmp_path: Path) -> None:
    SecretFiles().write(tmp_path / "h001", SECRET, PURPOSE)
    (tmp_path / ".h001.0badcafe.new").symlink_to(tmp_path / "h001")
    (tmp_path / ".h001.new").write_bytes(b"mine")
    assert erase_leftovers(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 3
    assert SecretFiles().read(tmp_path / "h001", PURPOSE) == SECRET


def test_s3_a_passphrase_seals_and_only_it_opens(tmp_path: Path) -> None:
    path = tmp_path / "h001"
    sealing().write(path, SECRET, PURPOSE)
    assert SECRET not in path.read_bytes()
    assert sealing().read(path, PURPOSE) == SECRET
    with pytest.raises(WrongPassphraseError) as refusal:
        sealing("correct horsf").read(path, PURPOSE)
    assert refusal.value.path == str(path)


def test_s3_a_sealed_secret_without_a_passphrase_says_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "h001"
    sealing().write(path, SECRET, PURPOSE)
    with pytest.raises(PassphraseNeededError, match="GRIDPROOF_PASSPHRASE"):
        SecretFiles().read(path, PURPOSE)


def test_s3_a_plain_secret_is_still_read_with_a_passphrase_and_sealed_when_written_again(tmp_path: Path) -> None:
    path = tmp_path / "h001"
    SecretFiles().write(path, SECRET, PURPOSE)
    secrets = sealing()
    secrets.write(path, secrets.read(path, PURPOSE), PURPOSE)
    with pytest.raises(PassphraseNeededError):
        SecretFiles().read(path, PURPOSE)


def test_s4_a_run_derives_one_key_for_all_that_it_reads_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = sealing()
    for name in "abc":
        writer.write(tmp_path / name, SECRET, PURPOSE)
    derived: list[bytes] = []

    def counting(passphrase: str, salt: bytes, log2_n: int) -> PassphraseKey:
        derived.append(salt)
        return PassphraseKey(passphrase, salt, log2_n)

    monkeypatch.setattr(secret_files, "PassphraseKey", counting)
    reader = sealing()
    for name in "abc":
        assert reader.read(tmp_path / name, PURPOSE) == SECRET
    reader.write(tmp_path / "d", SECRET, PURPOSE)
    assert len(derived) == 1


def test_every_write_takes_a_fresh_nonce(tmp_path: Path) -> None:
    secrets, texts = sealing(), set()
    for _ in range(4):
        secrets.write(tmp_path / "h001", SECRET, PURPOSE)
        texts.add((tmp_path / "h001").read_bytes())
    assert len(texts) == 4


def test_a_secret_serves_no_other_purpose(secrets: SecretFiles, tmp_path: Path) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE)
    with pytest.raises(WrongPassphraseError if secrets.seals else NoSecretFileError, match="meter/view"):
        secrets.read(path, "meter/view")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(position=st.integers(0, 200), flip=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_secret_is_refused_by_type(
    secrets: SecretFiles, tmp_path: Path, position: int, flip: int, cut: bool
) -> None:
    path = tmp_path / "h001"
    secrets.write(path, SECRET, PURPOSE)
    content = bytearray(path.read_bytes())
    place = position % len(content)
    if secrets.seals and place == len(MAGIC) + 3:
        return  # the cost: a higher one is refused too, but only after a slow derivation
    if cut:
        del content[place:]
    else:
        content[place] ^= flip
    path.write_bytes(content)
    with pytest.raises((NoSecretFileError, SecretVersionError, WrongPassphraseError)):
        secrets.read(path, PURPOSE)


def test_an_impossible_cost_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "h001"
    sealing().write(path, SECRET, PURPOSE)
    content = bytearray(path.read_bytes())
    content[len(MAGIC) + 3] = 63
    path.write_bytes(content)
    with pytest.raises(NoSecretFileError):
        sealing().read(path, PURPOSE)


def test_a_secret_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h001"
    SecretFiles().write(path, SECRET, PURPOSE)
    content = bytearray(path.read_bytes())
    content[len(MAGIC)] = 2
    path.write_bytes(content)
    with pytest.raises(SecretVersionError) as refusal:
        SecretFiles().read(path, PURPOSE)
    assert refusal.value.version == 2


def test_what_is_no_file_is_refused(secrets: SecretFiles, tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        secrets.read(tmp_path / "absent", PURPOSE)
    with pytest.raises(FileUnreadableError):
        secrets.read(tmp_path, PURPOSE)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(FileUnreadableError):
        secrets.read(tmp_path / "pipe", PURPOSE)


def test_a_read_only_folder_is_one_sentence(
    secrets: SecretFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, flags: int, mode: int = 0o777) -> int:
        raise OSError(errno.EROFS if flags & os.O_CREAT else errno.ENOENT, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileUnwritableError, match="Read-only") as refusal:
        secrets.write(tmp_path / "h001", SECRET, PURPOSE)
    assert refusal.value.path == str(tmp_path / "h001")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(secrets: SecretFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileUnwritableError):
        secrets.write(tmp_path / "file" / "h001", SECRET, PURPOSE)


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        SecretFiles("")


def test_neither_secret_nor_passphrase_is_shown() -> None:
    assert repr(sealing()) == "SecretFiles(sealed)"
    assert repr(SecretFiles()) == "SecretFiles(plain)"


def test_f2_a_private_file_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "long"
    files.write_whole(path, bytes(11), 0o600)
    assert files.read_private(path, 11) == bytes(11)
    with pytest.raises(FileUnreadableError, match="longer than 10"):
        files.read_private(path, 10)


def test_f2_a_file_is_required_private_by_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileMissingError):
        files.require_private(path)
    files.write_whole(path, b"", 0o600)
    files.require_private(path)
    path.chmod(0o640)
    with pytest.raises(FileExposedError):
        files.require_private(path)
