"""Interval literals. Source pages: "Interval literals", "Interval data types and literals"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_MONTHS: Final = {"millennium": 12_000, "century": 1200, "decade": 120, "year": 12, "quarter": 3, "month": 1}
_DAYS: Final = {"week": 7, "day": 1}
_MICROS: Final = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "millisecond": 1000, "microsecond": 1}
_UNITS: Final = {
    word: unit
    for unit, words in {
        "millennium": "millennium millennia mil mils", "century": "century centuries c cent cents", "decade": "decade decades dec decs",
        "year": "year years y yr yrs", "quarter": "quarter quarters qtr qtrs", "month": "month months mon mons", "week": "week weeks w",
        "day": "day days d", "hour": "hour hours h hr hrs", "minute": "minute minutes m min mins", "second": "second seconds s sec secs",
        "millisecond": "millisecond milliseconds ms msec msecs", "microsecond": "microsecond microseconds us usec usecs",
    }.items()
    for word in words.split()
}  # fmt: skip
_QUALIFIERS: Final = ("year", "month", "day", "hour", "minute", "second")
_PIECE: Final = re.compile(
    r"[\s,]*(?:(?P<pair>[+-]?\d+-\d+)(?![\d.])|(?P<clock>[+-]?\d+:\d+(?::\d+(?:\.\d*)?)?)|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>[A-Za-z]+)?"
    r"|(?P<ago>ago)\s*$)",
    re.I,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Months, days and microseconds, which do not carry into each other."""

    months: int = 0
    days: int = 0
    micros: int = 0

    @property
    def duckdb(self) -> str:
        """DuckDB's text of the interval."""
        parts = [("to_months", self.months), ("to_days", self.days), ("to_microseconds", self.micros)]
        shown = [f"{name}({value})" for name, value in parts if value] or ["to_days(0)"]
        return f"({' + '.join(shown)})"


def read_interval(text: str, last: str | None = None, precision: int | None = None) -> Span:
    """Return what an interval's text means; `last` is the qualifier's last unit, which names a bare number and cuts what is smaller.

    A bare number without a qualifier counts seconds. Raises ValueError for a text that is no interval.
    """
    amounts = {"month": Fraction(0), "day": Fraction(0), "micro": Fraction(0)}
    at, sign, is_empty = 0, 1, True
    source = text.strip()
    while at < len(source):
        found = _PIECE.match(source, at)
        if found is None:
            raise ValueError(text)
        at = found.end()
        if found["ago"]:
            sign = -1
            continue
        is_empty = False
        if found["pair"]:
            years, months = re.fullmatch(r"([+-]?\d+)-(\d+)", found["pair"]).groups()  # type: ignore[union-attr]
            amounts["month"] += int(years) * 12 + (-int(months) if years.startswith("-") else int(months))
        elif found["clock"]:
            amounts["micro"] += _clock(found["clock"], last)
        else:
            unit = _UNITS.get(found["unit"].lower()) if found["unit"] else last or "second"
            if unit is None:
                raise ValueError(text)
            _add(amounts, unit, Fraction(found["number"]))
    if is_empty:
        raise ValueError(text)
    return _cut(amounts, sign, last, precision)


def _clock(text: str, last: str | None) -> Fraction:
    sign = -1 if text.startswith("-") else 1
    pieces = [Fraction(piece) for piece in text.lstrip("+-").split(":")]
    if len(pieces) == 2 and last == "second":
        pieces.insert(0, Fraction(0))
    pieces += [Fraction(0)] * (3 - len(pieces))
    return sign * (pieces[0] * 3_600_000_000 + pieces[1] * 60_000_000 + pieces[2] * 1_000_000)


def _add(amounts: dict[str, Fraction], unit: str, number: Fraction) -> None:
    """Add so many units; a fraction of a month is days of thirty to a month, and a fraction of a day is hours."""
    if unit in _MONTHS:
        months = number * _MONTHS[unit]
        amounts["month"] += int(months)
        _add(amounts, "day", (months - int(months)) * 30)
    elif unit in _DAYS:
        days = number * _DAYS[unit]
        amounts["day"] += int(days)
        amounts["micro"] += (days - int(days)) * 86_400_000_000
    else:
        amounts["micro"] += number * _MICROS[unit]


def _cut(amounts: dict[str, Fraction], sign: int, last: str | None, precision: int | None) -> Span:
    months, days, micros = sign * int(amounts["month"]), sign * int(amounts["day"]), sign * round(amounts["micro"])
    if last in {"year", "month"}:
        days = micros = 0
        months = int(months / 12) * 12 if last == "year" else months
    elif last == "day":
        micros = 0
    elif last is not None:
        unit = _MICROS[last] if last != "second" or precision is None else 10 ** (6 - precision)
        micros = int(Fraction(micros, unit)) * unit
    return Span(months, days, micros)


def is_qualifier(word: str) -> bool:
    """Tell whether a word may stand after an interval's string."""
    return word.lower() in _QUALIFIERS
