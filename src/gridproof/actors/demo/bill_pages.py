"""A household's bill in the demonstration's folder: the page for people, and the report that it was made from."""

import os
from pathlib import Path
from typing import NamedTuple

from gridproof.actors.bills.page import render_page
from gridproof.actors.bills.report import Report, decode_report
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.actors.community.bill_files import shown
from gridproof.actors.community.folder import file_stem
from gridproof.connectors.files import PRIVATE_FILE, FileUnwritableError

LANGUAGE = "en"


class BillPage(NamedTuple):
    """A page to write.

    Attributes:
        folder: where it shall lie.
        name: of its file.
        report: the report, encoded.
        verdict: what its household found.
        cid: content address of the sealed report.
        digest: its hash, in hexadecimal digits.
    """

    folder: Path
    name: str
    report: bytes
    verdict: BillVerdict
    cid: str
    digest: str


def page_name(report: Report) -> str:
    """The name of a bill page's file."""
    return f"{file_stem(report.household)}-{report.month}.html"


def write_page(page: BillPage) -> None:
    """Write a bill's page, and the report beside it.

    The demonstration's pages can be made again at any time: they are not synced one by one.

    Raises:
        FileUnwritableError: the disk does not take it.
    """
    written = render_page(
        decode_report(page.report), LANGUAGE, verdict=shown(page.verdict, LANGUAGE), cid=page.cid, digest=page.digest
    )
    for name, content in ((page.name, written.encode()), (f"{Path(page.name).stem}.json", page.report)):
        _write(page.folder / name, content)


def _write(path: Path, content: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
            file.write(content)
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure
