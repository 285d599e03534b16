"""A household's month in forms that other programs read: CSV for spreadsheets, Green Button for energy services.

All is made of the bill report alone, without the ledger and without a file. What comes out depends on the report and on
the time zone database only, so that two exports of a report are the same bytes.
"""

from .green_button import BeyondGreenButtonError, green_button
from .tables import csv_charges, csv_lines, csv_readings

__all__ = ["BeyondGreenButtonError", "csv_charges", "csv_lines", "csv_readings", "green_button"]
