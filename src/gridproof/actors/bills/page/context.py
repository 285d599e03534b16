"""What every part of the page is made from: the report, its numbers, and how they are written."""

from typing import NamedTuple

from gridproof.actors.bills.report import Report

from .clock import WallClock
from .figures import Figures, SlotRow
from .numbers import Numbers
from .words import Words


class Context(NamedTuple):
    """All that a part of the page needs.

    Attributes:
        report: the report.
        figures: its numbers.
        words: the texts.
        numbers: how numbers are written.
        clock: how times are written.
    """

    report: Report
    figures: Figures
    words: Words
    numbers: Numbers
    clock: WallClock

    @property
    def is_partial(self) -> bool:
        """Whether the bill is for less than the whole month."""
        return self.figures.start_s > self.report.month_start_s or self.figures.end_s < self.report.month_end_s

    @property
    def by_slot(self) -> bool:
        """Whether the stretch is so short that it is shown slot by slot."""
        return len(self.figures.days) <= 2

    @property
    def exports(self) -> bool:
        """Whether the household feeds in."""
        return "export" in self.figures.channels

    @property
    def rows(self) -> tuple[SlotRow, ...]:
        """All slots."""
        return tuple(row for day in self.figures.days for row in day.rows)

    def signed(self, at: int, energy_wh: int | None) -> tuple[int | None, int | None]:
        """A channel's energy as what goes up and what goes down in a picture."""
        return (energy_wh, None) if self.figures.channels[at] == "import" else (None, energy_wh)
