"""What a simulated tariff comes to, in words, as JSON and as a picture."""

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape

from .console import table
from .tariff_chart import bars, bins, histogram
from .tariff_words import money

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gridproof.actors.community import Times
    from gridproof.actors.community.simulating import Simulation, Twice
    from gridproof.domain import ChargeKind

QUANTILES: Final = (0, 10, 25, 50, 75, 90, 100)


def quantile(ordered: list[int], percent: int) -> int:
    """The value below or at which so many of a hundred lie.

    Args:
        ordered: ascending, at least one.
        percent: 0 .. 100.
    """
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def told_simulation(found: "Simulation", times: "Times", currency: str, one: "Twice | None") -> dict[str, Any]:
    """The result for programs: amounts in 1e-9 of the currency."""
    from gridproof.domain import month_label

    changes = sorted(each.change_e9 for each in found.households)
    value = {
        "month": month_label(found.bounds.month),
        "from": times.label(found.bounds.start_s),
        "until": times.label(found.bounds.end_s),
        "currency": currency,
        "present": found.present,
        "proposed": found.proposed,
        "households": len(changes),
        "now_e9": sum(each.now_e9 for each in found.households),
        "new_e9": sum(each.new_e9 for each in found.households),
        "now": _sums(each.now for each in found.households),
        "new": _sums(each.new for each in found.households),
        "less": sum(change < 0 for change in changes),
        "same": sum(change == 0 for change in changes),
        "more": sum(change > 0 for change in changes),
        "change_e9": {str(percent): quantile(changes, percent) for percent in QUANTILES},
        "opened": found.opened,
        "fallbacks": found.fallbacks,
    }
    if one is not None:
        value["household"] = one._asdict()
    return value


def say_simulation(words: Console, found: "Simulation", times: "Times", currency: str, one: "Twice | None") -> None:
    """Print the result."""
    value = told_simulation(found, times, currency, one)
    words.print(
        f"{value['month']}, from {value['from']} until {value['until']}: {value['households']} households", markup=False
    )
    what = f"{escape(found.present)} now, {escape(found.proposed)} instead"
    _say_sums(words, f"{currency} of all: {what}", value["now"], value["new"], value["now_e9"], value["new_e9"])
    words.print(f"{value['less']} pay less, {value['more']} pay more, {value['same']} the same.")
    shown = table("of the households", f"#change of the bill is at most, {currency}")
    for percent, change_e9 in value["change_e9"].items():
        shown.add_row(f"{percent} %" if percent != "0" else "the least", money(change_e9, 9, sign=True))
    words.print(shown)
    words.print(f"Change of the bill in {currency}, and how many households:")
    for line in histogram(bins([each.change_e9 / 1e9 for each in found.households])):
        words.print(line, markup=False)
    if one is not None:
        _say_sums(
            words,
            f"{currency} of {escape(one.name)}: {what}",
            _sums([one.now]),
            _sums([one.new]),
            one.now_e9,
            one.new_e9,
        )


def drawn(found: "Simulation", currency: str) -> str:
    """The changes of all bills as an SVG picture."""
    changes = [each.change_e9 / 1e9 for each in found.households]
    less, more = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    described = f"change of the bill in {currency}: {less} households pay less, {more} pay more, of {len(changes)}"
    return bars(f"{found.proposed} instead of {found.present}", described, bins(changes))


def _sums(charges: "Iterable[Mapping[ChargeKind, int]]") -> dict[str, int]:
    sums: dict[str, int] = {}
    for each in charges:
        for kind, amount_e9 in each.items():
            sums[kind.value] = sums.get(kind.value, 0) + amount_e9
    return sums


def _say_sums(
    words: Console, title: str, now: "Mapping[str, int]", new: "Mapping[str, int]", now_e9: int, new_e9: int
) -> None:
    shown = table("component", "#now", "#instead", "#change", title=title)
    rows = [(kind.replace("_", "-"), now.get(kind, 0), new.get(kind, 0)) for kind in dict.fromkeys([*now, *new])]
    for name, before, after in [*rows, ("to be paid", now_e9, new_e9)]:
        shown.add_row(name, _shown(before), _shown(after), _shown(after - before, sign=True))
    words.print(shown)


def _shown(amount_e9: int, *, sign: bool = False) -> str:
    """An amount to the ten-thousandth."""
    from gridproof.domain import half_up

    return money(half_up(amount_e9, 10**5) // 10**5, 4, 4, sign=sign)
