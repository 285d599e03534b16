"""Cards and registers: what the bill provider tells households in advance, and what meters tell it for the bill.

A card binds a household's roster leaves and the key of its registers; it is dealt when the month's rosters are made, or
with an enrolment in mid-month, before any slot that it binds can be billed.

Source: private-metering.md, rows 21 and 22.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from gridproof.actors.bills.words import (
    CARD_VERSION,
    Card,
    CardPart,
    RegisterStretchError,
    RegisterWord,
    RegisterWordError,
    card_path,
    write_card,
)
from gridproof.actors.seat import Seat
from gridproof.connectors.bill_book import BillBook
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.registers import SignedRegister
from gridproof.connectors.secret_files import erase

from .keys import Keys, Line, PlaceAccount
from .months import Shelf
from .places import Epoch, Place, PlaceBook


class Cards:
    """Deals cards and takes registers.

    Args:
        book: of places.
        keys: of the months.
        shelf: where files lie.
        seat: signs cards.
        bills: opens the book that keeps registers.
    """

    def __init__(self, book: PlaceBook, keys: Keys, shelf: Shelf, seat: Seat, bills: Callable[[], BillBook]) -> None:
        self._book = book
        self._keys = keys
        self._shelf = shelf
        self._seat = seat
        self._bills = bills
        self._accounts: dict[tuple[Line, int], dict[int, PlaceAccount]] = {}
        self._dealt: set[tuple[bytes, int]] = set()

    def deal(self) -> None:
        """Write the cards that households have not got yet.

        Raises:
            FileError: one cannot be written.
        """
        meters = self._book.by_meter()
        for month in sorted({epoch.month for epoch in self._book.epochs()}):
            self._accounts.clear()  # an epoch that was struck was made anew, with other leaves
            for meter, places in meters.items():
                if (meter, month) not in self._dealt:
                    self._deal_one(places, month)

    def withdraw(self, line: Line, month: int) -> None:
        """Take back the cards that bind rosters which were never published, and never will be.

        Raises:
            FileUnwritableError: the system refuses.
        """
        for meter, places in self._book.by_meter().items():
            if any(place.line == line for place in places):
                self._dealt.discard((meter, month))
                with suppress(FileMissingError):
                    erase(card_path(self._shelf.cards, meter, month))

    def _deal_one(self, places: Sequence[Place], month: int) -> None:
        """Write a household's card of a month, once the rosters of all its channels are made."""
        made = {place.number: self._epoch_of(place, month) for place in places}
        epochs = [epoch for epoch in made.values() if epoch is not None]
        if len(epochs) < len(places):
            return
        path = card_path(self._shelf.cards, places[0].meter, month)
        if not path.exists():
            parts = tuple(map(self._part, places, epochs))
            bid = self._account(places[0], month).bid
            region, chain_id, key = places[0].region, self._seat.chain_id, self._seat.public_key
            card = Card(CARD_VERSION, chain_id, region, month, bid, parts, key, signature=b"")
            write_card(self._shelf.secrets, path, replace(card, signature=self._seat.sign(card.digest)))
        self._dealt.add((places[0].meter, month))

    def _epoch_of(self, place: Place, month: int) -> Epoch | None:
        """A month's first epoch, where the place's meter reports in that month and stands in it."""
        for epoch in self._book.epochs(place.line, month)[:1]:
            reports = place.from_k < epoch.bounds.end_k and not place.ended_by(max(epoch.bounds.first_k, place.from_k))
            return epoch if reports and place.number in epoch.places else None
        return None

    def _part(self, place: Place, epoch: Epoch) -> CardPart:
        account = self._account(place, epoch.month)
        periods = epoch.bounds.end_k - account.first_k
        return CardPart(place.channel, account.first_k, periods, account.root, account.register_key)

    def _account(self, place: Place, month: int) -> PlaceAccount:
        if (place.line, month) not in self._accounts:
            self._accounts[place.line, month] = self._keys.accounts(place.line, month)
        return self._accounts[place.line, month][place.number]

    def take_register(self, word: RegisterWord) -> None:
        """Keep a meter's signed register for its bill; the first of a month stays.

        Raises:
            RegisterWordError: the meter did not sign it, or is none of this month.
            RegisterStretchError: it was read over another stretch than the bill's.
            MonthErasedError: the month's accounts were erased.
        """
        for place in self._book.by_meter().get(word.meter, ()):
            epoch = self._epoch_of(place, word.month) if place.channel == word.channel else None
            if epoch is not None:
                word.verify(self._seat.chain_id, self._account(place, word.month).register_key)
                _require_stretch(word, place, epoch)
                self._bills().take_register(SignedRegister(word.meter, word.month, word.span, word.signature))
                return
        raise RegisterWordError(channel=word.channel_name, end_k=word.end_k)


def _require_stretch(word: RegisterWord, place: Place, epoch: Epoch) -> None:
    """Return if a register covers what is billed of a place in a month, and ends with it.

    Raises:
        RegisterStretchError: it does not.
    """
    bounds = epoch.bounds
    from_k, until_k = bounds.stretch(place.from_k, place.until_k)
    if word.start_k > from_k or word.end_k != until_k:
        raise RegisterStretchError(start_k=word.start_k, end_k=word.end_k, from_k=from_k, until_k=until_k)
