"""Names of files, against those that IPFS gives."""

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from gridproof.primitives import cid
from gridproof.primitives.errors import InvalidArgumentError, MalformedEncodingError, NonCanonicalEncodingError

from tests.shared import vectors

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HELLO = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
UNIXFS_DIRECTORY = b"\x08\x01"


def base58(raw: bytes) -> str:
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text


def from_base58(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + BASE58.index(letter)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def from_base32(text: str) -> bytes:
    from base64 import b32decode

    return b32decode(text[1:].upper() + "=" * (-(len(text) - 1) % 8))


def written(raw: bytes) -> str:
    return base58(raw) if raw.startswith(b"\x12\x20") else cid.format_cid(raw)


def block_name(block: bytes, version: int) -> bytes:
    multihash = b"\x12\x20" + hashlib.sha256(block).digest()
    return multihash if version == 0 else b"\x01\x70" + multihash


def keystream(seed: str, size: int) -> Iterator[bytes]:
    key = hashlib.sha256(seed.encode()).digest()
    cipher = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor()
    zeros = bytes(1 << 20)
    while size:
        count = min(size, len(zeros))
        yield cipher.update(zeros[:count])
        size -= count


def tree(content: Any, layout: cid.Layout) -> tuple[bytes, int]:
    """Name a file or a folder of files; ours names files only, so the folder's node is laid here."""
    if isinstance(content, str):
        raw = content.encode()
        wrapped = len(cid.dag_pb((), b"\x08\x02\x12" + bytes((len(raw),)) + raw + b"\x18" + bytes((len(raw),))))
        return cid.file_cid(raw, layout), len(raw) if layout.raw_leaves else wrapped
    links = [
        cid.Link(found, name, size) for name, (found, size) in sorted((n, tree(c, layout)) for n, c in content.items())
    ]
    block = cid.dag_pb(links, UNIXFS_DIRECTORY)
    return block_name(block, layout.version), len(block) + sum(link.size or 0 for link in links)


def test_small_files_and_folders_have_the_names_that_kubo_gives() -> None:
    document = json.loads(vectors("cid/unixfs-small.json").read_text())
    seen = 0
    for case in document["cases"]:
        options = document["options"][case["options"]]
        if options["hash"] != "sha2-256":
            continue
        layout = cid.Layout(document["chunk_size"], 174, options["raw_leaves"], options["cid_version"])
        assert written(tree(case["content"], layout)[0]) == case["cid"], case
        seen += 1
    assert seen == 25


def test_large_files_have_the_names_of_both_profiles() -> None:
    document = json.loads(vectors("cid/unixfs-profiles.json").read_text())
    assert len(document["files"]) == 10
    for case in document["files"]:
        profile = document["profiles"][case["profile"]]
        layout = cid.Layout(
            profile["chunk_size"], profile["file_max_links"], profile["raw_leaves"], profile["cid_version"]
        )
        content = [case["text"].encode()] if "text" in case else keystream(case["seed"], case["size"])
        assert written(cid.file_cid(content, layout)) == case["cid"], case


def test_flat_folders_of_the_profiles() -> None:
    document = json.loads(vectors("cid/unixfs-profiles.json").read_text())
    alphabet = document["alphabet"]
    for case in document["directories"]:
        if case["kind"] != "basic":
            continue
        profile = document["profiles"][case["profile"]]
        layout = cid.Layout(raw_leaves=profile["raw_leaves"], version=profile["cid_version"])
        count, length = case["files"], case.get("name_length", 0)
        letters = "".join(
            alphabet[byte % 39] for piece in keystream(case.get("seed", ""), count * 40) for byte in piece
        )
        starts = [length * n for n in range(count)]
        names = [letters[start : start + length] for start in starts[:-1]]
        if count:
            names.append(letters[starts[-1] : starts[-1] + case["last_name_length"]])
        assert written(tree(dict.fromkeys(names, case.get("file_text", "")), layout)[0]) == case["cid"], case


def test_foreign_dag_pb_blocks_are_encoded_to_the_byte() -> None:
    cases = json.loads(vectors("cid/dag-pb.json").read_text())
    assert len(cases) == 17
    for case in cases:
        node = json.loads(case["dag-json"]["text"])
        data = node["Data"]["/"]["bytes"] if "Data" in node else None
        links = [
            cid.Link(
                from_base58(link["Hash"]["/"])
                if link["Hash"]["/"].startswith("Qm")
                else from_base32(link["Hash"]["/"]),
                link.get("Name"),
                link.get("Tsize"),
            )
            for link in node["Links"]
        ]
        block = cid.dag_pb(links, None if data is None else b64decode(data + "=" * (-len(data) % 4)))
        assert block.hex() == case["dag-pb"]["hex"], case["name"]
        assert cid.format_cid(block_name(block, 1)) == case["dag-pb"]["cid"]


def test_names_survive_reading_and_writing() -> None:
    document = json.loads(vectors("cid/cid-forms.json").read_text())
    for row in document["same_content"]:
        raw = cid.parse_cid(row["v1_base32"])
        assert cid.format_cid(raw) == row["v1_base32"]
        assert "z" + base58(raw) == row["v1_base58btc"]
    forms = document["same_multihash_other_codec"]
    assert cid.parse_cid(forms["v1_raw"])[2:] == cid.parse_cid(forms["v1_dag-pb"])[2:] == from_base58(forms["v0"])
    with pytest.raises(MalformedEncodingError):
        cid.parse_cid(forms["v1_dag-cbor"])


def test_a_name_does_not_depend_on_the_pieces() -> None:
    content = bytes(range(256)) * 3_000  # three chunks
    whole = cid.cid_v1(content)
    assert whole.startswith("bafybei")
    for size in (1_000, 262_144, 262_145, 700_000, 768_000):
        assert cid.cid_v1(content[start : start + size] for start in range(0, len(content), size)) == whole
    assert cid.cid_v1([b"", content, b""]) == whole


def test_an_empty_file_is_one_empty_chunk() -> None:
    empty = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    assert cid.cid_v1(b"") == cid.cid_v1([]) == cid.cid_v1([b""]) == empty


@pytest.mark.parametrize("links", [2, 3])
@pytest.mark.parametrize("chunks", range(1, 30))
def test_trees_of_any_height_are_balanced(links: int, chunks: int) -> None:
    layout = cid.Layout(chunk_size=1, max_links=links)
    content = bytes(range(chunks))

    def model(nodes: list[tuple[bytes, int, int]]) -> bytes:
        """Level by level, with the whole level in memory."""
        while len(nodes) > 1:
            groups = [nodes[start : start + links] for start in range(0, len(nodes), links)]
            nodes = [parent(group) for group in groups]
        return nodes[0][0]

    def parent(group: list[tuple[bytes, int, int]]) -> tuple[bytes, int, int]:
        size = sum(node[1] for node in group)
        data = b"\x08\x02\x18" + bytes((size,)) + b"".join(b"\x20" + bytes((node[1],)) for node in group)
        block = cid.dag_pb([cid.Link(node[0], "", node[2]) for node in group], data)
        return block_name(block, 1), size, len(block) + sum(node[2] for node in group)

    raw = [(b"\x01\x55\x12\x20" + hashlib.sha256(bytes((byte,))).digest(), 1, 1) for byte in content]
    assert cid.file_cid(content, layout) == model(raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        HELLO.upper(),
        "B" + HELLO[1:],
        HELLO[1:],
        "z" + HELLO[1:],
        HELLO[:-1],
        HELLO + "a",
        " " + HELLO,
        HELLO[:-1] + "1",
        "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
        "bafyreievd6mwe6vcwnkwo3eizs3h7w3a34opszbyfxziqdxguhjw7imdve",
        HELLO.encode(),
        None,
    ],
    ids=repr,
)
def test_what_is_no_name_is_refused(text: Any) -> None:
    with pytest.raises(MalformedEncodingError) as refusal:
        cid.parse_cid(text)
    assert refusal.value.what == "CID"


