"""What an engine reports is kept beside the blocks, travels in histories, and is handed in again at a replay.

Blocks and files without a report keep the form they always had, byte for byte.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import astuple

from gridproof.drivers.blocks import KeptBlock, changes_for, find_block, keep_block, keep_genesis
from gridproof.drivers.errors import BrokenHistoryError
from gridproof.drivers.history import MAGIC, Entry, HistoryFile, StoredHistory, export_history
from gridproof.drivers.verification import replay, verify_store
from gridproof.modules.consensus.messages import SupportChange
from gridproof.primitives.encoding import encode
from gridproof.state import Block, Misbehaviour
from gridproof.state.store import MemoryStore, Table

from tests.unit.modules.consensus.network import (
    AGGREGATORS,
    CHAIN_ID,
    FIRST_FOUR,
    START_S,
    Network,
    application,
    genesis,
    offence,
    section,
    setting,
)

HEIGHT = 3
PLAIN = Block(HEIGHT, 1_000, 7, (b"one", b"two"))
REPORTS = (Misbehaviour(1, bytes(20), 2, 900, 40), Misbehaviour(2, bytes(range(20)), 1, 800, 40))
REPORTED = Block(HEIGHT, 1_000, 7, (b"one", b"two"), REPORTS)
PREVIOUS = sha256(b"previous").digest()
KEY = HEIGHT.to_bytes(8, "big")
OLD_FORM = encode([PREVIOUS, [HEIGHT, 1_000, 7, [b"one", b"two"]]])


def blocks(store: MemoryStore) -> dict[bytes, bytes]:
    with store.snapshot() as snapshot:
        return dict(snapshot.scan(Table.BLOCKS))


def found(store: MemoryStore) -> KeptBlock | None:
    with store.snapshot() as snapshot:
        return find_block(snapshot, HEIGHT)


# --- in a store ------------------------------------------------------------------------------------------------------


def test_a_block_without_reports_keeps_its_form() -> None:
    store = MemoryStore()
    keep_block(store, KeptBlock(PREVIOUS, PLAIN))
    assert blocks(store) == {KEY: OLD_FORM}
    assert found(store) == KeptBlock(PREVIOUS, PLAIN)


def test_reports_lie_beside_their_block() -> None:
    store = MemoryStore()
    keep_block(store, KeptBlock(PREVIOUS, REPORTED))
    assert blocks(store) == {
        KEY: OLD_FORM,
        KEY + b"m": encode([[1, bytes(20), 2, 900, 40], [2, bytes(range(20)), 1, 800, 40]]),
    }
    assert found(store) == KeptBlock(PREVIOUS, REPORTED)


def test_a_block_that_takes_anothers_place_takes_its_reports_away() -> None:
    store = MemoryStore()
    keep_block(store, KeptBlock(PREVIOUS, REPORTED))
    keep_block(store, KeptBlock(PREVIOUS, PLAIN))
    assert blocks(store) == {KEY: OLD_FORM}


def test_a_driver_can_keep_a_block_together_with_its_state() -> None:
    network = Network(FIRST_FOUR)
    head = network.application.info()
    made = Block(1, START_S, 0, (), (offence(AGGREGATORS[0]),))
    network.application.finalize_block(made)
    network.application.commit(changes_for(KeptBlock(head.app_hash, made)))
    with network.store.snapshot() as snapshot:
        assert find_block(snapshot, 1) == KeptBlock(head.app_hash, made)


# --- in a history ----------------------------------------------------------------------------------------------------


class Recorded:
    """A network's history of three blocks, with a report in the second where wanted."""

    def __init__(self, *reports: Misbehaviour) -> None:
        self.network = Network(FIRST_FOUR)
        self.store = self.network.store
        keep_genesis(self.store, genesis(section(FIRST_FOUR)))
        support = SupportChange(0, setting(AGGREGATORS[4]))
        self._block()
        self._block(reports)
        self._block((), self.network.sign(AGGREGATORS[0], support))

    def _block(self, reports: tuple[Misbehaviour, ...] = (), *raws: bytes) -> None:
        head = self.network.application.info()
        made = Block(head.height + 1, self.network.time_s + 1, 0, raws, reports)
        keep_block(self.store, KeptBlock(head.app_hash, made))
        self.network.block(*raws, misbehaviour=reports)

    def export(self, path: Path) -> Path:
        with self.store.snapshot() as snapshot:
            export_history(StoredHistory(snapshot, self.network.application.info()), CHAIN_ID, path)
        return path


