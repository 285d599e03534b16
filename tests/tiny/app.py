"""Where the tiny ledger is wired."""

import json
from collections.abc import Mapping

from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Application, Verifier
from gridproof.state.store import Store

from .notices.module import notices
from .people.module import Keeper, people

GENESIS_TIME_S = 1_760_000_000
PEOPLE = {"operator": 1, "household-1": 2, "household-2": 3, "household-3": 4}


def tiny(store: Store, verifier: Verifier) -> Application:
    """The tiny ledger's Application."""
    keeper = Keeper()
    modules = (
        people(keeper),
        notices(keeper),
    )
    return Application(modules, store, keeper, verifier)


def signer(name: str) -> Signer:
    """The key of someone whom tests name."""
    return Signer(sha256(b"tests/tiny/", name.encode()))


def tiny_genesis(clock: str = "block", people: Mapping[str, int] | None = None) -> bytes:
    """The tiny ledger's genesis document."""
    members = [
        {"id": number, "key": signer(name).public_key.hex(), "operator": name == "operator"}
        for name, number in (people or PEOPLE).items()
    ]
    document = {
        "chain_id": "tiny-1",
        "genesis_time_s": GENESIS_TIME_S,
        "clock": clock,
        "zone": "Europe/Zurich",
        "currency": "CHF",
        "modules": {"people": members},
    }
    return json.dumps(document).encode()
