"""A household's identity of a month, and what is signed and sealed under it.

Rules:
    I-1 The billing identity (BID) and the key that reports are sealed to come from the view chain of the month: another
        month has others, and the chain is one-way. A household with two channels takes the one of the lower number.
    I-2 The key that signs a month's registers comes from the sign chain: the household cannot make it.
    I-3 A month's card binds a household's roster leaves before any of them is used; the bill provider signs it.

Source: private-metering.md, rows 11, 20, 21, 22 and 23; seed 002, key generation phase.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gridproof.primitives import hpke, secp256k1
from gridproof.primitives.hashing import Tag
from gridproof.primitives.hkdf import hkdf
from gridproof.primitives.schnorr import Signer

from .ids import U32_MAX, U64_MAX, Direction, require_range
from .time import MonthId

__all__ = [
    "CardChannel",
    "RegisterSpan",
    "bill_info",
    "bill_key",
    "card_hash",
    "reasons_info",
    "register_hash",
    "register_key",
    "seal_key",
    "seal_secret",
]

_SCALAR: Final = Tag("gridproof/month-scalar/v1")
_CARD: Final = Tag("gridproof/month-card/v1")
_REGISTER: Final = Tag("gridproof/register/v1")
_BILL_INFO: Final = Tag("gridproof/bill-info/v1")
_REASONS_INFO: Final = Tag("gridproof/reasons-info/v1")
_BILL_KEY: Final = b"gridproof/bill-identity/v1"
_SEAL_KEY: Final = b"gridproof/bill-seal/v1"
_REGISTER_KEY: Final = b"gridproof/register-key/v1"


class CardChannel(NamedTuple):
    """What a card binds of a channel.

    Attributes:
        channel: import or export.
        first_k: period of the first leaf pair.
        periods: how many periods have a leaf pair; they end with the month.
        root: RFC 6962 root over the meter's roster leaves: first half, second half, period by period.
        register_key: signs the channel's registers, x-only, 32 bytes.
    """

    channel: int
    first_k: int
    periods: int
    root: bytes
    register_key: bytes


class RegisterSpan(NamedTuple):
    """A meter's cumulative register at both ends of a stretch.

    Attributes:
        channel: import or export.
        start_k: period at whose start the first value was read.
        end_k: period at whose start the second one was.
        start_wh: first value, Wh.
        end_wh: second value, Wh.
    """

    channel: int
    start_k: int
    end_k: int
    start_wh: int
    end_wh: int


def bill_key(view_chain_key: bytes) -> Signer:
    """The secret of a month's billing identity, ready to sign; its public key is the identity (I-1).

    Args:
        view_chain_key: of that month, 32 bytes.
    """
    return Signer(_scalar(hkdf(view_chain_key, _BILL_KEY)))


def seal_secret(view_chain_key: bytes) -> bytes:
    """The secret key that opens a month's bills, X25519, 32 bytes (I-1).

    Args:
        view_chain_key: of that month, 32 bytes.
    """
    return hpke.derive_secret(hkdf(view_chain_key, _SEAL_KEY))


def seal_key(view_chain_key: bytes) -> bytes:
    """The public key that a month's bills are sealed to, 32 bytes.

    Args:
        view_chain_key: of that month, 32 bytes.
    """
    return hpke.public_key(seal_secret(view_chain_key))


def register_key(sign_chain_key: bytes) -> Signer:
    """The key that signs a channel's registers of a month (I-2).

    Args:
        sign_chain_key: of that month and channel, 32 bytes.
    """
    return Signer(_scalar(hkdf(sign_chain_key, _REGISTER_KEY)))


def register_hash(chain_id: str, meter: bytes, month: MonthId, span: RegisterSpan) -> bytes:
    """What a meter signs of its register.

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        meter: its handle, 16 bytes.
        month: the month that the stretch lies in.
        span: the register at both ends.

    Raises:
        OutOfRangeError: a number does not fit its width.
    """
    return _REGISTER(_text(chain_id), meter, _u32("month", month), *_numbers(span))


def card_hash(chain_id: str, region: int, month: MonthId, bid: bytes, channels: Sequence[CardChannel]) -> bytes:
    """What the bill provider signs when it gives out a month's card (I-3).

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        region: the region.
        month: the month.
        bid: the household's billing identity, 32 bytes.
        channels: what the card binds.

    Raises:
        OutOfRangeError: a number does not fit its width.
    """
    bound = [
        b"".join(
            (
                _u32("channel", each.channel),
                _u64("first_k", each.first_k),
                _u32("periods", each.periods),
                each.root,
                each.register_key,
            )
        )
        for each in channels
    ]
    return _CARD(_text(chain_id), _u32("region", region), _u32("month", month), bid, *bound)


def bill_info(chain_id: str, region: int, month: MonthId, bid: bytes, version: int) -> bytes:
    """The context that a bill's report is sealed in: it opens for no other month, identity or version.

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        region: the region.
        month: the month.
        bid: the billing identity, 32 bytes.
        version: of the bill.

    Raises:
        OutOfRangeError: a number does not fit its width.
    """
    return _BILL_INFO(_text(chain_id), _u32("region", region), _u32("month", month), bid, _u32("version", version))


def reasons_info(chain_id: str, region: int, month: MonthId, bid: bytes, number: int, *, answer: bool) -> bytes:
    """The context that the reasons of an objection, or of its answer, are sealed in.

    Args:
        chain_id: of the ledger, 1 to 64 characters.
        region: the region.
        month: the month.
        bid: the billing identity, 32 bytes.
        number: of the objection.
        answer: whether it is the answer.

    Raises:
        OutOfRangeError: a number does not fit its width.
    """
    place = _u32("region", region) + _u32("month", month) + bid + _u32("number", number)
    return _REASONS_INFO(_text(chain_id), place, bytes((answer,)))


def _scalar(material: bytes) -> bytes:
    """A scalar from key material; the loop answers the chance of 2**-128 that a hash is none."""
    key = _SCALAR(material)
    while not secp256k1.is_scalar(key):
        key = _SCALAR(key)
    return key


def _numbers(span: RegisterSpan) -> list[bytes]:
    return [_u32("channel", Direction(span.channel)), *(_u64("register", value) for value in span[1:])]


def _text(text: str) -> bytes:
    raw = text.encode()
    return _u32("length", len(raw)) + raw


def _u32(what: str, value: int) -> bytes:
    require_range(what, value, 0, U32_MAX)
    return int(value).to_bytes(4, "big")


def _u64(what: str, value: int) -> bytes:
    require_range(what, value, 0, U64_MAX)
    return value.to_bytes(8, "big")
