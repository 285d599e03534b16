"""How a report is closed: for one household, month and version, in few sizes, and what was not packed so."""

import json
import tracemalloc
import zlib

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.report import Report, ReportFormatError, decode_report, encode_report
from gridproof.actors.bills.sealing import (
    LARGEST,
    MAX_REPORT,
    SMALLEST,
    ReportNotOursError,
    ReportTooLargeError,
    open_report,
    pack,
    seal_report,
    unpack,
)
from gridproof.domain import MonthId, bill_info, seal_key, seal_secret
from gridproof.primitives import hpke

from tests.unit.actors.bills.samples import sample

VIEW, OTHER = b"v" * 32, b"o" * 32
MONTH = MonthId(2025 * 12 + 9)


@pytest.fixture(scope="module")
def report() -> Report:
    return sample("day")


def opened(sealed: bytes, report: Report, **changed: object) -> Report:
    right = {
        "seal_secret": seal_secret(VIEW),
        "chain_id": report.chain_id,
        "region": report.region,
        "month": MONTH,
        "bid": bytes.fromhex(report.bid),
        "version": report.bill_version,
    }
    return open_report(sealed, **{**right, **changed})  # type: ignore[arg-type]


def test_what_was_sealed_opens(report: Report) -> None:
    assert opened(seal_report(report, seal_key(VIEW), MONTH), report) == report


@pytest.mark.parametrize(
    "changed",
    [
        {"seal_secret": seal_secret(OTHER)},
        {"chain_id": "another"},
        {"region": 9},
        {"month": MONTH + 1},
        {"bid": bytes(32)},
        {"version": 2},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_it_opens_for_its_own_household_ledger_month_and_version_only(
    report: Report, changed: dict[str, object]
) -> None:
    sealed = seal_report(report, seal_key(VIEW), MONTH)
    with pytest.raises(ReportNotOursError):
        opened(sealed, report, **changed)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 47])
def test_what_is_too_short_or_altered_does_not_open(report: Report, length: int) -> None:
    sealed = seal_report(report, seal_key(VIEW), MONTH)
    with pytest.raises(ReportNotOursError):
        opened(sealed[:length], report)
    for at in (0, 40, len(sealed) - 1):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(ReportNotOursError):
            opened(bytes(altered), report)


def test_a_report_that_names_another_version_than_it_is_sealed_for_is_refused(report: Report) -> None:
    info = bill_info(report.chain_id, report.region, MONTH, bytes.fromhex(report.bid), 2)
    sealed = hpke.seal(seal_key(VIEW), info, pack(encode_report(report)))
    with pytest.raises(ReportFormatError) as refused:
        opened(sealed, report, version=2)
    assert not isinstance(refused.value, ReportNotOursError)


def test_the_same_report_is_sealed_differently_each_time(report: Report) -> None:
    assert seal_report(report, seal_key(VIEW), MONTH) != seal_report(report, seal_key(VIEW), MONTH)


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_sizes_are_few_so_that_a_length_tells_little(report: Report) -> None:
    sealed = {name: seal_report(sample(name), seal_key(VIEW), MONTH) for name in ("day", "month", "export")}
    overhead = len(seal_report(report, seal_key(VIEW), MONTH)) - SMALLEST
    sizes = {len(each) - overhead for each in sealed.values()}
    assert all(size & (size - 1) == 0 and size >= SMALLEST for size in sizes)
    named = replace(report, household=report.household + "x" * 100)
    assert len(seal_report(named, seal_key(VIEW), MONTH)) - overhead == SMALLEST


@pytest.mark.parametrize("length", [0, 1, SMALLEST - 100, SMALLEST, 3 * SMALLEST])
def test_what_is_packed_unpacks_and_fills_a_class(length: int) -> None:
    raw = b"".join(n.to_bytes(4, "big") for n in _noise(length // 4 + 1))[:length]
    packed = pack(raw)
    assert unpack(packed) == raw
    assert len(packed) >= SMALLEST
    assert len(packed) & (len(packed) - 1) == 0


def _noise(count: int) -> list[int]:
    value, found = 1, []
    for _ in range(count):
        value = value * 1_103_515_245 + 12_345 & 0xFFFFFFFF
        found.append(value)
    return found


def test_what_fits_no_class_is_refused() -> None:
    with pytest.raises(ReportTooLargeError):
        pack(bytes(MAX_REPORT + 1))
    assert len(pack(bytes(MAX_REPORT))) <= LARGEST
    assert unpack(pack(bytes(MAX_REPORT))) == bytes(MAX_REPORT), "the largest report that is packed can be unpacked"


# --- what was not packed so ------------------------------------------------------------------------------------------


def _wrapped(shrunk: bytes, padding: bytes = b"", length: int | None = None) -> bytes:
    return (len(shrunk) if length is None else length).to_bytes(4, "big") + shrunk + padding


SHRUNK = zlib.compress(b"report")
FALSE = {
    "nothing": b"",
    "no content": bytes(SMALLEST),
    "not shrunk": _wrapped(b"report"),
    "cut short": _wrapped(SHRUNK[:-1]),
    "longer than it is": _wrapped(SHRUNK, length=len(SHRUNK) + 9),
    "followed by something": _wrapped(SHRUNK + b"more"),
    "padded with something": _wrapped(SHRUNK, padding=bytes(9) + b"\1"),
    "a checksum that is false": _wrapped(SHRUNK[:-1] + bytes([SHRUNK[-1] ^ 1])),
}


@pytest.mark.parametrize("what", FALSE)
def test_what_was_not_packed_so_is_refused(what: str) -> None:
    with pytest.raises(ReportFormatError):
        unpack(FALSE[what])


def test_a_bomb_is_refused_before_it_fills_the_memory() -> None:
    bomb = _wrapped(zlib.compress(bytes(8 * MAX_REPORT), 9))
    assert len(bomb) < MAX_REPORT // 50
    tracemalloc.start()
    try:
        with pytest.raises(ReportFormatError):
            unpack(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MAX_REPORT


# --- the encoding ----------------------------------------------------------------------------------------------------


def test_a_report_has_one_encoding(report: Report) -> None:
    raw = encode_report(report)
    assert decode_report(raw) == report
    for other in (
        raw + b" ",
        b" " + raw,
        raw.replace(b'":', b'": ', 1),
        raw.replace(b"{", b'{"bid":"",', 1),
        b"",
        b"[]",
    ):
        with pytest.raises(ReportFormatError):
            decode_report(other)


def test_keys_are_sorted_and_numbers_whole(report: Report) -> None:
    raw = encode_report(report)
    document = json.loads(raw, parse_float=lambda text: pytest.fail(f"{text} is not whole"))
    assert raw == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version":2'),
        (b'"format":"gridproof-bill"', b'"format":"another"'),
        (b'"month":"2025-10"', b'"month":"2025-13"'),
        (b'"zone":', b'"zones":'),
        (b'"fallback":false', b'"fallback":0'),
        (b'"energy_wh":', b'"energy_wh":-'),
        (b'"period_s":', b'"period_s":1.'),
    ],
)
def test_another_form_is_refused(report: Report, old: bytes, new: bytes) -> None:
    raw = encode_report(report)
    assert old in raw
    with pytest.raises(ReportFormatError):
        decode_report(raw.replace(old, new, 1))
