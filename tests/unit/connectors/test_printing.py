"""Printing: H-1 to H-4, with a browser of a few lines."""

import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gridproof.connectors import printing
from gridproof.connectors.files import FileMissingError, FileUnwritableError
from gridproof.connectors.printing import (
    NoChromiumError,
    PrintingFailedError,
    PrintingTimeoutError,
    find_chromium,
    print_pdf,
)

HEAD = (
    f"#!{sys.executable}\nimport os, sys, time, subprocess\n"
    "given = dict(each.partition('=')[::2] for each in sys.argv[1:])\n"
)
PRINTS = HEAD + (
    "here = os.path.dirname(os.path.abspath(__file__))\n"
    "open(f'{here}/told', 'w').write('\\n'.join(sys.argv[1:]))\n"
    "open(f'{here}/environment', 'w').write('\\n'.join(f'{k}={v}' for k, v in os.environ.items()))\n"
    "folder = os.path.dirname(given['--print-to-pdf'])\n"
    "open(f'{here}/folder', 'w').write(f'{folder} {os.stat(folder).st_mode & 0o777:o}')\n"
    "open(given['--print-to-pdf'], 'wb').write(b'%PDF-1.4 made')\n"
)


@pytest.fixture(autouse=True)
def no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(printing.VARIABLE, raising=False)


def browser(folder: Path, script: str, name: str = "chromium") -> str:
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a bill #1.html"
    path.write_text("<p>bill</p>")
    return path


def test_a_page_is_printed_with_a_private_profile_that_is_gone_afterwards(tmp_path: Path, page: Path) -> None:
    print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, PRINTS))
    assert (tmp_path / "bill.pdf").read_bytes() == b"%PDF-1.4 made"
    assert stat.S_IMODE((tmp_path / "bill.pdf").stat().st_mode) == 0o600
    folder, mode = (tmp_path / "folder").read_text().split()
    assert mode == "700"
    assert not Path(folder).exists()
    told = (tmp_path / "told").read_text().splitlines()
    assert told[-1] == page.as_uri()
    assert f"--user-data-dir={folder}/profile" in told
    assert {"--headless", "--no-pdf-header-footer"} <= set(told)


def test_a_place_too_deep_for_a_socket_is_not_used(tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, PRINTS))
    assert (tmp_path / "folder").read_text().startswith(f"/tmp/{printing._PREFIX}")
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, PRINTS))
    assert (tmp_path / "folder").read_text().startswith(f"/var/tmp/{printing._PREFIX}")


@pytest.mark.parametrize(("euid", "given"), [(0, True), (1_000, False)])
def test_h2_only_root_goes_without_the_sandbox(
    tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch, euid: int, given: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, PRINTS))
    assert ("--no-sandbox" in (tmp_path / "told").read_text().splitlines()) is given


def test_h2_our_variables_stay_with_us(tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "correct horse")
    monkeypatch.setenv("UNRELATED", "kept")
    print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, PRINTS))
    environment = (tmp_path / "environment").read_text()
    assert "UNRELATED=kept" in environment
    assert "correct horse" not in environment
    assert f"HOME={(tmp_path / 'folder').read_text().split()[0]}" in environment


def test_h3_a_run_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = HEAD + (
        "child = subprocess.Popen(['sleep', '600'])\n"
        "here = os.path.dirname(os.path.abspath(__file__))\n"
        "open(f'{here}/child', 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    (tmp_path / "bill.pdf").write_bytes(b"before")
    wait = subprocess.Popen.wait

    def out_of_time(process: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        """Time is up as soon as the browser has a child, however slow the machine is."""
        while timeout is not None and not ((tmp_path / "child").exists() and (tmp_path / "child").read_text()):
            time.sleep(0.01)
        if timeout is not None:
            raise subprocess.TimeoutExpired("browser", timeout)
        return wait(process)

    monkeypatch.setattr(subprocess.Popen, "wait", out_of_time)
    with pytest.raises(PrintingTimeoutError) as refused:
        print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, script), timeout_s=3)
    assert refused.value.timeout_s == 3
    assert (tmp_path / "bill.pdf").read_bytes() == b"before"
    child = Path("/proc", (tmp_path / "child").read_text(), "stat")
    deadline = time.monotonic() + 30  # the system kills in its own time
    while _lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(stat: Path) -> bool:
    """Whether a process still runs, by its file under /proc."""
    try:
        return stat.read_text().split()[2] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        (HEAD + "sys.exit('no fonts')", "status 1: no fonts"),
        (HEAD, "status 0"),
        (HEAD + "sys.exit('a warning\\nFATAL: no path\\nanother')", "status 1: FATAL: no path"),
        (HEAD + "open(given['--print-to-pdf'], 'wb').write(b'<html>')", "status 0"),
        ("#!/nowhere/at/all\n", "No such file or directory"),
    ],
)
def test_h4_without_a_pdf_what_was_there_still_stands(tmp_path: Path, page: Path, script: str, detail: str) -> None:
    (tmp_path / "bill.pdf").write_bytes(b"before")
    with pytest.raises(PrintingFailedError) as refused:
        print_pdf(page, tmp_path / "bill.pdf", chromium=browser(tmp_path, script))
    assert refused.value.detail == detail
    assert (tmp_path / "bill.pdf").read_bytes() == b"before"


def test_a_page_that_is_missing_and_a_place_that_is_none_are_told(tmp_path: Path, page: Path) -> None:
    with pytest.raises(FileMissingError):
        print_pdf(tmp_path / "none.html", tmp_path / "bill.pdf", chromium=browser(tmp_path, PRINTS))
    with pytest.raises(FileUnwritableError):
        print_pdf(page, tmp_path / "no" / "bill.pdf", chromium=browser(tmp_path, PRINTS))


def test_the_browser_is_the_one_named_then_that_of_the_variable_then_a_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, other, named = (browser(tmp_path, HEAD, name) for name in ("google-chrome", "other", "named"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() == Path(usual)
    monkeypatch.setenv(printing.VARIABLE, other)
    assert find_chromium() == Path(other)
    assert find_chromium(named) == Path(named)


def test_without_a_browser_the_error_says_what_to_do(
    tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoChromiumError, match="print from your browser") as refused:
        print_pdf(page, tmp_path / "bill.pdf")
    assert refused.value.looked_for == ", ".join(printing.NAMES)
    browser(tmp_path, HEAD)
    with pytest.raises(NoChromiumError) as refused:
        find_chromium("/nowhere/chromium")
    assert refused.value.looked_for == "/nowhere/chromium"
