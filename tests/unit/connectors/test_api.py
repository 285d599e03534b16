"""The connectors' packages offer what others rely on, and nothing by accident."""

import importlib

import pytest

NAMES = {
    "content": {
        "MAX_CONTENT", "ContentAlteredError", "ContentError", "ContentMissingError", "ContentNameError",
        "ContentNotStoredError", "ContentStore", "ContentStoreUnreachableError", "ContentTooLargeError", "Damage",
        "FolderContent", "KuboContent", "find_damage", "open_content",
    },
    "readings": {
        "BadRow", "Clash", "Fault", "ImportReport", "Intake", "Judge", "MeterSpan", "Reading", "ReadingExistsError",
        "ReadingsBusyError", "ReadingsDamagedError", "ReadingsError", "ReadingsFullError", "ReadingsRefusedError",
        "ReadingsStore", "ReadingsUnavailableError", "ReadingsVersionError", "SqliteReadings", "add_all", "import_csv",
    },
    "config": {
        "FILE_NAME", "Aggregator", "Community", "ConfigError", "ConfigInvalidError", "Content", "Fault", "Faults",
        "OptionsInvalidError",
        "Filters", "Ledger", "Meters", "Paths", "Privacy", "Region", "Setting", "Settings", "Spares", "Windows",
        "check", "load", "markdown", "parse", "render", "settings_table",
    },
    "tariff_file": {
        "FILE_NAME", "BandPlan", "ChannelPlan", "Per", "StandingPlan", "TariffFileError", "TariffInvalidError",
        "TariffMonthError", "TariffPlan", "TimeBands", "Window", "check_tariff", "default_tariff", "load_tariff",
        "parse_tariff", "read_tariff",
    },
}  # fmt: skip


@pytest.mark.parametrize("package", NAMES)
def test_a_package_offers_these_names_and_has_them(package: str) -> None:
    loaded = importlib.import_module(f"gridproof.connectors.{package}")
    assert set(loaded.__all__) == NAMES[package]
    assert all(hasattr(loaded, name) for name in loaded.__all__)
