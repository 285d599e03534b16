"""A bill page as PDF, by a real Chromium: it fails where there is none under CI=true, else it is skipped."""

import re
import tempfile
import zlib
from pathlib import Path

import pytest

from gridproof.actors.bills.page import LANGUAGES, render_page
from gridproof.connectors.printing import NoChromiumError, find_chromium, print_pdf

from tests.shared import in_ci
from tests.unit.actors.bills.samples import sample

PATIENCE_S = 300  # far above what it takes, for a machine that is busy


@pytest.fixture(scope="module", autouse=True)
def chromium() -> None:
    try:
        find_chromium()
    except NoChromiumError as missing:
        if in_ci():
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def structure(pdf: bytes) -> bytes:
    """The document with its compressed parts unpacked."""
    parts = [pdf]
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(found[1]))
        except zlib.error:  # a font, a picture, or not compressed
            continue
    return b"\n".join(parts)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["day", "month", "export", "gaps"])
def test_a_bill_becomes_a_tagged_pdf_in_its_language_on_a_few_sheets(tmp_path: Path, name: str, language: str) -> None:
    page = tmp_path / "bill.html"
    page.write_text(render_page(sample(name), language), encoding="utf-8")
    print_pdf(page, tmp_path / "bill.pdf", timeout_s=PATIENCE_S)
    told = structure((tmp_path / "bill.pdf").read_bytes())
    assert re.search(rb"/MarkInfo\s*<<[^>]*/Marked true", told)
    assert re.search(rb"/Lang\s*\(" + language.encode(), told)
    for kind in (b"/H1", b"/H2", b"/Table", b"/TH", b"/Caption", b"/Figure"):
        assert kind in told
    sheets = len(re.findall(rb"/Type\s*/Page\b", told))
    assert 3 <= sheets <= 8
    assert len(re.findall(rb"/MediaBox\s*\[0 0 59[45](?:\.\d+)? 84[12](?:\.\d+)?\]", told)) == sheets
    assert b"file://" not in told


def test_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "bill.html"
    page.write_text(render_page(sample("day"), "en"), encoding="utf-8")
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        print_pdf(page, tmp_path / "bill.pdf", timeout_s=PATIENCE_S)
        assert list(Path(short).iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bill.html", "bill.pdf"]
