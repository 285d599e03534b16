"""The genesis document: what is missing, unknown or wrong is named by its place, and makes no ledger."""

import json

import pytest

from gridproof.state import SerialVerifier, smt, system
from gridproof.state.errors import GenesisError
from gridproof.state.genesis import MAX_GENESIS_BYTES, genesis_hash, parse_genesis
from gridproof.state.store import MemoryStore, Table

from tests.tiny.app import GENESIS_TIME_S, tiny, tiny_genesis
from tests.tiny.people.types import MEMBERS


def document(**changes: object) -> bytes:
    fields = json.loads(tiny_genesis()) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def test_a_document_is_read_whole() -> None:
    genesis = parse_genesis(tiny_genesis())
    assert (genesis.chain_id, genesis.genesis_time_s, genesis.clock) == ("tiny-1", GENESIS_TIME_S, "block")
    assert (genesis.zone, genesis.currency, list(genesis.modules)) == ("Europe/Zurich", "CHF", ["people"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"chain_id": ...}, "chain_id"),
        ({"chain_id": ""}, "chain_id"),
        ({"chain_id": "a b"}, "chain_id"),
        ({"chain_id": "x" * 65}, "chain_id"),
        ({"genesis_time_s": -1}, "genesis_time_s"),
        ({"genesis_time_s": 2**41}, "genesis_time_s"),
        ({"genesis_time_s": "1"}, "genesis_time_s"),
        ({"genesis_time_s": 1.5}, "genesis_time_s"),
        ({"clock": "wall"}, "clock"),
        ({"currency": "chf"}, "currency"),
        ({"zone": ""}, "zone"),
        ({"modules": []}, "modules"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(GenesisError) as refused:
        parse_genesis(document(**changes))
    assert named in refused.value.detail


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"chain_id": "\xff"}'])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(GenesisError):
        parse_genesis(raw)


def test_a_document_over_the_limit_is_refused() -> None:
    with pytest.raises(GenesisError):
        parse_genesis(bytes(MAX_GENESIS_BYTES + 1))


@pytest.mark.parametrize(
    ("modules", "named"),
    [
        ({}, "modules.people: the section is missing"),
        ({"people": [], "markets": {}}, "modules.markets: there is no such module"),
        ({"people": [], "notices": {}}, "modules.notices: this module takes no section"),
        ({"people": [{"id": 1}]}, "modules.people"),
        ({"people": [{"id": 1, "key": "zz"}]}, "modules.people"),
    ],
)
def test_a_section_that_fits_no_module_is_named_and_nothing_is_laid(modules: object, named: str) -> None:
    store = MemoryStore()
    application = tiny(store, SerialVerifier())
    with pytest.raises(GenesisError) as refused:
        application.init_chain(document(modules=modules))
    assert named in refused.value.detail
    assert application.info().height == 0
    with store.snapshot() as snapshot:
        assert not any(list(snapshot.scan(table)) for table in Table)


def test_the_genesis_is_laid_and_its_root_names_it() -> None:
    application = tiny(MemoryStore(), SerialVerifier())
    root = application.init_chain(tiny_genesis())
    assert application.info().app_hash == root != smt.EMPTY_ROOT
    with application.reading() as view:
        chain = system.chain(view)
        assert (chain.chain_id, chain.genesis_hash, chain.operator_clock) == (
            "tiny-1",
            genesis_hash(tiny_genesis()),
            False,
        )
        assert system.operator_clock_s(view) is None
        assert MEMBERS.get(view, 1).is_operator
    other = tiny(MemoryStore(), SerialVerifier())
    assert other.init_chain(tiny_genesis("operator")) != root
    with other.reading() as view:
        assert system.operator_clock_s(view) == GENESIS_TIME_S


def test_genesis_is_the_same_wherever_it_is_laid() -> None:
    roots = [tiny(MemoryStore(), SerialVerifier()).init_chain(tiny_genesis()) for _ in range(2)]
    assert roots[0] == roots[1]
