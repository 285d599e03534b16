"""The light client comes to the same verdict as CometBFT's own, on real headers, altered ones, and ones signed anew."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final, NamedTuple

import pytest
from msgspec.structs import replace

from gridproof.connectors.engine_headers import EngineError
from gridproof.light import Flag, LightBlock, LightError, Policy, Time, verify_step
from gridproof.light.forms import verify_block_form

from tests.engines import engine
from tests.light_chain import (
    BLOCK_S,
    CHAIN,
    FOUR,
    START_S,
    Told,
    changed,
    leaves,
    make_header,
    read,
    recorded,
    sign,
    tell,
    trusted,
)
from tools.engines.light import judge

DAY_S: Final = 86_400
DRIFT_S: Final = 10


class Case(NamedTuple):
    """A trusted block, a later one and a time."""

    name: str
    before: Told
    after: Told
    chain_id: str
    now: Time
    period_s: int = DAY_S


def asked(case: Case) -> dict[str, Any]:
    """A case as the engine's light client takes it."""
    second = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=case.now.seconds)
    return {
        "chain_id": case.chain_id,
        "trusted": case.before,
        "untrusted": case.after,
        "period_ns": case.period_s * 10**9,
        "drift_ns": DRIFT_S * 10**9,
        "now": f"{second:%Y-%m-%dT%H:%M:%S}.{case.now.nanos:09d}Z",
    }


def ours(case: Case) -> str:
    """Our verdict: nothing where the block is believed, or the reason."""
    try:
        before, after = read(case.before), read(case.after)
        verify_block_form(before, case.chain_id)
        verify_step(trusted(before), after, Policy(case.period_s, DRIFT_S), case.now, every=False)
    except (LightError, EngineError) as reason:
        return type(reason).__name__
    return ""


def assert_same(cases: list[Case]) -> list[str]:
    """Return our verdicts if the engine's light client has the same."""
    theirs = judge(engine("light"), map(asked, cases))
    own = [ours(case) for case in cases]
    differing = [
        (case.name, mine, theirs_)
        for case, mine, theirs_ in zip(cases, own, theirs, strict=True)
        if bool(mine) != bool(theirs_)
    ]
    assert not differing, differing
    return own


