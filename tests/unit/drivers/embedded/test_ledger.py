"""The embedded ledger: blocks on demand and on schedule, nothing lost, nothing after a failure."""

from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from gridproof.drivers.blocks import KeptBlock, find_block, keep_block
from gridproof.drivers.embedded import EmbeddedLedger, Limits, Options
from gridproof.drivers.errors import (
    ForeignGenesisError,
    GenesisMissingError,
    LedgerStoppedError,
    MempoolFull,
    UnknownTransactionError,
    WaitTimeoutError,
)
from gridproof.errors import GridproofError
from gridproof.state import Block, system
from gridproof.state.errors import BadEnvelopeSignature, Expired, GenesisError, NonceUsed
from gridproof.state.refusals import refusal_in
from gridproof.state.store import MemoryStore, StoreFullError, Table
from gridproof.state.transaction import transaction_hash

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis
from tests.tiny.notices.errors import TextLength
from tests.tiny.notices.messages import NoticePosted
from tests.tiny.people.errors import NotPermitted
from tests.unit.drivers.scenes import NOW_S, OPTIONS, grow, in_folder, in_memory, post, signed


@pytest.fixture
def ledger() -> EmbeddedLedger:
    return in_memory()


# --- submit and wait -------------------------------------------------------------------------------------------------


def test_a_submitted_transaction_stands_in_the_next_block(ledger: EmbeddedLedger) -> None:
    name = ledger.submit(signed())
    assert name == transaction_hash(signed())
    result = ledger.make_block()
    assert result is not None
    assert [each.code for each in result.results] == [0]
    place = ledger.wait(name, 0)
    assert (place.height, place.index, place.result.code) == (1, 0, 0)
    assert ledger.find_transaction(name) == place


def test_a_refused_envelope_is_told_at_once_and_nothing_waits(ledger: EmbeddedLedger) -> None:
    raw = bytearray(signed())
    raw[-1] ^= 1
    with pytest.raises(BadEnvelopeSignature):
        ledger.submit(bytes(raw))
    assert ledger.make_block() is None


def test_a_message_refused_before_a_block_tells_its_reason_to_who_waits(ledger: EmbeddedLedger) -> None:
    name = ledger.submit(signed("operator", post("")))
    assert ledger.make_block() is None
    for _ in range(2):
        with pytest.raises(TextLength) as refused:
            ledger.wait(name, 0)
        assert refused.value.length == 0
    assert ledger.head.height == 0


def test_a_message_refused_in_a_block_tells_its_reason_in_its_result(ledger: EmbeddedLedger) -> None:
    name = ledger.submit(signed("household-1"))
    ledger.make_block()
    refusal = refusal_in(ledger.wait(name, 0).result)
    assert isinstance(refusal, NotPermitted)
    assert refusal.participant == 2


def test_the_same_bytes_again_count_once_wherever_the_first_stand(ledger: EmbeddedLedger) -> None:
    name = ledger.submit(signed())
    assert ledger.submit(signed()) == name
    ledger.make_block()
    assert ledger.submit(signed()) == name
    assert ledger.make_block() is None
    assert ledger.wait(name, 0).height == 1


