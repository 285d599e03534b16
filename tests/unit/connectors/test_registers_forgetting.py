"""What meters' registers said: rules G-1 and G-2, and that what is forgotten is gone from the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.connectors.private_sqlite import DatabaseError
from gridproof.connectors.registers import RegisterDiffersError, RegisterReading, Registers, SignedRegister
from gridproof.domain import Direction, RegisterSpan

IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
ME, OTHER = b"m" * 16, b"o" * 16
MONTH = 24_309


@pytest.fixture
def registers(tmp_path: Path) -> Iterator[Registers]:
    opened = Registers(tmp_path / "registers.db")
    yield opened
    opened.close()


def signed(meter: bytes, month: int, channel: Direction = IMPORT) -> SignedRegister:
    span = RegisterSpan(channel, month * 10, month * 10 + 10, 1_000, 2_000)
    return SignedRegister(meter, month, span, bytes((month % 256,)) + meter * 3 + bytes(15))


def holding(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and secret in path.read_bytes()]


def test_g1_another_value_for_the_same_instant_is_refused_and_nothing_of_the_call_stored(registers: Registers) -> None:
    assert registers.add([RegisterReading("a", IMPORT, 900, 5), RegisterReading("a", IMPORT, 900, 5)]) == 1
    with pytest.raises(RegisterDiffersError) as refused:
        registers.add([RegisterReading("b", IMPORT, 900, 1), RegisterReading("a", IMPORT, 900, 6)])
    assert (refused.value.register_wh, refused.value.stored_wh) == (6, 5)
    assert registers.find("b", IMPORT, 900) is None
    assert registers.find("a", IMPORT, 900) == 5


def test_g2_a_month_is_signed_once_a_channel(registers: Registers) -> None:
    registers.keep(signed(ME, MONTH))
    registers.keep(signed(ME, MONTH, EXPORT))
    with pytest.raises(DatabaseError):
        registers.keep(signed(ME, MONTH))
    assert registers.signed_by(ME) == [signed(ME, MONTH), signed(ME, MONTH, EXPORT)]
    assert registers.last_signed(ME, IMPORT) == signed(ME, MONTH)
    assert registers.signed(OTHER, IMPORT, MONTH) is None


def test_forgotten_stretches_are_gone_from_the_disk_and_the_last_one_stays(
    registers: Registers, tmp_path: Path
) -> None:
    for month in (MONTH, MONTH + 1):
        registers.keep(signed(ME, month))
    registers.keep(signed(OTHER, MONTH))
    assert holding(tmp_path, signed(ME, MONTH).signature), "a search that finds nothing now proves nothing later"
    registers.forget([ME, OTHER], MONTH + 1)
    assert registers.signed_by(ME) == [signed(ME, MONTH + 1)]
    assert registers.signed_by(OTHER) == [signed(OTHER, MONTH)], "the next stretch begins where this one ended"
    assert holding(tmp_path, signed(ME, MONTH).signature) == []


def test_an_erased_meter_leaves_nothing_and_who_had_the_name_before_keeps_what_is_its_own(
    registers: Registers, tmp_path: Path
) -> None:
    rows = [RegisterReading("Ada", IMPORT, at, 10_000 + at) for at in (900, 1_800, 2_700)]
    registers.add(rows)
    registers.keep(signed(ME, MONTH))
    registers.keep(signed(OTHER, MONTH))
    assert registers.erase(ME, "Ada", 1_800, 2_700) == 3
    assert registers.of_meter("Ada", 0, 10_000) == rows[:1]
    assert (registers.signed_by(ME), registers.signed_by(OTHER)) == ([], [signed(OTHER, MONTH)])
    assert holding(tmp_path, signed(ME, MONTH).signature) == []
    assert registers.erase(ME, "Ada", 0, 10_000) == 1
    assert holding(tmp_path, b"Ada") == []
