"""Signature checks on many threads give what one thread gives: the first false claim, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.drivers.verifying import CHUNK, CountingVerifier, ThreadedVerifier, available_cores
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import SerialVerifier, SignatureClaim

SIGNER = Signer(sha256(b"verifying"))
DIGESTS = [sha256(bytes([number])) for number in range(4)]
GOOD = [SignatureClaim(SIGNER.public_key, digest, SIGNER.sign(digest)) for digest in DIGESTS]
FALSE = SignatureClaim(SIGNER.public_key, DIGESTS[0], GOOD[1].signature)


def claims(count: int, *false: int) -> list[SignatureClaim]:
    return [FALSE if index in false else GOOD[index % len(GOOD)] for index in range(count)]


@pytest.fixture(scope="module", params=[1, 2, 5])
def verifier(request: pytest.FixtureRequest) -> ThreadedVerifier:
    return ThreadedVerifier(request.param)


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
def test_true_claims_hold(verifier: ThreadedVerifier, count: int) -> None:
    assert verifier.find_invalid(claims(count)) is None


@given(count=st.integers(1, 3 * CHUNK), false=st.sets(st.integers(0, 3 * CHUNK), min_size=1, max_size=3))
def test_the_first_false_claim_is_named_as_on_one_thread(count: int, false: set[int]) -> None:
    given_claims = claims(count, *false)
    with ThreadedVerifier(3) as threaded:
        assert threaded.find_invalid(given_claims) == SerialVerifier().find_invalid(given_claims)


def test_one_thread_for_each_core_by_default() -> None:
    with ThreadedVerifier() as verifier:
        assert verifier.threads == available_cores() >= 1


def test_checks_are_counted() -> None:
    counting = CountingVerifier()
    assert counting.find_invalid(claims(3)) is None
    assert counting.find_invalid(claims(2, 1)) == 1
    assert counting.checked == 5
