"""Headers, votes and validators from the engine's RPC, read into the light client's types.

Nothing of it is believed: it is read strictly, and the light client verifies it.

Source: CometBFT 0.38, RPC `/commit`, `/validators`, `/status`.
"""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from calendar import timegm
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from gridproof.connectors.http import HttpError, Links
from gridproof.errors import GridproofError
from gridproof.light import Commit, Header, LightBlock, Validator, in_order
from gridproof.light.types import MAX_VALIDATORS
from gridproof.state import address_of

T = TypeVar("T")
ANSWER_S: Final = 10.0
MAX_DETAIL: Final = 200
MAX_ANSWER: Final = 2**24  # bytes
PER_PAGE: Final = 100
KEY_TYPE: Final = "tendermint/PubKeyEd25519"
_JSON: Final = {"Content-Type": "application/json"}
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)


class EngineError(GridproofError):
    """The engine's RPC is of no use here."""


class EngineUnreachableError(EngineError):
    """No node answers there, so nothing was read. Check the address, and whether the node runs."""

    url: str
    detail: str


class EngineRefusedError(EngineError):
    """The node did not answer what it was asked, so nothing was read. Ask another node, or another height."""

    url: str
    detail: str


class EngineAnswerError(EngineError):
    """The node's answer is not of the form that it should have, and was not used. Ask another node."""

    what: str
    detail: str


class Headers(Protocol):
    """Where a network's headers are had from; nothing of it is believed unverified."""

    def latest_height(self) -> int:
        """The height of the last block.

        Raises:
            EngineError: no answer came, or none of use.
        """

    def light_block(self, height: int) -> LightBlock:
        """A block's header, the votes for it, and its validators in their order.

        Raises:
            EngineError: no answer came, or none of use.
        """


class EngineRpc:
    """One node's RPC. Nothing is connected before the first request.

    Args:
        url: such as `http://127.0.0.1:26657`.
        answer_s: how long the node may take for an answer.

    Raises:
        EngineUnreachableError: the address is none.
    """

    def __init__(self, url: str, answer_s: float = ANSWER_S) -> None:
        self.url = url
        try:
            self._links = Links(url, answer_s)
        except HttpError as wrong:
            raise EngineUnreachableError(url=url, detail=wrong.detail) from wrong

    def latest_height(self) -> int:
        """The height of the last block (`Headers.latest_height`)."""
        return read_height(self.ask("status"))

    def light_block(self, height: int) -> LightBlock:
        """A block for the light client (`Headers.light_block`).

        Raises:
            EngineAnswerError: the node's answer is not of the form that it should have.
        """
        signed = _field(self.ask("commit", height=height), "signed_header")
        return read_block(signed, self._validators(height))

    def validators(self, height: int) -> tuple[Validator, ...]:
        """The validators of a block, in their order.

        Raises:
            EngineError: no answer came, or none of use.
        """
        return read_validators(self._validators(height))

    def _validators(self, height: int) -> list[Any]:
        validators: list[Any] = []
        while True:
            page = len(validators) // PER_PAGE + 1
            told = self.ask("validators", height=height, page=page, per_page=PER_PAGE)
            found = _field(told, "validators")
            total = _number(_field(told, "total"), "validators")
            if not isinstance(found, list) or not found:
                raise EngineAnswerError(what="validators", detail="a page is empty")
            validators += found
            if len(validators) >= min(total, MAX_VALIDATORS) or len(found) < PER_PAGE:
                return validators

    def ask(self, method: str, **parameters: int) -> Any:
        """Ask the node; its answer's `result`.

        Raises:
            EngineUnreachableError: no node answers.
            EngineRefusedError: it says that it cannot.
            EngineAnswerError: its answer is no JSON, or too long.
        """
        numbers = {name: str(value) for name, value in parameters.items()}  # the engine writes large numbers as text
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": numbers})
        try:
            _, raw = self._links.post(self._links.prefix + "/", asked.encode(), _JSON, MAX_ANSWER)
        except HttpError as failure:
            raise EngineUnreachableError(url=self.url, detail=failure.detail) from failure
        if len(raw) > MAX_ANSWER:
            raise EngineAnswerError(what=method, detail=f"it is longer than {MAX_ANSWER} bytes")
        try:
            told = json.loads(raw)
        except (ValueError, RecursionError) as wrong:
            raise EngineAnswerError(what=method, detail="it is no JSON") from wrong
        if isinstance(told, dict) and "error" in told:
            raise EngineRefusedError(url=self.url, detail=_words(told["error"])[:MAX_DETAIL])
        return _field(told, "result")

    def close(self) -> None:
        """Hang up."""
        self._links.close()


class AnyNode:
    """Whichever of several nodes answers, the one that did last first.

    Args:
        nodes: at least one.
    """

    def __init__(self, nodes: Sequence[EngineRpc]) -> None:
        self._nodes = list(nodes)

    def latest_height(self) -> int:
        """The height of the last block (`Headers.latest_height`)."""
        return self._any(EngineRpc.latest_height)

    def light_block(self, height: int) -> LightBlock:
        """A block for the light client (`Headers.light_block`)."""
        return self._any(lambda node: node.light_block(height))

    def _any(self, ask: Callable[[EngineRpc], T]) -> T:
        *others, last = self._nodes
        for node in others:
            try:
                return ask(node)
            except EngineError:
                self._nodes.remove(node)
                self._nodes.append(node)
        return ask(last)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_height(status: Any) -> int:
    """The last block's height from an answer to `/status`.

    Raises:
        EngineAnswerError: it does not say so.
    """
    return _number(_field(_field(status, "sync_info"), "latest_block_height"), "status")


