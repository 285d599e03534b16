"""Snapshots and pruning as the engine asks for them: given out, taken in, never in a block's way."""

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from gridproof.drivers.blocks import find_block
from gridproof.drivers.cometbft.observing import Observer
from gridproof.drivers.cometbft.service import DEFAULTS
from gridproof.drivers.cometbft.sync import APPLY, OFFER, Keeping
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.errors import NoLedgerYet, SnapshotFalseError
from gridproof.drivers.snapshots import Snapshot, SnapshotFolder, read_manifest
from gridproof.state.store import MemoryStore, StoreFullError

from tests.unit.drivers.cometbft.nodes import ACCEPT, Node, born
from tests.unit.drivers.scenes import post, signed
from tests.unit.drivers.snapshots.joining import SMALL

EVERY = 4


class Watching(Observer):
    """Counts snapshots."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.missed = 0

    def snapshot_taken(self, height: int, seconds: float, size: int) -> None:
        """One was taken."""
        self.taken.append(height)

    def snapshot_missed(self) -> None:
        """One was not."""
        self.missed += 1


class Giver:
    """A node that takes snapshots, grown by some blocks."""

    def __init__(self, folder: Path, blocks: int, keep_blocks: int = 0, every: int = EVERY, keep: int = 2) -> None:
        self.seen = Watching()
        self.folder = SnapshotFolder(folder, keep, chunk_bytes=SMALL)
        self.options = DEFAULTS._replace(keeping=Keeping(self.folder, every, keep_blocks), observer=self.seen)
        self.node = born(options=self.options)
        self.retained = [self.grow() for _ in range(blocks)]

    def grow(self) -> int:
        """A block; what the engine may let go of after it."""
        nonce = self.node.info().last_block_height
        self.node.finalize([signed("operator", post(f"{nonce}"), nonce=nonce)])
        told = self.node.commit().retain_height
        under_way: Future[None] | None = self.node.service.sync._under_way
        if under_way is not None:
            under_way.result()
        return told

    def listed(self) -> list[abci.Snapshot]:
        """What it gives out, the newest first."""
        told = self.node.ask(list_snapshots=abci.RequestListSnapshots()).snapshots
        return sorted(told, key=lambda each: each.height, reverse=True)

    def chunk(self, snapshot: abci.Snapshot, index: int) -> bytes:
        asked = abci.RequestLoadSnapshotChunk(height=snapshot.height, format=snapshot.format, chunk=index)
        return bytes(self.node.ask(load_snapshot_chunk=asked).chunk)


@pytest.fixture
def giver(tmp_path: Path) -> Iterator[Giver]:
    made = Giver(tmp_path / "snapshots", 9)
    yield made
    made.node.service.close()


class Taker:
    """A node without a ledger that is offered a snapshot."""

    def __init__(self, **options: Any) -> None:
        self.node = Node(options=DEFAULTS._replace(**options))

    def offer(self, snapshot: abci.Snapshot, app_hash: bytes) -> int:
        asked = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=app_hash)
        return int(self.node.ask(offer_snapshot=asked).result)

    def apply(self, index: int, chunk: bytes) -> abci.ResponseApplySnapshotChunk:
        asked = abci.RequestApplySnapshotChunk(index=index, chunk=chunk, sender="peer-1")
        told: abci.ResponseApplySnapshotChunk = self.node.ask(apply_snapshot_chunk=asked)
        return told


def hash_at(giver: Giver, height: int) -> bytes:
    """The app hash after a block."""
    with giver.node.store.snapshot() as moment:
        kept = find_block(moment, height + 1)
    assert kept is not None
    return kept.previous


# --- giving out ------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_taken_whenever_the_height_is_a_multiple(giver: Giver) -> None:
    assert [each.height for each in giver.listed()] == [8, 4]
    assert giver.seen.taken == [4, 8]
    assert all(len(each.hash) == 32 and each.chunks > 1 for each in giver.listed())


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    giver = Giver(tmp_path / "s", 17, keep=2)
    assert [each.height for each in giver.listed()] == [16, 12]
    giver.node.service.close()


@pytest.mark.parametrize(("folder", "every"), [(None, 4), ("s", 0)])
def test_where_none_are_wanted_none_are_made_or_told(tmp_path: Path, folder: str | None, every: int) -> None:
    keeping = Keeping(SnapshotFolder(tmp_path / folder) if folder else None, every)
    node = born(options=DEFAULTS._replace(keeping=keeping))
    for nonce in range(8):
        node.block(signed(nonce=nonce))
    assert not node.ask(list_snapshots=abci.RequestListSnapshots()).snapshots
    assert node.ask(load_snapshot_chunk=abci.RequestLoadSnapshotChunk(height=4, format=1)).chunk == b""
    node.service.close()


def test_a_piece_that_is_not_there_or_was_altered_is_answered_with_nothing(giver: Giver, tmp_path: Path) -> None:
    first, _ = giver.listed()
    assert giver.chunk(first, 0)
    assert giver.chunk(first, first.chunks) == b""
    assert giver.chunk(abci.Snapshot(height=99, format=first.format), 0) == b""
    for piece in (tmp_path / "snapshots").glob("*/*.chunk"):
        piece.write_bytes(b"altered")
    assert giver.chunk(first, 0) == b""


def test_one_snapshot_at_a_time_and_blocks_do_not_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    giver = Giver(tmp_path / "s", 3)
    begun, go_on = Event(), Event()
    take_at = giver.folder.take_at

    def slow(moment: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return take_at(moment)

    monkeypatch.setattr(giver.folder, "take_at", slow)
    for nonce in range(3, 9):  # through heights 4 and 8
        giver.node.block(signed("operator", post(f"{nonce}"), nonce=nonce))
    assert begun.wait(60)
    assert giver.seen.missed == 1, "that of height 8"
    go_on.set()
    giver.node.service.close()
    assert giver.seen.taken == [4]
    (kept,) = giver.folder.list()
    assert kept.height == 4, "of the moment of its block, whatever came meanwhile"


@pytest.mark.parametrize("fault", [StoreFullError, OSError, ValueError])
def test_whatever_fails_in_taking_one_is_told_and_ends_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: type[Exception]
) -> None:
    """All nodes take theirs at one height: a fault there must not stop the network."""
    giver = Giver(tmp_path / "s", 3)

    def fail(_moment: Any) -> Any:
        raise fault(path="x", detail="full") if fault is StoreFullError else fault("fault")

    monkeypatch.setattr(giver.folder, "take_at", fail)
    giver.grow()
    assert giver.seen.missed == 1
    assert "no snapshot" in caplog.text
    giver.grow()
    assert giver.node.info().last_block_height == 5
    giver.node.service.close()


# --- pruning ---------------------------------------------------------------------------------------------------------


def test_blocks_are_let_go_of_up_to_the_oldest_snapshot_and_no_further(tmp_path: Path) -> None:
    giver = Giver(tmp_path / "s", 13, keep_blocks=1)
    with giver.node.store.snapshot() as moment:
        kept = [height for height in range(1, 14) if find_block(moment, height)]
    oldest = min(each.height for each in giver.listed())
    assert kept == list(range(oldest + 1, 14))
    assert giver.retained[-1] == oldest, "who takes that snapshot in asks the engine for the header of its block"
    assert giver.retained[:3] == [0, 0, 0], "nothing is let go of before the first snapshot"
    giver.node.service.close()


@pytest.mark.parametrize("keep", [1, 2, 3])
@pytest.mark.parametrize("keep_blocks", [1, 3, 6])
def test_what_the_engine_has_let_go_of_a_kept_snapshot_covers(tmp_path: Path, keep: int, keep_blocks: int) -> None:
    giver = Giver(tmp_path / "s", 0, keep_blocks=keep_blocks, keep=keep)
    first_kept = 1
    for height in range(1, 26):
        first_kept = max(first_kept, giver.grow())
        listed = [each.height for each in giver.listed()]
        assert first_kept == 1 or first_kept <= min(listed), "each snapshot that is offered can be taken in"
        assert first_kept <= max(1, height - keep_blocks + 1)
    assert first_kept > 1, "it lets go of something at all"
    giver.node.service.close()


def test_so_many_blocks_are_kept_at_least(tmp_path: Path) -> None:
    giver = Giver(tmp_path / "s", 13, keep_blocks=100)
    assert max(giver.retained) <= 1
    with giver.node.store.snapshot() as moment:
        assert find_block(moment, 1) is not None
    giver.node.service.close()


def test_by_default_all_blocks_are_kept(giver: Giver) -> None:
    assert set(giver.retained) == {0}


# --- taking in -------------------------------------------------------------------------------------------------------


def test_a_node_takes_a_snapshot_in_and_goes_on_to_the_same_hash(giver: Giver) -> None:
    snapshot = giver.listed()[0]
    taker = Taker()
    assert taker.offer(snapshot, hash_at(giver, 8)) == OFFER.ACCEPT
    assert taker.node.check(signed(nonce=8)).code == NoLedgerYet.code, "no ledger yet"
    for index in range(snapshot.chunks):
        told = taker.apply(index, giver.chunk(snapshot, index))
        assert (told.result, list(told.refetch_chunks), list(told.reject_senders)) == (APPLY.ACCEPT, [], [])
    assert taker.node.info().last_block_height == 8
    assert taker.node.info().last_block_app_hash == hash_at(giver, 8)
    block = signed("operator", post("8"), nonce=8)
    assert taker.node.block(block).app_hash == giver.node.info().last_block_app_hash
    taker.node.service.close()


def joined(giver: Giver, folder: Path, every: int = EVERY) -> Giver:
    """A node that joined by the newest snapshot, and keeps some of its own."""
    snapshot, taker = giver.listed()[0], Giver(folder, 0, every=every)
    taker.node.service.close()
    taker.node = Node(options=taker.options)
    asked = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=hash_at(giver, snapshot.height))
    taker.node.ask(offer_snapshot=asked)
    for index in range(snapshot.chunks):
        piece = abci.RequestApplySnapshotChunk(index=index, chunk=giver.chunk(snapshot, index))
        taker.node.ask(apply_snapshot_chunk=piece)
    return taker


def test_a_node_that_joined_keeps_a_snapshot_from_its_next_block_on(giver: Giver, tmp_path: Path) -> None:
    """It has no blocks before: were all others gone, nobody could join by it until its own turn to take one came."""
    taker = joined(giver, tmp_path / "own")
    taker.grow()
    (own,) = taker.listed()
    assert own.height == 9, "no multiple of four"
    assert own.hash == giver.folder.take(giver.node.store).hash, "the very one that all others would take there"
    for _ in range(2):
        taker.grow()
    assert [each.height for each in taker.listed()] == [9], "and then at the multiples, as all do"
    taker.grow()
    assert [each.height for each in taker.listed()] == [12, 9]
    taker.node.service.close()


def test_a_node_whose_kept_snapshots_are_lost_takes_another_at_once(tmp_path: Path) -> None:
    giver = Giver(tmp_path / "s", 9, keep_blocks=1)
    giver.node.service.close()
    shutil.rmtree(tmp_path / "s")
    giver.node = Node(giver.node.store, options=giver.options)
    giver.grow()
    assert [each.height for each in giver.listed()] == [10]
    giver.node.service.close()


def test_a_node_that_joined_and_shall_keep_no_snapshots_takes_none(giver: Giver, tmp_path: Path) -> None:
    taker = joined(giver, tmp_path / "own", every=0)
    taker.grow()
    assert not taker.listed()
    taker.node.service.close()


@pytest.mark.parametrize("believes", [False, True])
def test_who_lies_about_the_last_blocks_time_leads_no_node_away_from_the_others(
    giver: Giver, monkeypatch: pytest.MonkeyPatch, *, believes: bool
) -> None:
    """Where it is believed, the next block's transactions have expired for this node alone: the attack then works."""
    told = giver.listed()[0]
    true = read_manifest(Snapshot(told.height, told.format, told.chunks, told.hash, told.metadata))
    lie = Snapshot.of(msgspec.structs.replace(true, time_s=2**40))
    taker = Taker()
    if believes:
        monkeypatch.setattr(taker.node.service.sync._intake, "_is_own", True)
    offered = abci.Snapshot(height=8, format=1, chunks=lie.chunks, hash=lie.hash, metadata=lie.metadata)
    assert taker.offer(offered, hash_at(giver, 8)) == OFFER.ACCEPT
    for index in range(told.chunks):
        assert taker.apply(index, giver.chunk(told, index)).result == APPLY.ACCEPT
    transaction = signed("operator", post("8"), nonce=8)
    assert (taker.node.judge([transaction]) == ACCEPT) != believes
    agrees = taker.node.block(transaction).app_hash == giver.node.info().last_block_app_hash
    assert agrees != believes
    taker.node.service.close()


