"""A month in which everything happens to a household that can, and ways to falsify the report of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from gridproof.actors.bills.report import Report, ReportAbsence, ReportChannel, ReportLine
from gridproof.actors.data_aggregator import DataAggregator
from gridproof.connectors.registers import RegisterReading
from gridproof.domain import Direction, Slot
from gridproof.modules.aggregation.types import SlotRecord

from tests.simulation.billed import A_MONTH, BOTH, BilledVillage, Lossy, energy_wh, month_wh
from tests.simulation.village import OCTOBER, PERIOD_S, REGION, START_S, slot

ANN, BEA = "ann", "bea"  # to whom everything happens; who has both channels, and moves out
OTHERS: Final = tuple(f"other {n}" for n in range(4))
LINE, SILENT, DROPPED, LATE, EXCLUDED, VOID, EXCUSED = range(7)  # what happens to Ann in the first periods
BEA_LEAVES: Final = 5  # period
ABSURD_WH: Final = 60_000
SPARED_WH: Final = 1_234  # what Ann's register says beyond what her meter made records of


class Dropping(DataAggregator):
    """Gives receipts for a victim's records and never brings them."""

    victims: frozenset[bytes] = frozenset()

    def pending(self, slot: Slot) -> list[int]:
        held = self._held(slot)
        return [position for position in super().pending(slot) if held[position].record.prid not in self.victims]


def records_of(village: BilledVillage, name: str, n: int) -> list[SlotRecord]:
    """The records that a meter makes of its reading; its month must be running."""
    meter = village.crew.fleet.find(name, slot(n).k)
    assert meter is not None
    return meter._make(slot(n), energy_wh(name, n))


def drop(village: BilledVillage, victims: frozenset[bytes]) -> None:
    """Let all aggregators drop these records."""
    for aggregator in village.crew.aggregators.values():
        aggregator.__class__ = Dropping
        aggregator.victims = victims  # type: ignore[attr-defined]


def eventful(folder: Path) -> BilledVillage:
    """A village after the month, with its bills made."""
    village = BilledVillage(folder)
    village.enrol([ANN, *OTHERS])
    village.enrol([BEA], channels=BOTH)
    village.enrol([f"sunny {n}" for n in range(3)], channels=BOTH)
    names = [ANN, *OTHERS, BEA, *(f"sunny {n}" for n in range(3))]
    village.crew.provider.move_out(BEA, slot(BEA_LEAVES).k)
    village.settle()
    village.read(
        (name, n, ABSURD_WH if (name, n) == (ANN, EXCLUDED) else energy_wh(name, n))
        for n in range(A_MONTH)
        for name in names
        if (name, n) != (ANN, SILENT)
    )
    village.read_month(names[-4:], channel=Direction.EXPORT)
    read_wh = month_wh(ANN) + SPARED_WH
    end_s = START_S + A_MONTH * PERIOD_S
    village.crew.registers.add(
        [RegisterReading(ANN, Direction.IMPORT, START_S, 0), RegisterReading(ANN, Direction.IMPORT, end_s, read_wh)]
    )
    line = Lossy(village)
    village.run(1, line, A_MONTH)
    dropped = [*records_of(village, ANN, DROPPED), records_of(village, ANN, EXCUSED)[0]]  # the latter comes late
    drop(village, frozenset(record.prid for record in dropped))
    line.lost = {records_of(village, ANN, LATE)[0].prid}
    village.crew.bring_late = _unless(village.crew.bring_late, slot(DROPPED))  # type: ignore[assignment,method-assign]
    line.down = frozenset({slot(VOID).k})
    village.months(transport=line)
    assert village.watcher.refusals == [], village.watcher.refusals
    assert village.watcher.problems == []
    outcome = village.billing().make(REGION, OCTOBER)
    assert (outcome.made, outcome.problems) == (9, ())
    return village


def _unless(bring: Callable[[Slot], int], lost: Slot) -> Callable[[Slot], int]:
    return lambda slot: 0 if slot in (lost, lost._replace(k=lost.k - DROPPED + VOID)) else bring(slot)


# --- falsifying ------------------------------------------------------------------------------------------------------

Falsify = Callable[[Report], Report]


def in_channel(change: Callable[[ReportChannel], ReportChannel], name: str = "import") -> Falsify:
    """Change one channel of a report."""

    def falsify(report: Report) -> Report:
        channels = tuple(change(each) if each.channel == name else each for each in report.channels)
        return replace(report, channels=channels)

    return falsify


def in_line(n: int, change: Callable[[ReportLine, ReportChannel], ReportLine], name: str = "import") -> Falsify:
    """Change the line of the n-th period."""
    k = slot(n).k
    return in_channel(
        lambda channel: replace(
            channel, lines=tuple(change(line, channel) if line.k == k else line for line in channel.lines)
        ),
        name,
    )


def in_absence(n: int, **changed: Any) -> Falsify:
    """Change fields of the n-th period's absence."""
    k = slot(n).k
    return in_channel(
        lambda channel: replace(
            channel, absences=tuple(replace(each, **changed) if each.k == k else each for each in channel.absences)
        )
    )


def line_of(report: Report, n: int, name: str = "import") -> ReportLine:
    """The line of the n-th period."""
    channel = report.channel(name)
    assert channel is not None
    (found,) = [line for line in channel.lines if line.k == slot(n).k]
    return found


def absence_of(report: Report, n: int) -> ReportAbsence:
    """The absence of the n-th period."""
    channel = report.channel("import")
    assert channel is not None
    (found,) = [absence for absence in channel.absences if absence.k == slot(n).k]
    return found
