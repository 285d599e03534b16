"""The end of a month: when its bills are final, what they were made from is erased.

Rules:
    E-1 A month's bills are final when the month is closed, no bill of it is owed, what is made is registered, and every
        objection is answered and, if it was upheld, mended by a later version.
    E-2 What is erased: view seeds, accounts, whose each roster leaf was, the meters' signed registers, and what killed
        runs left of gathered records. The bills stay, sealed and noted, and the ledger has what it has.
    E-3 Where the ledger has forgotten a month's records, no bill of it can be made any more: it is finished as it is.

Source: private-metering.md, row 11.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from gridproof.actors.errors import BillsNeverMadeError, BillsNotFinalError
from gridproof.domain import Direction, MonthId, month_label
from gridproof.modules.billing import queries as billing
from gridproof.modules.pricing import queries as pricing
from gridproof.modules.registry import queries as registry

from .billing import Billing
from .gathering import Gatherer
from .keys import Line
from .provider import BillProvider

_MAX_NAMED: Final = 5


class Finishing:
    """Finishes months.

    Args:
        provider: whose keys and book are used.
        bills: its work on bills.
    """

    def __init__(self, provider: BillProvider, bills: Billing) -> None:
        self._provider = provider
        self._bills = bills

    def require_final(self, region: int, month: MonthId) -> None:
        """Return if a month's bills are final, or its erasing was begun (E-1).

        Raises:
            BillsNotFinalError: they are not.
        """
        if not self._is_begun(region, month):
            for detail in self.unsettled(region, month):
                raise BillsNotFinalError(region=region, month=month_label(month), detail=detail)

    def finish(self, region: int, month: MonthId) -> None:
        """Erase what a month's bills were made from (E-2); harmless where that was done. Whether it may, ask before.

        Raises:
            FileError, DatabaseError: a file cannot be read or written.
        """
        provider = self._provider
        Gatherer(provider.seat, provider.book, provider.months, provider.folder).clear()
        provider.finish_month(region, month)

    def finish_forgotten(self, region: int, month: MonthId) -> BillsNeverMadeError | None:
        """Finish a month whose records the ledger has forgotten, and take its rosters down (E-3).

        Returns:
            What was not settled, where something was not.

        Raises:
            FileError, DatabaseError: a file cannot be read or written.
        """
        unsettled = () if self._is_begun(region, month) else tuple(self.unsettled(region, month))
        self.finish(region, month)
        self._provider.take_down(region, month)
        return BillsNeverMadeError(region=region, month=month_label(month), detail=unsettled[0]) if unsettled else None

    def unsettled(self, region: int, month: MonthId) -> Iterator[str]:
        """What keeps a month's bills from being final, a sentence each (E-1)."""
        ask = self._provider.seat.ask
        known = ask(registry.month, region, month)
        if known is None:
            yield "the month is not closed, nor was it opened: `gridproof status` lists the months that were"
            return
        if not known.closed:
            yield "the month is not closed: `gridproof run --until` past its last deadline closes it"
            return
        if self._provider.is_finished(region, month) or not ask(pricing.tariffs, region, month):
            return
        names = {bid: name for bid, (name, _) in self._bills.billed(region, month).items()}
        owed = {name for bid, name in names.items() if not ask(billing.last_version, region, month, bid)}
        if owed:
            yield f"a bill is owed to {_listed(owed)}: `gridproof bill make`"
        noted = (note for note in self._bills.noted(region, month) if self._bills.waits(note))
        waiting = {names.get(note.bid, "") for note in noted} - owed
        if waiting:
            yield f"a corrected bill of {_listed(waiting)} is not registered: `gridproof bill make`"
        yield from self._open_objections(region, month, names)

    def _open_objections(self, region: int, month: MonthId, names: dict[bytes, str]) -> Iterator[str]:
        ask = self._provider.seat.ask
        unanswered, unmended = set(), set()
        for bid, _, raised in ask(billing.month_objections, region, month):
            name = names.get(bid, "")
            if raised.answer is None:
                unanswered.add(name)
            elif raised.answer.upheld and ask(billing.last_version, region, month, bid) <= raised.version:
                unmended.add(name)
        if unanswered:
            yield f"an objection of {_listed(unanswered)} has no answer: `gridproof bill answer`"
        if unmended:
            yield f"an objection of {_listed(unmended)} was upheld and its bill not corrected: `bill make --correct`"

    def _is_begun(self, region: int, month: MonthId) -> bool:
        """Whether a kill cut the erasing short after the keys were gone."""
        lines = (Line(region, channel) for channel in Direction)
        had = [line for line in lines if self._provider.book.epochs(line, month)]
        return any(self._provider.keys.is_erased(line, month) for line in had)


def _listed(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _MAX_NAMED
    return ", ".join(ordered[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
