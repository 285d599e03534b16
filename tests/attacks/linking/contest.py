"""All games: each attacker against ours, which must hold, and against weaker schemes, which must fall.

The gate: the upper 99 % bound of the advantage over ours stays below it. With n pairs the advantage over a sound scheme
scatters by about 1 / sqrt(n): with 400,000 it practically always passes a gate of 0.01. The fast contest has fewer
pairs and a gate of 0.03.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import cached_property, partial
from math import inf
from typing import Final, NamedTuple

from . import households, ours
from .attackers import (
    Hungarian,
    Identity,
    LikelihoodRatio,
    MaskSumDifference,
    MonthDifference,
    PaperLikelihood,
    Place,
    Profile,
    SendTime,
    SmallSum,
)
from .game import Attacker, Challenge, Outcome, Words, above_chance, play
from .ours import SHORTEST_WINDOW_S, Ours
from .weaker import Weaker

SEED: Final = 4
SECRETS: Final = b"linking"
HALF_WORD: Final = 2.0**63

OURS: Final = "ours"
SHORTEST: Final = "as ours, window of 60 s"
UNMASKED: Final = "halves over ±2^31, unmasked"
PAPER: Final = "the paper's masks"
PLAIN: Final = "plain readings under pseudonyms"


class Size(NamedTuple):
    """How large a contest is.

    Attributes:
        pairs: of one meter, and as many of two, in a game.
        months: of traces, for the games that use up many values a pair.
        dear: pairs of the games for which identities are made.
        gate: our bound stays below it.
        slack: how far a control's advantage may lie from where theory puts it.
    """

    pairs: int
    months: int
    dear: int
    gate: float
    slack: float


FULL: Final = Size(pairs=400_000, months=56, dear=400_000, gate=0.01, slack=0.01)
FAST: Final = Size(pairs=67_200, months=4, dear=33_600, gate=0.03, slack=0.02)
SMALL: Final = Size(pairs=6_720, months=2, dear=3_360, gate=0.1, slack=0.1)


class Target(NamedTuple):
    """What must come of a game.

    Attributes:
        words: for people.
        least: the advantage is at least this.
        most: the advantage is at most this.
        gate: the bound is below this.
    """

    words: str
    least: float = -inf
    most: float = inf
    gate: float = inf

    def is_met(self, outcome: Outcome) -> bool:
        """Whether it came so."""
        return self.least <= outcome.advantage <= self.most and outcome.bound < self.gate


class Game(NamedTuple):
    """A game that is to be played.

    Attributes:
        attacker: by name.
        scheme: against what.
        target: what must come of it.
        play: plays it.
        measure: what the advantage is, where it is not that of the pair game.
    """

    attacker: str
    scheme: str
    target: Target
    play: Callable[[], Outcome]
    measure: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether the product is attacked as it is, with its default window."""
        return self.scheme == OURS


def falls(least: float) -> Target:
    """The attacker must win by so much."""
    return Target(f"> {least:g}", least=least)


