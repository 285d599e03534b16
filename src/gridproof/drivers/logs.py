"""The drivers' log: quiet until a program sets the level of the standard library's logger `gridproof`.

What is logged: heights, hashes, codes and sentences; never a transaction's bytes, a key or a path of a secret.
"""

import logging

import structlog
from structlog.stdlib import BoundLogger

_PROCESSORS = (
    structlog.stdlib.filter_by_level,
    structlog.processors.format_exc_info,
    structlog.processors.LogfmtRenderer(key_order=["event"]),
)


def logger(name: str) -> BoundLogger:
    """A logger under `gridproof`.

    Args:
        name: its part, such as `ledger`.
    """
    made: BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"gridproof.{name}"), processors=_PROCESSORS, wrapper_class=BoundLogger
    )
    return made
