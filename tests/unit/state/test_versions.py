"""A network goes over to a newer program in one block: old and new agree until then, and the old one stops there.

The rehearsal's module counts words. Version 1 keeps a bare count; version 2 keeps a record, counts what is longer than
a letter twice, takes one message more, and brings a second module along.
"""

from types import ModuleType
from typing import Final, NamedTuple

import pytest

from gridproof.domain import ParticipantId
from gridproof.modules.consensus.changes import CancelUpgrade, ScheduleUpgrade
from gridproof.modules.consensus.messages import SupportChange
from gridproof.state import (
    U32,
    Application,
    Block,
    Context,
    Map,
    Message,
    Migration,
    Module,
    Record,
    genesis_section,
    route,
    sign_transaction,
    system,
)
from gridproof.state.errors import MalformedTransaction, UpgradeNeededError, VersionError
from gridproof.state.store import MemoryStore

from tests.unit.modules.consensus.network import (
    AGGREGATORS,
    CHAIN_ID,
    FIRST_FOUR,
    IDS,
    START_S,
    application,
    genesis,
    section,
    signer,
)

VOTERS = AGGREGATORS[:3]
HEIGHT = 20


class Tally(Record, frozen=True):
    words: int
    forgotten: int


class Say(Message, frozen=True, tag=97001):
    word: str


class Forget(Message, frozen=True, tag=97002):
    pass


class Whisper(Message, frozen=True, tag=96001):
    pass


COUNT: Final = Map(module=97, collection=1, key=(), value=U32)
TALLY: Final = Map(module=97, collection=2, key=(), value=Tally)
WHISPERS: Final = Map(module=96, collection=1, key=(), value=U32)


def say(ctx: Context, sender: ParticipantId, message: Say) -> None:
    if ctx.version(97) < 2:
        COUNT.put(ctx, value=COUNT.get(ctx, default=0) + 1)
        return
    tally = TALLY.get(ctx)
    TALLY.put(ctx, value=Tally(tally.words + min(2, len(message.word)), tally.forgotten))


def say_in_the_first_program(ctx: Context, sender: ParticipantId, message: Say) -> None:
    COUNT.put(ctx, value=COUNT.get(ctx, default=0) + 1)


def forget(ctx: Context, sender: ParticipantId, message: Forget) -> None:
    tally = TALLY.get(ctx)
    TALLY.put(ctx, value=Tally(0, tally.forgotten + tally.words))


def whisper(ctx: Context, sender: ParticipantId, message: Whisper) -> None:
    WHISPERS.put(ctx, value=WHISPERS.get(ctx, default=0) + 1)


def take_the_count_over(ctx: Context) -> None:
    TALLY.put(ctx, value=Tally(COUNT.get(ctx, default=0), 0))
    COUNT.delete(ctx)


NOTHING = ModuleType("nothing")
FIRST = (Module(97, "words", (route(Say, say_in_the_first_program),), NOTHING),)
SECOND = (
    Module(
        97,
        "words",
        (route(Say, say), route(Forget, forget, since=2)),
        NOTHING,
        version=2,
        migrations=(Migration(1, take_the_count_over, since=2),),
    ),
    Module(96, "whispers", (route(Whisper, whisper),), NOTHING, since=2),
)


class Node(NamedTuple):
    """A store, so that the node can be started with another program."""

    store: MemoryStore
    application: Application

    @classmethod
    def old(cls, store: MemoryStore | None = None) -> "Node":
        store = store or MemoryStore()
        return cls(store, application(store, None, *FIRST))

    @classmethod
    def new(cls, store: MemoryStore | None = None) -> "Node":
        store = store or MemoryStore()
        return cls(store, application(store, None, *SECOND, version=2))


