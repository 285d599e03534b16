"""Reasons for which a client of the ledger gets no answer. What the ledger itself refuses comes as its own errors."""

from gridproof.errors import GridproofError


class ClientError(GridproofError):
    """The ledger gave no answer."""


class NodeUnreachableError(ClientError):
    """No node answers at this socket; nothing was sent. Start it with `gridproof run`, or correct `node.socket`."""

    socket: str
    detail: str


class NodeSilentError(ClientError):
    """The node took the request and did not answer in time; it may still act on it.
    Ask again: that never counts twice.
    """

    socket: str
    waited_ms: int


class NodeSpeaksOtherwiseError(ClientError):
    """What answers at this socket is no node of this version; nothing was read.
    Correct `node.socket`, or upgrade.
    """

    socket: str
    detail: str


class NodeUnfitError(ClientError):
    """This node of the network cannot answer now; another one was asked."""

    node: str
    detail: str


class NodeDownError(NodeUnfitError):
    """This node of the network gives no answer that can be used; another one was asked. Look at it, or correct
    `ledger.nodes`.
    """


class NodeLateError(NodeDownError):
    """This node of the network took long for its first word; another one was asked."""


class NodeBehindError(NodeUnfitError):
    """This node of the network is behind what was seen already; another one was asked. Wait until it has caught up."""


class NodeBlindError(NodeUnfitError):
    """This node joined too late to say whether the transaction was booked before; another one was asked."""


class NodeAloneError(NodeUnfitError):
    """This node says of a transaction that it has no effect, and no other one says so; it was not believed, and another
    one was asked.
    """


class NodesUnreachableError(ClientError):
    """No node of the network gives an answer that can be used. Start a node, or correct `ledger.nodes`."""

    nodes: str


class SentUnansweredError(NodesUnreachableError):
    """No node of the network gives an answer; what was sent may take effect all the same.
    Start a node, or correct `ledger.nodes`.
    """


class GivenUpError(GridproofError):
    """This process was told to stop while it waited for the network; what was sent may take effect all the same.
    Run it again to go on.
    """


class UnprovenError(ClientError):
    """The node's proof does not show what it answered; the answer was not used. Ask another node."""

    detail: str
