"""The bill provider and key generation centre of the seed's paper, in parts."""

from .live_set import Kind
from .months import Shelf
from .provider import BillProvider, Issued, Newcomer, Policy
from .totals import Fault, Totals

__all__ = ["BillProvider", "Fault", "Issued", "Kind", "Newcomer", "Policy", "Shelf", "Totals"]
