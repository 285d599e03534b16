"""A bill as a file: the page for people, the same on paper, the report itself, a table, a Green Button file."""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gridproof.actors.bills.exports import green_button
from gridproof.actors.bills.page import Check, Verdict, finding_name, render_page
from gridproof.actors.bills.report import Report, encode_report
from gridproof.actors.bills.verifying import BillVerdict
from gridproof.connectors.files import PRIVATE_FILE, write_whole
from gridproof.connectors.printing import print_pdf

from .errors import UnknownFormError
from .household_bills import Read


def write_bill(read: Read, path: Path, language: str) -> None:
    """Write a bill in the form that the file's ending asks for; nothing is overwritten.

    Args:
        read: the bill, and what the household found of it.
        path: ends with `.html`, `.pdf` or `.json`.
        language: of the page, `en` or `de`.

    Raises:
        UnknownFormError: the ending is another.
        UnknownLanguageError: there is no page in this language.
        FileExistsAlreadyError, FileUnwritableError: it cannot be written.
        PrintingError: no PDF can be made here.
    """
    write = _FORMS.get(path.suffix.lower())
    if write is None:
        raise UnknownFormError(path=str(path), known=tuple(_FORMS))
    write(read, path, language)


def write_table(read: Read, path: Path, lines: Callable[[Report], Iterable[str]]) -> None:
    """Write a bill's slots or charges as a CSV file; nothing is overwritten.

    Args:
        read: the bill.
        path: the file.
        lines: `csv_lines`, `csv_charges` or `csv_readings`.

    Raises:
        FileExistsAlreadyError, FileUnwritableError: it cannot be written.
    """
    write_whole(path, "".join(lines(read.opened.report)).encode(), PRIVATE_FILE, replace=False)


def write_green_button(read: Read, path: Path) -> None:
    """Write a bill as a Green Button file (ESPI); nothing is overwritten.

    Raises:
        BeyondGreenButtonError: something has no place in it.
        FileExistsAlreadyError, FileUnwritableError: it cannot be written.
    """
    write_whole(path, green_button(read.opened.report), PRIVATE_FILE, replace=False)


def page_of(read: Read, language: str) -> str:
    """The page of a bill, with what the household's check came to.

    Raises:
        UnknownLanguageError: there is no page in this language.
    """
    registered = read.opened.registered
    digest = registered.digest.hex()
    return render_page(
        read.opened.report, language, verdict=shown(read.verdict, language), cid=registered.cid, digest=digest
    )


def shown(verdict: BillVerdict, language: str) -> Verdict:
    """A verdict as pages show it."""
    checks = tuple(
        Check(finding_name(language, finding.check), finding.holds, "; ".join(finding.falsehoods))
        for finding in verdict.findings
    )
    return Verdict(verdict.is_true, checks, partial=bool(verdict.gone))


def _write_page(read: Read, path: Path, language: str) -> None:
    write_whole(path, page_of(read, language).encode(), PRIVATE_FILE, replace=False)


def _write_pdf(read: Read, path: Path, language: str) -> None:
    with TemporaryDirectory(prefix="gridproof-bill.") as scratch:
        page, printed = Path(scratch, "bill.html"), Path(scratch, "bill.pdf")
        page.write_text(page_of(read, language), encoding="utf8")
        print_pdf(page, printed)
        write_whole(path, printed.read_bytes(), PRIVATE_FILE, replace=False)


def _write_report(read: Read, path: Path, language: str) -> None:
    del language  # the report says figures, not words
    write_whole(path, encode_report(read.opened.report), PRIVATE_FILE, replace=False)


_FORMS: Final[dict[str, Callable[[Read, Path, str], None]]] = {
    ".html": _write_page,
    ".pdf": _write_pdf,
    ".json": _write_report,
}
