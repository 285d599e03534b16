"""The few questions that a node's own programs ask its engine, over its RPC."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from .errors import NodeSilentError

PATIENCE_S: Final = 5.0
MAX_BYTES: Final = 2**24


def ask(address: str, method: str, *, patience_s: float = PATIENCE_S, **arguments: str) -> dict[str, Any]:
    """Ask an engine.

    Args:
        address: of its RPC, `host:port`.
        method: such as `status`.
        patience_s: how long it may take.
        arguments: as the method takes them.

    Raises:
        NodeSilentError: it does not answer, or answers with an error.
    """
    query = "&".join(f"{name}={value}" for name, value in arguments.items())
    link = HTTPConnection(address, timeout=patience_s)
    try:
        link.request("GET", f"/{method}{'?' * bool(query)}{query}")
        told = json.loads(link.getresponse().read(MAX_BYTES))
        result = told["result"]
    except (OSError, HTTPException) as wrong:
        raise NodeSilentError(address=address, detail=str(wrong) or type(wrong).__name__) from wrong
    except (ValueError, KeyError, TypeError) as wrong:
        raise NodeSilentError(address=address, detail="no answer of an engine") from wrong
    finally:
        link.close()
    if not isinstance(result, dict):
        raise NodeSilentError(address=address, detail="no answer of an engine")
    return result
