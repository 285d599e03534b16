"""The one place that wires modules into an Application; to add a module is one folder and one line here."""

from gridproof.modules.aggregation.module import aggregation
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.modules.registry.module import registry
from gridproof.state import Application, Module, SerialVerifier, Verifier
from gridproof.state.store import Store


def modules(directory: Registry) -> tuple[Module, ...]:
    """The product's modules, each with what it needs of others, in the order in which they lay their genesis.

    Args:
        directory: the registry's keeper, which serves the others.
    """
    return (
        registry(directory),
        aggregation(directory),
    )


def application(store: Store, verifier: Verifier | None = None) -> Application:
    """The product's ledger over a store.

    Args:
        store: keeps the state.
        verifier: checks signatures; on the calling thread when none is given.

    Raises:
        VersionError: the state was written by a version that no migration leads from.
    """
    directory = Registry()
    return Application(modules(directory), store, directory, verifier or SerialVerifier())
