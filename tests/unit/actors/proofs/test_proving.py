"""Files are made of as few headers as the rotation of validators allows, and what cannot be proven is said."""

from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.errors import LedgerMovedError
from gridproof.actors.proofs import proving
from gridproof.actors.proofs.anchor import FORMAT, Anchor, anchor_of, read_anchor, write_anchor
from gridproof.actors.proofs.errors import (
    AnchorTooYoungError,
    HeaderAwaitedError,
    HeaderDiffersError,
    NodesDisagreeError,
    TooFewNodesError,
    TrustFileError,
)
from gridproof.actors.proofs.proving import Stated, agreed_block, find_header, lead
from gridproof.actors.proofs.statements import StateRoot
from gridproof.connectors.engine_headers import EngineRefusedError, EngineUnreachableError
from gridproof.connectors.files import FileExistsAlreadyError
from gridproof.light import LightError, header_hash
from gridproof.light.errors import NotSuccessorsError, OtherAnchorError

from .proven import NOW, PERIOD_S, Prover, records
from tests.light_chain import CHAIN, FOUR, Network, Powers, make_header, sign, trusted
from tests.simulation.billed import BilledVillage

ROOT = bytes(range(32))


def rotating() -> dict[int, Powers]:
    """One validator in four changes at every tenth height."""
    return {1 + 10 * step: {1 + step + seat: 10 for seat in range(4)} for step in range(10)}


def test_one_header_is_enough_where_the_validators_stay() -> None:
    network = Network(latest=100)
    start = trusted(network.light_block(1))
    first, blocks = lead(network, anchor_of(start, PERIOD_S), network.light_block(100), NOW)
    assert first == start
    assert [block.header.height for block in blocks] == [100]


def test_the_way_is_halved_where_too_few_of_the_trusted_validators_are_left() -> None:
    network = Network(rotation=rotating(), latest=100)
    anchor = anchor_of(trusted(network.light_block(1)), PERIOD_S)
    _, blocks = lead(network, anchor, network.light_block(100), NOW)
    heights = [block.header.height for block in blocks]
    assert heights == sorted(heights)
    assert heights[-1] == 100
    assert 3 <= len(heights) <= 8


def test_a_set_that_changes_as_a_whole_is_followed_only_at_the_change() -> None:
    network = Network(rotation={50: {7: 1, 8: 1, 9: 1}}, latest=100)
    anchor = anchor_of(trusted(network.light_block(1)), PERIOD_S)
    _, blocks = lead(network, anchor, network.light_block(100), NOW)
    assert [block.header.height for block in blocks][-3:] == [49, 50, 100]


def test_a_next_block_by_others_than_were_announced_ends_the_way() -> None:
    network = Network(latest=2)
    anchor = anchor_of(trusted(network.light_block(1)), PERIOD_S)
    others = {7: 10, 8: 10}
    with pytest.raises(NotSuccessorsError):
        lead(network, anchor, sign(make_header(2, others, others), others), NOW)


def test_the_trusted_header_must_be_the_networks_and_not_younger() -> None:
    network = Network(latest=9)
    anchor = anchor_of(trusted(network.light_block(5)), PERIOD_S)
    with pytest.raises(AnchorTooYoungError) as young:
        lead(network, anchor, network.light_block(4), NOW)
    assert (young.value.trusted, young.value.height) == (5, 4)
    with pytest.raises(OtherAnchorError):
        lead(Network(rotation={1: {9: 1}}), anchor, network.light_block(9), NOW)


def test_the_header_after_the_state_tells_it_and_so_does_the_last_one_where_nothing_changed() -> None:
    network = Network(latest=8)
    network.tells(8, ROOT)
    assert find_header(network, (7, ROOT)).header.height == 8
    assert find_header(network, (8, ROOT)).header.height == 8


def test_a_header_that_is_not_there_yet_is_awaited() -> None:
    network = Network(latest=5)
    network.tells(8, ROOT)
    with pytest.raises(HeaderAwaitedError) as awaited:
        find_header(network, (7, ROOT), patience_s=0)
    assert (awaited.value.height, awaited.value.latest) == (8, 5)
    network.grows = True
    assert find_header(network, (7, ROOT)).header.height == 8


def test_a_network_with_another_state_is_not_the_ledgers() -> None:
    with pytest.raises(HeaderDiffersError) as differs:
        find_header(Network(latest=9), (7, ROOT))
    assert differs.value.height == 8


