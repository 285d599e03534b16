"""The registry's section of the genesis document: what it lays, and what it refuses, by its place."""

from collections.abc import Callable
from typing import Any

import pytest

from gridproof.modules.registry import queries
from gridproof.modules.registry.parameters import DEFAULT_PERIOD_S, PARAMETERS, PRIVACY
from gridproof.modules.registry.types import KeyRole, Participant, Region
from gridproof.state import GenesisError, SerialVerifier
from gridproof.state.store import MemoryStore

from .community import application, genesis, section, signer


def test_participants_and_regions_are_laid_with_their_defaults() -> None:
    made = application(MemoryStore(), SerialVerifier())
    made.init_chain(genesis())
    with made.reading() as view:
        assert queries.participants(view)[3] == (4, Participant("aggregator", 8, 0, 0))
        assert queries.key(view, 4, KeyRole.RECEIPT) == signer("aggregator", KeyRole.RECEIPT).public_key
        laid = Region(
            "Harbour",
            DEFAULT_PERIOD_S,
            *(limits.default for limits in PARAMETERS.values()),
            *(limits.default for limits in PRIVACY.values()),
        )
        assert queries.regions(view) == ((1, laid),)
    made.check_invariants()


def test_without_ids_participants_are_counted_and_explicit_ones_may_leave_gaps() -> None:
    changed = section()
    for at in (0, 1, 3, 4):
        del changed["participants"][at]["id"]
    changed["participants"][2]["id"] = 10
    made = application(MemoryStore(), SerialVerifier())
    made.init_chain(genesis(changed))
    with made.reading() as view:
        assert [number for number, _ in queries.participants(view)] == [1, 2, 10, 11, 12]
    made.check_invariants()


def test_roles_add_up() -> None:
    changed = section()
    changed["participants"][0]["roles"] = ["operator", "auditor", "bill_provider"]
    changed["participants"][1]["roles"] = []
    made = application(MemoryStore(), SerialVerifier())
    made.init_chain(genesis(changed))
    with made.reading() as view:
        assert [known.roles for _, known in queries.participants(view)] == [19, 0, 4, 8, 16]


def _put(path: list[Any], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _twice(document: dict[str, Any]) -> None:
    document["regions"].append({"region": 1, "name": "Again"})


def _no_transaction_key(document: dict[str, Any]) -> None:
    document["participants"][3]["keys"] = {"receipt": "ab" * 32}


FAULTS = [
    (_put(["participants"], []), "modules.registry.participants: one of them must be operator"),
    (_put(["participants", 0, "roles"], ["auditor"]), "modules.registry.participants: one of them must be operator"),
    (_put(["participants", 1, "name"], "operator"), "modules.registry.participants[1]: A participant has this name"),
    (_put(["participants", 1, "name"], " "), "modules.registry.participants[1]: A name has 1 to 64"),
    (_put(["participants", 1, "id"], 1), "modules.registry.participants[1]: id 1 is not above 1"),
    (_put(["participants", 1, "id"], 0), "$.participants[1].id"),
    (_put(["participants", 2, "roles"], ["control_centre"]), "$.participants[2].roles[0]"),
    (
        _put(["participants", 2, "roles"], ["auditor", "auditor"]),
        "modules.registry.participants[2]: a role comes twice",
    ),
    (_put(["participants", 2, "keys", "signing"], "ab" * 32), "$.participants[2].keys"),
    (_put(["participants", 2, "keys", "transaction"], "AB" * 32), "$.participants[2].keys"),
    (_put(["participants", 2, "keys", "transaction"], "ab" * 31), "$.participants[2].keys"),
    (_put(["participants", 2, "keys", "transaction"], "ab" * 32 + "\n"), "$.participants[2].keys"),
    (
        _put(["participants", 2, "keys", "transaction"], (5).to_bytes(32, "big").hex()),
        "modules.registry.participants[2]: A key has 32 bytes",
    ),
    (
        _put(["participants", 2, "keys", "transaction"], signer("operator").public_key.hex()),
        "modules.registry.participants[2]: The key was brought before",
    ),
    (_no_transaction_key, "modules.registry.participants[3]"),
    (_put(["participants", 2, "email"], "a@b"), "$.participants[2]"),
    (_put(["regions", 0, "region"], 0), "$.regions[0].region"),
    (_put(["regions", 0, "name"], ""), "modules.registry.regions[0]: A name has 1 to 64"),
    (_put(["regions", 0, "period_s"], 7), "modules.registry.regions[0]: Periods have one of a few lengths"),
    (_put(["regions", 0, "window_s"], 1), "modules.registry.regions[0]: A region's parameter lies outside"),
    (_put(["regions", 0, "k_min"], 2), "modules.registry.regions[0]: A privacy parameter is below the floor"),
    (_put(["regions", 0, "window"], 60), "$.regions[0]"),
    (_twice, "modules.registry.regions[1]: There is a region of this number already"),
]


@pytest.mark.parametrize(("change", "expected"), FAULTS)
def test_a_fault_is_told_in_one_sentence_with_its_place(
    change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    faulty = section()
    change(faulty)
    made = application(MemoryStore(), SerialVerifier())
    with pytest.raises(GenesisError) as refusal:
        made.init_chain(genesis(faulty))
    assert expected in refusal.value.detail
    assert "modules.registry" in refusal.value.detail
    assert made.info().height == 0
