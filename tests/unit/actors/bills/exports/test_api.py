"""The package offers what the command line relies on, and nothing by accident."""

from gridproof.actors.bills import exports


def test_the_package_offers_these_names_and_has_them() -> None:
    assert exports.__all__ == ["BeyondGreenButtonError", "csv_charges", "csv_lines", "csv_readings", "green_button"]
    assert all(hasattr(exports, name) for name in exports.__all__)
