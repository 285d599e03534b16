"""Queries: asked by their function, answered from one committed state, with a proof where one is wanted."""

from collections.abc import Callable
from typing import Any

import pytest

from gridproof.primitives.encoding import Codec, decode, encode
from gridproof.primitives.errors import InvalidProofError
from gridproof.state import Answer, smt, system
from gridproof.state.errors import QueryArgumentError, UnknownQueryError
from gridproof.state.queries import question

from tests.ledger import Ledger, tiny_ledger
from tests.tiny.notices import queries
from tests.tiny.notices.messages import PostNotice
from tests.tiny.notices.types import NOTICES, Notice

PROOF: Codec[smt.Proof] = Codec(smt.Proof)  # type: ignore[arg-type]


@pytest.fixture
def ledger() -> Ledger:
    made = tiny_ledger()
    made.accepts("operator", PostNotice(1, "first", made.now_s + 60))
    return made


def ask(ledger: Ledger, function: Callable[..., Any], *arguments: Any) -> Any:
    asked = question(function)
    answer = ledger.node.query(asked.path, asked.arguments.encode(arguments))
    return asked.result.decode(answer.value)


def test_a_query_is_named_by_its_module_and_function() -> None:
    assert question(queries.notice).path == "notices/notice"
    assert question(system.next_nonce).path == "state/next_nonce"


def test_a_query_gives_typed_results(ledger: Ledger) -> None:
    assert ask(ledger, queries.notice, 1, 1) == Notice("first", ledger.now_s, ledger.now_s + 60)
    assert ask(ledger, queries.notice, 1, 2) is None
    assert ask(ledger, queries.running, 1, ledger.now_s) == (1,)
    assert ask(ledger, system.next_nonce, 1) == 1
    assert ask(ledger, system.chain).chain_id == "tiny-1"


def test_an_answer_names_the_state_it_was_read_from(ledger: Ledger) -> None:
    answer = ledger.node.query("state/next_nonce", encode([1]))
    assert (answer.height, answer.app_hash) == (1, ledger.node.head.app_hash)


def test_an_unknown_query_is_refused(ledger: Ledger) -> None:
    for path in ("", "notices", "notices/secret", "notices/notice/", "key "):
        with pytest.raises(UnknownQueryError) as refused:
            ledger.node.query(path)
        assert refused.value.path == path


WRONG_ARGUMENTS = [b"", b"\xc1", encode([1]), encode([1, 2, 3]), encode(["1", 2]), encode([1, None])]


@pytest.mark.parametrize("arguments", WRONG_ARGUMENTS)
def test_wrong_arguments_are_refused(ledger: Ledger, arguments: bytes) -> None:
    with pytest.raises(QueryArgumentError) as refused:
        ledger.node.query("notices/notice", arguments)
    assert refused.value.path == "notices/notice"


@pytest.mark.parametrize("number", [-1, 2**32, 2**63])
def test_a_number_that_fits_no_key_is_refused(ledger: Ledger, number: int) -> None:
    with pytest.raises(QueryArgumentError):
        ledger.node.query("notices/notice", encode([1, number]))


def proven(ledger: Ledger, key: bytes) -> Answer:
    return ledger.node.query("key", key, prove=True)


def test_presence_and_absence_are_proven_against_the_app_hash(ledger: Ledger) -> None:
    there, gone = NOTICES.key(1, 1), NOTICES.key(1, 2)
    answer = proven(ledger, there)
    smt.verify_presence(ledger.node.head.app_hash, there, answer.value, PROOF.decode(answer.proof))
    assert NOTICES.decode(answer.value).text == "first"
    absent = proven(ledger, gone)
    assert absent.value == b""
    smt.verify_absence(ledger.node.head.app_hash, gone, PROOF.decode(absent.proof))
    with pytest.raises(InvalidProofError):
        smt.verify_absence(ledger.node.head.app_hash, there, PROOF.decode(absent.proof))


def test_a_key_without_proof_is_only_read(ledger: Ledger) -> None:
    answer = ledger.node.query("key", NOTICES.key(1, 1))
    assert answer.proof == b""
    assert decode(answer.value, Notice).text == "first"


@pytest.mark.parametrize("size", [0, 256])
def test_a_key_that_no_table_can_have_is_refused(ledger: Ledger, size: int) -> None:
    with pytest.raises(QueryArgumentError):
        ledger.node.query("key", bytes(size))


def test_the_genesis_is_read_before_the_first_block() -> None:
    ledger = tiny_ledger()
    assert ask(ledger, system.next_nonce, 1) == 0
    key = system.CHAIN.key()
    answer = proven(ledger, key)
    assert answer.height == 0
    smt.verify_presence(ledger.node.head.app_hash, key, answer.value, PROOF.decode(answer.proof))
