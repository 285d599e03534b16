"""Mending a node's folder: the key never signs twice, and nothing is removed."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace as Namespace

import pytest

from gridproof.actors.node import recovering
from gridproof.actors.node.errors import (
    NetworkUnlikeError,
    NodeRunsError,
    NoNodeError,
    NothingToRecoverError,
    SignerStateLostError,
    VoteNeededError,
)
from gridproof.actors.node.folder import NodeFolder, height_of
from gridproof.actors.node.recovering import MARGIN, Recovered, recover
from gridproof.actors.node.settings import SyncSection, load, with_sync
from gridproof.actors.node.supervisor import require_whole
from gridproof.connectors.engine_headers import EngineRpc
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.embedded import EmbeddedLedger, FolderLock

from tests.tiny.app import tiny, tiny_genesis
from tests.unit.actors.node.homes import Rpc, mode, node_in, rpc
from tests.unit.drivers.scenes import OPTIONS, grow

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def folder(tmp_path: Path) -> NodeFolder:
    made = node_in(tmp_path / "node")
    (made.engine_data / "blockstore.db").mkdir()
    with EmbeddedLedger.at(made.ledger, tiny, tiny_genesis(), OPTIONS) as ledger:
        grow(ledger, 2)
    return made


def signed_up_to(folder: NodeFolder) -> int:
    told = json.loads(folder.signer_state.read_bytes())
    assert told["step"] == (3 if int(told["height"]) else 0)
    return int(told["height"])


def at(height: int, folder: NodeFolder, *, anew: bool = False) -> Recovered:
    with rpc() as other:
        other.status(height)
        return recover(folder, other.url, anew=anew)


def test_where_nothing_is_missing_nothing_is_changed(folder: NodeFolder) -> None:
    before = folder.signer_state.read_bytes()
    with pytest.raises(NothingToRecoverError):
        recover(folder, NOBODY)
    assert folder.signer_state.read_bytes() == before
    assert height_of(folder) == 2


def test_a_lost_record_is_moved_past_all_that_the_network_decided(folder: NodeFolder) -> None:
    folder.signer_state.unlink()
    folder.stopped.write_text("{}")
    done = at(500, folder)
    assert done == Recovered(500 + MARGIN, (), 500)
    assert signed_up_to(folder) == 500 + MARGIN
    assert mode(folder.signer_state) == 0o600
    assert height_of(folder) == 2, "the state stayed"
    assert not folder.stopped.exists()
    require_whole(folder)


def test_lost_blocks_lay_the_state_aside_and_leave_the_record(folder: NodeFolder) -> None:
    folder.signer_state.write_bytes(signer_state_file(77))
    (folder.engine_data / "blockstore.db").rmdir()
    done = at(500, folder)
    assert (done.silent_until, done.trusted) == (None, None)
    assert load(folder.root).sync is None, "the others still have all blocks"
    assert signed_up_to(folder) == 77
    assert {path.name for path in done.laid_aside} == {"ledger.aside-1", "data.aside-1"}
    assert all(path.is_dir() for path in done.laid_aside)
    assert (folder.root / "ledger.aside-1" / folder.database.name).exists()
    assert height_of(folder) == 0
    assert [mode(path) for path in (folder.ledger, folder.engine_data)] == [0o700] * 2
    require_whole(folder)


def test_a_lost_state_alone_is_no_loss(folder: NodeFolder) -> None:
    folder.ledger.rename(folder.root / "gone")
    with pytest.raises(NothingToRecoverError):
        recover(folder, NOBODY)


def test_anew_lays_all_aside_each_time_under_a_name_of_its_own(folder: NodeFolder) -> None:
    at(10, folder, anew=True)
    assert height_of(folder) == 0
    done = at(11, folder, anew=True)
    assert {path.name for path in done.laid_aside} == {"ledger.aside-2", "data.aside-2"}
    assert (folder.root / "ledger.aside-1").exists()


@pytest.mark.parametrize(("known", "network", "then"), [(0, 100, 100 + MARGIN), (900, 100, 901), (50, 100, 120)])
def test_a_record_never_goes_back_whatever_the_other_node_says(
    folder: NodeFolder, known: int, network: int, then: int
) -> None:
    """It may be behind, or lie: what the key has signed it has signed, and at its last height perhaps later rounds."""
    folder.signer_state.write_bytes(signer_state_file(known))
    assert at(network, folder, anew=True).silent_until == then
    assert signed_up_to(folder) == then


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"height": null}', b"[" * 60_000])
def test_a_record_that_cannot_be_read_counts_as_none(folder: NodeFolder, raw: bytes) -> None:
    folder.signer_state.write_bytes(raw)
    with pytest.raises(SignerStateLostError):
        require_whole(folder)
    assert at(100, folder).silent_until == 100 + MARGIN


def test_without_the_networks_height_nothing_is_changed(folder: NodeFolder) -> None:
    folder.signer_state.unlink()
    for anew in (False, True):
        with pytest.raises(NetworkUnlikeError):
            recover(folder, NOBODY, anew=anew)
    with rpc() as other:
        other.told["status"] = {"sync_info": {"latest_block_height": "many"}}
        with pytest.raises(NetworkUnlikeError):
            recover(folder, other.url)
    assert not folder.signer_state.exists()
    assert height_of(folder) == 2


def test_a_node_of_another_network_or_one_that_is_behind_tells_nothing(folder: NodeFolder) -> None:
    """By its height the key could sign what it has signed already."""
    folder.signer_state.unlink()
    with rpc() as other:
        other.status(3, catching_up=True)
        with pytest.raises(NetworkUnlikeError, match="still fetches"):
            recover(folder, other.url)
        other.status(3)
        other.told["status"]["node_info"]["network"] = "tiny-2"
        with pytest.raises(NetworkUnlikeError, match="tiny-2"):
            recover(folder, other.url)
        assert not folder.signer_state.exists()
        other.status(3)
        assert recover(folder, other.url).silent_until == 3 + MARGIN


def test_a_key_is_not_silenced_where_no_block_comes_without_its_vote(folder: NodeFolder) -> None:
    """The heights that it is silent for would never come. Two thirds are too little: it takes more."""
    folder.signer_state.unlink()
    with rpc() as other:
        other.status(3)
        for powers in ((10, 10, 10), (20, 10, 10, 10), (1, 2)):  # two thirds, three fifths, two thirds
            other.validators(*powers)
            with pytest.raises(VoteNeededError) as needed:
                recover(folder, other.url, anew=True)
            assert (needed.value.power, needed.value.total) == (powers[0], sum(powers))
        assert not folder.signer_state.exists()
        assert height_of(folder) == 2, "nothing was laid aside"
        assert recover(folder, other.url, sure=True).silent_until == 3 + MARGIN


@pytest.mark.parametrize("powers", [(10, 10, 11), (0, 10), (10, 10, 10, 10), (1, 1, 2)])
def test_where_the_others_suffice_or_it_has_no_vote_the_key_is_silenced(
    folder: NodeFolder, powers: tuple[int, ...]
) -> None:
    folder.signer_state.unlink()
    with rpc() as other:
        other.status(3)
        other.validators(*powers)
        assert recover(folder, other.url).silent_until == 3 + MARGIN


# --- by which header it joins ----------------------------------------------------------------------------------------


class Network:
    """An RPC whose headers are known by their heights, each a minute after the one before."""

    def __init__(self, other: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self._other = other.url, other
        other.status(900, earliest_block_height="800")
        monkeypatch.setattr(EngineRpc, "light_block", lambda _rpc, height: Namespace(header=self._header(height)))
        monkeypatch.setattr(recovering, "header_hash", lambda header: hash_of(header.height))

    def _header(self, height: int) -> Namespace:
        return Namespace(height=height, time=Namespace(seconds=60 * height))


def soon_after() -> float:
    """Soon after the last header."""
    return 60 * 900 + 10.0


def hash_of(height: int) -> bytes:
    return height.to_bytes(32, "big")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    with rpc() as other:
        yield Network(other, monkeypatch)


def with_header(folder: NodeFolder, height: int, header: bytes, trust_s: int = 600) -> SyncSection:
    sync = SyncSection(servers=("http://a:1", "http://b:1"), height=height, header_hash=header.hex(), trust_s=trust_s)
    folder.settings.write_bytes(with_sync(folder.root, sync))
    return sync


def test_where_the_others_let_go_of_their_first_blocks_all_is_fetched_by_a_snapshot(
    folder: NodeFolder, network: Network
) -> None:
    """By blocks alone it would wait for ever for the first one."""
    done = recover(folder, network.url, anew=True, clock=soon_after)
    assert done.trusted == (900, hash_of(900))
    sync = load(folder.root).sync
    assert sync is not None
    assert (sync.height, sync.header_hash, len(sync.servers)) == (900, hash_of(900).hex(), 2)


def test_a_header_that_is_too_old_to_be_trusted_is_replaced_by_a_fresh_one(
    folder: NodeFolder, network: Network
) -> None:
    old = with_header(folder, 850, hash_of(850))
    done = recover(folder, network.url, anew=True, clock=lambda: 60 * 850 + 600.0)
    assert done.trusted == (900, hash_of(900))
    sync = load(folder.root).sync
    assert sync is not None
    assert (sync.height, sync.trust_s) == (900, old.trust_s)


def test_a_header_that_nobody_has_any_more_is_replaced_too(folder: NodeFolder, network: Network) -> None:
    with_header(folder, 799, hash_of(799))
    assert recover(folder, network.url, anew=True, clock=lambda: 0.0).trusted == (900, hash_of(900))


def test_a_header_that_may_still_be_trusted_stays(folder: NodeFolder, network: Network) -> None:
    """Somebody may have compared it with what other members say."""
    sync = with_header(folder, 850, hash_of(850))
    assert recover(folder, network.url, anew=True, clock=lambda: 60 * 850 + 599.0).trusted is None
    assert load(folder.root).sync == sync


def test_a_network_at_rest_for_longer_than_headers_are_trusted_has_none_to_join_by(
    folder: NodeFolder, network: Network
) -> None:
    """The node would start, and wait for ever: an idle network's last block has the time of the votes before it."""
    before = with_header(folder, 850, hash_of(850))
    with pytest.raises(NetworkUnlikeError, match="wait for new blocks"):
        recover(folder, network.url, anew=True, clock=lambda: 60 * 900 + 600.0)
    assert load(folder.root).sync == before
    assert height_of(folder) == 2, "nothing was laid aside"


