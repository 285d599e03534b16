"""What the engine hashes and signs, byte for byte.

Rules:
    - a header's hash is the RFC 6962 root over its 14 fields, each encoded by itself; a field that is empty, zero or ""
      is encoded as nothing;
    - the validators' hash is such a root over key and power of each, by power, greatest first, then by address;
    - a vote is signed as its length and a message that leaves out whose it is; sub-messages that the engine holds by
      value are always written, even when empty: the part set header of a block's id, and every time.

Source: CometBFT 0.38, spec/core/data_structures.md and spec/core/encoding.md.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gridproof.primitives import merkle, varint
from gridproof.state.validators import address_of

from .types import BlockId, Commit, Flag, Header, Time, Validator, Vote
from .wire import light_pb2 as wire

PRECOMMIT: Final = 2


def header_hash(header: Header) -> bytes:
    """The hash that names a block, 32 bytes."""
    version = wire.Consensus(block=header.block_protocol, app=header.app_version)
    return merkle.root(
        (
            version.SerializeToString(),
            wire.StringValue(value=header.chain_id).SerializeToString(),
            wire.Int64Value(value=header.height).SerializeToString(),
            _time(header.time).SerializeToString(),
            _block_id(header.last_block).SerializeToString(),
            *(
                wire.BytesValue(value=each).SerializeToString()
                for each in (
                    header.last_commit_hash,
                    header.data_hash,
                    header.validators_hash,
                    header.next_validators_hash,
                    header.consensus_hash,
                    header.app_hash,
                    header.last_results_hash,
                    header.evidence_hash,
                    header.proposer,
                )
            ),
        )
    )


def in_order(validators: Iterable[Validator]) -> tuple[Validator, ...]:
    """The validators in the order of their set: by power, greatest first, then by address."""
    return tuple(sorted(validators, key=lambda each: (-each.power, address_of(each.key))))


def validators_hash(validators: Sequence[Validator]) -> bytes:
    """The hash of a set, 32 bytes, as it stands in headers.

    Args:
        validators: in the order of the set.
    """
    return merkle.root([_validator(each) for each in validators])


def signing(chain_id: str, commit: Commit) -> Callable[[Vote], bytes]:
    """What gives the bytes that each validator of a commit has signed.

    All that a commit's votes have in common is encoded once.

    Args:
        chain_id: the chain that the votes are for.
        commit: the commit.

    Returns:
        A function of one of the commit's entries that is not absent.
    """
    votes = {flag: _vote(chain_id, commit, flag) for flag in (Flag.COMMIT, Flag.NIL)}

    def signed(vote: Vote) -> bytes:
        message = votes[Flag(vote.flag)]
        message.timestamp.seconds, message.timestamp.nanos = vote.time.seconds, vote.time.nanos
        message.timestamp.SetInParent()
        raw = message.SerializeToString()
        return varint.encode(len(raw)) + raw

    return signed


def _vote(chain_id: str, commit: Commit, flag: Flag) -> wire.CanonicalVote:
    """The common part; a vote for no block, and one for a block without any name, leave the name out."""
    vote = wire.CanonicalVote(type=PRECOMMIT, height=commit.height, round=commit.round, chain_id=chain_id)
    if flag == Flag.COMMIT and commit.block != BlockId(b"", 0, b""):
        vote.block_id.CopyFrom(_block_id(commit.block))
    return vote


def _block_id(block: BlockId) -> wire.BlockID:
    encoded = wire.BlockID(hash=block.hash)
    encoded.part_set_header.SetInParent()
    encoded.part_set_header.total = block.parts
    encoded.part_set_header.hash = block.parts_hash
    return encoded


def _time(time: Time) -> wire.Timestamp:
    return wire.Timestamp(seconds=time.seconds, nanos=time.nanos)


def _validator(validator: Validator) -> bytes:
    key = wire.PublicKey(ed25519=validator.key)
    return wire.SimpleValidator(pub_key=key, voting_power=validator.power).SerializeToString()
