"""The catalogues: W-1 to W-3."""

import string
from collections.abc import Mapping

import pytest

from gridproof.actors.bills.page import LANGUAGES, Check, UnknownLanguageError, Verdict, finding_name, render_page
from gridproof.actors.bills.page import words as words_module
from gridproof.actors.bills.page.clock import WallClock
from gridproof.actors.bills.page.words import Words, catalogue
from gridproof.actors.bills.verifying import CHECKS

from tests.unit.actors.bills.samples import SAMPLES, ZONE, sample


def placeholders(text: str) -> list[str]:
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name})


def test_w1_all_catalogues_have_the_same_keys_and_placeholders() -> None:
    first, *others = (catalogue(language) for language in LANGUAGES)
    for other in others:
        assert set(other) == set(first)
        assert {key for key in first if placeholders(first[key]) != placeholders(other[key])} == set()


def test_w1_no_key_is_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()

    class Recorded(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            used.add(key)
            return super().__getitem__(key)

    def recorded(language: str) -> Mapping[str, str]:
        return Recorded(catalogue(language))

    monkeypatch.setattr(words_module, "catalogue", recorded)
    verdict = Verdict(True, (Check("a", True), Check("b", False)))
    for name in SAMPLES:
        if name != "largest":
            report = sample(name)
            for each in (verdict, verdict._replace(ok=False), verdict._replace(partial=True)):
                render_page(report, "en", verdict=each, cid="c", digest="d")
    assert WallClock(ZONE, Words("en")).days(0, 40 * 86_400) == "1 January 1970 to 10 February 1970"
    calendar = {key for key in catalogue("en") if key.startswith(("month.", "weekday."))}
    findings = {f"finding.{check}" for check in CHECKS}
    assert set(catalogue("en")) - used - calendar == findings


def test_every_check_of_a_bill_has_a_name_for_people() -> None:
    for language in LANGUAGES:
        names = [finding_name(language, check) for check in CHECKS]
        assert len(set(names)) == len(CHECKS)
        assert not set(names) & set(CHECKS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_w2_texts_are_plain_and_without_stray_blanks(language: str) -> None:
    for text in catalogue(language).values():
        assert text == text.strip()
        assert not set("<>\n\t") & set(text)
        assert "  " not in text


def test_german_is_right_in_switzerland_too() -> None:
    assert not [text for text in catalogue("de").values() if "\u00df" in text]


def test_w3_what_is_counted_has_two_forms() -> None:
    words = Words("en")
    assert [words.count("unit.slots", number, str(number)) for number in (0, 1, 2)] == ["0 slots", "1 slot", "2 slots"]
    keys = set(catalogue("en"))
    assert {key.removesuffix(".one") for key in keys if key.endswith(".one")} == {
        key.removesuffix(".many") for key in keys if key.endswith(".many")
    }


def test_an_unknown_language_is_refused_and_the_known_are_named() -> None:
    with pytest.raises(UnknownLanguageError) as refused:
        Words("rm")
    assert (refused.value.language, refused.value.known) == ("rm", ("de", "en"))
