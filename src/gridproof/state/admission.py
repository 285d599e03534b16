"""Which transactions may enter a block.

Admission is a function of the last committed state and of the transactions alone; nothing is executed for it:
- E-1 a transaction is the canonical encoding of known messages, for this chain, from a known participant;
- E-2 its signature fits the key that the sender had when the last block was committed;
- E-3 it has not expired at the block's ledger time;
- E-4 within a block a sender's nonces go on without a gap from the committed one;
- E-5 each message passes its own `check`, and all signatures that it claims hold.
A proposer also orders (nobody holds it to that):
- E-6 transactions stand as they arrived, but for what validators decide (`Message.place`): their votes are few and
  small and must not wait behind a full block of batches. Everything else may hang on what came before it, closings on
  batches and batches on the clock, so it keeps its order. A transaction stands at the last place of its messages, and
  never before an earlier one of its sender.
E-1 to E-4 are the envelope and cheap; E-5 may be dear, so its verdict is kept by the message's hash and used again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gridproof.domain import ParticipantId
from gridproof.errors import GridproofError, Refusal
from gridproof.primitives.encoding import Codec

from . import system
from .errors import (
    BadEnvelopeSignature,
    CheckFailed,
    Expired,
    MalformedTransaction,
    NonceAhead,
    NonceUsed,
    UnknownSender,
    WrongChain,
)
from .records import Message, SignatureClaim
from .tables import Reader
from .transaction import NONCE_WINDOW, Transaction, decode_transaction, message_hash
from .verifier import Verifier

KEPT_VERDICTS = 65_536
KEPT_DECODED = 8_192
KEPT_BYTES = 32 * 2**20  # of decoded transactions


class Accounts(Protocol):
    """Who may send, and with which key."""

    def transaction_key(self, view: Reader, participant: ParticipantId) -> bytes | None:
        """The x-only key that the participant signs transactions with, or None."""


class Admission:
    """Decides which transactions may enter a block.

    Args:
        messages: knows all messages that the ledger takes.
        accounts: who may send, and with which key.
        verifier: checks signatures.
    """

    def __init__(self, messages: Codec[Message], accounts: Accounts, verifier: Verifier) -> None:
        self._messages = messages
        self._accounts = accounts
        self._verifier = verifier
        self._chain_id = ""
        self._verdicts: OrderedDict[bytes, Refusal | None] = OrderedDict()
        self._decoded: OrderedDict[bytes, Transaction] = OrderedDict()
        self._decoded_bytes = 0
        self._uncounted: list[int] = []  # sizes of what was stored since
        self._turns = [True]

    def open_envelopes(
        self, view: Reader, raws: Sequence[bytes], now_s: int, unknown: frozenset[type[Message]] = frozenset()
    ) -> list[Transaction | Refusal]:
        """Decode transactions and test their envelopes but for the nonce's exact place (rules E-1 to E-3).

        Signatures whose verdict is not known are checked together.

        Args:
            view: the last committed state.
            raws: the transactions as they came.
            now_s: ledger time, UTC epoch seconds.
            unknown: messages that the ledger does not take yet.

        Returns:
            For each its transaction, or the refusal.
        """
        if not self._chain_id:
            self._chain_id = system.chain(view).chain_id  # it never changes
        chain_id = self._chain_id
        keys: dict[int, bytes | None] = {}
        read = [self._read_envelope(view, raw, now_s, chain_id, keys, unknown) for raw in raws]
        verdicts: dict[bytes, Refusal | None] = {}
        unjudged: dict[bytes, tuple[Sequence[SignatureClaim], Refusal]] = {}
        for each in read:
            if isinstance(each, _Envelope):
                try:
                    verdicts[each.name] = self._verdicts[each.name]
                except KeyError:
                    unjudged[each.name] = ((each.claim,), BadEnvelopeSignature(sender=each.transaction.sender))
        for name, refusal in self._hold(unjudged).items():
            verdicts[name] = refusal
            self._keep(name, refusal)
        return [(verdicts[each.name] or each.transaction) if isinstance(each, _Envelope) else each for each in read]

    def _read_envelope(
        self,
        view: Reader,
        raw: bytes,
        now_s: int,
        chain_id: str,
        keys: dict[int, bytes | None],
        unknown: frozenset[type[Message]],
    ) -> "_Envelope | Refusal":
        """Rules E-1 to E-3 but for the signature; `keys` are those of senders met before in the same view.

        What is `unknown` comes first: a program that cannot even read it finds nothing else out, and the reason's code
        is part of consensus.
        """
        try:
            transaction = self._decode(raw)
        except Refusal as refusal:
            return bare(refusal)
        if unknown and any(type(message) in unknown for message in transaction.messages):
            return MalformedTransaction(detail="it holds a message that the ledger takes only after an upgrade")
        body = transaction.body
        if body.chain_id != chain_id:
            return WrongChain(chain_id=body.chain_id, expected=chain_id)
        if body.sender not in keys:
            keys[body.sender] = self._accounts.transaction_key(view, transaction.sender)
        key = keys[body.sender]
        if key is None:
            return UnknownSender(sender=body.sender)
        if body.valid_until_s < now_s:
            return Expired(valid_until_s=body.valid_until_s, now_s=now_s)
        claim = SignatureClaim(key, transaction.signing_hash, transaction.signature)
        return _Envelope(transaction.hash + key, transaction, claim)

    def _decode(self, raw: bytes) -> Transaction:
        """Decode once for CheckTx, proposal and block, as far as the bytes that are kept reach."""
        known = self._decoded.get(raw)
        if known is None:
            decoded = decode_transaction(raw, self._messages)
            known = self._decoded.setdefault(raw, decoded)
            if known is decoded:  # of threads that decoded the same bytes at once, one stored them
                self._uncounted.append(len(raw))
            self._let_go()
        return known

    def _let_go(self) -> None:
        """Keep no more decoded transactions than allowed.

        Several threads decode, and none may wait: one at a time counts and lets go, whoever takes the only turn. What
        the others stored meanwhile is in `_uncounted`, and is counted by whoever comes next.
        """
        try:
            turn = self._turns.pop()
        except IndexError:
            return
        try:
            while self._uncounted:
                self._decoded_bytes += self._uncounted.pop()
            while len(self._decoded) > KEPT_DECODED or (self._decoded and self._decoded_bytes > KEPT_BYTES):
                oldest, _ = self._decoded.popitem(last=False)
                self._decoded_bytes -= len(oldest)
        finally:
            self._turns.append(turn)

    def near_nonces(self, view: Reader, opened: Sequence[Transaction | Refusal]) -> list[Transaction | Refusal]:
        """Drop transactions whose nonce is neither the next one nor a little ahead of it.

        Args:
            view: the last committed state.
            opened: as `open_envelopes` gave them.

        Returns:
            Each as it was given, or `NonceUsed` where it is behind, `NonceAhead` where it is more than 63 ahead.
        """
        following: dict[int, int] = {}
        judged: list[Transaction | Refusal] = []
        for each in opened:
            if isinstance(each, Transaction):
                sender, nonce = each.body.sender, each.body.nonce
                if sender not in following:
                    following[sender] = system.next_nonce(view, sender)
                expected = following[sender]
                if nonce < expected:
                    each = NonceUsed(nonce=nonce, expected=expected)  # noqa: PLW2901 - what it is from here on
                elif nonce >= expected + NONCE_WINDOW:
                    each = NonceAhead(nonce=nonce, expected=expected)  # noqa: PLW2901
            judged.append(each)
        return judged

    def require_messages(self, transactions: Sequence[Transaction]) -> list[Refusal | None]:
        """Check the messages of many transactions at once, those whose verdict is not known (rule E-5).

        Returns:
            For each transaction None, or the refusal of its first message that fails.
        """
        chain_id = transactions[0].body.chain_id if transactions else ""
        verdicts: dict[bytes, Refusal | None] = {}
        unknown: dict[bytes, Message] = {}
        hashes = [[message_hash(raw) for raw in transaction.body.messages] for transaction in transactions]
        for transaction, named in zip(transactions, hashes, strict=True):
            for message, name in zip(transaction.messages, named, strict=True):
                try:
                    verdicts[name] = self._verdicts[name]
                except KeyError:
                    unknown[name] = message
        for name, refusal in self._judge(unknown, chain_id).items():
            verdicts[name] = refusal
            self._keep(name, refusal)
        return [next((verdicts[name] for name in named if verdicts[name] is not None), None) for named in hashes]

    def _judge(self, messages: dict[bytes, Message], chain_id: str) -> dict[bytes, Refusal | None]:
        """Run the checks, then all claimed signatures together so that every core has work."""
        verdicts: dict[bytes, Refusal | None] = {}
        claims: dict[bytes, Sequence[SignatureClaim]] = {}
        for name, message in messages.items():
            try:
                message.check(chain_id)
                claims[name] = message.claims(chain_id)
                verdicts[name] = None
            except Refusal as refusal:
                verdicts[name] = bare(refusal)
            except GridproofError as wrong:
                verdicts[name] = CheckFailed(detail=str(wrong))
        failed = CheckFailed(detail="a signature in the message does not hold")
        verdicts.update(self._hold({name: (each, failed) for name, each in claims.items()}))
        return verdicts

    def _hold(self, claims: Mapping[bytes, tuple[Sequence[SignatureClaim], Refusal]]) -> dict[bytes, Refusal | None]:
        """Check the claims of many names: all together, and name by name only where one is false."""
        together = [claim for each, _ in claims.values() for claim in each]
        if not together or self._verifier.find_invalid(together) is None:
            return dict.fromkeys(claims)
        if len(claims) == 1:
            return {name: failed for name, (_, failed) in claims.items()}
        return {
            name: None if self._verifier.find_invalid(each) is None else failed
            for name, (each, failed) in claims.items()
        }

    def _keep(self, name: bytes, verdict: Refusal | None) -> None:
        self._verdicts[name] = verdict
        while len(self._verdicts) > KEPT_VERDICTS:
            self._verdicts.popitem(last=False)


class _Envelope(NamedTuple):
    """A transaction whose envelope is well but for its signature, and under which name the verdict on that is kept."""

    name: bytes
    transaction: Transaction
    claim: SignatureClaim


def bare(refusal: Refusal) -> Refusal:
    """The refusal anew, without the errors and the stacks behind it: these hold the whole message it was given for."""
    return type(refusal)(**refusal.particulars)


def in_nonce_order(transactions: Iterable[Transaction]) -> list[Transaction]:
    """Sort each sender's transactions by nonce within the places that the sender has in the order of arrival."""
    arrived = list(transactions)
    waiting: dict[int, list[Transaction]] = {}
    for transaction in arrived:
        waiting.setdefault(transaction.sender, []).append(transaction)
    for each in waiting.values():
        each.sort(key=lambda transaction: transaction.body.nonce, reverse=True)
    return [waiting[transaction.sender].pop() for transaction in arrived]


def in_order(transactions: Iterable[Transaction]) -> list[Transaction]:
    """Put transactions in the order in which a block takes them (rule E-6)."""
    lined_up = in_nonce_order(transactions)
    reached: dict[int, int] = {}
    places: list[int] = []
    for transaction in lined_up:
        own = max(message.place for message in transaction.messages)
        place = max(own, reached.get(transaction.sender, own))
        reached[transaction.sender] = place
        places.append(place)
    if len(frozenset(places)) < 2:
        return lined_up
    order = sorted(range(len(places)), key=places.__getitem__)  # stable: one place keeps the order of arrival
    return [lined_up[at] for at in order]
