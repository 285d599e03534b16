"""Chromium, for looking at pages as people see them: the system's package."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tools.engines.cache import home
from tools.environment import SetupError, alone, run

PACKAGES: Final = ("chromium", "fonts-dejavu-core")
_PATIENCE_S: Final = 60


def find() -> Path | None:
    """The program, if it is installed and runs; None otherwise."""
    named = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin")
    if named is None:
        return None
    try:
        subprocess.run([named, "--version"], capture_output=True, check=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(named)


def install() -> Path:
    """The program, installed first where it is not there yet and this may be done.

    Raises:
        SetupError: it cannot be installed; says what to run.
    """
    with alone(home() / "chromium"):
        found = find()
        if found is not None:
            return found
        words = [
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "-o",
            "DPkg::Lock::Timeout=300",
            *PACKAGES,
        ]
        if os.geteuid() or shutil.which("apt-get") is None:
            raise SetupError(f"Chromium is not installed; as root, run: apt-get install {' '.join(PACKAGES)}")
        run(["apt-get", "update", "-q"], "asking the system for its packages")
        run(["env", "DEBIAN_FRONTEND=noninteractive", *words], "installing Chromium")
        found = find()
        if found is None:
            raise SetupError("Chromium was installed and does not run; try `chromium --version`")
        return found
