"""Participants' own keys."""

from pathlib import Path

import pytest

from gridproof.actors import credentials
from gridproof.actors.credentials import FormerKey
from gridproof.actors.errors import SecretFormatError
from gridproof.actors.randomness import Seeded
from gridproof.connectors.files import FileExistsAlreadyError
from gridproof.connectors.secret_files import NoSecretFileError, SecretFiles
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import hpke
from gridproof.primitives.encoding import encode
from gridproof.primitives.secp256k1 import ORDER


def test_keys_come_back_as_they_were_drawn(tmp_path: Path) -> None:
    drawn = credentials.draw("anna", Seeded(b"1"), receipts=True)
    credentials.write(SecretFiles(), tmp_path / "anna.key", drawn)
    assert credentials.read(SecretFiles(), tmp_path / "anna.key", "anna") == drawn
    with pytest.raises(NoSecretFileError):
        credentials.read(SecretFiles(), tmp_path / "anna.key", "berta")


def test_keys_that_are_there_are_not_replaced(tmp_path: Path) -> None:
    first = credentials.draw("anna", Seeded(b"1"))
    credentials.write(SecretFiles(), tmp_path / "anna.key", first)
    with pytest.raises(FileExistsAlreadyError):
        credentials.write(SecretFiles(), tmp_path / "anna.key", credentials.draw("anna", Seeded(b"2")))
    assert credentials.read(SecretFiles(), tmp_path / "anna.key", "anna") == first


def test_the_registry_is_told_public_keys_only() -> None:
    drawn = credentials.draw("anna", Seeded(b"1"), receipts=True)
    told = {entry.role: entry.key for entry in drawn.public_keys()}
    assert told == {
        KeyRole.TRANSACTION: drawn.signer.public_key,
        KeyRole.RECEIPT: drawn.receipt_signer.public_key,
        KeyRole.ENCRYPTION: hpke.public_key(hpke.derive_secret(drawn.encryption)),
    }
    assert not {drawn.transaction, drawn.receipt, drawn.encryption} & set(told.values())
    assert KeyRole.RECEIPT not in {entry.role for entry in credentials.draw("b", Seeded(b"1")).public_keys()}


def test_a_draw_that_is_no_scalar_is_hashed_until_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [bytes(32), ORDER.to_bytes(32, "big"), b"\x01" * 32]
    monkeypatch.setattr(credentials, "_SCALAR", lambda _raw: answers.pop(0))
    assert credentials.draw("anna", Seeded(b"1")).transaction == b"\x01" * 32


def test_keys_of_the_first_form_are_read_and_have_no_former_ones(tmp_path: Path) -> None:
    drawn = credentials.draw("anna", Seeded(b"1"), receipts=True)
    first = [1, "anna", drawn.transaction, drawn.receipt, drawn.encryption]
    SecretFiles().write(tmp_path / "anna.key", encode(first), "participant/anna")
    assert credentials.read(SecretFiles(), tmp_path / "anna.key", "anna") == drawn
    SecretFiles().write(tmp_path / "anna.key", encode([2, *first[1:]]), "participant/anna")
    with pytest.raises(SecretFormatError):
        credentials.read(SecretFiles(), tmp_path / "anna.key", "anna")


def test_renewing_replaces_the_keys_of_the_named_roles_only() -> None:
    drawn, randomness = credentials.draw("anna", Seeded(b"1"), receipts=True), Seeded(b"2")
    for role in (KeyRole.TRANSACTION, KeyRole.RECEIPT, KeyRole.ENCRYPTION):
        before, after = drawn.public_keys(), drawn.renewed([role], randomness).public_keys()
        assert {entry.role for entry in set(after) - set(before)} == {role}


def test_replaced_encryption_keys_are_kept_once_the_latest_first() -> None:
    first = credentials.draw("anna", Seeded(b"1"))
    second = first.renewed([KeyRole.ENCRYPTION], Seeded(b"2"))
    third = second.renewed([KeyRole.ENCRYPTION], Seeded(b"3"))
    held = third.after(second.after(first, 10), 20)
    assert held.former == (FormerKey(second.encryption, 20), FormerKey(first.encryption, 10))
    assert third.after(held, 30) == held
    assert third.after(None, 30) == third
    sealed = hpke.seal(first.public_keys()[-1].key, b"", b"late")
    assert hpke.unseal(held.opening_secrets()[2], b"", sealed) == b"late"


def test_next_keys_serve_no_other_purpose_and_tell_what_is_fresh(tmp_path: Path) -> None:
    drawn = credentials.draw("anna", Seeded(b"1"), receipts=True)
    successor = credentials.succeed(drawn, (KeyRole.RECEIPT, KeyRole.TRANSACTION), b"\x02" * 32)
    assert [entry.role for entry in successor.entries()] == [KeyRole.TRANSACTION, KeyRole.RECEIPT, KeyRole.RECOVERY]
    path = tmp_path / "anna.next"
    credentials.write_successor(SecretFiles(), path, successor)
    assert credentials.read_successor(SecretFiles(), path, "anna") == successor
    with pytest.raises(NoSecretFileError):
        credentials.read(SecretFiles(), path, "anna")
    with pytest.raises(NoSecretFileError):
        credentials.read_successor(SecretFiles(), path, "berta")
    with pytest.raises(FileExistsAlreadyError):
        credentials.write_successor(SecretFiles(), path, successor)


def test_secrets_do_not_show_in_texts() -> None:
    drawn = credentials.draw("anna", Seeded(b"1"))
    assert repr(drawn) == "Credentials('anna', hidden)"
    assert repr(credentials.succeed(drawn, (1, 3))) == "Successor('anna', (1, 3), hidden)"
    assert repr(FormerKey(b"\x01" * 32, 7)) == "FormerKey(7, hidden)"