def test_a_network_that_has_another_header_than_the_trusted_one_is_another(
    folder: NodeFolder, network: Network
) -> None:
    before = with_header(folder, 850, hash_of(1))
    with pytest.raises(NetworkUnlikeError, match="not the one that this node trusts"):
        recover(folder, network.url, anew=True)
    assert load(folder.root).sync == before
    assert height_of(folder) == 2, "nothing was laid aside"


def test_a_node_that_never_joined_is_given_a_fresh_header_alone(folder: NodeFolder, network: Network) -> None:
    """Made long ago and started now: nothing else is missing."""
    folder.ledger.rename(folder.root / "gone")
    with_header(folder, 850, hash_of(850))
    before = folder.signer_state.read_bytes()
    with pytest.raises(NothingToRecoverError):
        recover(folder, network.url, clock=lambda: 60 * 850.0)
    done = recover(folder, network.url, clock=soon_after)
    assert done == Recovered(None, (), None, (900, hash_of(900)))
    assert folder.signer_state.read_bytes() == before
    assert folder.engine_data.exists()


def test_a_node_that_has_nothing_yet_needs_a_header_only_where_the_first_blocks_are_gone(
    tmp_path: Path, network: Network
) -> None:
    new = node_in(tmp_path / "new")
    network._other.status(900)
    with pytest.raises(NothingToRecoverError):
        recover(new, network.url)
    network._other.status(900, earliest_block_height="2")
    assert recover(new, network.url, clock=soon_after).trusted == (900, hash_of(900))


