"""The face of billing: what the Application sees of it."""

from gridproof.state import Module, route

from . import errors, invariants, messages, queries, types
from .keeper import Keeper
from .ports import Directory


def billing(directory: Directory) -> Module:
    """Wire the module: messages to the keeper's rules, refusals, queries and invariants by name.

    Args:
        directory: the registry.
    """
    keeper = Keeper(directory)
    return Module(
        number=types.MODULE,
        name="billing",
        routes=(
            route(messages.RegisterBills, keeper.register),
            route(messages.ObjectToBill, keeper.object),
            route(messages.AnswerObjection, keeper.answer),
        ),
        refusals=errors,
        announces=messages,
        tables=types,
        queries=(
            queries.bill,
            queries.last_version,
            queries.versions,
            queries.bills,
            queries.objections,
            queries.last_objection,
            queries.month_objections,
            queries.tally,
        ),
        invariants=(
            invariants.versions_are_complete,
            invariants.objections_are_complete,
            invariants.bills_are_of_closed_months(directory),
        ),
    )
