"""The page's words, from one catalogue a language: `texts/de.toml`, `texts/en.toml`.

Rules:
    W-1 All catalogues have the same keys with the same placeholders, and no key that no page uses (a test holds them).
    W-2 A text is plain: what makes it safe within HTML is the template's escaping.
    W-3 What is counted has two forms, `.one` and `.many`.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

from .errors import UnknownLanguageError

Language = Literal["de", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


class Words:
    """The texts of a language.

    Args:
        language: `de` or `en`.

    Raises:
        UnknownLanguageError: there is no catalogue of it.
    """

    __slots__ = ("_texts", "language")

    def __init__(self, language: str) -> None:
        self._texts = catalogue(language)
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, its placeholders filled."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def count(self, key: str, number: int, shown: str) -> str:
        """The text for a number of things (W-3).

        Args:
            key: the key before `.one` and `.many`.
            number: how many.
            shown: the number as it is written.
        """
        return self(f"{key}.{'one' if number == 1 else 'many'}", n=shown)


def finding_name(language: str, check: str) -> str:
    """What a check of a bill found, as people read it.

    Args:
        language: `de` or `en`.
        check: its name, one of `verifying.CHECKS`.

    Raises:
        UnknownLanguageError: there is no catalogue of it.
    """
    return Words(language)(f"finding.{check}")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The catalogue of a language: texts by key, sections joined by points.

    Raises:
        UnknownLanguageError: there is none.
    """
    if language not in LANGUAGES:
        raise UnknownLanguageError(language=language, known=LANGUAGES)
    raw = files(__package__).joinpath("texts", f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(raw), ""))


def _flat(table: Mapping[str, object], before: str) -> "list[tuple[str, str]]":
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, str(value))]
    return found
