"""Whole files: what one writes is what one gets, and no spoilt file does more than name its faults."""

import json
import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gridproof.calendar import Calendar
from gridproof.connectors.config import Faults
from gridproof.connectors.tariff_file import (
    BandPlan,
    ChannelPlan,
    Per,
    StandingPlan,
    TariffInvalidError,
    TariffPlan,
    TimeBands,
    Window,
    default_tariff,
    parse_tariff,
)
from gridproof.domain import (
    MAX_PRICE_E5,
    MAX_TOTAL_WH,
    Flat,
    Levy,
    Linear,
    Penalties,
    Step,
    Stepped,
    Tariff,
    Tax,
    is_name,
    month_id,
    require_tariff,
)
from gridproof.primitives.encoding import decode, encode

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# --- plans that can be -----------------------------------------------------------------------------------------------

prices = st.integers(-MAX_PRICE_E5, MAX_PRICE_E5)
amounts = st.integers(0, 10**15)
names = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20).filter(is_name)
loads = st.integers(0, MAX_TOTAL_WH)


def uniquely_named(values: st.SearchStrategy, made: type) -> st.SearchStrategy:
    pairs = st.lists(st.tuples(names, values), max_size=4, unique_by=lambda pair: pair[0])
    return pairs.map(lambda found: tuple(made(name, *value) for name, value in found))


@st.composite
def bands(draw: st.DrawFn) -> TimeBands:
    """Bands one after the other in the day, each on days and in months of its own."""
    cuts = sorted(draw(st.sets(st.integers(0, 1_440), min_size=2, max_size=8)))
    labels = draw(st.lists(names, min_size=len(cuts), max_size=len(cuts), unique=True))
    some_days = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))
    some_months = st.sets(st.integers(1, 12), min_size=1).map(lambda found: tuple(sorted(found)))
    made = [
        BandPlan(label, draw(prices), (Window(draw(some_days), draw(some_months), start, end),))
        for label, start, end in zip(labels, cuts, cuts[1:], strict=False)
    ]
    default = draw(st.integers(0, len(made)))
    made.insert(default, BandPlan(labels[-1], draw(prices), ()))
    return TimeBands(tuple(made), default)


@st.composite
def steps(draw: st.DrawFn) -> Stepped:
    edges = [0, *sorted(draw(st.sets(st.integers(1, MAX_TOTAL_WH), max_size=5)))]
    return Stepped(tuple(Step(edge, draw(prices)) for edge in edges))


@st.composite
def lines(draw: st.DrawFn) -> Linear:
    low, high = sorted(draw(st.sets(loads, min_size=2, max_size=2)))
    return Linear(low, draw(prices), high, draw(prices))


channels = st.builds(ChannelPlan, st.builds(Flat, prices) | bands() | steps() | lines(), prices)
plans = st.builds(
    TariffPlan,
    names,
    st.integers(1, 10**15),
    channels,
    channels,
    uniquely_named(st.tuples(st.integers(0, MAX_PRICE_E5)), Levy),
    uniquely_named(st.tuples(amounts, st.sampled_from(Per)), StandingPlan),
    uniquely_named(st.tuples(st.integers(0, 10_000)), Tax),
    st.tuples(amounts, amounts).map(lambda two: Penalties(max(two), min(two))),
)


# --- writing them ----------------------------------------------------------------------------------------------------


def number(value: int, places: int) -> str:
    return f"{Decimal(value).scaleb(-places):f}"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def clock(minute: int) -> str:
    return f'"{minute // 60:02d}:{minute % 60:02d}"'


