"""A community in its folder: founding it, reaching its ledger, and acting for those who take part."""

from .community import Community, MeterRow
from .folder import Folder
from .founding import Founded, found
from .times import Times

__all__ = ["Community", "Folder", "Founded", "MeterRow", "Times", "found"]
