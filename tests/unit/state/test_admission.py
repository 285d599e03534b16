"""Which transactions may enter a block (rules E-1 to E-6), and that what was judged once is not judged again."""

import dataclasses
import gc
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.domain import DomainError, ParticipantId, require_range
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message, SerialVerifier, SignatureClaim, route, sign_transaction
from gridproof.state import admission as rules
from gridproof.state.admission import in_nonce_order, in_order
from gridproof.state.application import Application
from gridproof.state.blocks import Block
from gridproof.state.errors import (
    BadEnvelopeSignature,
    CheckFailed,
    EnvelopeError,
    Expired,
    MalformedTransaction,
    NonceAhead,
    NonceUsed,
    UnknownSender,
    WrongChain,
)
from gridproof.state.store import MemoryStore
from gridproof.state.transaction import NONCE_WINDOW, Body, Transaction, decode_transaction

from tests.tiny.app import GENESIS_TIME_S, PEOPLE, signer, tiny, tiny_genesis
from tests.tiny.notices.errors import TextLength
from tests.tiny.notices.messages import PostNotice
from tests.tiny.people.messages import Witness
from tests.tiny.people.module import Keeper, people

NOW_S = GENESIS_TIME_S + 10
NOTICE = PostNotice(1, "x", NOW_S + 60)
DIGEST = sha256(b"seen")


class Counting(SerialVerifier):
    """A verifier that remembers how often it was asked."""

    def __init__(self) -> None:
        self.claims: list[SignatureClaim] = []
        self.calls: list[int] = []

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        self.claims.extend(claims)
        self.calls.append(len(claims))
        return super().find_invalid(claims)


@pytest.fixture
def verifier() -> Counting:
    return Counting()


@pytest.fixture
def application(verifier: Counting) -> Application:
    made = tiny(MemoryStore(), verifier)
    made.init_chain(tiny_genesis())
    return made


def signed(
    name: str, *messages: Message, nonce: int = 0, chain: str = "tiny-1", until_s: int = NOW_S, key: str = ""
) -> bytes:
    return sign_transaction(
        signer(key or name),
        chain_id=chain,
        sender=ParticipantId(PEOPLE.get(name, 99)),
        nonce=nonce,
        valid_until_s=until_s,
        messages=messages or (NOTICE,),
    )


def block(*raws: bytes, height: int = 1, time_s: int = NOW_S) -> Block:
    return Block(height, time_s, 0, raws)


def refused_everywhere(application: Application, raw: bytes, refusal: type[EnvelopeError]) -> EnvelopeError:
    """A transaction that no step lets through: neither CheckTx, nor a proposal made or judged, nor a block."""
    before = application.info()
    with pytest.raises(refusal) as raised:
        application.check_tx(raw)
    proposal = application.prepare_proposal([raw], NOW_S, 10**6)
    assert (proposal.chosen, proposal.waiting) == ([], [])
    assert [type(each) for _, each in proposal.refused] == [refusal]
    assert not application.process_proposal(block(raw))
    result = application.finalize_block(block(raw))
    assert [each.code for each in result.results] == [refusal.code]
    assert result.app_hash == before.app_hash
    return raised.value


def test_e1_another_chains_transaction_is_refused(application: Application) -> None:
    refusal = refused_everywhere(application, signed("operator", chain="tiny-2"), WrongChain)
    assert refusal.particulars == {"chain_id": "tiny-2", "expected": "tiny-1"}


def test_e1_a_stranger_is_refused(application: Application) -> None:
    assert refused_everywhere(application, signed("stranger"), UnknownSender).particulars == {"sender": 99}


def test_e1_bytes_that_are_no_transaction_are_refused(application: Application) -> None:
    refused_everywhere(application, b"\x92\x01\x02", MalformedTransaction)


def test_e2_a_signature_by_another_key_is_refused(application: Application) -> None:
    raw = signed("operator", key="household-1")
    assert refused_everywhere(application, raw, BadEnvelopeSignature).particulars == {"sender": 1}


def test_e3_an_expired_transaction_is_refused(application: Application) -> None:
    raw = signed("operator", until_s=GENESIS_TIME_S - 1)
    refusal = refused_everywhere(application, raw, Expired)
    assert refusal.particulars == {"valid_until_s": GENESIS_TIME_S - 1, "now_s": GENESIS_TIME_S}


