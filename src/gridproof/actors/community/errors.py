"""Reasons for which a community's folder cannot be made or used, and words that name nothing in it."""

from typing import NamedTuple

from gridproof.errors import GridproofError


class Names(tuple[str, ...]):
    """Names to choose from."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(self) or "none"


class CommunityError(GridproofError):
    """The community cannot do what was asked."""


# --- the folder ----------------------------------------------------------------------------------------------------


class NoCommunityError(CommunityError):
    """There is no community in this folder. Name its folder with `--dir`, or make one with `gridproof init`."""

    folder: str


class FolderTakenError(CommunityError):
    """The folder is not empty; nothing was made. Choose another one, or an empty one."""

    folder: str
    holds: str


class FolderUnmadeError(CommunityError):
    """The folder could not be made, and nothing is left of it. See to the cause and try again."""

    folder: str
    detail: str


class LedgerGoneError(CommunityError):
    """The community's ledger is not in its folder; nothing was made in its stead.
    Restore it with `gridproof restore`.
    """

    folder: str


class LedgerElsewhereError(CommunityError):
    """This community's ledger is a network: its nodes keep it, each a whole copy, and there is none in this folder.
    Do this at a node.
    """

    folder: str


class AtWorkError(CommunityError):
    """Another process acts for the participants just now; nothing changed. Wait for it or stop it, then try again."""

    held_by: str


class NameReservedError(CommunityError):
    """A data aggregator cannot have this name, another participant has it; nothing was made. Choose another."""

    name: str


class NoPassphraseError(CommunityError):
    """The secrets shall be sealed and there is no passphrase; nothing was made.
    Give it in GRIDPROOF_PASSPHRASE, in a file with mode 0600, or at a terminal's prompt.
    """


# --- words that name nothing ---------------------------------------------------------------------------------------


class NotFoundError(CommunityError):
    """What was named is not there."""


class NoSuchRegionError(NotFoundError):
    """The community has no such region. Use a number or name of `close`."""

    region: str
    close: Names


class NoSuchMeterError(NotFoundError):
    """The community never had a meter of this name. Use one like `close`; `gridproof meter list` shows all."""

    meter: str
    close: Names


class NoSuchPeriodError(NotFoundError):
    """The ledger has no such period of this region and channel. Use one between `first` and `last`."""

    period: str
    first: str
    last: str


class NothingYetError(NotFoundError):
    """The ledger has no period of this region and channel yet. Import readings, then `gridproof run`."""

    region: str
    channel: str


class NoHouseholdFitsError(NotFoundError):
    """The records belong to no household whose file lies here. Name its file with `--household`."""

    folder: str


class HouseholdFileAwayError(NotFoundError):
    """The household's file is not in the folder, so nothing of the household's can be opened. Bring the file back;
    the one that `gridproof meter reissue` writes opens no month before the present one.
    """

    meter: str
    folder: str


class NotAppHashError(CommunityError):
    """An app hash has 64 hexadecimal digits. `gridproof status` of a ledger that you trust shows it."""

    given: str


class ForeignProofError(CommunityError):
    """The community's ledger had another app hash at the file's height, so nothing in the file is to be believed.
    Have it made again from this ledger with `gridproof export bill`.
    """

    height: int
    file: str
    ledger: str


# --- times ---------------------------------------------------------------------------------------------------------


class TimeError(CommunityError):
    """What was given is no time here."""


class NoTimeError(TimeError):
    """This is no time. Write it like `2025-10-26T02:15+02:00`, or without offset in the community's zone."""

    given: str


class AmbiguousTimeError(TimeError):
    """The zone's clock showed this time twice that day. Say which one by its offset."""

    given: str
    first: str
    second: str


class SkippedTimeError(TimeError):
    """The zone's clock never showed this time: it was put forward over it. Use one before or after."""

    given: str
    zone: str


class MisalignedTimeError(TimeError):
    """No period starts at this time; nothing changed. Use one of the two beside it."""

    given: str
    before: str
    after: str


class TooEarlyError(TimeError):
    """Ledger time is past this already, so it is settled who is metered then. Use `earliest` or a later time."""

    given: str
    earliest: str


class TooLateError(TimeError):
    """This lies more than 400 days after ledger time; nothing changed. Mend the year, or use `latest` or earlier."""

    given: str
    latest: str


class NoDayError(TimeError):
    """This is no day of the zone's calendar. Write it like `2025-10-26`."""

    given: str


class BeyondCalendarError(TimeError):
    """The calendar does not go so far. Use a time from `first` to `last`."""

    given: str
    first: str
    last: str


class NoMonthGivenError(TimeError):
    """This is no month. Write it like `2025-10`."""

    given: str


class EmptySpanError(TimeError):
    """The end does not lie after the start, so there is nothing between them. Name a later end."""

    start: str
    end: str


# --- tariffs -------------------------------------------------------------------------------------------------------


