"""A household's own records: found by the view secret alone, proven offline, and no falsehood passes."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gridproof.actors.enrolment import HouseholdFile, ViewChain
from gridproof.actors.errors import ProofFileError, RecordUnknownError
from gridproof.actors.household import Household
from gridproof.actors.proof_file import ProofFile, read_proof_file, verify_proof_file, write_proof_file
from gridproof.connectors.files import FileExistsAlreadyError, FileMissingError
from gridproof.connectors.ledger import InProcessClient
from gridproof.domain import Direction, Half
from gridproof.modules.aggregation.messages import CloseSlot
from gridproof.modules.aggregation.types import Status
from gridproof.primitives.hashing import sha256

from tests.unit.modules.aggregation.community import CHAIN_ID, FIRST_K, IMPORT, MONTH, REGION, Community, reading_of

K = FIRST_K


def file_of(meter: int, **changes: Any) -> HouseholdFile:
    chain = ViewChain(IMPORT, sha256(b"view", meter.to_bytes(4, "big")))
    named = {"version": 1, "chain_id": CHAIN_ID, "name": f"h{meter}", "meter": bytes(16), "region": REGION}
    return HouseholdFile(**{**named, "month": MONTH, "from_k": K, "views": (chain,), **changes})


def household(grid: Community, file: HouseholdFile) -> Household:
    return Household(file, InProcessClient(grid.node), lambda slot, _month: grid.leaves(slot.k))


@pytest.fixture
def grid() -> Iterator[Community]:
    community = Community(enrolled=5, places=6).begin()
    community.opened(K)
    community.closed(K + 1, 0, 1, 2, 3)
    yield community
    community.close()


@pytest.fixture
def proof(grid: Community) -> ProofFile:
    return export(grid, 2)


def export(grid: Community, meter: int, ks: range = range(K, K + 2)) -> ProofFile:
    return household(grid, file_of(meter)).export_records([IMPORT], ks)


def test_a_household_proves_its_readings_and_how_far_their_slots_have_come(proof: ProofFile) -> None:
    verdict = verify_proof_file(proof, file_of(2))
    assert verdict.falsehoods == []
    assert [(each.slot.k, *each[1:]) for each in verdict.readings] == [
        (K, reading_of(2, K), Status.OPENED, True),
        (K + 1, reading_of(2, K + 1), Status.CLOSED, None),
    ]


def test_a_household_that_was_left_out_of_the_total_is_told_so(grid: Community) -> None:
    grid.closed(K + 2)
    grid.accepts("provider", grid.live_set(K + 2, excluded=[2]))
    grid.accepts("provider", grid.opening(K + 2, (0, 1, 3, 4)))
    told = {meter: verify_proof_file(export(grid, meter, range(K + 2, K + 3)), file_of(meter)) for meter in (1, 2)}
    assert [verdict.falsehoods for verdict in told.values()] == [[], []]
    assert [verdict.readings[0].counted for verdict in told.values()] == [True, False]


def test_another_position_than_its_own_is_a_falsehood(grid: Community) -> None:
    """Who was left out could point at the leaf of somebody who counts."""
    file = export(grid, 2, range(K, K + 1))
    other = grid.position(3, Half.FIRST, K)
    moved = msgspec.structs.replace(file.slots[0].first, position=other)
    slots = [msgspec.structs.replace(file.slots[0], first=moved)]
    assert verify_proof_file(msgspec.structs.replace(file, slots=slots), file_of(2)).falsehoods


def test_a_period_without_the_households_records_is_left_out(grid: Community) -> None:
    assert [slot.k for slot in export(grid, 4).slots] == [K]


def test_nothing_to_prove_is_said(grid: Community) -> None:
    with pytest.raises(RecordUnknownError) as refused:
        export(grid, 4, range(K + 1, K + 2))
    assert (refused.value.channel, refused.value.k) == ("import", K + 1)


def test_a_half_alone_is_no_reading(grid: Community) -> None:
    grid.filled(K + 2, 0, 1, 2, orphans=[3])
    someone = household(grid, file_of(3))
    assert someone.find_records(IMPORT, K + 2, grid.bounds) is None


def test_a_month_or_channel_that_is_not_the_households_has_no_records(grid: Community) -> None:
    assert household(grid, file_of(2, month=MONTH + 1)).find_records(IMPORT, K, grid.bounds) is None
    assert household(grid, file_of(2)).find_records(Direction.EXPORT, K, grid.bounds) is None
    assert household(grid, file_of(2)).month_of(K - 1, 900) is None


def test_after_the_month_was_closed_the_proof_takes_two_steps(grid: Community) -> None:
    for k in (K + 1, K + 2):
        grid.go_to(max(grid.now_s, grid.window_end_of(k)))
        if k == K + 2:
            grid.accepts("household", CloseSlot(REGION, IMPORT, k))
    grid.go_to(grid.claim_end_of(K + 2) + 1)
    grid.accepts("operator", grid.month_over)
    folded = export(grid, 2)
    assert all(slot.state.fold and slot.state.fold_path for slot in folded.slots)
    verdict = verify_proof_file(folded, file_of(2))
    assert verdict.falsehoods == []
    assert [(each.energy_wh, each.status) for each in verdict.readings] == [
        (reading_of(2, K), Status.OPENED),
        (reading_of(2, K + 1), Status.VOID),
    ]
    for at in (folded.slots[0].state.value, folded.slots[0].state.fold, folded.slots[0].state.fold_path[0]):
        assert falsehoods_after(folded, partial(_swap, at))


def _swap(at: str, text: str) -> str:
    return text.replace(at, flipped(at), 1)


def flipped(text: str) -> str:
    return text[:-2] + f"{int(text[-2:], 16) ^ 1:02x}"


def falsehoods_after(file: ProofFile, alter: Callable[[str], str]) -> list[str]:
    text = json.dumps(msgspec.to_builtins(file))
    altered = alter(text)
    assert altered != text
    return verify_proof_file(msgspec.json.decode(altered.encode(), type=ProofFile), file_of(2)).falsehoods


@pytest.mark.parametrize("half", ["first", "second"])
@pytest.mark.parametrize("field", ["prid", "signature", "path", "leaf_path"])
def test_an_altered_record_is_a_falsehood(proof: ProofFile, half: str, field: str) -> None:
    record = msgspec.to_builtins(proof)["slots"][0][half]
    at = record[field][0] if field.endswith("path") else record[field]
    assert falsehoods_after(proof, partial(_swap, at))


@pytest.mark.parametrize("field", ["value", "proof"])
def test_an_altered_state_is_a_falsehood(proof: ProofFile, field: str) -> None:
    at = msgspec.to_builtins(proof)["slots"][1]["state"][field]
    assert falsehoods_after(proof, partial(_swap, at))


def test_an_altered_value_is_a_falsehood(proof: ProofFile) -> None:
    at = proof.slots[0].second.rc
    assert falsehoods_after(proof, lambda text: text.replace(f'"{at}"', f'"{int(at) ^ 1}"', 1))


def test_another_app_hash_is_a_falsehood(proof: ProofFile) -> None:
    assert verify_proof_file(proof, file_of(2), bytes.fromhex(proof.app_hash)).falsehoods == []
    assert verify_proof_file(proof, file_of(2), bytes(32)).falsehoods
    assert len(falsehoods_after(proof, lambda text: text.replace(proof.app_hash, flipped(proof.app_hash)))) == 2


def test_a_strangers_view_secret_reads_nothing(proof: ProofFile) -> None:
    verdict = verify_proof_file(proof, file_of(3))
    assert verdict.readings == []
    assert len(verdict.falsehoods) == 2


@pytest.mark.parametrize("changes", [{"chain_id": "another"}, {"region": 2}])
def test_a_file_of_another_chain_or_region_is_said_to_be(proof: ProofFile, changes: dict[str, Any]) -> None:
    assert verify_proof_file(proof, file_of(2, **changes)).falsehoods


def test_slots_twice_swapped_or_none_at_all_are_falsehoods(proof: ProofFile) -> None:
    replace = msgspec.structs.replace
    first, second = proof.slots
    assert verify_proof_file(replace(proof, slots=[first, first]), file_of(2)).falsehoods
    assert verify_proof_file(replace(proof, slots=[]), file_of(2)).falsehoods
    assert verify_proof_file(replace(proof, slots=[replace(first, k=second.k)]), file_of(2)).falsehoods
    assert verify_proof_file(replace(proof, slots=[replace(first, second=first.first)]), file_of(2)).falsehoods
    assert verify_proof_file(replace(proof, slots=[replace(first, state=second.state)]), file_of(2)).falsehoods
    lost = replace(first, first=replace(first.first, batch=7))
    assert verify_proof_file(replace(proof, slots=[lost]), file_of(2)).falsehoods


def test_the_file_is_written_once_and_read_back(tmp_path: Path, proof: ProofFile) -> None:
    path = tmp_path / "records.json"
    write_proof_file(path, proof)
    assert read_proof_file(path) == proof
    assert path.stat().st_mode & 0o777 == 0o600  # it tells which records are one household's
    with pytest.raises(FileExistsAlreadyError):
        write_proof_file(path, proof)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"format":"another"}', b"[" * 100_000])
def test_what_is_no_proof_file_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "records.json"
    path.write_bytes(content)
    with pytest.raises(ProofFileError):
        read_proof_file(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        read_proof_file(tmp_path / "nowhere.json")
