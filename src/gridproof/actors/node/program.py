"""Finding the engine's program, of the one version that this program works with."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gridproof.drivers.cometbft.engine import VERSION

from .errors import EngineMissingError, EngineVersionError

VARIABLE: Final = "GRIDPROOF_COMETBFT"
PATIENCE_S: Final = 60


def find_engine(named: str = "") -> Path:
    """The engine's program.

    Args:
        named: its path by the settings; looked for where it is empty: by the variable GRIDPROOF_COMETBFT, in the
            search path, where Go installs programs, and where `make engines` puts it. One of another version that
            nobody named is passed over.

    Raises:
        EngineMissingError: it is nowhere.
        EngineVersionError: it is of another version; where nobody named it, and no place has the right one.
    """
    looked_at: list[str] = []
    unlike: EngineVersionError | None = None
    for place in [Path(named).expanduser()] if named else _places():
        looked_at.append(str(place))
        if os.access(place, os.X_OK) and place.is_file():
            try:
                _require_version(place)
            except EngineVersionError as wrong:
                unlike = unlike or wrong
                continue
            return place
    raise unlike or EngineMissingError(version=VERSION, looked_at=", ".join(looked_at))


def _places() -> Iterator[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        yield Path(named)
        return
    found = shutil.which("cometbft")
    if found:
        yield Path(found)
    home = Path.home()
    yield Path(os.environ.get("GOBIN") or Path(os.environ.get("GOPATH") or home / "go") / "bin") / "cometbft"
    engines = os.environ.get("GRIDPROOF_ENGINES")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    yield from sorted(
        (Path(engines) if engines else caches / "gridproof" / "engines").glob(f"cometbft-{VERSION}-*/cometbft")
    )


def _require_version(program: Path) -> None:
    try:
        told = subprocess.run([program, "version"], capture_output=True, check=True, timeout=PATIENCE_S)
        found = told.stdout.decode(errors="replace").strip()[:100]
    except (OSError, subprocess.SubprocessError) as wrong:
        raise EngineVersionError(program=str(program), found=f"nothing: {wrong}", wanted=VERSION) from wrong
    if found.removeprefix("v").split("+")[0] != VERSION:
        raise EngineVersionError(program=str(program), found=found or "nothing", wanted=VERSION)
