"""A block as people look at it: who proposed it, who signed it, and what it holds. All of it is public."""

from functools import cache
from typing import Final, NamedTuple

import msgspec

from gridproof.app import message_names
from gridproof.connectors.engine_headers import EngineRpc
from gridproof.connectors.ledger import LedgerClient
from gridproof.drivers.history import Entry
from gridproof.errors import Refusal
from gridproof.light import Flag, header_hash
from gridproof.modules.consensus import queries as consensus
from gridproof.state import address_of
from gridproof.state.transaction import read_body

from .deciding import names_of

UNKNOWN: Final = "unknown"


class Signer(NamedTuple):
    """A validator at a block.

    Attributes:
        name: the company's.
        power: weight of its vote.
        signed: whether its vote for the block stands in the commit.
    """

    name: str
    power: int
    signed: bool


class Carried(NamedTuple):
    """A transaction in a block.

    Attributes:
        sender: its name.
        messages: what it says, by kind.
        code: 0 where it took effect, else the refusal's number.
    """

    sender: str
    messages: tuple[str, ...]
    code: int


class Seen(NamedTuple):
    """A block.

    Attributes:
        height: from 1.
        hash: of its header, 32 bytes.
        time_s: UTC epoch seconds.
        proposer: the company that proposed it.
        signers: all validators then.
        transactions: in order.
        app_hash: of the state after it, 32 bytes.
    """

    height: int
    hash: bytes
    time_s: int
    proposer: str
    signers: tuple[Signer, ...]
    transactions: tuple[Carried, ...]
    app_hash: bytes

    @property
    def signed_power(self) -> int:
        """The power that signed."""
        return sum(each.power for each in self.signers if each.signed)

    @property
    def total_power(self) -> int:
        """The power of all validators."""
        return sum(each.power for each in self.signers)


def look_at(rpc: EngineRpc, client: LedgerClient, height: int) -> Seen:
    """Look at a block.

    Args:
        rpc: of a node's engine, which has header and votes.
        client: the way to the ledger, which has what the block led to.
        height: from 1.

    Raises:
        EngineError: the engine does not have it.
        MissingBlockError: the ledger does not have it.
        ClientError: no answer came.
    """
    block, entry = rpc.light_block(height), client.entry(height)
    names = names_of(client)

    @cache
    def name_at(place: bytes) -> str:
        use = client.ask(consensus.key_use, place)
        return names.get(use.participant, UNKNOWN) if use else UNKNOWN

    signed = {vote.address for vote in block.commit.votes if vote.flag == Flag.COMMIT}
    signers = tuple(
        Signer(name_at(address_of(each.key)), each.power, address_of(each.key) in signed) for each in block.validators
    )
    return Seen(
        height,
        header_hash(block.header),
        block.header.time.seconds,
        name_at(block.header.proposer),
        signers,
        _carried(entry, names),
        entry.app_hash,
    )


def _carried(entry: Entry, names: dict[int, str]) -> tuple[Carried, ...]:
    return tuple(_told(raw, code, names) for raw, code in zip(entry.transactions, entry.codes, strict=True))


def _told(raw: bytes, code: int, names: dict[int, str]) -> Carried:
    try:
        body = read_body(raw)
        kinds = message_names()
        told = tuple(kinds.get(msgspec.msgpack.decode(each)[0], UNKNOWN) for each in body.messages)
    except (Refusal, msgspec.MsgspecError, TypeError, IndexError):
        return Carried(UNKNOWN, (), code)
    return Carried(names.get(body.sender, UNKNOWN), told, code)
