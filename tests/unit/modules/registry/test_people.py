"""Rules of participants, roles and the clock, by their numbers in the module's README."""

import pytest

from gridproof.modules.registry import errors, queries
from gridproof.modules.registry.messages import (
    AddRegion,
    AdvanceClock,
    ClockAdvanced,
    EnrolMeter,
    KeyEntry,
    OpenMonth,
    ParticipantRegistered,
    RegisterParticipant,
    RevokeMeter,
    RolesSet,
    RotateKeys,
    SetPrivacy,
    SetRoles,
    SwapMeter,
)
from gridproof.modules.registry.types import KeyRole, Participant, Role
from gridproof.state import errors as state_errors

from .community import (
    IDS,
    NOVEMBER,
    NOVEMBER_S,
    REGION,
    START_S,
    context,
    enrol,
    entry,
    handle,
    newcomer,
    october,
    registry_ledger,
    signer,
)
from tests.ledger import Ledger, Person


def test_r1_ids_are_given_in_order_and_never_twice(ledger: Ledger) -> None:
    first = ledger.accepts("operator", newcomer("household 6", Role.AUDITOR))
    assert first == ParticipantRegistered(6, "household 6", Role.AUDITOR)
    ledger.refuses("operator", newcomer("household 6"), code=1002)
    assert ledger.accepts("operator", newcomer("household 7")).participant == 7
    with context(ledger) as ctx:
        assert queries.participant(ctx, 6) == Participant("household 6", Role.AUDITOR, 0, 0)
        assert [number for number, _ in queries.participants(ctx)] == [1, 2, 3, 4, 5, 6, 7]


def test_r1_two_are_admitted_in_one_transaction_or_neither(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", newcomer("one"), newcomer("one"), code=1002)
    assert isinstance(refusal, errors.NameTaken)
    assert (refusal.name, refusal.participant) == ("one", 6)
    announced = ledger.send("operator", newcomer("one"), newcomer("two"))
    assert [each.participant for each in announced if isinstance(each, ParticipantRegistered)] == [6, 7]


def test_r2_a_name_is_taken_once_by_its_code_points(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", newcomer("bill-provider"), code=1002)
    assert isinstance(refusal, errors.NameTaken)
    assert (refusal.name, refusal.participant) == ("bill-provider", IDS["bill-provider"])
    ledger.accepts("operator", newcomer("Bill-provider"))


@pytest.mark.parametrize("name", ["a", "x" * 64, "Elektrizitätswerk Zürich", "Коммуна №1", "市電力", "a b"])
def test_r2_what_people_write_is_a_name(ledger: Ledger, name: str) -> None:
    assert ledger.accepts("operator", newcomer(name)).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        " a",
        "a ",
        "a\n",
        "a\tb",
        "\x00",
        "a\x7f",
        "a\xa0b",
        "a\u200bb",
        "a\u202eb",
        "\ufeffa",
        "a\U000e0041",
    ],
)
def test_r2_what_nobody_sees_is_no_name(ledger: Ledger, name: str) -> None:
    refusal = ledger.refuses("operator", newcomer(name), code=1001)
    assert isinstance(refusal, errors.BadName)
    assert refusal.name == name


def test_r2_r5_a_refusal_shows_no_more_than_the_beginning_of_what_is_too_long(ledger: Ledger) -> None:
    """It is kept, and what a sender writes may be as long as a message."""
    named = ledger.refuses("operator", newcomer("n" * 100_000), code=1001)
    keyed = ledger.refuses("operator", RotateKeys((KeyEntry(KeyRole.ENCRYPTION, bytes(100_000)),)), code=1004)
    assert isinstance(named, errors.BadName)
    assert isinstance(keyed, errors.BadKey)
    assert (len(named.name), len(keyed.key)) == (256, 256)


@pytest.mark.parametrize("roles", [32, -1, 2**40])
def test_r3_an_unknown_role_is_refused(ledger: Ledger, roles: int) -> None:
    refusal = ledger.refuses("operator", newcomer("newcomer", roles), code=1003)
    assert isinstance(refusal, errors.RolesUnknown)
    assert refusal.roles == roles
    ledger.refuses("operator", SetRoles(2, roles), code=1003)


def test_r3_roles_are_set_and_count_at_once(ledger: Ledger) -> None:
    ledger.refuses("auditor", october(), code=1007)
    announced = ledger.accepts("operator", SetRoles(IDS["auditor"], Role.AUDITOR | Role.OPERATOR))
    assert announced == RolesSet(IDS["auditor"], 17)
    ledger.accepts("auditor", october())
    ledger.accepts("operator", SetRoles(IDS["auditor"], 0))
    ledger.refuses("auditor", SetPrivacy(1, 5, 800), code=1007)


