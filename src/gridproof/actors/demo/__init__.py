"""The demonstration: a community's day on the real parts, with faults and attacks, and an independent count."""

from .docket import CHARGES, Charge, Docket, Result, Try
from .errors import DemoError, ThinReadingsError, TooFewHouseholdsError, TooFewPeriodsError
from .outcome import Outcome, Period
from .story import Order, on_disk, tell

__all__ = [
    "CHARGES",
    "Charge",
    "DemoError",
    "Docket",
    "Order",
    "Outcome",
    "Period",
    "Result",
    "ThinReadingsError",
    "TooFewHouseholdsError",
    "TooFewPeriodsError",
    "Try",
    "on_disk",
    "tell",
]
