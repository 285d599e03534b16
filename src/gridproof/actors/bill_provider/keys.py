"""The bill provider's keys at rest: a file a month of chain keys, one of view seeds, and whose each roster leaf is.

| file under the bill provider's folder | content | erased |
|---|---|---|
| `chains/<region>-<channel>/<month>.key` | each place's chain keys of the month | when the month is over |
| `views/<region>-<channel>/<month>.key` | each place's view seeds of the month | when the month's bills are final |
| `accounts/<region>-<channel>/<month>.key` | what each place's card binds, and where its bill goes | likewise |
| `owners/<region>-<channel>/<month>-<epoch>-<n>.key` | whose each roster leaf is, some slots a file | likewise |

Rules:
    K-1 A month's chain keys give its sign and view seeds and the next month's chain keys; with their file the sign
        seeds are gone: who finds the disk later signs for no past month.
    K-2 A place's keys are drawn once; what is there is never drawn again.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridproof.actors.enrolment import ChainPair, advance, decode_secret
from gridproof.actors.errors import MonthErasedError
from gridproof.actors.randomness import Randomness
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.secret_files import SecretFiles, discard, erase
from gridproof.domain import Direction, Secret, ViewSeeds, bill_key, register_key, require_range, seal_key, view_seeds
from gridproof.primitives.encoding import Codec
from gridproof.primitives.hashing import HASH_SIZE
from gridproof.state import Record

VERSION: Final = 1
OWNER_TYPE: Final = np.dtype("<u4")
_CHUNK_BYTES: Final = 4 * 2**20  # of owners in a file: well below what a secret file holds


class Line(NamedTuple):
    """A region's channel: what places, rosters and keys are kept by."""

    region: int
    channel: int

    def __str__(self) -> str:
        return f"{self.region}-{Direction(self.channel).label}"


class PlaceChain(Record, frozen=True):
    """A place's chain keys in a month."""

    number: int
    sign: bytes
    view: bytes

    def __repr__(self) -> str:
        return f"PlaceChain({self.number}, hidden)"


class PlaceView(Record, frozen=True):
    """A place's view seeds in a month."""

    number: int
    first: bytes
    second: bytes

    def __repr__(self) -> str:
        return f"PlaceView({self.number}, hidden)"


class PlaceAccount(Record, frozen=True):
    """What is told of a place in a month without its secrets: for its card and its bill.

    Attributes:
        number: of the place.
        bid: the billing identity that its view chain gives, 32 bytes.
        seal_key: the key that its bills are sealed to, 32 bytes.
        register_key: the key that signs its registers, 32 bytes.
        first_k: period of its first leaf pair.
        root: RFC 6962 root over its leaves to the month's end, 32 bytes.
    """

    number: int
    bid: bytes
    seal_key: bytes
    register_key: bytes
    first_k: int
    root: bytes


class AccountsFile(Record, frozen=True):
    """The accounts of a month."""

    version: int
    places: tuple[PlaceAccount, ...]


class ChainsFile(Record, frozen=True):
    """The chain keys of a month."""

    version: int
    places: tuple[PlaceChain, ...]


class ViewsFile(Record, frozen=True):
    """The view seeds of a month."""

    version: int
    places: tuple[PlaceView, ...]


class OwnersFile(Record, frozen=True):
    """Whose the leaves of some slots are: for each slot and position the index of the leaf, u32 little-endian."""

    version: int
    from_k: int
    count: int
    owners: bytes


_CHAINS: Final = Codec(ChainsFile)
_VIEWS: Final = Codec(ViewsFile)
_OWNERS: Final = Codec(OwnersFile)
_ACCOUNTS: Final = Codec(AccountsFile)


