"""The ledger as a state machine: finalize computes, commit alone persists, who is refused loses a nonce only."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gridproof.domain import ParticipantId
from gridproof.state import (
    Application,
    Block,
    BlockResult,
    Context,
    Head,
    Message,
    Migration,
    Module,
    SerialVerifier,
    Violation,
    smt,
    system,
)
from gridproof.state.errors import (
    ClockNotOperators,
    GenesisError,
    NothingStagedError,
    NumberUnfit,
    QueryArgumentError,
    StateError,
    VersionError,
    WrongBlockError,
)
from gridproof.state.store import LmdbStore, MemoryStore, Store, Table
from gridproof.state.transaction import sign_transaction, transaction_hash

from tests.tiny.app import GENESIS_TIME_S, PEOPLE, signer, tiny, tiny_genesis
from tests.tiny.notices.errors import BoardFull
from tests.tiny.notices.messages import NoticePosted, PostNotice, WithdrawNotice
from tests.tiny.notices.types import LAST_NUMBER, NOTICES
from tests.tiny.people.messages import TurnClock
from tests.tiny.people.module import Keeper, people
from tests.tiny.people.types import MEMBERS, Member

NOW_S = GENESIS_TIME_S + 10
NOTICE = PostNotice(1, "x", NOW_S + 60)


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else LmdbStore(str(tmp_path / "store"))
    yield made
    made.close()


def born(store: Store, clock: str = "block") -> Application:
    made = tiny(store, SerialVerifier())
    made.init_chain(tiny_genesis(clock))
    return made


def signed(name: str, *messages: Message, nonce: int = 0) -> bytes:
    return sign_transaction(
        signer(name),
        chain_id="tiny-1",
        sender=ParticipantId(PEOPLE[name]),
        nonce=nonce,
        valid_until_s=NOW_S + 3_600,
        messages=messages or (NOTICE,),
    )


def step(application: Application, *raws: bytes, time_s: int = NOW_S) -> tuple[BlockResult, Head]:
    result = application.finalize_block(Block(application.info().height + 1, time_s, 0, raws))
    return result, application.commit()


def contents(store: Store) -> dict[Table, dict[bytes, bytes]]:
    with store.snapshot() as snapshot:
        return {table: dict(snapshot.scan(table)) for table in Table}


def test_init_persists_nothing_and_the_first_commit_all(store: Store) -> None:
    application = born(store)
    root = application.info().app_hash
    assert application.info() == Head(0, root, GENESIS_TIME_S)
    assert not any(contents(store).values())
    _, head = step(application)
    assert head == Head(1, root, NOW_S)
    again = tiny(store, SerialVerifier())
    assert again.info() == head
    assert again.chain_id == "tiny-1"
    assert again.init_chain(tiny_genesis()) == root


def test_a_ledger_takes_no_other_genesis(store: Store) -> None:
    application = born(store)
    step(application)
    before = contents(store)
    with pytest.raises(GenesisError):
        application.init_chain(tiny_genesis("operator"))
    assert contents(store) == before


def test_finalize_persists_nothing_and_commit_all_at_once(store: Store) -> None:
    application = born(store)
    step(application)
    before, head = contents(store), application.info()
    result = application.finalize_block(Block(2, NOW_S, 0, (signed("operator"),)))
    assert contents(store) == before
    assert application.info() == head
    committed = application.commit()
    assert (committed.height, committed.app_hash) == (2, result.app_hash)
    assert tiny(store, SerialVerifier()).info() == committed


def test_a_block_may_be_computed_again_with_the_same_result(store: Store) -> None:
    application = born(store)
    block = Block(1, NOW_S, 0, (signed("operator"), signed("household-1")))
    assert application.finalize_block(block) == application.finalize_block(block)
    other = tiny(MemoryStore(), SerialVerifier())
    other.init_chain(tiny_genesis())
    assert other.finalize_block(block) == application.finalize_block(block)


def test_commit_without_a_block_is_refused(store: Store) -> None:
    application = born(store)
    with pytest.raises(NothingStagedError):
        application.commit()
    step(application)
    with pytest.raises(NothingStagedError):
        application.commit()


@pytest.mark.parametrize(("height", "time_s"), [(1, NOW_S), (3, NOW_S), (0, NOW_S), (2, NOW_S - 1)])
def test_a_block_that_does_not_follow_is_refused(store: Store, height: int, time_s: int) -> None:
    application = born(store)
    _, head = step(application)
    for judge in (application.finalize_block, application.process_proposal):
        with pytest.raises(WrongBlockError) as refused:
            judge(Block(height, time_s, 0, ()))
        assert (refused.value.expected_height, refused.value.height) == (2, height)
    assert application.info() == head


def test_a_verdict_on_a_block_ends_with_the_state_that_it_was_given_on(store: Store) -> None:
    application = born(store)
    late = Block(1, NOW_S, 0, (signed("operator"),))
    application.finalize_block(Block(1, NOW_S, 0, ()))
    assert application.process_proposal(late)
    head = application.commit()
    with pytest.raises(WrongBlockError) as refused:
        application.finalize_block(late)
    assert (refused.value.expected_height, refused.value.height) == (2, 1)
    assert application.info() == head


def test_an_empty_block_does_not_change_the_app_hash(store: Store) -> None:
    application = born(store)
    _, first = step(application, signed("operator"))
    _, second = step(application, time_s=NOW_S + 1_000)
    assert second == Head(2, first.app_hash, NOW_S + 1_000)


def test_the_app_hash_is_the_root_of_the_state_alone(store: Store) -> None:
    application = born(store)
    _, head = step(application, signed("operator"))
    root, _ = smt.apply(lambda _node: None, dict(contents(store)[Table.STATE]))
    assert root == head.app_hash


def test_an_executed_failure_keeps_its_number_consumes_its_nonce_and_changes_nothing_else(store: Store) -> None:
    application = born(store)
    step(application)
    before = contents(store)[Table.STATE]
    result, _ = step(application, signed("household-1"))
    assert [each.code for each in result.results] == [98001]
    after = contents(store)[Table.STATE]
    assert after.pop(system.NONCES.key(PEOPLE["household-1"])) == (1).to_bytes(8, "big")
    assert after == before
    assert application.events_since(b"", 10) == []


def test_a_transactions_messages_take_effect_all_or_none(store: Store) -> None:
    application = born(store)
    late = PostNotice(1, "late", NOW_S - 1)
    result, _ = step(application, signed("operator", NOTICE, late))
    assert [each.code for each in result.results] == [99002]
    with application.reading() as view:
        assert list(NOTICES.all(view)) == []
    assert application.events_since(b"", 10) == []
    result, _ = step(application, signed("operator", NOTICE, NOTICE, nonce=1))
    assert [each.code for each in result.results] == [0]
    with application.reading() as view:
        assert [key for key, _ in NOTICES.all(view)] == [(1, 1), (1, 2)]


def test_a_failure_does_not_disturb_its_neighbours_in_the_block(store: Store) -> None:
    application = born(store)
    withdraw = WithdrawNotice(1, 1)
    result, _ = step(
        application,
        signed("operator"),
        signed("household-1"),
        signed("operator", withdraw, nonce=1),
        signed("operator", withdraw, nonce=2),
        signed("operator", nonce=3),
    )
    assert [each.code for each in result.results] == [0, 98001, 0, 99004, 0]
    with application.reading() as view:
        assert [key for key, _ in NOTICES.all(view)] == [(1, 2)]
        assert system.next_nonce(view, PEOPLE["operator"]) == 4
    bodies = [application.decode_event(event.body) for event in application.events_since(b"", 10)]
    assert [type(body).__name__ for body in bodies] == ["NoticePosted", "NoticeWithdrawn", "NoticePosted"]


@pytest.mark.parametrize("region", [-1, 2**16, 2**62])
def test_a_number_that_fits_no_key_is_the_senders_fault_and_stops_nothing(store: Store, region: int) -> None:
    application = born(store)
    result, _ = step(application, signed("operator", PostNotice(region, "x", NOW_S + 60)))
    assert [each.code for each in result.results] == [NumberUnfit.code]
    with application.reading() as view:
        assert list(LAST_NUMBER.all(view)) == []


def test_a_refusals_fields_are_kept_with_its_result(store: Store) -> None:
    application = born(store)
    step(application, *(signed("operator", nonce=nonce) for nonce in range(100)))
    result, _ = step(application, signed("operator", nonce=100))
    assert result.results[0].text == str(BoardFull(region=1, limit=100))


def test_where_a_transaction_stands_is_kept(store: Store) -> None:
    application = born(store)
    raws = [signed("household-1"), signed("operator")]
    assert application.find_transaction(transaction_hash(raws[0])) is None
    step(application)
    step(application, *raws)
    places = [application.find_transaction(transaction_hash(raw)) for raw in raws]
    assert [(place.height, place.index, place.result.code) for place in places if place] == [(2, 0, 98001), (2, 1, 0)]


def test_events_are_read_on_from_any_place(store: Store) -> None:
    application = born(store)
    assert application.events_since(b"", 10) == []
    step(application, signed("operator", NOTICE, NOTICE), signed("household-1"))
    step(application, signed("operator", nonce=1))
    events = application.events_since(b"", 10)
    assert [(event.height, event.transaction, event.n) for event in events] == [(1, 0, 0), (1, 0, 1), (2, 0, 0)]
    assert application.decode_event(events[2].body) == NoticePosted(1, 3, NOW_S + 60)
    for place, event in enumerate(events):
        assert application.events_since(event.cursor, 10) == events[place + 1 :]
    assert application.events_since(b"", 2) == events[:2]
    assert application.events_since(b"\xff" * 16, 10) == []
    for cursor in (b"\x00", bytes(17)):
        with pytest.raises(QueryArgumentError):
            application.events_since(cursor, 10)


def test_a_snapshot_is_read_while_the_next_block_is_under_way(store: Store) -> None:
    application = born(store)
    step(application, signed("operator"))
    with application.reading() as view:
        application.finalize_block(Block(2, NOW_S, 0, (signed("operator", nonce=1),)))
        application.commit()
        assert [key for key, _ in NOTICES.all(view)] == [(1, 1)]
    with application.reading() as view:
        assert [key for key, _ in NOTICES.all(view)] == [(1, 1), (1, 2)]


def test_the_operators_clock_moves_by_its_word_alone(store: Store) -> None:
    application = born(store, "operator")
    far = NOW_S + 10**6
    result, _ = step(application, signed("operator", PostNotice(1, "x", GENESIS_TIME_S + 1)), time_s=far)
    assert result.results[0].code == 0, "the block's time is not ledger time here"
    result, _ = step(
        application, signed("household-1", TurnClock(far)), signed("operator", TurnClock(far), nonce=1), time_s=far
    )
    assert [each.code for each in result.results] == [98001, 0]
    with application.reading() as view:
        assert system.operator_clock_s(view) == far
    result, _ = step(application, signed("operator", TurnClock(far), nonce=2), time_s=far)
    assert [each.code for each in result.results] == [7], "what was valid before the clock was turned has expired"


def test_a_clock_that_nobody_sets_is_not_set(store: Store) -> None:
    application = born(store)
    result, _ = step(application, signed("operator", TurnClock(NOW_S + 1)))
    assert [each.code for each in result.results] == [ClockNotOperators.code]


def test_a_ledger_that_was_not_born_has_no_name() -> None:
    application = tiny(MemoryStore(), SerialVerifier())
    assert application.info() == Head(0, smt.EMPTY_ROOT, 0)
    with pytest.raises(StateError):
        _ = application.chain_id


def test_a_ledger_without_events_decodes_none() -> None:
    keeper = Keeper()
    silent = Module(number=97, name="silent", routes=people(keeper).routes[:0], refusals=ModuleType("none"))
    wired = Application((people(keeper), silent), MemoryStore(), keeper, SerialVerifier())
    wired.init_chain(tiny_genesis())
    wired._events = None
    with pytest.raises(StateError):
        wired.decode_event(b"")


def test_an_invariant_that_does_not_hold_is_told(store: Store) -> None:
    application = born(store)
    step(application, signed("operator"))
    application.check_invariants()
    store.write({Table.STATE: {LAST_NUMBER.key(1): None}})
    with pytest.raises(Violation) as told:
        application.check_invariants()
    assert "beyond the last" in str(told.value)


# --- migrations ------------------------------------------------------------------------------------------------------


def upgraded(store: Store, version: int, *migrations: Migration) -> Application:
    """The tiny ledger with a later version of `people`."""
    keeper = Keeper()
    first = people(keeper)
    later = Module(
        number=first.number,
        name=first.name,
        routes=first.routes,
        refusals=first.refusals,
        announces=first.announces,
        tables=first.tables,
        genesis=first.genesis,
        version=version,
        migrations=migrations,
    )
    return Application((later, tiny(MemoryStore(), SerialVerifier()).modules[1]), store, keeper, SerialVerifier())


def promote(ctx: Context) -> None:
    MEMBERS.put(ctx, 2, value=Member(MEMBERS.get(ctx, 2).key, is_operator=True))


def test_a_migration_runs_before_the_first_transaction_of_the_next_block(store: Store) -> None:
    step(born(store))
    application = upgraded(store, 2, Migration(1, promote))
    result, _ = step(application, signed("household-1"))
    assert result.results[0].code == 0, "the household was made an operator before its transaction ran"
    with application.reading() as view:
        assert system.VERSIONS.get(view, 98) == 2
    _, head = step(application, time_s=NOW_S + 1)
    assert head.app_hash == result.app_hash, "a migration runs once"


def test_migrations_run_in_turn(store: Store) -> None:
    step(born(store))
    ran: list[int] = []

    def noting(version: int) -> Migration:
        return Migration(version, lambda _ctx: ran.append(version))

    steps = [noting(version) for version in (1, 2, 3)]
    step(upgraded(store, 4, *reversed(steps)))
    assert ran == [1, 2, 3]


@pytest.mark.parametrize("version", [2, 3])
def test_a_state_that_no_migration_leads_from_is_refused(store: Store, version: int) -> None:
    step(born(store))
    before = contents(store)
    with pytest.raises(VersionError) as refused:
        upgraded(store, version, *[Migration(2, promote)])
    assert (refused.value.module, refused.value.stored, refused.value.program) == ("people", 1, version)
    assert contents(store) == before


def test_a_state_of_a_later_version_is_refused(store: Store) -> None:
    step(born(store))
    step(upgraded(store, 2, Migration(1, promote)))
    with pytest.raises(VersionError):
        tiny(store, SerialVerifier())


def test_a_module_that_is_new_to_the_ledger_begins_at_its_own_version(store: Store) -> None:
    keeper = Keeper()
    alone = Application((people(keeper),), store, keeper, SerialVerifier())
    alone.init_chain(tiny_genesis())
    step(alone)
    application = tiny(store, SerialVerifier())
    result, _ = step(application, signed("operator"))
    assert result.results[0].code == 0
    with application.reading() as view:
        assert system.VERSIONS.get(view, 99) == 1
