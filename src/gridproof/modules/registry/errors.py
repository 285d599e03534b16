"""Reasons for which the registry refuses. Numbers are part of the protocol: never reused."""

from typing import ClassVar

from gridproof.errors import Refusal


class RegistryError(Refusal):
    """Root of this module's refusals."""


# --- people and keys -----------------------------------------------------------------------------------------------


class BadName(RegistryError):
    """A name has 1 to 64 visible characters and no space at its ends; nothing was stored. Choose another."""

    code: ClassVar[int] = 1001
    name: str


class NameTaken(RegistryError):
    """A participant has this name already; nothing was stored. Choose another."""

    code: ClassVar[int] = 1002
    name: str
    participant: int


class RolesUnknown(RegistryError):
    """The sum holds a role that the ledger does not know; nothing changed. Use the sum of known roles."""

    code: ClassVar[int] = 1003
    roles: int


class BadKey(RegistryError):
    """A key has 32 bytes, one for signatures is the x of a point of secp256k1; nothing changed. Send a right one."""

    code: ClassVar[int] = 1004
    role: int
    key: bytes


class BadKeyRole(RegistryError):
    """The ledger knows no such role of a key, or the list names it twice; nothing changed. Send one key a role."""

    code: ClassVar[int] = 1005
    role: int


class KeyUsed(RegistryError):
    """The key was brought before, by this participant or another; nothing changed. Make a fresh one."""

    code: ClassVar[int] = 1006
    key: bytes


class NotPermitted(RegistryError):
    """The sender does not hold the role that this needs; nothing changed. Ask one who does."""

    code: ClassVar[int] = 1007
    participant: int
    needed: str


class ParticipantUnknown(RegistryError):
    """There is no participant of this id; nothing changed. `registry/participants` lists those that are."""

    code: ClassVar[int] = 1008
    participant: int


class LastOperator(RegistryError):
    """Without this one the ledger would have no operator; the roles stay as they were. Make another operator first."""

    code: ClassVar[int] = 1009
    participant: int


class KeyMissing(RegistryError):
    """A key that is needed is not in the list; nothing changed. Add it."""

    code: ClassVar[int] = 1010
    needed: str


class RecoveryKeyFixed(RegistryError):
    """A recovery key is replaced by its own word only; no key changed. Send `RecoverKeys`."""

    code: ClassVar[int] = 1011
    participant: int


class WrongRecoveryKey(RegistryError):
    """This is not the participant's recovery key, or it has none; its keys stay. Sign with the one that it has."""

    code: ClassVar[int] = 1012
    participant: int


class RecoverySpent(RegistryError):
    """The word names a count before the last recovery, or one to come; the keys stay. Sign with the present count."""

    code: ClassVar[int] = 1013
    participant: int
    rotations: int
    recovered_at: int
    present: int


# --- regions and months --------------------------------------------------------------------------------------------


class OutOfLimits(RegistryError):
    """A region's parameter lies outside its limits; nothing was stored. Choose a value between them."""

    code: ClassVar[int] = 1014
    parameter: str
    value: int
    low: int
    high: int


class PeriodUnsupported(RegistryError):
    """Periods have one of a few lengths that divide the hour; nothing was stored. Choose one of them."""

    code: ClassVar[int] = 1015
    period_s: int
    supported: tuple[int, ...]


class PrivacyTooWeak(RegistryError):
    """A privacy parameter is below the floor that no operator can lower; nothing changed. Choose at least the floor."""

    code: ClassVar[int] = 1016
    parameter: str
    value: int
    floor: int


class RegionExists(RegistryError):
    """There is a region of this number already; it stays as it was. Take another number."""

    code: ClassVar[int] = 1017
    region: int


class RegionUnknown(RegistryError):
    """There is no region of this number; nothing changed. `registry/regions` lists those that are."""

    code: ClassVar[int] = 1018
    region: int


class MonthOutOfOrder(RegistryError):
    """A region's months are opened in ascending order, each once; nothing was opened. Open a later one."""

    code: ClassVar[int] = 1019
    region: int
    month: int
    last: int


class MonthOverlaps(RegistryError):
    """The month would begin before the last one ends; nothing was opened. Begin it at that end or later."""

    code: ClassVar[int] = 1020
    region: int
    start_s: int
    last_end_s: int


class BadMonthBounds(RegistryError):
    """A month begins and ends between two periods and has 1 period to 32 days; nothing was opened. Mend its bounds."""

    code: ClassVar[int] = 1021
    detail: str


class MonthTooFarAhead(RegistryError):
    """A month is opened at most 62 days before it begins; nothing was opened. Open it later."""

    code: ClassVar[int] = 1022
    start_s: int
    latest_s: int


class NoMonth(RegistryError):
    """No month that was opened holds this period; nothing changed. Open the month first."""

    code: ClassVar[int] = 1023
    region: int
    k: int


class MonthUnknown(RegistryError):
    """The region's month was not opened; nothing changed. `registry/months` lists those that were."""

    code: ClassVar[int] = 1024
    region: int
    month: int


class MonthAlreadyClosed(RegistryError):
    """The month was closed before; it stays closed."""

    code: ClassVar[int] = 1025
    region: int
    month: int


class MonthStillRuns(RegistryError):
    """The month has not ended yet; it stays open. Close it after its end."""

    code: ClassVar[int] = 1026
    region: int
    month: int
    end_s: int
    now_s: int


# --- meters --------------------------------------------------------------------------------------------------------


class BadChannels(RegistryError):
    """A meter reports import, export or both, in this order, each once; nothing was enrolled. Mend the list."""

    code: ClassVar[int] = 1027
    channels: tuple[int, ...]


class HandleUsed(RegistryError):
    """A meter stands or stood under this handle; nothing changed. Draw a fresh one."""

    code: ClassVar[int] = 1028
    meter: bytes


class MeterUnknown(RegistryError):
    """No meter was enrolled under this handle; nothing changed. `registry/meters` lists those that were."""

    code: ClassVar[int] = 1029
    meter: bytes


class MeterEnded(RegistryError):
    """The meter's enrolment has its end already; it stays as it was."""

    code: ClassVar[int] = 1030
    meter: bytes
    until_k: int


class PeriodBegun(RegistryError):
    """The period has begun, its meters are settled; nothing changed. Name a period that is still to come."""

    code: ClassVar[int] = 1031
    k: int
    start_s: int
    now_s: int


class EndsBeforeItBegins(RegistryError):
    """A meter's enrolment cannot end before it begins; nothing changed. Name its first period or a later one."""

    code: ClassVar[int] = 1032
    meter: bytes
    from_k: int
    until_k: int


class CountForgotten(RegistryError):
    """The period lies in a month that was closed, its count of meters is no longer kept; nothing changed."""

    code: ClassVar[int] = 1033
    region: int
    channel: int
    k: int
    known_from_k: int


# --- tariffs -------------------------------------------------------------------------------------------------------


class BadTariff(RegistryError):
    """The tariff contradicts itself; nothing was opened with it. Correct what is named."""

    code: ClassVar[int] = 1034
    detail: str
