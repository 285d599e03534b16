"""A household's proof files, made and opened with the files of a community's folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.actors.enrolment import HouseholdFile, read_household
from gridproof.actors.household import Household
from gridproof.actors.proof_file import ProofFile, own_reading
from gridproof.connectors.files import FileError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import SecretFileError
from gridproof.domain import Direction
from gridproof.errors import GridproofError

from .community import Community, MeterRow, close_names
from .errors import HouseholdFileAwayError, NoHouseholdFitsError, NoSuchMeterError, NotAppHashError, NothingYetError
from .handed import HOUSEHOLD, handle_in_file, handle_of_file, is_called, require_own_name
from .periods import months_of

HASH_DIGITS: Final = 64
MIN_HANDLE: Final = 8  # hexadecimal digits by which a handle is told from a name


class _Here(NamedTuple):
    """The households' files in the folder: those that can be read, by name and beginning, and why others cannot."""

    read: list[tuple[Path, HouseholdFile]]
    broken: list[tuple[Path, GridproofError]]


def household_files(community: Community) -> list[HouseholdFile]:
    """The files of all households here, by name and beginning.

    Raises:
        FileError, SecretFileError: one cannot be read, or is sealed.
    """
    here = _read_all(community)
    for _, problem in here.broken:
        raise problem
    return [file for _, file in here.read]


def households_named(community: Community, name: str, *, by_handle: bool = False) -> list[HouseholdFile]:
    """The files of the households behind a meter's name, by beginning; another's that is broken does not matter.

    Args:
        community: whose.
        name: the meter's name.
        by_handle: whether the name may be the beginning of a handle as well.

    Raises:
        NoSuchMeterError: there never was a meter of this name; close ones are named.
        HouseholdFileAwayError: there was one, and its household's file is not here.
        AnothersFileError: the file of this name belongs to another meter.
        FileError, SecretFileError, SecretFormatError: a file of this name cannot be read, or is sealed; or one that
            cannot may be that of this name.
    """
    here = _read_all(community)
    handle = name.lower() if by_handle and len(name) >= MIN_HANDLE else None
    for path, problem in here.broken:
        if is_called(path, name) or (handle and handle_of_file(path) == handle[:MIN_HANDLE]):
            raise problem
    named = [file for _, file in here.read if file.name == name]
    if not named and handle:
        named = [file for _, file in here.read if file.meter.hex().startswith(handle)]
    if named:
        return named
    for path, file in here.read:
        require_own_name(path, file, name)
    rows = _known_meters(community)
    meant = [row for row in rows if row.name == name or (handle and row.handle.hex().startswith(handle))]
    others = {handle_in_file(row.handle) for row in rows} - {handle_in_file(row.handle) for row in meant}
    for path, problem in here.broken:
        if handle_of_file(path) not in others:
            raise problem
    if meant:
        raise HouseholdFileAwayError(meter=meant[-1].name, folder=str(community.folder.enrolments))
    known = {file.name for _, file in here.read} | {row.name for row in rows}
    raise NoSuchMeterError(meter=name, close=close_names(name, known))


def household_named(community: Community, name: str, before_k: int) -> HouseholdFile:
    """The file of the household behind a meter; where the meter was swapped, the last one that began before a period.

    Raises:
        NoSuchMeterError: there never was a meter of this name; close ones are named.
        HouseholdFileAwayError: there was one, and its household's file is not here.
        AnothersFileError: the file of this name belongs to another meter.
        FileError, SecretFileError, SecretFormatError: its file cannot be read, or is sealed.
    """
    named = households_named(community, name)
    return ([file for file in named if file.from_k < before_k] or named[:1])[-1]


def household_that(community: Community, fits: Callable[[HouseholdFile], object]) -> HouseholdFile:
    """The first household's file here that fits something; one that is broken hides no other.

    Args:
        community: whose.
        fits: raises a `GridproofError` where a file does not fit.

    Raises:
        NoHouseholdFitsError: none of those here does.
        FileError, SecretFileError, SecretFormatError: none that can be read does, and this one cannot.
    """
    here = _read_all(community)
    for _, file in here.read:
        try:
            fits(file)
        except GridproofError:
            continue  # another's
        return file
    for _, problem in here.broken:
        raise problem
    raise NoHouseholdFitsError(folder=str(community.folder.enrolments))


def _known_meters(community: Community) -> list[MeterRow]:
    """All meters by the bill provider's book; none where only households' files can be read here."""
    try:
        return community.meters()
    except (FileError, SecretFileError):
        return []


def _read_all(community: Community) -> _Here:
    here = _Here([], [])
    for path in sorted(community.folder.enrolments.glob(f"*{HOUSEHOLD}")):
        try:
            here.read.append((path, read_household(community.secrets, path)))
        except GridproofError as problem:
            here.broken.append((path, problem))
    here.read.sort(key=lambda each: (each[1].name, each[1].from_k))
    return here


def household_of(community: Community, proof: ProofFile) -> HouseholdFile:
    """The file of the household that a proof file's records belong to.

    Raises:
        NoHouseholdFitsError: it is none of those here.
        FileError, SecretFileError, SecretFormatError: none that can be read fits, and this one cannot.
    """

    def fits(file: HouseholdFile) -> None:
        if not proof.slots:
            raise NoHouseholdFitsError(folder=str(community.folder.enrolments))
        proven = proof.slots[0]
        own_reading(file, proof.period_s, proven, int(proven.first.rc), int(proven.second.rc))

    return household_that(community, fits)


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
        HouseholdFileAwayError: its file is not here.
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

    leaves_of = community.public_leaves(client)
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
