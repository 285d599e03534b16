"""Whatever is changed in a household's report, its own check finds it, or it is no report any more.

Left out is what no ledger says: the letterhead, when the bill was made, and the months before, whose own bills say it.
The version is held by the seal. A register that is left out where it reconciled nothing costs nobody anything, and only
the meter could tell.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gridproof.actors.bills.report import ReportFormatError, decode_report, encode_report
from gridproof.actors.bills.sealing import ReportNotOursError, open_report, seal_report
from gridproof.domain import bill_key, seal_key, seal_secret

from tests.simulation.billed import BilledVillage
from tests.simulation.falsehoods import ANN, BEA, eventful
from tests.simulation.village import OCTOBER

UNSAID: Final = {"community", "region_name", "zone", "made_s", "history", "bill_version"}
Path = tuple[str | int, ...]


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledVillage]:
    village = eventful(tmp_path_factory.mktemp("village"))
    yield village
    village.close()


def paths(value: Any, before: Path = ()) -> list[Path]:
    """All places of a document, lists and what is in them."""
    found: list[Path] = [before] if before else []
    if isinstance(value, dict):
        for name in sorted(value.keys() - (UNSAID if not before else set())):
            found += paths(value[name], (*before, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            found += paths(each, (*before, at))
    return found


def at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def other(value: Any) -> st.SearchStrategy[Any]:
    """Something else of the same kind, and now and then of another."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        near = st.integers(-3, 3).map(lambda by: value + by)
        return near | st.integers(-(2**62), 2**62) | st.sampled_from([0, 1, 2**53 - 1, -value])
    if isinstance(value, str):
        flipped = st.integers(0, max(0, len(value) - 1)).map(
            lambda n: value[:n] + ("0" if value[n : n + 1] != "0" else "1") + value[n + 1 :]
        )
        words = ["import", "export", "silent", "dropped", "excluded", "void", "energy", "tax", "", "00" * 32]
        return flipped | st.sampled_from(words) | st.just(value[::-1])
    if isinstance(value, list):
        size = len(value)
        shorter = st.integers(0, max(0, size - 1)).map(lambda n: value[:n] + value[n + 1 :])
        longer = st.integers(0, max(0, size - 1)).map(lambda n: value[:n] + value[n : n + 1] * 2 + value[n + 1 :])
        return shorter | longer | st.just(value[::-1]) | st.just([])
    return st.none() | st.just({})


@given(data=st.data())
@pytest.mark.parametrize("name", [ANN, BEA])
def test_whatever_is_changed_in_a_report_is_found(village: BilledVillage, name: str, data: st.DataObject) -> None:
    reader = village.reader(name)
    opened = reader.open(OCTOBER)
    document = json.loads(encode_report(opened.report))
    path = data.draw(st.sampled_from(paths(document)), label="place")
    held = at(document, path[:-1])
    true = held[path[-1]]
    held[path[-1]] = data.draw(other(true), label="instead")
    assume(held[path[-1]] != true or isinstance(held[path[-1]], bool) != isinstance(true, bool))
    assume(path[-1] != "register" or held["register"] is not None or true["reconciled_wh"] > 0)
    raw = msgspec.json.encode(document, order="sorted")
    try:
        report = decode_report(raw)
    except ReportFormatError:
        return
    assert report != opened.report
    verdict = reader.verify(opened._replace(report=report), OCTOBER)
    assert not verdict.is_true, f"{path} was {true!r}"


@given(at=st.integers(0, 200_000), by=st.integers(1, 255))
def test_no_byte_of_a_sealed_report_can_be_changed(village: BilledVillage, at: int, by: int) -> None:
    file = village.file(ANN)
    opened = village.open(ANN)
    altered = bytearray(opened.sealed)
    altered[at % len(altered)] ^= by
    view = file.identity_view(OCTOBER)
    bid = bill_key(view).public_key
    with pytest.raises(ReportNotOursError):
        open_report(bytes(altered), seal_secret(view), file.chain_id, file.region, OCTOBER, bid, 1)


@given(version=st.integers(1, 65_535), household=st.text(max_size=30))
def test_what_is_sealed_comes_back_whatever_it_says(village: BilledVillage, version: int, household: str) -> None:
    report = msgspec.structs.replace(village.open(ANN).report, bill_version=version, household=household)
    try:
        raw = encode_report(report)
    except UnicodeEncodeError:
        assume(False)
    assert decode_report(raw) == report
    view = village.file(ANN).identity_view(OCTOBER)
    sealed = seal_report(report, seal_key(view), OCTOBER)
    bid = bill_key(view).public_key
    found = open_report(sealed, seal_secret(view), report.chain_id, report.region, OCTOBER, bid, version)
    assert found == report
