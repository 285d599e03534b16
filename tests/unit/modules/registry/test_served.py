"""What the registry answers to other modules, to the Application and to clients."""

import pytest

from gridproof.domain import ParticipantId
from gridproof.modules.registry import errors, messages, queries, types
from gridproof.modules.registry.keeper import Keeper
from gridproof.modules.registry.messages import RotateKeys
from gridproof.modules.registry.module import registry
from gridproof.modules.registry.types import KeyRole, Participant
from gridproof.state import Message, question
from gridproof.state.module import require_wiring, tag_of

from .community import IDS, context, entry, signer
from tests.ledger import Ledger


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("operator", "operator"),
        ("bill-provider", "bill_provider"),
        ("control-center", "control_center"),
        ("aggregator", "data_aggregator"),
    ],
)
def test_each_role_is_required_of_its_holder_and_refused_to_all_others(ledger: Ledger, name: str, needed: str) -> None:
    require = getattr(Keeper(), f"require_{needed}")
    with context(ledger) as ctx:
        require(ctx, IDS[name])
        for other in (*(number for known, number in IDS.items() if known != name), 0, -1, 99, 2**33):
            with pytest.raises(errors.NotPermitted) as refusal:
                require(ctx, ParticipantId(other))
            assert (refusal.value.participant, refusal.value.needed) == (other, needed)


def test_keys_are_told_by_what_they_are_for(ledger: Ledger) -> None:
    keeper = Keeper()
    with context(ledger) as ctx:
        assert keeper.transaction_key(ctx, IDS["aggregator"]) == signer("aggregator").public_key
        own = signer("aggregator", KeyRole.RECEIPT).public_key
        assert keeper.had_receipt_key(ctx, IDS["aggregator"], own, ctx.ledger_time_s)
        assert not keeper.had_receipt_key(ctx, IDS["operator"], own, ctx.ledger_time_s)
        assert not keeper.had_receipt_key(ctx, IDS["aggregator"], signer("aggregator").public_key, ctx.ledger_time_s)
        assert not keeper.had_receipt_key(ctx, IDS["aggregator"], bytes(32), ctx.ledger_time_s)
        assert keeper.transaction_key(ctx, ParticipantId(99)) is None


def test_a_replaced_receipt_key_counts_for_what_was_before(ledger: Ledger) -> None:
    former, fresh = signer("aggregator", KeyRole.RECEIPT).public_key, entry("fresh", KeyRole.RECEIPT)
    ledger.accepts("aggregator", RotateKeys((fresh,)))
    with context(ledger) as ctx:
        now_s = ctx.ledger_time_s
        assert Keeper().had_receipt_key(ctx, IDS["aggregator"], fresh.key, now_s)
        assert Keeper().had_receipt_key(ctx, IDS["aggregator"], former, now_s - 1)
        assert not Keeper().had_receipt_key(ctx, IDS["aggregator"], former, now_s)


def test_every_query_can_be_asked_from_afar(ledger: Ledger) -> None:
    application = ledger.node.application
    for function, arguments in (
        (queries.participant, (1,)),
        (queries.participants, ()),
        (queries.key, (1, KeyRole.TRANSACTION)),
        (queries.region, (1,)),
        (queries.regions, ()),
        (queries.month, (1, 1)),
        (queries.months, (1,)),
        (queries.meter, (bytes(16),)),
        (queries.meters, (1,)),
        (queries.enrolled, (1, 1, 1)),
    ):
        asked = question(function)
        answer = application.query(
            asked.path, asked.arguments.encode(tuple(int(a) if isinstance(a, int) else a for a in arguments))
        )
        with application.reading() as view:
            assert asked.result.decode(answer.value) == function(view, *arguments)
    asked = question(queries.participant)
    answer = application.query("registry/participant", asked.arguments.encode((2,)))
    assert asked.result.decode(answer.value) == Participant("bill-provider", 2, 0, 0)


def test_the_module_lists_all_that_it_declares() -> None:
    module = registry(Keeper())
    require_wiring((module,))
    declared = [
        each for each in vars(messages).values() if isinstance(each, type) and each.__module__ == messages.__name__
    ]
    assert {each for each in declared if issubclass(each, Message)} == set(module.messages())
    assert [tag_of(each) for each in module.messages()] == list(range(1001, 1012))
    assert [tag_of(each) for each in module.events()] == list(range(1001, 1010))
    assert [each.code for each in module.refusal_types()] == list(range(1001, 1035))
    assert [each.collection for _, each in module.maps()] == list(range(1, 11))
    asked = {each for each in vars(queries).values() if callable(each) and each.__module__ == queries.__name__}
    assert asked == set(module.queries)


def test_every_refusal_tells_what_to_do() -> None:
    for refusal in registry(Keeper()).refusal_types():
        text = " ".join((refusal.__doc__ or "").split())
        assert text.endswith("."), refusal
        assert any(word in text for word in ("nothing", "stay", "no key changed")), refusal


def test_roles_have_names_for_people() -> None:
    assert [role.label for role in types.Role] == [
        "operator",
        "bill_provider",
        "control_center",
        "data_aggregator",
        "auditor",
    ]
    assert [role.label for role in KeyRole] == ["transaction", "receipt", "encryption", "recovery"]
