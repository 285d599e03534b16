"""A node's figures tell what it did, and nothing of a person."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gridproof.drivers.cometbft.errors import FiguresAddressError
from gridproof.drivers.cometbft.figures import CATALOGUE, Figures, markdown, result_of
from gridproof.drivers.cometbft.figures_page import figures_page
from gridproof.drivers.cometbft.observing import UNOBSERVED, Observer
from gridproof.drivers.cometbft.service import Service
from gridproof.state import Head, SerialVerifier, Validator
from gridproof.state.store import LmdbStore

from .abci_scenes import born, check, commit, judge, propose
from tests.shared import ROOT
from tests.tiny.app import GENESIS_TIME_S, PEOPLE, signer
from tests.unit.drivers.scenes import post, signed

GOOD = signed("operator", post(), nonce=0)
REFUSED_LATER = signed("household-1", post(), nonce=0)  # only the operator posts
MALFORMED = b"no transaction"


def told(figures: Figures) -> dict[str, float]:
    """All samples, by name and labels as they are written."""
    return read(generate_latest(figures.registry).decode())


def read(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.fixture
def figures() -> Figures:
    return Figures()


@pytest.fixture
def service(figures: Figures, tmp_path: Path) -> Iterator[Service]:
    with closing(LmdbStore(str(tmp_path / "db"))) as store:
        verifier = figures.verifier(SerialVerifier())
        made = born(figures, snapshots=tmp_path / "snapshots", every=2, verifier=verifier, store=store)
        figures.watch(made.application, store.size_bytes)
        with closing(made):
            yield made


def test_blocks_and_results_are_counted_when_they_are_committed(figures: Figures, service: Service) -> None:
    assert judge(service, 1, [GOOD, REFUSED_LATER])
    assert "gridproof_blocks_total{proposer=0}" not in told(figures)
    codes = commit(service, 1, [GOOD, REFUSED_LATER])
    found = told(figures)
    assert codes[0] == 0
    assert codes[1] > 0
    assert found["gridproof_height"] == 1
    assert found["gridproof_ledger_time_seconds"] == GENESIS_TIME_S + 10
    assert found["gridproof_blocks_total{proposer=0}"] == 1
    assert found["gridproof_transactions_total{result=applied}"] == 1
    assert found[f"gridproof_transactions_total{{result={result_of(codes[1])}}}"] == 1


def test_envelopes_are_counted_by_what_was_answered(figures: Figures, service: Service) -> None:
    assert check(service, GOOD) == 0
    assert check(service, GOOD, again=True) == 0
    code = check(service, MALFORMED)
    found = told(figures)
    assert found["gridproof_envelopes_total{again=no,code=0}"] == 1
    assert found["gridproof_envelopes_total{again=yes,code=0}"] == 1
    assert found[f"gridproof_envelopes_total{{again=no,code={code}}}"] == 1
    assert found["gridproof_request_seconds_count{request=check_tx}"] == 3


def test_what_a_proposal_leaves_out_and_a_proposal_that_is_refused_are_counted(
    figures: Figures, service: Service
) -> None:
    assert propose(service, [GOOD, MALFORMED]) == [GOOD]
    assert not judge(service, 1, [MALFORMED])
    assert not judge(service, 7, [GOOD])  # out of place
    found = told(figures)
    assert found["gridproof_left_out_total{code=1}"] == 1
    assert found["gridproof_proposals_refused_total{proposer=0}"] == 2


def test_signatures_are_counted_with_the_time_they_took(figures: Figures, service: Service) -> None:
    assert told(figures)["gridproof_signatures_total"] == 0
    assert judge(service, 1, [GOOD, REFUSED_LATER])
    found = told(figures)
    assert found["gridproof_signatures_total"] >= 2
    assert found["gridproof_signature_seconds_total"] > 0


def test_a_counted_verifier_finds_what_the_other_finds(figures: Figures, service: Service) -> None:
    forged = bytearray(GOOD)
    forged[-1] ^= 1
    assert not judge(service, 1, [bytes(forged)])
    assert judge(service, 1, [GOOD])


def test_a_snapshot_tells_its_height_time_and_size(figures: Figures, service: Service, tmp_path: Path) -> None:
    commit(service, 1, [GOOD])
    assert told(figures)["gridproof_snapshot_height"] == 0
    commit(service, 2, [])
    service.close()  # waits for it
    found = told(figures)
    size = sum(piece.stat().st_size for piece in (tmp_path / "snapshots").glob("*/*.chunk"))
    assert found["gridproof_snapshots_total{outcome=taken}"] == 1
    assert found["gridproof_snapshot_height"] == 2
    assert found["gridproof_snapshot_bytes"] == size > 0
    assert found["gridproof_snapshot_seconds"] > 0


def test_a_snapshot_that_cannot_be_written_is_counted_as_missed(
    figures: Figures, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "snapshots").write_text("a file where the folder should be")
    commit(service, 1, [GOOD])
    commit(service, 2, [])
    service.close()
    found = told(figures)
    assert found["gridproof_snapshots_total{outcome=missed}"] == 1
    assert "gridproof_snapshots_total{outcome=taken}" not in found


def test_a_ledger_that_is_not_born_yet_has_figures(figures: Figures, service: Service) -> None:
    found = told(figures)
    assert found["gridproof_height"] == 0
    assert "gridproof_ledger_time_seconds" not in found


def test_validators_are_told_with_their_power(
    figures: Figures, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(service, 1, [GOOD])
    two = (Validator(1, bytes(32), 10), Validator(4, bytes([1]) * 32, 5))
    monkeypatch.setattr(service.application, "validators", lambda: two)
    found = told(figures)
    assert found["gridproof_validators"] == 2
    assert found["gridproof_validator_power{participant=1}"] == 10
    assert found["gridproof_validator_power{participant=4}"] == 5


def test_a_store_that_fails_is_left_out_and_the_rest_is_told(figures: Figures, tmp_path: Path) -> None:
    store = LmdbStore(str(tmp_path / "db"))
    with closing(born(figures, store=store)) as service:
        figures.watch(service.application, store.size_bytes)
        commit(service, 1, [GOOD])
        assert told(figures)["gridproof_store_bytes"] > 0
        store.close()
        found = told(figures)
    assert found["gridproof_height"] == 1
    assert found["gridproof_blocks_total{proposer=0}"] == 1
    assert "gridproof_store_bytes" not in found


def test_every_figure_stands_in_the_catalogue_and_every_one_there_is_told(figures: Figures, service: Service) -> None:
    """Rule F-2, of a node that did all that is counted."""
    everything(figures)
    commit(service, 1, [GOOD])
    families = [
        family
        for family in text_string_to_metric_families(generate_latest(figures.registry).decode())
        if not family.name.endswith("_created")
    ]
    exposed = {
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type) for family in families
    }
    # Who tells validators' power needs validators: the tiny ledger has none.
    assert exposed | {("gridproof_validator_power", "gauge")} == {(each.name, each.kind) for each in CATALOGUE}
    labels = {each.name: set(each.labels) for each in CATALOGUE}
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                assert set(sample.labels) - {"le"} == labels[name], sample.name


def everything(figures: Figures) -> None:
    figures.answered("commit", 0.01)
    figures.checked(6, again=False)
    figures.left_out(6)
    figures.refused(3)
    figures.committed(Head(1, bytes(32), 2), 3, [0, 1, 2_003])
    figures.snapshot_taken(1, 0.1, 10)
    figures.snapshot_missed()


def test_no_label_carries_a_transactions_bytes_a_name_or_a_key(figures: Figures, service: Service) -> None:
    """Rule F-1: what a label may be is a number or a word of the program's own."""
    everything(figures)
    check(service, GOOD)
    check(service, MALFORMED)
    propose(service, [MALFORMED])
    commit(service, 1, [GOOD, REFUSED_LATER])
    values = {
        value
        for family in text_string_to_metric_families(generate_latest(figures.registry).decode())
        for sample in family.samples
        for name, value in sample.labels.items()
        if name not in ("le", "version")
    }
    assert values
    assert all(re.fullmatch(r"[0-9]{1,7}|[a-z_]{1,24}|refused [0-9]{1,4}xxx", value) for value in values), values
    page = generate_latest(figures.registry)
    for name in PEOPLE:
        assert name.encode() not in page
        assert signer(name).public_key.hex().encode() not in page


