"""What the bill provider hands out at an enrolment: the meter's file with both secrets, the household's with one.

Rules:
    E-1 The household gets the view secret only: with the sign secret it could send a low record before the meter does.
    E-2 A file names one month and holds the chain keys of that month: months before cannot be had from it.
"""

from pathlib import Path
from typing import Final, Protocol, TypeVar

from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, Secret, next_chain_key
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Record

from .errors import ChannelUnknownError, MonthErasedError, SecretFormatError

VERSION: Final = 1
METER_PURPOSE: Final = "meter/enrolment"
HOUSEHOLD_PURPOSE: Final = "household/view"


class ChainPair(Record, frozen=True):
    """Chain keys of a place.

    Attributes:
        channel: import or export.
        sign: chain key of the one-time keys, 32 bytes.
        view: chain key of masks and splits, 32 bytes.
    """

    channel: int
    sign: bytes
    view: bytes

    def __repr__(self) -> str:
        return f"ChainPair({Direction(self.channel).label}, hidden)"


class ViewChain(Record, frozen=True):
    """The household's half of a `ChainPair`."""

    channel: int
    view: bytes

    def __repr__(self) -> str:
        return f"ViewChain({Direction(self.channel).label}, hidden)"


class MeterFile(Record, frozen=True):
    """What a meter holds.

    Attributes:
        version: of this form.
        chain_id: of the ledger that its records are for.
        name: the meter's name among people.
        meter: its handle on the ledger, 16 bytes.
        region: where it stands.
        month: whose chain keys these are.
        from_k: first period that it reports.
        chains: one a channel.
    """

    version: int
    chain_id: str
    name: str
    meter: bytes
    region: int
    month: int
    from_k: int
    chains: tuple[ChainPair, ...]

    def in_month(self, month: int) -> "MeterFile":
        """The file as it is for a later month: the keys of the months before are not in it.

        Raises:
            MonthErasedError: the month lies before the file's.
        """
        steps = _steps(f"meter {self.name}", self.month, month)
        chains = tuple(
            ChainPair(each.channel, advance(each.sign, Secret.SIGN, steps), advance(each.view, Secret.VIEW, steps))
            for each in self.chains
        )
        return MeterFile(self.version, self.chain_id, self.name, self.meter, self.region, month, self.from_k, chains)

    def chain(self, channel: int) -> ChainPair:
        """The chain keys of a channel.

        Raises:
            ChannelUnknownError: the meter does not report on it.
        """
        for each in self.chains:
            if each.channel == channel:
                return each
        raise ChannelUnknownError(meter=self.name, channel=Direction(channel).label)

    def for_household(self) -> "HouseholdFile":
        """The file without the sign secret (E-1)."""
        views = tuple(ViewChain(each.channel, each.view) for each in self.chains)
        return HouseholdFile(
            self.version, self.chain_id, self.name, self.meter, self.region, self.month, self.from_k, views
        )


class HouseholdFile(Record, frozen=True):
    """What a household holds: fields as in `MeterFile`, with view chain keys only."""

    version: int
    chain_id: str
    name: str
    meter: bytes
    region: int
    month: int
    from_k: int
    views: tuple[ViewChain, ...]

    def view_in_month(self, channel: int, month: int) -> bytes:
        """The view chain key of a channel in a month.

        Raises:
            MonthErasedError: the month lies before the file's.
            ChannelUnknownError: the meter does not report on it.
        """
        steps = _steps(f"household {self.name}", self.month, month)
        for each in self.views:
            if each.channel == channel:
                return advance(each.view, Secret.VIEW, steps)
        raise ChannelUnknownError(meter=self.name, channel=Direction(channel).label)

    def identity_view(self, month: int) -> bytes:
        """The view chain key that the household's billing identity of a month comes from: of its first channel.

        Raises:
            MonthErasedError: the month lies before the file's.
        """
        return self.view_in_month(min(view.channel for view in self.views), month)


class Versioned(Protocol):
    """A secret that says of which form it is."""

    @property
    def version(self) -> int:
        """Number of the form."""


V = TypeVar("V", bound=Versioned)
_METER: Final = Codec(MeterFile)
_HOUSEHOLD: Final = Codec(HouseholdFile)


def advance(key: bytes, secret: Secret, steps: int) -> bytes:
    """A chain key some months on."""
    for _ in range(steps):
        key = next_chain_key(key, secret)
    return key


def write_meter(secrets: SecretFiles, path: Path, content: MeterFile) -> None:
    """Write a meter's file; one that it replaces is overwritten.

    Raises:
        FileError: it cannot be written; what stood there before still stands.
    """
    secrets.write(path, _METER.encode(content), METER_PURPOSE)


def read_meter(secrets: SecretFiles, path: Path) -> MeterFile:
    """Read a meter's file.

    Raises:
        FileError, SecretFileError: it is not there, exposed, sealed, or no secret of a meter.
        SecretFormatError: its content is not a meter's.
    """
    return decode_secret(_METER, secrets.read(path, METER_PURPOSE), "meter file", VERSION)


def write_household(secrets: SecretFiles, path: Path, content: HouseholdFile) -> None:
    """Write a household's file; one that it replaces is overwritten.

    Raises:
        FileError: it cannot be written; what stood there before still stands.
    """
    secrets.write(path, _HOUSEHOLD.encode(content), HOUSEHOLD_PURPOSE)


def read_household(secrets: SecretFiles, path: Path) -> HouseholdFile:
    """Read a household's file.

    Raises:
        FileError, SecretFileError: it is not there, exposed, sealed, or no secret of a household.
        SecretFormatError: its content is not a household's.
    """
    return decode_secret(_HOUSEHOLD, secrets.read(path, HOUSEHOLD_PURPOSE), "household file", VERSION)


def decode_secret(codec: Codec[V], raw: bytes, what: str, version: int) -> V:
    """Read a secret file's content.

    Raises:
        SecretFormatError: it is of another form or version.
    """
    try:
        content = codec.decode(raw)
    except PrimitiveError as wrong:
        raise SecretFormatError(what=what, detail=str(wrong)) from wrong
    if content.version != version:
        raise SecretFormatError(what=what, detail=f"version {content.version}, known is {version}")
    return content


def _steps(what: str, held: int, month: int) -> int:
    if month < held:
        raise MonthErasedError(what=what, month=month)
    return month - held
