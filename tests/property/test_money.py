"""Prices, bills and late records under random sequences of honest, invalid and hostile messages, against a naive model.

The model knows tariffs as a few lines of arithmetic of its own and predicts of each message whether it is taken. How
far the slots have come it reads from the ledger: a machine of their own (`test_aggregation.py`) holds those to account.
After every message all modules' invariants hold (the `Ledger` sees to it), and a refused one has changed nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from gridproof.domain import ChannelTariff, Flat, Half, Tariff, positions_in
from gridproof.errors import Refusal
from gridproof.modules.aggregation import queries as slots
from gridproof.modules.aggregation.messages import CloseMonth, CloseSlot
from gridproof.modules.aggregation.types import SlotState, Status
from gridproof.modules.billing import queries as bills
from gridproof.modules.billing.keeper import MAX_OBJECTIONS
from gridproof.modules.billing.types import Bill, Objection, Tally
from gridproof.modules.pricing import queries as prices
from gridproof.modules.pricing.messages import AnnouncePrice, ChangeTariff
from gridproof.modules.pricing.types import FoldedPrice, Price
from gridproof.primitives.cid import cid_v1
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message

from tests.unit.modules.aggregation.community import (
    FIRST_K,
    IMPORT,
    MONTH,
    PERIOD_S,
    REGION,
    ROLES,
    TARIFF,
    Community,
    bid_of,
)

ENROLLED, PLACES = 4, 5
PERIODS = (FIRST_K, FIRST_K + 1, FIRST_K + 2)
ENDED = (Status.OPENED, Status.SEALED, Status.VOID)
Leaf = tuple[int, Half]

names = st.sampled_from(list(ROLES))
mostly = st.sampled_from([True] * 4 + [False])
periods = st.sampled_from(PERIODS)
households = st.integers(0, ENROLLED)  # one more than there are


@dataclass(frozen=True)
class Naive:
    """A tariff as a person would reckon it."""

    tariff: Tariff
    price: Callable[[int], int]
    fallback_e5: int


FLAT = replace(TARIFF, name="flat", imports=ChannelTariff(Flat(12_345), 77))
TARIFFS = (
    Naive(TARIFF, lambda total_wh: min(10_000 + 20 * total_wh, 30_000), 25_000),
    Naive(FLAT, lambda _total_wh: 12_345, 77),
)
OTHER_MONEY = replace(TARIFF, currency="EUR")


@dataclass
class Household:
    """What should be on record of a household's month."""

    versions: list[Bill] = field(default_factory=list)
    objections: list[Objection] = field(default_factory=list)


