"""The face of aggregation: what the Application sees of it."""

from gridproof.state import Module, route

from . import errors, invariants, messages, queries, types
from .keeper import Keeper


def aggregation(keeper: Keeper) -> Module:
    """Wire the module: messages to the keeper's rules, refusals, queries and invariants by name.

    Args:
        keeper: the one that other modules are given too.
    """
    return Module(
        number=types.MODULE,
        name="aggregation",
        routes=(
            route(messages.PublishRosters, keeper.publish),
            route(messages.SubmitBatch, keeper.submit),
            route(messages.CloseSlot, keeper.close),
            route(messages.FixLiveSet, keeper.fix_live_set),
            route(messages.OpenMasks, keeper.open_masks),
            route(messages.ClaimDropped, keeper.claim_dropped),
            route(messages.CloseMonth, keeper.close_month),
            route(messages.SubmitLate, keeper.submit_late),
        ),
        refusals=errors,
        announces=messages,
        tables=types,
        queries=(
            queries.slot,
            queries.slots,
            queries.missing,
            queries.claimed,
            queries.roster,
            queries.epochs,
            queries.last_epoch,
            queries.epoch_of,
            queries.bodies,
            queries.batch,
            queries.late,
            queries.late_bodies,
            queries.fold,
            queries.folded_slot,
            queries.fold_proof,
            queries.tally,
        ),
        invariants=(
            invariants.slots_hold_their_records,
            invariants.live_sets_hold,
            invariants.totals_hide_meters(keeper.directory),
            invariants.slots_stand_on_rosters,
            invariants.folds_hold(keeper.directory),
            invariants.side_batches_hold,
        ),
    )
