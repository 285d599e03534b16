"""Identities, signed records and verified records against libsecp256k1's own functions."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final, NamedTuple

from gridproof.domain import (
    Direction,
    MonthBounds,
    MonthId,
    RegionId,
    Slot,
    identities,
    leaves_between,
    one_time_key,
    record_hasher,
    sign_seeds,
    signer,
)
from gridproof.drivers.verifying import ThreadedVerifier, available_cores
from gridproof.primitives import schnorr
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import SignatureClaim

from . import bare
from .measure import Rounds, Spread, on_core, on_wall, take_turns
from .results import Figure, Row, Section

CHAIN_ID: Final = "bench-1"
HALF_HOUR_S: Final = 1_800
SLOT: Final = Slot(RegionId(1), Direction.IMPORT, 977_800)
LIMIT: Final = 1.3
TARGET: Final = "≤ 1.3 x C"


class Material(NamedTuple):
    """A month of one half's keys and records."""

    seed: bytes
    bounds: MonthBounds
    secrets: list[bytes]
    claims: list[SignatureClaim]


def material(periods: int) -> Material:
    """Deterministic keys and records."""
    seed = sign_seeds(sha256(b"bench/curve"), Direction.IMPORT).first
    start_s = SLOT.k * HALF_HOUR_S
    bounds = MonthBounds(MonthId(24_309), start_s, start_s + periods * HALF_HOUR_S, HALF_HOUR_S)
    secrets = [one_time_key(leaf) for leaf in leaves_between(seed, bounds, bounds.first_k, bounds.end_k)]
    return Material(seed, bounds, secrets, list(_signed(secrets)))


def _signed(secrets: Iterable[bytes]) -> Iterable[SignatureClaim]:
    """Records as a meter signs them: the identity's key pair, the record's hash, the signature."""
    hash_of = record_hasher(CHAIN_ID, SLOT)
    for rc, secret in enumerate(secrets):
        chance = Signer(secret)
        signed = hash_of(chance.public_key, rc)
        yield SignatureClaim(chance.public_key, signed, chance.sign(signed))


def _sign_month(given: Material) -> None:
    leaves = leaves_between(given.seed, given.bounds, given.bounds.first_k, given.bounds.end_k)
    for _ in _signed(map(one_time_key, leaves)):
        pass


def _sign_one_by_one(given: Material) -> None:
    """As a meter does it, which knows one period at a time: the path through the key tree is walked for each."""
    hash_of = record_hasher(CHAIN_ID, SLOT)
    for k in range(given.bounds.first_k, given.bounds.end_k):
        chance = signer(given.seed, given.bounds, k)
        chance.sign(hash_of(chance.public_key, k))


def _verify_records(given: Material) -> None:
    """As the ledger does it: each record's hash, then its signature."""
    hash_of = record_hasher(CHAIN_ID, SLOT)
    claims = [SignatureClaim(key, hash_of(key, rc), signature) for rc, (key, _, signature) in enumerate(given.claims)]
    if schnorr.find_invalid(claims) is not None:
        raise AssertionError("a record that was signed here does not hold")


def rounds_on_a_core(periods: int, rounds: int) -> dict[str, list[int]]:
    """Times of all works on the calling thread, in turn."""
    given = material(periods)
    digest = sha256(b"bench/digest")
    works: dict[str, Callable[[], object]] = {
        "call": partial(bare.call_nothing, periods),
        "identity_c": partial(bare.create_keys, given.secrets),
        "identity": partial(identities, given.seed, given.bounds, given.bounds.first_k, given.bounds.end_k),
        "sign_c": partial(bare.sign, given.secrets, digest),
        "sign": partial(_sign_month, given),
        "sign_one": partial(_sign_one_by_one, given),
        "verify_c": partial(bare.verify, given.claims),
        "verify": partial(_verify_records, given),
    }
    return take_turns(rounds, on_core, **works).times


WORKS: Final = (
    ("identity", "identity (leaf of the key tree, one-time key, public key)", ("call",)),
    ("sign", "record signed (leaf, key pair, record's hash, signature)", ("call", "call")),
    ("verify", "record verified (record's hash, point, signature)", ("call", "call")),
)


def run(*, quick: bool) -> Section:
    """Measure on one core, then on all at once."""
    periods, count = (96, 3) if quick else (1_440, 15)
    alone = Rounds(rounds_on_a_core(periods, count))
    cores = available_cores()
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        found = [pool.submit(rounds_on_a_core, periods, count) for _ in range(cores)]
        each = [future.result() for future in found]
    together = Rounds({work: [time for times in each for time in times[work]] for work in each[0]})
    section = Section()
    for work, title, calls in WORKS:
        for times, where in ((alone, "one core"), (together, f"{cores} cores at once")):
            ratio = times.ratio(work, f"{work}_c", calls)
            section.rows.append(
                Row(work=f"{title}: {where}", target=TARGET, unit="x C a core", limit=LIMIT, actual=ratio)
            )
        less = len(calls) * alone.each("call", periods).median
        own = alone.each(f"{work}_c", periods)
        section.figures += [
            Figure(f"{work}: gridproof", "µs a core", alone.each(work, periods)),
            Figure(f"{work}: C", "µs a core", Spread(own.median - less, own.least - less, own.greatest - less)),
        ]
    section.figures += [
        Figure("a call from Python into C (taken off C's times)", "µs", alone.each("call", periods)),
        Figure("record signed one by one, path of the key tree included", "µs", alone.each("sign_one", periods)),
        Figure("records verified by the threaded verifier, all cores", "1/s", _threaded(periods, count)),
    ]
    return section


def _threaded(periods: int, count: int) -> Spread:
    claims = material(periods).claims
    with ThreadedVerifier() as verifier:
        times = take_turns(count, on_wall, verify=partial(verifier.find_invalid, claims)).times["verify"]
    return Spread.of([len(claims) * 1e9 / time for time in times])
