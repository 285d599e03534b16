"""What a household, aggregator, control centre, operator and outsider can learn, alone and in each coalition of two.

The attacker of `parties` tries all that their files and what is public give. Against ours each learns what is its own;
against the same world without masks, or with bills that are not sealed, the same attacker learns everything.
"""

from itertools import combinations
from pathlib import Path

import pytest

from gridproof.actors.bill_provider.keys import Keys, Line
from gridproof.actors.bills.report import Report, decode_report, encode_report
from gridproof.actors.bills.sealing import pack, unpack
from gridproof.actors.community import Community
from gridproof.actors.enrolment import read_household
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import WORD, Direction, Halves, leaf_at, mask, reading

from .parties import (
    FIRST_K,
    Hands,
    Public,
    bills_opened,
    household,
    parties,
    readings_learned,
    view_seeds_of,
)
from tests.billed import HOURS, NAMES, OF_OCTOBER, Billed, energy_wh

PARTIES = (
    "household",
    "another household",
    "aggregator",
    "another aggregator",
    "control centre",
    "operator",
    "outsider",
)
OWN = {"household": "Adalind", "another household": "Bo"}
ALONE = [(name,) for name in PARTIES]
PAIRS = [*ALONE, *combinations(PARTIES, 2)]
EVERYTHING = {(name, at) for name in NAMES for at in range(HOURS)}


@pytest.fixture(scope="module")
def hands(village: Path) -> dict[str, Hands]:
    return parties(village)


@pytest.fixture(scope="module")
def unmasked(village: Path, public: Public) -> Public:
    """The same slots as a scheme without masks would leave them: the halves themselves."""
    files = [read_household(SecretFiles(), path) for path in sorted((village / "enrolments").glob("*.household"))]
    slots = {}
    for at, seen in public.slots.items():
        bounds = next(each for each in public.bounds.values() if each.contains(FIRST_K + at))
        stripped = []
        for file in files:
            chain = Hands(households=(file,))
            first, second = _own_pair(public, chain, at)
            stripped += [first, second]
        assert len(stripped) == len(seen.values), bounds
        slots[at] = seen._replace(values=tuple(stripped))
    return public._replace(slots=slots)


def _own_pair(public: Public, hands: Hands, at: int) -> tuple[int, int]:
    """A household's two halves of a slot without their masks."""
    k, seen = FIRST_K + at, public.slots[at]
    month, bounds = next((month, each) for month, each in public.bounds.items() if each.contains(k))
    ((first_seed, second_seed),) = view_seeds_of(hands, month)
    first_leaf, second_leaf = leaf_at(first_seed, bounds, k), leaf_at(second_seed, bounds, k)
    for first in seen.values:
        for second in seen.values:
            if first != second and reading(Halves(first, second), first_leaf, second_leaf) < 100_000:
                return (first - mask(first_leaf)) % WORD, (second - mask(second_leaf)) % WORD
    raise AssertionError


def together(hands: dict[str, Hands], coalition: tuple[str, ...]) -> Hands:
    held = Hands()
    for party in coalition:
        held = held.with_(hands[party])
    return held


@pytest.mark.parametrize("coalition", PAIRS, ids=" with ".join)
def test_a_coalition_learns_its_own_readings_and_no_others(
    public: Public, hands: dict[str, Hands], coalition: tuple[str, ...]
) -> None:
    own = {OWN[party] for party in coalition if party in OWN}
    assert readings_learned(public, together(hands, coalition)) == {(name, at) for name in own for at in range(HOURS)}


@pytest.mark.parametrize("coalition", PAIRS, ids=" with ".join)
def test_a_coalition_opens_its_own_bills_and_no_others(
    public: Public, hands: dict[str, Hands], coalition: tuple[str, ...]
) -> None:
    assert len(public.bills) == len(NAMES)
    own = {OWN[party] for party in coalition if party in OWN}
    assert bills_opened(public, together(hands, coalition)) == own


@pytest.mark.parametrize("coalition", PAIRS, ids=" with ".join)
def test_the_same_attacker_learns_everything_where_there_are_no_masks(
    unmasked: Public, hands: dict[str, Hands], coalition: tuple[str, ...]
) -> None:
    assert readings_learned(unmasked, together(hands, coalition)) == EVERYTHING


def test_an_aggregators_inbox_is_looked_at_too(hands: dict[str, Hands], public: Public) -> None:
    """The control of the cells with aggregators: what they took is there, and is the same as on the ledger."""
    taken = [hands[name].taken for name in ("aggregator", "another aggregator")]
    november = range(4, HOURS)  # October's was forgotten when the month was folded
    for at in november:
        assert sorted(value for each in taken for value in each[at]) == sorted(public.slots[at].values)
    assert not any(each[at] for each in taken for at in range(4))


def test_a_withheld_pair_tells_an_aggregator_nothing_of_its_meter(public: Public, hands: dict[str, Hands]) -> None:
    """It keeps two records back and compares all sums that are public; the paper's scheme gives the reading away."""
    aggregator = hands["aggregator"]
    for at, seen in public.slots.items():
        for kept in range(0, len(seen.values), 2):
            held = seen.values[kept : kept + 2]
            less = seen._replace(values=seen.values[:kept] + seen.values[kept + 2 :])
            world = public._replace(slots={at: less})
            assert readings_learned(world, aggregator._replace(taken={at: held})) == set()


def test_what_is_not_sealed_is_read_by_anyone_and_what_is_sealed_by_nobody(
    public: Public, village: Path, tmp_path: Path
) -> None:
    opened = tmp_path / "ada.json"
    Billed(village)("bill", "open", "Adalind", opened)
    report = decode_report(opened.read_bytes())
    assert _read(pack(encode_report(report))) == report  # the control: packed and padded, but not sealed
    for bill in public.bills:
        assert _read(bill.content) is None


def _read(content: bytes) -> Report | None:
    try:
        return decode_report(unpack(content))
    except Exception:  # noqa: BLE001 - an attacker takes any failure for a failure
        return None


# --- what a coalition does learn -------------------------------------------------------------------------------------


def test_all_meters_of_a_slot_but_one_learn_the_last_ones_reading_and_with_one_more_missing_they_do_not(
    public: Public, village: Path
) -> None:
    """The limit that `k_min` is there for: k_min - 1 colluders in a slot with k_min live meters read the last one."""
    four = Hands()
    for name in NAMES[1:]:
        four = four.with_(household(village, name))
    assert readings_learned(public, four) == EVERYTHING
    three = Hands()
    for name in NAMES[2:]:
        three = three.with_(household(village, name))
    assert readings_learned(public, three) == {(name, at) for name in NAMES[2:] for at in range(HOURS)}


def test_the_bill_provider_knows_every_reading(public: Public, village: Path) -> None:
    """As in the paper: it makes all keys. It is trusted in this, and the guide says so."""
    keys = Keys(village / "secrets" / "bill-provider", SecretFiles(), bytes)
    seeds = keys.views(Line(1, Direction.IMPORT), OF_OCTOBER)
    meters = {place: row.name for place, row in enumerate(Community(village).meters(), 1)}
    for at in range(4):
        k, bounds = FIRST_K + at, public.bounds[OF_OCTOBER]
        read = set()
        for pair in seeds.values():
            first_leaf, second_leaf = (leaf_at(seed, bounds, k) for seed in pair)
            for first in public.slots[at].values:
                for second in public.slots[at].values:
                    claim = reading(Halves(first, second), first_leaf, second_leaf)
                    if first != second and claim < 100_000:
                        read.add(claim)
        assert read == {energy_wh(number, at) for number in range(len(meters))}
