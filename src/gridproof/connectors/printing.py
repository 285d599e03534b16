"""HTML to PDF, by the Chromium that the machine has.

Rules:
    H-1 The browser runs headless with a fresh profile of its own, which only its owner may open and which is removed.
    H-2 It stays in its sandbox, except for root, whom Chromium refuses otherwise. Pages carry a policy that forbids
        scripts and fetching. It gets none of our environment variables.
    H-3 What it started ends with it: a run that takes too long is killed with its whole group.
    H-4 The PDF is tagged, so that a screen reader can walk it, and has no header or footer of the browser's. It is
        written whole or not at all.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from gridproof.errors import GridproofError

from .files import FileMissingError, write_whole

VARIABLE: Final = "GRIDPROOF_CHROMIUM"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEFAULT_TIMEOUT_S: Final = 60
_OURS: Final = "GRIDPROOF_"
_MAGIC: Final = b"%PDF-"
_PREFIX: Final = "gridproof-print-"
_SHORT: Final = 40  # a socket's path has 107 bytes at most, and Chromium adds a folder and a name of its own
_USUAL_PLACE: Final = "/tmp"  # noqa: S108 - what is made in it is a folder with a random name and mode 0700
_TAIL: Final = 300
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
)


class PrintingError(GridproofError):
    """A page was not printed."""


class NoChromiumError(PrintingError):
    """There is no Chromium to print with. Install it, or name it in GRIDPROOF_CHROMIUM, or print from your browser."""

    looked_for: str


class PrintingFailedError(PrintingError):
    """Chromium wrote no PDF; what stood in its place still stands. See the detail, or print from your browser."""

    detail: str


class PrintingTimeoutError(PrintingError):
    """Chromium took too long and was ended; nothing was written. Try again, or print the page from your browser."""

    timeout_s: int


def find_chromium(named: str | None = None) -> Path:
    """Find the browser.

    Args:
        named: path or name that the settings give; None looks at GRIDPROOF_CHROMIUM, then for the usual names.

    Raises:
        NoChromiumError: there is none. A name that was given and leads nowhere is not replaced by another.
    """
    wanted = named or os.environ.get(VARIABLE)
    names = (wanted,) if wanted else NAMES
    for name in names:
        found = shutil.which(name)
        if found:
            return Path(found)
    raise NoChromiumError(looked_for=", ".join(names))


def print_pdf(page: Path, pdf: Path, *, chromium: str | None = None, timeout_s: int = DEFAULT_TIMEOUT_S) -> None:
    """Print an HTML file that stands alone to PDF.

    Args:
        page: the HTML file.
        pdf: where the PDF goes; what is there gives way. It is for its owner only, like the bill that it shows.
        chromium: path or name of the browser, as `find_chromium` takes it.
        timeout_s: after this many seconds the browser is ended.

    Raises:
        FileMissingError: the page is not there.
        NoChromiumError: there is no browser.
        PrintingTimeoutError: it took too long.
        PrintingFailedError: it ended without a PDF.
        FileUnwritableError: the PDF cannot be written there.
    """
    if not page.is_file():
        raise FileMissingError(path=str(page))
    browser = find_chromium(chromium)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_short_place(), ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        detail = _run(_command(browser, page, made, Path(folder) / "profile"), folder, timeout_s)
        content = made.read_bytes() if made.is_file() else b""
    if not content.startswith(_MAGIC):
        raise PrintingFailedError(detail=detail)
    write_whole(pdf, content, 0o600)


def _short_place() -> str:
    """Where temporary folders go, unless a socket's path in it would be too long."""
    place = tempfile.gettempdir()
    return place if len(os.fsencode(place)) <= _SHORT or not os.access(_USUAL_PLACE, os.W_OK) else _USUAL_PLACE


def _command(browser: Path, page: Path, pdf: Path, profile: Path) -> list[str]:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    where = [f"--user-data-dir={profile}", f"--print-to-pdf={pdf}", page.resolve().as_uri()]
    return [str(browser), *_FLAGS, *root, *where]


def _run(command: list[str], folder: str, timeout_s: int) -> str:
    """Run the browser in a group of its own; return the end of what it said."""
    # Nothing of the person's own browser is read or written: home and caches lie in the folder that is removed. Our
    # own variables stay here: one of them may hold a passphrase.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"), folder)
    said = Path(folder) / "said"
    with said.open("wb") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell; the browser is the user's own choice
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**kept, **homes},
                start_new_session=True,
            )
        except OSError as refused:
            raise PrintingFailedError(detail=refused.strerror or str(refused)) from refused
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            raise PrintingTimeoutError(timeout_s=timeout_s) from late
        finally:
            _end(process)
    lines = said.read_text("utf-8", "replace").strip().splitlines()
    tail = " ".join([line for line in lines if "FATAL" in line] or lines)[-_TAIL:]
    return f"status {status}: {tail}" if tail else f"status {status}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the browser and all that it started (H-3)."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
