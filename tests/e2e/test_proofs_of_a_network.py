"""Proofs of a network's ledger: taken while it runs, and checked when it is gone, by its validators' signatures."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from gridproof.actors.node.network import free_subnet
from gridproof.actors.proofs.file import decode_light_proof
from gridproof.actors.proofs.statements import Folded

from .commands import Commands
from tests.engines import engine

START: Final = "2025-10-27T00:00:00+01:00"
WHEN: Final = "2025-10-27T00:05+01:00"
READINGS: Final = {"Ada": 120, "Bo": 80, "Cleo": 95, "Dan": 300, "Eve": 0, "Fay": 41}
POWER: Final = 40


class Taken:
    """What was taken away: a folder with proofs, and none of the network's.

    Attributes:
        prid: of the record.
    """

    def __init__(self, folder: Path, prid: str) -> None:
        self.run = Commands(folder)
        self.folder, self.prid = folder, prid

    def verify(self, path: str, code: int = 0) -> dict[str, Any]:
        return self.run("proof", "verify", path, "--trust", "trust.json", "--json", code=code).json

    def refused(self, kind: str, at: int) -> str:
        """By which error a proof is refused that has one bit changed."""
        raw = bytearray(self.raw(kind))
        raw[at] ^= 1
        (self.folder / "altered").write_bytes(raw)
        told = self.verify("altered", code=1)
        assert told["sentence"]
        return str(told["error"])

    def raw(self, kind: str) -> bytes:
        return (self.folder / kind).read_bytes()


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Six households' first quarter of an hour on four validators, and what is to be proven of it; then all is gone."""
    engine("cometbft")
    place, away = tmp_path_factory.mktemp("network"), tmp_path_factory.mktemp("away")
    gridproof = Commands(place)
    options = ("--validators", 4, "--subnet", free_subnet(4), "--commit-ms", 100)
    gridproof("net", "init", "net", *options, "--start", START)
    try:
        gridproof("net", "up", "-C", "net")
        return _take(Commands(place / "net" / "community"), away)
    finally:
        gridproof("net", "down", "-C", "net")


def _take(gridproof: Commands, away: Path) -> Taken:
    rows = "\n".join(f"{name},2025-10-27T00:00+01:00,{energy_wh}" for name, energy_wh in READINGS.items())
    (gridproof.root / "readings.csv").write_text(f"meter,start,energy_wh\n{rows}\n")
    gridproof("meter", "enrol", *READINGS)
    gridproof("proof", "trust", away / "trust.json")
    gridproof("readings", "import", "readings.csv")
    gridproof("run", "--until", "2025-11-10")
    gridproof("bill", "make")
    gridproof("export", "records", "Ada", away / "own")
    prid = json.loads((away / "own").read_text())["slots"][0]["first"]["prid"]
    trust = ("--trust", away / "trust.json")
    gridproof("proof", "export", "price", 1, WHEN, away / "price", *trust)
    gridproof("proof", "export", "total", 1, WHEN, away / "total", *trust)
    gridproof("proof", "export", "record", 1, WHEN, prid, away / "record", *trust)
    gridproof("proof", "export", "bill", "Ada", away / "bill", *trust)
    gridproof("proof", "export", "absence", away / "absence", "participant", 999, *trust)
    return Taken(away, prid)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("price", {"fallback": False}),
        ("total", {"total_wh": sum(READINGS.values()), "live_pairs": len(READINGS)}),
        ("record", {"counted": True}),
        ("bill", {"registered_s": 1_762_729_200}),
    ],
)
def test_a_statement_is_proven_when_the_network_is_gone(taken: Taken, kind: str, found: dict[str, Any]) -> None:
    told = taken.verify(kind)
    assert (told["ok"], told["kind"], told["total_power"]) == (True, kind, POWER)
    assert 3 * told["signed_power"] > 2 * POWER
    assert told["header_height"] == told["state_height"] + 1 > told["trusted_height"]
    assert told["found"].items() >= found.items()
    if kind == "price":
        assert told["found"]["price_e5"] > 0
    if kind == "record":
        assert told["about"]["prid"] == taken.prid


def test_what_the_ledger_does_not_have_is_proven_not_to_be_there(taken: Taken) -> None:
    told = taken.verify("absence")
    assert (told["ok"], told["about"], told["found"]) == (True, {"participant": 999}, None)


def test_a_changed_byte_is_refused_with_the_reason(taken: Taken) -> None:
    raw = taken.raw("total")
    proof = decode_light_proof(raw)  # a place that is looked for by its form alone may stand within a hash, by chance
    assert isinstance(proof.statement, Folded)
    value, total = proof.statement.value, sum(READINGS.values()).to_bytes(2, "big")
    signature = next(vote.signature for vote in proof.blocks[-1].commit.votes if vote.signature)
    assert taken.refused("total", 3) == "ProofFileError"
    assert taken.refused("total", raw.index(proof.trusted.header.validators_hash) + 3) == "OtherAnchorError"
    assert taken.refused("total", raw.index(proof.end.header.app_hash)) == "OtherBlockError"
    assert taken.refused("total", raw.index(signature) + 8) == "WrongSignatureError"
    assert taken.refused("total", raw.index(value) + value.rindex(total)) == "InvalidProofError"


@pytest.mark.parametrize("kind", ["price", "record", "bill", "absence"])
def test_a_changed_byte_in_a_statements_own_proof_is_refused(taken: Taken, kind: str) -> None:
    assert taken.refused(kind, len(taken.raw(kind)) - 5) == "InvalidProofError"
