"""Looking whether the files that enrolments made for meters and households lie where they should, and are theirs."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from gridproof.actors.bill_provider.provider import MAX_NAME_IN_FILE
from gridproof.actors.commands import command
from gridproof.actors.enrolment import HouseholdFile, MeterFile, read_household, read_meter
from gridproof.errors import GridproofError

from .community import Community
from .errors import CommunityError

METER: Final = ".meter"
HOUSEHOLD: Final = ".household"


class AnothersFileError(CommunityError):
    """The household's file holds the secrets of another meter, so it was not used.
    Run `gridproof meter reissue` for both of them.
    """

    meter: str
    path: str
    holds: str


class Flaw(NamedTuple):
    """What is wrong with a file of an enrolment.

    Attributes:
        sentence: what it is, and what to do.
        stops: whether the meter cannot report because of it.
    """

    sentence: str
    stops: bool


def flaws(community: Community, now_s: int) -> Iterator[Flaw]:
    """Look at the files of all enrolments.

    Args:
        community: whose.
        now_s: ledger time, UTC epoch seconds.

    Raises:
        FileError, SecretFileError: the book of places cannot be read.
    """
    now_k = now_s // community.period_s
    rows = [row for row in community.meters() if not row.until_k or row.until_k > now_k]
    folder = community.folder.enrolments
    there = sorted([*folder.glob(f"*{METER}"), *folder.glob(f"*{HOUSEHOLD}")])
    ends = {path.name.rpartition(path.suffix)[0].rpartition(".")[2] + path.suffix for path in there}
    for row in rows:
        mend = f"Run `{command('meter', 'reissue', row.name)}`"
        if handle_in_file(row.handle) + METER not in ends:
            yield Flaw(f"the file of meter {row.name} is missing, so it cannot report. {mend}.", True)
        if handle_in_file(row.handle) + HOUSEHOLD not in ends:
            yield Flaw(f"the file of household {row.name} is not here. {mend} if it is lost.", False)
    for path in there:
        try:
            content = _readers(community)[path.suffix](path)
        except GridproofError as wrong:
            yield Flaw(f"{path.name}: {wrong}", True)
            continue
        if handle_of_file(path) != handle_in_file(content.meter):
            yield Flaw(
                f"{path.name} holds the secrets of another meter, {content.name}. "
                f"Run `gridproof meter reissue` for both.",
                True,
            )


def handle_in_file(handle: bytes) -> str:
    """What of a meter's handle stands in its files' names."""
    return handle.hex()[:8]


def handle_of_file(path: Path) -> str:
    """What of a meter's handle stands in the name of its file, or of its household's."""
    return path.stem.rpartition(".")[2]


def is_called(path: Path, name: str) -> bool:
    """Whether a file is called as that of a meter of this name is."""
    return path.stem.rpartition(".")[0] == quote(name, safe=" ")[:MAX_NAME_IN_FILE]


def require_own_name(path: Path, file: HouseholdFile, name: str) -> None:
    """Return if a household's file is not called after a meter that it does not belong to.

    Args:
        path: the file.
        file: what it holds.
        name: the meter's name.

    Raises:
        AnothersFileError: it is.
    """
    if is_called(path, name) and file.name != name:
        raise AnothersFileError(meter=name, path=str(path), holds=file.name)


def _readers(community: Community) -> dict[str, Callable[[Path], MeterFile | HouseholdFile]]:
    secrets = community.secrets
    return {METER: partial(read_meter, secrets), HOUSEHOLD: partial(read_household, secrets)}
