"""What waits in the engine, by rules B-4 and B-6: envelopes only, no crowd, and nothing that can enter no block."""

from pathlib import Path

import pytest

from gridproof.drivers import wire
from gridproof.drivers.cometbft import waiting as module
from gridproof.drivers.cometbft.service import DEFAULTS, FRAME_BYTES, PATIENCE_S
from gridproof.drivers.embedded import Limits
from gridproof.drivers.errors import MempoolError, PassedOver, SenderCrowded
from gridproof.drivers.limits import MAX_BLOCK_BYTES
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


def fill(node: Node, blocks: int, *more: bytes, first_nonce: int = 0) -> None:
    """Blocks in which another sender's transaction stands, and as much more as is given."""
    for nonce in range(first_nonce, first_nonce + blocks):
        node.block(signed("household-1", nonce=nonce), *more)


def test_b4_what_is_next_waits_on_while_the_network_stands_still_or_its_blocks_are_empty_or_full() -> None:
    clock = Clock()
    node = patient(clock)
    following = signed()
    for _ in range(3):
        assert node.check(following, again=True).code == 0
        clock.now_s += 10 * PATIENCE_S
    for _ in range(2 * module.MAX_PASSED):
        node.block()
    assert node.check(following, again=True).code == 0
    fill(node, 2 * module.MAX_PASSED, bytes(module.ROOMY_BYTES))
    assert node.check(following, again=True).code == 0


def test_b4_what_is_next_and_saw_many_blocks_go_by_leaves_and_may_come_again() -> None:
    """A node without a vote proposes nothing, and never learns why others leave it out."""
    clock = Clock()
    node = patient(clock)
    bad = signed("operator", post(""))
    assert node.check(bad).code == 0
    assert node.check(bad, again=True).code == 0  # from now on it waits
    clock.now_s += PATIENCE_S + 0.1
    fill(node, module.MAX_PASSED - 1)
    assert node.check(bad, again=True).code == 0
    fill(node, 1, first_nonce=module.MAX_PASSED - 1)
    told = node.check(bad, again=True)
    error = unpack_error(told.code, told.log, told.data)
    assert isinstance(error, PassedOver)
    assert isinstance(error, MempoolError), "no sender takes it for final, and signs anew"
    assert error.blocks == module.MAX_PASSED
    failed = node.wire(wire.Wait(transaction_hash(bad), 0))
    assert isinstance(failed, wire.Failed)
    assert failed.code == PassedOver.code
    assert node.check(bad).code == 0, "whoever hands it in again begins anew"
    assert node.check(bad, again=True).code == 0


def test_b4_many_blocks_in_no_time_are_no_reason_to_drop_what_is_next() -> None:
    """It may be on its way to those who propose."""
    clock = Clock()
    node = patient(clock)
    following = signed()
    assert node.check(following, again=True).code == 0
    fill(node, 3 * module.MAX_PASSED)
    clock.now_s += PATIENCE_S
    assert node.check(following, again=True).code == 0


def test_b4_a_long_line_whose_front_stands_in_each_block_is_not_passed_over() -> None:
    clock = Clock()
    node = patient(clock)
    last = signed(nonce=40)
    for nonce in range(40):
        assert node.check(last, again=True).code == 0
        node.block(signed("operator", post(f"{nonce}"), nonce=nonce))
        clock.now_s += PATIENCE_S
    assert node.check(last, again=True).code == 0


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


# --- one sender's room -----------------------------------------------------------------------------------------------


class Pool:
    """An engine's queue before a node: so many transactions, and no word to the node of what finds no room."""

    def __init__(self, node: Node, room: int) -> None:
        self.node = node
        self.room = room
        self.held: list[bytes] = []

    def hand_in(self, raw: bytes) -> bool:
        """Whether a transaction waits now."""
        if self.node.check(raw).code or len(self.held) == self.room:
            return False
        self.held.append(raw)
        return True

    def block(self, *raws: bytes) -> None:
        """A block, and the second look at all that is left."""
        self.node.block(*raws)
        left = [raw for raw in self.held if raw not in raws]
        self.held = [raw for raw in left if self.node.check(raw, again=True).code == 0]


def flood(pool: Pool, count: int) -> list[bytes]:
    """What one sender hands in, none of which comes into a block before one that is missing; what was let in."""
    raws = [signed("household-1", post(f"{each}"), nonce=1 + each % 60) for each in range(count)]
    return [raw for raw in raws if pool.hand_in(raw)]


