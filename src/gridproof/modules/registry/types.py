"""What the registry keeps, and under which keys (README.md, State)."""

from enum import IntEnum, IntFlag
from typing import Final

from gridproof.domain import RegionRules
from gridproof.state import B16, B32, U8, U16, U32, Map, Record

MODULE: Final = 1


class Role(IntFlag):
    """What a participant may do; one may hold several."""

    OPERATOR = 1
    BILL_PROVIDER = 2
    CONTROL_CENTER = 4
    DATA_AGGREGATOR = 8
    AUDITOR = 16

    @property
    def label(self) -> str:
        """The role's name for people and files: `bill_provider`."""
        return str(self.name).lower()


class KeyRole(IntEnum):
    """What a participant's key is for."""

    TRANSACTION = 1  # x-only secp256k1: signs envelopes
    RECEIPT = 2  # x-only secp256k1: a data aggregator's receipts
    ENCRYPTION = 3  # X25519: receives what is sealed to the participant
    RECOVERY = 4  # x-only secp256k1, kept offline: replaces the others when they are lost

    @property
    def label(self) -> str:
        """The key role's name for people and files: `transaction`."""
        return self.name.lower()


class Participant(Record, frozen=True):
    """Someone who takes part under a stable id.

    Attributes:
        name: for people, unique among participants.
        roles: a sum of `Role`s.
        rotations: how often its keys were replaced; a recovery names the count it starts from.
        recovered_at: that count right after the last recovery, 0 before the first; a word for less is spent.
    """

    name: str
    roles: int
    rotations: int
    recovered_at: int = 0


class Region(Record, frozen=True):
    """A part of the grid with its own totals and prices.

    Attributes:
        name: for people.
        period_s: length of a period in seconds.
        window_s: how long after a period's end batches are taken, seconds.
        window_blocks: blocks that must follow a slot's first batch before it closes.
        opening_s: how long after the window the live set may be fixed and masks opened, seconds.
        claim_s: how long after the window a dropped record may be claimed, seconds.
        retention_months: months for which bodies are kept after the month was closed.
        k_min: the fewest live pairs for which a total comes out.
        min_live_permille: the least live share of enrolled meters, in 1/1000.
    """

    name: str
    period_s: int
    window_s: int
    window_blocks: int
    opening_s: int
    claim_s: int
    retention_months: int
    k_min: int
    min_live_permille: int

    @property
    def rules(self) -> RegionRules:
        """How its slots are worked: what aggregation and the actors need of it."""
        return RegionRules(
            self.period_s,
            self.window_s,
            self.window_blocks,
            self.opening_s,
            self.claim_s,
            self.retention_months,
        )


class Month(Record, frozen=True):
    """A region's month as the operator opened it; privacy parameters are those of its opening.

    Attributes:
        start_s: first instant, UTC epoch seconds.
        end_s: first instant after it.
        k_min: the fewest live pairs for which a total comes out.
        min_live_permille: the least live share, in 1/1000.
        closed: whether its slots were folded.
        previous: the month that the region opened before it; 0 for its first.
    """

    start_s: int
    end_s: int
    k_min: int
    min_live_permille: int
    closed: bool
    previous: int


class Meter(Record, frozen=True):
    """A meter under its handle; nothing here tells whose it is, or which leaves of a roster are its own.

    Attributes:
        region: where it stands.
        channels: directions that it reports, ascending.
        from_k: first period that it reports.
        until_k: first period that it no longer reports; 0 while it is enrolled.
    """

    region: int
    channels: tuple[int, ...]
    from_k: int
    until_k: int


class KeyUse(Record, frozen=True):
    """Whose a key is or was, and for what; kept for good.

    Attributes:
        participant: the only one who ever brings it.
        role: a `KeyRole`.
        replaced_s: ledger time at which another took its place, UTC epoch seconds; 0 while it serves.
    """

    participant: int
    role: int
    replaced_s: int


class Enrolment(Record, frozen=True):
    """How many meters a region's channel has, as steps.

    Attributes:
        steps: (k, meters enrolled from period k on), k ascending, each count another than the one before it.
        known_from_k: first period that the steps tell of; those before it were forgotten with their months.
    """

    steps: tuple[tuple[int, int], ...]
    known_from_k: int = 0


PARTICIPANTS: Final = Map(module=MODULE, collection=1, key=(U32,), value=Participant)
KEYS: Final = Map(module=MODULE, collection=2, key=(U32, U8), value=B32)
LAST_PARTICIPANT: Final = Map(module=MODULE, collection=3, key=(), value=U32)
REGIONS: Final = Map(module=MODULE, collection=4, key=(U16,), value=Region)
MONTHS: Final = Map(module=MODULE, collection=5, key=(U16, U32), value=Month)
LAST_MONTH: Final = Map(module=MODULE, collection=6, key=(U16,), value=U32)
METERS: Final = Map(module=MODULE, collection=7, key=(B16,), value=Meter)
ENROLMENTS: Final = Map(module=MODULE, collection=8, key=(U16, U8), value=Enrolment)
NAMES: Final = Map(module=MODULE, collection=9, key=(B32,), value=U32)
KEY_USES: Final = Map(module=MODULE, collection=10, key=(B32,), value=KeyUse)
