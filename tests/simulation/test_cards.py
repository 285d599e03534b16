"""Cards bind a household's leaves before any is used, and registers are taken from their meters only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gridproof.actors.bill_provider import Newcomer
from gridproof.actors.bill_provider.keys import Line
from gridproof.actors.bills.words import Card, RegisterStretchError, RegisterWord, RegisterWordError
from gridproof.actors.errors import MonthErasedError, RegisterUnsignedError
from gridproof.connectors.registers import SignedRegister
from gridproof.domain import Direction, MonthBounds, RegisterSpan, register_hash, roster_leaf
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.messages import PublishRosters
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import KeyEntry, RotateKeys
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import merkle
from gridproof.primitives.schnorr import Signer

from tests.simulation.billed import A_MONTH, BOTH, BilledVillage, month_wh
from tests.simulation.village import CHAIN, NOVEMBER, OCTOBER, PERIOD_S, REGION, START_S, slot

NAMES = [f"meter {n}" for n in range(4)]
ADA = NAMES[0]
IMPORT = Direction.IMPORT


@pytest.fixture
def village(tmp_path: Path) -> Iterator[BilledVillage]:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        yield village


def files(village: BilledVillage) -> list[Path]:
    return sorted((village.folder / "cards").rglob("*.card"))


def card(village: BilledVillage, name: str, month: int = OCTOBER) -> Card:
    found = village.reader(name).card(month)  # type: ignore[arg-type]
    assert found is not None
    return found


def leaves(village: BilledVillage, name: str, start: int, stop: int) -> list[bytes]:
    """The leaves that a meter's records will fill, made by the meter itself."""
    meter = next(meter for meter in village.crew.fleet if meter.name == name)
    return [roster_leaf(record.prid) for n in range(start, stop) for record in meter._make(slot(n), 1)]


def prepare(village: BilledVillage) -> None:
    """Let the month be opened, and nothing more."""
    bounds = MonthBounds(OCTOBER, START_S, START_S + A_MONTH * PERIOD_S, PERIOD_S)
    village.conductor(month_periods=A_MONTH).run([OCTOBER], START_S, START_S)
    village.crew.fleet.refresh()
    for meter in village.crew.fleet:
        meter.begin_month(bounds, village.clock.now_s())


# --- cards -----------------------------------------------------------------------------------------------------------


def test_row21_cards_are_dealt_with_the_rosters_before_the_first_slot(village: BilledVillage) -> None:
    assert files(village) == []
    prepare(village)
    assert village.clock.now_s() < START_S
    assert len(files(village)) == len(NAMES)
    for name in NAMES:
        own = card(village, name)
        own.verify(CHAIN, village.reader(name).identity(OCTOBER).public_key)
        assert own.key == village.crew.provider.seat.public_key
        (part,) = own.parts
        assert (part.first_k, part.periods) == (slot(0).k, A_MONTH)
        assert part.root == merkle.root(leaves(village, name, 0, A_MONTH))
    assert len({card(village, name).parts[0].root for name in NAMES}) == len(NAMES)


def test_a_card_is_dealt_once(village: BilledVillage) -> None:
    prepare(village)
    before = {path: path.read_bytes() for path in files(village)}
    village.run(3, None, A_MONTH)
    village.crew.provider.cards._dealt.clear()
    village.crew.provider.catch_up()
    assert {path: path.read_bytes() for path in files(village)} == before


def test_a_newcomer_in_mid_month_gets_a_card_of_the_leaves_that_are_there_already(village: BilledVillage) -> None:
    village.read_month(NAMES, 0, 2)
    village.run(2, None, A_MONTH)
    before = {path: path.read_bytes() for path in files(village)}
    village.enrol(["newcomer"], from_k=slot(4).k)
    own = card(village, "newcomer")
    assert (own.parts[0].first_k, own.parts[0].periods) == (slot(0).k, A_MONTH)
    assert {path: raw for path, raw in before.items() if path.read_bytes() != raw} == {}
    assert len(files(village)) == len(before) + 1


def test_a_card_binds_both_channels(tmp_path: Path) -> None:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.enrol(["sunny"], channels=BOTH)
        prepare(village)
        parts = card(village, "sunny").parts
        assert [part.channel for part in parts] == list(BOTH)
        assert len({part.root for part in parts}) == len({part.register_key for part in parts}) == 2
        assert [len(card(village, name).parts) for name in NAMES] == [1] * len(NAMES)


