"""What meters' cumulative registers said: read off, or followed by the meter itself, and what it signed of them.

Rules:
    G-1 A register that was read off at an instant stands; another value for the same instant is refused.
    G-2 A stretch that was signed is signed once; the next one begins where it ended.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.domain import Direction, RegisterSpan
from gridproof.errors import GridproofError

from .private_sqlite import PrivateDatabase

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE read (
    meter TEXT NOT NULL,
    channel INTEGER NOT NULL,
    at_s INTEGER NOT NULL,
    register_wh INTEGER NOT NULL,
    PRIMARY KEY (meter, channel, at_s)
) WITHOUT ROWID;
CREATE TABLE signed (
    meter BLOB NOT NULL,
    channel INTEGER NOT NULL,
    month INTEGER NOT NULL,
    start_k INTEGER NOT NULL,
    end_k INTEGER NOT NULL,
    start_wh INTEGER NOT NULL,
    end_wh INTEGER NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (meter, channel, month)
) WITHOUT ROWID
"""


class RegisterDiffersError(GridproofError):
    """The register has another value at this instant already; nothing was stored. Check the file."""

    meter: str
    channel: str
    at_s: int
    register_wh: int
    stored_wh: int


class RegisterReading(NamedTuple):
    """What a register said at an instant.

    Attributes:
        meter: the meter's name among people.
        channel: import or export.
        at_s: UTC epoch seconds, between two periods.
        register_wh: cumulative energy, Wh.
    """

    meter: str
    channel: Direction
    at_s: int
    register_wh: int


class SignedRegister(NamedTuple):
    """A stretch that a meter signed.

    Attributes:
        meter: its handle, 16 bytes.
        month: the month that the stretch ends in.
        span: channel, and the register at both ends.
        signature: 64 bytes.
    """

    meter: bytes
    month: int
    span: RegisterSpan
    signature: bytes


class Registers:
    """Registers in a private SQLite file.

    Args:
        path: the file.

    Raises:
        FileExposedError: others may open it.
        DatabaseError: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._db = PrivateDatabase(path, _SCHEMA, VERSION)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # --- what was read off -------------------------------------------------------------------------------------------

    def add(self, readings: Iterable[RegisterReading]) -> int:
        """Store what registers said, all or nothing; an equal value that is there already is passed over (G-1).

        Returns:
            How many are new.

        Raises:
            RegisterDiffersError: one has another value at this instant.
            DatabaseError: the file cannot be written.
        """
        added = 0
        with self._db.transaction():
            for meter, channel, at_s, register_wh in readings:
                stored = self.find(meter, channel, at_s)
                if stored is None:
                    self._db.run("INSERT INTO read VALUES (?, ?, ?, ?)", [(meter, int(channel), at_s, register_wh)])
                    added += 1
                elif stored != register_wh:
                    raise RegisterDiffersError(
                        meter=meter, channel=channel.label, at_s=at_s, register_wh=register_wh, stored_wh=stored
                    )
        return added

    def find(self, meter: str, channel: Direction, at_s: int) -> int | None:
        """What a register said at an instant, Wh, or None where it was not read off then."""
        query = "SELECT register_wh FROM read WHERE meter = ? AND channel = ? AND at_s = ?"
        found = self._db.select(query, meter, int(channel), at_s)
        return int(found[0][0]) if found else None

    def of_channel(self, meter: str, channel: Direction) -> list[RegisterReading]:
        """All that was read off of a meter's channel, in order."""
        query = "SELECT at_s, register_wh FROM read WHERE meter = ? AND channel = ? ORDER BY at_s"
        found = self._db.select(query, meter, int(channel))
        return [RegisterReading(meter, channel, int(at_s), int(register_wh)) for at_s, register_wh in found]

    # --- what was signed ---------------------------------------------------------------------------------------------

    def keep(self, signed: SignedRegister) -> None:
        """Keep a signed stretch (G-2).

        Raises:
            DatabaseError: the month has one already, or the file cannot be written; nothing was stored.
        """
        row = (signed.meter, signed.span.channel, signed.month, *signed.span[1:], signed.signature)
        self._db.run("INSERT INTO signed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [row])

    def signed(self, meter: bytes, channel: int, month: int) -> SignedRegister | None:
        """A month's signed stretch, or None."""
        return self._one("WHERE meter = ? AND channel = ? AND month = ?", meter, channel, month)

    def last_signed(self, meter: bytes, channel: int) -> SignedRegister | None:
        """The last signed stretch of a meter's channel, or None."""
        return self._one("WHERE meter = ? AND channel = ? ORDER BY end_k DESC LIMIT 1", meter, channel)

    def forget(self, meters: Iterable[bytes], before_month: int) -> None:
        """Erase what meters signed in months before this one, overwriting it.

        What each signed last stays: its next stretch begins where that one ended.

        Args:
            meters: their handles.
            before_month: the first month that stays.
        """
        last = (
            "SELECT max(month) FROM signed AS other WHERE other.meter = signed.meter AND other.channel = signed.channel"
        )
        self._db.run(
            f"DELETE FROM signed WHERE meter = ? AND month < ? AND month < ({last})",  # noqa: S608 - constants only
            [(meter, before_month) for meter in meters],
        )
        self._db.truncate_log()

    def erase(self, meter: bytes, name: str, start_s: int, end_s: int) -> int:
        """Erase all that is kept of a meter, overwriting it.

        Args:
            meter: its handle.
            name: its name, which another meter may have had at another time.
            start_s: first instant at which the name was its own, UTC epoch seconds.
            end_s: the last such instant.

        Returns:
            How many registers were read off or signed.
        """
        count = len(self._db.select("SELECT 1 FROM signed WHERE meter = ?", meter))
        count += len(self.of_meter(name, start_s, end_s))
        with self._db.transaction():
            self._db.run("DELETE FROM signed WHERE meter = ?", [(meter,)])
            self._db.run("DELETE FROM read WHERE meter = ? AND at_s BETWEEN ? AND ?", [(name, start_s, end_s)])
        self._db.truncate_log()
        return count

    def of_meter(self, name: str, start_s: int, end_s: int) -> list[RegisterReading]:
        """What a meter's registers said from one instant to another, both included, by channel and instant."""
        query = "SELECT meter, channel, at_s, register_wh FROM read WHERE meter = ? AND at_s BETWEEN ? AND ? "
        rows = self._db.select(query + "ORDER BY channel, at_s", name, start_s, end_s)
        return [RegisterReading(meter, Direction(channel), at_s, value) for meter, channel, at_s, value in rows]

    def signed_by(self, meter: bytes) -> list[SignedRegister]:
        """All stretches that a meter signed and that are kept, by month and channel."""
        return self._all("WHERE meter = ? ORDER BY month, channel", meter)

    def _all(self, where: str, *values: object) -> list[SignedRegister]:
        columns = "meter, month, channel, start_k, end_k, start_wh, end_wh, signature"
        rows = self._db.select(f"SELECT {columns} FROM signed {where}", *values)  # noqa: S608 - constants only
        return [SignedRegister(meter, month, RegisterSpan(*span), signature) for meter, month, *span, signature in rows]

    def _one(self, where: str, *values: object) -> SignedRegister | None:
        return next(iter(self._all(where, *values)), None)
