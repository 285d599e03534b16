"""A community's folder: what lies where.

| path | content | whose |
|---|---|---|
| `gridproof.toml` | settings; `gridproof config show` explains them | everyone's |
| `genesis.json` | what the ledger was born with | public |
| `tariff.toml` | what energy costs; `tariff-2.toml` stands in for it in region 2 | public |
| `ledger/` | the ledger's database, and the lock of its one writer | the node's |
| `node.sock` | where the running node takes other processes' requests | the node's |
| `public/rosters/` | roster files, which aggregators hold against the ledger | public |
| `secrets/keys/` | a file of keys for each participant, and one of next keys while they change | each participant's |
| `secrets/recovery/` | recovery keys: move them to another place, offline | each participant's |
| `secrets/bill-provider/` | the book of places and the months' keys | the bill provider's |
| `public/content/` | sealed bills by their CIDs, unless a Kubo node keeps them | public |
| `bills/` | the book of bills, and a copy of each sealed bill | the bill provider's |
| `cards/` | a card a household and month, which binds its roster leaves in advance | the household's |
| `enrolments/` | `*.meter`: for the meter; `*.household`: for the household | the meter's, the household's |
| `outbox/meters.db` | the meters' records, kept until nobody asks for them | the meters' |
| `aggregators/` | a file of records taken for each data aggregator | the aggregators' |
| `readings.db` | readings as they were imported | the households' |

The settings' section `[paths]` moves some of these. Folders have mode 0700, secrets 0600.
"""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gridproof.connectors.config import FILE_NAME, Paths
from gridproof.drivers.embedded.ledger import DATABASE_NAME
from gridproof.drivers.snapshots import FOLDER_NAME
from gridproof.primitives.hashing import sha256

MAX_SOCKET_PATH: Final = 107  # bytes that a socket's address holds
_MAX_STEM: Final = 100
_CUT: Final = 80


class Folder:
    """Knows the places of a community's folder.

    Args:
        root: the folder.
        paths: as the settings have them.
    """

    def __init__(self, root: Path, paths: Paths | None = None) -> None:
        paths = paths or Paths()
        self.root = root
        self.config = root / FILE_NAME
        self.genesis = root / paths.genesis
        self.tariff = root / paths.tariff
        self.ledger = root / paths.ledger
        self.readings = root / paths.readings
        self.enrolments = root / paths.enrolments
        self.meters = root / paths.outbox / "meters.db"
        self.secrets = root / paths.secrets
        self.keys = self.secrets / "keys"
        self.recovery = self.secrets / "recovery"
        self.bill_provider = self.secrets / "bill-provider"
        self.places = self.bill_provider / "places.key"
        self.rosters = root / "public" / "rosters"
        self.cards = self.enrolments.with_name("cards")
        self.bills = self.enrolments.with_name("bills")
        self.archive = self.bills / "archive"
        self._socket = root / paths.socket
        self._aggregators = root / "aggregators"
        self._descriptor: int | None = None

    @property
    def database(self) -> Path:
        """The ledger's database."""
        return self.ledger / DATABASE_NAME

    @property
    def snapshots(self) -> Path:
        """The snapshots of the state that are kept beside the ledger's database."""
        return self.ledger / FOLDER_NAME

    @property
    def socket(self) -> Path:
        """The node's socket, by a name that fits an address however deep the folder lies."""
        path = self._socket.absolute()
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        if self._descriptor is None:
            self._descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return Path(f"/proc/self/fd/{self._descriptor}") / path.name

    @property
    def private_folders(self) -> tuple[Path, ...]:
        """Folders that only their owner may enter."""
        return (
            self.root,
            self.ledger,
            self.secrets,
            self.keys,
            self.recovery,
            self.bill_provider,
            self.enrolments,
            self.meters.parent,
            self._aggregators,
        )

    @property
    def secret_folders(self) -> list[Path]:
        """All folders that hold secrets, those that are there, sorted."""
        found = [self.secrets, *self.secrets.rglob("*"), self.enrolments, *self.cards.rglob("*")]
        return sorted({path for path in found if path.is_dir()})

    @property
    def secret_files(self) -> list[Path]:
        """All files that hold secrets, sorted."""
        found = [path for path in self.secrets.rglob("*") if path.is_file() and path.name != "lock"]
        found += [path for path in (*self.enrolments.glob("*"), *self.cards.rglob("*")) if path.is_file()]
        return sorted(found)

    @property
    def private_files(self) -> list[Path]:
        """All files that only their owner may open, those that are there, sorted."""
        folders = (self.meters.parent, self._aggregators, self.bills)
        databases = [self.readings, *(path for folder in folders for path in folder.glob("*.db"))]
        return sorted([*self.secret_files, *(path for path in databases if path.exists())])

    def key_file(self, name: str) -> Path:
        """Where a participant's keys lie."""
        return self.keys / f"{file_stem(name)}.key"

    def next_file(self, name: str) -> Path:
        """Where keys lie that a participant drew and the ledger may not name yet."""
        return self.keys / f"{file_stem(name)}.next"

    def recovered_file(self, name: str) -> Path:
        """Where keys lie that a participant's recovery key shall bring in, until the ledger names them."""
        return self.keys / f"{file_stem(name)}.recovered"

    def recovery_file(self, name: str) -> Path:
        """Where a participant's recovery key lies, until it is moved away."""
        return self.recovery / f"{file_stem(name)}.key"

    def tariff_of(self, region: int) -> Path:
        """Where a region's tariff lies: in a file of its own where there is one, else in the community's."""
        own = self.tariff.with_name(f"{self.tariff.stem}-{region}{self.tariff.suffix}")
        return own if own.exists() else self.tariff

    def inbox(self, participant: int) -> Path:
        """Where a data aggregator keeps the records that it took."""
        return self._aggregators / f"{participant}.db"


def file_stem(name: str) -> str:
    """A file's name for a participant's: readable, and short enough for any file system."""
    stem = quote(name, safe=" ")
    return stem if len(stem) <= _MAX_STEM else f"{stem[:_CUT]}-{sha256(name.encode()).hex()[:16]}"
