"""What attackers make is as good as it can be: well formed, and false in one point only."""

import pytest

from gridproof.actors.demo.attackers import batch_of, before, forge
from gridproof.actors.public_rosters import SlotRoster
from gridproof.actors.randomness import Seeded
from gridproof.domain import Direction, RegionId, Slot, positions_in, record_hash, roster_leaf
from gridproof.modules.aggregation.errors import BatchUnproven
from gridproof.modules.aggregation.types import SlotRecord
from gridproof.primitives import merkle, schnorr
from gridproof.primitives.bloom import BloomFilter
from gridproof.primitives.hashing import sha256

CHAIN = "attack-1"
SLOT = Slot(RegionId(1), Direction.IMPORT, 7)


def record(number: int) -> SlotRecord:
    return SlotRecord(sha256(number.to_bytes(2, "big")), number, bytes(64))


def roster(count: int = 6) -> SlotRoster:
    leaves = sorted(roster_leaf(record(number).prid) for number in range(count))
    positions = {leaf: at for at, leaf in enumerate(leaves)}
    return SlotRoster(merkle.root(leaves), leaves, positions, BloomFilter.sized(count, 1_000))


def test_a_forged_records_signature_holds_for_its_own_identity() -> None:
    chance = Seeded(b"stranger")
    forged = forge(chance, CHAIN, SLOT)
    schnorr.verify(forged.prid, record_hash(CHAIN, SLOT, forged.prid, forged.rc), forged.signature)
    assert forge(chance, CHAIN, SLOT).prid != forged.prid


def test_a_batch_of_the_slots_own_records_is_a_good_one() -> None:
    batch = batch_of(SLOT, roster(), [record(4), record(1)])
    batch.check(CHAIN)
    assert len(positions_in(batch.bitmap, batch.count)) == 2


@pytest.mark.parametrize("number", range(20))
def test_a_strangers_record_stands_in_order_and_fails_by_the_rosters_proof_alone(number: int) -> None:
    stranger = forge(Seeded(bytes([number])), CHAIN, SLOT)
    with pytest.raises(BatchUnproven):
        batch_of(SLOT, roster(), [stranger]).check(CHAIN)


def test_the_period_before_is_the_same_regions_and_channels() -> None:
    assert before(SLOT) == SLOT._replace(k=6)