class Money(RuleBasedStateMachine):
    """A month of three slots, its tariff, prices, late records and bills."""

    @initialize(
        far=st.sampled_from(["begun", "begun", "begun", "read", "over", "closed", "billed", "billed"]),
        meters=st.permutations([(0, 1, 2, 3), (0, 1, 2), (0, 1)]),
    )
    def begin(self, far: str, meters: list[tuple[int, ...]]) -> None:
        """A month with four meters in five places, as far on as honest people may have brought it."""
        self.town = Community(enrolled=ENROLLED, places=PLACES, periods=len(PERIODS)).begin(tariff=TARIFF)
        self.steps: dict[int, Naive] = {FIRST_K: TARIFFS[0]}
        self.prices: dict[int, Price] = {}
        self.late: dict[int, set[Leaf]] = {k: set() for k in PERIODS}
        self.homes = [Household() for _ in range(ENROLLED + 1)]
        self.month_closed = False
        if far == "begun":
            return
        for k, present in zip(PERIODS[:2], meters, strict=False):
            self.go_on(k, 5, present)
        if far == "read":
            return
        self.announce("center", True, PERIODS[0], PERIODS[0], "right")
        self.bring_late("second", True, PERIODS[1], {(3, Half.FIRST), (3, Half.SECOND), (4, Half.FIRST)}, None)
        self.town.go_to(self.town.claim_end_of(PERIODS[-1]))
        if far == "over":
            return
        self.close_month("operator", True)
        if far == "billed":
            self.register("provider", True, {0: 0, 1: 0}, False)
            self.contest("household", 0, 1, 0, False, False)

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

    def slot(self, k: int) -> SlotState | None:
        """A slot as it stands, in the tree or in the fold."""
        if self.month_closed:
            return self.town.ask(slots.folded_slot, REGION, IMPORT, MONTH, k).state  # type: ignore[no-any-return]
        return self.town.ask(slots.slot, REGION, IMPORT, k)  # type: ignore[no-any-return]

    def tariff_at(self, k: int) -> Naive:
        """The tariff in force."""
        return self.steps[max(from_k for from_k in self.steps if from_k <= k)]

    # --- the clock and the slots -----------------------------------------------------------------------------------

    @rule(k=periods, steps=st.integers(1, 4), meters=st.sampled_from([(0, 1, 2, 3), (0, 1, 2), (0, 1), (0,)]))
    def go_on(self, k: int, steps: int, meters: tuple[int, ...]) -> None:
        """Take a slot's next steps as honest people would, time included."""
        town = self.town
        for _ in range(0 if self.month_closed else steps):
            state = self.slot(k)
            status = Status.OPEN if state is None else state.status
            if state is None and town.now_s >= town.window_end_of(k):
                town.accepts("household", CloseSlot(REGION, IMPORT, k))
            elif state is None:
                town.filled(k, *meters)
            elif status == Status.OPEN:
                town.go_to(max(town.now_s, town.window_end_of(k)))
                town.accepts("household", CloseSlot(REGION, IMPORT, k))
            elif status in (Status.CLOSED, Status.FIXED) and town.now_s >= town.opening_end_of(k):
                town.accepts("household", CloseSlot(REGION, IMPORT, k))
            elif status == Status.CLOSED:
                town.accepts("provider", town.live_set(k))
            elif status == Status.FIXED:
                live = positions_in(state.live, state.count)
                town.accepts(
                    "provider", town.opening(k, [n for n in range(4) if town.position(n, Half.FIRST, k) in live])
                )

    @rule(step=st.sampled_from([1, 1, 2, 4]), short=st.sampled_from([0, 0, 1]))
    def advance(self, step: int, short: int) -> None:
        """Go on to one of the next deadlines, or to the second before it."""
        town = self.town
        marks = {
            mark(k)
            for k in PERIODS
            for mark in (lambda k: k * PERIOD_S, town.end_of, town.window_end_of, town.claim_end_of)
        }
        ahead = sorted(mark - short for mark in marks if mark - short > town.now_s)
        if ahead:
            town.go_to(ahead[min(step, len(ahead)) - 1])

    @rule(
        name=names,
        honest=mostly,
        k=periods,
        chosen=st.sets(st.tuples(st.integers(0, PLACES - 1), st.sampled_from(Half)), min_size=1, max_size=6),
        wh=st.sampled_from([None, 5]),
    )
    def bring_late(self, name: str, honest: bool, k: int, chosen: set[Leaf], wh: int | None) -> None:
        """A side batch of anyone, perhaps with another reading than the one before."""
        town, sender = self.town, "second" if honest else name
        state = self.slot(k)
        here = set(positions_in(state.filled, state.count)) if state else set()
        fresh = {(meter, half) for meter, half in chosen if town.position(meter, half, k) not in here} - self.late[k]
        expected = bool(
            sender in ("first", "second")
            and not self.month_closed
            and state is not None
            and state.status != Status.OPEN
            and town.now_s < town.claim_end_of(k)
            and fresh
        )
        records = [town.record(meter, half, k, wh) for meter, half in sorted(chosen)]
        if self.attempt(sender, town.late(k, records), expected=expected):
            self.late[k] |= fresh

    @precondition(lambda self: self.town.now_s >= self.town.claim_end_of(PERIODS[0]))
    @rule(name=names, honest=mostly)
    def close_month(self, name: str, honest: bool) -> None:
        """The operator's `CloseMonth`, or another's; the prices before it are those that the fold has."""
        sender = "operator" if honest else name
        settled = self.town.now_s >= self.town.claim_end_of(PERIODS[-1])
        expected = sender == "operator" and settled and not self.month_closed
        if not self.attempt(sender, CloseMonth(REGION, MONTH), expected=expected):
            return
        self.month_closed = True
        kept = self.town.ask(prices.month_prices, REGION, IMPORT, MONTH)
        assert kept == tuple(
            FoldedPrice(k, self.prices[k].price_e5, self.prices[k].fallback)
            if k in self.prices
            else FoldedPrice(k, self.tariff_at(k).fallback_e5, True)
            for k in PERIODS
        )

    # --- tariffs and prices ----------------------------------------------------------------------------------------

    @rule(
        name=names,
        honest=mostly,
        from_k=st.sampled_from([FIRST_K + 1, FIRST_K + 2, FIRST_K + 1, FIRST_K + 2, FIRST_K, FIRST_K - 1, FIRST_K + 3]),
        which=st.sampled_from([0, 1, 1]),
        other_money=st.sampled_from([False, False, False, True]),
    )
    def change_tariff(self, name: str, honest: bool, from_k: int, which: int, other_money: bool) -> None:
        """A change for some period, past or to come."""
        sender = "operator" if honest else name
        tariff = OTHER_MONEY if other_money else TARIFFS[which].tariff
        expected = (
            sender == "operator"
            and not self.month_closed
            and max(self.steps) < from_k <= PERIODS[-1]
            and from_k * PERIOD_S >= self.town.now_s
            and not other_money
        )
        if self.attempt(sender, ChangeTariff(REGION, MONTH, from_k, tariff), expected=expected):
            self.steps[from_k] = TARIFFS[which]

    @rule(
        name=names,
        honest=mostly,
        k=periods,
        other=periods,
        how=st.sampled_from(
            ["right", "right", "right", "off by one", "fallback", "other slot", "other total", "other batches"]
        ),
    )
    def announce(self, name: str, honest: bool, k: int, other: int, how: str) -> None:
        """A slot's price: the right one, or a wrong one, or another slot's."""
        sender = "center" if honest else name
        right = self.right_price(k)
        message = {
            "right": right,
            "off by one": replace(right, price_e5=right.price_e5 + 1),
            "fallback": replace(right, price_e5=self.tariff_at(k).fallback_e5),
            "other slot": replace(right, k=other),
            "other total": replace(right, total_wh=right.total_wh + 1),
            "other batches": replace(right, batch_roots=(*right.batch_roots, bytes(32))),
        }[how]
        at = message.k
        state = None if self.month_closed else self.slot(at)
        expected = (
            sender == "center"
            and at not in self.prices
            and state is not None
            and state.status in ENDED
            and message == self.right_price(at)
        )
        if self.attempt(sender, message, expected=expected) and state is not None:
            self.prices[at] = Price(message.price_e5, state.status != Status.OPENED, message.total_wh)

    def right_price(self, k: int) -> AnnouncePrice:
        """The price that the tariff gives to a slot as it stands; the fallback price while it has no total."""
        state, naive = self.slot(k), self.tariff_at(k)
        total_wh = state.total_wh if state is not None and state.status == Status.OPENED else None
        price_e5 = naive.fallback_e5 if total_wh is None else naive.price(total_wh)
        roots = tuple(note.root for note in state.batches) if state else ()
        return AnnouncePrice(REGION, IMPORT, k, total_wh or 0, roots, price_e5)

    # --- bills -----------------------------------------------------------------------------------------------------

    @rule(
        name=names,
        honest=mostly,
        chosen=st.dictionaries(households, st.sampled_from([0, 0, 0, 0, 1, -1]), min_size=1, max_size=ENROLLED + 1),
        unsorted=st.sampled_from([False] * 5 + [True]),
    )
    def register(self, name: str, honest: bool, chosen: dict[int, int], unsorted: bool) -> None:
        """Each household's next version, or one too far on, or one that is there already."""
        town, sender = self.town, "provider" if honest else name
        made = [town.bill(n, max(1, len(self.homes[n].versions) + 1 + skew)) for n, skew in sorted(chosen.items())]
        next_ones = all(
            each.version == len(self.homes[n].versions) + 1 for n, each in zip(sorted(chosen), made, strict=True)
        )
        billed = {n for n, home in enumerate(self.homes) if home.versions} | set(chosen)
        expected = (
            sender == "provider"
            and self.month_closed
            and next_ones
            and len(billed) <= ENROLLED
            and not (unsorted and len(made) > 1)
        )
        message = town.bills(*made)
        if unsorted:
            message = replace(message, bills=message.bills[::-1])
        if self.attempt(sender, message, expected=expected):
            for n, each in zip(sorted(chosen), made, strict=True):
                self.homes[n].versions.append(Bill(each.cid, each.digest, town.now_s))

    @rule(
        name=names,
        n=st.sampled_from([0, 0, 1, 1, 2, 3, 4]),
        version=st.sampled_from([1, 1, 1, 2]),
        skew=st.sampled_from([0, 0, 0, 0, 1, -1]),
        forged=st.sampled_from([False] * 5 + [True]),
        moved=st.sampled_from([False] * 5 + [True]),
    )
    def contest(self, name: str, n: int, version: int, skew: int, forged: bool, moved: bool) -> None:
        """An objection that anyone brings: signed by its identity, or by another, or renumbered on the way."""
        town, home = self.town, self.homes[n]
        number = max(1, len(home.objections) + 1 + skew)
        by = Signer(sha256(b"forger")) if forged else None
        message = town.objection(n, number + moved, version, by=by)
        if moved:
            message = replace(message, number=number)
        expected = (
            not forged
            and not moved
            and version <= len(home.versions)
            and number == len(home.objections) + 1 <= MAX_OBJECTIONS
        )
        if self.attempt(name, message, expected=expected):
            home.objections.append(Objection(version, message.cid, message.digest, town.now_s, None))

    @rule(
        name=names,
        honest=mostly,
        n=st.sampled_from([0, 0, 0, 1, 2, 4]),
        number=st.sampled_from([1, 1, 2, 3]),
        upheld=st.booleans(),
    )
    def answer(self, name: str, honest: bool, n: int, number: int, upheld: bool) -> None:
        """An answer to an objection that is there, or not, or answered."""
        town, home, sender = self.town, self.homes[n], "provider" if honest else name
        raised = home.objections[number - 1] if number <= len(home.objections) else None
        expected = sender == "provider" and raised is not None and raised.answer is None
        message = town.answer(n, number, upheld=upheld)
        if self.attempt(sender, message, expected=expected) and raised is not None:
            found = town.ask(bills.objections, REGION, MONTH, bid_of(n).public_key)[number - 1][1]
            assert found.answer is not None
            assert (found.answer.upheld, found.answer.cid) == (upheld, cid_v1(b"answer %d to %d" % (number, n)))
            home.objections[number - 1] = replace(raised, answer=found.answer)

    # --- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def a_price_never_changes_once_set(self) -> None:
        """In the tree while the month is open, in the fold when it is closed."""
        if not hasattr(self, "town"):
            return
        if self.month_closed:
            assert self.town.ask(prices.prices, REGION, IMPORT, PERIODS[0], PERIODS[-1] + 1) == ()
            kept = {each.k: each for each in self.town.ask(prices.month_prices, REGION, IMPORT, MONTH)}
            for k, known in self.prices.items():
                assert (kept[k].price_e5, kept[k].fallback) == (known.price_e5, known.fallback)
        else:
            for k in PERIODS:
                assert self.town.ask(prices.price, REGION, IMPORT, k) == self.prices.get(k)

    @invariant()
    def tariffs_are_those_that_were_set(self) -> None:
        """No change is lost, none comes by itself."""
        if hasattr(self, "town"):
            expected = tuple((from_k, naive.tariff) for from_k, naive in sorted(self.steps.items()))
            assert self.town.ask(prices.tariffs, REGION, MONTH) == expected

    @invariant()
    def side_batches_hold_what_came_late(self) -> None:
        """And nothing of it is in the slot."""
        for k, leaves in getattr(self, "late", {}).items():
            late, state = self.town.ask(slots.late, REGION, IMPORT, k), self.slot(k)
            assert (late is None) == (not leaves)
            if late is not None and state is not None:
                at = tuple(sorted(self.town.position(meter, half, k) for meter, half in leaves))
                assert positions_in(late.filled, 2 * PLACES) == at
                assert not set(at) & set(positions_in(state.filled, state.count))
                assert not set(at) & set(positions_in(state.live, state.count) if state.live else ())

    @invariant()
    def bills_and_words_are_those_that_were_given(self) -> None:
        """Versions and numbers only grow, and none of them changes."""
        if not hasattr(self, "town"):
            return
        for n, home in enumerate(self.homes):
            place = (REGION, MONTH, bid_of(n).public_key)
            assert self.town.ask(bills.versions, *place) == tuple(enumerate(home.versions, 1))
            assert self.town.ask(bills.objections, *place) == tuple(enumerate(home.objections, 1))
        raised = [each for home in self.homes for each in home.objections]
        assert self.town.ask(bills.tally, REGION, MONTH) == Tally(
            sum(bool(home.versions) for home in self.homes),
            sum(max(0, len(home.versions) - 1) for home in self.homes),
            len(raised),
            sum(each.answer is not None for each in raised),
        )


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=120, stateful_step_count=40)
