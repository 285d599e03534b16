"""The envelope: one encoding, one signature, and what is not canonical is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.domain import ParticipantId
from gridproof.primitives import schnorr
from gridproof.primitives.encoding import encode
from gridproof.primitives.hashing import tagged_hash
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message
from gridproof.state.errors import MalformedTransaction, TransactionTooLarge
from gridproof.state.records import one_of
from gridproof.state.transaction import MAX_TRANSACTION_BYTES, Transaction, decode_transaction, sign_transaction

from tests.tiny.notices.messages import PostNotice, WithdrawNotice
from tests.tiny.people.messages import TurnClock

SIGNER = Signer(bytes(31) + b"\x05")
MESSAGES = one_of((PostNotice, WithdrawNotice))
WITHDRAW = WithdrawNotice(1, 2)


def signed(*messages: Message, nonce: int = 3) -> bytes:
    return sign_transaction(
        SIGNER,
        chain_id="tiny-1",
        sender=ParticipantId(9),
        nonce=nonce,
        valid_until_s=77,
        messages=messages or (WITHDRAW,),
    )


def opened(raw: bytes) -> Transaction:
    return decode_transaction(raw, MESSAGES)


def test_a_transaction_comes_back_as_it_was_signed() -> None:
    raw = signed(PostNotice(1, "x", 5), WITHDRAW)
    transaction = opened(raw)
    assert transaction.messages == (PostNotice(1, "x", 5), WITHDRAW)
    assert transaction.sender == 9
    assert (transaction.body.chain_id, transaction.body.nonce, transaction.body.valid_until_s) == ("tiny-1", 3, 77)
    assert transaction.hash == tagged_hash("gridproof/transaction/v1", raw)
    schnorr.verify(SIGNER.public_key, transaction.signing_hash, transaction.signature)


def test_the_same_words_make_the_same_bytes() -> None:
    assert signed() == signed()
    assert signed(nonce=4) != signed()


def test_a_randomised_signature_makes_other_bytes_for_the_same_words() -> None:
    made = {
        sign_transaction(
            SIGNER, chain_id="c", sender=ParticipantId(9), nonce=3, valid_until_s=77, messages=(WITHDRAW,), aux=aux
        )
        for aux in (None, bytes(31) + b"\x01", bytes(31) + b"\x02")
    }
    assert len(made) == 3
    for raw in made:
        transaction = opened(raw)
        schnorr.verify(SIGNER.public_key, transaction.signing_hash, transaction.signature)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_transaction_with_a_changed_byte_is_malformed_or_wrongly_signed(at: int, difference: int) -> None:
    raw = bytearray(signed())
    raw[at % len(raw)] ^= difference
    try:
        transaction = opened(bytes(raw))
    except MalformedTransaction:
        return
    assert not schnorr.is_valid(SIGNER.public_key, transaction.signing_hash, transaction.signature)


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedTransaction):
        opened(raw)


def body(**changes: object) -> bytes:
    fields = {"version": 1, "chain": "tiny-1", "sender": 9, "nonce": 3, "until": 77, "messages": [encode(WITHDRAW)]}
    return encode([encode(list((fields | changes).values())), bytes(64)])


@pytest.mark.parametrize(
    "raw",
    [
        body(version=2),
        body(version=0),
        body(chain=""),
        body(chain="x" * 65),
        body(sender=-1),
        body(sender=2**32),
        body(nonce=-1),
        body(until=-1),
        body(messages=[]),
        body(messages=[encode(WITHDRAW)] * 1_001),
        body(messages=[encode([12345, 1])]),
        body(messages=[encode(TurnClock(1))]),
        body(messages=[encode([99002, 1, 2, 3])]),
        body(messages=[encode([99002, 1])]),
        body(messages=[encode([99002, 1, "2"])]),
        body(extra=1),
        encode([b"", bytes(64)]),
        encode([encode([]), bytes(64)]),
        signed()[:-1],
        signed() + b"\x00",
        encode([encode([1, "tiny-1", 9, 3, 77, [encode(WITHDRAW)]]), bytes(63)]),
        encode([encode([1, "tiny-1", 9, 3, 77, [encode(WITHDRAW)]]), bytes(64), 1]),
    ],
    ids=lambda raw: str(len(raw)),
)
def test_what_is_not_exactly_a_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedTransaction) as refused:
        opened(raw)
    assert refused.value.code == 1
    assert refused.value.detail


def test_a_number_in_a_longer_form_than_needed_is_refused() -> None:
    plain = encode([1, "tiny-1", 9, 3, 77, [encode(WITHDRAW)]])
    longer = plain.replace(b"\x09\x03\x4d", b"\xcc\x09\x03\x4d")
    assert len(longer) == len(plain) + 1
    opened(encode([plain, bytes(64)]))
    with pytest.raises(MalformedTransaction):
        opened(encode([longer, bytes(64)]))


def test_a_transaction_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TransactionTooLarge) as refused:
        opened(bytes(MAX_TRANSACTION_BYTES + 1))
    assert (refused.value.size, refused.value.limit) == (MAX_TRANSACTION_BYTES + 1, MAX_TRANSACTION_BYTES)