def test_e3_the_last_second_of_validity_counts(application: Application) -> None:
    raw = signed("operator", until_s=NOW_S)
    assert application.prepare_proposal([raw], NOW_S, 10**6).chosen == [raw]
    assert application.prepare_proposal([raw], NOW_S + 1, 10**6).chosen == []


def test_e4_check_tx_takes_nonces_up_to_the_window_and_a_block_only_the_next(application: Application) -> None:
    application.check_tx(signed("operator", nonce=NONCE_WINDOW - 1))
    with pytest.raises(NonceAhead) as ahead:
        application.check_tx(signed("operator", nonce=NONCE_WINDOW))
    assert ahead.value.particulars == {"nonce": NONCE_WINDOW, "expected": 0}
    later = signed("operator", nonce=1)
    assert application.prepare_proposal([later], NOW_S, 10**6).waiting == [later]
    assert not application.process_proposal(block(later))
    assert [each.code for each in application.finalize_block(block(later)).results] == [NonceAhead.code]


def test_e4_a_used_nonce_is_refused(application: Application) -> None:
    raw = signed("operator")
    application.finalize_block(block(raw))
    application.commit()
    with pytest.raises(NonceUsed) as used:
        application.check_tx(raw)
    assert used.value.particulars == {"nonce": 0, "expected": 1}
    assert [type(each) for _, each in application.prepare_proposal([raw], NOW_S, 10**6).refused] == [NonceUsed]
    assert not application.process_proposal(block(raw, height=2))


def test_e4_a_nonce_that_comes_twice_counts_once(application: Application) -> None:
    first, second = signed("operator"), signed("operator", PostNotice(2, "y", NOW_S + 60))
    proposal = application.prepare_proposal([first, second, first], NOW_S, 10**6)
    assert proposal.chosen == [first]
    assert [(raw, type(each)) for raw, each in proposal.refused] == [(second, NonceUsed), (first, NonceUsed)]
    assert not application.process_proposal(block(first, second))


def test_e5_a_message_that_fails_its_own_check_is_refused(application: Application) -> None:
    raw = signed("operator", NOTICE, PostNotice(1, "", NOW_S + 60))
    application.check_tx(raw)  # CheckTx looks at the envelope only
    (refused,) = application.prepare_proposal([raw], NOW_S, 10**6).refused
    assert isinstance(refused[1], TextLength)
    assert refused[1].length == 0
    assert not application.process_proposal(block(raw))


def witness(*names: str, digest: bytes = DIGEST) -> Witness:
    return Witness(digest, tuple((signer(name).public_key, signer(name).sign(DIGEST)) for name in names))


def test_e5_a_message_with_a_false_signature_is_refused_and_its_neighbours_are_not(application: Application) -> None:
    good, bad = signed("operator", witness("a", "b")), signed("household-1", witness("a", digest=sha256(b"other")))
    proposal = application.prepare_proposal([bad, good], NOW_S, 10**6)
    assert proposal.chosen == [good]
    assert [type(each) for _, each in proposal.refused] == [CheckFailed]


def test_what_follows_a_refused_nonce_waits_and_is_not_lost(application: Application) -> None:
    bad, later = signed("operator", PostNotice(1, "", NOW_S + 60)), signed("operator", nonce=1)
    proposal = application.prepare_proposal([later, bad], NOW_S, 10**6)
    assert (proposal.chosen, proposal.waiting) == ([], [later])


def test_a_signature_is_checked_once_from_check_tx_to_the_block(application: Application, verifier: Counting) -> None:
    raw = signed("operator", witness("a", "b"))
    application.check_tx(raw)
    assert len(verifier.claims) == 1
    application.prepare_proposal([raw], NOW_S, 10**6)
    assert len(verifier.claims) == 3
    application.process_proposal(block(raw))
    application.finalize_block(block(raw))
    application.check_tx(raw)
    assert len(verifier.claims) == 3


def test_a_false_signature_is_checked_once_too(application: Application, verifier: Counting) -> None:
    raw = signed("operator", key="household-1")
    for _ in range(3):
        with pytest.raises(BadEnvelopeSignature):
            application.check_tx(raw)
    assert len(verifier.claims) == 1


def test_a_blocks_signatures_are_checked_together(application: Application, verifier: Counting) -> None:
    raws = [signed(name, witness("a")) for name in PEOPLE]
    application.finalize_block(block(*raws))
    assert verifier.calls == [len(PEOPLE), 1]  # all envelopes, then the one message that all of them carry