class NoTariffFileError(CommunityError):
    """The community has no tariff: its file is not there, and no month has one. Write the file; `gridproof init` makes
    one to start from.
    """

    path: str


class UnpricedMonthError(NotFoundError):
    """The month was opened without a tariff, so its energy has no prices. Choose another month."""

    region: str
    month: str


class NoMonthThenError(NotFoundError):
    """The region has no month that holds this time, so nothing changed. A month takes the tariff of the file when it is
    opened; for one that is to come, change the file.
    """

    given: str
    region: str
    until: str


class NoReadingsThenError(NotFoundError):
    """There are no readings of this month, so nothing can be billed. Import some, or name another month."""

    month: str


class NoSuchHouseholdError(NotFoundError):
    """No household of this name has readings in the month. Use one like `close`."""

    household: str
    close: Names


# --- lists of meters -----------------------------------------------------------------------------------------------


class BadLine(NamedTuple):
    """A line of a list that cannot be taken.

    Attributes:
        line: its number, from 1.
        why: what is wrong with it.
    """

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


class BadLines(tuple[BadLine, ...]):
    """The bad lines of a list, in its order."""

    __slots__ = ()

    def __str__(self) -> str:
        more = f"; and {len(self) - 1} more" if len(self) > 1 else ""
        return f"{self[0]}{more}" if self else ""


class MeterListError(CommunityError):
    """The list has bad lines; no meter was enrolled. Correct them and try again."""

    path: str
    bad: BadLines


class BadMeterNameError(CommunityError):
    """A meter's name has 1 to 64 printable characters and no blank at its ends; nothing changed. Choose another."""

    name: str


class RegionNeededError(CommunityError):
    """The community has several regions, and it was not said in which one the meter stands; no meter was enrolled.
    Name the region with `--region`, or in the list.
    """

    meter: str
    regions: Names


class NoMeterNamedError(CommunityError):
    """No meter was named. Give names, or a file of them with `--list`."""


# --- participants' keys --------------------------------------------------------------------------------------------


class NoSuchParticipantError(NotFoundError):
    """The ledger knows no participant of this name; nothing changed. Use one like `close`; `gridproof key list` shows
    all.
    """

    participant: str
    close: Names


class KeysMissingError(CommunityError):
    """The participant's keys are not in this folder, so it cannot act. Bring the file back, or have fresh keys with
    `gridproof key recover`.
    """

    name: str
    path: str


class KeysDifferError(CommunityError):
    """The ledger names other keys for the participant than the file here holds; nothing was done with these.
    Bring the right file back, or have fresh keys with `gridproof key recover`.
    """

    name: str
    roles: Names


class NoKeyOfRoleError(CommunityError):
    """The participant has no key of this role; nothing changed. `gridproof key list` shows those that it has."""

    name: str
    role: str


class NoRecoveryKeyError(CommunityError):
    """The participant was registered without a recovery key, and can get none; nothing changed.
    Its keys can only be replaced with the present ones: `gridproof key rotate`.
    """

    name: str


class RecoveryKeyAwayError(CommunityError):
    """The participant's recovery key is not in this folder; nothing changed. Name its file with `--recovery-key`."""

    name: str
    path: str


class AnothersRecoveryKeyError(CommunityError):
    """The file holds another participant's recovery key; nothing changed. Name the right one with `--recovery-key`."""

    name: str
    path: str
    holder: str


class RecoveryKeyDiffersError(CommunityError):
    """The ledger names another recovery key for the participant: this one was replaced, or is another ledger's.
    Nothing changed. Name the right one with `--recovery-key`.
    """

    name: str
    path: str


class NobodyBringsError(CommunityError):
    """No participant's keys in this folder are good, so nobody can bring the word to the ledger; nothing changed.
    Bring back the file of one participant's keys, anyone's.
    """

    folder: str


class NoBillsYetError(CommunityError):
    """The household has no bill of this month. `gridproof bill make` makes those of closed months."""

    meter: str
    month: str


class UnknownFormError(CommunityError):
    """A bill is written as one of the known forms, by the file's ending; nothing was written. Choose another name."""

    path: str
    known: tuple[str, ...]


class StillEnrolledError(CommunityError):
    """The household's meter is still enrolled, so nothing was erased. `gridproof meter revoke --moved-out` ends that;
    if the name is another household's by now, name the meter with `--handle`.
    """

    meter: str
    handle: str


class LastMonthOpenError(CommunityError):
    """A month of the household is not finished, so nothing was erased. Finish it first: `gridproof bill finish`."""

    meter: str
    month: str


class NoSuchHandleError(NotFoundError):
    """No meter of this name has such a handle; nothing was done. Use one of `known`."""

    meter: str
    handle: str
    known: tuple[str, ...]


class ForgettingUnconfirmedError(CommunityError):
    """What is forgotten cannot be had back, so nothing was erased without your word. Give it with `--yes`."""

    meter: str
