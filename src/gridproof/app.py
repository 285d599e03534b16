"""The one place that wires modules into an Application; to add a module is one folder and one line here.

Who changes a rule or a record of a released module raises `APPLICATION_VERSION`, names it in the migration, route or
module that is new (`since`), and lets the rule ask `ctx.version`: a network goes over when its validators decide so.
"""

from typing import Final

from gridproof.modules.aggregation.keeper import Keeper as Aggregation
from gridproof.modules.aggregation.module import aggregation
from gridproof.modules.billing.module import billing
from gridproof.modules.consensus.keeper import Keeper as Consensus
from gridproof.modules.consensus.module import consensus
from gridproof.modules.pricing.book import Book
from gridproof.modules.pricing.module import pricing
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.module import registry
from gridproof.state import Application, Module, SerialVerifier, Verifier
from gridproof.state.module import tag_of
from gridproof.state.store import Store

APPLICATION_VERSION: Final = 1


def modules(directory: Registry, book: Book, validators: Consensus) -> tuple[Module, ...]:
    """The product's modules, each with what it needs of others, in the order in which they lay their genesis.

    Args:
        directory: the registry's keeper, which serves the others.
        book: of tariffs and prices, to which registry and aggregation write.
        validators: who votes on blocks, where the ledger is a network.
    """
    slots = Aggregation(directory, month_end=book)
    return (
        registry(directory),
        aggregation(slots),
        pricing(directory, slots, book),
        billing(directory),
        consensus(validators),
    )


def message_names() -> dict[int, str]:
    """The names of all messages that the ledger takes, by their numbers; for telling people what a block holds."""
    book = Book()
    directory = Registry(book)
    wired = modules(directory, book, Consensus(directory))
    return {tag_of(message): message.__name__ for module in wired for message in module.messages()}


def application(store: Store, verifier: Verifier | None = None) -> Application:
    """The product's ledger over a store.

    Args:
        store: keeps the state.
        verifier: checks signatures; on the calling thread when none is given.

    Raises:
        VersionError: the state was written by a version that no migration leads from.
        UpgradeNeededError: the state was written by a newer program.
    """
    book = Book()
    directory = Registry(book)
    validators = Consensus(directory)
    return Application(
        modules(directory, book, validators),
        store,
        directory,
        verifier or SerialVerifier(),
        validators,
        version=APPLICATION_VERSION,
    )