def test_bytes_that_a_block_takes_while_they_are_submitted_again_are_not_refused(
    ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = signed()
    ledger.submit(raw)
    check_tx = ledger.application.check_tx

    def late(given: bytes) -> object:
        ledger.make_block()
        return check_tx(given)

    ledger._mempool.remove([transaction_hash(raw)])
    other = ledger.application.check_tx(raw)
    monkeypatch.setattr(ledger.application, "check_tx", late)
    ledger._mempool.add(other)
    monkeypatch.setattr(type(ledger._mempool), "__contains__", lambda _pool, _name: False)
    assert ledger.submit(raw) == transaction_hash(raw)
    assert ledger.head.height == 1


def test_another_transaction_with_a_used_nonce_is_refused(ledger: EmbeddedLedger) -> None:
    ledger.submit(signed())
    ledger.make_block()
    with pytest.raises(NonceUsed):
        ledger.submit(signed("operator", post("other")))


def test_who_waits_for_an_unknown_transaction_is_told(ledger: EmbeddedLedger) -> None:
    with pytest.raises(UnknownTransactionError) as unknown:
        ledger.wait(bytes(32), 5)
    assert unknown.value.name == bytes(32)


def test_waiting_ends_in_time(ledger: EmbeddedLedger) -> None:
    name = ledger.submit(signed())
    with pytest.raises(WaitTimeoutError) as late:
        ledger.wait(name, 0.01)
    assert (late.value.name, late.value.timeout_ms) == (name, 10)
    ledger.make_block()
    assert ledger.wait(name, 0).height == 1


def test_what_comes_before_its_forerunner_waits_for_it(ledger: EmbeddedLedger) -> None:
    later = ledger.submit(signed(nonce=1))
    assert ledger.make_block() is None
    ledger.submit(signed(nonce=0))
    ledger.make_block()
    assert (ledger.wait(later, 0).height, ledger.wait(later, 0).index) == (1, 1)


def test_what_waits_for_a_forerunner_that_never_comes_expires() -> None:
    now_s = [NOW_S]
    ledger = in_memory(OPTIONS._replace(clock=lambda: now_s[0]))
    name = ledger.submit(signed(nonce=1, until_s=NOW_S + 60))
    ledger.make_block()
    now_s[0] += 61
    ledger.make_block()
    with pytest.raises(Expired):
        ledger.wait(name, 0)


def test_a_full_node_says_so(ledger: EmbeddedLedger) -> None:
    crowded = in_memory(OPTIONS._replace(limits=Limits(transactions=1)))
    crowded.submit(signed())
    with pytest.raises(MempoolFull) as full:
        crowded.submit(signed("household-1"))
    assert full.value.code == 901
    crowded.make_block()
    crowded.submit(signed("household-1"))


def test_a_dropped_transaction_may_come_again(ledger: EmbeddedLedger) -> None:
    raw = signed("operator", post(""))
    name = ledger.submit(raw)
    ledger.make_block()
    assert ledger.submit(raw) == name
    with pytest.raises(WaitTimeoutError):
        ledger.wait(name, 0)


def test_refusals_are_not_kept_without_end(ledger: EmbeddedLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.drivers.embedded.ledger.KEPT_REFUSALS", 2)
    names = []
    for text_length in range(501, 504):
        names.append(ledger.submit(signed("operator", post("x" * text_length))))
        ledger.make_block()
    with pytest.raises(UnknownTransactionError):
        ledger.wait(names[0], 0)
    with pytest.raises(TextLength):
        ledger.wait(names[2], 0)


# --- blocks ----------------------------------------------------------------------------------------------------------


def test_an_empty_block_is_made_only_when_asked_for(ledger: EmbeddedLedger) -> None:
    assert ledger.make_block() is None
    before = ledger.head
    result = ledger.make_block(empty=True)
    assert result is not None
    assert ledger.head.height == 1
    assert ledger.head.app_hash == before.app_hash


def test_block_time_never_goes_back() -> None:
    now_s = [NOW_S]
    ledger = in_memory(OPTIONS._replace(clock=lambda: now_s[0]))
    times = []
    for after_s, asked_s in [(0, None), (-100, None), (0, NOW_S + 50), (0, NOW_S - 7), (60, None)]:
        now_s[0] = NOW_S + after_s
        ledger.make_block(asked_s, empty=True)
        times.append(ledger.head.time_s)
    assert times == [NOW_S, NOW_S, NOW_S + 50, NOW_S + 50, NOW_S + 60]


def test_a_block_holds_no_more_bytes_than_allowed() -> None:
    size = len(signed())
    ledger = in_memory(OPTIONS._replace(limits=Limits(block_bytes=2 * size)))
    for nonce in range(5):
        ledger.submit(signed(nonce=nonce))
    counts = []
    while (result := ledger.make_block()) is not None:
        counts.append(len(result.results))
    assert counts == [2, 2, 1]


def test_blocks_are_kept_with_the_hash_that_they_build_on(ledger: EmbeddedLedger) -> None:
    born = ledger.head.app_hash
    ledger.submit(signed())
    ledger.make_block()
    with ledger.store.snapshot() as snapshot:
        assert find_block(snapshot, 1) == KeptBlock(born, Block(1, NOW_S, 0, (signed(),)))
        assert find_block(snapshot, 2) is None


def test_a_schedule_makes_blocks_only_where_something_waits(ledger: EmbeddedLedger) -> None:
    ledger.start(0.01)
    assert ledger.is_scheduled
    places = [ledger.wait(ledger.submit(signed(nonce=nonce)), 10) for nonce in range(3)]
    assert [place.result.code for place in places] == [0, 0, 0]
    height = ledger.head.height
    sleep(0.1)
    assert ledger.head.height == height <= 3
    ledger.stop()
    assert not ledger.is_scheduled
    name = ledger.submit(signed(nonce=3))
    with pytest.raises(WaitTimeoutError):
        ledger.wait(name, 0.05)
    ledger.start(0.01)
    assert ledger.wait(name, 10).result.code == 0
    ledger.close()


def test_a_schedule_lets_expire_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.drivers.embedded.ledger.EXPIRY_CHECK_S", 0.01)
    now_s = [NOW_S]
    ledger = in_memory(OPTIONS._replace(clock=lambda: now_s[0]))
    ledger.start(0.005)
    name = ledger.submit(signed(nonce=1, until_s=NOW_S + 60))
    now_s[0] += 61
    with pytest.raises(Expired):
        ledger.wait(name, 10)
    ledger.close()


def test_many_threads_submit_at_once(ledger: EmbeddedLedger) -> None:
    ledger.start(0.005)
    codes: list[int] = []

    def send(name: str) -> None:
        codes.extend(ledger.wait(ledger.submit(signed(name, nonce=nonce)), 20).result.code for nonce in range(10))

    threads = [Thread(target=send, args=(name,)) for name in ("operator", "household-1", "household-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0] * 10 + [98001] * 20
    ledger.close()


# --- reading ---------------------------------------------------------------------------------------------------------


def test_status_tells_where_the_ledger_stands(ledger: EmbeddedLedger) -> None:
    status = ledger.status()
    assert (status.chain_id, status.height, status.ledger_time_s) == ("tiny-1", 0, NOW_S)
    with ledger.application.reading() as view:
        assert status.genesis_hash == system.chain(view).genesis_hash
    ledger.make_block(NOW_S + 500, empty=True)
    assert (ledger.status().height, ledger.status().ledger_time_s) == (1, NOW_S + 500)


def test_ledger_time_is_the_operators_where_it_sets_it() -> None:
    ledger = EmbeddedLedger(MemoryStore(), tiny, tiny_genesis("operator"), OPTIONS)
    ledger.make_block(NOW_S + 500, empty=True)
    assert ledger.status().ledger_time_s == GENESIS_TIME_S


def test_events_come_in_order_and_who_waits_is_woken(ledger: EmbeddedLedger) -> None:
    assert ledger.events_since(b"", 10) == []
    grow(ledger, 2)
    first, second = ledger.events_since(b"", 10)
    assert [ledger.application.decode_event(each.body) for each in (first, second)] == [
        NoticePosted(0, 1, NOW_S + 3_600),
        NoticePosted(1, 1, NOW_S + 3_600),
    ]
    woken: list[int] = []
    waiter = Thread(target=lambda: woken.extend(each.height for each in ledger.events_since(second.cursor, 10, 20)))
    waiter.start()
    grow(ledger, 1, first_nonce=2)
    waiter.join()
    assert woken == [3]
    started = monotonic()
    assert ledger.events_since(ledger.events_since(b"", 10)[-1].cursor, 10, 0.05) == []
    assert monotonic() - started >= 0.05


# --- start, end and failure ------------------------------------------------------------------------------------------


def test_a_ledger_is_born_once_and_found_again(tmp_path: Path) -> None:
    with pytest.raises(GenesisMissingError):
        EmbeddedLedger.at(tmp_path, tiny)
    with in_folder(tmp_path) as ledger:
        born = ledger.head
    with EmbeddedLedger.at(tmp_path, tiny, options=OPTIONS) as ledger:
        assert ledger.head == born
        grow(ledger, 3)
        grown = ledger.head
    with in_folder(tmp_path) as ledger:
        assert ledger.head == grown
        assert ledger.wait(transaction_hash(signed("operator", post("notice 0", 0))), 0).height == 1
    with pytest.raises(ForeignGenesisError):
        EmbeddedLedger.at(tmp_path, tiny, tiny_genesis("operator"))


def test_a_wrong_genesis_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(GenesisError):
        EmbeddedLedger.at(tmp_path, tiny, b"{}")
    in_folder(tmp_path).close()


def test_a_block_that_was_kept_but_not_committed_is_computed_again(tmp_path: Path) -> None:
    with in_folder(tmp_path) as ledger:
        grow(ledger, 2)
        before = ledger.head
        keep_block(ledger.store, KeptBlock(before.app_hash, Block(3, NOW_S + 5, 0, (signed(nonce=2),))))
    other = in_memory()
    grow(other, 2)
    other.submit(signed(nonce=2))
    other.make_block(NOW_S + 5)
    with in_folder(tmp_path) as ledger:
        assert ledger.head == other.head
        assert ledger.wait(transaction_hash(signed(nonce=2)), 0).height == 3


def test_a_kept_block_of_another_state_is_not_run(tmp_path: Path) -> None:
    with in_folder(tmp_path) as ledger:
        grow(ledger, 1)
        keep_block(ledger.store, KeptBlock(bytes(32), Block(2, NOW_S, 0, ())))
    with pytest.raises(LedgerStoppedError) as stopped:
        in_folder(tmp_path)
    assert stopped.value.height == 1


class Failing(MemoryStore):
    """A store whose disk fills up."""

    full = False

    def write(self, changes: Mapping[Table, Mapping[bytes, bytes | None]]) -> None:
        if self.full:
            raise StoreFullError(path="/disk", detail="no space left")
        super().write(changes)


@pytest.mark.parametrize("where", ["chosen", "block kept", "finalized", "committed"])
def test_after_an_unexpected_failure_nothing_more_is_made_and_all_committed_is_read(where: str) -> None:
    broken = [False]

    def reached(step: str) -> None:
        if broken[0] and step == where:
            raise ZeroDivisionError("a fault of the program")

    store = MemoryStore()
    ledger = in_memory(OPTIONS._replace(reached=reached), store)
    grow(ledger, 1)
    broken[0] = True
    name = ledger.submit(signed(nonce=1))
    with pytest.raises(LedgerStoppedError) as stopped:
        ledger.make_block()
    assert "a fault of the program" in stopped.value.cause
    assert isinstance(ledger.failure, ZeroDivisionError)
    for forbidden in (ledger.make_block, lambda: ledger.submit(signed(nonce=2))):
        with pytest.raises(LedgerStoppedError):
            forbidden()
    if where != "committed":
        with pytest.raises(LedgerStoppedError):
            ledger.wait(name, 10)
    assert ledger.status().height == (2 if where == "committed" else 1)
    broken[0] = False
    again = in_memory(store=store)
    assert again.head.height == (1 if where == "chosen" else 2), "a block that was kept is computed at the next start"
    if where != "chosen":
        assert again.wait(name, 0).result.code == 0


def test_an_interruption_goes_its_way_and_the_block_is_found_again() -> None:
    def reached(step: str) -> None:
        if step == "finalized":
            raise KeyboardInterrupt

    store = MemoryStore()
    ledger = in_memory(OPTIONS._replace(reached=reached), store)
    ledger.submit(signed())
    with pytest.raises(KeyboardInterrupt):
        ledger.make_block()
    with pytest.raises(LedgerStoppedError) as stopped:
        ledger.make_block()
    assert stopped.value.cause == "KeyboardInterrupt"
    assert in_memory(store=store).head.height == 1


def test_a_full_disk_stops_the_ledger_with_one_sentence_and_loses_nothing() -> None:
    store = Failing()
    ledger = in_memory(store=store)
    grow(ledger, 1)
    head = ledger.head
    store.full = True
    ledger.submit(signed(nonce=1))
    with pytest.raises(LedgerStoppedError) as stopped:
        ledger.make_block()
    assert "The disk is full" in stopped.value.cause
    store.full = False
    assert in_memory(store=store).head == head


def test_a_failure_on_the_schedule_is_told_to_who_waits() -> None:
    def reached(step: str) -> None:
        raise ZeroDivisionError("a fault of the program")

    ledger = in_memory(OPTIONS._replace(reached=reached))
    ledger.start(0.01)
    name = ledger.submit(signed())
    with pytest.raises(LedgerStoppedError) as stopped:
        ledger.wait(name, 20)
    assert "a fault of the program" in stopped.value.cause
    assert ledger.events_since(b"", 1, 20) == []
    ledger.close()


def test_a_closed_ledger_answers_nothing_and_says_why() -> None:
    ledger = in_memory()
    name = ledger.submit(signed())
    waiter_saw: list[GridproofError] = []

    def wait() -> None:
        try:
            ledger.wait(name, 20)
        except GridproofError as error:
            waiter_saw.append(error)

    waiter = Thread(target=wait)
    waiter.start()
    ledger.close()
    waiter.join()
    assert [type(error) for error in waiter_saw] == [LedgerStoppedError]
    for forbidden in (ledger.make_block, ledger.status, lambda: ledger.submit(signed()), lambda: ledger.query("x")):
        with pytest.raises(LedgerStoppedError) as stopped:
            forbidden()
        assert stopped.value.cause == "it was closed"


def test_signatures_are_checked_on_all_cores_by_default() -> None:
    with EmbeddedLedger(MemoryStore(), tiny, tiny_genesis(), Options(clock=lambda: NOW_S)) as ledger:
        ledger.submit(signed())
        ledger.make_block()
        assert ledger.head.height == 1
