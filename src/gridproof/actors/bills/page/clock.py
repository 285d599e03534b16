"""Instants as people of the zone read them on a clock.

Rules:
    T-1 An hour that the clock shows twice is told with its offset: `02:15 (UTC+2)`, then `02:15 (UTC+1)`.
    T-2 Where it does not, the time stands alone.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from gridproof.calendar import LAST_INSTANT_S
from gridproof.domain import require_range

from .words import Words


class WallClock:
    """Writes dates and times in a zone and a language.

    Args:
        zone: name in the IANA database that `gridproof.calendar` took.
        words: the language's texts.
    """

    __slots__ = ("_words", "_zone")

    def __init__(self, zone: str, words: Words) -> None:
        self._zone = ZoneInfo(zone)
        self._words = words

    def local(self, instant_s: int) -> datetime:
        """The instant on the zone's clock.

        Raises:
            OutOfRangeError: it lies beyond the calendar.
        """
        require_range("instant_s", instant_s, 0, LAST_INSTANT_S)
        return datetime.fromtimestamp(instant_s, self._zone)

    def time(self, instant_s: int) -> str:
        """The time of day (T-1, T-2)."""
        local = self.local(instant_s)
        shown = f"{local.hour:02d}:{local.minute:02d}"
        offset = local.utcoffset()
        if offset is None or local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            return shown
        return f"{shown} ({offset_label(offset)})"

    def day(self, instant_s: int) -> str:
        """The date with its weekday, short: `Sun 26 Oct`."""
        return self.day_of(self.local(instant_s).date())

    def day_of(self, day: date) -> str:
        """A date with its weekday, short."""
        weekday = self._words(f"weekday.{day.weekday()}")
        return self._words("date.short", weekday=weekday, day=day.day, month=self._words(f"month.short.{day.month}"))

    def date(self, instant_s: int) -> str:
        """The date in full: `26 October 2025`."""
        local = self.local(instant_s)
        return self._words(
            "date.full", day=local.day, month=self._words(f"month.full.{local.month}"), year=f"{local.year:04d}"
        )

    def moment(self, instant_s: int) -> str:
        """The date in full, and the time."""
        return self._words("date.moment", date=self.date(instant_s), time=self.time(instant_s))

    def span(self, start_s: int, end_s: int) -> str:
        """A stretch [start, end): `Sun 26 Oct, 02:00-03:00`, with the longer dash, or over days."""
        first, last = self.day(start_s), self.day(end_s)
        if self.local(start_s).date() == self.local(end_s).date():
            return f"{first}, {self.time(start_s)}\u2013{self.time(end_s)}"
        if self._is_midnight(end_s):
            closing = self.local(end_s).date() - timedelta(days=1)
            if closing == self.local(start_s).date():
                return f"{first}, {self.time(start_s)}\u201324:00"
            return f"{first}, {self.time(start_s)} \u2013 {self.day_of(closing)}, 24:00"
        return f"{first}, {self.time(start_s)} \u2013 {last}, {self.time(end_s)}"

    def days(self, start_s: int, end_s: int) -> str:
        """Whole or partial days [start, end), by their dates: `10 to 31 October 2025`."""
        first, last = self.local(start_s), self.local(end_s - 1)
        if first.date() == last.date():
            return self.date(start_s)
        if (first.year, first.month) != (last.year, last.month):
            return self._words("date.range", first=self.date(start_s), last=self.date(end_s - 1))
        month = self._words(f"month.full.{last.month}")
        return self._words("date.range_in_month", first=first.day, last=last.day, month=month, year=f"{last.year:04d}")

    def month(self, label: str) -> str:
        """A month in full, from its label: `2025-10`."""
        return self._words("month.year", month=self._words(f"month.full.{int(label[5:])}"), year=label[:4])

    def short_month(self, label: str) -> str:
        """A month, short, without its year."""
        return self._words(f"month.short.{int(label[5:])}")

    def _is_midnight(self, instant_s: int) -> bool:
        local = self.local(instant_s)
        return not (local.hour or local.minute)


def offset_label(offset: timedelta) -> str:
    """An offset from UTC as people write it: `UTC+2`, `UTC+5:45`, `UTC-3`."""
    minutes = offset // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"
