"""The face of consensus: what the Application sees of it."""

from gridproof.state import Module, genesis_section, route

from . import errors, invariants, messages, queries, types
from .genesis import ConsensusGenesis, layer
from .keeper import NAME, Keeper


def consensus(keeper: Keeper) -> Module:
    """Wire the module: messages to the keeper's rules, tables, queries and invariants by name.

    Args:
        keeper: the one that the Application is given as its book of validators too.
    """
    return Module(
        number=types.MODULE,
        name=NAME,
        routes=(route(messages.SupportChange, keeper.support),),
        refusals=errors,
        announces=messages,
        tables=types,
        queries=(
            queries.validators,
            queries.key_use,
            queries.generation,
            queries.proposals,
            queries.offences,
            queries.offences_at,
            queries.upgrade,
            queries.version,
        ),
        invariants=(
            invariants.the_engine_can_use_the_set,
            invariants.keys_stand_in_the_index,
            invariants.open_proposals_are_the_generations,
            invariants.an_upgrade_lies_ahead,
        ),
        genesis=genesis_section(ConsensusGenesis, layer(keeper), optional=True),
    )