def test_r3_roles_of_someone_unknown_are_refused(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", SetRoles(77, 0), code=1008)
    assert isinstance(refusal, errors.ParticipantUnknown)
    assert refusal.participant == 77


def test_r4_the_last_operator_stays(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", SetRoles(IDS["operator"], Role.AUDITOR), code=1009)
    assert isinstance(refusal, errors.LastOperator)
    assert refusal.participant == IDS["operator"]
    ledger.accepts("operator", SetRoles(IDS["operator"], Role.OPERATOR | Role.AUDITOR))


def test_r4_with_a_second_operator_the_first_may_go_and_then_the_second_stays(ledger: Ledger) -> None:
    ledger.accepts("operator", SetRoles(IDS["auditor"], Role.OPERATOR))
    ledger.accepts("operator", SetRoles(IDS["operator"], 0))
    ledger.refuses("operator", SetRoles(IDS["auditor"], 0), code=1007)
    ledger.refuses("auditor", SetRoles(IDS["auditor"], 0), code=1009)


def test_r7_nobody_registers_without_a_transaction_key(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", RegisterParticipant("x", 0, (entry("x", KeyRole.RECEIPT),)), code=1010)
    assert isinstance(refusal, errors.KeyMissing)
    assert refusal.needed == "transaction"
    refusal = ledger.refuses("operator", RegisterParticipant("x", 0, ()), code=1010)
    assert isinstance(refusal, errors.KeyMissing)
    assert refusal.needed == "any"


OPERATORS = [
    newcomer(),
    SetRoles(1, Role.OPERATOR),
    REGION,
    SetPrivacy(1, 5, 800),
    october(),
    AdvanceClock(START_S + 1),
]
BILL_PROVIDERS = [enrol(9), RevokeMeter(handle(1), 2**30), SwapMeter(handle(1), handle(2), 2**30)]


@pytest.mark.parametrize("message", OPERATORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("sender", [name for name in IDS if name != "operator"])
def test_r10_only_an_operator_may(ledger: Ledger, sender: str, message: AddRegion | OpenMonth) -> None:
    refusal = ledger.refuses(sender, message, code=1007)
    assert isinstance(refusal, errors.NotPermitted)
    assert (refusal.participant, refusal.needed) == (IDS[sender], "operator")


@pytest.mark.parametrize("message", BILL_PROVIDERS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("sender", [name for name in IDS if name != "bill-provider"])
def test_r10_only_a_bill_provider_may(ledger: Ledger, sender: str, message: EnrolMeter) -> None:
    ledger.accepts("bill-provider", enrol(1))
    refusal = ledger.refuses(sender, message, code=1007)
    assert isinstance(refusal, errors.NotPermitted)
    assert (refusal.participant, refusal.needed) == (IDS[sender], "bill_provider")


def test_r10_a_newcomer_may_send_from_the_next_block_on_what_its_roles_allow(ledger: Ledger) -> None:
    number = ledger.accepts("operator", newcomer("second", Role.BILL_PROVIDER)).participant
    ledger.people["second"] = Person(number, signer("second"))
    ledger.accepts("second", enrol(1))
    ledger.refuses("second", october(), code=1007)


def test_r21_the_operators_clock_moves_forward_only(ledger: Ledger) -> None:
    assert ledger.accepts("operator", AdvanceClock(START_S + 60)) == ClockAdvanced(START_S + 60)
    assert ledger.now_s == START_S + 60
    for to_s in (START_S + 60, START_S, 0):
        refusal = ledger.refuses("operator", AdvanceClock(to_s), code=10)
        assert isinstance(refusal, state_errors.ClockBackwards)
        assert (refusal.now_s, refusal.to_s) == (START_S + 60, to_s)


def test_r21_a_time_beyond_all_sense_is_no_message_and_the_clock_goes_on(ledger: Ledger) -> None:
    ledger.refuses("operator", AdvanceClock(2**40 + 1), code=1)
    ledger.refuses("operator", AdvanceClock(-1), code=1)
    ledger.advance(1)
    assert ledger.now_s == START_S + 1


def test_r21_where_the_blocks_tell_the_time_nobody_moves_it() -> None:
    ledger = registry_ledger(clock="block")
    refusal = ledger.refuses("operator", AdvanceClock(START_S + 60), code=11)
    assert isinstance(refusal, state_errors.ClockNotOperators)
    ledger.advance(5)
    ledger.accepts("operator", OpenMonth(1, NOVEMBER, *NOVEMBER_S))
    assert ledger.now_s == START_S + 5
    ledger.close()
