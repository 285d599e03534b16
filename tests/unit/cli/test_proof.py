"""`gridproof proof`: files to take away, made with a node's headers and checked without it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridproof.actors.proofs.statements import KINDS
from gridproof.state import address_of

from tests.engine_server import EngineServer
from tests.light_chain import BLOCK_S, Network, public
from tests.unit.cli.home import START, refused, total_wh, typed

WEEKS_S = 100 * 7 * 86_400


class Folder:
    """A community's folder, a node of its network, and a trusted header."""

    def __init__(self, root: Path, server: EngineServer, trust: Path) -> None:
        self.root, self.server, self.trust = root, server, trust

    @property
    def options(self) -> tuple[Any, ...]:
        return ("--trust", self.trust, "--node", self.server.url, "-C", self.root)

    def export(self, *words: object) -> dict[str, Any]:
        return typed("proof", "export", *words, *self.options, "--json").json

    def verify(self, path: Path, *more: object) -> dict[str, Any]:
        return typed("proof", "verify", path, "--trust", self.trust, *more, "--json").json


@pytest.fixture
def at(worked: Path, tmp_path: Path) -> Iterator[Folder]:
    status = typed("status", "-C", worked, "--json").json
    network = Network(status["chain_id"], latest=status["height"] + 1)
    network.start_s = int(time.time()) - (network.latest + 5) * BLOCK_S
    network.tells(network.latest, bytes.fromhex(status["app_hash"]))
    with EngineServer(network) as server:
        trust = tmp_path / "trust.json"
        typed("proof", "trust", trust, "--node", server.url, "--height", 1)
        yield Folder(worked, server, trust)


def test_a_total_is_taken_away_and_proven_without_ledger_or_node(at: Folder, tmp_path: Path) -> None:
    path = tmp_path / "total"
    made = at.export("total", "1", START, path)
    assert made["headers"] == 1
    told = at.verify(path)
    assert (told["ok"], told["kind"], told["found"]["total_wh"]) == (True, "total", total_wh(0))
    assert (told["state_height"], told["app_hash"]) == (made["state_height"], made["app_hash"])
    assert (told["signed_power"], told["total_power"]) == (40, 40)
    words = typed("proof", "verify", path, "--trust", at.trust).out
    assert f"  {total_wh(0):,} Wh, the sum of 6 meters; 6 are enrolled" in words
    assert "{" not in words
    assert "proven" in words


def test_a_price_is_taken_away(at: Folder, tmp_path: Path) -> None:
    at.export("price", "1", START, tmp_path / "price")
    words = typed("proof", "verify", tmp_path / "price", "--trust", at.trust).out
    assert f"per kWh, as it follows from a total of {total_wh(0):,} Wh" in words
    assert at.verify(tmp_path / "price")["found"]["price_e5"] > 0


def test_a_households_records_are_read_with_its_file_alone(at: Folder, tmp_path: Path) -> None:
    path = tmp_path / "records"
    at.export("records", "Ada", path)
    (own,) = (at.root / "enrolments").glob("Ada.*.household")
    assert len(at.verify(path, "--household", own)["found"]["readings"]) == 6
    words = typed("proof", "verify", path, "--trust", at.trust, "--household", own).out
    assert "import   2025-10-25 22:00" in words
    assert "6 readings, 15 Wh." in words
    refused("proof", "verify", path, "--trust", at.trust, error="HouseholdNeededError")


def test_a_record_is_taken_away_by_its_identity(at: Folder, tmp_path: Path) -> None:
    typed("export", "records", "Ada", tmp_path / "own", "-C", at.root)
    import json

    slot = json.loads((tmp_path / "own").read_text())["slots"][0]
    at.export("record", "1", START, slot["first"]["prid"], tmp_path / "record")
    told = at.verify(tmp_path / "record")
    assert (told["kind"], told["found"]["counted"]) == ("record", True)
    words = typed("proof", "verify", tmp_path / "record", "--trust", at.trust).out
    assert "the slot is opened; it is in the total" in words


def test_entries_and_absences_are_taken_away_by_their_place(at: Folder, tmp_path: Path) -> None:
    at.export("entry", tmp_path / "there", "participant", "1")
    assert at.verify(tmp_path / "there")["found"]["name"]
    at.export("absence", tmp_path / "none", "bill", "1", "24309", "00" * 32, "1")
    assert at.verify(tmp_path / "none")["found"] is None
    assert "nothing there" in typed("proof", "verify", tmp_path / "none", "--trust", at.trust).out
    path = tmp_path / "no"
    refused("proof", "export", "entry", path, "participant", "99", *at.options, error="NothingToProveError")
    refused("proof", "export", "absence", path, "participant", "1", *at.options, error="ThereIsOneError")
    refused("proof", "export", "entry", path, "nonsense", "1", *at.options, error="NoSuchKindError")
    for parts in (("1", "2"), ("x",), (str(2**32),)):
        refused("proof", "export", "entry", path, "participant", *parts, *at.options, error="PlaceFormError")