def test_another_form_is_rejected_so_that_the_engine_asks_for_ours(giver: Giver) -> None:
    snapshot = giver.listed()[0]
    snapshot.format += 1
    assert Taker().offer(snapshot, hash_at(giver, 8)) == OFFER.REJECT_FORMAT


def test_another_chains_or_a_false_manifest_is_rejected(giver: Giver, caplog: pytest.LogCaptureFixture) -> None:
    snapshot = giver.listed()[0]
    assert Taker(chain_id="other-1").offer(snapshot, hash_at(giver, 8)) == OFFER.REJECT
    assert Taker(chain_id="tiny-1").offer(snapshot, hash_at(giver, 8)) == OFFER.ACCEPT
    assert Taker().offer(snapshot, bytes(32)) == OFFER.REJECT, "its state is not what the header says"
    snapshot.metadata = b"nonsense"
    assert Taker().offer(snapshot, hash_at(giver, 8)) == OFFER.REJECT
    assert "snapshot refused" in caplog.text


def test_a_node_that_has_a_ledger_aborts(giver: Giver) -> None:
    taker = Taker()
    taker.node.init()
    taker.node.block(signed())
    before = taker.node.contents()
    assert taker.offer(giver.listed()[0], hash_at(giver, 8)) == OFFER.ABORT
    assert taker.node.contents() == before