def test_a_revocation_changes_nobodys_card(village: BilledVillage) -> None:
    village.run(1, None, A_MONTH)
    before = {path: path.read_bytes() for path in files(village)}
    village.crew.provider.revoke(ADA, slot(3).k)
    village.settle()
    village.run(A_MONTH, None, A_MONTH)
    assert village.client.ask(aggregation.last_epoch, REGION, IMPORT, OCTOBER) == 2
    assert {path: path.read_bytes() for path in files(village)} == before


def test_each_month_has_cards_of_its_own_for_who_is_still_there(village: BilledVillage) -> None:
    village.crew.provider.move_out(ADA, slot(A_MONTH).k)
    village.settle()
    village.run(2 * A_MONTH, None, A_MONTH)
    assert village.reader(ADA).card(NOVEMBER) is None
    october, november = card(village, NAMES[1]), card(village, NAMES[1], NOVEMBER)
    assert october.bid != november.bid
    assert october.parts[0].register_key != november.parts[0].register_key


def test_a_card_stays_good_when_the_bill_providers_key_is_replaced(village: BilledVillage) -> None:
    village.read_month(NAMES)
    village.months()
    village.billing().make(REGION, OCTOBER)
    fresh = Signer((77).to_bytes(32, "big"))
    seat = village.crew.provider.seat
    seat.send(RotateKeys((KeyEntry(KeyRole.TRANSACTION, fresh.public_key),)))
    assert seat.settle() == []
    assert card(village, ADA).key != village.client.ask(registry.key, seat.participant, KeyRole.TRANSACTION)
    assert village.verdict(ADA).is_true


def test_rosters_that_were_never_published_take_their_cards_with_them(tmp_path: Path) -> None:
    """The bill provider could not reach the ledger in time: the month begins later, with other leaves."""
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        send = village.crew.provider.seat.send

        def lost(*messages: object) -> None:
            if not any(isinstance(each, PublishRosters) for each in messages):
                send(*messages)  # type: ignore[arg-type]

        village.crew.provider.seat.send = lost  # type: ignore[method-assign]
        village.read_month(NAMES)
        village.run(2, None, A_MONTH)
        early = card(village, ADA)
        village.crew.provider.seat.send = send  # type: ignore[method-assign]
        village.months()
        late = card(village, ADA)
        assert (early.parts[0].first_k, late.parts[0].first_k) == (slot(0).k, slot(3).k)
        village.billing().make(REGION, OCTOBER)
        report = village.true_report(ADA)
        assert [absence.why for absence in report.channels[0].absences] == ["void"] * 3


# --- registers -------------------------------------------------------------------------------------------------------


def _signed(village: BilledVillage, span: RegisterSpan, month: int = OCTOBER, name: str = ADA) -> RegisterWord:
    """A register as the meter signs it, in its running month."""
    meter = next(meter for meter in village.crew.fleet if meter.name == name)
    return meter.sign_register(month, span)  # type: ignore[arg-type]


SPAN = RegisterSpan(IMPORT, slot(0).k, slot(A_MONTH).k, 0, 5)


def kept(village: BilledVillage) -> dict[tuple[bytes, int], SignedRegister]:
    return village.crew.provider.bills.registers(OCTOBER)


def test_a_meters_register_is_taken_and_the_first_of_a_month_stays(village: BilledVillage) -> None:
    prepare(village)
    cards = village.crew.provider.cards
    word = _signed(village, SPAN)
    cards.take_register(word)
    cards.take_register(_signed(village, SPAN._replace(end_wh=9)))
    assert kept(village) == {(word.meter, IMPORT): SignedRegister(word.meter, OCTOBER, SPAN, word.signature)}


def test_a_forged_register_is_refused(village: BilledVillage) -> None:
    prepare(village)
    cards, word = village.crew.provider.cards, _signed(village, SPAN)
    provider = village.crew.provider.seat.sign(register_hash(CHAIN, word.meter, OCTOBER, SPAN))
    for forged in (
        replace(word, end_wh=9),
        replace(word, signature=bytes(64)),
        replace(word, signature=provider),
        replace(word, meter=_signed(village, SPAN, name=NAMES[1]).meter),
        replace(word, meter=b"nobody's handle!"),
        replace(word, month=NOVEMBER),
        replace(word, channel=Direction.EXPORT),
        replace(word, channel=77),
    ):
        with pytest.raises(RegisterWordError):
            cards.take_register(forged)
    assert kept(village) == {}


@pytest.mark.parametrize(
    "changed", [{"end_k": slot(A_MONTH).k - 1}, {"end_k": slot(A_MONTH).k + 1}, {"start_k": slot(1).k}]
)
def test_a_register_over_another_stretch_is_refused(village: BilledVillage, changed: dict[str, int]) -> None:
    prepare(village)
    with pytest.raises(RegisterStretchError) as refused:
        village.crew.provider.cards.take_register(_signed(village, SPAN._replace(**changed)))
    assert (refused.value.from_k, refused.value.until_k) == (slot(0).k, slot(A_MONTH).k)
    assert kept(village) == {}


