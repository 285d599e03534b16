"""The engine's answers are read as they stand, and what they should not be is refused."""

from contextlib import closing
from typing import Any

import pytest

from gridproof.connectors.engine_headers import (
    AnyNode,
    EngineAnswerError,
    EngineRefusedError,
    EngineRpc,
    EngineUnreachableError,
    read_block,
    read_height,
)
from gridproof.light import NO_TIME, Flag, Time, in_order

from tests.engine_server import EngineServer
from tests.light_chain import Network, Told, changed, read, recorded, tell

HEADER = ("signed_header", "header")
COMMIT = ("signed_header", "commit")
VOTE = (*COMMIT, "signatures", 0)
NOBODY = "http://127.251.251.1:9"  # nobody is ever given this address


def told() -> Told:
    return recorded()[3]


def test_a_told_block_is_read_as_it_is_told_again() -> None:
    block = Network().light_block(4)
    assert read(tell(block)) == block


def test_a_recorded_block_is_read_with_its_absent_vote_and_nanoseconds() -> None:
    block = read(told())
    assert block.commit.votes[0].flag == Flag.ABSENT
    assert block.commit.votes[0].time == NO_TIME
    assert block.header.time.nanos > 0
    assert block.validators == in_order(block.validators)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", Time(0, 0)),
        ("2024-02-29T23:59:59.5Z", Time(1_709_251_199, 500_000_000)),
        ("2000-02-29T00:00:00.000000001Z", Time(951_782_400, 1)),
        ("0001-01-01T00:00:00Z", NO_TIME),
        ("9999-12-31T23:59:59.999999999Z", Time(253_402_300_799, 999_999_999)),
    ],
)
def test_an_instant_is_read_to_the_nanosecond(text: str, time: Time) -> None:
    assert read(changed(told(), (*HEADER, "time"), text)).header.time == time


@pytest.mark.parametrize(
    "text",
    [
        "", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "0000-01-01T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00+01:00",
        "2024-01-01T00:00:00.1234567890Z", "2024-13-01T00:00:00Z", "2024-04-31T00:00:00Z", 5, None,
    ],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: Any) -> None:
    with pytest.raises(EngineAnswerError):
        read(changed(told(), (*HEADER, "time"), text))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*HEADER, "height"), 3),
        ((*HEADER, "height"), "03"),
        ((*HEADER, "height"), "0"),
        ((*HEADER, "height"), "9223372036854775808"),
        ((*HEADER, "height"), "99999999999999999999999"),
        ((*HEADER, "chain_id"), "x" * 51),
        ((*HEADER, "chain_id"), None),
        ((*HEADER, "app_hash"), "zz"),
        ((*HEADER, "app_hash"), "00 00"),
        ((*HEADER, "data_hash"), "00" * 33),
        ((*HEADER, "version"), []),
        ((*COMMIT, "round"), "0"),
        ((*COMMIT, "round"), -1),
        ((*COMMIT, "round"), True),
        ((*COMMIT, "signatures"), {}),
        ((*COMMIT, "block_id", "parts", "total"), 2**32),
        ((*VOTE, "block_id_flag"), "2"),
        ((*VOTE, "signature"), "===="),
        ((*VOTE, "signature"), 5),
        (("validators", 0, "voting_power"), "-1"),
        (("validators", 0, "voting_power"), str(2**62)),
        (("validators", 0, "pub_key", "type"), "tendermint/PubKeySecp256k1"),
        (("validators", 0, "pub_key", "value"), "AA=="),
        (("validators", 0, "address"), "00" * 20),
        (("validators",), {}),
        (("signed_header",), []),
        (("signed_header", "header"), None),
    ],
)
def test_what_is_not_of_its_form_is_refused(path: tuple[str | int, ...], value: Any) -> None:
    with pytest.raises(EngineAnswerError):
        read(changed(told(), path, value))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(EngineAnswerError) as refused:
        read_block({}, [])
    assert refused.value.what == "header"
    with pytest.raises(EngineAnswerError):
        read_height({"sync_info": {}})


# --- over HTTP


def test_a_node_is_asked_for_its_height_and_its_blocks() -> None:
    network = Network()
    with EngineServer(network) as server, closing(EngineRpc(server.url + "/")) as node:
        assert node.latest_height() == 10
        assert node.light_block(7) == network.light_block(7)


def test_validators_are_asked_for_page_by_page() -> None:
    network = Network(rotation={1: {number: 1 + number % 7 for number in range(1, 231)}})
    with EngineServer(network) as server, closing(EngineRpc(server.url)) as node:
        assert len(node.light_block(2).validators) == 230


def test_what_a_node_refuses_is_told() -> None:
    with (
        EngineServer(Network()) as server,
        closing(EngineRpc(server.url)) as node,
        pytest.raises(EngineRefusedError) as refused,
    ):
        node.light_block(99)
    assert refused.value.detail.startswith("height 99 must be less"), "the engine's words, not how they were sent"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            {"code": -32603, "message": "Internal error", "data": "height 9 is not available"},
            "height 9 is not available",
        ),
        ({"code": -32601, "message": "Method not found"}, "Method not found"),
        ({}, "it gives no reason"),
        ("no", "no"),
    ],
)
def test_a_refusal_is_told_in_the_engines_own_words(error: object, words: str) -> None:
    with (
        EngineServer(Network(), lambda _method, _told: {"error": error}) as server,
        closing(EngineRpc(server.url)) as node,
        pytest.raises(EngineRefusedError) as refused,
    ):
        node.latest_height()
    assert refused.value.detail == words


@pytest.mark.parametrize("answer", [b"", b"no json", b"[]", b"{}", b"[" * 100_000, b" " * (2**24 + 1)])
def test_an_answer_that_is_none_is_refused(answer: bytes) -> None:
    with (
        EngineServer(Network(), lambda _method, _told: answer) as server,
        closing(EngineRpc(server.url)) as node,
        pytest.raises(EngineAnswerError),
    ):
        node.latest_height()


def test_a_node_that_gives_no_more_validators_is_not_asked_for_ever() -> None:
    def none(method: str, given: Any) -> Any:
        return {"result": {"validators": [], "total": "5"}} if method == "validators" else given

    with (
        EngineServer(Network(), none) as server,
        closing(EngineRpc(server.url)) as node,
        pytest.raises(EngineAnswerError),
    ):
        node.light_block(2)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:1", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "http://[::1"]
)
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(EngineUnreachableError) as unreachable:
        EngineRpc(url).latest_height()
    assert unreachable.value.url == url


def test_nobody_at_home_is_said() -> None:
    with pytest.raises(EngineUnreachableError):
        EngineRpc(NOBODY).latest_height()


def test_whichever_node_answers_is_asked_and_first_from_then_on() -> None:
    away = EngineRpc(NOBODY)
    with EngineServer(Network()) as server, closing(EngineRpc(server.url)) as there:
        nodes = AnyNode((away, there))
        assert nodes.latest_height() == 10
        assert nodes.light_block(3).header.height == 3
        with pytest.raises(EngineUnreachableError):
            AnyNode((away, away)).latest_height()
