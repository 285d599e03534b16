"""A community with short months that is run, billed, and left to forget: what tests of bills and of privacy look at.

October has four hours and November three that were read; each month is closed two days after. The ledger keeps bodies
for one month, so that closing November prunes October.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.unit.cli.home import Done, typed, write_readings

START: Final = "2025-10-31T20:00+01:00"
START_S: Final = 1_761_937_200
PERIOD_S: Final = 3_600
NAMES: Final = ("Adalind", "Bo", "Cleo", "Dan", "Eve")
HOURS: Final = 7  # four of October, three of November
OCTOBER, NOVEMBER = "2025-10", "2025-11"
AFTER_OCTOBER, AFTER_NOVEMBER = "2025-11-02T00:00", "2025-12-02T00:00"
OF_OCTOBER, OF_NOVEMBER = 2025 * 12 + 9, 2025 * 12 + 10
SETTINGS: Final = """
[community]
name = "Dorf"
zone = "Europe/Zurich"
currency = "CHF"
period_s = 3600
[[regions]]
number = 1
name = "Region 1"
[[aggregators]]
name = "aggregator 1"
[[aggregators]]
name = "aggregator 2"
[windows]
opening_s = 3600
claim_s = 3600
[privacy]
k_min = 3
[ledger]
retention_months = 1
"""


def energy_wh(meter: int, at: int) -> int:
    """What a meter reads in an hour from the start: figures with five digits that stand nowhere else."""
    return 40_000 + 1_111 * meter + 7 * at


def rows(hours: Iterable[int], names: Iterable[str] = NAMES, silent: Iterable[tuple[str, int]] = ()) -> list[str]:
    """Rows of a file of readings."""
    quiet = set(silent)
    return [
        f"{name},{datetime.fromtimestamp(START_S + at * PERIOD_S, UTC):%Y-%m-%dT%H:%M:%SZ},"
        f"{energy_wh(NAMES.index(name), at)},import"
        for at in hours
        for name in names
        if (name, at) not in quiet
    ]


class Billed:
    """A community's folder, and commands typed for it.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *words: object, code: int = 0) -> Done:
        """Type a command in the folder."""
        return typed(*words, "-C", self.root, code=code)

    def run(self, until: str) -> Done:
        """Let the community run until a time."""
        return self("run", "--until", until, "--json")

    def read(self, hours: Iterable[int], *, silent: Iterable[tuple[str, int]] = ()) -> None:
        """Import what the meters read in some hours."""
        found = rows(hours, silent=silent)
        self("readings", "import", write_readings(self.root.parent / f"readings-{len(found)}.csv", found))

    def files(self) -> dict[str, bytes]:
        """All files of the folder with their bytes, by path."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }

    def holding(self, secret: bytes) -> list[str]:
        """The files that hold some bytes, in their content or in their name."""
        return [name for name, content in self.files().items() if secret in content or secret in name.encode()]


def founded(root: Path, *more: object, regions: int = 1) -> Billed:
    """A community with five meters in its first region, nothing read yet."""
    root.parent.mkdir(parents=True, exist_ok=True)
    settings = root.parent / "settings.toml"
    added = "".join(f'[[regions]]\nnumber = {n}\nname = "Region {n}"\n' for n in range(2, regions + 1))
    settings.write_text(f"{SETTINGS}{added}", encoding="utf-8")
    typed("init", root, "--start", START, "--config", settings, *more)
    made = Billed(root)
    made("meter", "enrol", *NAMES, "--region", "1")
    return made


def october_billed(root: Path) -> Billed:
    """October is closed and billed; three hours of November are read and worked off."""
    made = founded(root)
    made.read(range(HOURS))
    made("run")
    made.run(AFTER_OCTOBER)
    made("bill", "make")
    return made
