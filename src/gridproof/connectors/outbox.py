"""A meter's outbox: the records that it made, stored before the first send and kept until nobody asks for them.

Rules:
    O-1 A record is stored once; what is sent again are the stored bytes.
    O-2 A receipt, once there, stays: it proves that the aggregator had the record.
The meters of one process may share a file; each sees its own records only.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from gridproof.domain import Direction, Half, RegionId, Slot
from gridproof.modules.aggregation.types import SlotRecord

from .private_sqlite import PrivateDatabase

VERSION: Final = 2
_WORD: Final = 8
_SCHEMA: Final = """
CREATE TABLE records (
    meter BLOB NOT NULL,
    region INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    k INTEGER NOT NULL,
    half INTEGER NOT NULL,
    prid BLOB NOT NULL,
    rc BLOB NOT NULL,
    signature BLOB NOT NULL,
    send_s INTEGER NOT NULL,
    aggregator INTEGER NOT NULL,
    over INTEGER NOT NULL DEFAULT 0,
    receipt BLOB,
    receipt_key BLOB,
    PRIMARY KEY (meter, region, channel, k, half)
) WITHOUT ROWID;
CREATE INDEX unsent ON records (meter) WHERE over = 0;
CREATE INDEX of_slot ON records (k, channel, region)
"""
_COLUMNS: Final = "region, channel, k, half, prid, rc, signature, send_s, aggregator, receipt, receipt_key"
_THIS: Final = "WHERE meter = ? AND region = ? AND channel = ? AND k = ? AND half = ?"


class Entry(NamedTuple):
    """A record in an outbox.

    Attributes:
        slot: region, channel and period.
        half: first or second.
        record: as signed.
        send_s: when it is to be sent, or sent again, UTC epoch seconds.
        aggregator: to whom; or who gave the receipt.
        receipt: that aggregator's signature, 64 bytes, or None.
        receipt_key: the key that the receipt was checked with, x-only, 32 bytes, or None: the aggregator may replace it
            or leave, and the receipt proves as much as before.
    """

    slot: Slot
    half: Half
    record: SlotRecord
    send_s: int
    aggregator: int
    receipt: bytes | None = None
    receipt_key: bytes | None = None


class Outbox:
    """Outboxes in a private SQLite file.

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

    def put(self, meter: bytes, entries: Iterable[Entry]) -> None:
        """Store new records; durable when this returns, or when the transaction around it ends.

        Args:
            meter: the meter's handle.
            entries: not there yet.

        Raises:
            DatabaseError: one is there already, or the file cannot be written; nothing was stored.
        """
        rows = [(meter, *_place(entry), *_content(entry)) for entry in entries]
        places = "?, " * 9 + "?"
        columns = "meter, region, channel, k, half, prid, rc, signature, send_s, aggregator"
        self._db.run(f"INSERT INTO records ({columns}) VALUES ({places})", rows)  # noqa: S608 - constants only

    def find(self, meter: bytes, slot: Slot) -> list[Entry]:
        """The meter's records of a slot by half: two, or none."""
        where = "WHERE meter = ? AND region = ? AND channel = ? AND k = ? ORDER BY half"
        return self._select(where, meter, *slot)

    def of_slot(self, slot: Slot) -> dict[bytes, list[Entry]]:
        """All meters' records of a slot, by handle."""
        query = f"SELECT meter, {_COLUMNS} FROM records WHERE region = ? AND channel = ? AND k = ? ORDER BY meter, half"  # noqa: S608
        found: dict[bytes, list[Entry]] = {}
        for meter, *row in self._db.select(query, *slot):
            found.setdefault(meter, []).append(_entry(*row))
        return found

    def unsent(self, meter: bytes) -> list[Entry]:
        """The meter's records that still wait for a receipt."""
        return self._select("WHERE meter = ? AND over = 0", meter)

    def receipted(self, meter: bytes, entries: Sequence[Entry]) -> None:
        """Keep receipts (O-2).

        Args:
            meter: the meter's handle.
            entries: with aggregator, receipt and the key that it was checked with.
        """
        rows = [(each.aggregator, each.receipt, each.receipt_key, meter, *_place(each)) for each in entries]
        columns = "over = 1, aggregator = ?, receipt = ?, receipt_key = ?"
        self._db.run(f"UPDATE records SET {columns} {_THIS} AND receipt IS NULL", rows)  # noqa: S608 - constants only

    def postpone(self, meter: bytes, entries: Sequence[Entry]) -> None:
        """Plan another sending: `send_s` and `aggregator` of the entries."""
        rows = [(entry.send_s, entry.aggregator, meter, *_place(entry)) for entry in entries]
        self._db.run(f"UPDATE records SET send_s = ?, aggregator = ? {_THIS}", rows)  # noqa: S608

    def give_up(self, meter: bytes, entries: Sequence[Entry]) -> None:
        """Send these no more; they stay for a later claim."""
        self._db.run(f"UPDATE records SET over = 1 {_THIS}", [(meter, *_place(entry)) for entry in entries])  # noqa: S608

    def of_meter(self, meter: bytes) -> list[Entry]:
        """All records of a meter that are kept, by channel, period and half."""
        return self._select("WHERE meter = ? ORDER BY channel, k, half", meter)

    def forget(self, meters: Iterable[bytes], before_k: int) -> None:
        """Erase meters' records of periods before `before_k`, overwriting them.

        Args:
            meters: their handles.
            before_k: the first period that stays.
        """
        self._db.run("DELETE FROM records WHERE meter = ? AND k < ?", [(meter, before_k) for meter in meters])
        self._db.truncate_log()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _select(self, where: str, *values: object) -> list[Entry]:
        return [_entry(*row) for row in self._db.select(f"SELECT {_COLUMNS} FROM records {where}", *values)]  # noqa: S608


def _place(entry: Entry) -> tuple[int, ...]:
    return (*map(int, entry.slot), int(entry.half))


def _content(entry: Entry) -> tuple[Any, ...]:
    record = entry.record
    return record.prid, record.rc.to_bytes(_WORD, "big"), record.signature, entry.send_s, entry.aggregator


def _entry(region: int, channel: int, k: int, half: int, prid: bytes, rc: bytes, *rest: Any) -> Entry:
    signature, *sending = rest
    slot = Slot(RegionId(region), Direction(channel), k)
    return Entry(slot, Half(half), SlotRecord(prid, int.from_bytes(rc, "big"), signature), *sending)
