"""What is stated follows from a header's app hash, and nothing else passes for it."""

from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.proofs import proving, statements, taking
from gridproof.actors.proofs.errors import (
    CardNeededError,
    HouseholdNeededError,
    InFoldError,
    NothingToProveError,
    StatementFalseError,
    StatementUnknownError,
)
from gridproof.actors.proofs.file import verify_light_proof
from gridproof.actors.proofs.proving import Stated
from gridproof.actors.proofs.statements import KINDS, Entry, Folded, InBatch, IsValidator, StateRoot, plain
from gridproof.domain import RegionId, Slot
from gridproof.errors import GridproofError
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry.types import METERS
from gridproof.primitives.errors import InvalidProofError
from gridproof.state import address_of

from .proven import IMPORT, NOW, Prover, bill, record_of, records, root
from tests.light_chain import public
from tests.simulation.billed import BilledVillage
from tests.simulation.falsehoods import ANN
from tests.simulation.village import OCTOBER, REGION, slot


def test_a_price_of_a_closed_month_is_proven_through_its_fold(village: BilledVillage, prover: Prover) -> None:
    prices = village.client.ask(pricing.month_prices, REGION, IMPORT, OCTOBER)
    for price in (prices[0], prices[-1]):
        shown = prover(proving.slot_entry(village.client, "price", Slot(REGION, IMPORT, price.k)))
        assert (shown.kind, shown.about["k"], shown.found) == ("price", price.k, price)


def test_a_total_of_a_closed_month_is_proven_through_its_fold(village: BilledVillage, prover: Prover) -> None:
    place = slot(0)
    shown = prover(proving.slot_entry(village.client, "total", place))
    folded = village.client.ask(aggregation.folded_slot, REGION, IMPORT, OCTOBER, place.k)
    assert folded is not None
    assert shown.found == folded.state


def test_a_registration_of_a_bill_is_proven(village: BilledVillage, prover: Prover) -> None:
    opened = village.open(ANN)
    bid = bytes.fromhex(opened.report.bid)
    shown = prover(proving.state_entry(village.client, "bill", REGION, OCTOBER, bid, opened.version))
    assert shown.about == {"region": REGION, "month": OCTOBER, "bid": bid, "version": opened.version}
    assert plain(shown.found)["digest"]


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("participant", (1,)),
        ("region", (REGION,)),
        ("month", (REGION, OCTOBER)),
    ],
)
def test_what_the_registry_knows_is_proven(
    village: BilledVillage, prover: Prover, kind: str, place: tuple[Any, ...]
) -> None:
    assert prover(proving.state_entry(village.client, kind, *place)).found is not None


def test_each_kind_of_entry_is_proven_to_be_absent(village: BilledVillage, prover: Prover) -> None:
    for kind, (table, parts) in KINDS.items():
        nothing = [
            bytes(part.size) if isinstance(part.decode(bytes(part.size)), bytes) else 2 ** (8 * part.size) - 1
            for part in table.parts
        ]
        shown = prover(proving.state_entry(village.client, kind, *nothing))
        assert shown.found is None, kind
        assert list(shown.about) == list(parts)


