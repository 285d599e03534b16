"""Where engines are kept."""

import os
from pathlib import Path


def home() -> Path:
    """The folder of all engines."""
    named = os.environ.get("GRIDPROOF_ENGINES")
    if named:
        return Path(named)
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "gridproof" / "engines"
