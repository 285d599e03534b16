"""What registers said, and what meters signed of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridproof.connectors.files import FileExposedError
from gridproof.connectors.private_sqlite import DatabaseError
from gridproof.connectors.registers import RegisterDiffersError, RegisterReading, Registers, SignedRegister
from gridproof.domain import Direction, RegisterSpan

METER, OTHER = b"m" * 16, b"o" * 16
IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT


@pytest.fixture
def registers(tmp_path: Path) -> Iterator[Registers]:
    registers = Registers(tmp_path / "registers.db")
    yield registers
    registers.close()


def signed(month: int, meter: bytes = METER, channel: Direction = IMPORT) -> SignedRegister:
    span = RegisterSpan(channel, 10 * month, 10 * month + 10, month, month + 1)
    return SignedRegister(meter, month, span, bytes([month]) * 64)


def test_what_was_read_off_is_found_by_meter_channel_and_instant(registers: Registers) -> None:
    rows = [RegisterReading("Ada", IMPORT, 900, 5), RegisterReading("Ada", EXPORT, 900, 0)]
    assert registers.add(rows) == 2
    assert (registers.find("Ada", IMPORT, 900), registers.find("Ada", EXPORT, 900)) == (5, 0)
    assert registers.find("Ada", IMPORT, 1_800) is None
    assert registers.find("Bo", IMPORT, 900) is None


def test_an_equal_value_is_passed_over_and_another_is_refused_with_all_that_came_with_it(registers: Registers) -> None:
    registers.add([RegisterReading("Ada", IMPORT, 900, 5)])
    assert registers.add([RegisterReading("Ada", IMPORT, 900, 5), RegisterReading("Ada", IMPORT, 1_800, 6)]) == 1
    with pytest.raises(RegisterDiffersError) as refused:
        registers.add([RegisterReading("Ada", IMPORT, 2_700, 7), RegisterReading("Ada", IMPORT, 900, 6)])
    wrong = refused.value
    assert (wrong.meter, wrong.channel, wrong.at_s, wrong.register_wh, wrong.stored_wh) == ("Ada", "import", 900, 6, 5)
    assert registers.find("Ada", IMPORT, 2_700) is None, "all or nothing"
    assert registers.find("Ada", IMPORT, 900) == 5


def test_a_month_is_signed_once(registers: Registers) -> None:
    registers.keep(signed(3))
    with pytest.raises(DatabaseError):
        registers.keep(signed(3)._replace(signature=bytes(64)))
    assert registers.signed(METER, IMPORT, 3) == signed(3)
    assert registers.signed(METER, EXPORT, 3) is None
    assert registers.signed(OTHER, IMPORT, 3) is None


def test_the_last_stretch_is_the_one_that_ends_last(registers: Registers) -> None:
    assert registers.last_signed(METER, IMPORT) is None
    for month in (4, 3):
        registers.keep(signed(month))
    registers.keep(signed(9, OTHER))
    assert registers.last_signed(METER, IMPORT) == signed(4)


def test_what_is_forgotten_is_all_before_a_month_but_the_last_stretch_of_each_channel(registers: Registers) -> None:
    for month in (3, 4, 5):
        registers.keep(signed(month))
    registers.keep(signed(3, channel=EXPORT))
    registers.keep(signed(3, OTHER))
    registers.forget([METER], 9)
    kept = [month for month in (3, 4, 5) if registers.signed(METER, IMPORT, month)]
    assert kept == [5]
    assert registers.signed(METER, EXPORT, 3) == signed(3, channel=EXPORT)
    assert registers.signed(OTHER, IMPORT, 3) == signed(3, OTHER)
    registers.forget([METER], 5)
    assert registers.signed(METER, IMPORT, 5) == signed(5)


def test_the_file_is_private_and_what_it_holds_stays(tmp_path: Path) -> None:
    path = tmp_path / "registers.db"
    first = Registers(path)
    first.add([RegisterReading("Ada", IMPORT, 900, 5)])
    first.close()
    assert path.stat().st_mode & 0o777 == 0o600
    again = Registers(path)
    assert again.find("Ada", IMPORT, 900) == 5
    again.close()
    path.chmod(0o644)
    with pytest.raises(FileExposedError):
        Registers(path)


def holding(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in sorted(folder.rglob("*")) if path.is_file() and secret in path.read_bytes()]


def test_forgotten_stretches_are_gone_from_the_disk(registers: Registers, tmp_path: Path) -> None:
    for month in (3, 4):
        registers.keep(signed(month))
    assert holding(tmp_path, signed(3).signature), "a search that finds nothing now proves nothing later"
    registers.forget([METER, OTHER], 4)
    assert registers.signed_by(METER) == [signed(4)]
    assert holding(tmp_path, signed(3).signature) == []


def test_an_erased_meter_leaves_nothing_and_who_had_the_name_before_keeps_what_is_its_own(
    registers: Registers, tmp_path: Path
) -> None:
    rows = [RegisterReading("Adalind", IMPORT, at, 10_000 + at) for at in (900, 1_800, 2_700)]
    registers.add(rows)
    registers.keep(signed(3))
    registers.keep(signed(3, OTHER))
    assert registers.erase(METER, "Adalind", 1_800, 2_700) == 3
    assert registers.of_meter("Adalind", 0, 10_000) == rows[:1]
    assert (registers.signed_by(METER), registers.signed_by(OTHER)) == ([], [signed(3, OTHER)])
    assert holding(tmp_path, METER) == []
    assert registers.erase(METER, "Adalind", 0, 10_000) == 1
    assert holding(tmp_path, b"Adalind") == []
