"""Making bills that is interrupted anywhere goes on where it was."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from gridproof.actors.bill_provider import Stores
from gridproof.connectors.content import ContentNotStoredError, FolderContent
from gridproof.modules.billing import queries as billing

from tests.simulation.billed import BilledVillage
from tests.simulation.village import OCTOBER, REGION

NAMES = ("Ann", "Ben", "Cat", "Dan", "Eve", "Fay")


class Faltering(FolderContent):
    """A store that is full after some reports."""

    left: ClassVar[int] = 0

    def put(self, content: bytes) -> str:
        if Faltering.left == 0:
            raise ContentNotStoredError(place="content", detail="the disk is full")
        Faltering.left -= 1
        return super().put(content)


@pytest.fixture
def village(tmp_path: Path) -> Iterator[BilledVillage]:
    village = BilledVillage(tmp_path)
    village.enrol(NAMES)
    village.read_month(NAMES)
    village.months()
    village.stores = Stores(Faltering(tmp_path / "content"), village.stores.archive)
    yield village
    village.close()


def make(village: BilledVillage, reports: int, **more: object) -> int:
    """Make bills while there is room for so many reports; tells how many were registered."""
    Faltering.left = reports
    return village.billing().make(REGION, OCTOBER, **more).made  # type: ignore[arg-type]


def published(village: BilledVillage) -> set[str]:
    return {path.name for path in (village.folder / "content").rglob("baf*")}


def registered(village: BilledVillage) -> dict[str, int]:
    found = village.client.ask(billing.bills, REGION, OCTOBER)
    return {known.cid: version for _, version, known in found}


@pytest.mark.parametrize("room", [0, 1, 5])
def test_what_was_published_is_not_made_again_and_all_is_registered_once(village: BilledVillage, room: int) -> None:
    with pytest.raises(ContentNotStoredError):
        make(village, room)
    before = published(village)
    assert (len(before), registered(village)) == (room, {})
    assert make(village, len(NAMES) - room) == len(NAMES)
    assert published(village) >= before
    assert len(published(village)) == len(NAMES)
    assert list(registered(village).values()) == [1] * len(NAMES)
    assert make(village, 0) == 0
    for name in NAMES:
        village.true_report(name)


def test_what_was_published_last_is_registered_though_nothing_else_is_owed(
    village: BilledVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(village.crew.provider.seat, "send", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            make(village, len(NAMES))
    assert registered(village) == {}
    assert make(village, 0) == len(NAMES)
    village.true_report("Ann")


def test_a_correction_that_was_interrupted_is_made_again_when_it_is_asked_for_again(village: BilledVillage) -> None:
    make(village, len(NAMES))
    with pytest.raises(ContentNotStoredError):
        make(village, 1, correct=("Ann", "Ben"))
    assert max(registered(village).values()) == 1
    assert make(village, 2, correct=("Ann", "Ben")) == 2
    assert sorted(registered(village).values()) == [1] * len(NAMES) + [2, 2]
    for name in ("Ann", "Ben"):
        assert village.true_report(name).bill_version == 2


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
