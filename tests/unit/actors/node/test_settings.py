"""A node's settings: a file for people, strict in what it takes, and read as it was written."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gridproof.actors.node.errors import NodeSettingsError
from gridproof.actors.node.settings import (
    FILE_NAME,
    MAX_SIZE,
    EngineSection,
    FiguresSection,
    KeepSection,
    NodeSection,
    NodeSettings,
    SyncSection,
    WatchSection,
    load,
    render,
    require_valid,
    with_sync,
)
from gridproof.connectors.files import FileMissingError, FileUnreadableError

from tests.unit.actors.node.homes import PEER

FULL = NodeSettings(
    node=NodeSection(name="Zürich & Söhne", chain_id="net-1"),
    engine=EngineSection(
        rpc="127.0.0.1:26657", p2p="[::1]:26656", external="alpha.example:26656", peers=(PEER,), commit_ms=250,
        program="~/go/bin/cometbft", log_level="consensus:debug,*:error",
    ),
    figures=FiguresSection(node="127.0.0.1:26661", engine="127.0.0.1:26660"),
    keep=KeepSection(blocks=5_000, snapshot_every=100, snapshots=3),
    watch=WatchSection(application_s=30, stall_s=20),
    sync=SyncSection(servers=("http://a:1", "http://b:2"), height=7, header_hash="ab" * 32, trust_s=3_600),
)  # fmt: skip
LEAST = NodeSettings(
    node=NodeSection(name="a", chain_id="c"),
    engine=EngineSection(rpc="127.0.0.1:1", p2p="127.0.0.1:2", external="127.0.0.1:2"),
)


def loaded(folder: Path, text: str | bytes) -> NodeSettings:
    (folder / FILE_NAME).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(folder)


@pytest.mark.parametrize("settings", [FULL, LEAST])
def test_a_file_is_read_as_it_was_written(tmp_path: Path, settings: NodeSettings) -> None:
    assert loaded(tmp_path, render(settings)) == settings
    require_valid(settings)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64))
def test_a_name_of_any_letters_is_read_as_it_was_written(name: str) -> None:
    require_valid(replace(LEAST, node=NodeSection(name=name, chain_id="c")))


def test_the_file_explains_itself(tmp_path: Path) -> None:
    lines = render(FULL).decode().splitlines()
    assert sum("#" in line for line in lines) >= 10
    assert [line.split("]")[0] + "]" for line in lines if line.startswith("[")] == [
        "[node]", "[engine]", "[figures]", "[keep]", "[watch]", "[sync]",
    ]  # fmt: skip
    assert "[sync]" not in render(LEAST).decode()


@pytest.mark.parametrize("settings", [FULL, LEAST])
@pytest.mark.parametrize("extra", ["", "\n# a note at the end\n"])
def test_another_header_to_join_by_leaves_all_else_as_it_stands(
    tmp_path: Path, settings: NodeSettings, extra: str
) -> None:
    text = render(settings).decode().replace("[keep]", "# our own note\n[keep]") + extra
    loaded(tmp_path, text)
    fresh = SyncSection(servers=("http://c:1", "http://d:2"), height=99, header_hash="cd" * 32)
    raw = with_sync(tmp_path, fresh)
    assert loaded(tmp_path, raw) == replace(settings, sync=fresh)
    before = text.partition("[sync]")[0].rstrip()
    assert raw.decode().startswith(before)
    assert extra.strip() in raw.decode()
    assert with_sync(tmp_path, fresh) == raw, "and once more changes nothing"


def test_a_header_to_join_by_may_stand_in_the_middle_over_several_lines(tmp_path: Path) -> None:
    sync = '[ sync ] # old\nservers = [\n  "http://a:1",\n  "http://b:1"\n]\nheight = 1\nheader_hash = "' + "ab" * 32
    loaded(tmp_path, sync + '"\n# of the node\n' + render(LEAST).decode())
    fresh = SyncSection(servers=("http://c:1", "http://d:2"), height=99, header_hash="cd" * 32)
    raw = with_sync(tmp_path, fresh)
    assert loaded(tmp_path, raw) == replace(LEAST, sync=fresh)
    assert b"# of the node" in raw


def test_a_header_that_cannot_be_told_from_the_rest_is_left(tmp_path: Path) -> None:
    inline = 'sync = { servers = ["http://a:1", "http://b:1"], height = 1, header_hash = "' + "ab" * 32 + '" }\n'
    loaded(tmp_path, inline + render(LEAST).decode())
    with pytest.raises(NodeSettingsError):
        with_sync(tmp_path, SyncSection(servers=("http://c:1", "http://d:2"), height=99, header_hash="cd" * 32))


def test_an_editor_may_leave_its_mark(tmp_path: Path) -> None:
    assert loaded(tmp_path, b"\xef\xbb\xbf" + render(LEAST)) == LEAST


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "a"', 'name = ""', "node.name"),
        ('name = "a"', f'name = "{"x" * 65}"', "node.name"),
        ('name = "a"', 'nam = "a"', "nam"),
        ('chain_id = "c"', 'chain_id = "c d"', "chain_id"),
        ('rpc = "127.0.0.1:1"', 'rpc = "127.0.0.1"', "engine.rpc"),
        ('rpc = "127.0.0.1:1"', 'rpc = "127.0.0.1:123456"', "engine.rpc"),
        ('rpc = "127.0.0.1:1"', 'rpc = "127.0.0.1:1\\n"', "engine.rpc"),
        ('rpc = "127.0.0.1:1"', 'rpc = "a b:1"', "engine.rpc"),
        ("peers = [", 'peers = ["nobody@127.0.0.1:1",', "engine.peers"),
        ("commit_ms = 1000", "commit_ms = -1", "commit_ms"),
        ("commit_ms = 1000", "commit_ms = 60001", "commit_ms"),
        ("commit_ms = 1000", 'commit_ms = "1"', "commit_ms"),
        ('node = ""', 'node = "nonsense"', "figures.node"),
        ("snapshots = 2", "snapshots = 0", "keep.snapshots"),
        ("stall_s = 60", "stall_s = 1", "watch.stall_s"),
        ("[watch]", "[wotch]", "wotch"),
        ("[node]", "[node", ""),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = render(LEAST).decode()
    assert text.count(old) == 1
    with pytest.raises(NodeSettingsError) as refused:
        loaded(tmp_path, text.replace(old, new))
    assert refused.value.path == str(tmp_path / FILE_NAME)
    assert says in refused.value.detail


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"x = " + b"[" * 100_000, b"\x00"])
def test_what_is_no_toml_is_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(NodeSettingsError):
        loaded(tmp_path, raw)


def test_a_file_that_is_not_there_or_endless_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        load(tmp_path)
    with pytest.raises(FileUnreadableError):
        loaded(tmp_path, b"#" * (MAX_SIZE + 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"peers": ("zz@127.0.0.1:1",)},
        {"peers": (PEER + '"\n[evil]\n',)},
        {"external": "nowhere"},
        {"rpc": "a b:1"},
    ],
)
def test_what_others_told_is_held_to_the_same_before_it_is_written(changes: dict[str, Any]) -> None:
    with pytest.raises(NodeSettingsError):
        require_valid(replace(LEAST, engine=replace(LEAST.engine, **changes)))


def test_a_trusted_header_has_two_servers_and_a_hash() -> None:
    assert FULL.sync is not None
    for wrong in ({"servers": ("http://a",)}, {"height": 0}, {"header_hash": "ab"}, {"trust_s": 1}):
        with pytest.raises(NodeSettingsError):
            require_valid(replace(FULL, sync=replace(FULL.sync, **wrong)))