def framed(*fields: object) -> bytes:
    raw = encode(fields)
    return len(raw).to_bytes(4, "big") + raw


def frames(*middle: bytes) -> bytes:
    """A history file of these frames, under a fitting checksum."""
    raw = MAGIC + framed(1, CHAIN_ID, genesis(section(FIRST_FOUR))) + b"".join(middle)
    count = sum(frame[5] == 2 for frame in middle)
    return raw + framed(3, count, sha256(raw).digest())


def entry_frame(entry: Entry) -> bytes:
    return framed(2, *entry[:6])


def report_frame(height: int, *reports: Misbehaviour) -> bytes:
    return framed(4, height, [list(astuple(report)) for report in reports])


@pytest.fixture
def recorded() -> Recorded:
    return Recorded(offence(AGGREGATORS[1]), offence(AGGREGATORS[2]))


def test_a_file_without_reports_keeps_its_form(tmp_path: Path) -> None:
    path = Recorded().export(tmp_path / "h")
    entries = list(HistoryFile(path).entries())
    assert path.read_bytes() == frames(*(entry_frame(entry) for entry in entries))


def test_a_report_stands_right_before_its_block(recorded: Recorded, tmp_path: Path) -> None:
    path = recorded.export(tmp_path / "h")
    first, second, third = HistoryFile(path).entries()
    assert second.misbehaviour == (offence(AGGREGATORS[1]), offence(AGGREGATORS[2]))
    assert (first.misbehaviour, third.misbehaviour) == ((), ())
    assert second.block.misbehaviour == second.misbehaviour
    assert path.read_bytes() == frames(
        entry_frame(first), report_frame(2, *second.misbehaviour), entry_frame(second), entry_frame(third)
    )


def test_a_replay_hands_the_reports_in_again(recorded: Recorded, tmp_path: Path) -> None:
    head = recorded.network.application.info()
    for report in (
        verify_store(recorded.store, application),
        replay(HistoryFile(recorded.export(tmp_path / "h")), application),
    ):
        assert report.falsehoods == ()
        assert report.app_hash == head.app_hash
        assert report.announced["ValidatorPunished"] == 2


def test_a_history_whose_report_was_taken_away_is_found_false(recorded: Recorded) -> None:
    recorded.store.write({Table.BLOCKS: {(2).to_bytes(8, "big") + b"m": None}})
    found_false = verify_store(recorded.store, application)
    assert any("block 2: app hash" in line for line in found_false.falsehoods)


Forgery = Callable[[Entry, Entry, tuple[Misbehaviour, ...]], tuple[bytes, ...]]
FORGERIES: dict[str, Forgery] = {
    "before another block": lambda one, two, told: (entry_frame(one), report_frame(3, *told), entry_frame(two)),
    "twice": lambda one, two, told: (report_frame(1, *told), report_frame(1, *told), entry_frame(one)),
    "empty": lambda one, two, told: (report_frame(1), entry_frame(one), entry_frame(two)),
    "at the end": lambda one, two, told: (entry_frame(one), entry_frame(two), report_frame(3, *told)),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_report_out_of_place_is_refused(name: str, recorded: Recorded, tmp_path: Path) -> None:
    one, two, _ = HistoryFile(recorded.export(tmp_path / "h")).entries()
    sound = frames(entry_frame(one), report_frame(2, *two.misbehaviour), entry_frame(two))
    (tmp_path / "sound").write_bytes(sound)
    assert HistoryFile(tmp_path / "sound").last_height == 2
    (tmp_path / "bad").write_bytes(frames(*FORGERIES[name](one, two, two.misbehaviour)))
    with pytest.raises(BrokenHistoryError) as broken:
        HistoryFile(tmp_path / "bad")
    assert "the report on block" in broken.value.detail
