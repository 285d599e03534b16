"""The face of the registry: what the Application sees of it."""

from gridproof.state import Module, genesis_section, route

from . import errors, invariants, messages, queries, types
from .genesis import RegistryGenesis, layer
from .keeper import Keeper


def registry(keeper: Keeper) -> Module:
    """Wire the module: messages to the keeper's rules, tables, queries and invariants by name.

    Args:
        keeper: the one that other modules are given as their directory too.
    """
    return Module(
        number=types.MODULE,
        name="registry",
        routes=(
            route(messages.RegisterParticipant, keeper.people.register),
            route(messages.SetRoles, keeper.people.set_roles),
            route(messages.RotateKeys, keeper.people.rotate_keys),
            route(messages.RecoverKeys, keeper.people.recover_keys),
            route(messages.AddRegion, keeper.grid.add_region),
            route(messages.SetPrivacy, keeper.grid.set_privacy),
            route(messages.OpenMonth, keeper.grid.open_month),
            route(messages.EnrolMeter, keeper.grid.enrol_meter),
            route(messages.RevokeMeter, keeper.grid.revoke_meter),
            route(messages.SwapMeter, keeper.grid.swap_meter),
            route(messages.AdvanceClock, keeper.advance_clock),
        ),
        refusals=errors,
        announces=messages,
        tables=types,
        queries=(
            queries.participant,
            queries.participants,
            queries.key,
            queries.key_use,
            queries.region,
            queries.regions,
            queries.month,
            queries.months,
            queries.meter,
            queries.meters,
            queries.enrolled,
        ),
        invariants=(
            invariants.ids_and_names_stand_for_one,
            invariants.keys_are_valid_and_used_once,
            invariants.an_operator_remains,
            invariants.months_are_ordered_and_disjoint,
            invariants.privacy_keeps_its_floors,
            invariants.enrolments_count_the_meters,
        ),
        genesis=genesis_section(RegistryGenesis, layer(keeper)),
    )