def alterations(value: Any) -> Iterator[Any]:
    """Other values that could stand in the place of one."""
    if isinstance(value, int):
        yield from (other for other in (0, 1, 2, 3, 4, value + 1, -1, 2**31, 2**32) if other != value)
        return
    if value is None:
        yield b64encode(bytes(64)).decode()
        return
    yield ""
    if value.lstrip("-").isdigit():
        yield from ("0", "-1", str(int(value) + 1), str(2**63), str((2**63 - 1) // 8))
    elif value.endswith("Z"):
        yield (
            value.replace("Z", "1Z")
            if "." in value and len(value) < 30
            else value[:-2] + ("8Z" if value[-2] != "8" else "7Z")
        )
        yield "0001-01-01T00:00:00Z"
        yield "9999-12-31T23:59:59.999999999Z"
    elif value and all(sign in "0123456789ABCDEF" for sign in value):
        yield ("0" if value[0] != "0" else "1") + value[1:]
        yield value[:-1] + ("0" if value[-1] != "0" else "1")
        yield value[:-2]
        yield value + "00"
    elif value.endswith("="):
        raw = bytearray(b64decode(value))
        for place in (0, len(raw) // 2, len(raw) - 1):
            raw[place] ^= 1
            yield b64encode(raw).decode()
        yield b64encode(raw[:-1]).decode()
    else:
        yield value + "x"


def read_by_both(told: Told) -> list[tuple[str | int, ...]]:
    """Paths of the values that both read; whose turn it is to propose is not hashed, and ours skips it."""
    return [path for path in leaves(told) if path[-1] != "proposer_priority"]


def all_altered(before: Told, after: Told, chain_id: str, now: Time) -> Iterator[Case]:
    """Every single value of both blocks altered, but for the votes for the trusted one: they were counted before."""
    for path in read_by_both(after):
        value: Any = after
        for step in path:
            value = value[step]
        for other in alterations(value):
            yield Case(f"after {path} {other}", before, changed(after, path, other), chain_id, now)
    for path in read_by_both(before):
        if path[1] == "commit":
            continue
        value = before
        for step in path:
            value = value[step]
        for other in alterations(value):
            yield Case(f"before {path} {other}", changed(before, path, other), after, chain_id, now)


def test_real_headers_have_the_same_verdict_between_all_pairs_of_heights() -> None:
    blocks = recorded()
    cases = []
    for start, end in product(blocks, blocks):
        after = read(blocks[end]).header
        now = Time(after.time.seconds + 5, 0)
        cases.append(Case(f"{start} to {end}", blocks[start], blocks[end], after.chain_id, now))
    verdicts = assert_same(cases)
    assert {"", "TooLittleTrustError", "NotLaterError"} <= set(verdicts)


@pytest.mark.parametrize(("start", "end"), [(1, 2), (1, 4), (4, 5), (5, 9), (7, 8)])
def test_each_value_of_real_headers_altered_has_the_same_verdict(start: int, end: int) -> None:
    blocks = recorded()
    after = read(blocks[end]).header
    now = Time(after.time.seconds + 5, 0)
    verdicts = assert_same(list(all_altered(blocks[start], blocks[end], after.chain_id, now)))
    assert len(verdicts) > 200
    assert len(set(verdicts)) > 8


def at(height: int, more_s: int = 5) -> Time:
    return Time(START_S + height * BLOCK_S + more_s, 0)


FLAGS: Final = (Flag.ABSENT, Flag.COMMIT, Flag.NIL)


@pytest.mark.parametrize("powers", [FOUR, {1: 1, 2: 1, 3: 1, 4: 3}, {1: 100, 2: 51, 3: 50, 4: 49}, {1: 0, 2: 1, 3: 1}])
@pytest.mark.parametrize("height", [2, 9])
def test_each_combination_of_votes_has_the_same_verdict(powers: dict[int, int], height: int) -> None:
    before = tell(sign(make_header(1, FOUR, powers), FOUR))
    header = make_header(height, powers, powers)
    cases = [
        Case(f"{flags}", before, tell(sign(header, powers, flags)), CHAIN, at(height))
        for flags in product(FLAGS, repeat=len(powers))
    ]
    assert len(set(assert_same(cases))) > 1


def test_each_overlap_of_validators_has_the_same_verdict() -> None:
    cases = []
    for first in ({1: 1, 2: 1, 3: 1}, {1: 1, 2: 1, 3: 1, 4: 1}, {1: 5, 2: 3, 3: 2, 4: 1}):
        before = tell(sign(make_header(1, first, first), first))
        for staying in product((0, 1, 7), repeat=len(first)):
            later = {number: power for number, power in zip(first, staying, strict=True) if power}
            later |= {7: 3, 8: 2}
            for height in (2, 3):
                block = sign(make_header(height, later, later), later)
                cases.append(Case(f"{first} {later} {height}", before, tell(block), CHAIN, at(height)))
    verdicts = assert_same(cases)
    assert {"", "TooLittleTrustError", "NotSuccessorsError"} <= set(verdicts)


def signed_anew(header: Any, **fields: Any) -> LightBlock:
    return sign(replace(header, **fields), FOUR)


def test_headers_with_any_field_changed_and_signed_anew_have_the_same_verdict() -> None:
    before = tell(sign(make_header(1, FOUR, FOUR), FOUR))
    cases = []
    for height in (1, 2, 5):
        header = make_header(height, FOUR, FOUR)
        fields: list[dict[str, Any]] = [
            {},
            *({"block_protocol": number} for number in (0, 10, 12, 2**64 - 1)),
            *({"app_version": number} for number in (0, 2, 2**64 - 1)),
            *({"chain_id": name} for name in ("", "other", "x" * 50, "x" * 51, "ü" * 26)),
            *({"height": number} for number in (1, 2, 3, 2**62, 2**63 - 1)),
            *({"time": Time(START_S + seconds, nanos)} for seconds in (0, 60, 61) for nanos in (0, 4, 5, 6)),
            *({f"{name}_hash": value} for name in HASHES for value in (b"", b"short", bytes(32), bytes(31))),
            {"app_hash": bytes(33)},
            {"app_hash": b"\1"},
            {"proposer": bytes(20)},
        ]
        for field in fields:
            try:
                block = signed_anew(header, **field)
            except ValueError:  # no such time or number in the signed form
                continue
            cases.append(Case(f"{height} {field}", before, tell(block), CHAIN, at(9)))
    verdicts = assert_same(cases)
    assert {"", "HeaderFormError", "OtherChainError", "NotLaterError", "TimeOrderError"} <= set(verdicts)


HASHES: Final = ("last_commit", "data", "validators", "next_validators", "consensus", "last_results", "evidence", "app")


def test_each_edge_of_time_has_the_same_verdict() -> None:
    before = tell(sign(make_header(1, FOUR, FOUR), FOUR))
    cases = []
    for height in (2, 3):
        after = tell(sign(make_header(height, FOUR, FOUR), FOUR))
        edges = (START_S + BLOCK_S + DAY_S, START_S + height * BLOCK_S - DRIFT_S)  # of the trust period, of the drift
        for edge in edges:
            for nanos in (0, 4, 5, 6, 5 * height - 1, 5 * height, 5 * height + 1):
                for second in (-1, 0, 1):
                    now = Time(edge + second, nanos)
                    cases.append(Case(f"{height} {now}", before, after, CHAIN, now))
    verdicts = assert_same(cases)
    assert {"", "TrustExpiredError", "FromTheFutureError"} <= set(verdicts)


def test_votes_and_validators_in_other_orders_have_the_same_verdict() -> None:
    powers = {1: 4, 2: 3, 3: 2, 4: 1}
    before = tell(sign(make_header(1, powers, powers), powers))
    cases = []
    for height in (2, 4):
        told = tell(sign(make_header(height, powers, powers), powers))
        votes, validators = told["signed_header"]["commit"]["signatures"], told["validators"]
        for first, second in product(range(4), repeat=2):
            doubled = [*votes]
            doubled[first] = votes[second]
            path = ("signed_header", "commit", "signatures")
            cases.append(Case(f"vote {first} {second}", before, changed(told, path, doubled), CHAIN, at(9)))
            swapped = [*validators]
            swapped[first], swapped[second] = swapped[second], swapped[first]
            cases.append(
                Case(
                    f"set {first} {second}",
                    before,
                    changed(told, ("validators",), swapped),
                    CHAIN,
                    at(9),
                )
            )
        for count in range(4):
            cases.append(Case(f"votes {count}", before, changed(told, path, votes[:count]), CHAIN, at(9)))
            cases.append(
                Case(
                    f"validators {count}",
                    before,
                    changed(told, ("validators",), validators[:count]),
                    CHAIN,
                    at(9),
                )
            )
        cases.append(Case("more votes", before, changed(told, path, [*votes, votes[0]]), CHAIN, at(9)))
    assert {"", "OtherValidatorError", "CommitFormError", "OtherValidatorsError"} <= set(assert_same(cases))
