"""Why no page is made."""

from gridproof.errors import GridproofError


class PageError(GridproofError):
    """A page for people cannot be made."""


class ReportContradictsError(PageError):
    """The bill report contradicts itself; no page was made of it. Check the bill, and object to it."""

    detail: str


class UnknownLanguageError(PageError):
    """Pages are not written in this language. Choose one of those that `known` names."""

    language: str
    known: tuple[str, ...]
