"""Bills on a real IPFS node: made, opened, lost, found to be lost, and published again."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.engines import engine
from tests.unit.cli.home import NAMES, all_readings, founded, refused, typed, write_readings
from tools.engines.kubo_node import KuboNode


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KuboNode]:
    with KuboNode(engine("kubo"), tmp_path_factory.mktemp("kubo")) as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, node: KuboNode) -> Path:
    """A community whose bills of October lie in Kubo."""
    root = founded(tmp_path_factory.mktemp("kubo-home") / "home")
    settings = (root / "gridproof.toml").read_text()
    settings = settings.replace('store = "folder"', 'store = "kubo"')
    settings = settings.replace('kubo_url = "http://127.0.0.1:5001"', f'kubo_url = "{node.url}"')
    (root / "gridproof.toml").write_text(settings)
    typed("meter", "enrol", *NAMES, "-C", root)
    typed("readings", "import", write_readings(root.parent / "readings.csv", all_readings()), "-C", root)
    typed("run", "--until", "2025-11-09", "-C", root)
    told = typed("bill", "make", "--month", "2025-10", "-C", root, "--json").json
    assert [month["made"] for month in told["months"]] == [len(NAMES)]
    return root


def call(node: KuboNode, path: str) -> bytes:
    """Ask the node itself, past our own client."""
    with closing(HTTPConnection("127.0.0.1", node.port, timeout=30)) as connection:
        connection.request("POST", f"/api/v0/{path}")
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body


def cid_of(home: Path, name: str) -> str:
    rows = typed("bill", "list", name, "-C", home, "--json").json["bills"]
    cid = rows[0]["cid"]
    assert isinstance(cid, str)
    return cid


def test_a_bill_lies_pinned_under_the_name_that_the_ledger_has(home: Path, node: KuboNode) -> None:
    cid = cid_of(home, "Ada")
    assert list(json.loads(call(node, f"pin/ls?arg={quote(cid)}"))["Keys"]) == [cid]
    assert len(call(node, f"cat?arg={quote(cid)}")) > 2**14
    assert not list((home / "public").glob("content/**/*"))
    assert typed("bill", "show", "Ada", "-C", home, "--json").json["ok"] is True


def test_an_unpinned_bill_is_named_and_published_again(home: Path, node: KuboNode) -> None:
    cid = cid_of(home, "Bo")
    call(node, f"pin/rm?arg={quote(cid)}")
    found = typed("bill", "check", "-C", home, "--json", code=1).json["damaged"]
    assert found == [{"cid": cid, "damage": "unpinned", "mended": False, "problem": None}]
    call(node, "repo/gc")
    assert typed("bill", "check", "-C", home, "--json", code=1).json["damaged"][0]["damage"] == "missing"
    refused("bill", "show", "Bo", "-C", home, error="ContentMissingError")
    mended = typed("bill", "check", "--mend", "-C", home, "--json").json["damaged"]
    assert mended == [{"cid": cid, "damage": "missing", "mended": True, "problem": None}]
    assert typed("bill", "check", "-C", home, "--json").json["damaged"] == []
    assert typed("bill", "show", "Bo", "-C", home, "--json").json["ok"] is True


def test_a_node_that_is_away_is_told_by_the_setting_that_names_it(home: Path) -> None:
    path = home / "gridproof.toml"
    settings = path.read_text()
    away = re.sub(r'kubo_url = "[^"]*"', 'kubo_url = "http://127.0.0.1:9"', settings)
    path.write_text(away)
    try:
        done = refused("bill", "show", "Ada", "-C", home, error="ContentStoreUnreachableError")
    finally:
        path.write_text(settings)
    assert done.json["particulars"]["setting"] == "content.kubo_url"
