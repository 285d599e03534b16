"""Reading a tariff's file: every fault at once, each with its place and what to write there.

Rules:
    F-3 A channel has one scheme: flat, time-of-use, linear or stepped, with the entries of that one.
    F-4 Of the time bands exactly one is the default, which has no times; no two bands hold at once; their names differ.
    F-5 Bands change at most at 60 times of the day, so that no month has more switches than the ledger takes.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

from gridproof.connectors.config import Fault, Faults
from gridproof.connectors.files import read_limited
from gridproof.domain import Flat, Levy, Linear, Penalties, Step, Stepped, Tax
from gridproof.domain.tariff import MAX_BANDS, MAX_NAMED

from .bands import read_bands
from .errors import TariffInvalidError
from .plan import ChannelPlan, Per, StandingPlan, TariffPlan
from .table import AMOUNT, LEVY, LOAD, PERCENT, PRICE, STEP, Table, exact

FILE_NAME: Final = "tariff.toml"
MAX_SIZE: Final = 2**18
CENT_E9: Final = 10_000_000
SCHEMES: Final = ("flat", "time-of-use", "linear", "stepped")


def load_tariff(path: Path) -> TariffPlan:
    """Read a tariff's file.

    Args:
        path: the file.

    Raises:
        TariffInvalidError: it has faults; all of them are named.
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses it, or it is far too long.
    """
    return parse_tariff(read_tariff(path), str(path))


def check_tariff(path: Path) -> Faults:
    """Name all that is wrong with a tariff's file; nothing if it is good.

    Raises:
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses it, or it is far too long.
    """
    return _read(read_tariff(path))[1]


def parse_tariff(content: bytes, name: str = FILE_NAME) -> TariffPlan:
    """Take a tariff from a file's bytes.

    Args:
        content: TOML in UTF-8.
        name: the file's name, for the error.

    Raises:
        TariffInvalidError: it has faults; all of them are named.
    """
    plan, faults = _read(content)
    if plan is None:
        raise TariffInvalidError(path=name, faults=faults)
    return plan


def read_tariff(path: Path) -> bytes:
    """A tariff's file as it lies there.

    Raises:
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses it, or it is far too long.
    """
    return read_limited(path, MAX_SIZE)


def _read(content: bytes) -> tuple[TariffPlan | None, Faults]:
    try:
        raw = tomllib.loads(content.decode("utf-8-sig"), parse_float=exact)
    except UnicodeDecodeError as undecodable:
        line = content.count(b"\n", 0, undecodable.start) + 1
        return None, Faults([Fault("", f"line {line} has bytes that are no UTF-8")])
    except (ValueError, RecursionError) as unparseable:
        return None, Faults([Fault("", f"this is no TOML: {unparseable}")])
    faults: list[Fault] = []
    plan = _plan(raw, faults)
    return (None, Faults(faults)) if faults else (plan, Faults())


def _plan(raw: dict[str, Any], faults: list[Fault]) -> TariffPlan:
    file = Table(raw, "", faults)
    plan = TariffPlan(
        name=file.name(),
        rounding_e9=file.number("rounding", STEP, CENT_E9),
        imports=_channel(file, "import"),
        feed_in=_channel(file, "feed-in"),
        levies=_levies(file),
        standing=_standing(file),
        taxes=_taxes(file),
        penalties=_penalties(file),
    )
    file.end()
    return plan


def _channel(file: Table, name: str) -> ChannelPlan:
    """A channel (F-3)."""
    table = file.table(name)
    if table is None:
        file.fault(name, f"missing; write [{name}] with scheme = one of {', '.join(SCHEMES)}")
        return ChannelPlan(Flat(0), 0)
    scheme = table.choice("scheme", SCHEMES)
    made: ChannelPlan
    if scheme == "flat":
        price_e5 = table.number("price", PRICE)
        made = ChannelPlan(Flat(price_e5), table.number("fallback", PRICE, price_e5))
    elif scheme == "time-of-use":
        made = ChannelPlan(read_bands(table), table.number("fallback", PRICE))
    elif scheme == "linear":
        made = ChannelPlan(_linear(table), table.number("fallback", PRICE))
    else:
        made = ChannelPlan(_stepped(table), table.number("fallback", PRICE))
    table.end()
    return made


def _linear(table: Table) -> Linear:
    from_wh, from_e5 = table.number("from_kwh", LOAD), table.number("from_price", PRICE)
    to_wh, to_e5 = table.number("to_kwh", LOAD), table.number("to_price", PRICE)
    if table.has("from_kwh") and table.has("to_kwh") and from_wh >= to_wh:
        table.fault("to_kwh", "it is not above from_kwh; write the greater load here")
    return Linear(from_wh, from_e5, to_wh, to_e5)


def _stepped(table: Table) -> Stepped:
    steps: list[Step] = []
    for each in table.tables("step", MAX_BANDS):
        step = Step(each.number("from_kwh", LOAD), each.number("price", PRICE))
        if not steps and step.from_wh:
            each.fault("from_kwh", "the first step begins at 0")
        if steps and step.from_wh <= steps[-1].from_wh:
            each.fault("from_kwh", "it is not above the step before; write the steps in ascending order")
        each.end()
        steps.append(step)
    if not steps:
        table.fault("step", f"missing; write [[{table.place('step')}]] with from_kwh = 0 and a price")
    return Stepped(tuple(steps))


def _levies(file: Table) -> tuple[Levy, ...]:
    tables = file.tables("levy", MAX_NAMED)
    levies = tuple(Levy(each.name(), each.number("price", LEVY)) for each in tables)
    _end_named(tables, [levy.name for levy in levies])
    return levies


def _standing(file: Table) -> tuple[StandingPlan, ...]:
    tables, periods = file.tables("standing", MAX_NAMED), [Per.MONTH, Per.DAY, Per.YEAR]
    charges = tuple(
        StandingPlan(each.name(), each.number("amount", AMOUNT), Per(each.choice("per", periods, Per.MONTH)))
        for each in tables
    )
    _end_named(tables, [charge.name for charge in charges])
    return charges


def _taxes(file: Table) -> tuple[Tax, ...]:
    tables = file.tables("tax", MAX_NAMED)
    taxes = tuple(Tax(each.name(), each.number("percent", PERCENT)) for each in tables)
    _end_named(tables, [tax.name for tax in taxes])
    return taxes


def _penalties(file: Table) -> Penalties:
    table = file.table("penalties")
    if table is None:
        return Penalties(0, 0)
    faults = table.faults
    made = Penalties(table.number("missing", AMOUNT, 0), table.number("late", AMOUNT, 0))
    if made.late_e9 > made.missing_e9 and table.faults == faults:  # else a number may not be what was meant
        table.fault("late", "a late period costs more than a missing one; write at most what missing has")
    table.end()
    return made


def _end_named(tables: list[Table], names: list[str]) -> None:
    """Note a name that comes twice, and what nobody asked for."""
    for at, (table, name) in enumerate(zip(tables, names, strict=True)):
        if names.index(name) < at and table.has("name"):
            table.fault("name", f"{name!r} is taken by {tables[names.index(name)].key}")
        table.end()
