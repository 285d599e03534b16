"""The bill provider's book of bills: registers that meters signed, and how far each bill has come.

Rules:
    K-1 A bill is noted before its report goes to the content store, and registered afterwards: what is noted and not
        registered is taken up again by the next run.
    K-2 A note is replaced only while its version is not registered; then nobody has heard of it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.domain import RegisterSpan

from .private_sqlite import PrivateDatabase
from .registers import SignedRegister

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE registers (
    meter BLOB NOT NULL,
    channel INTEGER NOT NULL,
    month INTEGER NOT NULL,
    start_k INTEGER NOT NULL,
    end_k INTEGER NOT NULL,
    start_wh INTEGER NOT NULL,
    end_wh INTEGER NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (meter, channel, month)
) WITHOUT ROWID;
CREATE TABLE bills (
    meter BLOB NOT NULL,
    month INTEGER NOT NULL,
    version INTEGER NOT NULL,
    region INTEGER NOT NULL,
    bid BLOB NOT NULL,
    cid TEXT NOT NULL,
    digest BLOB NOT NULL,
    import_wh INTEGER NOT NULL,
    export_wh INTEGER NOT NULL,
    recorded_import_wh INTEGER NOT NULL,
    recorded_export_wh INTEGER NOT NULL,
    total_e9 INTEGER NOT NULL,
    payable_e9 INTEGER NOT NULL,
    PRIMARY KEY (meter, month, version)
) WITHOUT ROWID;
CREATE INDEX bills_of_month ON bills (region, month)
"""
_COLUMNS: Final = (
    "meter, month, version, region, bid, cid, digest, "
    "import_wh, export_wh, recorded_import_wh, recorded_export_wh, total_e9, payable_e9"
)


class BillNote(NamedTuple):
    """A bill that was made.

    Attributes:
        meter: handle of the meter, 16 bytes.
        month: the month.
        version: of the bill.
        region: the region.
        bid: the billing identity, 32 bytes.
        cid: content identifier of the sealed report.
        digest: SHA-256 of it, 32 bytes.
        import_wh: drawn, reconciled energy included, Wh.
        export_wh: fed in, likewise.
        recorded_import_wh: drawn by its lines alone.
        recorded_export_wh: fed in by its lines alone.
        total_e9: the bill's sum, 1e-9 currency.
        payable_e9: as it is to be paid.
    """

    meter: bytes
    month: int
    version: int
    region: int
    bid: bytes
    cid: str
    digest: bytes
    import_wh: int
    export_wh: int
    recorded_import_wh: int
    recorded_export_wh: int
    total_e9: int
    payable_e9: int


class BillBook:
    """The book, in a private SQLite file.

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

    # --- registers ---------------------------------------------------------------------------------------------------

    def take_register(self, signed: SignedRegister) -> None:
        """Keep a signed register; the first of a month stays.

        Raises:
            DatabaseError: the file cannot be written.
        """
        row = (signed.meter, signed.span.channel, signed.month, *signed.span[1:], signed.signature)
        self._db.run("INSERT OR IGNORE INTO registers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [row])

    def registers(self, month: int) -> dict[tuple[bytes, int], SignedRegister]:
        """A month's signed registers by handle and channel."""
        columns = "meter, month, channel, start_k, end_k, start_wh, end_wh, signature"
        rows = self._db.select(f"SELECT {columns} FROM registers WHERE month = ?", month)  # noqa: S608 - constants only
        return {
            (meter, span[0]): SignedRegister(meter, of_month, RegisterSpan(*span), signature)
            for meter, of_month, *span, signature in rows
        }

    def forget_registers(self, meters: Iterable[bytes], month: int) -> None:
        """Erase the registers that meters signed for a month, overwriting them: its bills are final.

        Args:
            meters: their handles.
            month: the month.
        """
        self._db.run("DELETE FROM registers WHERE meter = ? AND month = ?", [(meter, month) for meter in meters])
        self._db.truncate_log()

    # --- bills -------------------------------------------------------------------------------------------------------

    def note(self, bill: BillNote) -> None:
        """Note a bill; one of the same version gives way (K-2).

        Raises:
            DatabaseError: the file cannot be written.
        """
        marks = ", ".join("?" * len(bill))
        self._db.run(f"INSERT OR REPLACE INTO bills ({_COLUMNS}) VALUES ({marks})", [tuple(bill)])  # noqa: S608

    def bills(self, region: int, month: int) -> list[BillNote]:
        """A month's bills, all versions, by handle and version."""
        return self._bills("WHERE region = ? AND month = ? ORDER BY meter, version", region, month)

    def last(self, region: int, month: int) -> dict[bytes, BillNote]:
        """A month's last bills by handle."""
        return {bill.meter: bill for bill in self.bills(region, month)}

    def of_meter(self, meter: bytes) -> list[BillNote]:
        """All bills of a meter, by month and version."""
        return self._bills("WHERE meter = ? ORDER BY month, version", meter)

    def history(self, meter: bytes, before_month: int) -> list[BillNote]:
        """A meter's last bill of each month before this one, in order."""
        bills = self._bills("WHERE meter = ? AND month < ? ORDER BY month, version", meter, before_month)
        return list({bill.month: bill for bill in bills}.values())

    def forget(self, meter: bytes) -> int:
        """Erase all that is kept of a meter, overwriting it.

        Returns:
            How many bills that were.
        """
        count = len(self._bills("WHERE meter = ?", meter))
        with self._db.transaction():
            for table in ("bills", "registers"):
                self._db.run(f"DELETE FROM {table} WHERE meter = ?", [(meter,)])  # noqa: S608 - constants only
        self._db.truncate_log()
        return count

    def _bills(self, where: str, *values: object) -> list[BillNote]:
        return [BillNote(*row) for row in self._db.select(f"SELECT {_COLUMNS} FROM bills {where}", *values)]  # noqa: S608
