"""What one may ask of the registry, and what it announces."""

from gridproof.state import Event, Message, Record


class KeyEntry(Record, frozen=True):
    """A key and what it is for.

    Attributes:
        role: a `KeyRole`.
        key: 32 bytes.
    """

    role: int
    key: bytes


class RegisterParticipant(Message, frozen=True, tag=1001):
    """Admit someone (operator); the ledger gives the next id."""

    name: str
    roles: int
    keys: tuple[KeyEntry, ...]


class SetRoles(Message, frozen=True, tag=1002):
    """Change what a participant may do (operator)."""

    participant: int
    roles: int


class RotateKeys(Message, frozen=True, tag=1003):
    """Replace own keys; they count from the next block on. A recovery key is replaced only by `RecoverKeys`."""

    keys: tuple[KeyEntry, ...]


class RecoverKeys(Message, frozen=True, tag=1004):
    """Replace a participant's keys by its recovery key's word; anyone may bring it.

    Attributes:
        participant: whose keys.
        rotations: the participant's count, so that the word counts once.
        keys: the new keys, a new recovery key among them if wanted.
        signature: of the recovery key over `recovery_hash`.
    """

    participant: int
    rotations: int
    keys: tuple[KeyEntry, ...]
    signature: bytes


class AddRegion(Message, frozen=True, tag=1005):
    """Add a region (operator); fields as in `types.Region`."""

    region: int
    name: str
    period_s: int
    window_s: int
    window_blocks: int
    opening_s: int
    claim_s: int
    retention_months: int
    k_min: int
    min_live_permille: int


class SetPrivacy(Message, frozen=True, tag=1006):
    """Change a region's privacy parameters (operator); they hold from the next month that is opened."""

    region: int
    k_min: int
    min_live_permille: int


class OpenMonth(Message, frozen=True, tag=1007):
    """Open a region's next month (operator).

    Attributes:
        region: the region.
        month: year x 12 + month - 1.
        start_s: first instant, UTC epoch seconds, on a period's boundary, not before the last month's end.
        end_s: first instant after it.
    """

    region: int
    month: int
    start_s: int
    end_s: int


class EnrolMeter(Message, frozen=True, tag=1008):
    """Enrol a meter from a period on that has not begun (bill provider).

    Attributes:
        meter: a fresh handle of 16 bytes.
        region: where it stands.
        channels: directions that it reports, ascending.
        from_k: first period that it reports.
    """

    meter: bytes
    region: int
    channels: tuple[int, ...]
    from_k: int


class RevokeMeter(Message, frozen=True, tag=1009):
    """End a meter's enrolment from a period on that has not begun (bill provider)."""

    meter: bytes
    until_k: int


class SwapMeter(Message, frozen=True, tag=1010):
    """Put a meter in another's stead from a period on: a new device, or a new household (bill provider).

    Attributes:
        old: handle of the meter whose enrolment ends.
        new: fresh handle of the one that begins, in the same region and on the same channels.
        at_k: the period.
    """

    old: bytes
    new: bytes
    at_k: int


class AdvanceClock(Message, frozen=True, tag=1011):
    """Move ledger time forward (operator), where the genesis gives it to the operator.

    Attributes:
        to_s: UTC epoch seconds.
    """

    to_s: int


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