def channel(name: str, plan: ChannelPlan) -> list[str]:
    """A channel's tables."""
    head, scheme = [f"[{name}]", f"fallback = {number(plan.fallback_e5, 5)}"], plan.scheme
    if isinstance(scheme, Flat):
        return [*head, 'scheme = "flat"', f"price = {number(scheme.price_e5, 5)}"]
    if isinstance(scheme, Linear):
        from_kwh, to_kwh = number(scheme.from_wh, 3), number(scheme.to_wh, 3)
        return [
            *head, 'scheme = "linear"', f"from_kwh = {from_kwh}", f"from_price = {number(scheme.from_price_e5, 5)}",
            f"to_kwh = {to_kwh}", f"to_price = {number(scheme.to_price_e5, 5)}",
        ]  # fmt: skip
    if isinstance(scheme, Stepped):
        text = [*head, 'scheme = "stepped"']
        for step in scheme.steps:
            text += [f"[[{name}.step]]", f"from_kwh = {number(step.from_wh, 3)}", f"price = {number(step.price_e5, 5)}"]
        return text
    text = [*head, 'scheme = "time-of-use"']
    for band in scheme.bands:
        text += [f"[[{name}.band]]", f"name = {quoted(band.name)}", f"price = {number(band.price_e5, 5)}"]
        for window in band.windows:
            text.append(f'days = "{",".join(DAYS[day] for day in window.days)}"')
            text.append(f'months = "{", ".join(MONTHS[month - 1] for month in window.months)}"')
            text += [f"from = {clock(window.from_min)}", f"to = {clock(window.to_min)}"]
    return text


def written(plan: TariffPlan) -> str:
    """The file that says a plan."""
    text = [f"name = {quoted(plan.name)}", f"rounding = {number(plan.rounding_e9, 9)}"]
    text += channel("import", plan.imports) + channel("feed-in", plan.feed_in)
    for levy in plan.levies:
        text += ["[[levy]]", f"name = {quoted(levy.name)}", f"price = {number(levy.price_e5, 5)}"]
    for charge in plan.standing:
        amount = number(charge.amount_e9, 9)
        text += ["[[standing]]", f"name = {quoted(charge.name)}", f"amount = {amount}", f'per = "{charge.per}"']
    for tax in plan.taxes:
        text += ["[[tax]]", f"name = {quoted(tax.name)}", f"percent = {number(tax.rate_e4, 2)}"]
    missing, late = number(plan.penalties.missing_e9, 9), number(plan.penalties.late_e9, 9)
    return "\n".join([*text, "[penalties]", f"missing = {missing}", f"late = {late}", ""])


def faults_of(text: str) -> Faults | None:
    """What is wrong with a file; None where it is good."""
    try:
        parse_tariff(text.encode())
    except TariffInvalidError as refusal:
        return refusal.faults
    return None


# --- rules -----------------------------------------------------------------------------------------------------------


@given(plans)
def test_a_plan_that_is_written_is_read_as_it_was(plan: TariffPlan) -> None:
    assert parse_tariff(written(plan).encode()) == plan


@given(plans, st.integers(1, 12), st.sampled_from(("Europe/Zurich", "Asia/Kathmandu", "Australia/Lord_Howe")))
def test_every_good_file_gives_a_tariff_that_the_ledger_takes(plan: TariffPlan, month: int, zone: str) -> None:
    calendar = Calendar(zone, 3_600)
    bounds = calendar.bounds(month_id(2025, month))
    tariff = plan.for_month(calendar, bounds, "EUR")
    require_tariff(tariff, bounds.start_s)
    assert decode(encode(tariff), Tariff) == tariff
    assert plan.summary().startswith(f"{plan.name}: import ")


@given(st.data())
def test_a_spoilt_file_is_read_or_its_faults_are_named(data: st.DataObject) -> None:
    text = default_tariff("CHF").splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        spoilt = data.draw(
            st.sampled_from(("", 'price = "x"', "[tax]", "[[import.band]]", "name = 3", "from = 1", "x = ["))
        )
        text[at] = spoilt
    told = faults_of("\n".join(text))
    assert told is None or (told and all(fault.sentence for fault in told))


@given(st.sampled_from(re.findall(r"(?<== )\d+\.?\d*", default_tariff("CHF"))), st.integers(10, 20))
def test_a_number_of_too_many_decimals_is_found_wherever_it_stands(found: str, places: int) -> None:
    longer = f"{found}{'' if '.' in found else '.'}{'0' * places}1"
    told = faults_of(default_tariff("CHF").replace(f"= {found}\n", f"= {longer}\n", 1))
    assert told is not None
    (fault,) = told
    assert "and nothing is rounded" in fault.sentence
