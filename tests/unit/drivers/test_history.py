"""A history goes into a file and comes out whole, or is refused."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridproof.drivers.blocks import find_block
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.errors import BrokenHistoryError, GenesisMissingError, MissingBlockError
from gridproof.drivers.history import MAGIC, Entry, HistoryFile, StoredHistory, export_history
from gridproof.state import Head
from gridproof.state.store import MemoryStore, Table

from tests.tiny.app import tiny_genesis
from tests.unit.drivers.scenes import grow, in_memory


@pytest.fixture
def ledger() -> EmbeddedLedger:
    made = in_memory()
    grow(made, 6)
    return made


def entries(ledger: EmbeddedLedger) -> list[Entry]:
    with ledger.store.snapshot() as snapshot:
        return list(StoredHistory(snapshot, ledger.head).entries())


def export(ledger: EmbeddedLedger, path: Path) -> Path:
    with ledger.store.snapshot() as snapshot:
        export_history(StoredHistory(snapshot, ledger.head), "tiny-1", path)
    return path


def test_a_store_tells_every_block_with_its_hash_and_codes(ledger: EmbeddedLedger) -> None:
    told = entries(ledger)
    assert [entry.height for entry in told] == [1, 2, 3, 4, 5, 6]
    assert [entry.codes for entry in told] == [(0,), (0,), (0, 98001), (0,), (0,), (0, 98001)]
    assert told[-1].app_hash == ledger.head.app_hash
    with ledger.store.snapshot() as snapshot:
        following = find_block(snapshot, 2)
    assert following is not None
    assert told[0].app_hash == following.previous


def test_a_file_tells_what_the_store_tells(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with ledger.store.snapshot() as snapshot:
        history = StoredHistory(snapshot, ledger.head)
        blocks = export_history(history, "tiny-1", tmp_path / "h", lambda done, total: seen.append((done, total)))
    assert blocks == 6
    assert seen == [(block, 6) for block in range(1, 7)]
    file = HistoryFile(tmp_path / "h")
    assert (file.chain_id, file.genesis, file.last_height) == ("tiny-1", tiny_genesis(), 6)
    assert list(file.entries()) == entries(ledger)
    assert [path.name for path in tmp_path.iterdir()] == ["h"]


def test_the_file_is_laid_out_as_documented(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    raw = export(ledger, tmp_path / "h").read_bytes()
    assert raw.startswith(b"gridproof history 1\n")
    frames, at = [], len(MAGIC)
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        frames.append((at, raw[at + 4 : at + 4 + length]))
        at += 4 + length
    assert [frame[1] for _, frame in frames] == [1] + [2] * 6 + [3]
    start, closing = frames[-1]
    assert closing.endswith(sha256(raw[:start]).digest())


def test_a_chain_of_no_blocks_has_a_history(tmp_path: Path) -> None:
    file = HistoryFile(export(in_memory(), tmp_path / "h"))
    assert file.last_height == 0
    assert list(file.entries()) == []


def test_a_file_cut_off_anywhere_is_refused(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    raw = export(ledger, tmp_path / "h").read_bytes()
    for size in [*range(40), *range(40, len(raw), 97), len(raw) - 1]:
        (tmp_path / "cut").write_bytes(raw[:size])
        with pytest.raises(BrokenHistoryError) as broken:
            HistoryFile(tmp_path / "cut")
        assert broken.value.path == str(tmp_path / "cut")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), difference=st.integers(1, 255))
def test_a_file_with_a_changed_byte_is_refused(
    ledger: EmbeddedLedger, tmp_path: Path, at: int, difference: int
) -> None:
    raw = bytearray(export(ledger, tmp_path / "h").read_bytes())
    raw[at % len(raw)] ^= difference
    (tmp_path / "bad").write_bytes(raw)
    with pytest.raises(BrokenHistoryError):
        HistoryFile(tmp_path / "bad")


def test_what_follows_the_end_is_refused(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    path = export(ledger, tmp_path / "h")
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(BrokenHistoryError) as broken:
        HistoryFile(path)
    assert "follows its end" in broken.value.detail


def resealed(raw: bytes) -> bytes:
    """The same frames under a fitting checksum, as a forger would write it."""
    start = raw.rindex(b"\x93\x03", 0, -32) - 4  # not in the checksum itself, where chance may put them
    blocks = raw[start + 6]
    closing = b"\x93\x03" + bytes([blocks]) + b"\xc4\x20" + sha256(raw[:start]).digest()
    return raw[:start] + len(closing).to_bytes(4, "big") + closing


def test_frames_out_of_place_are_refused_even_under_a_fitting_checksum(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    raw = export(ledger, tmp_path / "h").read_bytes()
    opening = len(MAGIC) + 4 + int.from_bytes(raw[len(MAGIC) : len(MAGIC) + 4], "big")
    first = opening + 4 + int.from_bytes(raw[opening : opening + 4], "big")
    assert HistoryFile(export(ledger, tmp_path / "h")).last_height == 6
    (tmp_path / "same").write_bytes(resealed(raw))
    assert HistoryFile(tmp_path / "same").last_height == 6
    without_first = raw[:opening] + raw[first:]
    without_opening = MAGIC + raw[opening:]
    opening_twice = raw[:opening] + raw[len(MAGIC) :]
    for name, forged in [("1", without_first), ("2", without_opening), ("3", opening_twice)]:
        (tmp_path / name).write_bytes(resealed(forged))
        with pytest.raises(BrokenHistoryError) as broken:
            HistoryFile(tmp_path / name)
        assert "block 2 stands where" in broken.value.detail or "opening" in broken.value.detail


def test_an_export_that_fails_leaves_what_was_there(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_text("kept")
    ledger.store.write({Table.BLOCKS: {(4).to_bytes(8, "big"): None}})
    with pytest.raises(MissingBlockError) as missing:
        export(ledger, path)
    assert missing.value.height == 4
    assert path.read_text() == "kept"
    assert [each.name for each in tmp_path.iterdir()] == ["h"]


def test_a_store_without_a_ledger_has_no_history() -> None:
    with MemoryStore().snapshot() as snapshot, pytest.raises(GenesisMissingError):
        StoredHistory(snapshot, Head(0, bytes(32), 0))


def test_a_result_that_is_not_kept_is_told_as_unknown(ledger: EmbeddedLedger) -> None:
    with ledger.store.snapshot() as snapshot:
        kept = dict(snapshot.scan(Table.RESULTS))
    ledger.store.write({Table.RESULTS: dict.fromkeys(kept)})
    assert {code for entry in entries(ledger) for code in entry.codes} == {-1}


def test_the_app_hash_of_every_height_is_known_and_of_no_other(ledger: EmbeddedLedger) -> None:
    told = entries(ledger)
    with ledger.store.snapshot() as snapshot:
        history = StoredHistory(snapshot, ledger.head)
        first = find_block(snapshot, 1)
        assert [history.app_hash(entry.height) for entry in told] == [entry.app_hash for entry in told]
        assert first is not None
        assert history.app_hash(0) == first.previous
        assert history.app_hash(ledger.head.height + 1) is None
        assert history.app_hash(-1) is None