def test_bits_beyond_the_last_byte_are_refused() -> None:
    twin = HELLO[:-1] + "f"  # e and f differ in such a bit only
    assert from_base32(twin) == from_base32(HELLO)
    for other in (twin, HELLO + "=", HELLO + "======"):
        with pytest.raises((NonCanonicalEncodingError, MalformedEncodingError)):
            cid.parse_cid(other)


@pytest.mark.parametrize("raw", [b"", bytes(36), cid.parse_cid(HELLO)[:35], cid.parse_cid(HELLO) + b"\x00", HELLO])
def test_bytes_that_are_no_name_are_not_written(raw: Any) -> None:
    with pytest.raises(MalformedEncodingError):
        cid.format_cid(raw)


@pytest.mark.parametrize("content", [["text"], [None], [b"a", 5]])
def test_content_that_is_not_bytes_is_refused(content: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        cid.cid_v1(content)


@pytest.mark.parametrize(
    ("links", "data"),
    [
        ([cid.Link(b"")], None),
        ([cid.Link("bafk")], None),  # type: ignore[arg-type]
        ([cid.Link(b"\x01", 5)], None),  # type: ignore[arg-type]
        ([cid.Link(b"\x01", "\ud800")], None),
        ([cid.Link(b"\x01", None, -101)], None),
        ([], "text"),
    ],
)
def test_a_malformed_node_is_not_encoded(links: list[cid.Link], data: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        cid.dag_pb(links, data)


LEAF = b"\x01\x55\x12\x20" + hashlib.sha256(b"leaf").digest()
NODE = b"\x01\x70\x12\x20" + hashlib.sha256(b"node").digest()


def test_the_links_of_a_node_come_back_in_order() -> None:
    block = cid.dag_pb([cid.Link(NODE, "", 500), cid.Link(LEAF), cid.Link(NODE, "x" * 200)], UNIXFS_DIRECTORY)
    assert cid.dag_pb_links(block) == (NODE, LEAF, NODE)
    assert cid.dag_pb_links(cid.dag_pb([], b"")) == ()
    assert cid.dag_pb_links(b"") == ()


def test_the_links_of_foreign_blocks_are_read_or_refused_as_their_names_are() -> None:
    for case in json.loads(vectors("cid/dag-pb.json").read_text()):
        block = bytes.fromhex(case["dag-pb"]["hex"])
        names = [link["Hash"]["/"] for link in json.loads(case["dag-json"]["text"])["Links"]]
        try:
            wanted = tuple(cid.parse_cid(name) for name in names)
        except MalformedEncodingError:
            with pytest.raises(MalformedEncodingError):
                cid.dag_pb_links(block)
        else:
            assert cid.dag_pb_links(block) == wanted


@pytest.mark.parametrize(
    "block",
    [
        b"\x12",
        b"\x12\x05abc",
        b"\x12\x00",
        b"\x12\x02\x0a\x00",
        b"\x12\x03\x0a\x01\x00",
        b"\x12\x4c" + b"\x0a\x24" + LEAF + b"\x0a\x24" + LEAF,
        b"\x15\x00\x00\x00\x00",
        b"\x0a\x80\x00",
        b"\xff" * 10,
    ],
)
def test_a_malformed_node_has_no_links(block: bytes) -> None:
    with pytest.raises((MalformedEncodingError, NonCanonicalEncodingError)):
        cid.dag_pb_links(block)


def test_a_chunk_and_a_node_are_told_apart_by_their_names() -> None:
    assert cid.is_raw(LEAF)
    assert not cid.is_raw(NODE)
    assert cid.is_raw(cid.parse_cid(cid.cid_v1(bytes(cid.CHUNK_SIZE))))
    assert not cid.is_raw(cid.parse_cid(cid.cid_v1(bytes(cid.CHUNK_SIZE + 1))))
