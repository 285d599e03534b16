"""A household and its bills: it finds them under its own identity, opens them, recomputes them, and objects.

Rules:
    U-1 What is fetched is held against the digest on the ledger before it is opened; nothing else is opened.
    U-2 An objection is signed by the month's billing identity and sealed to the bill provider; whoever brings it is not
        the household, so that it names nobody.
    U-3 The same words to the same version of a bill are one objection, however often they are said. So the number is
        that after those that were looked through: what is still under way has it too, and the ledger takes one of them.

Source: seed 002, dynamic billing phase, step h; private-metering.md, rows 17 and 23.
"""

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.errors import ActorError
from gridproof.connectors.content import ContentError, ContentStore
from gridproof.connectors.files import FileMissingError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import MonthId, bill_key, month_label, reasons_info, seal_secret
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.messages import ObjectToBill, objection_hash
from gridproof.modules.billing.types import Bill, Objection
from gridproof.primitives import hpke
from gridproof.primitives.cid import cid_v1
from gridproof.primitives.errors import DecryptionError, InvalidArgumentError
from gridproof.primitives.schnorr import Signer

from .evidence import LeavesOf, LedgerEvidence, is_pruned
from .report import Report, ReportFormatError
from .sealing import open_report, pack, unpack
from .verifying import BillVerdict, verify_report
from .words import Card, card_path, read_card

MAX_REASONS: Final = 4_000  # characters


class NoBillError(ActorError):
    """No such bill is registered for this household. `gridproof bill list` shows those that are."""

    household: str
    month: str
    version: int


class ReportReplacedError(ActorError):
    """What lies under the bill's name is not what was registered; it was not opened. Have the bill published again."""

    cid: str


class ReasonsError(ActorError):
    """The reasons of an objection have 1 to 4,000 characters; nothing was sent. Shorten them."""

    length: int


class OpenedBill(NamedTuple):
    """A bill as a household opened it.

    Attributes:
        report: what it says.
        sealed: as it lies in the content store.
        version: of the bill.
        registered: as it stands on the ledger.
    """

    report: Report
    sealed: bytes
    version: int
    registered: Bill


class Reasons(NamedTuple):
    """Sealed reasons, and the message that puts them on record.

    Attributes:
        sealed: to be put into the content store.
        message: the objection, signed.
    """

    sealed: bytes
    message: ObjectToBill