class Contest:
    """All games of a size.

    Args:
        size: of the contest.
        executor: makes our traces in its processes; on the calling thread when none is given.
    """

    def __init__(self, size: Size, executor: Executor | None = None) -> None:
        self.size = size
        self._executor = executor
        self._holds = Target(f"bound < {size.gate:g}", gate=size.gate)

    @cached_property
    def ours(self) -> Ours:
        """The product's traces."""
        return Ours(self.size.months, SECRETS, self._executor)

    @cached_property
    def weaker(self) -> Weaker:
        """The controls' traces."""
        return Weaker(self.size.pairs, SEED)

    @cached_property
    def _places(self) -> Words:
        return self.ours.places(self.size.dear)

    def games(self) -> Iterator[Game]:
        """Every game, an attacker's one after the other, ours first."""
        yield from self._by_value()
        yield from self._by_matching()
        yield from self._by_profile()
        yield from self._by_trace()
        yield from self._by_mask_sums()
        yield from self._by_month()

    def _by_value(self) -> Iterator[Game]:
        halves, weaker = partial(self.ours.halves, self.size.pairs), self.weaker
        yield _pairs("small sum", OURS, self._holds, SmallSum, halves)
        yield _pairs("small sum", UNMASKED, falls(0.99), SmallSum, weaker.unmasked_halves)
        yield _pairs("small sum", PAPER, self._near(0.152), SmallSum, weaker.paper_halves)
        yield _pairs("likelihood ratio, learnt", OURS, self._holds, LikelihoodRatio, halves)
        yield _pairs("likelihood ratio, learnt", UNMASKED, falls(0.99), LikelihoodRatio, weaker.unmasked_halves)
        name = "likelihood ratio, the paper's formula"
        yield _pairs(name, OURS, self._holds, partial(PaperLikelihood, HALF_WORD), halves)
        yield _pairs(name, PAPER, self._near(0.167), PaperLikelihood, weaker.paper_halves)

    def _by_matching(self) -> Iterator[Game]:
        name, weaker = "Hungarian matching", self.weaker
        yield _pairs(name, OURS, self._holds, Hungarian, partial(self.ours.halves, self.size.pairs))
        yield _pairs(name, UNMASKED, falls(0.99), Hungarian, weaker.unmasked_halves)
        yield _pairs(name, PAPER, falls(0.01), lambda: Hungarian(PaperLikelihood()), weaker.paper_halves)

    def _by_profile(self) -> Iterator[Game]:
        name, weaker = "profile of an hour, two days", self.weaker
        yield _pairs(name, OURS, self._holds, Profile, partial(self.ours.hours, self.size.pairs))
        yield _pairs(name, PLAIN, falls(0.25), Profile, weaker.plain_hours)
        name, measure = "weekly profile", "matched, less chance"
        parts = households.parts_of_week
        yield Game(name, OURS, self._holds, lambda: Profile().match(*parts(self.ours.sums), SEED), measure)
        yield Game(name, PLAIN, falls(0.4), lambda: Profile().match(*parts(weaker.week), SEED), measure)

    def _by_trace(self) -> Iterator[Game]:
        size, made, weaker = self.size, self.ours, self.weaker
        yield _pairs("send time", OURS, self._holds, SendTime, partial(made.sent, size.pairs))
        shortest = partial(made.sent, size.pairs, SHORTEST_WINDOW_S)
        yield _pairs("send time", SHORTEST, self._near(0.033), SendTime, shortest)  # 1 / 30: never the same second
        yield _pairs("send time", "halves sent together", falls(0.99), SendTime, weaker.halves_sent_together)
        yield _pairs("send time", "first half sent first", falls(0.2), SendTime, weaker.halves_sent_in_order)
        yield _pairs("place on the ledger", OURS, self._holds, Place, lambda: ours.within_slot(self._places))
        yield _pairs("place on the ledger", "in the order of coming", falls(0.99), Place, weaker.order_of_coming)
        name = "place, slot to slot"
        yield _pairs(name, OURS, self._holds, Place, lambda: ours.from_slot_to_slot(self._places))
        yield _pairs(name, "in the order of meters", falls(0.5), Place, weaker.order_of_meters)
        yield _pairs("identity", OURS, self._holds, Identity, partial(made.identities, size.dear))
        yield _pairs("identity", "one for both halves", falls(0.99), Identity, weaker.one_identity)

    def _by_mask_sums(self) -> Iterator[Game]:
        name, pairs, weaker = "mask sum difference", self.size.pairs, self.weaker
        twice = partial(self.ours.withheld, pairs, twice=True)
        yield _pairs(name, OURS, self._holds, MaskSumDifference, partial(self.ours.withheld, pairs))
        yield _pairs(name, "as ours, masks opened twice", falls(0.99), MaskSumDifference, twice)
        yield _pairs(name, PAPER, falls(0.99), MaskSumDifference, weaker.paper_withheld)
        measure, true = "read exactly", partial(self.ours.withheld_readings, pairs)
        yield Game(name, OURS, self._holds, lambda: _read(self.ours.withheld(pairs), true()), measure)
        always = Target("all", least=1.0)
        yield Game(name, PAPER, always, lambda: _read(weaker.paper_withheld(), weaker.readings[..., 0]), measure)

    def _by_month(self) -> Iterator[Game]:
        name, pairs = "month to month", self.size.pairs
        yield _pairs(name, OURS, self._holds, MonthDifference, partial(self.ours.months, pairs))
        yield _pairs(name, "as ours, keys not led on", falls(0.99), MonthDifference, partial(self._unchained, pairs))
        yield _pairs(name, PAPER, falls(0.99), MonthDifference, self.weaker.paper_months)

    def _unchained(self, pairs: int) -> Challenge:
        return Ours(2, SECRETS, self._executor, chained=False).months(pairs)

    def _near(self, theory: float) -> Target:
        slack = self.size.slack
        return Target(f"{theory:g} ± {slack:g}", least=theory - slack, most=theory + slack)


def _pairs(
    attacker: str,
    scheme: str,
    target: Target,
    player: Callable[[], Attacker],
    challenge: Callable[[], Challenge],
) -> Game:
    return Game(attacker, scheme, target, lambda: play(player(), challenge(), SEED))


def _read(challenge: Challenge, readings: Words) -> Outcome:
    """How many withheld readings are read to the watt-hour."""
    hits = MaskSumDifference().read(*challenge) == readings
    return above_chance(int(hits.sum()), hits.size, 0.0)
