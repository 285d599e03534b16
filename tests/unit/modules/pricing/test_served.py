"""What pricing declares, what it answers, and that its README says so."""

from pathlib import Path

import pytest

from gridproof.modules.aggregation.keeper import Keeper as Aggregation
from gridproof.modules.pricing import messages, queries
from gridproof.modules.pricing.book import Book
from gridproof.modules.pricing.module import pricing
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.state import Message, Module, question
from gridproof.state.module import require_wiring, tag_of

from tests.unit.modules.aggregation.community import FIRST_K, IMPORT, MONTH, REGION, Community

K = FIRST_K


def module() -> Module:
    return pricing(Registry(), Aggregation(Registry()), Book())


def test_the_module_lists_all_that_it_declares() -> None:
    made = module()
    require_wiring((made,))
    declared = [
        each for each in vars(messages).values() if isinstance(each, type) and each.__module__ == messages.__name__
    ]
    assert {each for each in declared if issubclass(each, Message)} == set(made.messages())
    assert [tag_of(each) for each in made.messages()] == [3001, 3002]
    assert [tag_of(each) for each in made.events()] == [3001, 3002, 3003]
    assert [each.code for each in made.refusal_types()] == list(range(3001, 3011))
    assert [(each.table.name, each.collection) for _, each in made.maps()] == [
        *(("STATE", number) for number in range(1, 5)),
        ("SIDE", 1),
    ]
    asked = {each for each in vars(queries).values() if callable(each) and each.__module__ == queries.__name__}
    assert asked == set(made.queries)
    assert len(made.invariants) == 3


def test_every_refusal_tells_what_happened_and_what_stays() -> None:
    for refusal in module().refusal_types():
        text = " ".join((refusal.__doc__ or "").split())
        assert text.endswith("."), refusal
        assert any(word in text for word in ("nothing changed", "stays", "no price", "final")), refusal


def test_the_readme_names_every_message_and_event_and_rule() -> None:
    text = (Path(messages.__file__).parent / "README.md").read_text()
    made = module()
    for each in (*made.messages(), *made.events()):
        assert f"`{each.__name__}`" in text, each
    for number in range(1, 9):
        assert f"\n- P-{number} " in text
    assert "- P-9 " not in text
    for _, table in made.maps():
        assert f"| `{table.collection} \\|" in text or f"`{table.collection} | region" in text


@pytest.mark.parametrize("query", module().queries, ids=lambda query: query.__name__)
@pytest.mark.parametrize("over", [False, True])
def test_a_query_is_asked_by_name_and_answered_in_its_type(town: Community, query: object, over: bool) -> None:
    town.opened(K)
    town.accepts("center", town.price(K))
    if over:
        town.end_month()
    asked = question(query)  # type: ignore[arg-type]
    assert asked.path == f"pricing/{asked.function.__name__}"
    known = {"region": REGION, "channel": IMPORT, "k": K, "from_k": K, "until_k": K + 3, "month": MONTH}
    names = asked.function.__code__.co_varnames[1 : asked.function.__code__.co_argcount]
    arguments = tuple(int(known[name]) for name in names)
    answer = town.node.application.query(asked.path, asked.arguments.encode(arguments))
    assert asked.result.decode(answer.value) == town.ask(query, *arguments)


def test_where_there_is_nothing_the_answer_says_so(town: Community) -> None:
    assert town.ask(queries.tariffs, REGION, MONTH + 1) == ()
    assert town.ask(queries.price, REGION, IMPORT, K) is None
    assert town.ask(queries.prices, REGION, IMPORT, K, K + 3) == ()
    assert town.ask(queries.fold, REGION, IMPORT, MONTH) is None
    assert town.ask(queries.month_prices, REGION, IMPORT, MONTH) == ()
