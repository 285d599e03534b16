"""Aggregation under random sequences of honest, invalid and hostile messages, against a naive model.

The model keeps a dictionary from leaves to records, knows every secret, and predicts of each message whether it is
taken. After every message the ledger's own invariants hold (the `Ledger` sees to it), a refused message has changed
nothing, and what the ledger remembers of a slot has only grown.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gridproof.domain import MAX_TOTAL_WH, WORD, Half, Slot, bitmap_of, leaf_at, live_set_hash, mask, positions_in
from gridproof.errors import Refusal
from gridproof.modules.aggregation import queries
from gridproof.modules.aggregation.messages import CloseMonth, CloseSlot, FixLiveSet
from gridproof.modules.aggregation.types import SlotRecord, SlotState, Status
from gridproof.state import Message

from tests.unit.modules.aggregation.community import (
    FIRST_K,
    IMPORT,
    MONTH,
    REGION,
    ROLES,
    Community,
    signer_of,
    view_of,
)

ENROLLED, PLACES, STRANGER = 4, 5, 5
WINDOW_BLOCKS = 2
PERIODS = (FIRST_K, FIRST_K + 1)
READINGS_WH = (120, 4_000, 2**31)
Leaf = tuple[int, Half]

names = st.sampled_from(list(ROLES))
mostly = st.sampled_from([True] * 4 + [False])
slots = st.sampled_from(PERIODS)
meters = st.integers(0, PLACES - 1)
leaves = st.tuples(meters, st.sampled_from(Half))
readings = st.sampled_from(READINGS_WH)


@dataclass
class NaiveSlot:
    """What should have become of a slot."""

    status: Status = Status.OPEN
    kept: dict[Leaf, SlotRecord] = field(default_factory=dict)
    batches: int = 0
    first_height: int = 0
    live: frozenset[Leaf] | None = None
    mask_sum: int = 0
    total_wh: int = 0
    claimed: set[Leaf] = field(default_factory=set)


class Slots(RuleBasedStateMachine):
    """Two slots of a month, everybody's messages, and a clock."""

    @initialize()
    def begin(self) -> None:
        """A month with four meters in five places."""
        self.town = Community(
            enrolled=ENROLLED, places=PLACES, periods=len(PERIODS), window_blocks=WINDOW_BLOCKS
        ).begin()
        self.naive = {k: NaiveSlot() for k in PERIODS}
        self.last_from_k = FIRST_K
        self.month_closed = False
        self.seen: dict[int, SlotState] = {}

    def teardown(self) -> None:
        """Close the ledger."""
        if hasattr(self, "town"):
            self.town.close()

    # --- sending ---------------------------------------------------------------------------------------------------

    def attempt(self, name: str, message: Message, *, expected: bool) -> bool:
        """Send a message; whether it is taken is as expected, and it changed nothing if not."""
        before = self.town.app_hash
        refusal: Refusal | None = None
        try:
            self.town.send(name, message)
        except Refusal as refused:
            refusal = refused
        assert (refusal is None) == expected, refusal or message
        assert refusal is None or self.town.app_hash == before
        return expected

    @property
    def now_s(self) -> int:
        """Ledger time."""
        return self.town.now_s

    def masks_of(self, k: int, chosen: frozenset[Leaf]) -> int:
        """The sum of some leaves' masks."""
        seeds = ((view_of(meter, IMPORT)[half - 1]) for meter, half in chosen)
        return sum(mask(leaf_at(seed, self.town.bounds, k)) for seed in seeds) % WORD

    def positions(self, k: int, chosen: Any) -> tuple[int, ...]:
        """Where some leaves stand."""
        return tuple(sorted(self.town.position(meter, half, k) for meter, half in chosen))

    # --- the clock -------------------------------------------------------------------------------------------------

    @rule(k=slots, steps=st.integers(1, 4), without=st.integers(0, 2 * ENROLLED))
    def go_on(self, k: int, steps: int, without: int) -> None:
        """Take a slot's next steps as honest people would, time included, so that sequences get somewhere."""
        for _ in range(steps):
            naive, town = self.naive[k], self.town
            waits_until_s = town.window_end_of(k) if naive.kept else town.end_of(k)
            if naive.status == Status.OPEN and self.now_s < waits_until_s:
                town.go_to(waits_until_s)
            elif naive.status == Status.OPEN and not naive.kept:
                self.submit_most(k, without, second=False)
            elif naive.status == Status.OPEN:
                self.close("household", k)
            elif naive.status == Status.CLOSED:
                self.fix("provider", True, k, frozenset(), None)
            elif naive.status == Status.FIXED:
                self.open("provider", k, "right")

    @rule(step=st.sampled_from([1, 1, 1, 2, 4]), short=st.sampled_from([0, 0, 0, 1]))
    def advance(self, step: int, short: int) -> None:
        """Go on to one of the next deadlines, or to the second before it."""
        town = self.town
        marks = {
            mark(k)
            for k in PERIODS
            for mark in (town.end_of, town.window_end_of, town.opening_end_of, town.claim_end_of)
        }
        ahead = sorted(mark - short for mark in marks if mark - short > self.now_s)
        if ahead:
            town.go_to(ahead[min(step, len(ahead)) - 1])

    # --- batches ---------------------------------------------------------------------------------------------------

    @rule(
        name=names,
        honest=mostly,
        k=slots,
        chosen=st.dictionaries(leaves, readings, min_size=1, max_size=8),
    )
    def submit(self, name: str, honest: bool, k: int, chosen: dict[Leaf, int]) -> None:
        """A well-formed batch of anyone."""
        self.bring("first" if honest else name, k, chosen)

    @rule(k=slots, without=st.integers(0, 2 * ENROLLED), second=st.booleans())
    def submit_most(self, k: int, without: int, second: bool) -> None:
        """What an honest aggregator brings: everyone but perhaps one."""
        wanted = {(n, half): READINGS_WH[0] + n for n in range(ENROLLED) if n != without for half in Half}
        self.bring("second" if second else "first", k, wanted)

    def bring(self, name: str, k: int, chosen: dict[Leaf, int]) -> None:
        """Send a batch, and join it to the model."""
        naive, town = self.naive[k], self.town
        records = {(meter, half): town.record(meter, half, k, wh) for (meter, half), wh in chosen.items()}
        fresh = {leaf: record for leaf, record in records.items() if leaf not in naive.kept}
        expected = bool(
            name in ("first", "second")
            and not self.month_closed
            and self.now_s >= town.end_of(k)
            and naive.status == Status.OPEN
            and fresh
        )
        if self.attempt(name, town.batch(k, records.values()), expected=expected):
            naive.kept |= fresh
            naive.batches += 1
            naive.first_height = naive.first_height or town.node.head.height

    @rule(
        k=slots,
        chosen=st.dictionaries(leaves, readings, min_size=2, max_size=4),
        how=st.sampled_from(["period", "value", "bitmap", "proof", "order", "stranger", "twice", "root"]),
    )
    def submit_hostile(self, k: int, chosen: dict[Leaf, int], how: str) -> None:
        """A batch in which something was altered, forged or replayed."""
        town = self.town
        records = [town.record(meter, half, k, wh) for (meter, half), wh in chosen.items()]
        batch = town.batch(k, records)
        first = batch.records[0]
        another = SlotRecord(first.prid, (first.rc + 1) % WORD, first.signature)
        stranger = town.record(STRANGER, Half.FIRST, k)
        altered: dict[str, dict[str, Any]] = {
            "period": {"records": tuple(self.signed_for_another(each, k) for each in batch.records)},
            "value": {"records": (another, *batch.records[1:])},
            "bitmap": {"bitmap": bitmap_of(2 * PLACES, range(len(records) + 1))},
            "proof": {"proof": (*batch.proof, bytes(32))},
            "order": {"records": batch.records[::-1]},
            "stranger": {"records": (stranger, *batch.records[1:])},
            "twice": {"records": (first, *batch.records[:-1])},
            "root": {"root": bytes(32)},
        }
        self.attempt("first", town.batch(k, records, **altered[how]), expected=False)

    def signed_for_another(self, record: SlotRecord, k: int) -> SlotRecord:
        """The record with its owner's signature for another period."""
        for meter in range(PLACES):
            for half in Half:
                if signer_of(self.town.bounds, meter, half, k, IMPORT).public_key == record.prid:
                    return self.town.record(meter, half, k, slot=Slot(REGION, IMPORT, k + 1))
        raise AssertionError

    # --- closing, fixing, opening ----------------------------------------------------------------------------------

    @rule(name=names, k=slots)
    def close(self, name: str, k: int) -> None:
        """Anyone's `CloseSlot`."""
        naive, town = self.naive[k], self.town
        overdue = self.now_s >= town.opening_end_of(k)
        if naive.status == Status.OPEN:
            waited = not naive.batches or town.node.head.height + 1 >= naive.first_height + WINDOW_BLOCKS
            expected = self.now_s >= town.window_end_of(k) and waited
        else:
            expected = overdue and naive.status in (Status.CLOSED, Status.FIXED)
        if self.attempt(name, CloseSlot(REGION, IMPORT, k), expected=expected and not self.month_closed):
            naive.status = Status.VOID if overdue or not naive.batches else Status.CLOSED

    @rule(name=names, honest=mostly, k=slots, spoil=st.frozensets(leaves, max_size=2), excluded=st.none() | meters)
    def fix(self, name: str, honest: bool, k: int, spoil: frozenset[Leaf], excluded: int | None) -> None:
        """A live set: what an honest provider would leave out, perhaps a meter more, perhaps spoilt."""
        naive = self.naive[k]
        left_out = {(meter, half) for meter, half in naive.kept if (meter, 3 - half) not in naive.kept}
        spare = {leaf for leaf in naive.kept if leaf[0] in (excluded, PLACES - 1)}
        left_out |= spare
        if not honest:
            left_out ^= spoil
        live = frozenset(naive.kept) - left_out
        pairs = len(live) // 2
        expected = bool(
            (honest or name == "provider")
            and not self.month_closed
            and naive.status == Status.CLOSED
            and self.now_s < self.town.opening_end_of(k)
            and left_out <= set(naive.kept)
            and len(live) % 2 == 0
            and pairs <= ENROLLED
        )
        message = FixLiveSet(REGION, IMPORT, k, (), self.positions(k, left_out))
        if self.attempt("provider" if honest else name, message, expected=expected):
            naive.live = live
            rules = self.town.rules
            enough = pairs >= rules["k_min"] and 1_000 * pairs >= rules["min_live_permille"] * ENROLLED
            naive.status = Status.FIXED if enough else Status.SEALED

    @rule(
        name=names,
        k=slots,
        how=st.sampled_from(["right", "right", "right", "off by one", "one less", "for another set", "by anyone"]),
    )
    def open(self, name: str, k: int, how: str) -> None:
        """An opening: the right one, or a wrong sum, or one for another live set, or another sender's."""
        naive, town = self.naive[k], self.town
        live = frozenset(naive.live or naive.kept)
        mask_sum = self.masks_of(k, live)
        named = live
        if how == "off by one":
            mask_sum = (mask_sum - 1) % WORD
        elif how == "one less":
            mask_sum = self.masks_of(k, frozenset(sorted(live)[1:]))
        elif how == "for another set":
            named = frozenset(sorted(live)[2:])
        sender = name if how == "by anyone" else "provider"
        live_rc = sum(naive.kept[leaf].rc for leaf in live)
        total_wh = (live_rc - mask_sum) % WORD
        expected = bool(
            sender == "provider"
            and not self.month_closed
            and naive.status == Status.FIXED
            and self.now_s < town.opening_end_of(k)
            and named == live
            and total_wh < MAX_TOTAL_WH
        )
        place = live_set_hash(Slot(REGION, IMPORT, k), bitmap_of(2 * PLACES, self.positions(k, named)))
        message = town.opening(k, (), live_set=place, mask_sum=mask_sum)
        if self.attempt(sender, message, expected=expected):
            naive.status, naive.mask_sum, naive.total_wh = Status.OPENED, mask_sum, total_wh

    # --- drops, rosters, months ------------------------------------------------------------------------------------

    @rule(name=names, k=slots, meter=st.integers(0, STRANGER), half=st.sampled_from(Half), second=st.booleans())
    def claim(self, name: str, k: int, meter: int, half: Half, second: bool) -> None:
        """A claim of anyone's for a receipted record, dropped or not."""
        naive, town = self.naive[k], self.town
        leaf = (meter, half)
        expected = (
            not self.month_closed
            and naive.status != Status.OPEN
            and self.now_s < town.claim_end_of(k)
            and meter < PLACES
            and leaf not in naive.kept
            and leaf not in naive.claimed
        )
        message = town.claim(k, town.record(meter, half, k), "second" if second else "first")
        if self.attempt(name, message, expected=expected):
            naive.claimed.add(leaf)

    @rule(name=names, honest=mostly, from_k=st.integers(FIRST_K, FIRST_K + len(PERIODS)))
    def publish(self, name: str, honest: bool, from_k: int) -> None:
        """The same rosters once more, from some period on."""
        sender = "provider" if honest else name
        expected = (
            sender == "provider"
            and not self.month_closed
            and self.last_from_k < from_k <= PERIODS[-1]
            and self.now_s < self.town.end_of(from_k)
        )
        if self.attempt(sender, self.town.rosters(from_k), expected=expected):
            self.last_from_k = from_k

    @precondition(lambda self: self.now_s >= self.town.claim_end_of(PERIODS[0]))
    @rule(name=names, honest=mostly)
    def close_month(self, name: str, honest: bool) -> None:
        """The operator's `CloseMonth`, or another's."""
        sender = "operator" if honest else name
        settled = self.now_s >= self.town.claim_end_of(PERIODS[-1])
        expected = sender == "operator" and settled and not self.month_closed
        if self.attempt(sender, CloseMonth(REGION, MONTH), expected=expected):
            self.month_closed = True
            for naive in self.naive.values():
                if naive.status < Status.OPENED:
                    naive.status = Status.VOID

    # --- what must hold --------------------------------------------------------------------------------------------

    def state_of(self, k: int) -> SlotState | None:
        """The slot as the ledger has it, in the tree or in the fold."""
        if not self.month_closed:
            return self.town.ask(queries.slot, REGION, IMPORT, k)  # type: ignore[no-any-return]
        assert self.town.ask(queries.slot, REGION, IMPORT, k) is None
        return self.town.ask(queries.folded_slot, REGION, IMPORT, MONTH, k).state  # type: ignore[no-any-return]

    @invariant()
    def slots_are_as_the_model_has_them(self) -> None:
        """Every slot is what the dictionary says."""
        for k, naive in getattr(self, "naive", {}).items():
            state = self.state_of(k)
            if state is None:
                assert (naive.status, naive.kept) == (Status.OPEN, {})
                continue
            assert state.status == naive.status
            assert positions_in(state.filled, state.count) == self.positions(k, naive.kept)
            assert state.total_rc == sum(record.rc for record in naive.kept.values()) % WORD
            assert len(state.batches) == naive.batches
            if naive.live is not None:
                assert positions_in(state.live, state.count) == self.positions(k, naive.live)
                assert state.live_rc == sum(naive.kept[leaf].rc for leaf in naive.live) % WORD
            assert (state.mask_sum, state.total_wh) == (naive.mask_sum, naive.total_wh)

    @invariant()
    def nothing_goes_back(self) -> None:
        """A status never falls; a filled leaf, a live set, a total never change."""
        for k in getattr(self, "naive", {}):
            state = self.state_of(k)
            before = self.seen.get(k)
            if state is None:
                assert before is None
                continue
            self.seen[k] = state
            if before is None:
                continue
            assert state.status >= before.status
            if before.status in (Status.OPENED, Status.SEALED, Status.VOID):
                assert state == before
            was, now = (int.from_bytes(each.filled, "big") for each in (before, state))
            assert was & now == was
            assert state.batches[: len(before.batches)] == before.batches
            assert before.live in (b"", state.live)


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=100, stateful_step_count=40)
