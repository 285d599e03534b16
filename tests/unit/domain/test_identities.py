"""A household's identity of a month: what each key is for, and that no field can be taken for another."""

from collections.abc import Callable
from hashlib import sha256
from itertools import combinations

import pytest

from gridproof.domain import (
    CardChannel,
    Direction,
    MonthId,
    OutOfRangeError,
    RegisterSpan,
    Secret,
    bill_info,
    bill_key,
    card_hash,
    next_chain_key,
    reasons_info,
    register_hash,
    register_key,
    seal_key,
    seal_secret,
)
from gridproof.primitives import hpke
from gridproof.primitives.hashing import Tag

CHAIN_KEY = b"k" * 32
MONTH = MonthId(2025 * 12 + 9)
BID, METER = b"b" * 32, b"m" * 16
SPAN = RegisterSpan(Direction.IMPORT, 1, 2, 3, 4)
CARD = CardChannel(Direction.IMPORT, 1, 2, b"r" * 32, b"k" * 32)


def test_the_keys_of_a_month_are_three_and_differ() -> None:
    keys = {bill_key(CHAIN_KEY).public_key, register_key(CHAIN_KEY).public_key, seal_key(CHAIN_KEY)}
    assert len(keys) == 3
    assert bill_key(CHAIN_KEY).public_key == bill_key(CHAIN_KEY).public_key


def test_the_seal_key_belongs_to_its_secret() -> None:
    sealed = hpke.seal(seal_key(CHAIN_KEY), b"info", b"report")
    assert hpke.unseal(seal_secret(CHAIN_KEY), b"info", sealed) == b"report"


def test_row23_another_month_has_another_identity_and_another_seal_key() -> None:
    later = next_chain_key(CHAIN_KEY, Secret.VIEW)
    assert bill_key(later).public_key != bill_key(CHAIN_KEY).public_key
    assert seal_key(later) != seal_key(CHAIN_KEY)


HASHES: dict[str, list[Callable[[], bytes]]] = {
    "register": [
        lambda: register_hash("a", METER, MONTH, SPAN),
        lambda: register_hash("b", METER, MONTH, SPAN),
        lambda: register_hash("a", b"n" * 16, MONTH, SPAN),
        lambda: register_hash("a", METER, MonthId(MONTH + 1), SPAN),
        *(
            lambda field=field: register_hash("a", METER, MONTH, SPAN._replace(**{field: 9}))
            for field in ("start_k", "end_k", "start_wh", "end_wh")
        ),
        lambda: register_hash("a", METER, MONTH, SPAN._replace(channel=Direction.EXPORT)),
    ],
    "card": [
        lambda: card_hash("a", 1, MONTH, BID, [CARD]),
        lambda: card_hash("b", 1, MONTH, BID, [CARD]),
        lambda: card_hash("a", 2, MONTH, BID, [CARD]),
        lambda: card_hash("a", 1, MonthId(MONTH + 1), BID, [CARD]),
        lambda: card_hash("a", 1, MONTH, b"c" * 32, [CARD]),
        lambda: card_hash("a", 1, MONTH, BID, []),
        lambda: card_hash("a", 1, MONTH, BID, [CARD, CARD]),
        *(
            lambda field=field, value=value: card_hash("a", 1, MONTH, BID, [CARD._replace(**{field: value})])
            for field, value in (
                ("channel", 2),
                ("first_k", 9),
                ("periods", 9),
                ("root", bytes(32)),
                ("register_key", bytes(32)),
            )
        ),
    ],
    "bill": [
        lambda: bill_info("a", 1, MONTH, BID, 1),
        lambda: bill_info("b", 1, MONTH, BID, 1),
        lambda: bill_info("a", 2, MONTH, BID, 1),
        lambda: bill_info("a", 1, MonthId(MONTH + 1), BID, 1),
        lambda: bill_info("a", 1, MONTH, b"c" * 32, 1),
        lambda: bill_info("a", 1, MONTH, BID, 2),
    ],
    "reasons": [
        lambda: reasons_info("a", 1, MONTH, BID, 1, answer=False),
        lambda: reasons_info("a", 1, MONTH, BID, 1, answer=True),
        lambda: reasons_info("b", 1, MONTH, BID, 1, answer=False),
        lambda: reasons_info("a", 2, MONTH, BID, 1, answer=False),
        lambda: reasons_info("a", 1, MonthId(MONTH + 1), BID, 1, answer=False),
        lambda: reasons_info("a", 1, MONTH, b"c" * 32, 1, answer=False),
        lambda: reasons_info("a", 1, MONTH, BID, 2, answer=False),
    ],
}


def test_every_field_counts_and_no_two_kinds_are_alike() -> None:
    found = [make() for makes in HASHES.values() for make in makes]
    assert all(first != second for first, second in combinations(found, 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: register_hash("a", METER, MonthId(2**32), SPAN),
        lambda: register_hash("a", METER, MONTH, SPAN._replace(end_wh=2**64)),
        lambda: register_hash("a", METER, MONTH, SPAN._replace(start_k=-1)),
        lambda: card_hash("a", -1, MONTH, BID, []),
        lambda: bill_info("a", 1, MONTH, BID, 2**32),
        lambda: reasons_info("a", 1, MONTH, BID, -1, answer=False),
    ],
)
def test_a_number_that_does_not_fit_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(OutOfRangeError):
        make()


def test_an_independent_computation_gives_the_same() -> None:
    """Tagged hashes over fixed widths, written out by hand."""
    raw = b"\0\0\0\1a" + METER + MONTH.to_bytes(4, "big") + (1).to_bytes(4, "big")
    raw += b"".join(value.to_bytes(8, "big") for value in SPAN[1:])
    head = sha256(b"gridproof/register/v1").digest()
    assert (
        register_hash("a", METER, MONTH, SPAN)
        == sha256(head + head + raw).digest()
        == Tag("gridproof/register/v1")(raw)
    )
