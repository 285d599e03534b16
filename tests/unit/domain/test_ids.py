"""Ids, directions and slots."""

import pytest

from gridproof.domain import Direction, OutOfRangeError, RegionId, Slot, UnknownNameError, require_range


@pytest.mark.parametrize("name", ["import", "IMPORT", " Import "])
def test_a_direction_is_read_in_any_case(name: str) -> None:
    assert Direction.parse(name) is Direction.IMPORT
    assert Direction.IMPORT.label == "import"
    assert Direction.parse("export") is Direction.EXPORT


@pytest.mark.parametrize("name", ["", "both", "1"])
def test_an_unknown_direction_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNameError) as refusal:
        Direction.parse(name)
    assert refusal.value.particulars == {"what": "direction", "name": name, "known": ("import", "export")}


def test_a_slot_is_eleven_bytes_big_endian() -> None:
    slot = Slot(RegionId(0x0102), Direction.EXPORT, 0x03)
    assert slot.to_bytes() == bytes.fromhex("0102" + "02" + "0000000000000003")
    assert str(slot) == "region 258 export 3"


def test_slots_order_as_their_bytes() -> None:
    slots = [Slot(RegionId(r), d, k) for r in (0, 1, 300) for d in Direction for k in (0, 255, 256, 2**64 - 1)]
    assert sorted(slots) == sorted(slots, key=Slot.to_bytes)


@pytest.mark.parametrize(
    ("region", "k", "what"), [(-1, 0, "region"), (2**16, 0, "region"), (1, -1, "k"), (1, 2**64, "k")]
)
def test_a_slot_that_does_not_fit_is_refused(region: int, k: int, what: str) -> None:
    with pytest.raises(OutOfRangeError) as refusal:
        Slot(RegionId(region), Direction.IMPORT, k).to_bytes()
    assert refusal.value.what == what


def test_both_ends_of_a_range_belong_to_it() -> None:
    require_range("x", 1, 1, 3)
    require_range("x", 3, 1, 3)
    for value in (0, 4):
        with pytest.raises(OutOfRangeError) as refusal:
            require_range("x", value, 1, 3)
        assert refusal.value.particulars == {"what": "x", "value": value, "low": 1, "high": 3}
