"""A node's folder: made whole or not at all, its secrets its owner's alone."""

import json
import os
import shutil
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.community import staging
from gridproof.actors.community.errors import FolderUnmadeError
from gridproof.actors.community.staging import STAGING
from gridproof.actors.node.errors import NodeFolderTakenError, NodeSettingsError, NoNodeError
from gridproof.actors.node.folder import NodeFolder, has_blocks, height_of
from gridproof.actors.node.founding import make_node
from gridproof.actors.node.settings import SyncSection, load
from gridproof.actors.proofs.anchor import PERIOD_S
from gridproof.connectors import files
from gridproof.drivers.cometbft.engine import read_signer_file
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.errors import FolderUnusableError

from tests.tiny.app import tiny, tiny_genesis
from tests.unit.actors.node.homes import COMPANY_KEYS, NODE_KEY, SIGNER, birth, mode, node_in, settings
from tests.unit.drivers.scenes import OPTIONS, grow


def test_a_folder_holds_all_that_a_node_starts_from(tmp_path: Path) -> None:
    of = settings()
    folder = node_in(tmp_path / "node", of)
    assert load(folder.root) == of
    assert folder.genesis.read_bytes() == tiny_genesis()
    assert read_signer_file(folder.signer_key.read_bytes(), "") == SIGNER
    assert read_signer_file(folder.node_key.read_bytes(), "") == NODE_KEY
    assert json.loads(folder.signer_state.read_bytes()) == {"height": "0", "round": 0, "step": 0}
    assert folder.key_file("Alpha Energy").read_bytes() == COMPANY_KEYS
    assert json.loads(folder.engine_genesis.read_bytes())["chain_id"] == "tiny-1"
    folder.require_node()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_folders_have_mode_0700_and_secrets_0600_whatever_the_mask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        folder = node_in(tmp_path / "node")
    finally:
        os.umask(before)
    for place in (folder.root, *(path for path in folder.root.rglob("*") if path.is_dir())):
        assert mode(place) == 0o700, place
    secrets = folder.secret_files
    assert secrets == sorted([folder.signer_key, folder.node_key, folder.key_file("Alpha Energy")])
    assert [mode(path) for path in (*secrets, folder.signer_state)] == [0o600] * 4


def test_a_company_may_keep_its_keys_elsewhere(tmp_path: Path) -> None:
    folder = make_node(tmp_path / "node", birth(keys=None))
    assert list(folder.keys.iterdir()) == []


def test_no_secret_is_shown(tmp_path: Path) -> None:
    shown = repr(birth()) + str(birth())
    for secret in (SIGNER.seed, NODE_KEY.seed, COMPANY_KEYS):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_no_secret_stands_in_a_file_that_is_none(tmp_path: Path) -> None:
    folder = node_in(tmp_path / "node")
    secrets = set(folder.secret_files)
    needles = [COMPANY_KEYS]
    for key in (SIGNER, NODE_KEY):
        needles += [key.seed, key.seed.hex().encode(), b64encode(key.seed)[:40]]
    assert all(any(needle in path.read_bytes() for needle in needles) for path in secrets)  # the control
    for path in folder.root.rglob("*"):
        if path.is_file() and path not in secrets:
            assert not any(needle in path.read_bytes() for needle in needles), path


def test_an_empty_folder_is_filled_and_one_with_something_in_it_stays(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    node_in(tmp_path / "empty").require_node()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("keep")
    (tmp_path / "file").write_text("keep")
    for place in ("full", "file", "empty"):
        with pytest.raises(NodeFolderTakenError):
            node_in(tmp_path / place)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_folders_above_that_are_missing_are_made_private(tmp_path: Path) -> None:
    folder = node_in(tmp_path / "a" / "b" / "node")
    assert mode(tmp_path / "a") == 0o700
    folder.require_node()


def test_settings_with_a_fault_make_nothing(tmp_path: Path) -> None:
    of = settings()
    with pytest.raises(NodeSettingsError):
        node_in(tmp_path / "node", replace(of, engine=replace(of.engine, external="no address")))
    assert list(tmp_path.iterdir()) == []


class Fails:
    """Lets a call pass so often, and then fails as a full disk does."""

    def __init__(self, call: Any, after: int) -> None:
        self._call, self._left = call, after

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise OSError(28, "No space left on device")
        return self._call(*arguments, **more)


@pytest.mark.parametrize("after", range(7))
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    monkeypatch.setattr(files, "_write_synced", Fails(files._write_synced, after))
    with pytest.raises(FolderUnmadeError) as refused:
        node_in(tmp_path / "node")
    assert "No space left" in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    node_in(tmp_path / "node").require_node()  # and it can be tried again


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("there", [False, True])
def test_a_rename_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, after: int
) -> None:
    rename, count = Path.rename, iter(range(99))

    def failing_once(path: Path, target: Path) -> Path:
        if next(count) == (after if there else 0):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    if there:
        (tmp_path / "node").mkdir()
    monkeypatch.setattr(Path, "rename", failing_once)
    with pytest.raises(FolderUnmadeError):
        node_in(tmp_path / "node")
    assert list(tmp_path.rglob("*")) == ([tmp_path / "node"] if there else [])
    node_in(tmp_path / "node").require_node()  # and it can be tried again