def test_records_of_a_ledger_that_moves_on_each_time_are_not_proven(
    village: BilledVillage, prover: Prover, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = records(village)
    moved = proving.state_entry(village.client, "region", 1)._replace(state=(0, bytes(32)))
    monkeypatch.setattr(proving, "state_entry", lambda *_: moved)
    file: Any = made.statement
    with pytest.raises(LedgerMovedError):
        proving.own_records(village.client, lambda: file.file)


def test_a_households_file_says_the_height_of_the_header_that_tells_its_state(
    village: BilledVillage, prover: Prover
) -> None:
    later = prover.network.latest + 3
    stated = records(village)
    found = proving.prove(prover.network, prover.anchor, stated, NOW)
    assert prover.check(found, household=True).header.header.height == prover.network.latest
    again = proving._placed(stated.statement, later)
    assert again.file.height == later  # type: ignore[union-attr]
    assert proving._placed(StateRoot(), later) == StateRoot()


# --- the anchor


def test_nodes_that_agree_give_a_header_to_trust() -> None:
    nodes: list[Any] = [Network(), Network()]
    assert agreed_block(nodes) == (trusted(nodes[0].light_block(10)), 2, ())
    assert agreed_block(nodes, 3).block.header.height == 3


class Silent(Network):
    """A node that does not answer from a question on: the height, or the block."""

    url = "http://127.0.0.1:1"

    def __init__(self, *, tells_height: bool = False) -> None:
        super().__init__()
        self.tells_height = tells_height

    def latest_height(self) -> int:
        if not self.tells_height:
            raise EngineUnreachableError(url=self.url, detail="refused")
        return super().latest_height()

    def light_block(self, height: int) -> Any:
        raise EngineRefusedError(url=self.url, detail=f"no block {height}")


@pytest.mark.parametrize("tells_height", [False, True])
def test_nodes_that_do_not_answer_are_passed_over_where_two_others_agree(tells_height: bool) -> None:
    nodes: list[Any] = [Silent(tells_height=tells_height), Network(), Network()]
    for height in (None, 3):
        agreed = agreed_block(nodes, height)
        assert (agreed.nodes, agreed.silent) == (2, (Silent.url,))


@pytest.mark.parametrize("tells_height", [False, True])
def test_one_node_of_several_agrees_with_nobody(tells_height: bool) -> None:
    assert agreed_block([Network()]).nodes == 1, "the only one that was named is enough"
    silent = Silent(tells_height=tells_height)
    with pytest.raises(TooFewNodesError) as few:
        agreed_block([Network(), silent])
    assert (few.value.named, few.value.silent) == (2, Silent.url)
    with pytest.raises((EngineUnreachableError, EngineRefusedError)):
        agreed_block([silent])


def test_nodes_that_disagree_give_none_where_another_is_silent() -> None:
    other = Network()
    other.tells(1, ROOT)
    with pytest.raises(NodesDisagreeError):
        agreed_block([Silent(), Network(), other], 3)


def test_nodes_that_do_not_agree_give_none() -> None:
    other = Network()
    other.tells(1, ROOT)
    with pytest.raises(NodesDisagreeError) as disagree:
        agreed_block([Network(), other], 3)
    assert disagree.value.height == 3


def test_a_node_whose_block_does_not_hold_together_gives_none() -> None:
    class Broken(Network):
        def light_block(self, height: int) -> Any:
            good = super().light_block(height)
            return sign(make_header(height, {9: 1}, {9: 1}), FOUR) if height else good

    with pytest.raises(LightError):
        agreed_block([Broken()])


def test_an_anchor_is_written_once_and_read_again(tmp_path: Path) -> None:
    block = trusted(Network().light_block(4))
    anchor = anchor_of(block)
    write_anchor(tmp_path / "trust.json", anchor)
    assert read_anchor(tmp_path / "trust.json") == anchor
    assert anchor.hash == header_hash(block.header)
    with pytest.raises(FileExistsAlreadyError):
        write_anchor(tmp_path / "trust.json", anchor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format":"gridproof/trust","version":2,"chain_id":"x","height":1,"header":"00","period_s":1}',
        '{"format":"gridproof/trust","version":1,"chain_id":"x","height":0,"header":"' + "00" * 32 + '","period_s":1}',
        '{"format":"gridproof/trust","version":1,"chain_id":"x","height":1,"header":"' + "00" * 31 + '","period_s":1}',
    ],
)
def test_what_is_no_anchor_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "trust.json").write_text(text)
    with pytest.raises(TrustFileError):
        read_anchor(tmp_path / "trust.json")


def test_an_anchor_names_its_form() -> None:
    assert Anchor(FORMAT, 1, CHAIN, 1, "00" * 32, 1).version == 1
    assert Stated(StateRoot(), (1, ROOT)).state == (1, ROOT)
