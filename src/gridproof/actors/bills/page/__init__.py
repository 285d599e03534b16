"""The bill page for people: one HTML file from a report, in German and English."""

from .errors import PageError, ReportContradictsError, UnknownLanguageError
from .page import Check, Verdict, render_page
from .words import LANGUAGES, Language, finding_name

__all__ = [
    "LANGUAGES",
    "Check",
    "Language",
    "PageError",
    "ReportContradictsError",
    "UnknownLanguageError",
    "Verdict",
    "finding_name",
    "render_page",
]
