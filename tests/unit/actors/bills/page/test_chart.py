"""Pictures: V-1 to V-4."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.actors.bills.page.chart import Column, Picture, draw

from tests.unit.actors.bills.page.reading import Element, read

WIDTHS = (720, 340)


def picture(columns: list[Column], **changes: object) -> Picture:
    fields: dict[str, object] = {
        "name": "p",
        "title": "Energy & price",
        "described": "What it <shows>",
        "columns": tuple(columns),
        "anchors": tuple(range(len(columns))),
        "energy_title": "kWh",
        "price_title": "Rp.",
        "height": 100,
        "energy": lambda value, decimals: f"{value / 1_000:.{decimals}f}",
        "price": lambda value, step: str(value),
    }
    return Picture(**{**fields, **changes})  # type: ignore[arg-type]


def column(up: int | None = 1, down: int | None = None, price: int | None = None, **changes: object) -> Column:
    return Column("00", "then", "told", up, down, (price,), **changes)  # type: ignore[arg-type]


def drawn(columns: list[Column], width: int = 720, **changes: object) -> Element:
    (found,) = read(draw(picture(columns, **changes), width, "wide")).all("svg")
    return found


def kinds(root: Element, name: str) -> list[Element]:
    return [each for each in root.all() if each.has(name)]


def test_v1_what_is_fed_in_hangs_below_the_line_and_is_hatched() -> None:
    root = drawn([column(200, 100)])
    (up,), (down,) = kinds(root, "in"), kinds(root, "edge")
    (zero,) = kinds(root, "zero")
    line = zero.attributes["d"].partition(" ")[2].partition("H")[0]
    assert float(up.attributes["y"]) + float(up.attributes["height"]) == pytest.approx(float(line))
    assert down.attributes["y"] == line
    assert float(up.attributes["height"]) == pytest.approx(2 * float(down.attributes["height"]), abs=0.3)
    assert root.one(down.attributes["fill"][5:-1]).name == "pattern"


def test_v1_what_is_out_of_the_ordinary_has_a_mark_under_it() -> None:
    root = drawn([column(), column(marked=True)])
    assert len(kinds(root, "mark")) == 1
    assert not kinds(drawn([column()]), "mark")


def test_v2_a_picture_is_an_image_with_title_and_description_and_each_column_has_its_words() -> None:
    root = drawn([column(), column(None)])
    assert root.attributes["role"] == "img"
    assert root.attributes["aria-labelledby"] == "p-wide-t p-wide-d"
    assert (root.one("p-wide-t").text, root.one("p-wide-d").text) == ("Energy & price", "What it <shows>")
    assert [each.text for each in root.all("title")[1:]] == ["told", "told"]
    assert len(kinds(root, "in")) == 1


def test_a_price_is_steps_and_is_interrupted_where_there_is_none() -> None:
    path = kinds(drawn([column(price=p) for p in (10, 10, 20, None, 20)]), "price")[0].attributes["d"]
    assert re.sub(r"[0-9. ]+", "", path) == "MHVHMH"
    assert not kinds(drawn([column(price=None)]), "price")


def test_a_price_that_never_moves_has_an_axis_around_it() -> None:
    root = drawn([column(price=0), column(price=0)])
    (path,) = kinds(root, "price")
    assert "V" not in path.attributes["d"]
    ticks = [each.text for each in kinds(root, "tick")]
    assert "0" in ticks
    assert "-1" in ticks


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 2, 23, 31, 96, 100, 288, 576])
def test_v3_labels_do_not_touch_each_other_nor_leave_the_picture(width: int, count: int) -> None:
    labels = kinds(drawn([column() for _ in range(count)], width), "label")
    middles = [float(each.attributes["x"]) for each in labels]
    assert middles
    assert all(after - before >= 2 * 7 + 5 for before, after in pairwise(middles))
    assert middles[0] >= 7
    assert middles[-1] <= width - 7


@pytest.mark.parametrize("width", WIDTHS)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(0, 10**9), st.none() | st.integers(0, 10**9), st.none() | st.integers(-999, 999)
        ),
        min_size=1,
        max_size=40,
    )
)
def test_v4_everything_lies_within_the_picture(
    width: int, figures: list[tuple[int | None, int | None, int | None]]
) -> None:
    root = drawn([column(up, down, price) for up, down, price in figures], width)
    _, _, right, bottom = map(float, root.attributes["viewbox"].split())
    for each in [*kinds(root, "in"), *kinds(root, "edge")]:
        x, y, wide, high = (float(each.attributes[key]) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + wide <= right
        assert y >= 0
        assert y + high <= bottom
    for each in root.all("path"):
        assert re.fullmatch(r"(?:[MHVlhvz]-?[0-9.]* ?-?[0-9.]*)+", each.attributes["d"])
    assert 2 <= len(kinds(root, "grid")) <= 12


def test_figures_stand_at_the_heads_where_there_is_room() -> None:
    few, many = [column(636_225)] * 3, [column(636_225)] * 60
    assert [each.text for each in kinds(drawn(few, values=True), "value")] == ["636"] * 3
    assert not kinds(drawn(many, values=True), "value")
    assert not kinds(drawn(few), "value")


def test_a_month_that_does_not_stand_out_is_paler() -> None:
    assert [each.has("weak") for each in kinds(drawn([column(strong=False), column()]), "in")] == [True, False]
