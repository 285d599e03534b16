"""A community with meters on a network's genesis, which is played on an embedded ledger and brought to the network."""

import json
from typing import Final

from gridproof.app import application
from gridproof.domain import Half, ParticipantId
from gridproof.drivers.cometbft.engine import EngineKey
from gridproof.drivers.history import Entry, StoredHistory
from gridproof.modules.aggregation import errors as aggregation_errors
from gridproof.modules.pricing import errors as pricing_errors
from gridproof.modules.registry.messages import AdvanceClock
from gridproof.primitives.hashing import sha256

from . import genesis
from tests.ledger import Ledger, Person
from tests.unit.modules.aggregation.community import (
    CHAIN_ID,
    FIRST_K,
    GENESIS_TIME_S,
    MONTH,
    REGION,
    ROLES,
    RULES,
    TARIFF,
    Community,
    key,
    month_bounds,
)

ATTACKS: Final = {
    "wrong total": pricing_errors.OtherTotal.code,
    "wrong price": pricing_errors.WrongPrice.code,
    "late batch": aggregation_errors.SlotIsClosed.code,
    "second live set": aggregation_errors.LiveSetExists.code,
}
SLOT: Final = (REGION, FIRST_K)


class Town(Community):
    """The community over the product's whole application; the operator's word moves ledger time.

    Args:
        nodes: validators of the network that it stands on; none for an embedded ledger.
    """

    def __init__(self, nodes: int = 0) -> None:
        self.enrolled, self.places = 4, 5
        self.rules = dict(RULES)
        self.bounds = month_bounds(MONTH, FIRST_K, 3)
        self.born = genesis.birth(nodes, CHAIN_ID, json.loads(self._genesis()) | {"clock": "operator"}, GENESIS_TIME_S)
        people = {name: Person(ParticipantId(n), key(name, "transaction")) for n, name in enumerate(ROLES, start=1)}
        Ledger.__init__(self, application, self.born.genesis, people, start_s=GENESIS_TIME_S, turn_clock=AdvanceClock)

    def attacked(self, times: int) -> "Town":
        """Play a slot to its price, and everything that is false beside it, each so many times."""
        k = FIRST_K
        self.begin(tariff=TARIFF)
        self.fixed(k)
        for time in range(times):
            late = self.batch(
                k, [self.record(n % 4, half, k, wh=5 + time) for n, half in ((time, Half.FIRST), (time, Half.SECOND))]
            )
            self.refuses("first", late, code=ATTACKS["late batch"])
            self.refuses("provider", self.live_set(k, excluded=[time % 4]), code=ATTACKS["second live set"])
        self.accepts("provider", self.opening(k, range(self.enrolled)))
        true = self.price(k)
        for time in range(times):
            wrong = self.price(k, total_wh=true.total_wh + 1 + time)
            self.refuses("center", wrong, code=ATTACKS["wrong total"])
            self.refuses("center", self.price(k, price_e5=true.price_e5 + 1 + time), code=ATTACKS["wrong price"])
        self.accepts("center", true)
        return self

    def entries(self) -> list[Entry]:
        """Its blocks."""
        with self.node.store.snapshot() as snapshot:
            return list(StoredHistory(snapshot, self.node.head).entries())


def stranger(number: int) -> EngineKey:
    """A key that votes nowhere."""
    return EngineKey(sha256(b"tests/faults/stranger", number.to_bytes(8, "big")))