def test_a_validator_and_the_app_hash_are_taken_away(at: Folder, tmp_path: Path) -> None:
    at.export("validator", address_of(public(3)).hex(), tmp_path / "validator")
    assert at.verify(tmp_path / "validator")["found"]["key"] == public(3).hex()
    made = at.export("app-hash", tmp_path / "root")
    assert at.verify(tmp_path / "root")["found"]["app_hash"] == made["app_hash"]


def test_a_bill_that_there_is_not_is_said(at: Folder, tmp_path: Path) -> None:
    for more in ((), ("--whole",)):
        typed("proof", "export", "bill", "Ada", tmp_path / "bill", *more, *at.options, code=1)


def test_what_a_file_claims_is_shown_unchecked(at: Folder, tmp_path: Path) -> None:
    at.export("total", "1", START, tmp_path / "total")
    told = typed("proof", "show", tmp_path / "total", "--json").json
    assert (told["checked"], told["headers"]) == (False, 1)
    assert "not checked" in typed("proof", "show", tmp_path / "total").out


def test_a_file_that_was_altered_is_refused(at: Folder, tmp_path: Path) -> None:
    path = tmp_path / "total"
    at.export("total", "1", START, path)
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    typed("proof", "verify", path, "--trust", at.trust, code=1)
    refused("proof", "verify", at.trust, "--trust", at.trust, error="ProofFileError")


def test_trust_is_given_by_a_file_or_by_hash_and_height(at: Folder, tmp_path: Path) -> None:
    path = tmp_path / "total"
    at.export("total", "1", START, path)
    shown = typed("proof", "show", path, "--json").json
    digits = shown["trusted_header"]
    told = typed("proof", "verify", path, "--trust-hash", digits.upper(), "--trust-height", 1, "--json").json
    assert told["ok"]
    other = "00" * 32
    refused("proof", "verify", path, "--trust-hash", other, "--trust-height", 1, error="OtherAnchorError")
    for words in (
        (),
        ("--trust-hash", digits),
        ("--trust-height", 1),
        ("--trust-hash", digits[1:], "--trust-height", 1),
        ("--trust", at.trust, "--trust-height", 1),
    ):
        typed("proof", "verify", path, *words, code=2)
    typed("proof", "export", "app-hash", tmp_path / "no", "--node", at.server.url, "-C", at.root, code=2)


def test_trust_ends_with_its_period_at_the_time_that_is_given(at: Folder, tmp_path: Path) -> None:
    path = tmp_path / "total"
    at.export("total", "1", START, path)
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 20 * 86_400))
    refused("proof", "verify", path, "--trust", at.trust, "--now", later, error="TrustExpiredError")
    earlier = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - WEEKS_S))
    refused("proof", "verify", path, "--trust", at.trust, "--now", earlier, error="FromTheFutureError")
    for wrong in ("yesterday", "2026-01-01T00:00:00"):
        typed("proof", "verify", path, "--trust", at.trust, "--now", wrong, code=2)


def test_a_ledger_in_one_process_names_the_files_that_it_has_instead(at: Folder, tmp_path: Path) -> None:
    words = ("proof", "export", "app-hash", tmp_path / "no", "--trust", at.trust, "-C", at.root)
    assert "gridproof export records" in refused(*words, error="NoValidatorsError").json["sentence"]
    refused("proof", "trust", tmp_path / "no", "-C", at.root, error="NoValidatorsError")


def test_nodes_that_disagree_give_nothing_to_trust(at: Folder, tmp_path: Path) -> None:
    other = Network(at.server.network.chain_id)
    with EngineServer(other) as second:
        words = ("proof", "trust", tmp_path / "no", "--node", at.server.url, "--node", second.url, "--height", 2)
        refused(*words, error="NodesDisagreeError")
    assert not (tmp_path / "no").exists()


def test_a_kind_that_there_is_not_names_those_that_there_are(at: Folder, tmp_path: Path) -> None:
    words = ("proof", "export", "absence", tmp_path / "no", "blah", "1")
    sentence = refused(*words, *at.options, error="NoSuchKindError").json["sentence"]
    assert all(kind in sentence for kind in KINDS)


def test_a_node_that_is_down_is_named_and_the_others_are_believed(at: Folder, tmp_path: Path) -> None:
    with EngineServer(at.server.network) as down:
        pass
    nodes = [word for url in (at.server.url, down.url, at.server.url) for word in ("--node", url)]
    out = typed("proof", "trust", tmp_path / "some", *nodes, "--height", 2).out
    assert "2 of 3 nodes name it" in out
    assert f"No answer came from {down.url}." in " ".join(out.split())
    told = typed("proof", "trust", tmp_path / "all", "--node", at.server.url, "--height", 2, "--json").json
    assert (told["nodes"], told["silent"]) == (1, [])
    refused("proof", "trust", tmp_path / "no", *nodes[:4], error="TooFewNodesError")
    refused("proof", "trust", tmp_path / "no", "--node", down.url, error="EngineUnreachableError")
    assert not (tmp_path / "no").exists()


def test_identities_and_addresses_have_their_digits(at: Folder, tmp_path: Path) -> None:
    typed("proof", "export", "validator", "00", tmp_path / "no", *at.options, code=2)
    typed("proof", "export", "record", "1", START, "zz", tmp_path / "no", *at.options, code=2)
