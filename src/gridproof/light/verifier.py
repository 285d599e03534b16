"""Light verification: from a header that is trusted to a later one, by the votes of validators.

The steps, for each new header:
    1. the trusted header's time is within the trust period;
    2. the new block is well formed, of the same chain, and its header, commit and validators belong together;
    3. its height and time are after the trusted ones, and its time is not ahead of now;
    4. the very next block: its validators are those that the trusted header announced;
       any later block: more than a third of the trusted validators' power voted for it, so that at least one honest
       validator did;
    5. more than two thirds of its own validators' power voted for it.

Now is an argument; nothing here reads a clock.

Source: CometBFT 0.38, spec/light-client/verification, and its light/verifier.go.
"""

from collections.abc import Iterable

from .canonical import header_hash
from .commits import Count
from .errors import (
    FromTheFutureError,
    NotLaterError,
    NotSuccessorsError,
    OtherAnchorError,
    TimeOrderError,
    TrustExpiredError,
)
from .forms import verify_block_form, verify_trusted_form
from .types import LightBlock, Policy, Time, Trusted


def verify_anchor(trusted: Trusted, height: int, name: bytes) -> None:
    """Return if this is the header that is trusted, with the validators that it names.

    Args:
        trusted: as somebody handed it over.
        height: of the header that is trusted.
        name: its hash, 32 bytes.

    Raises:
        OtherAnchorError: it is another header.
        HeaderFormError, ValidatorsFormError, OtherValidatorsError: it is malformed, or the validators are not its own.
    """
    given = header_hash(trusted.header)
    if given != name or trusted.header.height != height:
        raise OtherAnchorError(trusted_height=height, height=trusted.header.height, trusted=name, header=given)
    verify_trusted_form(trusted)


def verify_step(trusted: Trusted, block: LightBlock, policy: Policy, now: Time, *, every: bool = True) -> Trusted:
    """Verify a block from a trusted header, by the steps of this module's docstring.

    Args:
        trusted: the header and its validators.
        block: a later one.
        policy: how far trust reaches.
        now: the time of who verifies.
        every: whether every signature of the commit is checked; otherwise no more than are needed, as CometBFT's own
            light client does it.

    Returns:
        What is trusted from now on.

    Raises:
        NotSuccessorsError: the next block's validators are not those that were announced.
        LightError: the block is not believed; the class says why.
    """
    _verify_unexpired(trusted, policy, now)  # step 1
    verify_block_form(block, trusted.header.chain_id)  # step 2
    _verify_order(trusted, block, policy, now)  # step 3
    count = Count(trusted.header.chain_id, block.commit, every=every)
    if block.header.height == trusted.header.height + 1:  # step 4
        announced = trusted.header.next_validators_hash
        if block.header.validators_hash != announced:
            found = block.header.validators_hash
            raise NotSuccessorsError(height=block.header.height, announced=announced, header=found)
    else:
        count.verify_trusting(trusted.validators)
    count.verify_decided(block.validators)  # step 5
    return Trusted(block.header, block.validators)


def verify_chain(trusted: Trusted, blocks: Iterable[LightBlock], policy: Policy, now: Time) -> Trusted:
    """Verify blocks, each from the one before it.

    Args:
        trusted: the header that is trusted, and its validators.
        blocks: later ones, ascending.
        policy: how far trust reaches.
        now: the time of who verifies.

    Returns:
        The last header and its validators.

    Raises:
        LightError: a block is not believed, or trust in the first one has expired.
    """
    _verify_unexpired(trusted, policy, now)
    for block in blocks:
        trusted = verify_step(trusted, block, policy, now)
    return trusted


def _verify_unexpired(trusted: Trusted, policy: Policy, now: Time) -> None:
    time = trusted.header.time
    expires = Time(time.seconds + policy.period_s, time.nanos)
    if expires <= now:
        raise TrustExpiredError(height=trusted.header.height, expired_s=expires.seconds, now_s=now.seconds)


def _verify_order(trusted: Trusted, block: LightBlock, policy: Policy, now: Time) -> None:
    header, before = block.header, trusted.header
    if header.height <= before.height:
        raise NotLaterError(height=header.height, trusted=before.height)
    if header.time <= before.time:
        raise TimeOrderError(height=header.height)
    if header.time >= Time(now.seconds + policy.drift_s, now.nanos):
        raise FromTheFutureError(height=header.height, seconds=header.time.seconds, now_s=now.seconds)
