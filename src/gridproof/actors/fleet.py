"""The meters of a community whose files lie here: for demonstrations, tests, and a community that runs in one place."""

from collections.abc import Callable, Iterator
from pathlib import Path

from gridproof.connectors.outbox import Outbox
from gridproof.connectors.secret_files import SecretFiles

from .enrolment import read_meter
from .meter import Meter, Surroundings
from .randomness import Randomness


class Fleet:
    """Meters by name.

    Args:
        folder: where their enrolment files lie, `*.meter`.
        secrets: opens them.
        outbox: theirs.
        surroundings: what the meters of a region know of the world.
        randomness: what each meter draws from, by its handle.
    """

    def __init__(
        self,
        folder: Path,
        secrets: SecretFiles,
        outbox: Outbox,
        surroundings: Callable[[int], Surroundings],
        randomness: Callable[[bytes], Randomness],
    ) -> None:
        self._folder = folder
        self._secrets = secrets
        self.outbox = outbox
        self._surroundings = surroundings
        self._randomness = randomness
        self._files: set[str] = set()
        self._by_name: dict[str, list[Meter]] = {}
        self._by_handle: dict[bytes, Meter] = {}

    def __iter__(self) -> Iterator[Meter]:
        return iter(self._by_handle.values())

    def __len__(self) -> int:
        return len(self._by_handle)

    def refresh(self) -> None:
        """Take in meters whose files have come.

        Raises:
            FileError, SecretFileError: a file cannot be read, or is sealed.
        """
        for path in sorted(self._folder.glob("*.meter")):
            if path.name not in self._files:
                self._add(path)

    def find(self, name: str, k: int) -> Meter | None:
        """The meter that stands behind a name at period k, or None: the last one to begin, where it was swapped."""
        standing = [meter for meter in self._by_name.get(name, ()) if meter.from_k <= k]
        return standing[-1] if standing else None

    def by_handle(self, handle: bytes) -> Meter | None:
        """The meter with a handle, or None."""
        return self._by_handle.get(handle)

    def _add(self, path: Path) -> None:
        file = read_meter(self._secrets, path)
        surroundings = self._surroundings(file.region)
        meter = Meter(path, self._secrets, self.outbox, surroundings, self._randomness(file.meter))
        self._files.add(path.name)
        self._by_handle[meter.handle] = meter
        named = self._by_name.setdefault(meter.name, [])
        named.append(meter)
        named.sort(key=lambda each: each.from_k)
