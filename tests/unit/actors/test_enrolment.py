"""The files that the bill provider hands out."""

from pathlib import Path

import pytest

from gridproof.actors.enrolment import (
    HOUSEHOLD_PURPOSE,
    METER_PURPOSE,
    ChainPair,
    MeterFile,
    advance,
    read_household,
    read_meter,
    write_household,
    write_meter,
)
from gridproof.actors.errors import ChannelUnknownError, MonthErasedError, SecretFormatError
from gridproof.connectors.files import FileExposedError
from gridproof.connectors.secret_files import NoSecretFileError, PassphraseNeededError, SecretFiles
from gridproof.domain import Direction, Secret, next_chain_key
from gridproof.primitives.encoding import encode

SIGN, VIEW = b"s" * 32, b"v" * 32
FILE = MeterFile(1, "chain", "meter 1", b"h" * 16, 1, 24_000, 5, (ChainPair(Direction.IMPORT, SIGN, VIEW),))


def test_both_files_come_back_as_they_were_written_and_only_their_owner_may_open_them(tmp_path: Path) -> None:
    secrets = SecretFiles()
    write_meter(secrets, tmp_path / "a.meter", FILE)
    write_household(secrets, tmp_path / "a.household", FILE.for_household())
    assert read_meter(secrets, tmp_path / "a.meter") == FILE
    assert read_household(secrets, tmp_path / "a.household") == FILE.for_household()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_row20_the_household_gets_no_sign_secret(tmp_path: Path) -> None:
    write_household(SecretFiles(), tmp_path / "a.household", FILE.for_household())
    content = (tmp_path / "a.household").read_bytes()
    assert VIEW in content
    assert SIGN not in content


def test_a_file_of_the_household_is_no_file_of_the_meter(tmp_path: Path) -> None:
    write_household(SecretFiles(), tmp_path / "a", FILE.for_household())
    with pytest.raises(NoSecretFileError) as refused:
        read_meter(SecretFiles(), tmp_path / "a")
    assert refused.value.purpose == METER_PURPOSE


def test_with_a_passphrase_the_file_is_sealed(tmp_path: Path) -> None:
    write_meter(SecretFiles("secret words"), tmp_path / "a", FILE)
    content = (tmp_path / "a").read_bytes()
    assert SIGN not in content
    assert VIEW not in content
    with pytest.raises(PassphraseNeededError):
        read_meter(SecretFiles(), tmp_path / "a")
    assert read_meter(SecretFiles("secret words"), tmp_path / "a") == FILE


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    write_meter(SecretFiles(), tmp_path / "a", FILE)
    (tmp_path / "a").chmod(0o644)
    with pytest.raises(FileExposedError):
        read_meter(SecretFiles(), tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "detail"),
    [(b"nothing of the kind", "MeterFile"), (encode([9, "c", "n", b"", 1, 1, 1, []]), "version 9, known is 1")],
    ids=["no record", "later version"],
)
def test_content_of_another_form_is_refused(tmp_path: Path, content: bytes, detail: str) -> None:
    SecretFiles().write(tmp_path / "a", content, METER_PURPOSE)
    with pytest.raises(SecretFormatError, match=detail):
        read_meter(SecretFiles(), tmp_path / "a")
    SecretFiles().write(tmp_path / "b", content, HOUSEHOLD_PURPOSE)
    with pytest.raises(SecretFormatError):
        read_household(SecretFiles(), tmp_path / "b")


def test_row11_a_later_month_has_other_keys_and_no_way_back() -> None:
    later = FILE.in_month(FILE.month + 2)
    pair = later.chain(Direction.IMPORT)
    assert pair.sign == next_chain_key(next_chain_key(SIGN, Secret.SIGN), Secret.SIGN)
    assert pair.view == advance(VIEW, Secret.VIEW, 2)
    assert later.for_household().view_in_month(Direction.IMPORT, later.month) == pair.view
    assert FILE.for_household().view_in_month(Direction.IMPORT, later.month) == pair.view
    assert FILE.in_month(FILE.month) == FILE
    with pytest.raises(MonthErasedError) as refused:
        later.in_month(FILE.month)
    assert (refused.value.what, refused.value.month) == ("meter meter 1", FILE.month)
    with pytest.raises(MonthErasedError):
        later.for_household().view_in_month(Direction.IMPORT, FILE.month)


def test_a_channel_that_was_not_enrolled_has_no_keys() -> None:
    with pytest.raises(ChannelUnknownError) as refused:
        FILE.chain(Direction.EXPORT)
    assert (refused.value.meter, refused.value.channel) == ("meter 1", "export")
    with pytest.raises(ChannelUnknownError):
        FILE.for_household().view_in_month(Direction.EXPORT, FILE.month)


def test_secrets_do_not_show_in_texts() -> None:
    for shown in (repr(FILE), repr(FILE.for_household()), repr(FILE.chains)):
        assert repr(SIGN)[2:10] not in shown
        assert repr(VIEW)[2:10] not in shown
