"""Reasons for which a network's node fails."""

from gridproof.drivers.errors import DriverError


class GenesisDiffersError(DriverError):
    """The engine's genesis and the ledger's contradict each other; no ledger was begun.
    Take both files from the same `gridproof net init`.
    """

    detail: str


class NodeFailedError(DriverError):
    """The ledger's program failed and stopped before anything was written; all that was committed is kept.
    Start the node again, and report what its log says if it comes back.
    """

    request: str
    detail: str


class FiguresAddressError(DriverError):
    """Figures cannot be served at this address; the ledger goes on without them. Change `figures.node`."""

    address: str
    detail: str


class EngineFileError(DriverError):
    """A file of the engine is not what it should be; nothing was done. Restore it, or make the node anew."""

    path: str
    detail: str
