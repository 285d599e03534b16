"""Names of participants, regions and meters, and of the slots that everything is booked under."""

from enum import IntEnum
from typing import NamedTuple, NewType

from .errors import OutOfRangeError, UnknownNameError

ParticipantId = NewType("ParticipantId", int)  # 1 .. 2**32 - 1, given once, stable over all rotations of keys
RegionId = NewType("RegionId", int)  # 1 .. 2**16 - 1
MeterId = NewType("MeterId", bytes)  # 16 bytes: a handle on the ledger that tells nothing of the household

METER_ID_SIZE = 16
U16_MAX = 2**16 - 1
U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1


class Direction(IntEnum):
    """Which way energy flows, seen from the household: it also names a slot's channel."""

    IMPORT = 1
    EXPORT = 2

    @classmethod
    def parse(cls, name: str) -> "Direction":
        """Read a direction from `import` or `export`, in any case.

        Raises:
            UnknownNameError: it is neither.
        """
        try:
            return cls[name.strip().upper()]
        except KeyError as unknown:
            known = tuple(direction.label for direction in cls)
            raise UnknownNameError(what="direction", name=name, known=known) from unknown

    @property
    def label(self) -> str:
        """The direction's name for people and files: `import` or `export`."""
        return self.name.lower()


class Slot(NamedTuple):
    """One period of one region's channel: the place under which records, totals and prices are booked.

    Attributes:
        region: the region's number.
        channel: import or export.
        k: index of the period since 1970, `floor(unix seconds / period length)`.
    """

    region: RegionId
    channel: Direction
    k: int

    def to_bytes(self) -> bytes:
        """The slot as 11 bytes, big-endian: what signatures over a slot contain.

        Raises:
            OutOfRangeError: a part does not fit its width.
        """
        require_range("region", self.region, 0, U16_MAX)
        require_range("k", self.k, 0, U64_MAX)
        return self.region.to_bytes(2, "big") + int(self.channel).to_bytes(1, "big") + self.k.to_bytes(8, "big")

    def __str__(self) -> str:
        return f"region {self.region} {Direction(self.channel).label} {self.k}"


def require_range(what: str, value: int, low: int, high: int) -> None:
    """Return if `low <= value <= high`.

    Raises:
        OutOfRangeError: it is not.
    """
    if not low <= value <= high:
        raise OutOfRangeError(what=what, value=value, low=low, high=high)
