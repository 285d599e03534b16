"""How a report is closed for its household: packed, padded to a size class, sealed to the month's key.

Rules:
    V-1 A sealed report has one of few sizes, powers of two: its length does not tell how much a household has to read.
    V-2 It opens under the month's key, for the month, identity and version that it was sealed for, and nothing else.

Source: private-metering.md, row 23; seed 002, dynamic billing phase, step e.
"""

import zlib
from typing import Final

from gridproof.domain import MonthId, bill_info
from gridproof.primitives import hpke
from gridproof.primitives.errors import DecryptionError, InvalidArgumentError

from .report import Report, ReportFormatError, decode_report, encode_report

SMALLEST: Final = 2**14  # bytes of a packed report's smallest size class
LARGEST: Final = 2**25
MAX_REPORT: Final = 2**26  # bytes of a report once unpacked
_LENGTH: Final = 4
_LEVEL: Final = 1  # identities do not shrink: more effort gives next to nothing


class ReportNotOursError(ReportFormatError):
    """The sealed bill does not open with this household's key of the month. Use the file of its own enrolment."""


class ReportTooLargeError(ReportFormatError):
    """The report fits no size class; no bill was made. Shorten what it says, or bill shorter months."""


def seal_report(report: Report, seal_key: bytes, month: MonthId) -> bytes:
    """Seal a report to its household.

    Args:
        report: what it says.
        seal_key: the household's of that month, 32 bytes.
        month: the month.

    Raises:
        ReportTooLargeError: it fits no size class.
    """
    info = bill_info(report.chain_id, report.region, month, bytes.fromhex(report.bid), report.bill_version)
    return hpke.seal(seal_key, info, pack(encode_report(report)))


def open_report(
    sealed: bytes, seal_secret: bytes, chain_id: str, region: int, month: MonthId, bid: bytes, version: int
) -> Report:
    """Open a sealed report.

    Args:
        sealed: as it lies in the content store.
        seal_secret: the household's of that month, 32 bytes.
        chain_id: of the ledger.
        region: the region.
        month: the month.
        bid: the billing identity, 32 bytes.
        version: of the bill.

    Raises:
        ReportNotOursError: it was sealed for another household, month or version, or altered.
        ReportFormatError: what was sealed is no report, or another one's.
    """
    try:
        packed = hpke.unseal(seal_secret, bill_info(chain_id, region, month, bid, version), sealed)
    except (DecryptionError, InvalidArgumentError) as wrong:
        raise ReportNotOursError(detail=str(wrong)) from wrong
    report = decode_report(unpack(packed))
    if (report.chain_id, report.region, report.bid, report.bill_version) != (chain_id, region, bid.hex(), version):
        raise ReportFormatError(detail="it names another ledger, region, identity or version than it was sealed for")
    return report


def pack(raw: bytes) -> bytes:
    """Shrink bytes and pad them to a size class (V-1).

    Raises:
        ReportTooLargeError: they fit none.
    """
    shrunk = zlib.compress(raw, _LEVEL)
    size = SMALLEST
    while size < _LENGTH + len(shrunk):
        size *= 2
    if size > LARGEST or len(raw) > MAX_REPORT:
        raise ReportTooLargeError(detail=f"{len(raw)} bytes")
    return (len(shrunk).to_bytes(_LENGTH, "big") + shrunk).ljust(size, b"\0")


def unpack(packed: bytes) -> bytes:
    """Undo `pack`.

    Raises:
        ReportFormatError: it was not packed so, or is larger than any report.
    """
    length = int.from_bytes(packed[:_LENGTH], "big")
    shrunk, padding = packed[_LENGTH : _LENGTH + length], packed[_LENGTH + length :]
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(shrunk, MAX_REPORT)
    except zlib.error as wrong:
        raise ReportFormatError(detail="it was not packed as a report is") from wrong
    if len(shrunk) != length or not unpacker.eof or unpacker.unused_data or padding.strip(b"\0"):
        raise ReportFormatError(detail="it was not packed as a report is")
    return raw
