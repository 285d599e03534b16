"""A household objects to its bill: signed by nobody's name, read by the bill provider, answered once."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.reading import NoBillError, ReasonsError, ReportReplacedError
from gridproof.actors.bills.report import ReportFormatError
from gridproof.actors.credentials import read
from gridproof.actors.errors import NoSuchObjectionError, NotEnrolledError
from gridproof.connectors.content import ContentMissingError
from gridproof.domain import reasons_info, seal_secret
from gridproof.modules.billing import errors as refusals
from gridproof.modules.billing import queries as billing
from gridproof.modules.billing.messages import ObjectToBill, objection_hash
from gridproof.modules.registry.messages import KeyEntry, RotateKeys
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import hpke
from gridproof.primitives.errors import DecryptionError
from gridproof.state.errors import CheckFailed

from tests.simulation.billed import BilledVillage
from tests.simulation.village import OCTOBER, REGION

NAMES = [f"meter {n}" for n in range(4)]
ADA, BO = NAMES[:2]
WHY = "Slot 3 cannot be: nobody was at home."


@pytest.fixture
def village(tmp_path: Path) -> Iterator[BilledVillage]:
    with BilledVillage(tmp_path) as village:
        village.enrol(NAMES)
        village.read_month(NAMES)
        village.months()
        village.billing().make(REGION, OCTOBER)
        yield village


def secret(village: BilledVillage) -> bytes:
    """The bill provider's encryption secret."""
    path = village.folder / "keys" / "bill provider.key"
    return read(village.secrets, path, "bill provider").opening_secrets()[0]


def provider_key(village: BilledVillage) -> bytes:
    return hpke.public_key(secret(village))


def object_to(village: BilledVillage, name: str = ADA, words: str = WHY) -> ObjectToBill:
    """Object; another participant brings the word."""
    reasons = village.reader(name).objection(OCTOBER, 1, words, provider_key(village))
    village.stores.public.put(reasons.sealed)
    bring(village, reasons.message)
    return reasons.message


def bring(village: BilledVillage, message: ObjectToBill, by: str = "aggregator 0") -> None:
    seat = village.seat(by)
    seat.send(message)
    for refused in seat.settle():
        raise refused.refusal


def on_record(village: BilledVillage, name: str = ADA) -> list[int]:
    return [number for number, _ in village.reader(name).objections(OCTOBER)]


def read_all(village: BilledVillage, *secrets: bytes) -> list[tuple[str, int, Any]]:
    found = village.billing().read_objections(REGION, OCTOBER, secrets or [secret(village)])
    return [(name, number, words) for name, number, _, words in found]


def test_an_objection_is_brought_by_another_and_read_by_the_bill_provider(village: BilledVillage) -> None:
    message = object_to(village)
    assert on_record(village) == [1]
    assert read_all(village) == [(ADA, 1, WHY)]
    assert WHY.encode() not in village.stores.public.get(message.cid)
    assert village.file(ADA).meter not in (message.bid, message.digest)
    object_to(village, words="And slot 4.")
    object_to(village, BO, "Mine too.")
    assert sorted(read_all(village)) == [(ADA, 1, WHY), (ADA, 2, "And slot 4."), (BO, 1, "Mine too.")]


def test_it_counts_once(village: BilledVillage) -> None:
    message = object_to(village)
    for by in ("aggregator 0", "operator"):
        with pytest.raises(refusals.ObjectionMisnumbered) as refused:
            bring(village, message, by)
        assert (refused.value.number, refused.value.expected) == (1, 2)
    assert on_record(village) == [1]


@pytest.mark.parametrize(
    "changed", [{"number": 2}, {"region": 2}, {"month": OCTOBER + 1}, {"version": 2}, {"signature": bytes(64)}]
)
def test_what_the_household_signed_cannot_be_changed_on_the_way(
    village: BilledVillage, changed: dict[str, Any]
) -> None:
    reasons = village.reader(ADA).objection(OCTOBER, 1, WHY, provider_key(village))
    with pytest.raises(CheckFailed):
        bring(village, replace(reasons.message, **changed))
    assert on_record(village) == []


def test_another_household_cannot_object_in_its_stead(village: BilledVillage) -> None:
    own = village.reader(ADA).identity(OCTOBER).public_key
    reasons = village.reader(BO).objection(OCTOBER, 1, WHY, provider_key(village))
    with pytest.raises(CheckFailed):
        bring(village, replace(reasons.message, bid=own))
    assert (on_record(village), on_record(village, BO)) == ([], [])


@pytest.mark.parametrize("words", ["", "x" * 4_001])
def test_reasons_have_a_length(village: BilledVillage, words: str) -> None:
    with pytest.raises(ReasonsError) as refused:
        object_to(village, words=words)
    assert refused.value.length == len(words)


def test_one_objects_to_a_bill_that_there_is(village: BilledVillage) -> None:
    with pytest.raises(NoBillError) as refused:
        village.reader(ADA).objection(OCTOBER, 2, WHY, provider_key(village))
    assert (refused.value.household, refused.value.month, refused.value.version) == (ADA, "2025-10", 2)


