"""`gridproof readings import-registers`."""

from pathlib import Path

from gridproof.connectors.register_file import RegisterFault
from gridproof.connectors.registers import Registers
from gridproof.domain import Direction

from tests.unit.cli.home import NAMES, START_S, all_readings, refused, typed, write_readings

HEADER = "meter,at,register_wh,channel"
MONTH_END = "2025-11-01T00:00+01:00"
MONTH_END_S = START_S + 145 * 3_600


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path


def at(hour: int) -> str:
    """An hour from the community's start, in UTC."""
    return f"2025-10-{25 + (22 + hour) // 24}T{(22 + hour) % 24:02d}:00:00Z"


def stored(root: Path, name: str, at_s: int) -> int | None:
    registers = Registers(root / "outbox" / "registers.db")
    try:
        return registers.find(name, Direction.IMPORT, at_s)
    finally:
        registers.close()


def faults(root: Path, path: Path) -> list[tuple[int, str]]:
    told = typed("readings", "import-registers", path, "-C", root, "--json", code=1).json
    assert told["stored"] is False
    return [(bad["line"], bad["reason"]) for bad in told["bad"]]


def test_registers_are_imported_and_the_same_file_once_more_changes_nothing(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    path = write(tmp_path / "r.csv", f"Ada,{at(0)},7000,", f"Ada,{MONTH_END},9500,import")
    told = typed("readings", "import-registers", path, "-C", new, "--json").json
    assert told == {
        "path": str(path), "stored": True, "accepted": 2, "already": 0, "bad": [], "meters": ["Ada"],
    }  # fmt: skip
    assert (stored(new, "Ada", START_S), stored(new, "Ada", MONTH_END_S)) == (7_000, 9_500)
    done = typed("readings", "import-registers", path, "-C", new)
    assert done.out.splitlines() == [
        "2 registers were there already, with the same value.",
        "0 registers of 0 meters imported.",
    ]
    assert (new / "outbox" / "registers.db").stat().st_mode & 0o777 == 0o600


def test_bad_rows_stand_in_a_line_each_and_nothing_is_imported(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    path = write(tmp_path / "r.csv", f"Ada,{at(0)},7000,", f"Gus,{at(0)},1,", f"Bo,{at(0)},-1,")
    done = typed("readings", "import-registers", path, "-C", new, code=1)
    assert [line.split(":")[0] for line in done.out.splitlines()] == [
        "line 3", "line 4", "1 registers of 1 meters would be good; nothing was imported.",
    ]  # fmt: skip
    assert done.err.startswith("gridproof: The file has bad rows; nothing of it was stored.")
    assert stored(new, "Ada", START_S) is None
    refused("readings", "import-registers", tmp_path / "none.csv", "-C", new, error="FileMissingError")


def test_register_outside_its_enrolment_or_channel_is_refused(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "--from", "2025-10-26T12:00+01:00", "-C", new)
    typed("meter", "revoke", "Bo", "--moved-out", "--from", "2025-10-27T12:00+01:00", "-C", new)
    path = write(
        tmp_path / "r.csv",
        "Ada,2025-10-26T11:00+01:00,1,",
        "Bo,2025-10-26T12:00+01:00,1,",
        "Bo,2025-10-27T12:00+01:00,5,",
        "Bo,2025-10-27T13:00+01:00,6,",
        "Cleo,2025-10-26T12:00+01:00,1,export",
    )
    assert faults(new, path) == [
        (2, RegisterFault.BEFORE_ENROLMENT.value),
        (5, RegisterFault.AFTER_ENROLMENT.value),
        (6, RegisterFault.NOT_ON_CHANNEL.value),
    ]


def test_register_needs_its_beginning_and_never_falls(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    path = write(tmp_path / "r.csv", f"Ada,{MONTH_END},9500,", f"Bo,{at(0)},10,", f"Bo,{at(5)},20,", f"Bo,{at(3)},30,")
    assert faults(new, path) == [(2, RegisterFault.NO_START.value), (4, RegisterFault.FALLS.value)]
    typed("readings", "import-registers", write(path, f"Bo,{at(0)},10,", f"Bo,{at(3)},30,"), "-C", new)
    assert faults(new, write(path, f"Bo,{at(5)},29,")) == [(2, RegisterFault.FALLS.value)]
    typed("readings", "import-registers", write(path, f"Bo,{at(5)},30,"), "-C", new)


def test_register_of_two_meters_of_one_name_is_refused_where_they_meet(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    typed("meter", "swap", "Ada", "--from", "2025-10-27T12:00+01:00", "-C", new)
    typed("meter", "swap", "Bo", "Bo 2", "--from", "2025-10-27T12:00+01:00", "-C", new)
    begun = [f"{name},{at(0)},100," for name in ("Ada", "Bo")]
    ended = [f"{name},2025-10-27T12:00+01:00,{end}," for name, end in (("Ada", 120), ("Bo", 120), ("Bo 2", 0))]
    assert faults(new, write(tmp_path / "r.csv", *begun, *ended)) == [(4, RegisterFault.TWO_METERS.value)]
    typed("readings", "import-registers", write(tmp_path / "r.csv", *begun, *ended[1:]), "-C", new)


def test_register_of_a_signed_stretch_comes_too_late(new: Path, tmp_path: Path) -> None:
    typed("meter", "enrol", *NAMES, "-C", new)
    typed("readings", "import-registers", write(tmp_path / "r.csv", f"Ada,{at(0)},7000,"), "-C", new)
    typed("readings", "import", write_readings(tmp_path / "readings.csv", all_readings()), "-C", new)
    typed("run", "--until", "2025-12-01", "-C", new)
    path = write(tmp_path / "r.csv", f"Ada,{MONTH_END},9500,", f"Bo,{at(0)},7,", "Cleo,2025-12-01T00:00+01:00,7,")
    assert faults(new, path) == [
        (2, RegisterFault.SIGNED.value),
        (3, RegisterFault.SIGNED.value),
        (4, RegisterFault.FOLLOWED.value),
    ]
    later = write(path, "Ada,2025-12-01T00:00+01:00,9500,")
    assert typed("readings", "import-registers", later, "-C", new, "--json").json["accepted"] == 1
