"""Who votes: updates between two sets, addresses, and what a block brings with it besides its transactions."""

from hypothesis import given
from hypothesis import strategies as st

from gridproof.primitives.ed25519 import public_key
from gridproof.state import (
    Block,
    Misbehaviour,
    NoValidators,
    Overlay,
    SerialVerifier,
    SnapshotReader,
    Validator,
    address_of,
)
from gridproof.state.store import MemoryStore, Table
from gridproof.state.validators import updates_between

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis

sets = st.dictionaries(st.integers(0, 5), st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=6).map(
    lambda chosen: tuple(Validator(who, bytes([number]) * 32, power) for number, (who, power) in chosen.items())
)


@given(sets, sets)
def test_updates_make_one_set_into_the_other(before: tuple[Validator, ...], after: tuple[Validator, ...]) -> None:
    updates = updates_between(before, after)
    keys = [each.key for each in updates]
    assert keys == sorted(frozenset(keys)), "each key once, by key"
    powers = {each.key: each.power for each in before}
    for each in updates:
        assert each.power or each.key in powers, "only who is there can go"
        assert powers.get(each.key) != each.power, "no update says what is so already"
        powers[each.key] = each.power
    assert {key: power for key, power in powers.items() if power} == {each.key: each.power for each in after}


def test_an_address_is_the_engines() -> None:
    # CometBFT, docs: the address is the first 20 bytes of SHA-256 of the raw public key; here by other means.
    key = public_key(bytes(32))
    assert key.hex() == "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
    assert address_of(key).hex() == "139e3940e64b5491722088d9a0d741628fc826e0"


def test_a_ledger_with_nobody_to_ask_has_no_validators() -> None:
    book, store = NoValidators(), MemoryStore()
    with store.snapshot() as snapshot:
        view = Overlay(SnapshotReader(snapshot))
        assert (book.version_at_birth({}), book.version(view), book.upgrade(view)) == (None, None, None)
        assert (book.validators(view), book.participant_at(view, bytes(20))) == ((), 0)


def test_reports_to_a_ledger_without_validators_change_nothing() -> None:
    application = tiny(MemoryStore(), SerialVerifier())
    root = application.init_chain(tiny_genesis())
    report = Misbehaviour(1, bytes(20), 1, GENESIS_TIME_S, 10)
    result = application.finalize_block(Block(1, GENESIS_TIME_S, 0, (), (report,)))
    assert (result.app_hash, result.validator_updates, result.app_version) == (root, (), None)
    assert application.validators() == ()
    assert application.app_version == 1
    assert application.participant_at(bytes(20)) == 0


def test_a_driver_can_write_beside_the_state_in_one_go() -> None:
    store = MemoryStore()
    application = tiny(store, SerialVerifier())
    application.init_chain(tiny_genesis())
    application.finalize_block(Block(1, GENESIS_TIME_S, 0, ()))
    with store.snapshot() as snapshot:
        assert not list(snapshot.scan(Table.BLOCKS))
    application.commit({Table.BLOCKS: {b"one": b"block"}, Table.META: {b"mark": b"here"}})
    with store.snapshot() as snapshot:
        assert snapshot.get(Table.BLOCKS, b"one") == b"block"
        assert snapshot.get(Table.META, b"mark") == b"here"
        assert snapshot.get(Table.META, b"head") is not None, "what is beside hides nothing of the state"
