"""Real services for tests: `make engines` has them ready; a test that misses one is skipped, loudly, or fails in CI."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.shared import in_ci
from tools.engines import chromium, cometbft, faulty, kubo, light

MISSING: Final = "engine missing"
FINDERS: Final[dict[str, Callable[[], Path | None]]] = {
    "cometbft": cometbft.find,
    "light": light.find,
    "faulty": faulty.find,
    "kubo": kubo.find,
    "chromium": chromium.find,
}


def engine(name: str) -> Path:
    """An engine's program, such as `kubo`'s."""
    program = FINDERS[name]()
    if program is not None:
        return program
    reason = f"{MISSING}: there is no {name} here; run `make engines`"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
