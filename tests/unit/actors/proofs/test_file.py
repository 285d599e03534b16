"""A file says one thing: whichever byte of it is altered, it is refused with a reason."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.errors import ProofFileError
from gridproof.actors.proofs import proving
from gridproof.actors.proofs.anchor import Anchor, anchor_of
from gridproof.actors.proofs.file import (
    MAGIC,
    LightProof,
    decode_light_proof,
    encode_light_proof,
    read_light_proof,
    verify_light_proof,
    write_light_proof,
)
from gridproof.actors.proofs.proving import Stated
from gridproof.actors.proofs.statements import IsValidator, StateRoot
from gridproof.connectors.files import FileExistsAlreadyError, FileMissingError
from gridproof.errors import GridproofError
from gridproof.light import Flag, LightError
from gridproof.light.errors import OtherAnchorError, OtherChainError, TrustExpiredError
from gridproof.state import address_of

from .proven import NOW, PERIOD_S, Prover, bill, record_of, records, root
from tests.light_chain import Network, public, sign, trusted
from tests.simulation.billed import BilledVillage
from tests.simulation.village import OCTOBER, REGION, slot

MAKERS: dict[str, Callable[[BilledVillage], Stated]] = {
    "price": lambda village: proving.slot_entry(village.client, "price", slot(1)),
    "absence": lambda village: proving.state_entry(village.client, "bill", REGION, OCTOBER, bytes(32), 1),
    "record": record_of,
    "validator": lambda village: Stated(IsValidator(address_of(public(2))), root(village)),
}


def altered(raw: bytes, place: int, mask: int) -> bytes:
    return raw[:place] + bytes((raw[place] ^ mask,)) + raw[place + 1 :]


def reason_against(prover: Prover, raw: bytes, household: bool = False) -> str:
    """Why a file is refused; nothing where it is not."""
    try:
        prover.check(decode_light_proof(raw), household)
    except GridproofError as reason:
        return type(reason).__name__
    return ""


@pytest.mark.parametrize("kind", MAKERS)
def test_every_byte_of_a_file_altered_is_refused_with_a_reason(
    village: BilledVillage, prover: Prover, kind: str
) -> None:
    prover.network.rotation[3] = {2: 10, 3: 10, 4: 10, 5: 10}
    made = prover.prove(MAKERS[kind](village))
    raw = encode_light_proof(made)
    assert reason_against(prover, raw) == ""
    reasons: set[str] = set()
    for place in range(len(raw)):
        for mask in (1, 0x80, 0xFF) if kind == "price" else (1,):
            reason = reason_against(prover, altered(raw, place, mask))
            assert reason, (place, mask)
            reasons.add(reason)
    assert {"ProofFileError", "OtherAnchorError", "OtherBlockError", "WrongSignatureError"} <= reasons


@pytest.mark.parametrize("make", [records, bill])
def test_bytes_of_a_households_own_file_altered_are_refused_with_a_reason(
    village: BilledVillage, prover: Prover, make: Callable[[BilledVillage], Stated]
) -> None:
    raw = encode_light_proof(prover.prove(make(village)))
    assert reason_against(prover, raw, household=True) == ""
    step = max(1, len(raw) // 150) | 1
    for place in range(0, len(raw), step):
        assert reason_against(prover, altered(raw, place, 1), household=True), place


def test_a_file_cut_short_or_longer_is_refused(village: BilledVillage, prover: Prover) -> None:
    raw = encode_light_proof(prover.prove(MAKERS["price"](village)))
    for other in (b"", MAGIC, raw[:-1], raw + b"\0", raw[1:], b"x" + raw):
        with pytest.raises(ProofFileError):
            decode_light_proof(other)


def test_a_file_of_a_forged_header_is_refused(village: BilledVillage, prover: Prover) -> None:
    """Who holds other keys can sign a header of any app hash; nobody believes it."""
    made = prover.prove(MAKERS["price"](village))
    end = made.blocks[-1]
    strangers = {21: 10, 22: 10, 23: 10, 24: 10}
    forged = sign(replace(end.header, app_hash=bytes(32)), strangers)
    with pytest.raises(LightError):
        prover.check(replace(made, blocks=(replace(forged, validators=end.validators),)))
    own = sign(replace(end.header, validators_hash=forged.header.validators_hash, app_hash=bytes(32)), strangers)
    with pytest.raises(LightError):
        prover.check(replace(made, blocks=(own,)))


def test_a_file_begins_with_the_trusted_header_and_chain(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(MAKERS["price"](village))
    anchor = prover.anchor
    for other, reason in (
        (Anchor(anchor.format, 1, anchor.chain_id, 2, anchor.header, PERIOD_S), OtherAnchorError),
        (Anchor(anchor.format, 1, anchor.chain_id, 1, "00" * 32, PERIOD_S), OtherAnchorError),
        (Anchor(anchor.format, 1, "other", 1, anchor.header, PERIOD_S), OtherChainError),
        (Anchor(anchor.format, 1, anchor.chain_id, 1, anchor.header, 1), TrustExpiredError),
    ):
        with pytest.raises(reason):
            verify_light_proof(made, other, NOW)


def test_a_file_whose_trusted_header_tells_the_state_itself_needs_no_other(
    village: BilledVillage, network: Network
) -> None:
    height, _ = root(village)
    prover = Prover(village, network, anchor_of(trusted(network.light_block(height + 1)), PERIOD_S))
    made = prover.prove(Stated(StateRoot(), root(village)))
    assert made.blocks == ()
    assert prover.check(made).shown.found == {"app_hash": root(village)[1]}
    assert made.end == made.trusted


def test_votes_that_do_not_count_are_left_out_of_a_file(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(MAKERS["price"](village))
    flags = [Flag.COMMIT, Flag.NIL, Flag.COMMIT, Flag.COMMIT]
    voted = sign(made.blocks[-1].header, {1: 10, 2: 10, 3: 10, 4: 10}, flags)
    assert [vote.flag for vote in proving.trimmed(voted).commit.votes] == [2, 1, 2, 2]
    prover.check(replace(made, blocks=(proving.trimmed(voted),)))


def test_a_file_is_written_once_and_a_households_own_for_it_alone(
    village: BilledVillage, prover: Prover, tmp_path: Path
) -> None:
    public_file, own_file = tmp_path / "public", tmp_path / "own"
    made: list[LightProof] = [prover.prove(MAKERS["price"](village)), prover.prove(records(village))]
    for path, proof in zip((public_file, own_file), made, strict=True):
        write_light_proof(path, proof)
        assert read_light_proof(path) == proof
        with pytest.raises(FileExistsAlreadyError):
            write_light_proof(path, proof)
    assert stat.S_IMODE(own_file.stat().st_mode) == 0o600
    with pytest.raises(FileMissingError):
        read_light_proof(tmp_path / "none")


def test_a_number_beyond_what_the_engine_has_is_no_file(village: BilledVillage, prover: Prover) -> None:
    made: Any = prover.prove(MAKERS["price"](village))
    for header in ({"height": 0}, {"height": 2**63}, {"app_version": -1}, {"chain_id": "x" * 51}):
        wrong = replace(made, trusted=replace(made.trusted, header=replace(made.trusted.header, **header)))
        with pytest.raises(ProofFileError):
            decode_light_proof(encode_light_proof(wrong))
