"""Rules of notices, by their numbers in the module's README: what a module's tests read like."""

import pytest

from gridproof.state import Violation

from .notices.errors import BadEnd, BoardFull, NoticeUnknown, TextLength
from .notices.keeper import YEAR_S
from .notices.messages import NoticePosted, NoticeWithdrawn, PostNotice, WithdrawNotice
from .notices.types import LAST_NUMBER
from tests.ledger import Ledger, tiny_ledger


@pytest.fixture
def ledger() -> Ledger:
    return tiny_ledger()


def notice(ledger: Ledger, text: str = "x") -> PostNotice:
    return PostNotice(region=1, text=text, until_s=ledger.now_s + 60)


def test_n1_a_household_cannot_post_and_nothing_changes(ledger: Ledger) -> None:
    before = ledger.app_hash
    ledger.refuses("household-1", notice(ledger), code=98001)
    assert ledger.app_hash == before


def test_n1_a_household_cannot_withdraw(ledger: Ledger) -> None:
    posted = ledger.accepts("operator", notice(ledger))
    ledger.refuses("household-1", WithdrawNotice(region=1, number=posted.number), code=98001)


@pytest.mark.parametrize("length", [0, 501])
def test_n2_a_text_has_1_to_500_characters(ledger: Ledger, length: int) -> None:
    with pytest.raises(TextLength) as refusal:
        ledger.send("operator", notice(ledger, "x" * length))
    assert refusal.value.length == length
    assert ledger.node.head.height == 0, "it enters no block"
    ledger.accepts("operator", notice(ledger, "x" * 500))


@pytest.mark.parametrize("after_s", [0, -1, YEAR_S + 1])
def test_n3_a_notice_ends_after_now_and_within_a_year(ledger: Ledger, after_s: int) -> None:
    with pytest.raises(BadEnd) as refusal:
        ledger.send("operator", PostNotice(region=1, text="x", until_s=ledger.now_s + after_s))
    assert refusal.value.until_s == refusal.value.now_s + after_s
    ledger.accepts("operator", PostNotice(region=1, text="x", until_s=ledger.now_s + YEAR_S))


def test_n4_the_101st_running_notice_is_refused_and_an_ended_one_makes_room(ledger: Ledger) -> None:
    for _ in range(100):
        ledger.accepts("operator", notice(ledger))
    with pytest.raises(BoardFull) as refusal:
        ledger.send("operator", notice(ledger))
    assert (refusal.value.region, refusal.value.limit) == (1, 100)
    ledger.advance(61)
    ledger.accepts("operator", notice(ledger))


def test_n5_a_withdrawn_number_is_not_used_again(ledger: Ledger) -> None:
    first = ledger.accepts("operator", notice(ledger))
    assert ledger.accepts("operator", WithdrawNotice(region=1, number=first.number)) == NoticeWithdrawn(1, 1)
    with pytest.raises(NoticeUnknown):
        ledger.send("operator", WithdrawNotice(region=1, number=first.number))
    second = ledger.accepts("operator", notice(ledger))
    assert second == NoticePosted(1, first.number + 1, ledger.now_s + 60)


def test_messages_of_one_transaction_are_announced_in_order(ledger: Ledger) -> None:
    events = ledger.send("operator", notice(ledger), notice(ledger), WithdrawNotice(1, 1))
    assert events == (
        NoticePosted(1, 1, ledger.now_s + 60),
        NoticePosted(1, 2, ledger.now_s + 60),
        NoticeWithdrawn(1, 1),
    )


def test_the_invariant_finds_a_number_beyond_the_last(ledger: Ledger) -> None:
    """Positive control: the invariants that run after every block of these tests can fail."""
    ledger.accepts("operator", notice(ledger))
    ledger.node.store.write({LAST_NUMBER.table: {LAST_NUMBER.key(1): None}})
    with pytest.raises(Violation):
        ledger.node.application.check_invariants()
