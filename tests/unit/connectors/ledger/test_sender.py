"""The sender: nonces in order, alone or beside others who send for the same participant, and nothing counted twice."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any, ClassVar

import pytest

from gridproof.connectors.ledger import InProcessClient, NodeUnreachableError, Sender, SocketClient
from gridproof.connectors.ledger.sender import MAX_EARLY
from gridproof.domain import ParticipantId
from gridproof.drivers.embedded import EmbeddedLedger, Limits
from gridproof.drivers.embedded.server import Node
from gridproof.drivers.errors import MempoolFull, WaitTimeoutError
from gridproof.errors import TooEarly
from gridproof.state import TransactionPlace, system
from gridproof.state.errors import BadEnvelopeSignature, Expired, NonceUsed, UnknownSender
from gridproof.state.refusals import result_of
from gridproof.state.store import MemoryStore

from tests.tiny.app import PEOPLE, signer
from tests.tiny.notices.errors import NoticeUnknown, TextLength
from tests.tiny.notices.messages import WithdrawNotice
from tests.tiny.notices.types import LAST_NUMBER, NOTICES
from tests.tiny.people.errors import NotPermitted
from tests.unit.drivers.scenes import NOW_S, OPTIONS, in_folder, in_memory, post, signed


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    with in_memory() as made:
        yield made


def sender(ledger: EmbeddedLedger, name: str = "operator", timeout_s: float = 10, valid_for_s: int = 3_600) -> Sender:
    participant = ParticipantId(PEOPLE[name])
    return Sender(InProcessClient(ledger), signer(name), participant, valid_for_s=valid_for_s, timeout_s=timeout_s)


def nonce(ledger: EmbeddedLedger, name: str = "operator") -> int:
    with ledger.application.reading() as view:
        return system.next_nonce(view, PEOPLE[name])


def notices(ledger: EmbeddedLedger) -> int:
    with ledger.application.reading() as view:
        return sum(1 for _ in NOTICES.all(view))


def test_messages_are_sent_one_after_the_other(ledger: EmbeddedLedger) -> None:
    operator = sender(ledger)
    assert [operator.send(post()).height for _ in range(3)] == [1, 2, 3]
    assert nonce(ledger) == 3
    assert operator.send(post(), post()).result.code == 0
    assert notices(ledger) == 5


def test_a_sender_goes_on_where_the_ledger_stands(ledger: EmbeddedLedger) -> None:
    sender(ledger).send(post())
    assert sender(ledger).send(post()).height == 2


def test_a_refusal_is_raised_by_its_class_and_the_sender_goes_on(ledger: EmbeddedLedger) -> None:
    operator, household = sender(ledger), sender(ledger, "household-1")
    with pytest.raises(NotPermitted) as refused:
        household.send(post())
    assert refused.value.participant == 2
    with pytest.raises(NoticeUnknown) as unknown:
        operator.send(WithdrawNotice(1, 7))
    assert (unknown.value.region, unknown.value.number) == (1, 7)
    assert operator.send(post()).result.code == 0


def test_what_fails_its_own_check_is_not_sent_at_all(ledger: EmbeddedLedger) -> None:
    operator = sender(ledger)
    with pytest.raises(TextLength):
        operator.send(post(""))
    assert operator.send(post()).height == 1
    assert nonce(ledger) == 1


def test_many_are_under_way_at_once_and_come_in_order(ledger: EmbeddedLedger) -> None:
    operator = sender(ledger)
    under_way = [operator.submit(post(region=number)) for number in range(200)]  # three times the window of nonces
    places = [operator.wait(sent) for sent in under_way]
    assert [place.result.code for place in places] == [0] * 200
    order = [(place.height, place.index) for place in places]
    assert order == sorted(order)
    assert nonce(ledger) == notices(ledger) == 200


def test_two_senders_for_one_participant_share_its_nonces(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    places: list[TransactionPlace] = []

    def send(operator: Sender, region: int) -> None:
        places.extend(operator.send(post(region=region)) for _ in range(10))

    threads = [Thread(target=send, args=(sender(ledger, timeout_s=30), region)) for region in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(places) == 30
    assert nonce(ledger) == notices(ledger) == 30
    with ledger.application.reading() as view:
        assert [last for _, last in LAST_NUMBER.all(view)] == [10, 10, 10]


def test_one_sender_is_used_by_many_threads(ledger: EmbeddedLedger) -> None:
    ledger.start(0.002)
    operator = sender(ledger, timeout_s=30)
    threads = [Thread(target=lambda: [operator.send(post()) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert nonce(ledger) == notices(ledger) == 20


def test_a_nonce_taken_by_another_is_signed_anew(ledger: EmbeddedLedger) -> None:
    operator, other = sender(ledger), sender(ledger)
    operator.send(post())
    other.send(post())
    assert operator.send(post()).height == 3, "its nonce was stale at CheckTx"
    slow = operator.submit(post())
    ledger._mempool.remove([slow.name])
    other.send(post())
    assert operator.wait(slow).height == 5, "its nonce was taken while it waited"
    assert notices(ledger) == 5


def test_two_who_say_the_same_are_both_heard(ledger: EmbeddedLedger) -> None:
    one, other = sender(ledger), sender(ledger)
    first, second = one.submit(post()), other.submit(post())
    assert first.name != second.name
    assert {one.wait(first).height, other.wait(second).height} == {1, 2}
    assert notices(ledger) == 2


def test_what_is_in_a_block_is_never_signed_anew(ledger: EmbeddedLedger) -> None:
    operator = sender(ledger)
    sent = operator.submit(post())
    ledger.make_block()
    assert operator.wait(sent).height == operator.wait(sent).height == 1
    assert notices(ledger) == 1


def test_what_expired_while_it_waited_is_signed_anew() -> None:
    now_s = [NOW_S]
    with in_memory(OPTIONS._replace(clock=lambda: now_s[0])) as ledger:
        operator = sender(ledger, valid_for_s=60)
        sent = operator.submit(post())
        now_s[0] += 100
        assert operator.wait(sent).result.code == 0
        now_s[0] += 100
        ledger.make_block(empty=True)
        assert operator.send(post()).result.code == 0
        assert notices(ledger) == 2


def test_a_sender_whose_clock_cannot_keep_up_gives_up(ledger: EmbeddedLedger) -> None:
    with pytest.raises(Expired):
        sender(ledger, valid_for_s=-1, timeout_s=0.1).send(post())


def test_what_a_node_lost_is_handed_in_again(tmp_path: Path) -> None:
    with in_folder(tmp_path) as ledger:
        operator = sender(ledger)
        sent = operator.submit(post())
    with in_folder(tmp_path) as ledger:
        again = sender(ledger)
        assert again.wait(sent).height == 1
        assert again.wait(sent).height == 1
        assert notices(ledger) == 1


def test_a_node_that_is_started_late_is_waited_for(tmp_path: Path) -> None:
    with in_memory() as ledger:
        ledger.start(0.002)
        client = SocketClient(tmp_path / "node.sock")
        operator = Sender(client, signer("operator"), ParticipantId(1), timeout_s=10)
        with Node(ledger, tmp_path / "node.sock"):
            operator.send(post())
        done = Event()

        def start_late() -> None:
            sleep(0.1)
            with Node(ledger, tmp_path / "node.sock"):
                done.wait(10)

        late = Thread(target=start_late)
        late.start()
        assert operator.send(post()).height == 2
        done.set()
        late.join()
        client.close()


def test_an_absent_node_is_given_up_in_time(tmp_path: Path) -> None:
    client = SocketClient(tmp_path / "none.sock")
    with pytest.raises(NodeUnreachableError):
        Sender(client, signer("operator"), ParticipantId(1), timeout_s=0.1).send(post())


def test_a_transaction_that_comes_into_no_block_is_given_up_in_time(ledger: EmbeddedLedger) -> None:
    operator = sender(ledger, timeout_s=0.1)
    sent = operator.submit(post())._replace(name=ledger.submit(signed(nonce=9)))
    with pytest.raises(WaitTimeoutError):
        operator.wait(sent)


def test_who_has_no_key_here_is_refused(ledger: EmbeddedLedger) -> None:
    client = InProcessClient(ledger)
    with pytest.raises(UnknownSender):
        Sender(client, signer("operator"), ParticipantId(77), timeout_s=1).send(post())
    with pytest.raises(BadEnvelopeSignature):
        Sender(client, signer("stranger"), ParticipantId(1), timeout_s=1).send(post())


def test_a_node_without_room_is_waited_for_and_given_up_in_time() -> None:
    store = MemoryStore()
    with in_memory(OPTIONS._replace(limits=Limits(transactions=1)), store) as ledger:
        ledger.start(0.002)
        operator = sender(ledger)
        for sent in [operator.submit(post()) for _ in range(5)]:
            assert operator.wait(sent).result.code == 0
        ledger.stop()
        ledger.submit(signed("household-1"))
        with pytest.raises(MempoolFull):
            sender(ledger, "household-2", timeout_s=0.1).send(post())


def test_a_nonce_that_is_always_taken_is_given_up_in_time(ledger: EmbeddedLedger) -> None:
    class Late(InProcessClient):
        def submit(self, raw: bytes) -> bytes:
            raise NonceUsed(nonce=0, expected=1)

    with pytest.raises(NonceUsed):
        Sender(Late(ledger), signer("operator"), ParticipantId(1), timeout_s=0.05).send(post())


class HourTooEarly(TooEarly):
    """The hour has not struck; nothing was changed."""

    code: ClassVar[int] = 98_901
    end_s: int

    @property
    def not_before_s(self) -> int:
        return self.end_s


class Stale(InProcessClient):
    """A ledger whose first blocks bear an old time, by which all is refused as too early."""

    blocks = 1
    end_s = NOW_S

    def wait(self, name: bytes, timeout_s: float) -> TransactionPlace:
        place = super().wait(name, timeout_s)
        if place.height > self.blocks:
            return place
        return TransactionPlace(place.height, place.index, result_of(HourTooEarly(end_s=self.end_s)))


def test_what_an_old_blocks_time_refused_as_too_early_is_said_again(ledger: EmbeddedLedger) -> None:
    operator = Sender(Stale(ledger), signer("operator"), ParticipantId(1), timeout_s=10)
    assert operator.send(post()).height == 2


def test_what_is_too_early_by_the_time_of_day_is_not_said_again(ledger: EmbeddedLedger) -> None:
    client = Stale(ledger)
    client.end_s = NOW_S + 1
    with pytest.raises(HourTooEarly):
        Sender(client, signer("operator"), ParticipantId(1), timeout_s=10).send(post())
    assert ledger.head.height == 1


def test_what_stays_too_early_is_said_only_so_often(ledger: EmbeddedLedger) -> None:
    client = Stale(ledger)
    client.blocks = 100
    with pytest.raises(HourTooEarly):
        Sender(client, signer("operator"), ParticipantId(1), timeout_s=10).send(post())
    assert ledger.head.height == 1 + MAX_EARLY


def test_where_the_operators_word_moves_time_early_is_early(ledger: EmbeddedLedger) -> None:
    class Operated(Stale):
        def ask(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return NOW_S if query is system.operator_clock_s else super().ask(query, *args, **kwargs)

    with pytest.raises(HourTooEarly):
        Sender(Operated(ledger), signer("operator"), ParticipantId(1), timeout_s=10).send(post())
    assert ledger.head.height == 1


def test_a_wait_that_ends_says_what_to_look_at_and_that_nothing_is_done_twice() -> None:
    sentence = str(WaitTimeoutError(name=bytes(32), timeout_ms=60_000))
    for words in ("made no block", "may still take effect", "`gridproof status`", "type the command again", "not done"):
        assert words in sentence