def test_registers_are_signed_when_the_month_ends_and_once(village: BilledVillage) -> None:
    village.read_month(NAMES)
    village.run(A_MONTH - 1, None, A_MONTH)
    assert kept(village) == {}
    village.run(A_MONTH, None, A_MONTH)
    first = kept(village)
    assert {register.span.end_wh for register in first.values()} == {month_wh(name) for name in NAMES}
    assert all(register.span[1:3] == (slot(0).k, slot(A_MONTH).k) for register in first.values())
    bounds = MonthBounds(OCTOBER, START_S, START_S + A_MONTH * PERIOD_S, PERIOD_S)
    assert village.crew.sign_registers(REGION, bounds, village.readings, village.clock.now_s()) == []
    assert kept(village) == first


def test_the_bill_provider_gets_a_signed_register_that_it_missed(village: BilledVillage) -> None:
    village.read_month(NAMES)
    take = village.crew.provider.cards.take_register
    village.crew.provider.cards.take_register = lambda _word: None  # type: ignore[assignment,method-assign]
    village.run(A_MONTH, None, A_MONTH)
    village.crew.provider.cards.take_register = take  # type: ignore[method-assign]
    assert kept(village) == {}
    bounds = MonthBounds(OCTOBER, START_S, START_S + A_MONTH * PERIOD_S, PERIOD_S)
    village.crew.sign_registers(REGION, bounds, village.readings, village.clock.now_s())
    assert len(kept(village)) == len(NAMES)


def test_a_meter_whose_keys_are_gone_is_told_and_signs_no_past_month(village: BilledVillage) -> None:
    village.read_month(NAMES, 0, 2 * A_MONTH)
    sign = village.crew.sign_registers
    village.crew.sign_registers = lambda *_: []  # type: ignore[method-assign]
    village.run(2 * A_MONTH, None, A_MONTH)
    bounds = MonthBounds(OCTOBER, START_S, START_S + A_MONTH * PERIOD_S, PERIOD_S)
    problems = sign(REGION, bounds, village.readings, village.clock.now_s())
    assert sorted(problem.meter for problem in problems if isinstance(problem, RegisterUnsignedError)) == NAMES
    assert kept(village) == {}
    with pytest.raises(MonthErasedError):
        _signed(village, SPAN)


@pytest.mark.parametrize("cut_short", [False, True])
def test_registers_of_a_finished_month_are_neither_signed_nor_taken_again(
    village: BilledVillage, cut_short: bool
) -> None:
    village.read_month(NAMES)
    village.run(A_MONTH, None, A_MONTH)
    provider = village.crew.provider
    if cut_short:
        provider.keys.erase_month(Line(REGION, IMPORT), OCTOBER)
        provider.bills.forget_registers([meter for meter, _ in kept(village)], OCTOBER)
    else:
        provider.finish_month(REGION, OCTOBER)
    assert kept(village) == {}
    bounds = MonthBounds(OCTOBER, START_S, START_S + A_MONTH * PERIOD_S, PERIOD_S)
    assert village.crew.sign_registers(REGION, bounds, village.readings, village.clock.now_s()) == []
    assert kept(village) == {}


def test_a_meter_that_moved_out_signs_to_its_end(village: BilledVillage) -> None:
    village.crew.provider.move_out(ADA, slot(3).k)
    village.settle()
    village.read_month(NAMES)
    village.run(A_MONTH, None, A_MONTH)
    (mine,) = [each for each in kept(village).values() if each.span.end_k == slot(3).k]
    assert mine.span.end_wh == month_wh(ADA, 0, 3)


def test_a_swap_within_the_month_gives_two_registers_without_a_gap(village: BilledVillage) -> None:
    village.run(1, None, A_MONTH)
    village.crew.provider.swap(ADA, "new device", slot(4).k, OCTOBER)
    village.crew.provider.enrol([Newcomer("late", REGION, (IMPORT,), slot(6).k, OCTOBER)])
    village.settle()
    village.read_month([*NAMES, "new device", "late"])
    village.run(A_MONTH, None, A_MONTH)
    spans = sorted((each.span.start_k - slot(0).k, each.span.end_k - slot(0).k) for each in kept(village).values())
    assert spans == [(0, 4), *[(0, A_MONTH)] * 3, (4, A_MONTH), (6, A_MONTH)]
