"""Modules: numbers are theirs alone, and a wrong wiring starts no ledger."""

from types import ModuleType
from typing import ClassVar

import pytest

from gridproof.domain import ParticipantId
from gridproof.errors import Refusal
from gridproof.state import U8, Context, Event, Map, Message, Module, SideMap, route
from gridproof.state.errors import WiringError
from gridproof.state.module import require_wiring, tag_of


class Ask(Message, frozen=True, tag=96001):
    pass


class AskElsewhere(Message, frozen=True, tag=95001):
    pass


class Told(Event, frozen=True, tag=96001):
    pass


class Untagged(Message, frozen=True):
    pass


class Root(Refusal):
    """Root."""


class Late(Root):
    """Late."""

    code: ClassVar[int] = 96001


class AlsoLate(Root):
    """Likewise."""

    code: ClassVar[int] = 96001


def holding(**names: object) -> ModuleType:
    made = ModuleType("made")
    for name, value in names.items():
        if isinstance(value, type):
            value.__module__ = "made"
        setattr(made, name, value)
    return made


def module(**changes: object) -> Module:
    fields = {"number": 96, "name": "made", "routes": (), "refusals": holding()} | changes
    return Module(**fields)  # type: ignore[arg-type]


def rule(ctx: Context, sender: ParticipantId, message: Message) -> None:
    pass


def refuses(*modules: Module) -> str:
    with pytest.raises(WiringError) as refused:
        require_wiring(modules)
    return refused.value.detail


def test_a_module_tells_its_messages_events_refusals_and_tables() -> None:
    things = Map(module=96, collection=1, key=(), value=U8)
    made = module(
        routes=(route(Ask, rule),),
        refusals=holding(Late=Late, Root=Root),
        announces=holding(Told=Told),
        tables=holding(THINGS=things, other=3),
    )
    require_wiring((made,))
    assert list(made.messages()) == [Ask]
    assert list(made.events()) == [Told]
    assert list(made.refusal_types()) == [Late]
    assert list(made.maps()) == [("THINGS", things)]


@pytest.mark.parametrize("number", [0, -1, 256])
def test_a_modules_number_is_one_byte_and_not_the_ledgers_own(number: int) -> None:
    assert str(number) in refuses(module(number=number))


def test_two_modules_cannot_share_number_or_name() -> None:
    assert "module number 96" in refuses(module(), module(name="other"))
    assert "module name made" in refuses(module(), module(number=95))


def test_a_message_has_a_number_of_its_module() -> None:
    assert "AskElsewhere" in refuses(module(routes=(route(AskElsewhere, rule),)))
    assert "Untagged has no number" in refuses(module(routes=(route(Untagged, rule),)))


def test_one_message_has_one_rule() -> None:
    assert "96001" in refuses(module(routes=(route(Ask, rule), route(Ask, rule))))


def test_two_refusals_cannot_share_a_number() -> None:
    assert "both Late and AlsoLate" in refuses(module(refusals=holding(Late=Late, AlsoLate=AlsoLate)))


def test_a_table_lies_in_its_module_and_its_number_is_used_once() -> None:
    first, second = (Map(module=96, collection=1, key=(), value=U8) for _ in range(2))
    assert "collection" in refuses(module(tables=holding(A=first, B=second)))
    foreign = Map(module=95, collection=1, key=(), value=U8)
    assert "module 95" in refuses(module(tables=holding(A=foreign)))
    require_wiring((module(tables=holding(A=first, B=SideMap(module=96, collection=1, key=(), value=U8))),))


def test_a_number_is_read_from_the_class() -> None:
    assert tag_of(Ask) == tag_of(Told) == 96001
