"""An inner node is no leaf: a batch cannot make its slot look fuller than it is.

The weakened scheme lets bare hashes stand for the leaves that a batch has no record for, and holds the root alone.
There one inner node stands for half a roster: 52 records of 128 leaves pass for 52 of 65.
"""

from collections.abc import Sequence

from gridproof.domain import Half, bitmap_of, roster_leaf
from gridproof.modules.aggregation.errors import BatchUnproven, OtherRoster
from gridproof.modules.aggregation.messages import SubmitBatch
from gridproof.primitives import merkle
from gridproof.primitives.hashing import sha256

from .community import FIRST_K, IMPORT, REGION, Community

K = FIRST_K
PLACES, REPORTING = 64, 26


def _root(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 over hashes of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01", _root(hashes[:split]), _root(hashes[split:]))


def weak_live_share(root: bytes, leaves: Sequence[bytes], records: Sequence[bytes]) -> float:
    """The weakened ledger: bare hashes for missing leaves, the root alone held against what was published."""
    assert _root(leaves) == root
    return len(records) / len(leaves)


def test_an_inner_node_passes_for_leaves_where_bare_hashes_do_and_not_here() -> None:
    town = Community(enrolled=PLACES, places=PLACES, min_live_permille=800).begin()
    leaves = town.leaves(K)
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    of = {roster_leaf(each.prid): each for n in range(PLACES) for half in Half for each in [town.record(n, half, K)]}
    left = leaves[:PLACES]  # half of the tree's leaves: it ends at an inner node
    records = [of[leaf] for leaf in left[: 2 * REPORTING]]

    # Positive control: one inner node for all leaves to the right raises the share from 0.41 to 0.80.
    shown = [*hashes[:PLACES], _root(hashes[PLACES:])]
    claimed = weak_live_share(merkle.root(leaves), shown, [each.prid for each in records])
    assert round(claimed, 2) == 0.80
    assert round(len(records) / len(leaves), 2) == 0.41

    # Here: as a smaller roster, as a proof that is one hash short, and with the node in a leaf's stead.
    town.go_to(town.end_of(K))
    claimed_count = PLACES + 1
    positions = range(2 * REPORTING)
    proof = (*hashes[2 * REPORTING : PLACES], shown[-1])
    message = SubmitBatch(
        REGION,
        IMPORT,
        K,
        merkle.root(leaves),
        claimed_count + 1,
        bitmap_of(claimed_count + 1, positions),
        tuple(records),
        proof,
    )
    town.refuses("first", message, code=BatchUnproven.code)
    honest = town.batch(K, records)
    town.refuses("first", town.batch(K, records, proof=proof), code=BatchUnproven.code)
    town.refuses("first", town.batch(K, records, proof=honest.proof[:-1]), code=BatchUnproven.code)

    # A root and a count of the attacker's own lead somewhere, and not to the slot's roster.
    small = [*leaves[:PLACES], shown[-1], sha256(b"even")]
    message = SubmitBatch(
        REGION,
        IMPORT,
        K,
        merkle.root(small),
        len(small),
        bitmap_of(len(small), positions),
        tuple(records),
        merkle.multi_proof(small, positions),
    )
    town.refuses("first", message, code=OtherRoster.code)

    # The honest batch is taken, counted against all leaves, and sealed for what it is.
    town.accepts("first", honest)
    assert len(records) == town.state(K).filled_count
