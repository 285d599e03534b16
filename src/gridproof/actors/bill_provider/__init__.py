"""The bill provider and key generation centre of the seed's paper, in parts."""

from .billing import Billing, Letterhead, Stores
from .finishing import Finishing
from .live_set import Kind
from .months import Shelf
from .provider import BillProvider, Issued, Newcomer, Policy
from .totals import Fault, Totals

__all__ = [
    "BillProvider",
    "Billing",
    "Fault",
    "Finishing",
    "Issued",
    "Kind",
    "Letterhead",
    "Newcomer",
    "Policy",
    "Shelf",
    "Stores",
    "Totals",
]
