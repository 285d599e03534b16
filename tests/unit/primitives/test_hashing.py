"""Plain and tagged SHA-256; SHAKE-128 as the filters use it."""

import hashlib
import json
from typing import Any

import pytest

from gridproof.primitives.errors import InvalidArgumentError
from gridproof.primitives.hashing import Tag, sha256, tagged_hash

from tests.shared import vectors


def test_nist_sha256_messages() -> None:
    tests = json.loads(vectors("sha/nist-sha256-short.json").read_text())["tests"]
    assert len(tests) == 65
    for test in tests:
        assert sha256(bytes.fromhex(test["msg"])).hex() == test["md"]


@pytest.mark.parametrize("file", ["sha/nist-shake128-short.json", "sha/nist-shake128-variable-out.json"])
def test_nist_shake128_messages(file: str) -> None:
    document = json.loads(vectors(file).read_text())
    for test in document["tests"]:
        size = (test.get("output_bits") or document["output_bits"]) // 8
        assert hashlib.shake_128(bytes.fromhex(test["msg"])).hexdigest(size) == test["output"]


def test_parts_are_hashed_one_after_the_other() -> None:
    assert sha256(b"ab", b"", b"c") == hashlib.sha256(b"abc").digest()
    assert sha256() == hashlib.sha256().digest()


@pytest.mark.parametrize("name", ["BIP0340/challenge", "gridproof/record/v1", ""])
def test_a_tagged_hash_is_what_bip_340_says(name: str) -> None:
    tag = hashlib.sha256(name.encode()).digest()
    expected = hashlib.sha256(tag + tag + b"one" + b"two").digest()
    assert tagged_hash(name, b"one", b"two") == Tag(name)(b"onetwo") == expected


def test_a_kept_tag_is_not_used_up() -> None:
    tag = Tag("x")
    assert tag(b"a") == tag(b"a") != tag(b"b")


def test_tags_keep_purposes_apart() -> None:
    assert tagged_hash("gridproof/mask/v1", b"leaf") != tagged_hash("gridproof/split/v1", b"leaf")


@pytest.mark.parametrize("part", ["text", None, 5])
def test_what_is_not_bytes_is_refused(part: Any) -> None:
    for function in (sha256, Tag("x")):
        with pytest.raises(InvalidArgumentError):
            function(b"a", part)
    with pytest.raises(InvalidArgumentError) as refusal:
        tagged_hash("gridproof/x/v1", part)
    assert refusal.value.what == "gridproof/x/v1"


def test_a_tag_shows_its_name() -> None:
    assert repr(Tag("gridproof/x/v1")) == "Tag('gridproof/x/v1')"
