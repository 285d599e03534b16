"""The port to the ledger, its twins in process and over a Unix socket, and the helper that signs and sends."""

from .errors import ClientError, NodeSilentError, NodeSpeaksOtherwiseError, NodeUnreachableError, UnprovenError
from .in_process import InProcessClient
from .port import LedgerClient, Proven
from .sender import Sender, Sent
from .unix_socket import SocketClient

__all__ = [
    "ClientError",
    "InProcessClient",
    "LedgerClient",
    "NodeSilentError",
    "NodeSpeaksOtherwiseError",
    "NodeUnreachableError",
    "Proven",
    "Sender",
    "Sent",
    "SocketClient",
    "UnprovenError",
]