def read_block(signed_header: Any, validators: Any) -> LightBlock:
    """A block for the light client, from answers to `/commit` and `/validators`.

    Args:
        signed_header: as JSON gave it.
        validators: all of them, likewise.

    Raises:
        EngineAnswerError: they are not of the form that they should have.
    """
    header = _as(Header, _header(_field(signed_header, "header")), "header")
    commit = _as(Commit, _commit(_field(signed_header, "commit")), "commit")
    return LightBlock(header, commit, read_validators(validators))


def read_validators(validators: Any) -> tuple[Validator, ...]:
    """A set of validators, put in its order, from answers to `/validators`.

    Raises:
        EngineAnswerError: it is not of the form that it should have, or a validator's key is not Ed25519.
    """
    if not isinstance(validators, list):
        raise EngineAnswerError(what="validators", detail="it is no list")
    return in_order(_validator(each) for each in validators)


def _header(told: Any) -> Sequence[Any]:
    version = _field(told, "version")
    return (
        _number(_field(version, "block"), "block"),
        _number(version.get("app", "0"), "app"),
        _field(told, "chain_id"),
        _number(_field(told, "height"), "height"),
        _time(_field(told, "time")),
        _block_id(_field(told, "last_block_id")),
        *(_hex(_field(told, f"{name}_hash")) for name in ("last_commit", "data", "validators", "next_validators")),
        *(_hex(_field(told, f"{name}_hash")) for name in ("consensus", "app", "last_results", "evidence")),
        _hex(_field(told, "proposer_address")),
    )


def _commit(told: Any) -> Sequence[Any]:
    votes = _field(told, "signatures")
    if not isinstance(votes, list):
        raise EngineAnswerError(what="commit", detail="its signatures are no list")
    return (
        _number(_field(told, "height"), "height"),
        _field(told, "round"),
        _block_id(_field(told, "block_id")),
        [_vote(each) for each in votes],
    )


def _vote(told: Any) -> Sequence[Any]:
    return (
        _field(told, "block_id_flag"),
        _hex(_field(told, "validator_address")),
        _time(_field(told, "timestamp")),
        _base64(told.get("signature") or ""),
    )


def _validator(told: Any) -> Validator:
    key = _field(told, "pub_key")
    if _field(key, "type") != KEY_TYPE:
        raise EngineAnswerError(what="validators", detail="a key is not Ed25519, the only kind that is known here")
    power = _number(_field(told, "voting_power"), "voting_power")
    found: Validator = _as(Validator, (_base64(_field(key, "value")), power), "validators")
    if _hex(_field(told, "address")) != address_of(found.key):
        raise EngineAnswerError(what="validators", detail="an address is not that of its key")
    return found


def _block_id(told: Any) -> Sequence[Any]:
    parts = _field(told, "parts")
    return _hex(_field(told, "hash")), _field(parts, "total"), _hex(_field(parts, "hash"))


def _time(told: Any) -> Sequence[int]:
    """Seconds and nanoseconds of an instant in UTC; nothing is rounded."""
    found = _TIME.fullmatch(told) if isinstance(told, str) else None
    if found is None:
        raise EngineAnswerError(what="time", detail="it is no instant in UTC")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= _days(year, month) and hour < 24 and minute < 60):
        raise EngineAnswerError(what="time", detail="there is no such day or hour")
    if second >= 60:
        raise EngineAnswerError(what="time", detail="there is no such second")
    return timegm((year, month, day, hour, minute, second)), int((found[7] or "").ljust(9, "0"))


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 + leap if month == 2 else 30 + (month in (1, 3, 5, 7, 8, 10, 12))


def _words(error: Any) -> str:
    """The engine's own words for why it refused: what it calls data says more than its message."""
    if isinstance(error, Mapping):
        return str(error.get("data") or error.get("message") or "it gives no reason")
    return str(error)


def _field(told: Any, name: str) -> Any:
    if not isinstance(told, Mapping) or name not in told:
        raise EngineAnswerError(what=name, detail="it is missing")
    return told[name]


def _number(told: Any, what: str) -> int:
    if not isinstance(told, str) or not _DECIMAL.fullmatch(told):
        raise EngineAnswerError(what=what, detail="it is no number as the engine writes it")
    return int(told)


def _hex(told: Any) -> bytes:
    try:
        if isinstance(told, str) and told.isalnum():
            return bytes.fromhex(told)
    except ValueError:
        pass
    if told == "":
        return b""
    raise EngineAnswerError(what="hash", detail="it is not hexadecimal")


def _base64(told: Any) -> bytes:
    try:
        return b64decode(told, validate=True)
    except (Base64Error, TypeError, ValueError) as wrong:
        raise EngineAnswerError(what="signature or key", detail="it is no base64") from wrong


def _as(kind: type[Any], parts: Sequence[Any], what: str) -> Any:
    try:
        return msgspec.convert(parts, kind, strict=True)
    except msgspec.ValidationError as wrong:
        raise EngineAnswerError(what=what, detail=str(wrong)) from wrong
