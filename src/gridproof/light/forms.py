"""What headers, commits and sets of validators must be in themselves, before any signature is looked at.

Source: CometBFT 0.38, `ValidateBasic` of SignedHeader, Commit, CommitSig and ValidatorSet.
"""

from gridproof.state.validators import ADDRESS_SIZE, address_of

from .canonical import header_hash, in_order, validators_hash
from .errors import (
    CommitFormError,
    HeaderFormError,
    OtherBlockError,
    OtherChainError,
    OtherHeightError,
    OtherValidatorsError,
    ValidatorsFormError,
)
from .types import (
    ABSENT,
    BLOCK_PROTOCOL,
    HASH_SIZE,
    MAX_CHAIN_ID,
    MAX_TOTAL_POWER,
    MAX_VALIDATORS,
    BlockId,
    Commit,
    Flag,
    Header,
    LightBlock,
    Trusted,
    Validator,
    Vote,
)

_HASHES = (
    "last_commit_hash",
    "data_hash",
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "last_results_hash",
    "evidence_hash",
)


def verify_block_form(block: LightBlock, chain_id: str) -> None:
    """Return if a block's parts are well formed and belong together.

    Args:
        block: header, commit and validators.
        chain_id: the chain that it must be of.

    Raises:
        HeaderFormError, CommitFormError, ValidatorsFormError: a part is malformed.
        OtherChainError: it is of another chain.
        OtherHeightError, OtherBlockError: the commit is for another block.
        OtherValidatorsError: the header names other validators.
    """
    verify_header_form(block.header)
    _verify_commit_form(block.commit)
    if block.header.chain_id != chain_id:
        raise OtherChainError(header=block.header.chain_id, trusted=chain_id)
    if block.commit.height != block.header.height:
        raise OtherHeightError(header=block.header.height, commit=block.commit.height)
    name = header_hash(block.header)
    if block.commit.block.hash != name:
        raise OtherBlockError(header=name, commit=block.commit.block.hash)
    _verify_validators(block.header, block.validators)


def verify_trusted_form(trusted: Trusted) -> None:
    """Return if a trusted header is well formed, and the validators are those that it names.

    Raises:
        HeaderFormError, ValidatorsFormError: a part is malformed.
        OtherValidatorsError: the header names other validators.
    """
    verify_header_form(trusted.header)
    _verify_validators(trusted.header, trusted.validators)


def verify_header_form(header: Header) -> None:
    """Return if a header is one that a block can have.

    Raises:
        HeaderFormError: it is not.
    """
    if header.block_protocol != BLOCK_PROTOCOL:
        raise HeaderFormError(field="block_protocol", detail=f"{header.block_protocol}, known is {BLOCK_PROTOCOL}")
    if len(header.chain_id.encode()) > MAX_CHAIN_ID:
        raise HeaderFormError(field="chain_id", detail=f"more than {MAX_CHAIN_ID} bytes")
    for field in _HASHES:
        if len(getattr(header, field)) not in (0, HASH_SIZE):
            raise HeaderFormError(field=field, detail="a hash has 32 bytes, or none")
    if not _is_sized(header.last_block):
        raise HeaderFormError(field="last_block", detail="a hash has 32 bytes, or none")
    if not header.validators_hash:
        raise HeaderFormError(field="validators_hash", detail="there is none, so the header has no hash")
    if len(header.proposer) != ADDRESS_SIZE:
        raise HeaderFormError(field="proposer", detail="an address has 20 bytes")


def _verify_commit_form(commit: Commit) -> None:
    if not _is_sized(commit.block) or not commit.block.hash:
        raise CommitFormError(detail="it is for no block, or a hash has not 32 bytes")
    if not 1 <= len(commit.votes) <= MAX_VALIDATORS:
        raise CommitFormError(detail=f"it has {len(commit.votes)} entries")
    for index, vote in enumerate(commit.votes):
        _verify_vote_form(index, vote)


def _verify_vote_form(index: int, vote: Vote) -> None:
    if vote.flag not in (Flag.ABSENT, Flag.COMMIT, Flag.NIL):
        raise CommitFormError(detail=f"entry {index} has the unknown flag {vote.flag}")
    if vote.flag == Flag.ABSENT:
        if vote != ABSENT:
            raise CommitFormError(detail=f"entry {index} is absent and holds something")
    elif len(vote.address) != ADDRESS_SIZE or not vote.signature:
        raise CommitFormError(detail=f"entry {index} has no address of 20 bytes, or no signature")


def _verify_validators(header: Header, validators: tuple[Validator, ...]) -> None:
    if not 1 <= len(validators) <= MAX_VALIDATORS:
        raise ValidatorsFormError(detail=f"there are {len(validators)}")
    total = sum(each.power for each in validators)
    if total > MAX_TOTAL_POWER:
        raise ValidatorsFormError(detail=f"their power is {total}, the most is {MAX_TOTAL_POWER}")
    if len({address_of(each.key) for each in validators}) != len(validators):
        raise ValidatorsFormError(detail="one is in it twice")
    if in_order(validators) != validators:
        raise ValidatorsFormError(detail="they are not in their order")
    name = validators_hash(validators)
    if header.validators_hash != name:
        raise OtherValidatorsError(height=header.height, header=header.validators_hash, given=name)


def _is_sized(block: BlockId) -> bool:
    return all(len(each) in (0, HASH_SIZE) for each in (block.hash, block.parts_hash))