class Keys:
    """Reads, makes and erases the bill provider's keys.

    Args:
        folder: the bill provider's.
        secrets: seals what is written, where there is a passphrase.
        randomness: where fresh keys come from.
    """

    def __init__(self, folder: Path, secrets: SecretFiles, randomness: Randomness) -> None:
        self._folder = folder
        self._secrets = secrets
        self._randomness = randomness
        self._chains: dict[tuple[Line, int], dict[int, ChainPair]] = {}
        self._owners: dict[Path, NDArray[np.uint32]] = {}

    # --- chain keys ------------------------------------------------------------------------------------------------

    def chains(self, line: Line, month: int, numbers: Iterable[int]) -> dict[int, ChainPair]:
        """The chain keys of places in a month, by number: kept, led on from the month before, or drawn (K-2).

        What is new is durable when this returns.

        Raises:
            MonthErasedError: a place has keys of a later month only.
        """
        kept = dict(self._load(line, month))
        wanted = list(numbers)
        missing = [number for number in wanted if number not in kept]
        for number in missing:
            kept[number] = self._led_on(line, month, number)
        if missing:
            self._save(line, month, kept)
        return {number: kept[number] for number in wanted}

    def months(self, line: Line) -> list[int]:
        """The months whose chain keys are kept, ascending."""
        return sorted(int(path.stem) for path in self._chains_path(line, 0).parent.glob("[0-9]*.key"))

    def erase_chains(self, line: Line, before: int, needed: Iterable[int]) -> None:
        """Erase the chain keys of months before this one; those that are needed on are led on first (K-1).

        Args:
            line: region and channel.
            before: the first month whose keys stay.
            needed: numbers of the places that are not at their end.

        Raises:
            FileUnwritableError: the system refuses.
        """
        old = [month for month in self.months(line) if month < before]
        if not old:
            return
        held = {number for month in old for number in self._load(line, month)}
        self.chains(line, before, [number for number in needed if number in held])
        for month in old:
            self._chains.pop((line, month), None)
            erase(self._chains_path(line, month))

    def _led_on(self, line: Line, month: int, number: int) -> ChainPair:
        held = [each for each in self.months(line) if number in self._load(line, each)]
        if not held:
            return ChainPair(line.channel, self._randomness(HASH_SIZE), self._randomness(HASH_SIZE))
        before = max((each for each in held if each < month), default=None)
        if before is None:
            raise MonthErasedError(what=f"chains {line}", month=month)
        older, steps = self._load(line, before)[number], month - before
        sign, view = advance(older.sign, Secret.SIGN, steps), advance(older.view, Secret.VIEW, steps)
        return ChainPair(line.channel, sign, view)

    def _load(self, line: Line, month: int) -> dict[int, ChainPair]:
        if (line, month) not in self._chains:
            try:
                raw = self._secrets.read(self._chains_path(line, month), _purpose("chains", line, month))
            except FileMissingError:
                return {}
            places = decode_secret(_CHAINS, raw, "chain keys", VERSION).places
            self._chains[line, month] = {each.number: ChainPair(line.channel, each.sign, each.view) for each in places}
        return self._chains[line, month]

    def _save(self, line: Line, month: int, chains: Mapping[int, ChainPair]) -> None:
        places = tuple(PlaceChain(number, chains[number].sign, chains[number].view) for number in sorted(chains))
        content = _CHAINS.encode(ChainsFile(VERSION, places))
        self._secrets.write(self._chains_path(line, month), content, _purpose("chains", line, month))
        self._chains[line, month] = dict(chains)

    def _chains_path(self, line: Line, month: int) -> Path:
        return self._folder / "chains" / str(line) / f"{month}.key"

    # --- view seeds ------------------------------------------------------------------------------------------------

    def keep_views(self, line: Line, month: int, chains: Mapping[int, ChainPair]) -> None:
        """Keep the view seeds of a month's places, so that its totals can be opened once the chain keys are gone."""
        seeds = {number: view_seeds(chain.view, Direction(line.channel)) for number, chain in sorted(chains.items())}
        content = ViewsFile(VERSION, tuple(PlaceView(number, *each) for number, each in seeds.items()))
        self._secrets.write(self._views_path(line, month), _VIEWS.encode(content), _purpose("views", line, month))

    def views(self, line: Line, month: int) -> dict[int, ViewSeeds]:
        """The view seeds of a month's places, by number.

        Raises:
            MonthErasedError: they were erased, or never made.
        """
        try:
            raw = self._secrets.read(self._views_path(line, month), _purpose("views", line, month))
        except FileMissingError as missing:
            raise MonthErasedError(what=f"view seeds {line}", month=month) from missing
        places = decode_secret(_VIEWS, raw, "view seeds", VERSION).places
        return {each.number: ViewSeeds(each.first, each.second) for each in places}

    def _views_path(self, line: Line, month: int) -> Path:
        return self._folder / "views" / str(line) / f"{month}.key"

    # --- accounts ----------------------------------------------------------------------------------------------------

    def keep_accounts(
        self, line: Line, month: int, first_k: int, chains: Mapping[int, ChainPair], roots: Mapping[int, bytes]
    ) -> None:
        """Keep what a month's places are told and billed by, once their leaves are made.

        Args:
            line: region and channel.
            month: the month.
            first_k: period of the first leaf pair.
            chains: the month's chain keys, by number of the place.
            roots: root over each place's leaves, by its number.
        """
        places = tuple(
            PlaceAccount(
                number,
                bill_key(chains[number].view).public_key,
                seal_key(chains[number].view),
                register_key(chains[number].sign).public_key,
                first_k,
                root,
            )
            for number, root in sorted(roots.items())
        )
        content = _ACCOUNTS.encode(AccountsFile(VERSION, places))
        self._secrets.write(self._accounts_path(line, month), content, _purpose("accounts", line, month))

    def accounts(self, line: Line, month: int) -> dict[int, PlaceAccount]:
        """The accounts of a month's places, by number.

        Raises:
            MonthErasedError: they were erased, or never made.
        """
        try:
            raw = self._secrets.read(self._accounts_path(line, month), _purpose("accounts", line, month))
        except FileMissingError as missing:
            raise MonthErasedError(what=f"accounts {line}", month=month) from missing
        return {each.number: each for each in decode_secret(_ACCOUNTS, raw, "accounts", VERSION).places}

    def _accounts_path(self, line: Line, month: int) -> Path:
        return self._folder / "accounts" / str(line) / f"{month}.key"

    # --- whose a leaf is -------------------------------------------------------------------------------------------

    def keep_owners(self, line: Line, month: int, epoch: int, from_k: int, owners: NDArray[np.uint32]) -> None:
        """Keep whose each leaf is.

        Args:
            line: region and channel.
            month: the month.
            epoch: of its rosters.
            from_k: the epoch's first period.
            owners: shape (slots, leaves): a leaf is half `value % 2` of the roster's place `value // 2`.
        """
        slots, count = owners.shape
        step = _chunk_slots(count)
        for at in range(0, slots, step):
            chunk = owners[at : at + step].astype(OWNER_TYPE)
            content = _OWNERS.encode(OwnersFile(VERSION, from_k + at, count, chunk.tobytes()))
            path = self._owners_path(line, month, epoch, at // step)
            self._secrets.write(path, content, _purpose("owners", line, month))

    def owners(self, line: Line, month: int, epoch: int, at: int, count: int) -> NDArray[np.uint32]:
        """Whose the leaves of one slot are: `count` values as in `keep_owners`.

        Args:
            line: region and channel.
            month: the month.
            epoch: of its rosters.
            at: index of the slot in the epoch.
            count: leaves of the roster.

        Raises:
            MonthErasedError: it was erased, or never made.
        """
        step = _chunk_slots(count)
        path = self._owners_path(line, month, epoch, at // step)
        if path not in self._owners:
            try:
                raw = self._secrets.read(path, _purpose("owners", line, month))
            except FileMissingError as missing:
                raise MonthErasedError(what=f"owners {line}", month=month) from missing
            content = decode_secret(_OWNERS, raw, "owners", VERSION)
            while len(self._owners) >= len(Direction) * 2:
                self._owners.pop(next(iter(self._owners)))
            self._owners[path] = np.frombuffer(content.owners, dtype=OWNER_TYPE).reshape(-1, count)
        rows = self._owners[path]
        require_range("at", at % step, 0, len(rows) - 1)
        row: NDArray[np.uint32] = rows[at % step]
        return row

    def _owners_path(self, line: Line, month: int, epoch: int, chunk: int) -> Path:
        return self._folder / "owners" / str(line) / f"{month}-{epoch}-{chunk}.key"

    # --- the end of a month ----------------------------------------------------------------------------------------

    def erase_month(self, line: Line, month: int) -> None:
        """Erase what opens a month's records: its view seeds, and whose its leaves are (its bills are final).

        The accounts go last: with them it can be told again whether the bills are final, where a kill cut this short.

        Raises:
            FileUnwritableError: the system refuses.
        """
        self._owners.clear()
        owners = sorted(self._owners_path(line, 0, 0, 0).parent.glob(f"{month}-*.key"))
        for path in (*owners, self._views_path(line, month), self._accounts_path(line, month)):
            with suppress(FileMissingError):
                discard(path)

    def is_erased(self, line: Line, month: int) -> bool:
        """Whether nothing of a month's view seeds, accounts and owners is there."""
        paths = (self._views_path(line, month), self._accounts_path(line, month), self._owners_path(line, month, 1, 0))
        return not any(path.exists() for path in paths)


def _chunk_slots(count: int) -> int:
    return max(1, _CHUNK_BYTES // (count * OWNER_TYPE.itemsize))


def _purpose(kind: str, line: Line, month: int) -> str:
    return f"bill-provider/{kind}/{line}/{month}"
