"""What waits in the engine, by rule B-4: envelopes only, and nothing that can no longer enter a block stays."""

from pathlib import Path

import pytest

from gridproof.drivers import wire
from gridproof.drivers.cometbft import waiting as module
from gridproof.drivers.cometbft.service import DEFAULTS, FRAME_BYTES, PATIENCE_S
from gridproof.primitives.hashing import sha256
from gridproof.state.errors import CheckFailed, Expired, NonceAhead, NonceUsed
from gridproof.state.refusals import unpack_error
from gridproof.state.transaction import MAX_TRANSACTION_BYTES, NONCE_WINDOW, transaction_hash

from tests.tiny.app import signer
from tests.tiny.notices.errors import TextLength
from tests.tiny.notices.messages import PostNotice
from tests.tiny.people.messages import Witness
from tests.unit.drivers.cometbft.nodes import FIRST_S, Clock, Counting, Node, born
from tests.unit.drivers.scenes import post, signed

DIGEST = sha256(b"what all sign")
WITNESSES = tuple((signer(name).public_key, signer(name).sign(DIGEST)) for name in ("household-1", "household-2"))


def batch(records: int = 500) -> bytes:
    """A large transaction whose message claims many signatures."""
    return signed("operator", Witness(DIGEST, WITNESSES * (records // 2)))


def patient(clock: Clock) -> Node:
    node = Node(options=DEFAULTS._replace(monotonic=clock))
    node.init()
    node.block()
    return node


# --- envelopes only --------------------------------------------------------------------------------------------------


def test_b4_a_large_batch_costs_its_envelopes_signature_and_no_message_check(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = Counting()
    node = born(verifier=verifier)
    checks: list[str] = []
    monkeypatch.setattr(Witness, "check", lambda *_: checks.append("check"), raising=False)
    raw = batch()
    assert node.check(raw).code == 0
    assert node.check(raw, again=True).code == 0
    assert (verifier.claims, checks) == (1, [])
    assert node.propose([raw]) == [raw]  # the control: what a proposal costs
    assert verifier.claims == 501
    assert checks


def test_b4_what_only_a_message_check_finds_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    node = born()
    assert node.check(signed("operator", post(""))).code == 0


def test_b4_an_envelope_is_held_to_the_last_committed_state() -> None:
    node = born()
    raw = signed(nonce=1)
    assert node.check(raw).code == 0, "a nonce a little ahead may wait"
    assert node.check(signed(nonce=NONCE_WINDOW)).code == NonceAhead.code
    node.block(signed(), raw)
    assert node.check(raw).code == NonceUsed.code
    assert node.check(signed(nonce=2, until_s=FIRST_S - 1)).code == Expired.code
    assert node.check(bytes(MAX_TRANSACTION_BYTES + 1)).code > 0


# --- what this node left out -----------------------------------------------------------------------------------------


def test_b4_what_a_proposal_dropped_leaves_when_it_is_checked_again() -> None:
    node = born()
    bad = signed("operator", post(""))
    assert node.check(bad).code == 0
    assert node.propose([bad]) == []
    told = node.check(bad, again=True)
    assert isinstance(unpack_error(told.code, told.log, told.data), TextLength)


def test_b4_a_false_signature_within_a_message_leaves_too() -> None:
    node = born()
    key, signature = WITNESSES[0]
    bad = signed("operator", Witness(DIGEST, ((key, signature[::-1]),)))
    assert node.check(bad).code == 0
    assert node.propose([bad]) == []
    assert node.check(bad, again=True).code == CheckFailed.code


def test_b4_another_nodes_proposal_drops_nothing_here() -> None:
    node, other = born(), born()
    bad = signed("operator", post(""))
    node.check(bad)
    other.check(bad)
    other.propose([bad])
    assert node.check(bad, again=True).code == 0


def test_b4_what_is_handed_in_again_has_another_chance() -> None:
    node = born()
    early = signed("operator", post(""))
    node.check(early)
    node.propose([early])
    assert node.check(early, again=True).code
    assert node.check(early).code == 0
    assert node.check(early, again=True).code == 0, "until it is left out once more"


def test_b4_whoever_waits_learns_why_a_transaction_came_no_further() -> None:
    node = born()
    node.block()
    bad = signed("operator", post(""))
    node.check(bad)
    node.propose([bad])
    failed = node.wire(wire.Wait(transaction_hash(bad), 0))
    assert isinstance(failed, wire.Failed)
    assert failed.code == TextLength.code


def test_b4_what_stands_in_a_block_after_all_is_told_as_that() -> None:
    """Others may have proposed what this node left out for its nonce."""
    node = born()
    later = signed(nonce=1)
    node.propose([later])
    node.block(signed(), later)
    reply = node.wire(wire.Wait(transaction_hash(later), 0))
    assert isinstance(reply, wire.Done)


def test_b4_what_is_too_old_for_a_proposal_is_refused_to_nobody_before_a_block_of_that_time_stands() -> None:
    """Another proposer's block may be earlier and take it; its sender, told that it expired, would sign it anew."""
    node = born()
    node.block()
    raw, other = signed(until_s=FIRST_S + 5), signed("household-1", until_s=FIRST_S + 5)
    name = transaction_hash(raw)
    node.check(raw)
    node.check(other)
    assert node.propose([raw, other], time_s=FIRST_S + 6) == []
    nowhere = wire.Done(wire.MAYBE_PLACE.encode(None))
    assert node.wire(wire.Wait(name, 0)) == nowhere, "it may still come"
    node.block(raw, time_s=FIRST_S + 4)  # another's, in a later round
    there = node.wire(wire.Wait(name, 0))
    assert isinstance(there, wire.Done)
    assert there != nowhere
    assert node.check(other, again=True).code == 0
    node.block(time_s=FIRST_S + 6)
    assert node.check(other, again=True).code == Expired.code, "now it never will"


# --- patience --------------------------------------------------------------------------------------------------------


def test_b4_what_waits_for_an_earlier_nonce_leaves_when_it_has_waited_too_long() -> None:
    clock = Clock()
    node = patient(clock)
    waiting = signed(nonce=1)
    assert node.check(waiting).code == 0
    assert node.check(waiting, again=True).code == 0  # from now on it waits
    clock.now_s += PATIENCE_S
    assert node.check(waiting, again=True).code == 0
    clock.now_s += 0.1
    told = node.check(waiting, again=True)
    error = unpack_error(told.code, told.log, told.data)
    assert isinstance(error, NonceAhead)
    assert (error.nonce, error.expected) == (1, 0)


def test_b4_what_is_next_may_wait_for_ever() -> None:
    clock = Clock()
    node = patient(clock)
    following = signed()
    for _ in range(3):
        assert node.check(following, again=True).code == 0
        clock.now_s += 10 * PATIENCE_S


def test_b4_a_long_line_that_moves_does_not_lose_its_end() -> None:
    """Blocks may be full for a while: whose turn comes nearer has not waited in vain."""
    clock = Clock()
    node = patient(clock)
    last = signed(nonce=4)
    for nonce in range(4):
        assert node.check(last, again=True).code == 0
        clock.now_s += 0.9 * PATIENCE_S
        node.block(signed("operator", post(f"{nonce}"), nonce=nonce))
    assert node.check(last, again=True).code == 0


def test_b4_once_its_turn_came_and_went_the_waiting_begins_anew() -> None:
    clock = Clock()
    node = patient(clock)
    waiting = signed(nonce=1)
    node.check(waiting, again=True)
    clock.now_s += 2 * PATIENCE_S
    assert node.check(waiting, again=True).code == NonceAhead.code
    assert node.check(waiting).code == 0
    assert node.check(waiting, again=True).code == 0
    clock.now_s += 0.9 * PATIENCE_S
    assert node.check(waiting, again=True).code == 0


def test_b4_a_recheck_is_told_by_the_clock_that_was_given_alone() -> None:
    clock = Clock()
    node = patient(clock)
    for _ in range(100):
        assert node.check(signed(nonce=1), again=True).code == 0


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_b4_what_is_remembered_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_NAMES", 3)
    clock = Clock()
    node = patient(clock)
    bad = [signed("operator", PostNotice(1, "", 9), nonce=nonce) for nonce in range(5)]
    node.propose(bad)
    assert [bool(node.check(raw, again=True).code) for raw in bad[:2]] == [False, False]
    waiting = node.service._waiting
    assert len(waiting._refused) == 3
    assert all(node.check(raw, again=True).code for raw in bad[2:])
    for nonce in range(1, 6):
        node.check(signed(nonce=nonce), again=True)
    assert len(waiting._since) == 3


def test_b4_what_stood_in_a_block_is_remembered_no_more() -> None:
    clock = Clock()
    node = patient(clock)
    first, second = signed(), signed(nonce=1)
    node.check(second, again=True)
    node.propose([second, b"malformed"])
    waiting = node.service._waiting
    assert len(waiting._since) == 1
    node.block(first, second, b"malformed")
    assert not waiting._since
    assert not waiting._refused


def test_b4_what_is_remembered_of_a_refusal_does_not_hold_its_transaction() -> None:
    node = born()
    big = signed("operator", PostNotice(1, "x" * 100_000, 9))
    node.propose([big])
    (refusal,) = node.service._waiting._refused.values()
    assert refusal.__traceback__ is None
    assert refusal.__cause__ is None
    assert len(repr(refusal.particulars)) < 1_000


def test_log_lines_of_what_was_refused_hold_no_bytes_of_it(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    node = born()
    with caplog.at_level("INFO", logger="gridproof"):
        node.propose([signed("operator", PostNotice(1, "word" * 200, 9)), b"word" * 30])
    assert "refused" in caplog.text
    assert "word" not in caplog.text
    assert b"word".hex() not in caplog.text


# --- proposals -------------------------------------------------------------------------------------------------------


def test_a_proposal_keeps_within_the_room_with_what_the_engine_adds() -> None:
    node = born()
    raws = [signed("operator", post(f"{nonce}"), nonce=nonce) for nonce in range(5)]
    size = len(raws[0])
    for whole in range(5):
        chosen = node.propose(raws, room=whole * (size + FRAME_BYTES) + size)
        assert chosen == raws[:whole]
    assert node.propose(raws, room=0) == []
    assert node.propose([]) == []


def test_a_proposal_puts_nonces_in_order_and_leaves_gaps_to_wait() -> None:
    node = born()
    raws = {nonce: signed("operator", post(f"{nonce}"), nonce=nonce) for nonce in (0, 1, 2, 4)}
    assert node.propose([raws[4], raws[2], raws[0], raws[1]]) == [raws[0], raws[1], raws[2]]
    assert node.check(raws[4], again=True).code == 0