class Rehearsal:
    """The same blocks for all nodes, which must come to the same hash."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = list(nodes)
        self.nonces: dict[str, int] = {}
        self.hashes: list[bytes] = []
        document = genesis(section(FIRST_FOUR))
        assert len({node.application.init_chain(document) for node in nodes}) == 1, "births differ"

    @property
    def height(self) -> int:
        return self.nodes[0].application.info().height

    def sign(self, name: str, *messages: Message) -> bytes:
        nonce = self.nonces.get(name, 0)
        self.nonces[name] = nonce + 1
        return sign_transaction(
            signer(name),
            chain_id=CHAIN_ID,
            sender=ParticipantId(IDS[name]),
            nonce=nonce,
            valid_until_s=START_S + 3_600,
            messages=messages,
        )

    def next_block(self, *raws: bytes) -> Block:
        return Block(self.height + 1, START_S + self.height + 1, 0, raws)

    def block(self, *raws: bytes) -> None:
        block = self.next_block(*raws)
        results = []
        for node in self.nodes:
            assert node.application.process_proposal(block)
            results.append(node.application.finalize_block(block))
            node.application.commit()
        assert len({(each.app_hash, tuple(result.code for result in each.results)) for each in results}) == 1
        assert len({(each.app_version, each.validator_updates) for each in results}) == 1
        self.hashes.append(results[0].app_hash)

    def schedule(self, version: int = 2, height: int = HEIGHT) -> None:
        change = ScheduleUpgrade(version, height)
        self.block(*(self.sign(name, SupportChange(0, change)) for name in VOTERS))

    def run_to(self, height: int) -> None:
        while self.height < height:
            self.block(self.sign("auditor", Say("word")))


def words(node: Node) -> tuple[int | None, Tally | None]:
    with node.application.reading() as view:
        return COUNT.find(view), TALLY.find(view)


def test_old_and_new_programs_agree_on_every_hash_before_the_height() -> None:
    run = Rehearsal(Node.old(), Node.new())
    run.run_to(3)
    run.schedule()
    run.run_to(HEIGHT - 1)
    assert words(run.nodes[0]) == words(run.nodes[1]) == (HEIGHT - 2, None)
    assert all(node.application.app_version == 1 for node in run.nodes)


def test_the_old_program_stops_at_the_height_and_loses_nothing() -> None:
    run = Rehearsal(Node.old(), Node.new())
    run.schedule()
    run.run_to(HEIGHT - 1)
    old, new = run.nodes
    block = run.next_block()
    before = old.application.info()
    for call in (
        lambda: old.application.process_proposal(block),
        lambda: old.application.finalize_block(block),
        lambda: old.application.prepare_proposal([], block.time_s, 1_000),
    ):
        with pytest.raises(UpgradeNeededError) as stopped:
            call()
        assert stopped.value.particulars == {"height": HEIGHT, "needed": 2, "program": 1}
    assert old.application.info() == before
    old.application.check_tx(run.sign("operator", Say("x")))  # what waits goes on waiting

    installed = Node.new(old.store)
    assert new.application.finalize_block(block) == installed.application.finalize_block(block)


def test_a_program_that_was_started_before_the_height_goes_over_in_it() -> None:
    run = Rehearsal(Node.old(), Node.new())
    run.schedule()
    run.run_to(HEIGHT - 1)
    run.nodes[0] = Node.new(run.nodes[0].store)
    run.block(run.sign("auditor", Say("word")))
    count, tally = words(run.nodes[0])
    assert (count, tally) == (None, Tally(HEIGHT - 2 + 2, 0)), "the migration came before the block's transactions"
    assert all(node.application.app_version == 2 for node in run.nodes)
    run.block(run.sign("auditor", Forget()), run.sign("operator", Whisper()))
    with run.nodes[1].application.reading() as view:
        assert WHISPERS.get(view) == 1
        assert system.version_of(view, 96) == 1
        assert system.version_of(view, 97) == 2


@pytest.mark.parametrize("message", [Forget(), Whisper()])
def test_what_only_the_new_program_knows_is_no_message_before_the_height(message: Message) -> None:
    run = Rehearsal(Node.old(), Node.new())
    run.run_to(2)
    raw = run.sign("operator", message)
    for node in run.nodes:
        with pytest.raises(MalformedTransaction):
            node.application.check_tx(raw)
        assert not node.application.process_proposal(run.next_block(raw))
        proposal = node.application.prepare_proposal([raw], START_S + 3, 10_000)
        assert [type(refusal) for _, refusal in proposal.refused] == [MalformedTransaction]


@pytest.mark.parametrize("wrong", ["chain", "sender", "age", "signature"])
def test_old_and_new_program_refuse_what_is_no_message_yet_by_the_same_code_whatever_else_is_wrong(wrong: str) -> None:
    """Codes are part of consensus: a block with such a transaction, however it came about, must not part them."""
    run = Rehearsal(Node.old(), Node.new())
    run.run_to(2)
    raw = sign_transaction(
        signer("auditor" if wrong == "signature" else "operator"),
        chain_id="other-1" if wrong == "chain" else CHAIN_ID,
        sender=ParticipantId(999 if wrong == "sender" else IDS["operator"]),
        nonce=0,
        valid_until_s=1 if wrong == "age" else START_S + 3_600,
        messages=(Forget(),),
    )
    codes = [node.application.finalize_block(run.next_block(raw)).results[0].code for node in run.nodes]
    assert codes == [MalformedTransaction.code] * 2


def test_the_new_program_replays_the_whole_history() -> None:
    run = Rehearsal(Node.old())
    run.schedule()
    run.run_to(HEIGHT - 1)
    run.nodes[0] = Node.new(run.nodes[0].store)
    run.run_to(HEIGHT + 3)

    again = Rehearsal(Node.new())
    again.schedule()
    again.run_to(HEIGHT + 3)
    assert again.hashes == run.hashes


def test_a_cancelled_upgrade_does_not_take_place() -> None:
    run = Rehearsal(Node.old(), Node.new())
    run.schedule()
    run.block(*(run.sign(name, SupportChange(1, CancelUpgrade())) for name in VOTERS))
    run.run_to(HEIGHT + 2)
    assert words(run.nodes[1]) == (HEIGHT, None)


def test_a_program_newer_than_what_was_decided_goes_as_far_as_that() -> None:
    third = Module(
        97,
        "words",
        SECOND[0].routes,
        NOTHING,
        version=3,
        migrations=(*SECOND[0].migrations, Migration(2, TALLY.delete, since=3)),
    )
    store = MemoryStore()
    newest = Node(store, application(store, None, third, SECOND[1], version=3))
    run = Rehearsal(Node.new(), newest)
    run.schedule()
    run.run_to(HEIGHT + 2)
    assert words(newest) == words(run.nodes[0])
    assert newest.application.app_version == 2


def test_without_validators_a_newer_program_goes_over_at_once() -> None:
    store = MemoryStore()
    node = Node.old(store)
    node.application.init_chain(genesis(None))
    node.application.finalize_block(Block(1, START_S, 0, (spoken(Say("a"), 0),)))
    node.application.commit()
    later = Node.new(store)
    whispered = spoken(Whisper(), 1)
    later.application.check_tx(whispered)
    result = later.application.finalize_block(Block(2, START_S, 0, (whispered,)))
    later.application.commit()
    assert result.results[0].code == 0
    assert result.app_version is None
    assert words(later) == (None, Tally(1, 0))
    with pytest.raises(VersionError):
        Node.old(store)


def spoken(message: Message, nonce: int) -> bytes:
    return sign_transaction(
        signer("auditor"),
        chain_id=CHAIN_ID,
        sender=ParticipantId(IDS["auditor"]),
        nonce=nonce,
        valid_until_s=START_S + 9,
        messages=(message,),
    )


def test_a_module_tells_its_version_under_a_version_of_the_program() -> None:
    words_module, whispers = SECOND
    assert [words_module.version_at(program) for program in (1, 2, 3)] == [1, 2, 2]
    assert [whispers.version_at(program) for program in (1, 2, 3)] == [0, 1, 1]


def test_a_section_of_the_genesis_may_be_missing_where_its_module_says_so() -> None:
    def lay(ctx: Context, given: list[int]) -> None:
        COUNT.put(ctx, value=sum(given))

    made = Module(97, "words", (), NOTHING, genesis=genesis_section(list[int], lay, optional=True))
    node = application(MemoryStore(), None, made)
    node.init_chain(genesis(None))
    with node.reading() as view:
        assert COUNT.find(view) is None
        assert system.version_of(view, 97) == 1
