"""What one may ask of the registry, and what it announces.

A field's type bounds it to the width that the state has for it: what does not fit is no message of this ledger. What a
rule refuses by name without the state, each message's `check` does (README.md, Rules).
"""

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta

from gridproof.domain import METER_ID_SIZE, U16_MAX, U32_MAX, Tariff, TariffError, require_tariff
from gridproof.primitives.hashing import Tag
from gridproof.state import Event, Message, Record, SignatureClaim

from .checks import require_channels, require_key, require_name, require_roles
from .errors import BadKeyRole, BadTariff, KeyMissing, KeyUsed
from .parameters import require_parameters, require_period, require_privacy
from .types import KeyRole

MAX_MONTH: Final = 9_999 * 12 + 11
MAX_INSTANT_S: Final = 2**40  # some 35,000 years: room for all sums, far below what a key holds

ParticipantField = Annotated[int, Meta(ge=1, le=U32_MAX)]
RegionField = Annotated[int, Meta(ge=1, le=U16_MAX)]
MonthField = Annotated[int, Meta(ge=1, le=MAX_MONTH)]
InstantField = Annotated[int, Meta(ge=0, le=MAX_INSTANT_S)]
PeriodField = Annotated[int, Meta(ge=1, le=MAX_INSTANT_S)]
HandleField = Annotated[bytes, Meta(min_length=METER_ID_SIZE, max_length=METER_ID_SIZE)]

_RECOVERY: Final = Tag("gridproof/recovery/v1")


class KeyEntry(Record, frozen=True):
    """A key and what it is for.

    Attributes:
        role: a `KeyRole`.
        key: 32 bytes.
    """

    role: int
    key: bytes


def require_keys(keys: Sequence[KeyEntry]) -> None:
    """Return if the keys can be a participant's (rule R-5).

    Raises:
        BadKeyRole: a role is unknown or comes twice.
        BadKey: a key cannot serve its role.
        KeyUsed: one key serves two roles.
        KeyMissing: the list is empty.
    """
    if not keys:
        raise KeyMissing(needed="any")
    roles: list[int] = []
    seen: list[bytes] = []
    for entry in keys:
        require_key(entry.role, entry.key)
        if entry.role in roles:
            raise BadKeyRole(role=entry.role)
        if entry.key in seen:
            raise KeyUsed(key=entry.key)
        roles.append(entry.role)
        seen.append(entry.key)


def recovery_hash(chain_id: str, participant: int, rotations: int, keys: Sequence[KeyEntry]) -> bytes:
    """What a recovery key signs to replace its participant's keys (rule R-9).

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        participant: whose keys, u32.
        rotations: the participant's present count, u32.
        keys: the new keys, of 32 bytes, in the order in which the message carries them.

    Returns:
        32 bytes.
    """
    name = chain_id.encode()
    head = len(name).to_bytes(2, "big") + name + participant.to_bytes(4, "big") + rotations.to_bytes(4, "big")
    return _RECOVERY(head, *(entry.role.to_bytes(1, "big") + entry.key for entry in keys))


# --- messages ------------------------------------------------------------------------------------------------------


class RegisterParticipant(Message, frozen=True, tag=1001):
    """Admit someone (operator); the ledger gives the next id."""

    name: str
    roles: int
    keys: tuple[KeyEntry, ...]

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rules R-2, R-3, R-5, R-7).

        Raises:
            BadName: the name is no name.
            RolesUnknown: a role is unknown.
            BadKeyRole: a key's role is unknown or comes twice.
            BadKey: a key cannot serve its role.
            KeyUsed: one key serves two roles.
            KeyMissing: there is no transaction key.
        """
        require_name(self.name)
        require_roles(self.roles)
        require_keys(self.keys)
        if all(entry.role != KeyRole.TRANSACTION for entry in self.keys):
            raise KeyMissing(needed="transaction")


class SetRoles(Message, frozen=True, tag=1002):
    """Change what a participant may do (operator)."""

    participant: ParticipantField
    roles: int

    def check(self, chain_id: str) -> None:
        """Refuse unknown roles (rule R-3).

        Raises:
            RolesUnknown: a role is unknown.
        """
        require_roles(self.roles)


class RotateKeys(Message, frozen=True, tag=1003):
    """Replace own keys; they count from the next block on. A recovery key is replaced only by `RecoverKeys`."""

    keys: tuple[KeyEntry, ...]

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rule R-5); R-8 is the keeper's, which knows who asks.

        Raises:
            BadKeyRole: a key's role is unknown or comes twice.
            BadKey: a key cannot serve its role.
            KeyUsed: one key serves two roles.
            KeyMissing: the list is empty.
        """
        require_keys(self.keys)


class RecoverKeys(Message, frozen=True, tag=1004):
    """Replace a participant's keys by its recovery key's word; anyone may bring it.

    Attributes:
        participant: whose keys.
        rotations: the participant's count as it was signed, so that the word counts once.
        keys: the new keys, a new recovery key among them if wanted.
        recovery_key: the key that gives the word, 32 bytes; the state must name it as the participant's.
        signature: of that key over `recovery_hash`, 64 bytes.
    """

    participant: ParticipantField
    rotations: Annotated[int, Meta(ge=0, le=U32_MAX)]
    keys: tuple[KeyEntry, ...]
    recovery_key: bytes
    signature: bytes

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rule R-5).

        Raises:
            BadKeyRole: a key's role is unknown or comes twice.
            BadKey: a key cannot serve its role.
            KeyUsed: one key serves two roles.
            KeyMissing: the list is empty.
        """
        require_keys(self.keys)
        require_key(KeyRole.RECOVERY, self.recovery_key)

    def claims(self, chain_id: str) -> Sequence[SignatureClaim]:
        """The recovery key's signature (rule R-9)."""
        signed = recovery_hash(chain_id, self.participant, self.rotations, self.keys)
        return (SignatureClaim(self.recovery_key, signed, self.signature),)


