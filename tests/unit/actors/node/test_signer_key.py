"""A node without the key that it votes with does not start: its engine would make one that nobody gave a vote."""

from pathlib import Path

import pytest

from gridproof.actors.node.errors import LastingError, SignerKeyLostError
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.founding import Birth, make_node
from gridproof.actors.node.recovering import recover
from gridproof.actors.node.settings import EngineSection, NodeSection, NodeSettings
from gridproof.actors.node.supervisor import require_whole
from gridproof.drivers.cometbft.engine import EngineKey

SETTINGS = NodeSettings(
    node=NodeSection(name="Acme", chain_id="chain-1"),
    engine=EngineSection(rpc="127.0.0.1:1", p2p="127.0.0.1:2", external="127.0.0.1:2"),
)


@pytest.fixture
def folder(tmp_path: Path) -> NodeFolder:
    return make_node(tmp_path / "n", Birth(SETTINGS, EngineKey(b"s" * 32), EngineKey(b"n" * 32), b"{}", b"{}"))


def test_a_node_whose_key_is_gone_is_not_whole(folder: NodeFolder) -> None:
    require_whole(folder)
    folder.signer_key.unlink()
    with pytest.raises(SignerKeyLostError) as refused:
        require_whole(folder)
    assert refused.value.path == str(folder.signer_key)
    assert isinstance(refused.value, LastingError)


@pytest.mark.parametrize("anew", [False, True])
def test_no_recovery_makes_another_key(folder: NodeFolder, *, anew: bool) -> None:
    folder.signer_key.unlink()
    before = set(folder.root.rglob("*"))
    with pytest.raises(SignerKeyLostError):
        recover(folder, "http://127.0.0.1:1", anew=anew)
    assert set(folder.root.rglob("*")) - {folder.root / "lock"} == before