def test_two_nodes_in_one_process_count_apart(figures: Figures) -> None:
    """Rule F-4."""
    other = Figures(restarts=2)
    figures.left_out(6)
    assert "gridproof_left_out_total{code=6}" not in told(other)
    assert told(other)["gridproof_restarts_total"] == 2
    assert told(figures)["gridproof_restarts_total"] == 0


def test_an_observer_of_its_own_need_tell_nothing() -> None:
    assert isinstance(UNOBSERVED, Observer)
    with closing(born(UNOBSERVED)) as service:
        check(service, MALFORMED)
        propose(service, [MALFORMED])
        judge(service, 3, [])
        assert commit(service, 1, [GOOD]) == [0]
    UNOBSERVED.snapshot_taken(1, 1.0, 1)
    UNOBSERVED.snapshot_missed()


def test_the_page_is_what_the_registry_holds_and_ends_with_its_context(figures: Figures) -> None:
    figures.left_out(6)
    with figures_page(figures.registry, "127.0.0.1:0") as place:
        with urllib.request.urlopen(place, timeout=30) as reply:
            found = read(reply.read().decode())
        assert reply.headers["Content-Type"].startswith("text/plain")
    assert found["gridproof_left_out_total{code=6}"] == 1
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(place, timeout=30)


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:many", "127.0.0.1:99999", "no.such.host.invalid:0"])
def test_an_address_that_is_none_is_refused_with_its_name(address: str) -> None:
    with pytest.raises(FiguresAddressError) as caught, figures_page(CollectorRegistry(), address):
        pass
    assert caught.value.address == address
    assert caught.value.detail


def test_an_address_that_another_listens_at_is_refused() -> None:
    with figures_page(CollectorRegistry(), "127.0.0.1:0") as place:
        taken = place.removeprefix("http://").removesuffix("/metrics")
        with pytest.raises(FiguresAddressError), figures_page(CollectorRegistry(), taken):
            pass


def test_page_of_figures_is_the_catalogue() -> None:
    page = (ROOT / "docs" / "guide" / "figures.md").read_text(encoding="utf-8")
    written = page.partition("<!-- figures -->\n")[2].partition("\n<!-- end -->")[0]
    assert written == markdown().rstrip(), "write docs/guide/figures.md anew from drivers.cometbft.figures.markdown()"
