"""Reasons for which a driver fails or turns a transaction away; none of their numbers is part of consensus."""

from typing import ClassVar

from gridproof.errors import GridproofError, Refusal


class DriverError(GridproofError):
    """Driving the ledger failed."""


class LedgerLockedError(DriverError):
    """Another process has this ledger open; nothing was opened. Stop that process, or talk to it through its socket."""

    folder: str
    held_by: str


class FolderUnusableError(DriverError):
    """The ledger's folder cannot be made or written to; nothing was changed. Give it to this user, or name another."""

    folder: str
    detail: str


class GenesisMissingError(DriverError):
    """No ledger was born here yet and no genesis document was given; nothing was made.
    Give one, as `gridproof init` does.
    """


class ForeignGenesisError(DriverError):
    """The ledger here was born from another genesis document; nothing was changed.
    Choose another folder, or that document.
    """

    kept: bytes
    given: bytes


class LedgerStoppedError(DriverError):
    """The ledger stopped at a failure and goes no further; all that was committed is kept.
    Mend the cause, then start it again.
    """

    height: int
    cause: str


class UnknownTransactionError(DriverError):
    """No transaction of this hash waits here or stands in a block. Submit its bytes again: that never counts twice."""

    name: bytes


class WaitTimeoutError(DriverError):
    """The network made no block with what was sent, which may still take effect. Look at `gridproof status`; once
    the network goes on, type the command again: what is on record already is not done twice.
    """

    name: bytes
    timeout_ms: int


class BrokenHistoryError(DriverError):
    """The file is not one whole history of a ledger; nothing was taken from it. Export it again."""

    path: str
    detail: str


class MissingBlockError(DriverError):
    """A block that should be kept here is not; nothing was changed. Restore the ledger from a backup."""

    height: int


class HistoryPrunedError(DriverError):
    """The blocks before a height are not kept here; nothing was read.
    Ask a node that keeps them all, or begin at a state that was kept: give the folder of the snapshots.
    """

    from_height: int


class SnapshotFailedError(DriverError):
    """A snapshot of the state was not taken, or one that is kept cannot be read; the ledger goes on without it.
    Make room, or mend the folder.
    """

    path: str
    detail: str


class SnapshotUnknownError(DriverError):
    """There is no such piece of a snapshot here; nothing was read. Ask for what is listed now."""

    height: int
    index: int


class SnapshotRefusedError(DriverError):
    """The snapshot is not one that this node may begin with; nothing was taken from it. Choose another."""

    height: int
    detail: str


class ChunkRefusedError(DriverError):
    """The piece is not the one that comes next in the snapshot; nothing was written. Fetch it again, elsewhere."""

    index: int
    detail: str


class SnapshotFalseError(DriverError):
    """The snapshot is not the state that it claims to be; all of it was removed again.
    Take another one, and trust its givers no more.
    """

    height: int
    detail: str


class NotEmptyError(DriverError):
    """A ledger can be begun with a snapshot in an empty store only; nothing was changed. Choose another folder."""

    height: int


class HalfRestoredError(DriverError):
    """The store holds part of a snapshot that a network's node was taking in when it ended; nothing was opened.
    Start that node, which begins anew, or choose another folder.
    """


class BackupError(DriverError):
    """The backup was not made or not restored; what was there before is untouched."""

    path: str
    detail: str


class SocketInUseError(DriverError):
    """Another node answers at this socket; nothing was opened. Stop it, or set another path in `node.socket`."""

    socket: str


class SocketPathError(DriverError):
    """No socket can be opened at this path; nothing was opened. Set another path in `node.socket`."""

    socket: str
    detail: str


class NodeFaultError(DriverError):
    """The node failed at this request, and wrote down where; the ledger is unharmed. Report what its log says."""

    request: str


class WireError(DriverError):
    """The other side of the socket sent what is no frame of this protocol; the connection was closed."""

    detail: str


class MempoolError(Refusal):
    """Root of refusals for want of room; the same bytes may be accepted later."""


class MempoolFull(MempoolError):
    """The node holds as many waiting transactions as it may; this one was not taken.
    Send it again after the next block.
    """

    code: ClassVar[int] = 901
    limit: int


class SenderCrowded(MempoolError):
    """The sender has as many waiting transactions, or bytes of them, as one may have; this one was not taken.
    Wait for one of them first.
    """

    code: ClassVar[int] = 902
    sender: int
    limit: int


class NoLedgerYet(MempoolError):
    """This node still takes its ledger over from others; nothing was taken in. Ask another node, or later."""

    code: ClassVar[int] = 903


class PassedOver(MempoolError):
    """It was this transaction's turn, and many blocks with room for it went by without it: this node let it go.
    Nothing was booked. Hand the same bytes in at another node; one that votes says why, where it can never be booked.
    """

    code: ClassVar[int] = 904
    blocks: int
