"""Files of a village, made and checked."""

from typing import Any

from gridproof.actors.bills.proving import BillProver
from gridproof.actors.household import Household, public_leaves
from gridproof.actors.proofs import proving
from gridproof.actors.proofs.anchor import Anchor
from gridproof.actors.proofs.file import LightProof, Proven, decode_light_proof, encode_light_proof, verify_light_proof
from gridproof.actors.proofs.proving import Stated
from gridproof.domain import Direction
from gridproof.light import Time
from gridproof.modules.aggregation import queries as aggregation

from tests.light_chain import BLOCK_S, START_S, Network
from tests.simulation.billed import BilledVillage
from tests.simulation.falsehoods import ANN
from tests.simulation.village import OCTOBER, slot

IMPORT = Direction.IMPORT
NOW = Time(START_S + 100_000 * BLOCK_S, 0)
PERIOD_S = 100_001 * BLOCK_S


class Prover:
    """Makes and checks files of the village."""

    def __init__(self, village: BilledVillage, network: Network, anchor: Anchor) -> None:
        self.village, self.network, self.anchor = village, network, anchor

    def prove(self, stated: Stated) -> LightProof:
        made = proving.prove(self.network, self.anchor, stated, NOW)
        assert decode_light_proof(encode_light_proof(made)) == made
        return made

    def check(self, proof: LightProof, household: bool = False) -> Proven:
        own = self.village.file(ANN) if household else None
        card = self.village.reader(ANN).card(OCTOBER) if household else None
        return verify_light_proof(proof, self.anchor, NOW, own, card)

    def __call__(self, stated: Stated, household: bool = False) -> Any:
        return self.check(self.prove(stated), household).shown


def root(village: BilledVillage) -> tuple[int, bytes]:
    status = village.client.status()
    return status.height, status.app_hash


def record_of(village: BilledVillage) -> Stated:
    place = slot(0)
    body = village.client.ask(aggregation.bodies, *place)[0]
    leaves = public_leaves(village.client, village.shelf.rosters)(place, OCTOBER)
    return proving.record(village.client, place, body.records[0].prid, leaves)


def records(village: BilledVillage) -> Stated:
    leaves = public_leaves(village.client, village.shelf.rosters)
    own = Household(village.file(ANN), village.client, leaves)
    return proving.own_records(village.client, lambda: own.export_records([IMPORT], range(slot(0).k, slot(8).k)))


def bill(village: BilledVillage) -> Stated:
    reader = village.reader(ANN)
    made = BillProver(village.client, public_leaves(village.client, village.shelf.rosters))
    return proving.own_bill(made.prove(reader.open(OCTOBER), OCTOBER, reader.card(OCTOBER)))
