"""Time bands in the file: one default, no two at once, times that can be (rules F-4 and F-5)."""

import pytest

from tests.unit.connectors.tariff_file.test_reading import faults, imports

HEAD = 'scheme = "time-of-use"\nfallback = 0.2\n'


def band(name: str, *lines: str) -> str:
    return "\n".join(["[[import.band]]", f'name = "{name}"', "price = 0.1", *lines, ""])


def window(days: str = "all", start: str = "00:00", end: str = "24:00", months: str = "all") -> str:
    return f'days = "{days}"\nmonths = "{months}"\nfrom = "{start}"\nto = "{end}"'


REST = band("rest")


@pytest.mark.parametrize(
    ("line", "place", "part"),
    [
        ('days = "mon-fry"', "days", '\'mon-fry\' names none; write "all", "mon-fri" or "sat,sun"'),
        ('days = ""', "days", "'' names none"),
        ("days = 3", "days", "3 names none"),
        ('months = "oct-"', "months", '\'oct-\' names none; write "all", "jan-may" or "jun,jul"'),
        ('from = "7:00"', "from", '\'7:00\' is no time of the day; write it like "07:00", at most "24:00"'),
        ('to = "24:01"', "to", "'24:01' is no time of the day"),
        ('to = "07:60"', "to", "'07:60' is no time of the day"),
        ("to = 07:00:30", "to", "'07:00:30' is no time of the day"),
        ("to = 7", "to", "7 is no time of the day"),
        ('from = "08:00"\nto = "08:00"', "to", "it is the same as from; for the whole day"),
        ('from = "24:00"\nto = "06:00"', "from", "no day goes on after 24:00"),
        ("default = 1", "default", "1 is neither true nor false"),
        ("default = true\n" + window(), "default", "the default band holds when no other does"),
        ("form = 1", "form", "unknown key; did you mean from?"),
    ],
)
def test_a_fault_of_a_band_is_told_at_its_place(line: str, place: str, part: str) -> None:
    found = faults(HEAD + band("x", line) + REST)
    assert any(fault.startswith(f"import.band[1].{place}: {part}") for fault in found), found


def test_windows_have_places_of_their_own() -> None:
    found = faults(HEAD + band("x", "[[import.band.window]]", 'days = "mo"', "hours = 1") + REST)
    assert [fault.partition(":")[0] for fault in found] == [
        "import.band[1].window[1].days",
        "import.band[1].window[1].hours",
    ]


def test_a_band_with_windows_has_no_times_beside_them() -> None:
    found = faults(HEAD + band("x", 'from = "07:00"', "[[import.band.window]]", 'to = "06:00"') + REST)
    assert found == ["import.band[1].from: this band has windows; give this time a window of its own"]


def test_one_band_is_the_default() -> None:
    assert faults(HEAD + band("a", window("mon")) + band("b", window("tue"))) == [
        "import.band: no band is the default; leave one without times, for the hours that no other has"
    ]
    assert faults(HEAD + band("a") + band("b") + band("c", "default = true")) == [
        f"import.band[{at}]: both this band and import.band[1] are without times; "
        "say when this one holds (days, from, to)"
        for at in (2, 3)
    ]


def test_band_names_differ() -> None:
    (fault,) = faults(HEAD + band("a", window("mon")) + band("a", window("tue")) + REST)
    assert fault == "import.band[2].name: 'a' is taken by import.band[1]; give that one another [[import.band.window]]"


@pytest.mark.parametrize(
    ("one", "other", "when"),
    [
        (window("mon-fri", "07:00", "20:00"), window("fri,sat", "19:00", "21:00"), "a Friday in January at 19:00"),
        (window(), window("sun", "23:59"), "a Sunday in January at 23:59"),
        (window("mon", "22:00", "06:00"), window("tue", "05:59", "07:00"), "a Tuesday in January at 05:59"),
        (window("sun", "22:00", "06:00"), window("mon", "00:00", "01:00"), "a Monday in January at 00:00"),
        (window("all", "22:00", "06:00", "mar"), window("all", "00:00", "01:00", "apr"), "a Monday in April at 00:00"),
        (window("all", "06:00", "09:00", "mar"), window("mon", "08:00", months="mar"), "a Monday in March at 08:00"),
    ],
)  # fmt: skip
def test_two_bands_at_once_are_named_with_a_time(one: str, other: str, when: str) -> None:
    assert faults(HEAD + band("a", one) + band("b", other) + REST) == [
        f"import.band[2]: 'b' and 'a' both hold on {when}; end one where the other begins"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (window("mon-fri", "07:00", "20:00"), window("mon-fri", "20:00", "07:00")),
        (window("mon", "22:00", "06:00"), window("mon", "00:00", "06:00")),
        (window("sat", "22:00", "06:00"), window("sun", "06:00", "22:00")),
        (window("all", months="oct-mar"), window("all", months="apr-sep")),
        (window("all", "22:00", "06:00", "mar"), window("all", "06:00", "22:00", "mar-apr")),
        (window("all", "22:00", "00:00"), window("all", "00:00", "22:00")),
    ],
)
def test_bands_that_only_touch_are_good(one: str, other: str) -> None:
    imports(HEAD + band("a", one) + band("b", other) + REST)


def test_a_band_may_overlap_itself() -> None:
    twice = [f"[[import.band.window]]\n{each}" for each in (window("all", "07:00", "09:00"), window("mon-wed"))]
    imports(HEAD + band("a", *twice) + REST)


def test_an_overlap_is_not_guessed_from_a_faulty_time() -> None:
    found = faults(HEAD + band("a", 'days = "mon-fry"') + band("b", window("sun")) + REST)
    assert [fault.partition(":")[0] for fault in found] == ["import.band[1].days"]


def test_bands_change_at_sixty_times_of_the_day_at_most() -> None:
    def minutes(count: int) -> str:
        return "".join(
            band(f"b{at}", window("all", f"{at // 30:02d}:{at % 30 * 2:02d}", f"{at // 30:02d}:{at % 30 * 2 + 1:02d}"))
            for at in range(count)
        )

    imports(HEAD + minutes(30) + REST)
    assert faults(HEAD + minutes(31) + REST) == [
        "import.band: the bands begin and end at 62 times of the day; use at most 60"
    ]


def test_a_channel_has_so_many_windows() -> None:
    lines = [
        f'[[import.band.window]]\ndays = "mon"\nmonths = "jan"\nfrom = "0{at % 9}:00"\nto = "09:00"' for at in range(65)
    ]
    assert faults(HEAD + band("a", *lines) + band("b", *lines) + REST) == [
        "import.band: the bands hold at 130 stretches of time; use at most 128"
    ]
