"""The settings choose the content store; what damage there is can be named for a whole community."""

from pathlib import Path

from gridproof.connectors.config import Aggregator, Community, Content, Paths, Region, Settings
from gridproof.connectors.content import FolderContent, KuboContent, open_content

from .contract import HELLO


def settings(content: Content | None = None, paths: Paths | None = None) -> Settings:
    return Settings(
        community=Community(name="Sonnenrain", zone="Europe/Zurich", currency="CHF"),
        regions=(Region(number=1, name="Nord"),),
        aggregators=(Aggregator(name="a"),),
        content=content or Content(),
        paths=paths or Paths(),
    )


def test_a_community_keeps_content_in_its_folder_unless_told_otherwise(tmp_path: Path) -> None:
    store = open_content(settings(), tmp_path)
    assert isinstance(store, FolderContent)
    assert not list(tmp_path.iterdir())
    store.put(HELLO[0])
    store.close()
    assert (tmp_path / "public" / "content" / HELLO[1][-3:-1] / HELLO[1]).read_bytes() == HELLO[0]


def test_the_folder_can_be_moved(tmp_path: Path) -> None:
    store = open_content(settings(paths=Paths(content="elsewhere")), tmp_path)
    store.put(HELLO[0])
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_a_community_can_keep_content_in_kubo(tmp_path: Path) -> None:
    store = open_content(settings(Content(store="kubo", kubo_url="http://127.0.0.1:5999")), tmp_path)
    assert isinstance(store, KuboContent)
    assert store._rpc.url == "http://127.0.0.1:5999"
    store.close()
    assert not list(tmp_path.iterdir())
