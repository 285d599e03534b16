"""Reading `tariff.toml`: exact numbers, every fault at once with its place (rules F-1 to F-5)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.connectors.config import Fault, Faults
from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.connectors.tariff_file import (
    FILE_NAME,
    BandPlan,
    ChannelPlan,
    Per,
    StandingPlan,
    TariffInvalidError,
    TariffPlan,
    TimeBands,
    Window,
    check_tariff,
    default_tariff,
    load_tariff,
    parse_tariff,
)
from gridproof.connectors.tariff_file.reading import MAX_SIZE
from gridproof.domain import MAX_TOTAL_WH, Flat, Levy, Linear, Penalties, Step, Stepped, Tax

ALL_DAYS, ALL_YEAR = tuple(range(7)), tuple(range(1, 13))
FEED_IN = '\n[feed-in]\nscheme = "flat"\nprice = 0.09\n'


def imports(text: str, more: str = "") -> ChannelPlan:
    """The import channel of a file that has this in it."""
    return parse_tariff(f'{more}\nname = "T"\n[import]\n{text}{FEED_IN}'.encode()).imports


def faults_of(text: str) -> Faults:
    with pytest.raises(TariffInvalidError) as refusal:
        parse_tariff(text.encode())
    assert refusal.value.path == FILE_NAME
    return refusal.value.faults


def faults(text: str) -> list[str]:
    """The faults of an import channel with this in it."""
    return [str(fault) for fault in faults_of(f'name = "T"\n[import]\n{text}{FEED_IN}')]


def flat(more: str, above: str = "") -> str:
    return f'{above}\nname = "T"\n[import]\nscheme = "flat"\nprice = 0.2{FEED_IN}{more}'


# --- forms ---------------------------------------------------------------------------------------------------------


def test_smallest_file_has_defaults_for_the_rest() -> None:
    assert parse_tariff(flat("").encode()) == TariffPlan(
        "T", 10_000_000, ChannelPlan(Flat(20_000), 20_000), ChannelPlan(Flat(9_000), 9_000)
    )


def test_all_components_are_read() -> None:
    plan = parse_tariff(
        flat(
            '[[levy]]\nname = "Grid"\nprice = 0.112\n[[levy]]\nname = "Fund"\nprice = "0.02305"\n'
            '[[standing]]\nname = "Meter"\namount = 6\n[[standing]]\nname = "Line"\namount = 0.25\nper = "day"\n'
            '[[standing]]\nname = "Club"\namount = 30.000000001\nper = "year"\n'
            '[[tax]]\nname = "VAT"\npercent = 8.1\n[penalties]\nmissing = 0.02\nlate = 0.005\n',
            "rounding = 0.05",
        ).encode()
    )
    assert plan.rounding_e9 == 50_000_000
    assert plan.levies == (Levy("Grid", 11_200), Levy("Fund", 2_305))
    assert plan.standing == (
        StandingPlan("Meter", 6_000_000_000, Per.MONTH),
        StandingPlan("Line", 250_000_000, Per.DAY),
        StandingPlan("Club", 30_000_000_001, Per.YEAR),
    )
    assert plan.taxes == (Tax("VAT", 810),)
    assert plan.penalties == Penalties(20_000_000, 5_000_000)


def test_linear_and_stepped_are_read_in_wh() -> None:
    linear = imports(
        'scheme = "linear"\nfallback = 0.2\nfrom_kwh = 12.5\nfrom_price = 0.1\nto_kwh = 80\nto_price = -0.05\n'
    )
    assert linear == ChannelPlan(Linear(12_500, 10_000, 80_000, -5_000), 20_000)
    stepped = imports(
        'scheme = "stepped"\nfallback = 0.2\n[[import.step]]\nfrom_kwh = 0\nprice = 0.1\n'
        "[[import.step]]\nfrom_kwh = 0.001\nprice = 0.3\n"
    )
    assert stepped == ChannelPlan(Stepped((Step(0, 10_000), Step(1, 30_000))), 20_000)


def test_bands_have_one_window_or_several() -> None:
    made = imports(
        'scheme = "time-of-use"\nfallback = 0.2\n'
        '[[import.band]]\nname = "high"\nprice = 0.3\n'
        'days = "Mon-Fri"\nmonths = "oct-mar"\n[[import.band.window]]\nfrom = 07:00:00\nto = "12:00"\n'
        '[[import.band.window]]\ndays = "sat, sun"\nfrom = "22:00"\nto = "06:00"\n'
        '[[import.band.window]]\ndays = "fri-mon"\nmonths = "jul"\nfrom = "13:00"\n'
        '[[import.band]]\nname = "noon"\nprice = 0.2\ndays = "sun"\nfrom = "12:00"\nto = "12:30"\n'
        '[[import.band]]\nname = "low"\nprice = 0.1\ndefault = true\n'
    )
    assert made.scheme == TimeBands(
        (
            BandPlan(
                "high",
                30_000,
                (
                    Window((0, 1, 2, 3, 4), (1, 2, 3, 10, 11, 12), 420, 720),
                    Window((5, 6), (1, 2, 3, 10, 11, 12), 1_320, 360),
                    Window((0, 4, 5, 6), (7,), 780, 1_440),
                ),
            ),
            BandPlan("noon", 20_000, (Window((6,), ALL_YEAR, 720, 750),)),
            BandPlan("low", 10_000, ()),
        ),
        2,
    )


def test_the_only_band_is_the_default_one() -> None:
    made = imports('scheme = "time-of-use"\nfallback = 0.2\n[[import.band]]\nname = "always"\nprice = 0.3\n')
    assert made.scheme == TimeBands((BandPlan("always", 30_000, ()),), 0)


@pytest.mark.parametrize("currency", ["CHF", "EUR"])
def test_the_default_file_is_good_and_says_every_part(currency: str) -> None:
    plan = parse_tariff(default_tariff(currency).encode())
    assert plan.rounding_e9 == (50_000_000 if currency == "CHF" else 10_000_000)
    assert isinstance(plan.imports.scheme, TimeBands)
    assert plan.feed_in == ChannelPlan(Flat(9_000), 9_000)
    assert plan.levies
    assert plan.standing
    assert plan.taxes
    assert plan.penalties.missing_e9 > plan.penalties.late_e9 > 0
    assert f"{currency} per kWh" in default_tariff(currency)


def test_every_line_of_the_default_file_has_a_comment_above_its_block() -> None:
    blocks = default_tariff("CHF").split("\n\n")
    assert all(block.startswith("#") for block in blocks)


# --- F-1: numbers --------------------------------------------------------------------------------------------------


@given(st.integers(-(10**9), 10**9), st.booleans())
def test_a_price_is_taken_exactly(price_e5: int, quoted: bool) -> None:
    sign, (whole, part) = "-" if price_e5 < 0 else "", divmod(abs(price_e5), 10**5)
    text = f"{sign}{whole}.{part:05d}"
    assert imports(f'scheme = "flat"\nprice = {repr(text) if quoted else text}\n').scheme == Flat(price_e5)


@pytest.mark.parametrize(
    ("text", "price_e5"),
    [
        ("1", 100_000),
        ("-0", 0),
        ("0.275000000", 27_500),
        ("1e-5", 1),
        ("27_5e-3", 27_500),
        ("0e-99999", 0),
        ("+.5", None),
    ],
)
def test_a_number_has_any_form_that_says_it_exactly(text: str, price_e5: int | None) -> None:
    if price_e5 is None:
        assert "this is no TOML" in faults(f'scheme = "flat"\nprice = {text}\n')[0]
    else:
        assert imports(f'scheme = "flat"\nprice = {text}\n').scheme == Flat(price_e5)


@pytest.mark.parametrize("text", ["0.123456", "1e-6", "0.1234500001", '"0.123456"', "1e-99999", "-0.000001"])
def test_more_decimals_are_refused_and_nothing_is_rounded(text: str) -> None:
    (fault,) = faults(f'scheme = "flat"\nprice = {text}\n')
    assert fault.startswith("import.price: ")
    assert fault.endswith(
        "has more than 5 decimals, and nothing is rounded: "
        "write a price per kWh from -10000 to 10000 with at most 5 decimals, such as 0.275"
    )


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "nan",
        "inf",
        '"x"',
        '"1,5"',
        '" 1"',
        '"\u0661"',
        "[1]",
        "{a = 1}",
        "10000.00001",
        "-10001",
        "1e30",
        "1e9999",
        "2025-01-01",
    ],
)
def test_what_is_no_price_is_refused_with_what_one_is(text: str) -> None:
    (fault,) = faults(f'scheme = "flat"\nprice = {text}\n')
    assert fault.startswith("import.price: ")
    assert fault.endswith(" is not a price per kWh from -10000 to 10000 with at most 5 decimals, such as 0.275")


def test_a_number_of_far_too_many_digits_is_refused() -> None:
    (fault,) = faults(f'scheme = "flat"\nprice = 0.{"1" * 5_000}\n')
    assert fault.startswith("import.price: 0.1111")
    assert len(fault) < 250
    assert faults("price = 1e99999999999999999999") == [
        "this is no TOML: 1e99999999999999999999 is too large or too small a number"
    ]


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ('[[levy]]\nname = "L"\nprice = -0.01\n', "levy[1].price"),
        ('[[tax]]\nname = "V"\npercent = 8.125\n', "tax[1].percent"),
        ('[[tax]]\nname = "V"\npercent = 100.01\n', "tax[1].percent"),
        ('[[standing]]\nname = "S"\namount = -1\n', "standing[1].amount"),
        ('[[standing]]\nname = "S"\namount = 0.0000000001\n', "standing[1].amount"),
        ("[penalties]\nmissing = 1000000.1\n", "penalties.missing"),
        ("[penalties]\nlate = -0.01\n", "penalties.late"),
        ("[penalties]\nlate = 0.01\n", "penalties.late"),
        ("[penalties]\nmissing = 0.01\nlate = 0.02\n", "penalties.late"),
    ],
)
def test_each_number_has_its_limits(more: str, place: str) -> None:
    (fault,) = faults_of(flat(more))
    assert fault.key == place


@pytest.mark.parametrize("rounding", ["0", "-0.05", "0.0000000001"])
def test_rounding_is_above_zero(rounding: str) -> None:
    (fault,) = faults_of(flat("", f"rounding = {rounding}"))
    assert fault.key == "rounding"
    assert "such as 0.05" in fault.sentence


# --- F-2 and F-3: keys and schemes -----------------------------------------------------------------------------------


def test_an_empty_file_is_told_all_that_it_lacks() -> None:
    assert list(faults_of("")) == [
        Fault("name", 'missing; it is a name, such as "high"'),
        Fault("import", "missing; write [import] with scheme = one of flat, time-of-use, linear, stepped"),
        Fault("feed-in", "missing; write [feed-in] with scheme = one of flat, time-of-use, linear, stepped"),
    ]


def test_all_faults_are_told_at_once_each_with_its_place() -> None:
    text = (
        'name = " x"\nrouding = 1\n[import]\nscheme = "flat"\nprise = 0.2\n[feed-in]\nscheme = "steped"\nprice = 1\n'
        '[[levy]]\nname = "A"\nprice = 0.1\n[[levy]]\nname = "A"\nprise = 0.1\n'
        '[[standing]]\nname = 3\namount = 1\nper = "week"\n'
        "[tax]\n[penalties]\nsilent = 1\n"
    )
    found = {fault.key: fault.sentence for fault in faults_of(text)}
    assert list(found) == [
        "name", "import.price", "import.prise", "feed-in.scheme", "levy[2].price", "levy[2].name", "levy[2].prise",
        "standing[1].name", "standing[1].per", "tax", "penalties.silent", "rouding",
    ]  # fmt: skip
    assert found["import.prise"] == "unknown key; did you mean price?"
    assert found["rouding"] == "unknown key; did you mean rounding?"
    assert found["penalties.silent"] == "unknown key; known here are missing, late"
    assert found["feed-in.scheme"] == "'steped' is not one of flat, time-of-use, linear, stepped"
    assert found["levy[2].name"] == "'A' is taken by levy[1]"
    assert found["tax"] == "there may be several of these: write [[tax]]"


def test_entries_of_another_scheme_are_refused() -> None:
    assert faults('scheme = "flat"\nprice = 0.1\nfrom_kwh = 3\n') == [
        "import.from_kwh: unknown key; known here are scheme, price, fallback"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'scheme = "linear"\nfallback = 0\nfrom_kwh = 8\nfrom_price = 0\nto_kwh = 8\nto_price = 1\n',
            "import.to_kwh: it is not above from_kwh; write the greater load here",
        ),
        (
            'scheme = "stepped"\nfallback = 0\n',
            "import.step: missing; write [[import.step]] with from_kwh = 0 and a price",
        ),
        (
            'scheme = "stepped"\nfallback = 0\n[[import.step]]\nfrom_kwh = 1\nprice = 0\n',
            "import.step[1].from_kwh: the first step begins at 0",
        ),
        (
            'scheme = "stepped"\nfallback = 0\nstep = [{from_kwh = 0, price = 0}, {from_kwh = 0, price = 1}]\n',
            "import.step[2].from_kwh: it is not above the step before; write the steps in ascending order",
        ),
        (
            'scheme = "time-of-use"\nfallback = 0\n',
            "import.band: missing; write [[import.band]] for each time band, one of them without times",
        ),
    ],
)
def test_a_scheme_that_contradicts_itself_is_refused(text: str, expected: str) -> None:
    assert faults(text) == [expected]


def test_a_load_is_at_most_what_a_slot_can_total() -> None:
    over = f"{MAX_TOTAL_WH // 1_000 + 1}"
    (fault,) = faults(
        f'scheme = "linear"\nfallback = 0\nfrom_kwh = 0\nfrom_price = 0\nto_kwh = {over}\nto_price = 1\n'
    )[:1]
    assert fault.startswith(f"import.to_kwh: {over} is not energy of one period in kWh")


@pytest.mark.parametrize("scheme", ["linear", "stepped", "time-of-use"])
def test_only_a_flat_price_can_stand_in_for_the_fallback(scheme: str) -> None:
    assert any(fault.startswith("import.fallback: missing") for fault in faults(f'scheme = "{scheme}"\n'))


def test_too_many_parts_are_refused() -> None:
    many = "".join(f'[[levy]]\nname = "L{number}"\nprice = 0\n' for number in range(17))
    assert [str(fault) for fault in faults_of(flat(many))] == ["levy: there are 17, more than 16"]


def test_tables_in_the_wrong_form_are_named() -> None:
    (first, *_) = faults_of('import = 3\nname = "T"' + FEED_IN)
    assert first == Fault("import", "3 is no table of entries")
    (only,) = faults_of('levy = [1]\nname = "T"\n[import]\nscheme = "flat"\nprice = 0' + FEED_IN)
    assert only == Fault("levy[1]", "1 is no table of entries")


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_loaded_checked_and_named(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text(flat(""), encoding="utf-8-sig")
    assert load_tariff(path).name == "T"
    assert check_tariff(path) == Faults()
    path.write_text("name = ", encoding="utf-8")
    assert str(check_tariff(path)).startswith("this is no TOML: ")
    with pytest.raises(TariffInvalidError) as refusal:
        load_tariff(path)
    assert refusal.value.path == str(path)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        load_tariff(tmp_path / "none.toml")
    with pytest.raises(FileUnreadableError):
        load_tariff(tmp_path)
    path = tmp_path / "t.toml"
    path.write_bytes(b"#" * (MAX_SIZE + 1))
    with pytest.raises(FileUnreadableError) as refusal:
        check_tariff(path)
    assert refusal.value.detail == f"longer than {MAX_SIZE} bytes"
    path.write_bytes(b"\n\xff")
    assert list(check_tariff(path)) == [Fault("", "line 2 has bytes that are no UTF-8")]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    with pytest.raises(TariffInvalidError):
        parse_tariff(content)
