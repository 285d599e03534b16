"""The face of notices: what the Application sees of them."""

from gridproof.state import Module, route

from . import errors, invariants, messages, queries, types
from .keeper import Keeper
from .ports import Roles


def notices(roles: Roles) -> Module:
    """Wire the module: messages to the keeper's rules, refusals and invariants by name."""
    keeper = Keeper(roles)
    return Module(
        number=types.MODULE,
        name="notices",
        routes=(
            route(messages.PostNotice, keeper.post),
            route(messages.WithdrawNotice, keeper.withdraw),
        ),
        refusals=errors,
        announces=messages,
        tables=types,
        queries=(queries.notice, queries.running),
        invariants=(invariants.numbers_rise,),
    )
