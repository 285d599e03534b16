"""Rows about those who lie: proposers, senders, and validators that vote twice."""

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final

import pytest

from gridproof.actors.node.doctor import examine
from gridproof.connectors.ledger import NetworkClient
from gridproof.drivers.cometbft.engine import EngineKey
from gridproof.light import BlockId, Commit, Flag, Time, Vote
from gridproof.light.canonical import signing
from gridproof.modules.aggregation.types import SLOTS
from gridproof.state.errors import WrongChain
from gridproof.state.transaction import read_body

from . import genesis, load
from .lab import GoneError, Lab, Node
from .proposals import KINDS, PROPOSED, SENDER
from .town import ATTACKS, Town
from .trial import Trial
from .victims import tell
from tests.unit.modules.aggregation.community import FIRST_K, IMPORT, REGION

LIAR: Final = 3
WRONG_CHAIN: Final = WrongChain.code
_PROPOSED: Final = re.compile(rf'event="{PROPOSED}".* height=(\d+) kind="?([a-z ]+)"?')
_REFUSED: Final = re.compile(r'event="proposal refused".*(?=\n)')  # whole: the log is read while it is written
_FIELD: Final = re.compile(r"(\w+)=(\S+)")


# --- a proposer ------------------------------------------------------------------------------------------------------


def proposer(trial: Trial) -> None:
    """Let a validator propose what may not be in a block; every such block is refused, and each node says by whom."""
    with Lab(trial.folder, victims=[LIAR]) as lab:
        liar, honest = lab.nodes[LIAR], [node for node in lab.nodes if node.number != LIAR]
        with trial.loaded(lab):
            for kind in KINDS:
                tell(liar.folder.root, "propose", kind)
                lab.until(lambda: len(_refused(liar, honest, kind)) >= trial.times, f"{kind} is refused often enough")  # noqa: B023
                trial.counts[kind] += len(_refused(liar, honest, kind))
                trial.tell(f"{kind}: {trial.counts[kind]} refused")
            tell(liar.folder.root, "propose", "")
        _require_nothing_bad(lab, liar)


def _refused(liar: Node, honest: Iterable[Node], kind: str) -> set[int]:
    """Heights at which a kind was proposed, and all honest nodes said that they refused the proposer."""
    proposed = {int(height) for height, what in _PROPOSED.findall(liar.log()) if what.strip() == kind}
    return proposed.intersection(*({height for height, _ in _refusals(node)} for node in honest))


def _refusals(node: Node) -> Iterable[tuple[int, str]]:
    for line in _REFUSED.findall(node.log()):
        fields = dict(_FIELD.findall(line))
        yield int(fields["height"]), fields["proposer"]


def _require_nothing_bad(lab: Lab, liar: Node) -> None:
    """Hold the chain to having none of it, and the logs to naming the liar and nobody else."""
    member = lab.born.members[liar.number]
    address = member.signer.address.hex()
    bad = {int(height) for height, _ in _PROPOSED.findall(liar.log())}
    blocks = load.blocks_of(lab.nodes[0], lab.until_together())
    for height, block in enumerate(blocks, start=1):
        senders = {read_body(raw).sender for raw in block.transactions}
        assert lab.born.operators[SENDER].participant not in senders, f"a bad block stands at height {height}"
        assert height not in bad or block.proposer.lower() != address, f"a bad block stands at height {height}"
    for node in lab.nodes:
        named = {proposer for _, proposer in _refusals(node)}
        assert named <= {address}, f"node {node.number} names {named}"
        assert node is liar or f"participant={member.participant}" in node.log()


# --- a sender --------------------------------------------------------------------------------------------------------


def sender(trial: Trial) -> None:
    """Send what is false; each node answers with the same number, and nothing but the sender's nonce changes."""
    with closing(Town(nodes=4)) as town:
        entries = town.attacked(trial.times).entries()
        with Lab(trial.folder, born=town.born) as lab, closing(NetworkClient(lab.urls, lab.born.chain_id)) as client:
            for entry in entries:
                for raw, code in zip(entry.transactions, entry.codes, strict=True):
                    before = _slots(lab) if code else None
                    place = client.wait(client.submit(raw), load.WAIT_S * 10)
                    assert place.result.code == code, place.result
                    lab.until_height(place.height)
                    if before is not None:
                        assert _slots(lab) == before, "what was refused changed the slot"
                        trial.counts.update(name for name, number in ATTACKS.items() if number == code)
            codes = _codes(lab)
    expected = Counter(code for entry in entries for code in entry.codes)
    assert codes == expected, f"the network answered {codes}, an embedded ledger {expected}"
    assert {codes[number] for number in ATTACKS.values()} == {trial.times}


def _slots(lab: Lab) -> str:
    """The slot's record, the same on every node."""
    key = SLOTS.key(REGION, IMPORT, FIRST_K).hex()
    told = {str(node.ask("abci_query", path="/key", data=key)["response"]["value"]) for node in lab.nodes}
    assert len(told) == 1, "the nodes hold different slots"
    return told.pop()


