"""`gridproof.toml`: every fault named at once (rules G-1 to G-3), and one table for check, file and documentation."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridproof.connectors.config import (
    FILE_NAME,
    Aggregator,
    Community,
    ConfigInvalidError,
    Fault,
    Privacy,
    Region,
    Settings,
    Spares,
    check,
    load,
    markdown,
    parse,
    render,
    settings_table,
    table,
)
from gridproof.connectors.config.errors import TableError
from gridproof.connectors.files import FileMissingError, FileUnreadableError
from gridproof.domain import PERIODS_S
from gridproof.modules.registry.parameters import PARAMETERS, PRIVACY

GOOD = """
[community]
name = "Sonnenrain"
zone = "Europe/Zurich"
currency = "CHF"

[[regions]]
number = 1
name = "Nord"

[[aggregators]]
name = "aggregator-1"
"""


def sonnenrain(**changes: Any) -> Settings:
    made: dict[str, Any] = {
        "community": Community(name="Sonnenrain", zone="Europe/Zurich", currency="CHF"),
        "regions": (Region(number=1, name="Nord"),),
        "aggregators": (Aggregator(name="aggregator-1"),),
    }
    return Settings(**made | changes)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigInvalidError) as refusal:
        parse(text.encode())
    assert refusal.value.path == FILE_NAME
    return [str(fault) for fault in refusal.value.faults]


def test_what_the_file_does_not_say_has_its_default() -> None:
    assert parse(GOOD.encode()) == sonnenrain()
    assert sonnenrain().community.period_s == 900
    assert (sonnenrain().privacy.k_min, sonnenrain().privacy.min_live_permille) == (5, 800)


def test_the_limits_and_defaults_of_what_the_ledger_keeps_are_the_registrys() -> None:
    rows = {row.key: row for row in settings_table()}
    for name, limits in {**PARAMETERS, **PRIVACY}.items():
        assert rows[name].allowed == f"a whole number from {limits.low} to {limits.high}"
        assert rows[name].default == limits.default
    assert rows["period_s"].allowed == "one of " + ", ".join(map(str, PERIODS_S))


def test_a_written_file_is_commented_and_reads_back_to_the_same_settings() -> None:
    wanted = sonnenrain(
        regions=(Region(number=7, name='Süd "am" Bach \\'), Region(number=2, name="Ост")),
        aggregators=(Aggregator(name="a"), Aggregator(name="b", regions=(2, 7))),
        privacy=Privacy(k_min=9, min_live_permille=900),
    )
    text = render(wanted)
    assert parse(text.encode()) == wanted
    for row in settings_table():
        assert f"\n{row.key} = " in text
    assert max(map(len, text.splitlines())) <= 100
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_every_setting_is_documented_with_what_it_takes_and_its_default() -> None:
    page = markdown()
    for row in settings_table():
        assert row.meaning.endswith(".")
        assert row.allowed
        assert f"| `{row.key}` | {row.meaning} |" in page
        if any(row.key.endswith(suffix) for suffix in ("_s", "_wh", "_months", "_permille", "_blocks")):
            assert row.unit
    assert "## `[[regions]]`" in page
    assert "## `[privacy]`" in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[privcy]", "privcy: unknown key; did you mean privacy?"),
        ("k_min = 5", "k_min: unknown key; did you mean privacy.k_min?"),
        ("[privacy]\nkmin = 5", "privacy.kmin: unknown key; did you mean privacy.k_min?"),
        ("[privacy]\nK_MIN = 5", "privacy.K_MIN: unknown key; did you mean privacy.k_min?"),
        ("[ledger]\nwindow_s = 5", "ledger.window_s: unknown key; did you mean windows.window_s?"),
        ("[ledger.privacy]", "ledger.privacy: unknown key; [privacy] stands for itself, outside [ledger]"),
        ('[ledger]\n"\\u001b[2J" = 1', "ledger.'\\x1b[2J': unknown key; did you mean ledger.kind?"),
        ("[paths]\nxyzzy = 1", "paths.xyzzy: unknown key; did you mean"),
    ],
)
def test_g1_an_unknown_key_is_refused_and_the_nearest_known_one_named(text: str, expected: str) -> None:
    top, _, rest = text.partition("\n") if text.startswith("[") else ("", "", text)
    found = faults(f"{rest}\n{GOOD}" if not top else f"{GOOD}\n{text}")
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[privacy]\nk_min = 2", "privacy.k_min: 2 is not a whole number from 3 to 1000000"),
        ("[privacy]\nk_min = '5'", "privacy.k_min: '5' is not a whole number from 3 to 1000000"),
        ("[privacy]\nk_min = true", "privacy.k_min: true is not a whole number from 3 to 1000000"),
        ("[privacy]\nk_min = 5.0", "privacy.k_min: 5.0 is not a whole number from 3 to 1000000"),
        ("[privacy]\nk_min = 2024-01-01", "privacy.k_min: a date or time is not a whole number from 3 to 1000000"),
        ("[privacy]\nmin_live_permille = 499", "privacy.min_live_permille: 499 is not a whole number from 500 to 1000"),
        ("[ledger]\nclock = 'sun'", "ledger.clock: 'sun' is not one of block, operator"),
        ("[ledger]\nclock = 1", "ledger.clock: 1 is not one of block, operator"),
        ("[paths]\nledger = '../x'", "paths.ledger: '../x' is not a path below the community's folder"),
        ("[paths]\nledger = '/x'", "paths.ledger: '/x' is not a path below the community's folder"),
        ("[paths]\nledger = '.'", "paths.ledger: '.' is not a path below the community's folder"),
        ("[paths]\nledger = 'a/../../x'", "paths.ledger: 'a/../../x' is not a path below the community's folder"),
        ("[paths]\nledger = ''", "paths.ledger: '' is not a path below the community's folder"),
        ("[meters]\nplausible_limit_wh = 0", "meters.plausible_limit_wh: 0 is not a whole number from 1 to 4294967295"),
        ("[[privacy]]", "privacy: this is a list, not a table of settings"),
        ("[content]\nstore = 'cloud'", "content.store: 'cloud' is not one of folder, kubo"),
        ("[paths]\ncontent = '/x'", "paths.content: '/x' is not a path below the community's folder"),
    ],
)
def test_g2_a_value_of_another_type_or_beyond_its_limits_is_refused(text: str, expected: str) -> None:
    assert faults(f"{GOOD}\n{text}") == [expected]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5001",
        "http://localhost",
        "https://kubo.example.org:443/behind/a-proxy/",
        "http://[::1]:5001",
        "http://a:65535",
    ],
)
def test_an_address_of_a_kubo_node_is_taken(url: str) -> None:
    assert parse(f"{GOOD}\n[content]\nstore = 'kubo'\nkubo_url = '{url}'".encode()).content.kubo_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:5001",
        "ftp://127.0.0.1",
        "http://",
        "http://name:secret@127.0.0.1:5001",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:05001",
        "http://127.0.0.1:5001?token=secret",
        "http://127.0.0.1:5001#x",
        "http://a b",
        "http://a..b",
        "http://-a",
        "http://" + "a" * 64,
        "/ip4/127.0.0.1/tcp/5001",
    ],
)
def test_g2_what_is_no_address_or_holds_a_password_is_refused(url: str) -> None:
    (found,) = faults(f"{GOOD}\n[content]\nkubo_url = '{url}'")
    assert found.startswith("content.kubo_url: ")
    assert found.endswith("is not an address such as http://127.0.0.1:5001, without a name or password in it")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'name = "Sonnenrain"\n',
            "",
            "community.name: missing; it is 1 to 64 printable characters without blanks at the ends",
        ),
        ('"Sonnenrain"', '" x"', "community.name: ' x' is not 1 to 64 printable characters without blanks at the ends"),
        ('"Sonnenrain"', '""', "community.name: '' is not 1 to 64 printable characters without blanks at the ends"),
        (
            '"Sonnenrain"',
            f'"{"x" * 65}"',
            f"community.name: '{'x' * 59}… is not 1 to 64 printable characters without blanks at the ends",
        ),
        ('"CHF"', '"Fr."', "community.currency: 'Fr.' is not three capital letters such as CHF"),
        ('"CHF"', '"CHF"\nperiod_s = 901', "community.period_s: 901 is not one of 300, 600, 900, 1800, 3600"),
        ("number = 1", "number = 0", "regions[1].number: 0 is not a whole number from 1 to 65535"),
        ("number = 1\n", "", "regions[1].number: missing; it is a whole number from 1 to 65535"),
        ("[[regions]]", "[regions]", "regions: this is a table, not tables: write [[regions]]"),
        (
            'name = "aggregator-1"',
            'name = "a"\nregions = 1',
            "aggregators[1].regions: this is a whole number, not a list, each a whole number from 1 to 65535",
        ),
        (
            'name = "aggregator-1"',
            'name = "a"\nregions = [1, "2"]',
            "aggregators[1].regions[2]: '2' is not a whole number from 1 to 65535",
        ),
    ],
)
def test_g2_what_the_file_must_say_is_checked_likewise(old: str, new: str, expected: str) -> None:
    assert faults(GOOD.replace(old, new))[0] == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "Europe/Zurich",
            "Europe/Zurch",
            "community.zone: 'Europe/Zurch' is no zone of the IANA database; close to it: Eur",
        ),
        ("Europe/Zurich", "qqqq", "community.zone: 'qqqq' is no zone of the IANA database"),
        ("[[aggreg", '[[regions]]\nnumber = 1\nname = "b"\n[[aggreg', "regions[2].number: 1 is taken by regions[1]"),
        (
            "[[aggreg",
            '[[regions]]\nnumber = 2\nname = "Nord"\n[[aggreg',
            "regions[2].name: 'Nord' is taken by regions[1]",
        ),
        (
            "[[aggreg",
            '[[aggregators]]\nname = "aggregator-1"\n[[aggreg',
            "aggregators[2].name: 'aggregator-1' is taken",
        ),
        ('"aggregator-1"', '"a"\nregions = [1, 9]', "aggregators[1].regions: there is no region 9"),
        (
            "[community]",
            "[paths]\nledger = 'readings.db'\n[community]",
            "paths.readings: 'readings.db' is taken by paths.ledger",
        ),
        (
            "[community]",
            "[paths]\nledger = 'secrets/'\n[community]",
            "paths.secrets: 'secrets' is taken by paths.ledger",
        ),
    ],
)
def test_g3_settings_that_contradict_one_another_are_refused(old: str, new: str, expected: str) -> None:
    found = faults(GOOD.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_g3_a_region_that_no_aggregator_serves_is_refused() -> None:
    text = GOOD.replace('"aggregator-1"', '"a"\nregions = [2]') + '[[regions]]\nnumber = 2\nname = "b"\n'
    assert faults(text) == ["regions[1]: no data aggregator serves region 1"]


def test_all_faults_are_named_at_once() -> None:
    text = 'colour = 1\n[community]\nzone = "Mars"\nperiod = 900\n[privacy]\nk_min = 0\n[[regions]]\n[aggregators]\n'
    keys = [fault.partition(":")[0] for fault in faults(text)]
    assert keys == [
        "colour",
        "community.period",
        "community.name",
        "community.currency",
        "regions[1].number",
        "regions[1].name",
        "aggregators",
        "privacy.k_min",
        "community.zone",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "community: missing; it is a table of settings"),
        (b"a = ", "this is no TOML: Invalid value (at end of document)"),
        (b"a = 1\na = 2", "this is no TOML: Cannot overwrite a value (at end of document)"),
        (b"# \xff\n", "line 1 has bytes that are no UTF-8"),
        (b"a = 1\n\nb = '\xff'", "line 3 has bytes that are no UTF-8"),
        (b"a = " + b"9" * 5_000, "this is no TOML: "),
        (b"a = " + b"[" * 5_000, "this is no TOML: "),
    ],
)
def test_what_is_no_toml_is_one_sentence(content: bytes, expected: str) -> None:
    with pytest.raises(ConfigInvalidError) as refusal:
        parse(content)
    assert str(refusal.value.faults[0]).startswith(expected)


def test_a_byte_order_mark_is_fine() -> None:
    assert parse(b"\xef\xbb\xbf" + GOOD.encode()) == sonnenrain()


def test_a_file_is_loaded_or_all_its_faults_listed(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(GOOD, encoding="utf-8")
    assert load(path) == sonnenrain()
    assert check(path) == ()
    path.write_text(GOOD + "[privacy]\nk_min = 2\n", encoding="utf-8")
    assert check(path) == (Fault("privacy.k_min", "2 is not a whole number from 3 to 1000000"),)
    with pytest.raises(ConfigInvalidError, match=r"privacy\.k_min: 2 is not") as refusal:
        load(path)
    assert refusal.value.path == str(path)


def test_a_file_that_is_missing_a_folder_or_far_too_long_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileMissingError):
        load(tmp_path / FILE_NAME)
    with pytest.raises(FileUnreadableError):
        check(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(FileUnreadableError, match="longer than"):
        load(tmp_path / FILE_NAME)


def test_a_type_that_the_table_has_no_words_for_is_a_mistake_of_ours() -> None:
    for ask in (table.allowed, table.struct):
        with pytest.raises(TableError):
            ask(msgspec.inspect.BytesType())


def test_an_aggregator_without_regions_serves_all() -> None:
    made = sonnenrain(
        regions=(Region(number=4, name="a"), Region(number=2, name="b")),
        aggregators=(Aggregator(name="all"), Aggregator(name="one", regions=(4,))),
    )
    assert [made.regions_of(aggregator) for aggregator in made.aggregators] == [(2, 4), (4,)]


@pytest.mark.parametrize(("meters", "places"), [(0, 4), (40, 4), (41, 5), (100, 10), (101, 11)])
def test_spare_places_grow_with_the_meters_and_are_never_fewer_than_the_minimum(meters: int, places: int) -> None:
    assert sonnenrain(spares=Spares(minimum=4, percent=10)).spare_places(meters) == places


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from([(row.section, row.key) for row in settings_table()])


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=80)
@given(
    changes=st.dictionaries(places, values, max_size=4),
    sections=st.dictionaries(st.sampled_from(["privacy", "regions", "community", "x"]), values, max_size=2),
)
def test_the_check_refuses_all_that_the_types_would(
    changes: dict[tuple[str, str], Any], sections: dict[str, Any]
) -> None:
    from gridproof.connectors.config.checks import faults_of

    raw: dict[str, Any] = msgspec.to_builtins(sonnenrain())
    raw["regions"], raw["aggregators"] = list(raw["regions"]), list(raw["aggregators"])
    for (section, key), value in changes.items():
        (raw[section][0] if isinstance(raw[section], list) else raw[section])[key] = value
    raw |= sections
    found = faults_of(raw)
    assert all(str(fault).isprintable() for fault in found)
    try:
        msgspec.convert(raw, Settings)
    except msgspec.ValidationError:
        assert found
