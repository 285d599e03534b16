"""The content store in a real Kubo node, by the same rules as the folder's: C-1 to C-3."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from gridproof.connectors.content import (
    ContentAlteredError,
    ContentError,
    ContentNotStoredError,
    ContentStoreUnreachableError,
    Damage,
    FolderContent,
    KuboContent,
    find_damage,
)
from gridproof.primitives.cid import CHUNK_SIZE, MAX_LINKS, cid_v1

from tests.engines import engine
from tests.kvstore_network import free_ports
from tests.shared import ROOT
from tests.unit.connectors.content.contract import HELLO, ContentStoreContract, alter, content_of
from tools.engines.kubo_node import KuboNode

PATIENCE_S = 120.0


@dataclass(frozen=True)
class KuboPlace:
    url: str
    folder: Path

    def open(self) -> KuboContent:
        return KuboContent(self.url)

    def file(self, content: bytes) -> tuple[Path, int]:
        """The file of the content's second block, or of its only one; the node keeps each block in a file."""
        block = content[CHUNK_SIZE : 2 * CHUNK_SIZE] or content
        sized = (path for path in self.folder.glob("blocks/*/*.data") if path.stat().st_size == len(block))
        return next(path for path in sized if path.read_bytes() == block), len(block) // 2


def ask(url: str, command: str) -> tuple[int, Any]:
    """Ask the node past our own client."""
    link = HTTPConnection(url.removeprefix("http://"), timeout=30)
    with closing(link):
        link.request("POST", f"/api/v0/{command}")
        answer = link.getresponse()
        return answer.status, answer.read()


def blocks_of(folder: Path) -> int:
    return len(list(folder.glob("blocks/*/*.data")))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KuboNode]:
    with KuboNode(engine("kubo"), tmp_path_factory.mktemp("kubo")) as started:
        yield started


@pytest.fixture
def kubo(node: KuboNode) -> Iterator[KuboContent]:
    with closing(KuboContent(node.url)) as store:
        yield store


