"""The port to the ledger, its twins in process, over a Unix socket and for a network, and what signs and sends."""

from .errors import (
    ClientError,
    GivenUpError,
    NodeSilentError,
    NodeSpeaksOtherwiseError,
    NodesUnreachableError,
    NodeUnreachableError,
    SentUnansweredError,
    UnprovenError,
)
from .history import RemoteHistory
from .in_process import InProcessClient
from .network import NetworkClient
from .nodes import NodeView
from .port import LedgerClient, Proven
from .sender import Sender, Sent
from .unix_socket import SocketClient

__all__ = [
    "ClientError",
    "GivenUpError",
    "InProcessClient",
    "LedgerClient",
    "NetworkClient",
    "NodeSilentError",
    "NodeSpeaksOtherwiseError",
    "NodeUnreachableError",
    "NodeView",
    "NodesUnreachableError",
    "Proven",
    "RemoteHistory",
    "Sender",
    "Sent",
    "SentUnansweredError",
    "SocketClient",
    "UnprovenError",
]
