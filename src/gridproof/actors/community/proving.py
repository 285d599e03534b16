"""A household's proof files, made and opened with the files of a community's folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from gridproof.actors.enrolment import HouseholdFile, read_household
from gridproof.actors.household import Household, public_leaves
from gridproof.actors.proof_file import ProofFile, own_reading
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import Direction
from gridproof.errors import GridproofError

from .community import Community, close_names
from .errors import NoHouseholdFitsError, NoSuchMeterError, NotAppHashError, NothingYetError
from .handed import require_own_name
from .periods import months_of

HASH_DIGITS: Final = 64


def household_files(community: Community) -> list[HouseholdFile]:
    """The files of all households here, by name and beginning.

    Raises:
        FileError, SecretFileError: one cannot be read, or is sealed.
    """
    return [file for _, file in _household_paths(community)]


def household_named(community: Community, name: str, before_k: int) -> HouseholdFile:
    """The file of the household behind a meter; where the meter was swapped, the last one that began before a period.

    Raises:
        NoSuchMeterError: there is none of this name; close ones are named.
        AnothersFileError: the file of this name belongs to another meter.
        FileError, SecretFileError: a file cannot be read, or is sealed.
    """
    found = _household_paths(community)
    files = [file for _, file in found]
    named = [file for file in files if file.name == name]
    if not named:
        for path, file in found:
            require_own_name(path, file, name)
        raise NoSuchMeterError(meter=name, close=close_names(name, {file.name for file in files}))
    return ([file for file in named if file.from_k < before_k] or named[:1])[-1]


def _household_paths(community: Community) -> list[tuple[Path, HouseholdFile]]:
    paths = sorted(community.folder.enrolments.glob("*.household"))
    files = [(path, read_household(community.secrets, path)) for path in paths]
    return sorted(files, key=lambda each: (each[1].name, each[1].from_k))


def household_of(community: Community, proof: ProofFile) -> HouseholdFile:
    """The file of the household that a proof file's records belong to.

    Raises:
        NoHouseholdFitsError: it is none of those here.
        FileError, SecretFileError: a file cannot be read, or is sealed.
    """
    for file in household_files(community):
        for proven in proof.slots[:1]:
            try:
                own_reading(file, proof.period_s, proven, int(proven.first.rc), int(proven.second.rc))
                return file
            except GridproofError:
                continue  # another's
    raise NoHouseholdFitsError(folder=str(community.folder.enrolments))


def export_records(
    community: Community,
    client: LedgerClient,
    name: str,
    span: tuple[int, int],
    step: Callable[[int, int], None],
) -> ProofFile:
    """Make a household's proof file for a stretch of time.

    Args:
        community: whose.
        client: the way to the ledger.
        name: the meter's name.
        span: first instant and first one after the stretch, UTC epoch seconds.
        step: told how many periods are done, of how many.

    Raises:
        NoSuchMeterError: there is no such household; close ones are named.
        AnothersFileError: the household's file belongs to another meter.
        NothingYetError: no month of the ledger lies in the stretch.
        RecordUnknownError: none of the periods has records of the household.
        LedgerMovedError: the ledger did not rest long enough.
        FileError, SecretFileError: a file cannot be read, or is sealed.
    """
    period_s = community.period_s
    first_k, stop_k = span[0] // period_s, -(-span[1] // period_s)
    file = household_named(community, name, stop_k)
    past_k = client.status().ledger_time_s // period_s
    ks: list[int] = []
    for view in months_of(client, file.region):
        start, stop = max(first_k, view.bounds.first_k, file.from_k), min(stop_k, view.bounds.end_k, past_k)
        ks.extend(range(start, stop))
    channels = [Direction(each.channel) for each in file.views]
    if not ks:
        raise NothingYetError(region=str(file.region), channel="+".join(channel.label for channel in channels))
    done = 0

    def count(_k: int) -> None:
        nonlocal done
        done += 1
        step(min(done, len(ks) * len(channels)), len(ks) * len(channels))

    leaves_of = public_leaves(client, RosterFiles(community.folder.rosters))
    return Household(file, client, leaves_of).export_records(channels, ks, count)


def parse_app_hash(given: str) -> bytes:
    """Read an app hash.

    Raises:
        NotAppHashError: it is none.
    """
    try:
        if len(given.strip()) == HASH_DIGITS:
            return bytes.fromhex(given.strip())
    except ValueError:
        pass
    raise NotAppHashError(given=given)
