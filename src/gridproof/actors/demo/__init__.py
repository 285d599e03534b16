"""The demonstration: a community's day and its bills on the real parts, attacked, and held against a count."""

from .docket import CHARGES, Charge, Docket, Result, Try
from .errors import DemoError, ThinReadingsError, TooFewHouseholdsError, TooFewPeriodsError
from .network import Agreement, Stage
from .outcome import Billed, Outcome, Period, Standing
from .report import render_report
from .story import FOLDER, Order, Venue, on_disk, tell

__all__ = [
    "CHARGES",
    "FOLDER",
    "Agreement",
    "Billed",
    "Charge",
    "DemoError",
    "Docket",
    "Order",
    "Outcome",
    "Period",
    "Result",
    "Stage",
    "Standing",
    "ThinReadingsError",
    "TooFewHouseholdsError",
    "TooFewPeriodsError",
    "Try",
    "Venue",
    "on_disk",
    "render_report",
    "tell",
]