def test_a_folder_that_is_there_is_filled_and_not_exchanged(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    before = (tmp_path / "node").stat().st_ino
    (tmp_path / "node" / f"{STAGING}node.abcd1234").mkdir()  # of one that was killed
    node_in(tmp_path / "node").require_node()
    assert (tmp_path / "node").stat().st_ino == before
    assert mode(tmp_path / "node") == 0o700
    assert not list((tmp_path / "node").glob(f"{STAGING}*"))


def test_what_a_founding_that_was_killed_left_goes_with_its_secrets_and_others_stay(tmp_path: Path) -> None:
    mine, other = (tmp_path / f"{STAGING}{name}.abcd1234" for name in ("a[b]", "node"))
    for left in (mine, other):
        (left / "signer").mkdir(parents=True)
        (left / "signer" / "key.json").write_bytes(SIGNER.seed)
    node_in(tmp_path / "a[b]")
    assert sorted(tmp_path.iterdir()) == [other, tmp_path / "a[b]"]


def test_a_founding_that_is_killed_leaves_what_the_next_one_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *_args, **_more: None)  # who is killed removes nothing
    monkeypatch.setattr(Path, "rename", Fails(Path.rename, 0))
    with pytest.raises(FolderUnmadeError):
        node_in(tmp_path / "node")
    monkeypatch.undo()
    (left,) = tmp_path.iterdir()
    assert (left / "signer" / "key.json").exists()
    node_in(tmp_path / "node")
    assert list(tmp_path.iterdir()) == [tmp_path / "node"]


def test_a_folder_above_that_takes_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "mkdtemp", Fails(None, 0))
    with pytest.raises(FolderUnmadeError):
        node_in(tmp_path / "node")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FolderUnmadeError):
        node_in(tmp_path / "file" / "node")


# --- the folder ------------------------------------------------------------------------------------------------------


def test_a_folder_without_settings_is_no_node(tmp_path: Path) -> None:
    with pytest.raises(NoNodeError) as refused:
        NodeFolder(tmp_path).require_node()
    assert refused.value.folder == str(tmp_path)


def test_a_state_is_found_by_its_height_and_no_state_is_height_0(tmp_path: Path) -> None:
    folder = node_in(tmp_path / "node")
    assert height_of(folder) == 0
    with EmbeddedLedger.at(folder.ledger, tiny, tiny_genesis(), OPTIONS) as ledger:
        grow(ledger, 3)
    assert height_of(folder) == 3


def test_an_engine_has_blocks_once_its_store_is_there(tmp_path: Path) -> None:
    folder = node_in(tmp_path / "node")
    assert not has_blocks(folder)
    (folder.engine_data / "blockstore.db").mkdir()
    assert has_blocks(folder)


def test_the_socket_lies_in_the_folder_or_in_a_private_place_under_a_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert NodeFolder(Path("/n")).socket == Path("/n/node.sock")
    deep = NodeFolder(Path("/" + "x" * 120))
    holder = tmp_path / f"gridproof-{os.getuid()}"
    assert deep.socket.parent == holder
    assert deep.socket == NodeFolder(Path("/" + "x" * 120)).socket, "the engine finds it there"
    assert deep.socket != NodeFolder(Path("/" + "y" * 120)).socket
    assert len(deep.socket.name) < 32
    assert mode(holder) == 0o700


def test_a_place_for_sockets_that_somebody_else_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    holder = tmp_path / f"gridproof-{os.getuid()}"
    deep = NodeFolder(Path("/" + "x" * 120))
    holder.mkdir()
    holder.chmod(0o755)
    with pytest.raises(FolderUnusableError):
        _ = deep.socket
    holder.chmod(0o700)
    assert deep.socket.parent == holder
    holder.rename(tmp_path / "elsewhere")
    holder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderUnusableError):
        _ = deep.socket
    holder.unlink()
    holder.mkdir(0o700)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    (tmp_path / f"gridproof-{os.geteuid() + 1}").mkdir(0o700)
    with pytest.raises(FolderUnusableError):
        _ = deep.socket


def test_headers_are_trusted_for_less_time_than_validators_can_be_called_to_account(tmp_path: Path) -> None:
    """Else a company that left could sign a false past, and no evidence of it would count any more."""
    document = json.loads(node_in(tmp_path / "node").engine_genesis.read_bytes())
    accountable_s = int(document["consensus_params"]["evidence"]["max_age_duration"]) // 10**9
    sync_s = SyncSection(servers=("http://a:1", "http://b:1"), height=1, header_hash="ab" * 32).trust_s
    assert max(PERIOD_S, sync_s) < accountable_s