class AddRegion(Message, frozen=True, tag=1005):
    """Add a region (operator); fields as in `types.Region`."""

    region: RegionField
    name: str
    period_s: int
    window_s: int
    window_blocks: int
    opening_s: int
    claim_s: int
    retention_months: int
    k_min: int
    min_live_permille: int

    def check(self, chain_id: str) -> None:
        """Refuse a region that no ledger takes (rules R-2, R-11, R-12).

        Raises:
            BadName: the name is no name.
            PeriodUnsupported: no region has periods of this length.
            OutOfLimits: a parameter lies outside its limits.
            PrivacyTooWeak: a privacy parameter is below its floor.
        """
        require_name(self.name)
        require_period(self.period_s)
        require_parameters(
            {
                "window_s": self.window_s,
                "window_blocks": self.window_blocks,
                "opening_s": self.opening_s,
                "claim_s": self.claim_s,
                "retention_months": self.retention_months,
            }
        )
        require_privacy(self.k_min, self.min_live_permille)


class SetPrivacy(Message, frozen=True, tag=1006):
    """Change a region's privacy parameters (operator); they hold from the next month that is opened."""

    region: RegionField
    k_min: int
    min_live_permille: int

    def check(self, chain_id: str) -> None:
        """Refuse what lies below the floors (rule R-12).

        Raises:
            PrivacyTooWeak: a privacy parameter is below its floor.
            OutOfLimits: one is above its limit.
        """
        require_privacy(self.k_min, self.min_live_permille)


class OpenMonth(Message, frozen=True, tag=1007):
    """Open a region's next month (operator).

    Attributes:
        region: the region.
        month: year x 12 + month - 1.
        start_s: first instant, UTC epoch seconds, on a period's boundary, not before the last month's end.
        end_s: first instant after it.
        tariff: by which its slots are priced; none where the region is counted only.
    """

    region: RegionField
    month: MonthField
    start_s: InstantField
    end_s: InstantField
    tariff: Tariff | None = None

    def check(self, chain_id: str) -> None:
        """Refuse a tariff that contradicts itself (rule R-22).

        Raises:
            BadTariff: it cannot price the month's slots.
        """
        if self.tariff is not None:
            try:
                require_tariff(self.tariff, self.start_s)
            except TariffError as wrong:
                raise BadTariff(detail=wrong.detail) from wrong


class EnrolMeter(Message, frozen=True, tag=1008):
    """Enrol a meter from a period on that has not begun (bill provider).

    Attributes:
        meter: a fresh handle of 16 bytes.
        region: where it stands.
        channels: directions that it reports, ascending.
        from_k: first period that it reports.
    """

    meter: HandleField
    region: RegionField
    channels: tuple[int, ...]
    from_k: PeriodField

    def check(self, chain_id: str) -> None:
        """Refuse channels that no meter has (rule R-17).

        Raises:
            BadChannels: the list is empty, unordered, repeats itself or holds an unknown direction.
        """
        require_channels(self.channels)


class RevokeMeter(Message, frozen=True, tag=1009):
    """End a meter's enrolment from a period on that has not begun (bill provider)."""

    meter: HandleField
    until_k: PeriodField


class SwapMeter(Message, frozen=True, tag=1010):
    """Put a meter in another's stead from a period on: a new device, or a new household (bill provider).

    Attributes:
        old: handle of the meter whose enrolment ends.
        new: fresh handle of the one that begins, in the same region and on the same channels.
        at_k: the period.
    """

    old: HandleField
    new: HandleField
    at_k: PeriodField


class AdvanceClock(Message, frozen=True, tag=1011):
    """Move ledger time forward (operator), where the genesis gives it to the operator.

    Attributes:
        to_s: UTC epoch seconds.
    """

    to_s: InstantField


# --- events --------------------------------------------------------------------------------------------------------


class ParticipantRegistered(Event, frozen=True, tag=1001):
    """Someone takes part under this id."""

    participant: int
    name: str
    roles: int


class RolesSet(Event, frozen=True, tag=1002):
    """A participant may do this from now on."""

    participant: int
    roles: int


class KeysReplaced(Event, frozen=True, tag=1003):
    """A participant's keys of these roles were replaced, by itself or by its recovery key."""

    participant: int
    roles: tuple[int, ...]
    recovered: bool


class RegionAdded(Event, frozen=True, tag=1004):
    """There is a region of this number."""

    region: int
    name: str


class PrivacySet(Event, frozen=True, tag=1005):
    """These privacy parameters hold from the next month that is opened."""

    region: int
    k_min: int
    min_live_permille: int


class MonthOpened(Event, frozen=True, tag=1006):
    """A region's month can be worked in."""

    region: int
    month: int
    start_s: int
    end_s: int


class MeterEnrolled(Event, frozen=True, tag=1007):
    """A region's channels count one meter more from a period on."""

    meter: bytes
    region: int
    from_k: int


class MeterRevoked(Event, frozen=True, tag=1008):
    """A region's channels count one meter less from a period on."""

    meter: bytes
    region: int
    until_k: int


class ClockAdvanced(Event, frozen=True, tag=1009):
    """Ledger time is now this."""

    now_s: int
