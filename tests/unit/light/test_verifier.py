"""A header is believed by its validators' votes, within the trust period, and for no other reason."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.light import (
    ABSENT,
    BlockId,
    Flag,
    Header,
    LightBlock,
    LightError,
    Policy,
    Time,
    Trusted,
    header_hash,
    verify_anchor,
    verify_chain,
    verify_step,
)
from gridproof.light.errors import (
    CommitFormError,
    DoubleVoteError,
    FromTheFutureError,
    HeaderFormError,
    NotLaterError,
    NotSuccessorsError,
    OtherAnchorError,
    OtherBlockError,
    OtherChainError,
    OtherHeightError,
    OtherValidatorError,
    OtherValidatorsError,
    TimeOrderError,
    TooFewSignedError,
    TooLittleTrustError,
    TrustExpiredError,
    ValidatorsFormError,
    WrongSignatureError,
)
from gridproof.state import address_of

from tests.light_chain import (
    BLOCK_S,
    CHAIN,
    FOUR,
    START_S,
    Powers,
    key,
    make_header,
    public,
    sign,
    trusted,
    validator_set,
)

POLICY = Policy(86_400, 10)
NOW = Time(START_S + 10 * BLOCK_S, 0)
NEXT, LATER = 2, 6


def start(following: Powers | None = None) -> Trusted:
    return trusted(sign(make_header(1, FOUR, following or FOUR), FOUR))


def block(height: int = NEXT, powers: Powers | None = None, flags: Any = (), **fields: Any) -> LightBlock:
    powers = powers or FOUR
    return sign(replace(make_header(height, powers, powers), **fields), powers, flags)


def refused(of: LightBlock, reason: type[LightError], **more: Any) -> Any:
    with pytest.raises(reason) as caught:
        verify_step(more.get("start", start()), of, more.get("policy", POLICY), more.get("now", NOW))
    return caught.value


@pytest.mark.parametrize("height", [NEXT, LATER])
def test_a_block_that_all_voted_for_is_believed(height: int) -> None:
    assert verify_step(start(), block(height), POLICY, NOW) == trusted(block(height))


# --- votes


@pytest.mark.parametrize("height", [NEXT, LATER])
@pytest.mark.parametrize("flag", [Flag.ABSENT, Flag.NIL])
def test_three_of_four_are_enough_and_two_are_not(height: int, flag: Flag) -> None:
    verify_step(start(), block(height, flags=[flag]), POLICY, NOW)
    reason = refused(block(height, flags=[flag, flag]), TooFewSignedError)
    assert (reason.height, reason.signed, reason.needed) == (height, 20, 26)


def test_exactly_two_thirds_are_too_few() -> None:
    three = {1: 1, 2: 1, 3: 1}
    reason = refused(block(NEXT, three, [Flag.ABSENT]), TooFewSignedError, start=start(three))
    assert (reason.signed, reason.needed) == (2, 2)


def test_power_counts_and_not_heads() -> None:
    rich = {1: 100, 2: 10, 3: 10, 4: 10}
    verify_step(start(rich), block(NEXT, rich, [Flag.COMMIT, *[Flag.ABSENT] * 3]), POLICY, NOW)
    refused(block(NEXT, rich, [Flag.ABSENT]), TooFewSignedError, start=start(rich))


@pytest.mark.parametrize("place", range(4))
def test_a_signature_over_anything_else_is_refused_wherever_it_stands(place: int) -> None:
    told = block()
    other = block(3)
    votes = list(told.commit.votes)
    votes[place] = replace(votes[place], signature=other.commit.votes[place].signature)
    reason = refused(with_votes(told, votes), WrongSignatureError)
    assert (reason.height, reason.index) == (NEXT, place)


def with_votes(told: LightBlock, votes: Any) -> LightBlock:
    return replace(told, commit=replace(told.commit, votes=tuple(votes)))


def test_a_false_vote_for_no_block_is_refused_as_well_but_not_by_who_counts_only_what_is_needed() -> None:
    told = block(flags=[Flag.COMMIT, Flag.COMMIT, Flag.COMMIT, Flag.NIL])
    votes = [*told.commit.votes[:3], replace(told.commit.votes[3], signature=bytes(64))]
    refused(with_votes(told, votes), WrongSignatureError)
    verify_step(start(), with_votes(told, votes), POLICY, NOW, every=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda vote: replace(vote, time=Time(vote.time.seconds, vote.time.nanos + 1)),
        lambda vote: replace(vote, flag=Flag.NIL),
        lambda vote: replace(vote, signature=vote.signature[:-1]),
        lambda vote: replace(vote, signature=bytes(64)),
    ],
)
def test_whatever_is_changed_of_a_vote_its_signature_no_longer_holds(change: Callable[[Any], Any]) -> None:
    told = block()
    refused(with_votes(told, [change(told.commit.votes[0]), *told.commit.votes[1:]]), WrongSignatureError)


def test_a_round_or_parts_that_were_not_voted_for_are_refused() -> None:
    told = block()
    refused(replace(told, commit=replace(told.commit, round=1)), WrongSignatureError)
    parts = replace(told.commit.block, parts=2)
    refused(replace(told, commit=replace(told.commit, block=parts)), WrongSignatureError)


def test_a_vote_of_another_chain_does_not_count() -> None:
    told, other = block(), block(chain_id="other")
    votes = [
        replace(vote, signature=it.signature) for vote, it in zip(told.commit.votes, other.commit.votes, strict=True)
    ]
    refused(with_votes(told, votes), WrongSignatureError)


def test_a_vote_at_anothers_place_is_refused() -> None:
    told = block()
    first, second, *rest = told.commit.votes
    assert refused(with_votes(told, [second, first, *rest]), OtherValidatorError).index == 0


def test_a_validator_counts_once_among_those_trusted_before() -> None:
    told = block(LATER)
    votes = [told.commit.votes[0], told.commit.votes[0], *told.commit.votes[2:]]
    assert refused(with_votes(told, votes), DoubleVoteError).index == 1


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_commit_has_as_many_entries_as_there_are_validators(count: int) -> None:
    told = block()
    refused(with_votes(told, (*told.commit.votes, ABSENT)[:count]), CommitFormError)


@pytest.mark.parametrize(
    "vote",
    [
        replace(ABSENT, flag=0),
        replace(ABSENT, flag=4),
        replace(ABSENT, address=bytes(20)),
        replace(ABSENT, time=Time(0, 0)),
        replace(ABSENT, signature=b"x"),
        replace(ABSENT, flag=Flag.COMMIT),
        replace(ABSENT, flag=Flag.NIL, address=bytes(20)),
    ],
)
def test_an_entry_that_no_engine_writes_is_refused(vote: Any) -> None:
    told = block()
    refused(with_votes(told, [vote, *told.commit.votes[1:]]), CommitFormError)


# --- rotation


def test_the_next_blocks_validators_are_those_that_were_announced() -> None:
    others = {5: 1, 6: 1, 7: 1}
    verify_step(start(others), block(NEXT, others), POLICY, NOW)
    reason = refused(block(NEXT, others), NotSuccessorsError)
    assert reason.height == NEXT


def test_more_than_a_third_of_the_trusted_power_must_have_voted_for_a_later_block() -> None:
    exactly = {1: 10, 2: 10, 3: 10}  # one of three stays: a third
    half = {1: 10, 2: 10, 5: 10, 6: 10}
    a_third = {1: 10, 5: 30, 6: 30}
    first = trusted(sign(make_header(1, exactly, exactly), exactly))
    verify_step(first, block(LATER, half), POLICY, NOW)
    reason = refused(block(LATER, a_third), TooLittleTrustError, start=first)
    assert (reason.signed, reason.needed) == (10, 10)


def test_who_stays_but_did_not_vote_gives_no_trust() -> None:
    later = {1: 10, 2: 10, 5: 100, 6: 100}
    flags = [Flag.COMMIT if each.power == 100 else Flag.NIL for each in validator_set(later)]
    refused(block(LATER, later, flags), TooLittleTrustError)


def test_the_trusted_power_is_the_one_that_was_trusted() -> None:
    """Whoever gives itself more power later is not trusted more for it."""
    later = {1: 1_000, 5: 10}
    first = trusted(sign(make_header(1, FOUR, FOUR), FOUR))
    assert refused(block(LATER, later), TooLittleTrustError, start=first).signed == 10


def test_a_chain_of_rotations_is_followed_and_each_step_counts_from_the_one_before() -> None:
    second, third = {2: 10, 3: 10, 4: 10, 5: 10}, {4: 10, 5: 10, 6: 10}
    blocks = [block(3, second), block(5, third)]
    assert verify_chain(start(), blocks, POLICY, NOW) == trusted(blocks[1])
    refused(block(5, {5: 10, 6: 10, 7: 10}), TooLittleTrustError)


# --- what belongs together


OTHERS: dict[str, Any] = {
    "app_version": 9,
    "time": Time(START_S + 2 * BLOCK_S, 7),
    "last_block": BlockId(b"", 0, b""),
    "proposer": bytes(20),
}
HASHES = [field for field in Header.__struct_fields__ if field.endswith("_hash")]


@pytest.mark.parametrize("field", [*OTHERS, *HASHES])
def test_a_header_with_any_field_changed_is_not_the_one_that_was_voted_for(field: str) -> None:
    told = block()
    other = OTHERS.get(field, bytes(32))
    reason = refused(replace(told, header=replace(told.header, **{field: other})), OtherBlockError)
    assert reason.commit == header_hash(told.header)


def test_a_commit_for_another_height_or_block_is_refused() -> None:
    told = block()
    refused(replace(told, commit=replace(told.commit, height=3)), OtherHeightError)
    refused(replace(told, commit=block(chain_id=CHAIN, app_hash=bytes(32)).commit), OtherBlockError)
    refused(replace(told, commit=replace(told.commit, block=BlockId(b"", 0, b""))), CommitFormError)
    refused(replace(told, commit=replace(told.commit, block=BlockId(b"x", 0, b""))), CommitFormError)


def test_validators_other_than_the_headers_are_refused() -> None:
    told = block()
    one_more = validator_set({**FOUR, 9: 1})
    refused(replace(told, validators=one_more), OtherValidatorsError)
    refused(replace(told, validators=validator_set({**FOUR, 4: 11})), OtherValidatorsError)
    refused(replace(told, validators=told.validators[::-1]), ValidatorsFormError)
    refused(replace(told, validators=told.validators[:1] * 2), ValidatorsFormError)
    refused(replace(told, validators=()), ValidatorsFormError)
    refused(replace(told, validators=validator_set({1: 2**60, 2: 2**60})), ValidatorsFormError)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("block_protocol", 10),
        ("chain_id", "ü" * 26),
        ("validators_hash", b""),
        ("data_hash", bytes(31)),
        ("proposer", bytes(19)),
        ("last_block", BlockId(b"x", 0, b"")),
    ],
)
def test_a_field_that_no_block_has_is_refused_and_named(field: str, value: Any) -> None:
    told = block()
    assert refused(replace(told, header=replace(told.header, **{field: value})), HeaderFormError).field == field


def test_another_chain_is_refused() -> None:
    reason = refused(block(chain_id="other"), OtherChainError)
    assert (reason.header, reason.trusted) == ("other", CHAIN)


# --- time and order


def test_the_trust_period_ends_to_the_nanosecond() -> None:
    time = start().header.time
    ends = Time(time.seconds + POLICY.period_s, time.nanos)
    told = block(LATER, time=Time(ends.seconds - 1, 0))
    verify_step(start(), told, POLICY, Time(ends.seconds, ends.nanos - 1))
    reason = refused(told, TrustExpiredError, now=ends)
    assert (reason.height, reason.expired_s, reason.now_s) == (1, ends.seconds, ends.seconds)


def test_an_expired_header_proves_nothing_even_by_itself() -> None:
    with pytest.raises(TrustExpiredError):
        verify_chain(start(), (), POLICY, Time(START_S + BLOCK_S + POLICY.period_s + 1, 0))
    assert verify_chain(start(), (), POLICY, NOW) == start()


def test_a_header_is_later_in_height_and_in_time() -> None:
    assert refused(block(1), NotLaterError).trusted == 1
    refused(block(NEXT, time=start().header.time), TimeOrderError)
    earlier = Time(start().header.time.seconds, start().header.time.nanos - 1)
    refused(block(LATER, time=earlier), TimeOrderError)


def test_a_header_from_the_future_is_refused_beyond_what_clocks_may_differ() -> None:
    told = block(LATER)
    time = told.header.time
    verify_step(start(), told, POLICY, Time(time.seconds - 10, time.nanos + 1))
    assert refused(told, FromTheFutureError, now=Time(time.seconds - 10, time.nanos)).height == LATER


# --- the anchor


def test_only_the_trusted_header_with_its_own_validators_begins() -> None:
    first = start()
    verify_anchor(first, 1, header_hash(first.header))
    with pytest.raises(OtherAnchorError):
        verify_anchor(first, 1, bytes(32))
    with pytest.raises(OtherAnchorError):
        verify_anchor(first, 2, header_hash(first.header))
    with pytest.raises(OtherValidatorsError):
        verify_anchor(replace(first, validators=validator_set({1: 1})), 1, header_hash(first.header))


def test_an_address_is_the_beginning_of_its_keys_hash() -> None:
    assert len(address_of(public(1))) == 20
    assert key(1).public_key().public_bytes_raw() == public(1)