def test_a_network_of_another_name_gives_no_header(folder: NodeFolder, network: Network) -> None:
    network._other.told["status"]["node_info"]["network"] = "tiny-2"
    (folder.engine_data / "blockstore.db").rmdir()
    with pytest.raises(NetworkUnlikeError, match="tiny-2"):
        recover(folder, network.url)
    assert height_of(folder) == 2


def test_who_is_killed_before_the_state_is_laid_aside_finds_the_key_silent(
    folder: NodeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old record beside an empty folder would start, and sign twice."""
    folder.signer_state.write_bytes(signer_state_file(4))

    def killed(_path: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(recovering, "_lay_aside", killed)
    with pytest.raises(KeyboardInterrupt):
        at(100, folder, anew=True)
    assert signed_up_to(folder) == 100 + MARGIN


def test_a_node_that_runs_is_left_alone_and_none_starts_meanwhile(folder: NodeFolder) -> None:
    lock = FolderLock(folder.root)
    with pytest.raises(NodeRunsError):
        recover(folder, NOBODY, anew=True)
    lock.release()
    assert height_of(folder) == 2
    at(5, folder, anew=True)
    FolderLock(folder.root).release()  # it was let go


def test_where_there_is_no_node_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoNodeError):
        recover(NodeFolder(tmp_path), NOBODY)
    assert list(tmp_path.iterdir()) == []
