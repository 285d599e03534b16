"""Changes of keys that are cut short, at each touch of the disk or the ledger."""

from collections.abc import Callable
from typing import Any

import pytest

from gridproof.actors.community import keyring
from gridproof.connectors import secret_files
from gridproof.drivers.embedded import EmbeddedLedger

TOUCHES = (
    (secret_files, "write_whole"),
    (secret_files, "overwrite"),
    (secret_files, "erase"),
    (keyring, "discard"),
    (EmbeddedLedger, "submit"),
    (EmbeddedLedger, "make_block"),
)


class Killed(BaseException):
    """The process ended here."""


def cut_at(step: int, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """End the process at its `step`th touch of the disk or the ledger, before it or after it."""
    left = [step]

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def touch(*arguments: Any, **named_arguments: Any) -> Any:
            left[0] -= 1
            is_this = left[0] == 0
            if is_this and not after:
                raise Killed
            try:
                return real(*arguments, **named_arguments)
            finally:
                if is_this:
                    raise Killed

        return touch

    for holder, name in TOUCHES:
        monkeypatch.setattr(holder, name, guarded(getattr(holder, name)))
