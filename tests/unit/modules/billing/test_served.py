"""What billing declares, what it answers, and that its README says so."""

from pathlib import Path

import pytest

from gridproof.modules.billing import messages, queries
from gridproof.modules.billing.module import billing
from gridproof.modules.billing.types import Tally
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.state import Message, question
from gridproof.state.module import require_wiring, tag_of

from tests.unit.modules.aggregation.community import MONTH, REGION, Community, bid_of

BID = bid_of(0).public_key
MODULE = billing(Registry())


def test_the_module_lists_all_that_it_declares() -> None:
    require_wiring((MODULE,))
    declared = [
        each for each in vars(messages).values() if isinstance(each, type) and each.__module__ == messages.__name__
    ]
    assert {each for each in declared if issubclass(each, Message)} == set(MODULE.messages())
    assert [tag_of(each) for each in MODULE.messages()] == [4001, 4002, 4003]
    assert [tag_of(each) for each in MODULE.events()] == [4001, 4002, 4003]
    assert [each.code for each in MODULE.refusal_types()] == list(range(4001, 4013))
    assert [each.collection for _, each in MODULE.maps()] == list(range(1, 6))
    asked = {each for each in vars(queries).values() if callable(each) and each.__module__ == queries.__name__}
    assert asked == set(MODULE.queries)
    assert len(MODULE.invariants) == 3


def test_every_refusal_tells_what_happened_and_what_stays() -> None:
    for refusal in MODULE.refusal_types():
        text = " ".join((refusal.__doc__ or "").split())
        assert text.endswith("."), refusal
        assert any(word in text for word in ("nothing", "stays", "none", "no bill")), refusal


def test_the_readme_names_every_message_and_event_and_rule() -> None:
    text = (Path(messages.__file__).parent / "README.md").read_text()
    for each in (*MODULE.messages(), *MODULE.events()):
        assert f"`{each.__name__}`" in text, each
    for number in range(1, 9):
        assert f"\n- B-{number} " in text
    assert "- B-9 " not in text
    for _, table in MODULE.maps():
        assert f"| `{table.collection} \\|" in text


@pytest.mark.parametrize("query", MODULE.queries, ids=lambda query: query.__name__)
def test_a_query_is_asked_by_name_and_answered_in_its_type(town: Community, query: object) -> None:
    town.accepts("provider", town.bills(town.bill(0), town.bill(1)))
    town.accepts("household", town.objection(0))
    town.accepts("provider", town.answer(0))
    asked = question(query)  # type: ignore[arg-type]
    assert asked.path == f"billing/{asked.function.__name__}"
    known: dict[str, int | bytes] = {"region": int(REGION), "month": int(MONTH), "bid": BID, "version": 1}
    names = asked.function.__code__.co_varnames[1 : asked.function.__code__.co_argcount]
    arguments = tuple(known[name] for name in names)
    answer = town.node.application.query(asked.path, asked.arguments.encode(arguments))
    assert asked.result.decode(answer.value) == town.ask(query, *arguments)
    assert town.ask(query, *arguments)


@pytest.mark.parametrize("bid", [bid_of(3).public_key, b"", bytes(31), bytes(33)])
def test_where_there_is_nothing_the_answer_says_so(town: Community, bid: bytes) -> None:
    assert town.ask(queries.bill, REGION, MONTH, bid, 1) is None
    assert town.ask(queries.last_version, REGION, MONTH, bid) == 0
    assert town.ask(queries.versions, REGION, MONTH, bid) == ()
    assert town.ask(queries.bills, REGION, MONTH) == ()
    assert town.ask(queries.objections, REGION, MONTH, bid) == ()
    assert town.ask(queries.last_objection, REGION, MONTH, bid) == 0
    assert town.ask(queries.month_objections, REGION, MONTH) == ()
    assert town.ask(queries.tally, REGION, MONTH) == Tally(0, 0, 0, 0)
