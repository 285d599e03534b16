"""Signed registers and cards: whose word they are, and that they stand for nothing else."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.words import (
    CARD_VERSION,
    Card,
    CardError,
    CardPart,
    RegisterWord,
    RegisterWordError,
    card_path,
    read_card,
    write_card,
)
from gridproof.actors.errors import SecretFormatError
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.secret_files import SecretFileError, SecretFiles
from gridproof.domain import Direction, MonthId, RegisterSpan, register_hash, register_key
from gridproof.primitives.schnorr import Signer

CHAIN, MONTH, METER, BID = "village", MonthId(2025 * 12 + 9), b"m" * 16, b"b" * 32
SPAN = RegisterSpan(Direction.IMPORT, 10, 20, 1_000, 2_000)
SIGNER = register_key(b"s" * 32)
PROVIDER = Signer((5).to_bytes(32, "big"))


def word(span: RegisterSpan = SPAN, month: MonthId = MONTH) -> RegisterWord:
    return RegisterWord(METER, month, *span, SIGNER.sign(register_hash(CHAIN, METER, month, span)))


def card() -> Card:
    part = CardPart(Direction.IMPORT, 10, 20, b"r" * 32, SIGNER.public_key)
    unsigned = Card(CARD_VERSION, CHAIN, 1, MONTH, BID, (part,), PROVIDER.public_key, b"")
    return replace(unsigned, signature=PROVIDER.sign(unsigned.digest))


def test_a_true_register_is_taken() -> None:
    word().verify(CHAIN, SIGNER.public_key)
    assert word().span == SPAN


@pytest.mark.parametrize(
    "changed",
    [
        {"meter": b"n" * 16},
        {"month": MONTH + 1},
        {"channel": Direction.EXPORT},
        {"start_k": 11},
        {"end_k": 21},
        {"start_wh": 1},
        {"end_wh": 1},
        {"signature": bytes(64)},
        {"signature": b""},
        {"channel": 9},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_forged_register_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(RegisterWordError) as refused:
        replace(word(), **changed).verify(CHAIN, SIGNER.public_key)
    assert refused.value.end_k == changed.get("end_k", 20)


def test_a_register_of_another_ledger_or_under_no_key_is_refused() -> None:
    for chain_id, key in (("another", SIGNER.public_key), (CHAIN, b""), (CHAIN, register_key(b"t" * 32).public_key)):
        with pytest.raises(RegisterWordError):
            word().verify(chain_id, key)


def test_a_true_card_is_taken_and_tells_its_parts() -> None:
    card().verify(CHAIN, BID)
    assert card().part(Direction.IMPORT) == card().parts[0]
    assert card().part(Direction.EXPORT) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"chain_id": "another"},
        {"region": 2},
        {"month": MONTH + 1},
        {"bid": b"c" * 32},
        {"parts": ()},
        {"key": SIGNER.public_key},
        {"signature": bytes(64)},
        *(
            {"parts": (replace(card().parts[0], **part),)}
            for part in ({"first_k": 9}, {"periods": 9}, {"root": bytes(32)})
        ),
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_forged_card_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(CardError):
        replace(card(), **changed).verify(CHAIN, BID)


def test_a_card_is_for_one_household() -> None:
    with pytest.raises(CardError) as refused:
        card().verify(CHAIN, b"c" * 32)
    assert "another household" in refused.value.detail


@pytest.mark.parametrize("passphrase", [None, "open"])
def test_a_card_lies_in_a_private_file_of_its_month(tmp_path: Path, passphrase: str | None) -> None:
    secrets = SecretFiles(passphrase)
    path = card_path(tmp_path / "cards", METER, MONTH)
    write_card(secrets, path, card())
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_card(secrets, path, MONTH) == card()
    with pytest.raises(SecretFileError):
        read_card(secrets, path, MONTH + 1)
    with pytest.raises(FileMissingError):
        read_card(secrets, card_path(tmp_path / "cards", METER, MONTH + 1), MONTH + 1)
    write_card(secrets, path, replace(card(), version=9))
    with pytest.raises(SecretFormatError):
        read_card(secrets, path, MONTH)