class TestKuboContent(ContentStoreContract):
    @pytest.fixture
    def place(self, node: KuboNode) -> Iterator[KuboPlace]:
        yield KuboPlace(node.url, node.folder)
        pins = json.loads(ask(node.url, "pin/ls?type=recursive")[1]).get("Keys", {})
        for pin in pins:
            assert ask(node.url, f"pin/rm?arg={pin}")[0] == 200
        assert ask(node.url, "repo/gc")[0] == 200


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 10 * 2**20, MAX_LINKS * CHUNK_SIZE, MAX_LINKS * CHUNK_SIZE + 1]
)
def test_our_names_are_those_of_the_nodes_own_program(node: KuboNode, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(content_of(size))
    command = [str(engine("kubo")), "add", "--cid-version=1", "--raw-leaves", "--only-hash", "--quieter", str(path)]
    told = subprocess.run(command, env={"IPFS_PATH": str(node.folder)}, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == cid_v1(content_of(size))


def test_content_larger_than_one_node_of_links_comes_back(kubo: KuboContent) -> None:
    content = content_of(MAX_LINKS * CHUNK_SIZE + 1)
    cid = kubo.put(content)
    assert kubo.get(cid) == content
    kubo.remove(cid)


def test_both_twins_give_the_same_names(kubo: KuboContent, tmp_path: Path) -> None:
    with closing(FolderContent(tmp_path)) as folder:
        for size in (0, 131_072, CHUNK_SIZE + 1):
            assert kubo.put(content_of(size)) == folder.put(content_of(size))


def test_the_nodes_own_settings_do_not_change_a_name(tmp_path: Path) -> None:
    node = KuboNode(engine("kubo"), tmp_path / "kubo")
    with node:
        pass
    config = json.loads((node.folder / "config").read_bytes())
    config["Import"] |= {"CidVersion": 0, "UnixFSRawLeaves": False, "UnixFSChunker": "size-1048576"}
    config["Import"] |= {"UnixFSFileMaxLinks": 1_024}
    (node.folder / "config").write_text(json.dumps(config))
    content = content_of(200 * CHUNK_SIZE + 1)
    with node, closing(KuboContent(node.url)) as store:
        assert store.get(store.put(content)) == content


# --- what only a node can do to content ----------------------------------------------------------------------------


def test_c3_unpinned_content_is_named_and_putting_again_keeps_it_from_the_collector(
    node: KuboNode, kubo: KuboContent
) -> None:
    content = content_of(2 * CHUNK_SIZE, "unpinned")
    cid = kubo.put(content)
    assert ask(node.url, f"pin/rm?arg={cid}")[0] == 200
    assert find_damage(kubo, [cid]) == [(cid, Damage.UNPINNED)]
    assert not kubo.has(cid)
    assert kubo.get(cid) == content
    kubo.put(content)
    assert ask(node.url, "repo/gc")[0] == 200
    assert find_damage(kubo, [cid]) == []


def test_c3_unpinned_content_that_was_collected_is_missing_and_putting_again_mends_it(
    node: KuboNode, kubo: KuboContent
) -> None:
    content = content_of(2 * CHUNK_SIZE, "collected")
    cid = kubo.put(content)
    assert ask(node.url, f"pin/rm?arg={cid}")[0] == 200
    assert ask(node.url, "repo/gc")[0] == 200
    assert find_damage(kubo, [cid]) == [(cid, Damage.MISSING)]
    kubo.put(content)
    assert kubo.get(cid) == content


def test_c1_the_node_hands_out_altered_bytes_and_we_do_not(node: KuboNode, kubo: KuboContent) -> None:
    content = content_of(2_000, "altered")
    cid = kubo.put(content)
    alter(KuboPlace(node.url, node.folder), content)
    status, raw = ask(node.url, f"cat?arg={cid}")
    assert status == 200
    assert raw != content
    with pytest.raises(ContentAlteredError):
        kubo.get(cid)
    kubo.remove(cid)


def test_the_nodes_own_adding_leaves_altered_bytes_and_ours_mends_them(node: KuboNode, kubo: KuboContent) -> None:
    content = content_of(2_001, "altered")
    cid = kubo.put(content)
    alter(KuboPlace(node.url, node.folder), content)
    command = [str(engine("kubo")), "add", "--cid-version=1", "--raw-leaves", "--quieter", "-"]
    subprocess.run(command, input=content, env={"IPFS_PATH": str(node.folder)}, capture_output=True, check=True)
    assert kubo.find_fault(cid) is Damage.ALTERED
    kubo.put(content)
    assert kubo.get(cid) == content


def test_an_altered_block_that_another_pin_holds_is_told(node: KuboNode, kubo: KuboContent) -> None:
    chunk = content_of(CHUNK_SIZE, "held")
    part, whole = kubo.put(chunk), kubo.put(chunk + b"x")
    alter(KuboPlace(node.url, node.folder), chunk)
    with pytest.raises(ContentNotStoredError, match="other content that is pinned shares it"):
        kubo.put(chunk)
    assert kubo.find_fault(part) is Damage.ALTERED
    kubo.remove(whole)
    assert kubo.put(chunk) == part
    assert kubo.get(part) == chunk


def test_a_folder_in_ipfs_is_no_content_of_ours(node: KuboNode, kubo: KuboContent, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    command = [str(engine("kubo")), "add", "--cid-version=1", "--quieter", "-r", str(tmp_path / "folder")]
    told = subprocess.run(command, env={"IPFS_PATH": str(node.folder)}, capture_output=True, text=True, check=True)
    with pytest.raises(ContentAlteredError):
        kubo.get(told.stdout.strip())


def test_missing_content_is_told_at_once_though_peers_could_be_asked(node: KuboNode) -> None:
    with closing(KuboContent(node.url, answer_s=600)) as store:  # for so long peers would be asked for each
        start = monotonic()
        assert find_damage(store, [cid_v1(content_of(size, "never")) for size in range(100)])
        assert monotonic() - start < 500


# --- the node comes and goes ---------------------------------------------------------------------------------------


def test_a_node_that_is_gone_is_told_and_found_again_when_it_is_back(tmp_path: Path) -> None:
    node = KuboNode(engine("kubo"), tmp_path / "kubo")
    with node:
        pass
    net, part = os.urandom(2)  # connections of this machine take ports of 127.0.0.1: this one must be free again
    host = f"127.{1 + net % 250}.{part}.1"
    config = json.loads((node.folder / "config").read_bytes())
    config["Addresses"]["API"] = f"/ip4/{host}/tcp/{free_ports([host])[0]}"
    (node.folder / "config").write_text(json.dumps(config))
    with node, closing(KuboContent(node.url)) as store:
        cid = store.put(content_of(1_000))
        node.kill()
        for ask_it in (lambda: store.put(b"x"), lambda: store.get(cid), lambda: store.remove(cid)):
            with pytest.raises(ContentStoreUnreachableError) as refusal:
                ask_it()
            assert refusal.value.setting == "content.kubo_url"
            assert refusal.value.place == node.url
        node.start()
        assert store.get(cid) == content_of(1_000)


def test_c2_a_node_killed_within_a_put_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    content = content_of(48 * 2**20)
    cid = cid_v1(content)
    node = KuboNode(engine("kubo"), tmp_path / "kubo")
    with node:
        before = blocks_of(node.folder)
        with closing(KuboContent(node.url)) as store, ThreadPoolExecutor(1) as pool:
            putting = pool.submit(store.put, content)
            while blocks_of(node.folder) == before and not putting.done():
                sleep(0.001)
            node.kill()
            told = putting.exception()
    assert told is None or isinstance(told, ContentError)
    with node, closing(KuboContent(node.url)) as store:
        fault = store.find_fault(cid)
        assert fault in (None, Damage.MISSING, Damage.UNPINNED, Damage.ALTERED)
        if fault is None:  # it was through, even if its word was not
            assert store.get(cid) == content
        assert told is not None or fault is None
        assert store.put(content) == cid
        assert store.get(cid) == content


def test_a_program_of_another_kind_at_the_address_is_told(node: KuboNode) -> None:
    swarm = json.loads(ask(node.url, "id")[1])["Addresses"][0].split("/")
    with closing(KuboContent(f"http://{swarm[2]}:{swarm[4]}", answer_s=5)) as store:
        with pytest.raises(ContentStoreUnreachableError, match=r"content\.kubo_url"):
            store.put(HELLO[0])
        with pytest.raises(ContentStoreUnreachableError, match=r"content\.kubo_url"):
            store.get(HELLO[1])


# --- the project's own script --------------------------------------------------------------------------------------


def test_the_node_talks_to_nobody(node: KuboNode) -> None:
    addresses = json.loads(ask(node.url, "id")[1])["Addresses"]
    assert addresses
    assert all(address.startswith("/ip4/127.0.0.1/tcp/") for address in addresses)
    assert json.loads(ask(node.url, "swarm/peers")[1])["Peers"] is None
    log = (node.folder / "node.log").read_text()
    assert "Swarm is limited to private network" in log
    assert (node.folder / "swarm.key").stat().st_mode & 0o077 == 0


def test_content_travels_within_a_private_network_and_not_out_of_it(tmp_path: Path) -> None:
    program, key = engine("kubo"), "5a" * 32
    with (
        KuboNode(program, tmp_path / "maker", key) as maker,
        KuboNode(program, tmp_path / "member", key) as member,
        KuboNode(program, tmp_path / "stranger") as stranger,
        closing(KuboContent(maker.url)) as here,
        closing(KuboContent(member.url)) as there,
    ):
        content = content_of(CHUNK_SIZE + 9)
        cid = here.put(content)
        (address, *_) = json.loads(ask(maker.url, "id")[1])["Addresses"]
        assert ask(stranger.url, f"swarm/connect?arg={address}")[0] == 500
        assert ask(member.url, f"swarm/connect?arg={address}")[0] == 200
        assert there.find_fault(cid) is Damage.MISSING
        assert ask(member.url, f"pin/add?arg={cid}")[0] == 200
        assert there.get(cid) == content
        assert there.has(cid)
        assert json.loads(ask(stranger.url, "swarm/peers")[1])["Peers"] is None


def test_the_script_prints_the_programs_path() -> None:
    program = engine("kubo")
    command = [sys.executable, "-m", "tools.engines", "kubo"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == f"{program}\n"


def test_a_starter_that_is_killed_leaves_no_node_behind(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tools.engines.kubo_node import KuboNode;"
        "node = KuboNode(Path(sys.argv[1]), Path(sys.argv[2])); node.start(); print(node.pid, node.port, flush=True);"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(engine("kubo")), str(tmp_path / "kubo")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid, port = map(int, starter.stdout.readline().split())
        starter.send_signal(signal.SIGKILL)
    deadline = monotonic() + PATIENCE_S
    while _runs(pid) or _listens(port):
        assert monotonic() < deadline
        sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process is there and no mere entry that nobody waited for."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
