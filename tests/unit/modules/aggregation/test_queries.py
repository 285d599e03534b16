"""What one may read, and what is answered where there is nothing."""

from pathlib import Path

import pytest

from gridproof.domain import Direction, Half
from gridproof.modules.aggregation import messages, queries
from gridproof.modules.aggregation.keeper import Keeper
from gridproof.modules.aggregation.module import aggregation
from gridproof.modules.aggregation.types import DropTally, FoldedSlot, SlotState
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.state import Message, question
from gridproof.state.module import require_wiring, tag_of

from .community import FIRST_K, IMPORT, MONTH, REGION, Community

K = FIRST_K


def test_a_slot_is_there_from_the_first_message_about_it(town: Community) -> None:
    assert town.ask(queries.slot, REGION, IMPORT, K) is None
    assert town.ask(queries.missing, REGION, IMPORT, K) == ()
    town.filled(K)
    assert isinstance(town.ask(queries.slot, REGION, IMPORT, K), SlotState)


def test_slots_are_those_that_something_was_sent_for(town: Community) -> None:
    town.filled(K)
    town.filled(K + 2)
    both = (FoldedSlot(K, town.state(K)), FoldedSlot(K + 2, town.state(K + 2)))
    assert town.ask(queries.slots, REGION, IMPORT, K, K + 3) == both
    assert town.ask(queries.slots, REGION, IMPORT, K + 1, K + 3) == both[1:]
    assert town.ask(queries.slots, REGION, IMPORT, K, K + 2) == both[:1]
    assert town.ask(queries.slots, REGION, Direction.EXPORT, K, K + 3) == ()


def test_slots_look_at_1000_periods_at_most(town: Community) -> None:
    town.filled(K)
    assert town.ask(queries.slots, REGION, IMPORT, K - 999, K + 1) != ()
    assert town.ask(queries.slots, REGION, IMPORT, K - 1_000, K + 1) == ()
    assert town.ask(queries.slots, REGION, IMPORT, K - 1_000, 2**63) == ()


def test_bodies_come_in_the_order_of_the_batches(town: Community) -> None:
    town.filled(K, 0)
    town.accepts("second", town.batch(K, town.both(1, K)))
    bodies = town.ask(queries.bodies, REGION, IMPORT, K)
    assert [body.aggregator for body in bodies] == [town.people[name].id for name in ("first", "second")]
    assert town.ask(queries.batch, REGION, IMPORT, K, 1) == bodies[1]
    assert town.ask(queries.batch, REGION, IMPORT, K, 2) is None


def test_where_there_is_nothing_the_answer_says_so(town: Community) -> None:
    assert town.ask(queries.roster, REGION, Direction.EXPORT, K) is None
    assert town.ask(queries.epochs, REGION, Direction.EXPORT, MONTH) == ()
    assert town.ask(queries.bodies, REGION, IMPORT, K) == ()
    assert town.ask(queries.fold, REGION, IMPORT, MONTH) is None
    assert town.ask(queries.folded_slot, REGION, IMPORT, MONTH, K) is None
    assert town.ask(queries.claimed, REGION, IMPORT, K) == ()
    assert town.ask(queries.tally, 3, MONTH) == DropTally(0)


@pytest.mark.parametrize("query", aggregation(Keeper(Registry())).queries, ids=lambda query: query.__name__)
def test_a_query_is_asked_by_name_and_answered_in_its_type(town: Community, query: object) -> None:
    town.filled(K, 0, 1, orphans=(2,))
    asked = question(query)  # type: ignore[arg-type]
    assert asked.path == f"aggregation/{asked.function.__name__}"
    known = {
        "region": REGION,
        "channel": IMPORT,
        "k": K,
        "from_k": K,
        "until_k": K + 3,
        "month": MONTH,
        "number": 0,
        "aggregator": town.people["first"].id,
    }
    names = asked.function.__code__.co_varnames[1 : asked.function.__code__.co_argcount]
    arguments = tuple(int(known[name]) for name in names)
    answer = town.node.application.query(asked.path, asked.arguments.encode(arguments))
    assert asked.result.decode(answer.value) == town.ask(query, *arguments)


def test_missing_positions_are_what_the_halves_left(town: Community) -> None:
    town.filled(K, orphans=(2,))
    expected = sorted([town.position(2, Half.SECOND, K), *(town.position(4, half, K) for half in Half)])
    assert list(town.ask(queries.missing, REGION, IMPORT, K)) == expected


MODULE = aggregation(Keeper(Registry()))


def test_the_module_lists_all_that_it_declares() -> None:
    require_wiring((MODULE,))
    declared = [
        each for each in vars(messages).values() if isinstance(each, type) and each.__module__ == messages.__name__
    ]
    sent = {each for each in declared if issubclass(each, Message)} - {messages.SlotMessage}
    assert sent == set(MODULE.messages())
    assert [tag_of(each) for each in MODULE.messages()] == list(range(2001, 2009))
    assert [tag_of(each) for each in MODULE.events()] == list(range(2001, 2012))
    assert [each.code for each in MODULE.refusal_types()] == list(range(2001, 2040))
    asked = {each for each in vars(queries).values() if callable(each) and each.__module__ == queries.__name__}
    assert {each for each in asked if not isinstance(each, type)} == set(MODULE.queries)


def test_the_readme_names_every_message_event_rule_and_table() -> None:
    text = (Path(messages.__file__).parent / "README.md").read_text()
    for each in (*MODULE.messages(), *MODULE.events()):
        assert f"`{each.__name__}`" in text, each
    for number in range(1, 37):
        assert f"\n- A-{number} " in text, number
    assert "- A-37 " not in text
    for _, table in MODULE.maps():
        assert f"| `{table.collection} \\|" in text, table.collection