def test_a_kept_refusal_does_not_gather_the_stacks_of_those_who_met_it(application: Application) -> None:
    raw = signed("operator", key="household-1")
    depths = []
    for _ in range(3):
        with pytest.raises(BadEnvelopeSignature) as raised:
            application.check_tx(raw)
        depths.append(len(traceback.extract_tb(raised.value.__traceback__)))
    assert depths[0] == depths[1] == depths[2]
    gc.collect()


def test_a_kept_refusal_holds_no_stack_and_no_error_behind_it_and_so_no_message(application: Application) -> None:
    forged = signed("operator", NOTICE)[:-1] + b"\x00"
    with pytest.raises(BadEnvelopeSignature):
        application.check_tx(forged)
    foreseen = signed("operator", PostNotice(1, "", NOW_S))
    application.prepare_proposal([foreseen], NOW_S, 10**6)
    kept = [each for each in application._admission._verdicts.values() if each is not None]
    assert len(kept) == 2
    assert [(each.__traceback__, each.__cause__, each.__context__) for each in kept] == [(None, None, None)] * 2


def test_a_refusal_made_of_another_error_lets_go_of_it() -> None:
    keeper = Keeper()
    wired = people(keeper)
    chained = dataclasses.replace(wired, routes=(*wired.routes, route(Chained, lambda _ctx, _sender, _message: None)))
    application = Application((chained,), MemoryStore(), keeper, SerialVerifier())
    application.init_chain(tiny_genesis())
    (refused,) = application.prepare_proposal([signed("operator", Chained(1))], NOW_S, 10**6).refused
    assert isinstance(refused[1], CheckFailed)
    assert (refused[1].__traceback__, refused[1].__cause__, refused[1].__context__) == (None, None, None)


def test_a_key_that_changed_is_judged_anew(application: Application) -> None:
    """The verdict names the key: a rotated key does not inherit its forerunner's verdicts."""
    raw = signed("operator")
    application.check_tx(raw)
    accounts = application._admission._accounts
    other = Signer(bytes(31) + b"\x09").public_key
    accounts.transaction_key = lambda view, participant: other  # type: ignore[method-assign]
    with pytest.raises(BadEnvelopeSignature):
        application.check_tx(raw)


def test_a_senders_transactions_stand_in_nonce_order_at_the_places_they_came_in(application: Application) -> None:
    a2, b1, a0, b0, a1 = (
        application.check_tx(signed(name, nonce=nonce))
        for name, nonce in [
            ("operator", 2),
            ("household-1", 1),
            ("operator", 0),
            ("household-1", 0),
            ("operator", 1),
        ]
    )
    assert in_nonce_order([a2, b1, a0, b0, a1]) == [a0, b0, a1, b1, a2]
    proposal = application.prepare_proposal([each.raw for each in (a2, b1, a0, b0, a1)], NOW_S, 10**6)
    assert proposal.chosen == [each.raw for each in (a0, b0, a1, b1, a2)]
    assert application.process_proposal(block(*proposal.chosen))


def test_a_block_holds_no_more_bytes_than_it_may_and_the_rest_waits(application: Application) -> None:
    raws = [signed("operator", nonce=nonce) for nonce in range(3)]
    other = signed("household-1")
    proposal = application.prepare_proposal([*raws, other], NOW_S, 2 * len(raws[0]) + 5)
    assert proposal.chosen == raws[:2]
    assert proposal.waiting == [raws[2], other]
    assert proposal.refused == []


class Vote(Message, frozen=True, tag=98005):
    """What stands first."""

    place: ClassVar[int] = 0
    number: int


def standing(sender: int, nonce: int, *messages: Message) -> Transaction:
    """A transaction as the order sees it."""
    body = Body(1, "tiny-1", sender, nonce, 0, (b"",))
    return Transaction(sha256(bytes((sender, nonce))), body, messages, bytes(32), bytes(64), bytes((sender, nonce)))


def test_e6_votes_stand_first_and_everything_else_as_it_arrived() -> None:
    a, b, c, d = standing(1, 0, NOTICE), standing(2, 0, Vote(1)), standing(3, 0, NOTICE), standing(4, 0, Vote(2))
    assert in_order([a, b, c, d]) == [b, d, a, c]
    assert in_order([a, c]) == [a, c]
    assert in_order([]) == []


