"""Overlays show their changes and hide them from below; the operator's clock goes forward only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.state import BlockInfo, Context, Overlay, SnapshotReader, system
from gridproof.state.errors import ClockBackwards, ClockNotOperators
from gridproof.state.store import MemoryStore, Table

KEYS = st.binary(min_size=1, max_size=3)
BASE = st.dictionaries(KEYS, st.binary(min_size=1, max_size=2), max_size=8)
CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), st.binary(min_size=1, max_size=2)), max_size=8)


def over(base: dict[bytes, bytes]) -> Overlay:
    store = MemoryStore()
    store.write({Table.STATE: base})
    return Overlay(SnapshotReader(store.snapshot()))


def applied(model: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    merged = {**model, **changes}
    return {key: value for key, value in merged.items() if value is not None}


@given(BASE, CHANGES, CHANGES, st.binary(max_size=1))
def test_an_overlay_reads_and_scans_as_a_plain_table_with_its_changes(
    base: dict[bytes, bytes], first: dict[bytes, bytes | None], second: dict[bytes, bytes | None], prefix: bytes
) -> None:
    below = over(base)
    for key, value in first.items():
        below.write(Table.STATE, key, value)
    above = Overlay(below)
    for key, value in second.items():
        above.write(Table.STATE, key, value)
    model = applied(applied(base, first), second)
    assert list(above.scan(Table.STATE, prefix)) == sorted(item for item in model.items() if item[0].startswith(prefix))
    for key in {*base, *first, *second}:
        assert above.read(Table.STATE, key) == model.get(key)
    assert dict(below.scan(Table.STATE, b"")) == applied(base, first), "changes are hidden until they are merged"
    above.merge_into(below)
    assert dict(below.scan(Table.STATE, b"")) == model


def test_a_scan_shows_the_changes_as_they_stood_when_it_began() -> None:
    view = over({b"a": b"1", b"c": b"1"})
    view.write(Table.STATE, b"b", b"1")
    seen = []
    for key, _ in view.scan(Table.STATE, b""):
        seen.append(key)
        view.write(Table.STATE, key + b"x", b"2")
        view.write(Table.STATE, key, None)
    assert seen == [b"a", b"b", b"c"]
    assert [key for key, _ in view.scan(Table.STATE, b"")] == [b"ax", b"bx", b"cx"]


def context(clock_s: int | None = None) -> Context:
    ctx = Context(BlockInfo("c", 5, 1_000, 7), Overlay(SnapshotReader(MemoryStore().snapshot())))
    if clock_s is not None:
        system.CLOCK.put(ctx, value=clock_s)
    return ctx


def test_ledger_time_is_the_blocks_where_no_operator_sets_it() -> None:
    ctx = context()
    assert (ctx.chain_id, ctx.height, ctx.time_s, ctx.proposer, ctx.ledger_time_s) == ("c", 5, 1_000, 7, 1_000)
    with pytest.raises(ClockNotOperators):
        ctx.advance_clock(2_000)
    assert ctx.ledger_time_s == 1_000


def test_the_operators_clock_goes_forward_and_never_back() -> None:
    ctx = context(clock_s=50)
    assert ctx.ledger_time_s == 50
    ctx.advance_clock(60)
    for to_s in (60, 59):
        with pytest.raises(ClockBackwards) as refused:
            ctx.advance_clock(to_s)
        assert (refused.value.now_s, refused.value.to_s) == (60, to_s)
    assert ctx.ledger_time_s == 60
