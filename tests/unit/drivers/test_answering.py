"""Requests of the wire, answered from a ledger: an answer to each, whatever happens."""

from typing import Any

import pytest

from gridproof.drivers import answering, wire
from gridproof.drivers.answering import answer, failed
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.errors import WireError
from gridproof.primitives.encoding import decode
from gridproof.state import StoredEvent
from gridproof.state.errors import NonceUsed
from gridproof.state.refusals import unpack_error
from gridproof.state.transaction import transaction_hash

from tests.tiny.app import tiny_genesis
from tests.unit.drivers.scenes import grow, in_memory, signed


def result(ledger: Any, request: wire.Request, kind: Any = Any) -> Any:
    reply = answer(ledger, request)
    assert isinstance(reply, wire.Done), reply
    return decode(reply.value, kind)


def grown(blocks: int = 3) -> EmbeddedLedger:
    ledger = in_memory()
    grow(ledger, blocks)
    return ledger


def test_each_request_has_its_answer() -> None:
    with grown() as ledger:
        raw = signed("household-2")
        name = transaction_hash(raw)
        assert result(ledger, wire.Submit(raw)) == name
        assert result(ledger, wire.FindTransaction(name)) is None
        ledger.make_block()
        assert result(ledger, wire.FindTransaction(name))
        assert result(ledger, wire.Wait(name, 0))
        assert result(ledger, wire.AskStatus(), wire.Status) == ledger.status()
        assert result(ledger, wire.AskGenesis(), bytes) == tiny_genesis()
        assert result(ledger, wire.AskEntry(2))
        assert result(ledger, wire.Query("key", b"k", prove=True))
        assert len(result(ledger, wire.EventsSince(b"", 100, 0), tuple[StoredEvent, ...])) == 3


def test_who_waits_in_vain_is_told_nothing_and_not_an_error() -> None:
    with grown() as ledger:
        raw = signed("household-2")
        ledger.submit(raw)
        assert result(ledger, wire.Wait(transaction_hash(raw), 0)) is None


def test_a_refusal_comes_with_its_number_and_particulars() -> None:
    with grown() as ledger:
        reply = answer(ledger, wire.Submit(signed()))
    assert isinstance(reply, wire.Failed)
    error = unpack_error(reply.code, reply.text, reply.detail)
    assert isinstance(error, NonceUsed)
    assert (error.nonce, error.expected) == (0, 3)
    assert failed(WireError(detail="x")).code == 0


def test_a_fault_is_told_without_what_it_was_and_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def status(self) -> wire.Status:
            raise ZeroDivisionError("secret detail")

    reply = answer(Broken(), wire.AskStatus())  # type: ignore[arg-type]
    assert isinstance(reply, wire.Failed)
    assert "secret detail" not in reply.text
    assert "AskStatus" in reply.text
    assert "ZeroDivisionError" in caplog.text


def test_what_is_no_request_is_refused() -> None:
    with grown() as ledger, pytest.raises(WireError, match="Hello"):
        answer(ledger, wire.Hello(wire.PROTOCOL, wire.VERSION))


def test_events_are_cut_where_an_answer_would_be_too_long_but_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with grown(6) as ledger:
        events = ledger.events_since(b"", 100)
        one = len(events[0].body) + 64
        for room, told in ((1, 1), (one, 1), (2 * one + 10, 2), (100 * one, 6)):
            monkeypatch.setattr(answering, "MAX_EVENT_BYTES", room)
            found = result(ledger, wire.EventsSince(b"", 100, 0), tuple[StoredEvent, ...])
            assert list(found) == events[:told]
        monkeypatch.setattr(answering, "MAX_EVENT_BYTES", 1)
        seen, cursor = [], b""
        while more := result(ledger, wire.EventsSince(cursor, 100, 0), tuple[StoredEvent, ...]):
            seen += more
            cursor = more[-1].cursor
        assert seen == events, "the client goes on from the last one"