def limited(**limits: int) -> Node:
    node = Node(options=DEFAULTS._replace(**limits))  # type: ignore[arg-type]
    node.init()
    node.block()
    return node


def test_b6_who_floods_a_node_leaves_room_for_an_honest_sender() -> None:
    pool = Pool(limited(per_sender=8), room=20)
    assert len(flood(pool, 40)) == 8
    assert pool.hand_in(signed())
    open_to_all = Pool(limited(per_sender=10**6), room=20)  # positive control: without the limit the flood wins
    assert len(flood(open_to_all, 40)) == 20
    assert not open_to_all.hand_in(signed())


def test_b6_a_senders_bytes_are_limited_too() -> None:
    first, second, other = signed(nonce=5), signed(nonce=6), signed("household-1")
    limit = len(first) + len(second) - 1
    node = limited(sender_bytes=limit)
    assert node.check(first).code == 0
    told = node.check(second)
    error = unpack_error(told.code, told.log, told.data)
    assert isinstance(error, SenderCrowded)
    assert (error.sender, error.limit) == (1, limit)
    assert node.check(other).code == 0


def test_b6_what_waits_may_be_handed_in_again_and_counts_once() -> None:
    node = limited(per_sender=2)
    raws = [signed(nonce=nonce) for nonce in range(3)]
    for _ in range(3):
        assert [node.check(raw).code for raw in raws] == [0, 0, SenderCrowded.code]
        assert [node.check(raw, again=True).code for raw in raws[:2]] == [0, 0]


def test_b6_what_stands_in_a_block_or_is_dropped_makes_room() -> None:
    pool = Pool(limited(per_sender=2), room=20)
    first, bad, later, last = signed(), signed("operator", post(""), nonce=1), signed(nonce=2), signed(nonce=3)
    assert [pool.hand_in(raw) for raw in (first, bad, later)] == [True, True, False]
    pool.block(first)
    assert [pool.hand_in(raw) for raw in (later, last)] == [True, False]
    pool.node.propose([bad])
    pool.block()
    assert pool.hand_in(last)


def test_b6_what_the_engine_let_go_without_a_word_makes_room_after_a_whole_round() -> None:
    node = limited(per_sender=2)
    kept, lost, new = (signed(nonce=nonce) for nonce in range(3))
    assert [node.check(raw).code for raw in (kept, lost)] == [0, 0]
    for _ in range(2):
        assert node.check(new).code == SenderCrowded.code
        node.block()
        assert node.check(kept, again=True).code == 0
    assert node.check(new).code == 0
    assert node.check(lost).code == SenderCrowded.code, "what is still asked about counts"


def test_b6_while_the_network_stands_still_all_that_waits_counts() -> None:
    clock = Clock()
    node = Node(options=DEFAULTS._replace(monotonic=clock, per_sender=1))
    node.init()
    assert node.check(signed()).code == 0
    clock.now_s += 100 * PATIENCE_S
    assert node.check(signed(nonce=1)).code == SenderCrowded.code


def test_b6_what_the_engine_holds_already_is_counted_and_never_refused() -> None:
    """A node whose program began anew is asked about what it has forgotten."""
    node = limited(per_sender=2)
    assert [node.check(signed(nonce=nonce), again=True).code for nonce in range(5)] == [0] * 5
    assert node.check(signed(nonce=5)).code == SenderCrowded.code


def test_b6_both_drivers_have_the_same_limits_and_these_let_a_stretch_of_batches_wait() -> None:
    assert (DEFAULTS.per_sender, DEFAULTS.sender_bytes) == (Limits().per_sender, Limits().sender_bytes)
    assert DEFAULTS.per_sender >= 2 * NONCE_WINDOW, "whoever keeps to its nonces never meets it"
    assert DEFAULTS.sender_bytes >= max(40 * 760_000, 2 * MAX_TRANSACTION_BYTES)
    assert module.ROOMY_BYTES + MAX_TRANSACTION_BYTES < MAX_BLOCK_BYTES


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
    assert len(waiting._envelopes) == 3
    (line,) = waiting._lines.values()
    assert (line.names, line.size) == (set(waiting._envelopes), sum(each.size for each in waiting._envelopes.values()))


def test_b4_what_stood_in_a_block_is_remembered_no_more() -> None:
    clock = Clock()
    node = patient(clock)
    first, second = signed(), signed(nonce=1)
    node.check(second, again=True)
    node.propose([second, b"malformed"])
    waiting = node.service._waiting
    assert len(waiting._envelopes) == 1
    node.block(first, second, b"malformed")
    assert not waiting._envelopes
    assert not waiting._lines
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
