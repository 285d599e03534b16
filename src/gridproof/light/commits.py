"""Counting the votes of a commit.

Rules:
    C-1 Only votes for the block count; those for no block and absent ones do not.
    C-2 By place: each entry is the vote of the validator at the same place of the set that decided on the block.
    C-3 By address: of a set that was trusted before, whoever still votes counts, once; others are passed over.
    C-4 A vote that counts has a signature that holds. How many are looked at is the caller's choice: all of them, or
        no more than are needed, as the engine's own light client does.

Signatures are checked as `primitives.ed25519` does: by RFC 8032 without the cofactor, and not for keys of small order.
The engine checks by ZIP 215, with the cofactor, which takes a few signatures more: such that a validator made with
intent, never one that an engine made. A commit with one of them is refused here; nothing is accepted here that the
engine refuses.

Source: CometBFT 0.38, types/validation.go (VerifyCommitLight, VerifyCommitLightTrusting, VerifyCommit).
"""

from collections.abc import Sequence

from gridproof.primitives import ed25519
from gridproof.primitives.errors import InvalidSignatureError
from gridproof.state.validators import address_of

from .canonical import signing
from .errors import (
    CommitFormError,
    DoubleVoteError,
    OtherValidatorError,
    TooFewSignedError,
    TooLittleTrustError,
    WrongSignatureError,
)
from .types import Commit, Flag, Validator


class Count:
    """The votes of one commit; each signature is checked once, however often it counts.

    Args:
        chain_id: the chain that the votes are for.
        commit: well formed.
        every: whether all votes of the block's own validators are checked (C-4), those for no block too.
    """

    def __init__(self, chain_id: str, commit: Commit, *, every: bool) -> None:
        self._commit = commit
        self._every = every
        self._signed = signing(chain_id, commit)
        self._holding: set[int] = set()

    def verify_decided(self, validators: Sequence[Validator]) -> None:
        """Return if more than two thirds of the block's validators voted for it (C-2).

        Args:
            validators: the set that the block's header names, in its order.

        Raises:
            CommitFormError: there are not as many entries as validators.
            OtherValidatorError: an entry is another validator's.
            WrongSignatureError: a signature does not hold.
            TooFewSignedError: it is two thirds or less.
        """
        if len(validators) != len(self._commit.votes):
            detail = f"it has {len(self._commit.votes)} entries for {len(validators)} validators"
            raise CommitFormError(detail=detail)
        needed = sum(each.power for each in validators) * 2 // 3
        counted = 0
        for index, (vote, validator) in enumerate(zip(self._commit.votes, validators, strict=True)):
            if vote.flag == Flag.ABSENT or (vote.flag == Flag.NIL and not self._every):
                continue
            if vote.address != address_of(validator.key):
                raise OtherValidatorError(height=self._commit.height, index=index)
            self._verify(index, validator)
            if vote.flag == Flag.COMMIT:
                counted += validator.power
            if counted > needed and not self._every:
                return
        if counted <= needed:
            raise TooFewSignedError(height=self._commit.height, signed=counted, needed=needed)

    def verify_trusting(self, validators: Sequence[Validator]) -> None:
        """Return if more than a third of validators that were trusted before voted for the block (C-3).

        Args:
            validators: the trusted set.

        Raises:
            DoubleVoteError: one of them voted twice.
            WrongSignatureError: a signature does not hold.
            TooLittleTrustError: it is a third or less.
        """
        known = {address_of(each.key): each for each in validators}
        needed = sum(each.power for each in validators) // 3
        counted = 0
        seen: set[bytes] = set()
        for index, vote in enumerate(self._commit.votes):
            validator = known.get(vote.address)
            if vote.flag != Flag.COMMIT or validator is None:
                continue
            if vote.address in seen:
                raise DoubleVoteError(height=self._commit.height, index=index)
            seen.add(vote.address)
            self._verify(index, validator)
            counted += validator.power
            if counted > needed:
                return
        raise TooLittleTrustError(height=self._commit.height, signed=counted, needed=needed)

    def _verify(self, index: int, validator: Validator) -> None:
        """Check the signature of an entry that is the validator's; an address names one key."""
        if index in self._holding:
            return
        vote = self._commit.votes[index]
        try:
            ed25519.verify(validator.key, self._signed(vote), vote.signature)
        except InvalidSignatureError as wrong:
            raise WrongSignatureError(height=self._commit.height, index=index) from wrong
        self._holding.add(index)
