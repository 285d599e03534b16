"""Participants' own keys."""

from pathlib import Path

import pytest

from gridproof.actors import credentials
from gridproof.actors.randomness import Seeded
from gridproof.connectors.files import FileExistsAlreadyError
from gridproof.connectors.secret_files import NoSecretFileError, SecretFiles
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import hpke
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


def test_secrets_do_not_show_in_texts() -> None:
    assert repr(credentials.draw("anna", Seeded(b"1"))) == "Credentials('anna', hidden)"
