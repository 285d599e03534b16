"""Version 2 of the program, which never was: to rehearse an upgrade. `python -m tests.upgraded` is its `gridproof`.

What it has over version 1:
- the registry's second version, whose migration writes `RENEWED` behind each region's name;
- a module of its own, `greetings`, with a message that version 1 does not know.
All else is the product's own, the old rules too: so it works under version 1 until the validators' height, and replays
what was before it.
"""

import sys
from dataclasses import replace
from types import ModuleType
from typing import Final

from msgspec import structs

from gridproof import app
from gridproof.actors.node import supervisor
from gridproof.domain import ParticipantId
from gridproof.modules.consensus.keeper import Keeper as Consensus
from gridproof.modules.pricing.book import Book
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.types import REGIONS
from gridproof.state import U32, Context, Map, Message, Migration, Module, Reader, route

VERSION: Final = 2
RENEWED: Final = ", renewed"
GREETINGS: Final = Map(module=201, collection=1, key=(U32,), value=U32)
_first_modules: Final = app.modules


class Greet(Message, frozen=True, tag=201_001):
    """Be counted as somebody who greeted."""


def greetings_of(view: Reader, participant: int) -> int:
    """How often a participant greeted."""
    return GREETINGS.get(view, participant, default=0)


def become_the_program() -> None:
    """Make version 2 the program of this process, and of the nodes that it starts."""
    app.modules = modules
    app.APPLICATION_VERSION = VERSION  # type: ignore[misc]
    supervisor.SERVE = (sys.executable, "-m", "tests.upgraded", "node", "serve", "-C")


def modules(directory: Registry, book: Book, validators: Consensus) -> tuple[Module, ...]:
    """Version 2's modules."""
    registry, *others = _first_modules(directory, book, validators)
    renewed = replace(registry, version=2, migrations=(Migration(1, _renew, since=VERSION),))
    nothing, counted = ModuleType("nothing"), (greetings_of,)
    greetings = Module(201, "greetings", (route(Greet, _greet),), nothing, queries=counted, since=VERSION)
    return (renewed, *others, greetings)


def _greet(ctx: Context, sender: ParticipantId, _message: Greet) -> None:
    GREETINGS.put(ctx, sender, value=greetings_of(ctx, sender) + 1)


def _renew(ctx: Context) -> None:
    for (number,), region in list(REGIONS.all(ctx)):
        REGIONS.put(ctx, number, value=structs.replace(region, name=region.name + RENEWED))