def test_an_absence_does_not_pass_for_that_of_something_that_is_there(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(proving.state_entry(village.client, "region", 99))
    assert isinstance(made.statement, Entry)
    with pytest.raises(InvalidProofError):
        prover.check(replace(made, statement=replace(made.statement, place=(int(REGION),))))


def test_a_proof_of_one_entry_does_not_pass_for_another(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(proving.state_entry(village.client, "participant", 1))
    assert isinstance(made.statement, Entry)
    for change in ({"place": (2,)}, {"value": made.statement.value + b"x"}, {"kind": "region"}):
        with pytest.raises(InvalidProofError):
            prover.check(replace(made, statement=replace(made.statement, **change)))
    for unknown in ({"kind": "nonsense"}, {"place": ()}, {"place": (1, 1)}):
        with pytest.raises(StatementUnknownError):
            prover.check(replace(made, statement=replace(made.statement, **unknown)))


def test_a_folded_price_does_not_pass_for_another_periods(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(proving.slot_entry(village.client, "price", slot(0)))
    assert isinstance(made.statement, Folded)
    for change in ({"k": slot(1).k}, {"channel": 2}, {"month": OCTOBER + 1}, {"kind": "total"}):
        with pytest.raises(GridproofError):
            prover.check(replace(made, statement=replace(made.statement, **change)))
    for unknown in ({"kind": "bill"}, {"fold": b""}):
        with pytest.raises(StatementUnknownError):
            prover.check(replace(made, statement=replace(made.statement, **unknown)))


def test_there_is_nothing_to_prove_of_a_period_that_the_ledger_does_not_know(village: BilledVillage) -> None:
    for k in (slot(0).k - 1_000, slot(0).k + 1_000_000):
        with pytest.raises(NothingToProveError):
            proving.slot_entry(village.client, "total", Slot(REGION, IMPORT, k))
    with pytest.raises(NothingToProveError):
        proving.slot_entry(village.client, "price", Slot(RegionId(9), IMPORT, slot(0).k))


def test_a_record_is_proven_to_stand_in_its_batch_and_to_count(village: BilledVillage, prover: Prover) -> None:
    shown = prover(record_of(village))
    assert shown.kind == "record"
    assert shown.found["batch"] == 0
    assert shown.found["counted"] is True


def test_a_record_with_anything_changed_stands_in_no_batch(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(record_of(village))
    stated = made.statement
    assert isinstance(stated, InBatch)
    record = stated.record
    others = (
        {"record": replace(record, rc=(record.rc + 1) % 2**64)},
        {"record": replace(record, signature=bytes(64))},
        {"batch": 7},
        {"batch": -1},
        {"index": stated.index + 1},
        {"position": stated.position + 1},
        {"path": stated.path[1:]},
        {"leaf_path": ()},
    )
    for other in others:
        with pytest.raises(GridproofError):
            prover.check(replace(made, statement=replace(stated, **other)))


def test_no_other_record_is_proven(village: BilledVillage) -> None:
    with pytest.raises(NothingToProveError):
        proving.record(village.client, slot(0), bytes(32), [])


def test_who_decided_on_the_block_is_shown_with_its_power(village: BilledVillage, prover: Prover) -> None:
    shown = prover(Stated(IsValidator(address_of(public(2))), root(village)))
    assert shown.found == {"key": public(2), "power": 10, "total_power": 40}
    with pytest.raises(StatementFalseError):
        prover(Stated(IsValidator(bytes(20)), root(village)))


def test_the_app_hash_alone_is_shown_for_files_that_take_one(village: BilledVillage, prover: Prover) -> None:
    shown = prover(Stated(StateRoot(), root(village)))
    assert (shown.about["height"], shown.found["app_hash"]) == root(village)


@pytest.mark.parametrize("kind", ["price", "total"])
def test_what_a_closed_month_has_folded_is_not_said_to_be_absent(village: BilledVillage, kind: str) -> None:
    parts = [str(int(part)) for part in slot(0)]
    with pytest.raises(InFoldError) as folded:
        taking.entry(village.client, kind, parts, there=False)
    assert (folded.value.kind, folded.value.about) == (kind, " ".join(parts))
    for absent in ([parts[0], "9", parts[2]], [parts[0], parts[1], "1"]):
        assert taking.entry(village.client, kind, absent, there=False).statement.claims == f"absence of {kind}"


# --- a household's own


def test_a_households_records_are_shown_to_it_and_to_nobody_else(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(records(village))
    shown = prover.check(made, household=True).shown
    assert len(shown.found["readings"]) >= 1
    with pytest.raises(HouseholdNeededError):
        prover.check(made)


def test_records_read_by_other_months_or_periods_are_refused(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(records(village))
    stated: Any = made.statement
    first = stated.file.slots[0]
    for file in (
        replace(stated.file, period_s=450),
        replace(stated.file, height=stated.file.height + 1),
        replace(stated.file, chain_id="other"),
        replace(stated.file, slots=[replace(first, month_end_s=first.month_end_s + 900), *stated.file.slots[1:]]),
        replace(stated.file, slots=[]),
    ):
        with pytest.raises(StatementFalseError):
            prover.check(replace(made, statement=replace(stated, file=file)), household=True)
    for other in ({"months": ()}, {"months": (stated.region,)}, {"region": stated.months[0]}):
        with pytest.raises(StatementFalseError):
            prover.check(replace(made, statement=replace(stated, **other)), household=True)


def test_a_whole_bill_without_its_card_asks_for_the_card(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(bill(village))
    own = village.file(ANN)
    with pytest.raises(CardNeededError) as needed:
        verify_light_proof(made, prover.anchor, NOW, own, None)
    assert "--card" in str(needed.value)
    with pytest.MonkeyPatch.context() as patched:  # where something else is false too, that is what is said
        patched.setattr(statements, "NEED_CARD", frozenset({"leaves"}))
        with pytest.raises(StatementFalseError):
            verify_light_proof(made, prover.anchor, NOW, own, None)


def test_a_whole_bill_is_recomputed_from_the_file(village: BilledVillage, prover: Prover) -> None:
    made = prover.prove(bill(village))
    shown = prover.check(made, household=True).shown
    assert shown.found["payable_e9"] == village.open(ANN).report.payable_e9
    with pytest.raises(HouseholdNeededError):
        prover.check(made)
    stated: Any = made.statement
    other = replace(stated, file=replace(stated.file, channels=()))
    with pytest.raises(StatementFalseError):
        prover.check(replace(made, statement=other), household=True)


def test_what_is_shown_is_plain_for_json() -> None:
    assert plain({"a": (b"\1", METERS.parts[0].decode(bytes(16)), [1, None])}) == {"a": ["01", "00" * 16, [1, None]]}
