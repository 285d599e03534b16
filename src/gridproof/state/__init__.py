"""The deterministic machinery under the modules: store, tree, tables, transactions, blocks."""

from .admission import Accounts
from .application import Application
from .blocks import (
    BLOCK_EVENTS,
    Block,
    BlockResult,
    Head,
    Misbehaviour,
    Proposal,
    StoredEvent,
    TransactionPlace,
    TransactionResult,
    Validator,
)
from .context import BlockInfo, Context, Overlay, SnapshotReader
from .errors import EnvelopeError, GenesisError, StateError, Violation
from .genesis import Genesis
from .module import GenesisSection, Migration, Module, Route, genesis_section, route
from .queries import Answer, question
from .records import Event, Message, Record, SignatureClaim
from .tables import B16, B20, B32, U8, U16, U32, U64, Map, Reader, SideMap, Writer
from .transaction import Transaction, sign_transaction
from .validators import ADDRESS_SIZE, NoValidators, Upgrade, ValidatorBook, address_of
from .verifier import SerialVerifier, Verifier

__all__ = [
    "ADDRESS_SIZE",
    "B16",
    "B20",
    "B32",
    "BLOCK_EVENTS",
    "U8",
    "U16",
    "U32",
    "U64",
    "Accounts",
    "Answer",
    "Application",
    "Block",
    "BlockInfo",
    "BlockResult",
    "Context",
    "EnvelopeError",
    "Event",
    "Genesis",
    "GenesisError",
    "GenesisSection",
    "Head",
    "Map",
    "Message",
    "Migration",
    "Misbehaviour",
    "Module",
    "NoValidators",
    "Overlay",
    "Proposal",
    "Reader",
    "Record",
    "Route",
    "SerialVerifier",
    "SideMap",
    "SignatureClaim",
    "SnapshotReader",
    "StateError",
    "StoredEvent",
    "Transaction",
    "TransactionPlace",
    "TransactionResult",
    "Upgrade",
    "Validator",
    "ValidatorBook",
    "Verifier",
    "Violation",
    "Writer",
    "address_of",
    "genesis_section",
    "question",
    "route",
    "sign_transaction",
]
