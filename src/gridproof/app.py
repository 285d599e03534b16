"""The one place that wires modules into an Application; to add a module is one folder and one line here."""

from gridproof.modules.aggregation.keeper import Keeper as Aggregation
from gridproof.modules.aggregation.module import aggregation
from gridproof.modules.billing.module import billing
from gridproof.modules.pricing.book import Book
from gridproof.modules.pricing.module import pricing
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.module import registry
from gridproof.state import Application, Module, SerialVerifier, Verifier
from gridproof.state.store import Store


def modules(directory: Registry, book: Book) -> tuple[Module, ...]:
    """The product's modules, each with what it needs of others, in the order in which they lay their genesis.

    Args:
        directory: the registry's keeper, which serves the others.
        book: of tariffs and prices, to which registry and aggregation write.
    """
    slots = Aggregation(directory, month_end=book)
    return (
        registry(directory),
        aggregation(slots),
        pricing(directory, slots, book),
        billing(directory),
    )


def application(store: Store, verifier: Verifier | None = None) -> Application:
    """The product's ledger over a store.

    Args:
        store: keeps the state.
        verifier: checks signatures; on the calling thread when none is given.

    Raises:
        VersionError: the state was written by a version that no migration leads from.
    """
    book = Book()
    directory = Registry(book)
    return Application(modules(directory, book), store, directory, verifier or SerialVerifier())