class BillReader:
    """A household's way to its bills.

    Args:
        file: the household's, with its view secret.
        ledger: where bills are registered.
        content: where sealed reports lie.
        cards: the folder of cards.
        secrets: opens them.
        leaves_of: gives the leaves of slots' rosters, which are public.
    """

    def __init__(
        self,
        file: HouseholdFile,
        ledger: LedgerClient,
        content: ContentStore,
        cards: Path,
        secrets: SecretFiles,
        leaves_of: LeavesOf,
    ) -> None:
        self._file = file
        self._ledger = ledger
        self._content = content
        self._cards = cards
        self._secrets = secrets
        self._leaves_of = leaves_of

    def identity(self, month: MonthId) -> Signer:
        """The household's billing identity of a month, ready to sign.

        Raises:
            MonthErasedError: the month lies before the household's file.
        """
        return bill_key(self._file.identity_view(month))

    def versions(self, month: MonthId) -> tuple[tuple[int, Bill], ...]:
        """The registered versions of a month's bill, ascending.

        Raises:
            MonthErasedError: the month lies before the household's file.
        """
        bid = self.identity(month).public_key
        return self._ledger.ask(billing.versions, self._file.region, month, bid)

    def objections(self, month: MonthId) -> tuple[tuple[int, Objection], ...]:
        """The household's objections of a month with their numbers, ascending."""
        return self._ledger.ask(billing.objections, self._file.region, month, self.identity(month).public_key)

    def open(self, month: MonthId, version: int | None = None) -> OpenedBill:
        """Fetch a bill, hold it against the ledger, and open it (U-1).

        Args:
            month: the month.
            version: of the bill; the last one when None.

        Raises:
            NoBillError: there is no such bill.
            ContentError: its report is not to be had, or altered.
            ReportReplacedError: the store has something else than was registered.
            ReportFormatError: it does not open, or is no report.
        """
        registered = dict(self.versions(month))
        wanted = max(registered, default=0) if version is None else version
        known = registered.get(wanted)
        if known is None:
            raise NoBillError(household=self._file.name, month=month_label(month), version=wanted)
        sealed = self._content.get(known.cid)
        if sha256(sealed).digest() != known.digest:
            raise ReportReplacedError(cid=known.cid)
        return OpenedBill(open_sealed(sealed, self._file, month, wanted), sealed, wanted, known)

    def card(self, month: MonthId) -> Card | None:
        """The month's card, or None where the household has none.

        Raises:
            FileError, SecretFileError: it cannot be read.
        """
        try:
            return read_card(self._secrets, card_path(self._cards, self._file.meter, month), month)
        except FileMissingError:
            return None

    def verify(self, opened: OpenedBill, month: MonthId) -> BillVerdict:
        """Recompute an opened bill against the ledger; as far as it goes where the ledger has forgotten the records.

        Raises:
            NoMonthError: the ledger has no such closed month.
            FileError, RosterFileError: a card or a roster file cannot be read.
        """
        chain_id = self._ledger.status().chain_id
        evidence = LedgerEvidence(self._ledger, chain_id, self._file.region, month, self._leaves_of)
        bounds = evidence.bounds()
        pruned = bounds is not None and is_pruned(self._ledger, self._file.region, bounds)
        return verify_report(opened.report, self._file, evidence, self.card(month), pruned=pruned)

    def same_objection(
        self,
        month: MonthId,
        version: int,
        reasons: str,
        raised: Sequence[tuple[int, Objection]],
        opening_secrets: list[bytes],
    ) -> int | None:
        """The number of the first objection to a bill that says the same, or None (U-3).

        Args:
            month: the month.
            version: of the bill.
            reasons: what is wrong, in words.
            raised: the household's objections of the month with their numbers.
            opening_secrets: the bill provider's encryption secrets: its reasons open with nothing else.
        """
        chain_id, bid = self._ledger.status().chain_id, self.identity(month).public_key
        for number, each in raised:
            if each.version != version:
                continue
            info = reasons_info(chain_id, self._file.region, month, bid, number, answer=False)
            with suppress(ContentError, ReportFormatError):  # what cannot be read is not known to say the same
                if open_reasons(self._content.get(each.cid), opening_secrets, info) == reasons:
                    return number
        return None

    def objection(
        self, month: MonthId, version: int, reasons: str, provider_key: bytes, number: int | None = None
    ) -> Reasons:
        """Object to a bill (U-2).

        Args:
            month: the month.
            version: of the bill.
            reasons: what is wrong, in words.
            provider_key: the bill provider's encryption key, 32 bytes.
            number: of the objection; the identity's next one when None.

        Raises:
            NoBillError: there is no such bill.
            ReasonsError: there are no words, or too many.
        """
        if not 1 <= len(reasons) <= MAX_REASONS:
            raise ReasonsError(length=len(reasons))
        if version not in dict(self.versions(month)):
            raise NoBillError(household=self._file.name, month=month_label(month), version=version)
        signer, chain_id = self.identity(month), self._ledger.status().chain_id
        region, bid = self._file.region, signer.public_key
        if number is None:
            number = 1 + self._ledger.ask(billing.last_objection, region, month, bid)
        info = reasons_info(chain_id, region, month, bid, number, answer=False)
        sealed = hpke.seal(provider_key, info, pack(reasons.encode()))
        unsigned = ObjectToBill(region, month, bid, version, number, cid_v1(sealed), sha256(sealed).digest(), bytes(64))
        signature = signer.sign(objection_hash(chain_id, unsigned))
        message = ObjectToBill(region, month, bid, version, number, unsigned.cid, unsigned.digest, signature)
        return Reasons(sealed, message)

    def answer(self, month: MonthId, number: int, objection: Objection) -> str | None:
        """Read the answer to an objection, or None where it has none yet.

        Raises:
            ContentError: it is not to be had.
            ReportFormatError: it does not open.
        """
        if objection.answer is None:
            return None
        sealed = self._content.get(objection.answer.cid)
        view, chain_id = self._file.identity_view(month), self._ledger.status().chain_id
        bid = self.identity(month).public_key
        info = reasons_info(chain_id, self._file.region, month, bid, number, answer=True)
        return open_reasons(sealed, [seal_secret(view)], info)


def open_sealed(sealed: bytes, file: HouseholdFile, month: MonthId, version: int) -> Report:
    """Open a household's sealed report.

    Raises:
        MonthErasedError: the month lies before the household's file.
        ReportFormatError: it does not open, or is no report.
    """
    view = file.identity_view(month)
    bid = bill_key(view).public_key
    return open_report(sealed, seal_secret(view), file.chain_id, file.region, month, bid, version)


def open_reasons(sealed: bytes, opening_secrets: list[bytes], info: bytes) -> str:
    """Open sealed reasons with one of some keys: an encryption key may have been replaced meanwhile.

    Raises:
        ReportFormatError: none of them opens it.
    """
    for secret in opening_secrets:
        try:
            return unpack(hpke.unseal(secret, info, sealed)).decode()
        except (DecryptionError, InvalidArgumentError, UnicodeDecodeError):
            continue
    raise ReportFormatError(detail="the reasons do not open with any of the keys here")