def test_a_false_piece_is_fetched_again_from_somebody_else(giver: Giver) -> None:
    snapshot = giver.listed()[0]
    taker = Taker()
    taker.offer(snapshot, hash_at(giver, 8))
    told = taker.apply(0, giver.chunk(snapshot, 0)[:-1] + b"!")
    assert told.result == APPLY.RETRY
    assert list(told.refetch_chunks) == [0]
    assert list(told.reject_senders) == ["peer-1"]
    for index in range(snapshot.chunks):
        assert taker.apply(index, giver.chunk(snapshot, index)).result == APPLY.ACCEPT
    assert taker.node.info().last_block_height == 8


def test_a_snapshot_whose_pieces_fit_its_manifest_and_not_the_header_is_let_go_of(
    giver: Giver, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = giver.listed()[0]
    taker = Taker()
    taker.offer(snapshot, hash_at(giver, 8))

    def false() -> Any:
        raise SnapshotFalseError(height=8, detail="its root is another")

    monkeypatch.setattr(taker.node.service.sync._intake, "finish", false)
    results = [taker.apply(index, giver.chunk(snapshot, index)) for index in range(snapshot.chunks)]
    assert results[-1].result == APPLY.REJECT_SNAPSHOT
    assert list(results[-1].reject_senders) == ["peer-1"]


def test_a_piece_without_an_offer_is_refused() -> None:
    assert Taker().apply(0, b"x").result in (APPLY.RETRY, APPLY.REJECT_SNAPSHOT)


def test_a_new_offer_takes_the_place_of_one_that_was_not_finished(giver: Giver) -> None:
    newer, older = giver.listed()
    taker = Taker()
    taker.offer(older, hash_at(giver, 4))
    taker.apply(0, giver.chunk(older, 0))
    assert taker.offer(newer, hash_at(giver, 8)) == OFFER.ACCEPT
    for index in range(newer.chunks):
        assert taker.apply(index, giver.chunk(newer, index)).result == APPLY.ACCEPT
    assert taker.node.info().last_block_height == 8


def test_a_node_that_was_killed_while_it_took_one_in_begins_anew(giver: Giver) -> None:
    store = MemoryStore()
    snapshot = giver.listed()[0]
    taker = Taker()
    taker.node = Node(store)
    taker.offer(snapshot, hash_at(giver, 8))
    taker.apply(0, giver.chunk(snapshot, 0))
    taker.node = Node(store)
    assert not any(taker.node.contents().values())
    assert taker.offer(snapshot, hash_at(giver, 8)) == OFFER.ACCEPT