def _codes(lab: Lab) -> Counter[int]:
    """All results, which must be the same on every node."""
    height = lab.until_together()
    by_node = []
    for node in lab.nodes:
        told = [node.ask("block_results", height=str(each))["txs_results"] or [] for each in range(1, height + 1)]
        by_node.append([[int(each.get("code", 0)) for each in results] for results in told])
    assert all(each == by_node[0] for each in by_node), "the nodes answered with different numbers"
    return Counter(code for results in by_node[0] for code in results)


# --- a validator that votes twice ------------------------------------------------------------------------------------


def equivocation(trial: Trial) -> None:
    """Hand in two votes of one validator for different blocks: they land in a block, and its power is gone."""
    for time in range(trial.times):
        lab = Lab(trial.folder / str(time))
        with lab, trial.loaded(lab):
            height = lab.nodes[0].head()[0]  # not the others': they may be a block ahead, and this one tells of it
            evidence = two_votes(lab.nodes[0], lab.born.members[LIAR].signer, lab.born.chain_id, height)
            lab.nodes[0].ask("broadcast_evidence", evidence=evidence)
            lab.until(lambda: len(voting_keys(lab.nodes[0])) == 3, "the validator's power is taken")  # noqa: B023
            assert lab.born.members[LIAR].signer.public not in voting_keys(lab.nodes[0])
            lab.until_height(lab.height() + 3)
            lab.until(
                lambda: any(each.what == "vote" and each.is_wrong for each in examine(lab.nodes[LIAR].folder)),  # noqa: B023
                "its doctor says that it has lost its vote",
            )
            assert "vote" not in {each.what for each in examine(lab.nodes[0].folder)}
        assert trial.counted[-1].evidence == 1
        trial.counts["evidence landed, power taken"] += 1


def voting_keys(node: Node) -> set[bytes]:
    """The keys that vote, by a node's word."""
    return {b64decode(each["pub_key"]["value"]) for each in node.ask("validators")["validators"]}


def two_votes(node: Node, key: EngineKey, chain_id: str, height: int) -> dict[str, Any]:
    """Evidence that a key voted for two blocks at a height, as the engine's RPC takes it.

    Args:
        node: tells of the height.
        key: the validator's.
        chain_id: that the votes are for.
        height: where it votes twice.
    """
    validators = node.ask("validators", height=str(height))["validators"]
    index = next(at for at, each in enumerate(validators) if each["address"] == key.address.hex().upper())
    time = str(node.ask("block", height=str(height))["block"]["header"]["time"])
    votes = [_vote(key, chain_id, height, index, byte) for byte in (b"\x01", b"\x02")]
    value = {
        "vote_a": votes[0],
        "vote_b": votes[1],
        "TotalVotingPower": str(sum(int(each["voting_power"]) for each in validators)),
        "ValidatorPower": validators[index]["voting_power"],
        "Timestamp": time,
    }
    return {"type": "tendermint/DuplicateVoteEvidence", "value": value}


def _vote(key: EngineKey, chain_id: str, height: int, index: int, byte: bytes) -> dict[str, Any]:
    block = BlockId(byte * 32, 1, byte * 32)
    vote = Vote(Flag.COMMIT, key.address, Time(genesis.BORN_S + 1, 0), b"")
    signed = signing(chain_id, Commit(height, 0, block, (vote,)))(vote)
    return {
        "type": 2,
        "height": str(height),
        "round": 0,
        "block_id": {"hash": block.hash.hex().upper(), "parts": {"total": 1, "hash": block.parts_hash.hex().upper()}},
        "timestamp": "2025-06-15T15:06:41Z",
        "validator_address": key.address.hex().upper(),
        "validator_index": index,
        "signature": b64encode(key.sign(signed)).decode(),
    }


# --- another network -------------------------------------------------------------------------------------------------


def foreign(trial: Trial) -> None:
    """Bring one network's transactions, and votes, to another that has the same keys: the chain's id keeps them out."""
    homes = [Lab(trial.folder / name, 1, born=genesis.birth(1, f"faults-{name}")) for name in ("here", "there")]
    with homes[0] as here, homes[1] as there:
        with trial.loaded(here, senders=1):
            pass
        raws = [raw for block in load.blocks_of(here.nodes[0], here.height()) for raw in block.transactions]
        for raw in raws[: trial.times * 8]:
            told = there.nodes[0].ask("broadcast_tx_sync", tx=b64encode(raw).decode())
            assert told["code"] == WRONG_CHAIN, told
            trial.counts["transaction refused by its chain id"] += 1
        own = load.transaction(there.born.chain_id, there.born.operators[0], 0)
        assert there.nodes[0].ask("broadcast_tx_sync", tx=b64encode(own).decode())["code"] == 0  # the control
        votes = two_votes(there.nodes[0], there.born.members[0].signer, here.born.chain_id, 1)
        with pytest.raises(GoneError, match="invalid signature"):
            there.nodes[0].ask("broadcast_evidence", evidence=votes)
        trial.counts["votes refused by their chain id"] += 1
        there.until(lambda: there.height() > 1, "the network goes on")
        assert len(b64decode(there.nodes[0].head()[1])) == 32
