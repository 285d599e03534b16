"""How a ledger lets go of its past: blocks, results and events below a height, in bounded transactions.

What is removed is never more than can be done without: the ledger stays verifiable from the oldest snapshot that is
kept. The record of where the past begins goes with each part that is removed, so a kill in between does no harm.
"""

from collections.abc import Callable, Iterable
from typing import Final

from gridproof.primitives.encoding import Codec, encode
from gridproof.state import TransactionPlace
from gridproof.state.blocks import BASE_KEY, Base
from gridproof.state.store import Snapshot as Moment
from gridproof.state.store import Store, Table
from gridproof.state.transaction import transaction_hash

from .blocks import block_key, find_base, find_block, reported_key
from .snapshots import Snapshot

REMOVED_AT_ONCE: Final = 10_000

_PLACE: Final = Codec(TransactionPlace)


def prune(
    store: Store,
    retain_height: int,
    snapshots: Iterable[Snapshot],
    reached: Callable[[str], None] = lambda _step: None,
) -> int:
    """Remove blocks, their transactions' results and their events; the genesis document stays.

    Args:
        store: the ledger's.
        retain_height: of the first block that is to be kept.
        snapshots: those that are kept; blocks after the oldest one stay, and all blocks where there is none.
        reached: called with `part` whenever some are gone; tests kill the process there.

    Returns:
        Height of the first block that is kept.

    Raises:
        StoreError: the store cannot be read or written; what was removed by then stays removed, and is known to be.
    """
    oldest = min((snapshot.height for snapshot in snapshots), default=0)
    last = min(retain_height - 1, oldest)
    while True:
        with store.snapshot() as moment:
            base = find_base(moment)
            if base.height >= last:
                return base.height + 1
            removed, base = _part(moment, base, last)
        store.write({**removed, Table.META: {BASE_KEY: encode(base)}})
        reached("part")


def _part(moment: Moment, base: Base, last: int) -> tuple[dict[Table, dict[bytes, bytes | None]], Base]:
    """What to remove next, whole blocks at least one, and where the past begins then."""
    removed: dict[Table, dict[bytes, bytes | None]] = {Table.BLOCKS: {}, Table.RESULTS: {}, Table.EVENTS: {}}
    height, events_after = base.height, base.events_after
    while height < last and sum(map(len, removed.values())) < REMOVED_AT_ONCE:
        height += 1
        removed[Table.BLOCKS] |= {block_key(height): None, reported_key(height): None}
        for name in _results_of(moment, height):
            removed[Table.RESULTS][name] = None
        for cursor, _ in moment.scan(Table.EVENTS, prefix=height.to_bytes(8, "big")):
            removed[Table.EVENTS][cursor] = None
            events_after = cursor
    return removed, Base(height, events_after)


def _results_of(moment: Moment, height: int) -> Iterable[bytes]:
    """Under which hashes the results of a block's transactions lie."""
    kept = find_block(moment, height)
    for raw in kept.block.transactions if kept else ():
        name = transaction_hash(raw)
        stored = moment.get(Table.RESULTS, name)
        if stored is not None and _PLACE.decode(stored).height == height:
            yield name
