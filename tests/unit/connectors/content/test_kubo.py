"""The Kubo twin before servers that are silent, wrong or dishonest. A real node's tests are `test_content_kubo`."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from gridproof.connectors.content import (
    ContentAlteredError,
    ContentNotStoredError,
    ContentStoreUnreachableError,
    Damage,
    KuboContent,
)
from gridproof.connectors.content.rpc import MAX_ANSWER, Rpc
from gridproof.primitives.cid import CHUNK_SIZE, Link, cid_v1, dag_pb, format_cid
from gridproof.primitives.hashing import sha256

from .contract import HELLO, content_of
from .servers import VERSION, Answer, answering, failed, refusing, talking, told

GONE = "block was not found locally (offline): ipld: could not find it"
OTHERS = content_of(11, "another's")


def answers(**commands: Answer) -> Callable[[str, list[str]], Answer]:
    """A node that always answers a command alike; `/` is written `_`."""
    return lambda command, _: commands.get(command.replace("/", "_"), told(200, VERSION))


def holding(blocks: dict[str, bytes]) -> Callable[[str, list[str]], Answer]:
    """A node that has these blocks and believes them pinned."""

    def answer(command: str, arguments: list[str]) -> Answer:
        if command == "block/get":
            found = blocks.get(arguments[0])
            return failed(GONE) if found is None else (200, found)
        if command == "pin/ls":
            return told(200, {"Keys": {arguments[0]: {"Type": "recursive"}}})
        return told(200, VERSION)

    return answer


@contextmanager
def kubo(url: str, answer_s: float = 10) -> Iterator[KuboContent]:
    with closing(KuboContent(url, answer_s)) as store:
        yield store


def uses(store: KuboContent) -> list[Callable[[], Any]]:
    """All that may be asked of a store."""
    return [
        lambda: store.put(HELLO[0]),
        lambda: store.get(HELLO[1]),
        lambda: store.has(HELLO[1]),
        lambda: store.remove(HELLO[1]),
    ]


def refusals(url: str, answer_s: float = 10) -> list[str]:
    """Ask all of a store whose service is not there; the particulars of the one sentence that each gives."""
    details = []
    with kubo(url, answer_s) as store:
        for use in uses(store):
            with pytest.raises(ContentStoreUnreachableError, match=r"setting=content\.kubo_url") as refusal:
                use()
            assert (refusal.value.setting, refusal.value.place) == ("content.kubo_url", url)
            assert refusal.value.detail.isprintable()
            assert len(refusal.value.detail) <= 200
            details.append(refusal.value.detail)
    return details


# --- no service, or another ----------------------------------------------------------------------------------------


def test_an_address_where_nothing_listens_is_told() -> None:
    with refusing() as url:
        assert refusals(url) == ["Connection refused"] * 4


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhal"])
def test_a_service_that_hangs_is_given_up(words: bytes) -> None:
    with talking(words, then="be silent") as url:
        assert refusals(url, 0.2) == ["no answer within 0.2 s"] * 4


def test_a_service_that_trickles_is_given_up() -> None:
    with (
        talking(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", then="trickle") as url,
        kubo(url, 0.3) as store,
        pytest.raises(ContentStoreUnreachableError, match=r"within 0\.3 s"),
    ):
        store.get(HELLO[1])


def test_a_service_that_hangs_up_is_told() -> None:
    with talking(b"") as url:
        assert len(refusals(url)) == 4


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what answers there is no Kubo node"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno\x1b[2", "it refuses, with HTTP status 404: no [2"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://x.example/\r\nContent-Length: 0\r\n\r\n",
            "it refuses, with HTTP status 302:",
        ),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "it refuses, with HTTP status 403:"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 6\r\n\r\n<html>", "what answers there is no Kubo node"),
        (b'HTTP/1.1 500 Oops\r\nContent-Length: 7\r\n\r\n{"a":1}', "what answers there is no Kubo node"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "what answers there is no Kubo node"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]", "what answers there is no Kubo node"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "what answers there is no Kubo node"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "it hung up within its answer"),
    ],
)
def test_a_service_of_another_kind_is_told(words: bytes, detail: str) -> None:
    with talking(words) as url, kubo(url) as store:
        for use in uses(store)[:3]:
            with pytest.raises(ContentStoreUnreachableError) as refusal:
                use()
            assert refusal.value.setting == "content.kubo_url"
            assert refusal.value.detail == detail


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:5001",
        "ftp://127.0.0.1",
        "http://",
        "http://name:secret@127.0.0.1:5001",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:5001/?a=b",
        "http://127.0.0.1:5001\r\nX: y",
        "http://a..b",
        "http://[:::]",
    ],
)
def test_what_is_no_address_is_told_and_nothing_connected(url: str) -> None:
    with pytest.raises(ContentStoreUnreachableError, match=r"this is no address") as refusal:
        KuboContent(url)
    assert refusal.value.setting == "content.kubo_url"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:5001", "127.0.0.1", 5001),
        ("http://localhost", "localhost", None),
        ("https://kubo.example:443/ipfs/node/", "kubo.example", 443),
        ("http://[::1]:65535/", "::1", 65_535),
    ],
)
def test_addresses_are_taken_apart(url: str, host: str, port: int | None) -> None:
    links = Rpc(url)._links
    assert (links._host, links._port) == (host, port)
    link = links._connection()
    assert type(link).__name__ == ("HTTPSConnection" if url.startswith("https") else "HTTPConnection")


def test_a_path_before_the_commands_is_kept() -> None:
    asked: list[str] = []

    def answer(command: str, _: list[str]) -> Answer:
        asked.append(command)
        return told(200, VERSION)

    with answering(answer) as url, closing(Rpc(f"{url}/behind/")) as rpc:
        rpc.require_node()
    assert asked == ["/behind/api/v0/version"]


def test_a_connection_that_the_node_closed_is_made_anew() -> None:
    blocks = {HELLO[1]: HELLO[0]}
    with answering(holding(blocks)) as url, kubo(url) as store:
        assert store.get(HELLO[1]) == HELLO[0]
        (kept,) = store._rpc._links._links
        assert kept.sock is not None
        kept.sock.shutdown(2)
        assert store.get(HELLO[1]) == HELLO[0]
        assert store.has(HELLO[1])


# --- a dishonest node ----------------------------------------------------------------------------------------------


def test_c1_another_content_under_a_name_is_found_and_would_be_taken_without_the_check() -> None:
    with answering(holding({HELLO[1]: OTHERS})) as url, kubo(url) as store:
        with pytest.raises(ContentAlteredError) as refusal:
            store.get(HELLO[1])
        assert refusal.value.cid == HELLO[1]
        assert store.find_fault(HELLO[1]) is Damage.ALTERED
        assert store._rpc.fetch("block/get", HELLO[1], limit=100) == OTHERS  # what a reader without C-1 would believe


@pytest.mark.parametrize("other", [b"", HELLO[0][:-1], HELLO[0] + b"!", bytes(CHUNK_SIZE + 100)])
def test_c1_content_cut_short_or_grown_is_found(other: bytes) -> None:
    with answering(holding({HELLO[1]: other})) as url, kubo(url) as store, pytest.raises(ContentAlteredError):
        store.get(HELLO[1])


def test_another_name_for_what_was_put_is_refused() -> None:
    node = answers(add=told(200, {"Name": "content", "Hash": cid_v1(OTHERS), "Size": "11"}))
    with answering(node) as url, kubo(url) as store:
        with pytest.raises(ContentNotStoredError, match="names it") as refusal:
            store.put(HELLO[0])
        assert refusal.value.place == url
        assert cid_v1(OTHERS) in refusal.value.detail


def test_c2_a_node_that_says_it_stored_and_did_not_is_found() -> None:
    node = answers(add=told(200, {"Hash": HELLO[1]}), block_get=failed(GONE), block_rm=told(200, {"Hash": HELLO[1]}))
    with answering(node) as url, kubo(url) as store, pytest.raises(ContentNotStoredError):
        store.put(HELLO[0])


def test_a_node_whose_disk_is_full_is_told_in_its_words() -> None:
    node = answers(add=failed("write blocks: no space left on device"))
    with (
        answering(node) as url,
        kubo(url) as store,
        pytest.raises(ContentNotStoredError, match="no space left on device"),
    ):
        store.put(HELLO[0])


def test_a_node_that_cannot_read_or_delete_is_told_in_its_words() -> None:
    broken = failed("input/output error")
    with answering(answers(block_get=broken)) as url, kubo(url) as store:
        for use in uses(store)[1:3]:
            with pytest.raises(ContentStoreUnreachableError, match="input/output error"):
                use()
    with (
        answering(answers(pin_rm=broken)) as url,
        kubo(url) as store,
        pytest.raises(ContentStoreUnreachableError, match="input/output error"),
    ):
        store.remove(HELLO[1])
    stuck = answers(
        pin_rm=failed("not pinned or pinned indirectly"),
        block_get=(200, HELLO[0]),
        block_rm=told(200, {"Hash": HELLO[1], "Error": "input/output error"}),
    )
    with (
        answering(stuck) as url,
        kubo(url) as store,
        pytest.raises(ContentStoreUnreachableError, match="input/output error"),
    ):
        store.remove(HELLO[1])
    with (
        answering(answers(block_get=(200, HELLO[0]), pin_ls=broken)) as url,
        kubo(url) as store,
        pytest.raises(ContentStoreUnreachableError, match="input/output error"),
    ):
        store.has(HELLO[1])
    with (
        answering(answers(version=broken, block_get=(200, OTHERS))) as url,
        kubo(url) as store,
        pytest.raises(ContentStoreUnreachableError, match="input/output error"),
    ):
        store.get(HELLO[1])


def test_a_pin_of_another_content_does_not_count() -> None:
    node = answers(block_get=(200, HELLO[0]), pin_ls=told(200, {"Keys": {cid_v1(OTHERS): {}}}))
    with answering(node) as url, kubo(url) as store:
        assert store.find_fault(HELLO[1]) is Damage.UNPINNED


def node_of(links: list[bytes]) -> tuple[bytes, bytes]:
    """A dag-pb node over blocks: its binary CID and its bytes."""
    block = dag_pb([Link(link, "", 0) for link in links], b"\x08\x02")
    return b"\x01\x70\x12\x20" + sha256(block), block


def test_a_small_tree_that_unfolds_without_end_is_left_unread() -> None:
    leaf = b"\x01\x55\x12\x20" + sha256(b"")
    blocks, cid = {format_cid(leaf): b""}, leaf
    for _ in range(12):
        cid, block = node_of([cid] * 174)
        blocks[format_cid(cid)] = block
    asked = []

    def counting(command: str, arguments: list[str]) -> Answer:
        asked.append(command)
        return holding(blocks)(command, arguments)

    with answering(counting) as url, kubo(url) as store, pytest.raises(ContentAlteredError):
        store.get(format_cid(cid))
    assert len(asked) < 1_000


def test_content_that_grows_beyond_the_limit_is_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridproof.connectors.content.kubo.MAX_CONTENT", 1_000)
    chunk = content_of(400)
    leaf = b"\x01\x55\x12\x20" + sha256(chunk)
    cid, block = node_of([leaf] * 100)
    with (
        answering(holding({format_cid(cid): block, format_cid(leaf): chunk})) as url,
        kubo(url) as store,
        pytest.raises(ContentAlteredError),
    ):
        store.get(format_cid(cid))


def test_a_node_that_leads_nowhere_readable_is_no_content() -> None:
    block = b"\x12\x03abc"
    cid = format_cid(b"\x01\x70\x12\x20" + sha256(block))
    with answering(holding({cid: block})) as url, kubo(url) as store, pytest.raises(ContentAlteredError):
        store.get(cid)


def test_an_answer_without_end_is_cut_off() -> None:
    node = answers(version=(200, b" " * (MAX_ANSWER + 2)))
    with answering(node) as url, closing(Rpc(url)) as rpc, pytest.raises(ContentStoreUnreachableError):
        rpc.require_node()
