"""Texts of dates and times that Arrow cannot print: before year 1, after 9999, infinity, and 24:00:00. Rare, so value by value."""

from __future__ import annotations

# DuckDB's infinities; PostgreSQL's negative ones are one below.
DATE_INFINITY = 2**31 - 1
TIMESTAMP_INFINITY = 2**63 - 1
DAY_US = 86_400_000_000
# Year 1 to year 9999, in days and in microseconds from 1970.
DAYS_MIN, DAYS_MAX = -719_162, 2_932_896
MICROS_MIN, MICROS_MAX = DAYS_MIN * DAY_US, (DAYS_MAX + 1) * DAY_US - 1


def date_text(days: int) -> str:
    """Return the text of a date given in days from 1970: `0044-03-15 BC`, `12026-01-01`, `infinity`."""
    if abs(days) >= DATE_INFINITY:
        return "infinity" if days > 0 else "-infinity"
    year, month, day = _civil(days)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"{1 - year:04d}-{month:02d}-{day:02d} BC"


def timestamp_text(micros: int, offset: str = "") -> str:
    """Return the text of a timestamp given in microseconds from 1970; the offset stands before `BC`."""
    if abs(micros) >= TIMESTAMP_INFINITY:
        return "infinity" if micros > 0 else "-infinity"
    days, rest = divmod(micros, DAY_US)
    day, _, era = date_text(days).partition(" ")
    return f"{day} {time_text(rest)}{offset}{' ' + era if era else ''}"


def time_text(micros: int) -> str:
    """Return the text of a time of day, up to 24:00:00."""
    seconds, fraction = divmod(micros, 1_000_000)
    tail = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"


def _civil(days: int) -> tuple[int, int, int]:
    """Return the Gregorian year (0 is 1 BC), month and day, counting in eras of 400 years from 1 March of year 0."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year_of_era + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1
