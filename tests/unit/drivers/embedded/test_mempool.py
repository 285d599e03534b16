"""The mempool: bounded in all and for each sender, in the order of arrival."""

import pytest

from gridproof.drivers.embedded.mempool import Limits, Mempool
from gridproof.drivers.errors import MempoolFull, SenderCrowded
from gridproof.state import Message, Transaction
from gridproof.state.records import one_of
from gridproof.state.transaction import decode_transaction

from tests.tiny.notices.messages import PostNotice
from tests.unit.drivers.scenes import signed

MESSAGES: tuple[type[Message], ...] = (PostNotice,)
CODEC = one_of(MESSAGES)


def waiting(name: str = "operator", nonce: int = 0) -> Transaction:
    return decode_transaction(signed(name, nonce=nonce), CODEC)


def test_transactions_wait_in_the_order_of_arrival_and_once() -> None:
    pool = Mempool(Limits())
    first, second = waiting(nonce=1), waiting(nonce=0)
    for transaction in (first, second, first):
        pool.add(transaction)
    assert pool.arrived() == [first.raw, second.raw]
    assert len(pool) == 2
    assert first.hash in pool
    pool.remove([first.hash, bytes(32)])
    assert pool.arrived() == [second.raw]
    assert first.hash not in pool


def test_a_full_pool_takes_no_more_until_one_goes() -> None:
    pool = Mempool(Limits(transactions=2))
    kept = [waiting(nonce=nonce) for nonce in range(2)]
    for transaction in kept:
        pool.add(transaction)
    with pytest.raises(MempoolFull) as full:
        pool.add(waiting(nonce=2))
    assert full.value.limit == 2
    pool.add(kept[0])
    pool.remove([kept[0].hash])
    pool.add(waiting(nonce=2))
    assert len(pool) == 2


def test_the_pools_bytes_are_bounded() -> None:
    first = waiting()
    pool = Mempool(Limits(waiting_bytes=len(first.raw) + 1))
    pool.add(first)
    with pytest.raises(MempoolFull) as full:
        pool.add(waiting(nonce=1))
    assert full.value.limit == len(first.raw) + 1
    pool.remove([first.hash])
    pool.add(waiting(nonce=1))


def test_one_sender_does_not_crowd_out_another() -> None:
    pool = Mempool(Limits(per_sender=2))
    for nonce in range(2):
        pool.add(waiting(nonce=nonce))
    with pytest.raises(SenderCrowded) as crowded:
        pool.add(waiting(nonce=2))
    assert (crowded.value.sender, crowded.value.limit) == (1, 2)
    pool.add(waiting("household-1"))
    pool.remove([waiting(nonce=0).hash])
    pool.add(waiting(nonce=2))


def test_one_sender_does_not_take_the_bytes_of_all() -> None:
    first, second, other = waiting(nonce=5), waiting(nonce=6), waiting("household-1")
    limit = len(first.raw) + 1
    pool = Mempool(Limits(sender_bytes=limit))
    pool.add(first)
    with pytest.raises(SenderCrowded) as crowded:
        pool.add(second)
    assert (crowded.value.sender, crowded.value.limit) == (second.sender, limit)
    pool.add(other)
    pool.remove([first.hash])
    pool.add(second)
    assert pool.arrived() == [other.raw, second.raw]
