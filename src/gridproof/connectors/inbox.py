"""A data aggregator's inbox: the records that it took, stored before it signs for them.

Rules:
    I-1 An identity has one record in a slot: the first; it is never replaced.
    I-2 Nothing tells when or from where a record came.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.domain import Slot
from gridproof.modules.aggregation.types import SlotRecord

from .private_sqlite import PrivateDatabase

VERSION: Final = 1
_WORD: Final = 8
_SCHEMA: Final = """
CREATE TABLE records (
    region INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    k INTEGER NOT NULL,
    position INTEGER NOT NULL,
    prid BLOB NOT NULL,
    rc BLOB NOT NULL,
    signature BLOB NOT NULL,
    receipt BLOB NOT NULL,
    PRIMARY KEY (region, channel, k, position)
) WITHOUT ROWID
"""


class Taken(NamedTuple):
    """A record in an inbox.

    Attributes:
        position: of its leaf in the slot's roster.
        record: as it came.
        receipt: the signature given for it, 64 bytes.
    """

    position: int
    record: SlotRecord
    receipt: bytes


class Inbox:
    """An inbox in a private SQLite file.

    Args:
        path: the file.

    Raises:
        FileExposedError: others may open it.
        DatabaseError: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._db = PrivateDatabase(path, _SCHEMA, VERSION)

    def transaction(self) -> AbstractContextManager[None]:
        """Store what the block puts in with one sync: all of it when the block ends, or nothing."""
        return self._db.transaction()

    def put(self, slot: Slot, taken: Iterable[Taken]) -> None:
        """Store records; durable when this returns, or when the transaction around it ends.

        Args:
            slot: where they belong.
            taken: with positions that have none yet (I-1).

        Raises:
            DatabaseError: a position has one already, or the file cannot be written; nothing was stored.
        """
        place = tuple(map(int, slot))
        rows = [
            (*place, position, record.prid, record.rc.to_bytes(_WORD, "big"), record.signature, receipt)
            for position, record, receipt in taken
        ]
        self._db.run("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def of(self, slot: Slot) -> dict[int, Taken]:
        """A slot's records by position, ascending."""
        query = "SELECT position, prid, rc, signature, receipt FROM records "
        where = "WHERE region = ? AND channel = ? AND k = ? ORDER BY position"
        return {
            position: Taken(position, SlotRecord(prid, int.from_bytes(rc, "big"), signature), receipt)
            for position, prid, rc, signature, receipt in self._db.select(query + where, *slot)
        }

    def forget(self, region: int, before_k: int) -> None:
        """Erase a region's records of periods before `before_k`, overwriting them."""
        self._db.run("DELETE FROM records WHERE region = ? AND k < ?", [(region, before_k)])
        self._db.truncate_log()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
