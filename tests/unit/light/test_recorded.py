"""A real network's headers: their hashes and votes are what this client computes, and its rotation can be followed."""

import pytest

from gridproof.light import Flag, LightBlock, Policy, Time, header_hash, validators_hash, verify_chain, verify_step
from gridproof.light.errors import TooLittleTrustError

from tests.light_chain import read, recorded, trusted

POLICY = Policy(86_400)


@pytest.fixture(scope="module")
def blocks() -> dict[int, LightBlock]:
    return {height: read(told) for height, told in recorded().items()}


def now(blocks: dict[int, LightBlock]) -> Time:
    return Time(blocks[max(blocks)].header.time.seconds + 5, 0)


def test_each_headers_hash_is_the_one_that_was_voted_for(blocks: dict[int, LightBlock]) -> None:
    for block in blocks.values():
        assert header_hash(block.header) == block.commit.block.hash


def test_each_header_names_the_block_before_it_and_its_validators(blocks: dict[int, LightBlock]) -> None:
    for height, block in blocks.items():
        assert validators_hash(block.validators) == block.header.validators_hash
        if height > 1:
            assert block.header.last_block.hash == header_hash(blocks[height - 1].header)
            assert block.header.validators_hash == blocks[height - 1].header.next_validators_hash


def test_the_recording_has_votes_of_all_kinds_and_a_set_that_changes(blocks: dict[int, LightBlock]) -> None:
    flags = {vote.flag for block in blocks.values() for vote in block.commit.votes}
    assert flags == {Flag.ABSENT, Flag.COMMIT, Flag.NIL}
    sets = list(dict.fromkeys(tuple(each.power for each in block.validators) for block in blocks.values()))
    assert sets == [(1, 1, 1, 1), (7, 1, 1, 1), (1, 1, 1), (1, 1), (1,)]


def test_each_header_follows_from_the_one_before_it(blocks: dict[int, LightBlock]) -> None:
    end = verify_chain(trusted(blocks[1]), [blocks[height] for height in sorted(blocks)[1:]], POLICY, now(blocks))
    assert end == trusted(blocks[max(blocks)])


def test_when_all_but_a_quarter_have_left_no_header_is_skipped_to_and_one_between_helps(
    blocks: dict[int, LightBlock],
) -> None:
    last = max(blocks)
    with pytest.raises(TooLittleTrustError) as refused:
        verify_step(trusted(blocks[1]), blocks[last], POLICY, now(blocks))
    assert (refused.value.signed, refused.value.needed) == (1, 1)
    between = next(height for height, block in blocks.items() if len(block.validators) == 2)
    end = verify_chain(trusted(blocks[1]), (blocks[between], blocks[last]), POLICY, now(blocks))
    assert len(end.validators) == 1