def test_what_was_sealed_to_a_key_that_was_replaced_since_is_read_with_the_former_one(village: BilledVillage) -> None:
    former = secret(village)
    object_to(village)
    fresh = hpke.derive_secret(b"fresh" + bytes(27))
    seat = village.crew.provider.seat
    seat.send(RotateKeys((KeyEntry(KeyRole.ENCRYPTION, hpke.public_key(fresh)),)))
    assert seat.settle() == []
    assert read_all(village, fresh, former) == [(ADA, 1, WHY)]
    ((_, _, words),) = read_all(village, fresh)
    assert isinstance(words, ReportFormatError)


def test_one_that_cannot_be_read_hides_no_other(village: BilledVillage) -> None:
    """Anybody with a bill can put a word on record whose reasons are nowhere, or nonsense."""
    lost = village.reader(ADA).objection(OCTOBER, 1, WHY, provider_key(village))
    bring(village, lost.message)
    signer = village.reader(BO).identity(OCTOBER)
    cid = village.stores.public.put(b"x")
    unsigned = ObjectToBill(REGION, OCTOBER, signer.public_key, 1, 1, cid, sha256(b"x").digest(), bytes(64))
    bring(village, replace(unsigned, signature=signer.sign(objection_hash("village", unsigned))))
    object_to(village, NAMES[2])
    found = {name: words for name, _, words in read_all(village)}
    assert found[NAMES[2]] == WHY
    assert isinstance(found[ADA], ContentMissingError)
    assert isinstance(found[BO], ReportFormatError)


# --- the answer ------------------------------------------------------------------------------------------------------


def answer_of(village: BilledVillage, name: str = ADA) -> str | None:
    reader = village.reader(name)
    ((number, objection),) = reader.objections(OCTOBER)
    return reader.answer(OCTOBER, number, objection)


def test_an_answer_is_given_once_and_read_by_the_household_alone(village: BilledVillage) -> None:
    object_to(village)
    object_to(village, BO)
    assert answer_of(village) is None
    village.billing().answer(REGION, OCTOBER, ADA, 1, "Your meter said so.", upheld=False)
    assert answer_of(village) == "Your meter said so."
    assert answer_of(village, BO) is None
    with pytest.raises(refusals.AlreadyAnswered):
        village.billing().answer(REGION, OCTOBER, ADA, 1, "Another.", upheld=True)
    ((_, objection),) = village.reader(ADA).objections(OCTOBER)
    assert objection.answer is not None
    assert (objection.answer.upheld, answer_of(village)) == (False, "Your meter said so.")
    sealed = village.stores.public.get(objection.answer.cid)
    with pytest.raises(ReportFormatError):
        village.reader(BO).answer(OCTOBER, 1, objection)
    assert b"Your meter" not in sealed
    view = village.file(ADA).identity_view(OCTOBER)
    bid = village.reader(ADA).identity(OCTOBER).public_key
    as_objection = reasons_info("village", REGION, OCTOBER, bid, 1, answer=False)
    with pytest.raises(DecryptionError):
        hpke.unseal(seal_secret(view), as_objection, sealed)


def test_only_an_objection_that_was_raised_is_answered(village: BilledVillage) -> None:
    with pytest.raises(NoSuchObjectionError) as unraised:
        village.billing().answer(REGION, OCTOBER, ADA, 1, "No.", upheld=False)
    assert (unraised.value.meter, unraised.value.objection) == (ADA, 1)
    with pytest.raises(NotEnrolledError) as unknown:
        village.billing().answer(REGION, OCTOBER, "nobody", 1, "No.", upheld=False)
    assert unknown.value.meter == "nobody"
    assert village.client.ask(billing.month_objections, REGION, OCTOBER) == ()


def test_an_upheld_objection_is_followed_by_a_correction(village: BilledVillage) -> None:
    object_to(village)
    village.billing().answer(REGION, OCTOBER, ADA, 1, "You are right.", upheld=True)
    village.billing().make(REGION, OCTOBER, correct=[ADA])
    assert village.open(ADA).version == 2
    assert village.verdict(ADA).is_true


# --- what is fetched -------------------------------------------------------------------------------------------------


def test_what_is_not_what_was_registered_is_not_opened(village: BilledVillage, monkeypatch: pytest.MonkeyPatch) -> None:
    known = village.reader(ADA).versions(OCTOBER)[0][1]
    other = village.stores.public.get(village.reader(BO).versions(OCTOBER)[0][1].cid)
    reader = village.reader(ADA)
    monkeypatch.setattr(reader._content, "get", lambda _cid: other)
    with pytest.raises(ReportReplacedError) as refused:
        reader.open(OCTOBER)
    assert refused.value.cid == known.cid


def test_a_version_that_there_is_not_is_named(village: BilledVillage) -> None:
    with pytest.raises(NoBillError) as refused:
        village.open(ADA, version=3)
    assert refused.value.version == 3