def test_e6_a_vote_never_passes_an_earlier_transaction_of_its_sender() -> None:
    notice, vote, other = standing(1, 0, NOTICE), standing(1, 1, Vote(1)), standing(2, 0, Vote(2))
    assert in_order([notice, vote, other]) == [other, notice, vote]
    first, then = standing(1, 0, Vote(1)), standing(1, 1, NOTICE)
    assert in_order([other, then, first]) == [other, first, then]


def test_e6_who_packs_something_else_with_a_vote_gains_nothing() -> None:
    packed, plain = standing(1, 0, Vote(1), NOTICE), standing(2, 0, NOTICE)
    assert in_order([plain, packed]) == [plain, packed]


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=20), st.randoms(use_true_random=False))
def test_e6_an_order_is_one_of_all_by_nonce_and_by_arrival(kinds: list[tuple[int, bool]], shuffled: Random) -> None:
    nonces: Counter[int] = Counter()
    arrived = []
    for sender, votes in kinds:
        arrived.append(standing(sender, nonces[sender], Vote(1) if votes else NOTICE))
        nonces[sender] += 1
    shuffled.shuffle(arrived)
    ordered = in_order(arrived)
    assert sorted(each.raw for each in ordered) == sorted(each.raw for each in arrived), "nothing is lost or made up"
    for sender in nonces:
        assert [each.body.nonce for each in ordered if each.sender == sender] == list(range(nonces[sender]))
    places = [type(each.messages[0]) is Vote for each in in_nonce_order(arrived)]
    if len(frozenset(places)) < 2:
        assert ordered == in_nonce_order(arrived)


class Broken(Message, frozen=True, tag=98003):
    """Its own check meets something that is not of the domain."""

    region: int

    def check(self, chain_id: str) -> None:
        require_range("region", self.region, 0, 9)


class Chained(Message, frozen=True, tag=98004):
    """Its own check refuses because of another error."""

    number: int

    def check(self, chain_id: str) -> None:
        try:
            require_range("number", self.number, 2, 9)
        except DomainError as wrong:
            raise CheckFailed(detail="chained") from wrong


def test_e5_whatever_a_check_foresees_is_a_refusal() -> None:
    keeper = Keeper()
    wired = people(keeper)
    broken = dataclasses.replace(wired, routes=(*wired.routes, route(Broken, lambda _ctx, _sender, _message: None)))
    application = Application((broken,), MemoryStore(), keeper, SerialVerifier())
    application.init_chain(tiny_genesis())
    (refused,) = application.prepare_proposal([signed("operator", Broken(10))], NOW_S, 10**6).refused
    assert isinstance(refused[1], CheckFailed)
    assert "region" in refused[1].detail


def test_what_is_kept_of_past_transactions_is_bounded(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "KEPT_DECODED", 2)
    monkeypatch.setattr(rules, "KEPT_VERDICTS", 3)
    monkeypatch.setattr(rules, "KEPT_BYTES", 1_000)
    admission = application._admission
    for nonce in range(5):
        application.check_tx(signed("operator", nonce=nonce))
    assert len(admission._decoded) == 2
    large = signed("household-1", PostNotice(1, "x" * 2_000, NOW_S))
    application.check_tx(large)
    assert large not in admission._decoded
    assert admission._decoded_bytes == sum(map(len, admission._decoded))
    assert len(admission._verdicts) == 3


def test_what_several_threads_decode_at_once_is_counted_once(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it counted twice and let go of once, less and less would be kept."""
    admission, raw = application._admission, signed("operator")
    both = Barrier(2)
    decode = decode_transaction

    def decode_together(*given: Any) -> Transaction:
        decoded = decode(*given)
        both.wait(60)  # both have decoded before either stores
        return decoded

    monkeypatch.setattr(rules, "decode_transaction", decode_together)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(admission._decode, (raw, raw))
    assert first is second
    assert admission._decoded_bytes == len(raw)


def test_what_is_stored_while_another_thread_lets_go_is_counted_by_the_next(application: Application) -> None:
    admission = application._admission
    raws = [signed("operator", nonce=nonce) for nonce in range(3)]
    (turn,) = admission._turns
    admission._turns.clear()  # another thread has it
    for raw in raws[:2]:
        admission._decode(raw)
    assert admission._decoded_bytes == 0
    admission._turns.append(turn)
    admission._decode(raws[2])
    assert admission._decoded_bytes == sum(map(len, raws))
