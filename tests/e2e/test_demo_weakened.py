"""Positive controls: where a rule is left out, the demonstration's attacker wins, and the demonstration says so."""

import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.bill_provider import totals
from gridproof.actors.bill_provider.live_set import judge
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.actors.demo import bill_course
from gridproof.cli.main import run
from gridproof.domain import billing as domain_billing
from gridproof.domain import is_marked
from gridproof.modules.aggregation import messages
from gridproof.modules.aggregation.keeper import Keeper
from gridproof.modules.aggregation.types import SLOTS, Status
from gridproof.modules.billing.errors import BillExists
from gridproof.modules.billing.keeper import Keeper as BillKeeper
from gridproof.modules.pricing.errors import OtherTotal, WrongPrice
from gridproof.modules.pricing.keeper import Keeper as PriceKeeper
from gridproof.modules.pricing.types import PRICES, Price
from gridproof.state import Context


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run the demonstration; it must not end well."""
    code = run(["demo", "--households", "12", "--periods", "8", "--dir", str(tmp_path / "day"), "--json"])
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 1
    assert summary["ok"] is False
    return summary


def test_a_ledger_that_takes_a_second_live_set_is_told_and_its_total_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = Keeper.fix_live_set

    def weak(self: Keeper, ctx: Context, sender: Any, message: Any) -> None:
        state = SLOTS.find(ctx, *message.slot)
        if state is not None and state.status == Status.FIXED:
            SLOTS.put(ctx, *message.slot, value=replace(state, status=Status.CLOSED))
        strict(self, ctx, sender, message)

    monkeypatch.setattr(Keeper, "fix_live_set", weak)
    summary = told(tmp_path, capsys)
    assert summary["attacks"]["second_live_set"] == "succeeded"
    assert summary["attacks"]["forged_identity"] == "refused"
    assert summary["totals"]["wrong"] == 1


def test_a_ledger_that_opens_another_live_set_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def weak(self: Keeper, ctx: Context, sender: Any, message: Any) -> None:
        state = SLOTS.get(ctx, *message.slot)
        SLOTS.put(ctx, *message.slot, value=replace(state, status=Status.OPENED, mask_sum=message.mask_sum, total_wh=1))

    monkeypatch.setattr(Keeper, "open_masks", weak)
    summary = told(tmp_path, capsys)
    assert summary["attacks"]["other_live_set"] == "succeeded"
    assert summary["totals"]["wrong"] == summary["totals"]["opened"]


def test_a_ledger_without_the_rosters_proof_takes_a_forged_identity_and_a_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(messages, "merkle", SimpleNamespace(verify_multi=lambda *_: None))
    summary = told(tmp_path, capsys)
    assert summary["attacks"]["forged_identity"] == "succeeded"
    assert summary["attacks"]["altered_record"] == "refused"


def test_a_ledger_that_takes_late_batches_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = Keeper.submit

    def weak(self: Keeper, ctx: Context, sender: Any, message: Any) -> None:
        state = SLOTS.find(ctx, *message.slot)
        if state is None or state.status == Status.OPEN:
            strict(self, ctx, sender, message)
            return
        SLOTS.put(ctx, *message.slot, value=replace(state, status=Status.OPEN))
        strict(self, ctx, sender, message)
        joined = SLOTS.get(ctx, *message.slot)
        SLOTS.put(ctx, *message.slot, value=replace(joined, status=state.status))
        assert any(is_marked(joined.filled, n) != is_marked(state.filled, n) for n in range(state.count))

    monkeypatch.setattr(Keeper, "submit", weak)
    assert told(tmp_path, capsys)["attacks"]["late_batch"] == "succeeded"


def test_a_ledger_that_checks_no_signature_takes_an_altered_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(messages.SubmitBatch, "claims", lambda _self, _chain_id: ())
    summary = told(tmp_path, capsys)
    assert summary["attacks"]["altered_record"] == "succeeded"
    assert summary["attacks"]["forged_identity"] == "refused"
    assert summary["totals"]["wrong"] == 1


def test_a_bill_provider_that_believes_everything_counts_the_absurd_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(totals, "judge", lambda view, _limit_wh: judge(view, 2**40))
    summary = told(tmp_path, capsys)
    assert summary["attacks"]["absurd_value"] == "succeeded"
    assert summary["attacks"]["silent_meter"] == "found"
    assert summary["totals"]["wrong"] == 1


def test_a_ledger_that_does_not_recompute_prices_takes_any_and_the_count_tells_whom_it_hits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = PriceKeeper.announce

    def weak(self: PriceKeeper, ctx: Context, sender: Any, message: Any) -> None:
        try:
            strict(self, ctx, sender, message)
        except (OtherTotal, WrongPrice):
            PRICES.put(ctx, *message.slot, value=Price(message.price_e5, fallback=False, total_wh=message.total_wh))

    monkeypatch.setattr(PriceKeeper, "announce", weak)
    summary = told(tmp_path, capsys)
    assert (summary["attacks"]["wrong_price"], summary["attacks"]["swapped_price"]) == ("succeeded", "succeeded")
    assert summary["attacks"]["bill_twice"] == "refused"
    assert summary["totals"]["wrong"] == 2
    assert summary["billing"]["verified"] == 12, "households take the ledger's word for a price"
    assert summary["billing"]["counted"] < 12


def test_a_household_that_does_not_verify_pays_what_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bill_course, "verify_report", lambda *_: BillVerdict(()))
    summary = told(tmp_path, capsys)
    assert (summary["attacks"]["changed_bill"], summary["attacks"]["foreign_bill"]) == ("succeeded", "succeeded")
    assert summary["attacks"]["under_reporting"] == "found"


def test_without_reconciliation_it_pays_to_report_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(domain_billing, "_reconciled", lambda *_: iter(()))
    summary = told(tmp_path, capsys)
    assert summary["attacks"]["under_reporting"] == "succeeded"
    assert summary["billing"]["counted"] < 12


def test_a_ledger_that_registers_a_bill_again_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = BillKeeper.register

    def weak(self: BillKeeper, ctx: Context, sender: Any, message: Any) -> None:
        with suppress(BillExists):
            strict(self, ctx, sender, message)

    monkeypatch.setattr(BillKeeper, "register", weak)
    assert told(tmp_path, capsys)["attacks"]["bill_twice"] == "succeeded"


def test_people_are_told_which_attack_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(totals, "judge", lambda view, _limit_wh: judge(view, 2**40))
    assert run(["demo", "--households", "12", "--periods", "8", "--dir", str(tmp_path / "day")]) == 1
    said = capsys.readouterr().out
    assert "absurd_value: succeeded." in said
    assert "7 of 8 totals" in said
