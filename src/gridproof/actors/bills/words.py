"""What meter, bill provider and household hand one another: signed registers, and the card of a month.

None of it goes to the ledger. A card is handed out before the month's first slot that it binds; so the bill provider
cannot afterwards say that other leaves were the household's.

Source: private-metering.md, rows 21 and 22.
"""

from pathlib import Path
from typing import Final

from gridproof.actors.enrolment import decode_secret
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import CardChannel, Direction, MonthId, RegisterSpan, card_hash, register_hash
from gridproof.errors import GridproofError
from gridproof.primitives import schnorr
from gridproof.primitives.encoding import Codec
from gridproof.state import Record

CARD_VERSION: Final = 1


class WordError(GridproofError):
    """A signed word is not what it should be; nothing was taken from it."""


class RegisterWordError(WordError):
    """The register's signature is not the meter's for this month; it was not taken. Have the meter sign it again."""

    channel: str
    end_k: int


class RegisterStretchError(WordError):
    """The register was read over another stretch than the bill's; it was not taken. Have the meter sign the right one.

    It ends where the month's bill ends, and begins there where the bill does, or before.
    """

    start_k: int
    end_k: int
    from_k: int
    until_k: int


class CardError(WordError):
    """The card is not the bill provider's word for this household and month. Ask the bill provider for its own."""

    detail: str


class RegisterWord(Record, frozen=True):
    """A meter's signed register.

    Attributes:
        meter: the meter's handle, 16 bytes.
        month: the month that the stretch lies in.
        channel: import or export.
        start_k: period at whose start the first value was read.
        end_k: period at whose start the second one was.
        start_wh: first value, Wh.
        end_wh: second value, Wh.
        signature: by the month's register key, 64 bytes.
    """

    meter: bytes
    month: int
    channel: int
    start_k: int
    end_k: int
    start_wh: int
    end_wh: int
    signature: bytes

    @property
    def span(self) -> RegisterSpan:
        """What was read."""
        return RegisterSpan(self.channel, self.start_k, self.end_k, self.start_wh, self.end_wh)

    @property
    def channel_name(self) -> str:
        """The channel for people, or its number where there is none such."""
        return next((each.label for each in Direction if each == self.channel), str(self.channel))

    def verify(self, chain_id: str, register_key: bytes) -> None:
        """Return if the month's register key signed it.

        Raises:
            RegisterWordError: it did not.
        """
        known = self.channel in tuple(Direction)
        signed = register_hash(chain_id, self.meter, MonthId(self.month), self.span) if known else b""
        if not known or not schnorr.is_valid(register_key, signed, self.signature):
            raise RegisterWordError(channel=self.channel_name, end_k=self.end_k)


class CardPart(Record, frozen=True):
    """What a card binds of a channel: the fields of `CardChannel`."""

    channel: int
    first_k: int
    periods: int
    root: bytes
    register_key: bytes


class Card(Record, frozen=True):
    """The card of a household's month.

    Attributes:
        version: of this form.
        chain_id: of the ledger.
        region: the region.
        month: the month.
        bid: the billing identity, 32 bytes.
        parts: one a channel.
        key: the bill provider's transaction key when it signed, x-only, 32 bytes.
        signature: by that key over `card_hash`, 64 bytes.
    """

    version: int
    chain_id: str
    region: int
    month: int
    bid: bytes
    parts: tuple[CardPart, ...]
    key: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """What is signed."""
        channels = [CardChannel(*(getattr(part, name) for name in CardChannel._fields)) for part in self.parts]
        return card_hash(self.chain_id, self.region, MonthId(self.month), self.bid, channels)

    def part(self, channel: int) -> CardPart | None:
        """What it binds of a channel, or None."""
        return next((part for part in self.parts if part.channel == channel), None)

    def verify(self, chain_id: str, bid: bytes) -> None:
        """Return if the card is for this ledger and identity, and signed by the key that it names.

        Whose that key is, the ledger tells.

        Raises:
            CardError: it is not.
        """
        if (self.chain_id, self.bid) != (chain_id, bid):
            raise CardError(detail="it is another household's, another month's or another ledger's")
        if not schnorr.is_valid(self.key, self.digest, self.signature):
            raise CardError(detail="its signature is false")


_CARD: Final = Codec(Card)


def card_path(cards: Path, meter: bytes, month: int) -> Path:
    """Where a household's card of a month lies, in the folder of cards: under its handle."""
    return cards / meter.hex() / f"{month}.card"


def write_card(secrets: SecretFiles, path: Path, card: Card) -> None:
    """Write a card; one that it replaces is overwritten.

    Raises:
        FileError: it cannot be written.
    """
    secrets.write(path, _CARD.encode(card), _purpose(card.month))


def read_card(secrets: SecretFiles, path: Path, month: int) -> Card:
    """Read a card.

    Raises:
        FileError, SecretFileError: it is not there, exposed, sealed, or no card of this month.
        SecretFormatError: its content is not a card.
    """
    return decode_secret(_CARD, secrets.read(path, _purpose(month)), "month card", CARD_VERSION)


def _purpose(month: int) -> str:
    return f"household/card/{month}"
