"""The Application behind ABCI, by the rules B-1 to B-5 and what ABCI 2.0 asks of an application."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from gridproof import __version__
from gridproof.domain import ParticipantId
from gridproof.drivers import wire
from gridproof.drivers.blocks import find_block, find_genesis
from gridproof.drivers.cometbft.errors import GenesisDiffersError
from gridproof.drivers.cometbft.service import (
    DEFAULTS,
    KEY_PATH,
    PROOF_TYPE,
    STEPS,
    UNANSWERED,
    Service,
    read_app_state,
    write_app_state,
)
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.errors import NoLedgerYet, WireError
from gridproof.modules.consensus.changes import RemoveValidator, ScheduleUpgrade
from gridproof.modules.consensus.keeper import UPGRADE_NOTICE
from gridproof.modules.consensus.messages import SupportChange
from gridproof.primitives.encoding import decode
from gridproof.state import GenesisError, Message, SerialVerifier, address_of, sign_transaction, smt, system
from gridproof.state.blocks import RESTORING_KEY
from gridproof.state.errors import (
    MalformedTransaction,
    NothingStagedError,
    UnknownQueryError,
    UpgradeNeededError,
    WrongBlockError,
)
from gridproof.state.refusals import unpack_error
from gridproof.state.store import Changes, LmdbStore, MemoryStore, Store, Table
from gridproof.state.transaction import transaction_hash

from tests.tiny.app import GENESIS_TIME_S, tiny_genesis
from tests.tiny.notices.errors import TextLength
from tests.tiny.notices.types import NOTICES
from tests.unit.drivers.cometbft.nodes import ACCEPT, FIRST_S, REJECT, Node, born
from tests.unit.drivers.scenes import post, signed
from tests.unit.modules.consensus import network as consensus

GOOD = signed()
MALFORMED = b"\xc1 no transaction"


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else LmdbStore(str(tmp_path / "store"))
    yield made
    made.close()


# --- birth -----------------------------------------------------------------------------------------------------------


def test_an_application_without_a_ledger_tells_height_0_and_no_hash() -> None:
    told = Node().info()
    assert (told.last_block_height, told.last_block_app_hash) == (0, b"")
    assert (told.data, told.version) == ("gridproof", __version__)


def test_b1_init_chain_persists_nothing_and_the_first_commit_all(store: Store) -> None:
    node = Node(store)
    told = node.init()
    assert len(told.app_hash) == 32
    assert told.app_hash != smt.EMPTY_ROOT
    assert not any(node.contents().values())
    assert (node.info().last_block_height, node.info().last_block_app_hash) == (0, b"")
    node.block(GOOD)
    with store.snapshot() as moment:
        assert find_genesis(moment) == tiny_genesis()


def test_init_chain_after_a_kill_gives_the_same_hash_again(store: Store) -> None:
    first = Node(store).init().app_hash
    again = Node(store)
    assert again.init().app_hash == first
    assert again.init().app_hash == first
    assert again.block(GOOD).app_hash == born(MemoryStore()).block(GOOD).app_hash


def test_init_chain_names_no_validators_and_the_version_of_the_rules() -> None:
    node = Node()
    told = node.init()
    assert not told.validators, "the engine keeps those of its genesis"
    assert told.consensus_params.version.app == 1
    assert [field.name for field, _ in told.consensus_params.ListFields()] == ["version"], "the rest stays as it is"


@pytest.mark.parametrize(
    ("difference", "says"),
    [
        ({"chain_id": "other-1"}, "chain is other-1"),
        ({"initial_height": 5}, "begins at height 5"),
        ({"validators": [(bytes(32), 10)]}, "other validators"),
        ({"app_state": b"{}"}, "no text"),
        ({"app_state": b""}, "no text"),
        ({"app_state": b'{"genesis": 7}'}, "no text"),
        ({"app_state": b"\xff\xfe"}, "no text"),
    ],
)
def test_another_genesis_than_the_engines_is_refused(difference: dict[str, Any], says: str) -> None:
    with pytest.raises(GenesisDiffersError) as refused:
        Node().init(**difference)
    assert says in str(refused.value)


def test_a_genesis_document_that_is_none_is_refused() -> None:
    with pytest.raises(GenesisError):
        Node().init(app_state=b'{"genesis": "nonsense"}')


def test_a_genesis_document_keeps_its_bytes_within_the_engines() -> None:
    """The engine writes its own JSON anew: a text within it stays as it is, an object would not."""
    document = '{ "name": "Zürich \\u0000 \\ud83d\\ude00",\n\t"n": 1.0 }'.encode()
    assert read_app_state(json.encode(write_app_state(document))) == document
    assert json.decode(json.encode(write_app_state(document)), type=dict[str, str])["genesis"].encode() == document


# --- B-1 -------------------------------------------------------------------------------------------------------------


def test_b1_finalize_block_computes_and_persists_nothing(store: Store) -> None:
    node = born(store)
    node.block(GOOD)
    before, info = node.contents(), node.info()
    told = node.finalize([signed("operator", post("y"), nonce=1)])
    assert told.app_hash != info.last_block_app_hash
    assert node.contents() == before
    assert node.info() == info


def test_b1_commit_persists_state_results_events_and_the_block_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = born(store)
    told = node.finalize([GOOD])
    writes: list[set[Table]] = []
    write = store.write

    def seen(changes: Changes) -> None:
        writes.append({table for table, changed in changes.items() if changed})
        write(changes)

    monkeypatch.setattr(store, "write", seen)
    node.commit()
    assert len(writes) == 1, "one transaction of the store"
    assert {Table.STATE, Table.TREE, Table.META, Table.BLOCKS, Table.RESULTS, Table.EVENTS} <= writes[0]
    assert (node.info().last_block_height, node.info().last_block_app_hash) == (1, told.app_hash)
    with store.snapshot() as moment:
        kept = find_block(moment, 1)
    assert kept is not None
    assert kept.block.transactions == (GOOD,)
    assert node.service.application.find_transaction(transaction_hash(GOOD)) is not None


def test_b1_a_kill_between_finalize_and_commit_leaves_the_last_block_and_replays_to_the_same_hash(
    store: Store,
) -> None:
    node = born(store)
    first = node.block(GOOD).app_hash
    second = [signed("operator", post("y"), nonce=1)]
    lost = node.finalize(second).app_hash
    again = Node(store)  # the process was killed here
    assert (again.info().last_block_height, again.info().last_block_app_hash) == (1, first)
    assert again.finalize(second).app_hash == lost
    again.commit()
    assert again.info().last_block_app_hash == lost


def test_b1_a_block_that_is_finalized_again_counts_once(store: Store) -> None:
    """The engine may ask twice, with another block even where the first was not decided after all."""
    node = born(store)
    node.finalize([GOOD])
    other = signed("operator", post("other"))
    told = node.finalize([other])
    node.commit()
    assert node.info().last_block_app_hash == told.app_hash == born().block(other).app_hash


def test_b1_commit_without_a_block_is_a_failure() -> None:
    node = born()
    with pytest.raises(NothingStagedError):
        node.commit()
    node.block()
    with pytest.raises(NothingStagedError):
        node.commit()


def test_an_empty_block_does_not_change_the_hash() -> None:
    node = born()
    first = node.block(GOOD).app_hash
    assert node.block(time_s=FIRST_S + 60).app_hash == first


# --- B-2 -------------------------------------------------------------------------------------------------------------


def time_of(node: Node) -> int:
    return node.service.application.info().time_s


def test_b2_a_blocks_time_never_goes_back_nor_before_the_genesis() -> None:
    node = born()
    node.block(time_s=GENESIS_TIME_S - 1_000)
    assert time_of(node) == GENESIS_TIME_S
    node.block(time_s=FIRST_S)
    assert node.judge([], time_s=FIRST_S - 5) == ACCEPT
    node.block(time_s=FIRST_S - 5)
    assert time_of(node) == FIRST_S
    node.block(time_s=-5)
    assert time_of(node) == FIRST_S


def test_b2_what_has_expired_by_the_last_blocks_time_stays_out_though_the_next_ones_is_earlier() -> None:
    node = born()
    node.block(time_s=FIRST_S)
    late = signed(until_s=FIRST_S - 1)
    assert node.propose([late], time_s=FIRST_S - 100) == []
    assert node.judge([late], time_s=FIRST_S - 100) == REJECT


# --- B-3 -------------------------------------------------------------------------------------------------------------


def test_b3_a_block_is_accepted_only_if_every_transaction_may_stand_at_its_place() -> None:
    node = born()
    first, second = signed(), signed("operator", post("y"), nonce=1)
    assert node.judge([]) == ACCEPT
    assert node.judge([first, second]) == ACCEPT
    for wrong in ([second], [second, first], [first, first], [MALFORMED], [first, MALFORMED, second], [b""]):
        assert node.judge(wrong) == REJECT, wrong


def test_b3_a_transaction_that_fails_in_execution_may_stand() -> None:
    node = born()
    refused = signed("household-1", post())  # only the operator may post
    assert node.judge([refused]) == ACCEPT
    told = node.block(refused)
    assert told.tx_results[0].code > 0


def test_b3_a_message_that_no_state_makes_right_may_not() -> None:
    node = born()
    empty = signed("operator", post(""))
    assert node.judge([empty]) == REJECT
    assert node.propose([empty]) == []
    assert node.check(empty, again=True).code == TextLength.code


@pytest.mark.parametrize("height", [2, 5])
def test_b3_a_block_out_of_place_is_refused_and_does_not_end_the_node(height: int) -> None:
    node = born()
    assert node.judge([], height=height) == REJECT
    assert node.judge([]) == ACCEPT


def test_b3_the_proposer_of_a_refused_block_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    node = of_four()
    address = address_of(consensus.key(consensus.AGGREGATORS[1]))
    with caplog.at_level("WARNING", logger="gridproof"):
        assert node.judge([MALFORMED], proposer=address, time_s=consensus.START_S) == REJECT
    assert f"participant={consensus.IDS[consensus.AGGREGATORS[1]]}" in caplog.text
    assert address.hex() in caplog.text
    assert "no transaction" not in caplog.text, "a transaction's bytes are in no log"


def test_b3_a_decided_block_out_of_place_is_a_failure() -> None:
    node = born()
    with pytest.raises(WrongBlockError):
        node.finalize([], height=3)


# --- blocks as ABCI 2.0 wants them -----------------------------------------------------------------------------------


def test_each_transaction_has_one_result_in_order_whatever_it_is() -> None:
    """A decided block is computed even where this node would not have accepted it: the others did."""
    node = born()
    raws = [GOOD, MALFORMED, signed("household-1", post()), signed(nonce=5), GOOD]
    told = node.block(*raws)
    assert len(told.tx_results) == len(raws)
    assert [bool(each.code) for each in told.tx_results] == [False, True, True, True, True]
    assert all(each.log for each in told.tx_results if each.code)
    assert not any(each.data for each in told.tx_results), "what nodes must agree on is the number"


def test_the_same_block_gives_the_same_results_and_hash_on_every_node() -> None:
    raws = [GOOD, MALFORMED, signed("household-1", post())]
    told = [born().block(*raws) for _ in range(2)]
    assert told[0].SerializeToString(deterministic=True) == told[1].SerializeToString(deterministic=True)


def test_votes_are_not_extended_and_such_extensions_accepted() -> None:
    node = born()
    assert node.ask(extend_vote=abci.RequestExtendVote()).vote_extension == b""
    status = node.ask(verify_vote_extension=abci.RequestVerifyVoteExtension()).status
    assert status == abci.ResponseVerifyVoteExtension.VerifyStatus.ACCEPT


def of_four(version: int = 1, store: Store | None = None, *, newborn: bool = True) -> Node:
    """A node of a network with four validators."""
    node = Node(store, lambda store, verifier: consensus.application(store, verifier, version=version))
    if newborn:
        powers = consensus.FIRST_FOUR
        validators = [(consensus.key(name), power) for name, power in powers.items()]
        node.init(consensus.genesis(consensus.section(powers)), consensus.CHAIN_ID, validators)
    return node


def supported(node: Node, change: Any, *names: str) -> list[abci.ResponseFinalizeBlock]:
    """Blocks in which validators support a change, one after the other."""
    return [node.block(said(node, name, SupportChange(0, change)), time_s=consensus.START_S) for name in names]


def said(node: Node, name: str, *messages: Message) -> bytes:
    with node.service.application.reading() as view:
        nonce = system.next_nonce(view, consensus.IDS[name])
    return sign_transaction(
        consensus.signer(name), chain_id=consensus.CHAIN_ID, sender=ParticipantId(consensus.IDS[name]), nonce=nonce,
        valid_until_s=consensus.START_S + 3_600, messages=messages,
    )  # fmt: skip


def test_the_engines_genesis_must_have_the_ledgers_validators() -> None:
    node = of_four(newborn=False)
    powers = dict.fromkeys(consensus.AGGREGATORS[:4], 11)
    with pytest.raises(GenesisDiffersError):
        node.init(
            consensus.genesis(consensus.section(consensus.FIRST_FOUR)),
            consensus.CHAIN_ID,
            [(consensus.key(name), power) for name, power in powers.items()],
        )


def test_validator_updates_are_ed25519_keys_with_powers_and_power_0_removes() -> None:
    node = of_four()
    one, two, three, four = consensus.AGGREGATORS[:4]
    *before, last = supported(node, RemoveValidator(consensus.IDS[four]), one, two, three)
    assert not any(each.validator_updates for each in before)
    assert [(each.pub_key.ed25519, each.power) for each in last.validator_updates] == [(consensus.key(four), 0)]
    new = consensus.setting(consensus.AGGREGATORS[4], 7)
    told = [node.block(said(node, name, SupportChange(1, new)), time_s=consensus.START_S) for name in (one, two, three)]
    assert [
        (each.pub_key.WhichOneof("sum"), each.pub_key.ed25519, each.power) for each in told[-1].validator_updates
    ] == [("ed25519", new.key, 7)]


def test_misbehaviour_reaches_the_ledger_and_is_kept_with_the_block() -> None:
    node = of_four()
    name = consensus.AGGREGATORS[2]
    told = consensus.offence(name)
    reported = abci.Misbehavior(
        type=told.kind, validator=abci.Validator(address=told.address, power=10), height=1, total_voting_power=40
    )
    reported.time.seconds = consensus.START_S
    node.block(time_s=consensus.START_S)
    result = node.block(misbehaviour=[reported], time_s=consensus.START_S)
    assert [(each.pub_key.ed25519, each.power) for each in result.validator_updates] == [(consensus.key(name), 0)]
    with node.store.snapshot() as moment:
        kept = find_block(moment, 2)
    assert kept is not None
    assert [each.address for each in kept.block.misbehaviour] == [told.address]


def test_an_upgrade_tells_the_new_version_once_and_an_older_program_stops_before_it() -> None:
    store = MemoryStore()
    old = of_four(store=store)
    height = UPGRADE_NOTICE + 4
    supported(old, ScheduleUpgrade(2, height), *consensus.AGGREGATORS[:3])
    while (head := old.info()).last_block_height < height - 1:
        old.block(time_s=consensus.START_S)
    for asked in (lambda: old.propose([]), lambda: old.judge([]), lambda: old.finalize([])):
        with pytest.raises(UpgradeNeededError):
            asked()
    assert old.info() == head, "nothing was changed"

    new = of_four(2, store, newborn=False)
    assert (new.info().last_block_height, new.info().app_version) == (height - 1, 1)
    told = new.block(time_s=consensus.START_S)
    assert told.consensus_param_updates.version.app == 2
    assert new.info().app_version == 2
    assert not new.block(time_s=consensus.START_S).HasField("consensus_param_updates"), "told once"


def test_a_blocks_proposer_is_told_by_the_participants_number() -> None:
    node = of_four()
    name = consensus.AGGREGATORS[3]
    node.block(proposer=address_of(consensus.key(name)), time_s=consensus.START_S)
    with node.store.snapshot() as moment:
        kept = find_block(moment, 1)
    assert kept is not None
    assert kept.block.proposer == consensus.IDS[name]


# --- B-5 and whatever is asked ---------------------------------------------------------------------------------------


def test_b5_an_unknown_request_is_a_failure() -> None:
    with pytest.raises(WireError):
        next(born().service.answer_all((abci.Request(),)))


def test_b5_a_failure_comes_out_as_it_is() -> None:
    node = born()

    def fail(*_: object) -> None:
        raise MemoryError

    node.service.application.check_all = fail  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        node.check(GOOD)


def test_each_step_of_a_block_is_told_before_and_after() -> None:
    steps: list[str] = []
    node = Node(options=DEFAULTS._replace(reached=steps.append))
    node.init()
    node.check(GOOD)
    node.propose([GOOD])
    node.judge([GOOD])
    node.block(GOOD)
    node.query("/none")
    kinds = ["init_chain", "check_tx", "prepare_proposal", "process_proposal", "finalize_block", "commit"]
    assert [each for each in steps if "info" not in each] == [
        f"{at} {kind}" for kind in kinds for at in ("before", "after")
    ]
    assert set(kinds) == {*STEPS, "check_tx"}


def test_an_echo_is_answered() -> None:
    node = Node()
    assert node.ask(echo=abci.RequestEcho(message="hör")).message == "hör"


# --- asking ----------------------------------------------------------------------------------------------------------


def test_a_record_is_read_by_its_key_with_a_proof_against_the_last_hash(store: Store) -> None:
    node = born(store)
    node.block(GOOD)
    key = NOTICES.key(1, 1)
    told = node.query(KEY_PATH, key, prove=True)
    assert (told.code, told.key, told.height) == (0, key, 1)
    (operation,) = told.proof_ops.ops
    assert (operation.type, operation.key) == (PROOF_TYPE, key)
    assert told.value
    assert operation.data
    assert not node.query(KEY_PATH, key).proof_ops.ops
    absent = node.query(KEY_PATH, NOTICES.key(1, 9), prove=True)
    assert (absent.code, absent.value) == (0, b"")
    assert absent.proof_ops.ops[0].data


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"x" * 1_000])
def test_a_key_that_no_store_takes_is_refused_and_does_not_end_the_node(store: Store, key: bytes) -> None:
    node = born(store)
    node.block()
    for prove in (False, True):
        told = node.query(KEY_PATH, key, prove=prove)
        assert told.code == UNANSWERED
        assert "1 to 255" in told.log


def test_only_the_last_height_is_answered() -> None:
    node = born()
    node.block(GOOD)
    node.block()
    for height in (0, 2):
        assert node.query(KEY_PATH, NOTICES.key(1, 1), height=height).code == 0
    for height in (1, 3, -1):
        told = node.query(KEY_PATH, NOTICES.key(1, 1), height=height)
        assert (told.code, told.height, told.value) == (UNANSWERED, 2, b"")
        assert "height 2" in told.log


def test_an_unknown_path_and_what_is_no_request_are_refused() -> None:
    node = born()
    assert node.query("/nothing").code
    assert str(UnknownQueryError(path="/nothing")) in node.query("/nothing").log
    for raw in (b"", b"\xc1", b"\x91\x07" * 9):
        assert node.query("/gridproof/1", raw).code == UNANSWERED


def test_a_path_that_is_no_text_is_refused_as_an_unknown_one() -> None:
    """The engine hands on whatever bytes somebody asks it with; a request that cannot be read would end the node."""
    node = born()
    for path in (b"\xff", b"\xed\xa0\x80", b"/key\xfe", b"\x00" * 100_000):
        asked = abci.Request(query=abci.RequestQuery(path=path)).SerializeToString()
        told = next(node.service.answer_all((abci.Request.FromString(asked),))).query
        assert told.code == UNANSWERED
        assert str(UnknownQueryError(path=""))[:20] in told.log
        assert len(told.log) < 1_000


def test_the_wire_tells_status_entries_genesis_and_transactions() -> None:
    node = Node(options=DEFAULTS._replace(clock=lambda: FIRST_S + 500))
    node.init()
    node.block(GOOD)
    name = transaction_hash(GOOD)
    status = done(node, wire.AskStatus(), wire.Status)
    assert (status.chain_id, status.height, status.ledger_time_s) == ("tiny-1", 1, FIRST_S + 500)
    assert status.app_hash == node.info().last_block_app_hash
    assert done(node, wire.AskGenesis(), bytes) == tiny_genesis()
    assert done(node, wire.FindTransaction(name), Any)
    assert done(node, wire.Wait(name, 20_000), Any), "it stands in a block"
    assert done(node, wire.Wait(bytes(32), 20_000), Any) is None, "it does not, and nobody waited"
    assert done(node, wire.EventsSince(b"", 10, 0), Any)
    assert isinstance(node.wire(wire.AskEntry(1)), wire.Done)


def done(node: Node, request: wire.Request, kind: Any) -> Any:
    reply = node.wire(request)
    assert isinstance(reply, wire.Done), reply
    return decode(reply.value, kind)


def test_the_clock_of_an_operators_ledger_is_the_operators() -> None:
    node = Node(options=DEFAULTS._replace(clock=lambda: FIRST_S + 500))
    node.init(tiny_genesis("operator"))
    node.block()
    assert done(node, wire.AskStatus(), wire.Status).ledger_time_s == GENESIS_TIME_S


def test_a_clock_that_is_behind_does_not_tell_a_time_before_the_last_block() -> None:
    node = Node(options=DEFAULTS._replace(clock=lambda: 5))
    node.init()
    node.block(time_s=FIRST_S)
    assert done(node, wire.AskStatus(), wire.Status).ledger_time_s == FIRST_S


def test_the_wire_takes_no_transactions_and_answers_no_greeting() -> None:
    node = born()
    node.block()
    failed = node.wire(wire.Submit(GOOD))
    assert isinstance(failed, wire.Failed)
    assert "broadcast_tx_sync" in failed.text
    told = node.query("/gridproof/1", wire.REQUESTS.encode(wire.Hello(wire.PROTOCOL, wire.VERSION)))
    assert told.code == UNANSWERED
    assert isinstance(node.wire(wire.AskEntry(7)), wire.Failed)


def test_before_birth_all_questions_have_an_answer() -> None:
    node = Node()
    for request in (wire.AskStatus(), wire.AskEntry(1), wire.AskGenesis(), wire.FindTransaction(bytes(32))):
        assert isinstance(node.wire(request), wire.Done | wire.Failed)
    assert node.query(KEY_PATH, b"k").code == 0


def test_before_birth_a_transaction_is_refused_for_now(store: Store) -> None:
    """An engine serves its RPC while it takes a snapshot in: who hands something in there must not end the node."""
    told = Node(store).check(GOOD)
    assert told.code == NoLedgerYet.code
    assert isinstance(unpack_error(told.code, told.log, told.data), NoLedgerYet)


def test_a_fault_in_a_question_is_told_and_ends_nothing() -> None:
    node = born()
    node.block()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    node.service.application.query = fail  # type: ignore[assignment]
    failed = node.wire(wire.Query("people/x", b"", prove=False))
    assert isinstance(failed, wire.Failed)
    assert "ZeroDivision" not in failed.text


def test_a_refusal_carries_its_particulars() -> None:
    told = born().check(MALFORMED)
    assert told.code == MalformedTransaction.code
    assert isinstance(unpack_error(told.code, told.log, told.data), MalformedTransaction)


def test_a_snapshot_that_a_killed_node_was_taking_in_is_let_go_of() -> None:
    store = MemoryStore()
    store.write({Table.META: {RESTORING_KEY: b"\x01"}, Table.STATE: {b"half": b"a state"}})
    service = Service(store, lambda s, v: Node(s).service.application, SerialVerifier())
    assert service.application.info().height == 0
    with store.snapshot() as moment:
        assert not list(moment.scan(Table.STATE))
    service.close()
