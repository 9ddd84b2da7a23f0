"""Dates and times as people write them. Source pages: "Date, time, and timestamp literals", "TO_DATE", "TO_TIMESTAMP".

What DuckDB's own cast reads (`2020-01-31 04:05:06.7`) never comes here. The order of numbers is month, day, year unless a year comes first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

MONTHS: Final = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_LONG_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH_WORDS: Final = {**MONTHS, **{name: number for number, name in enumerate(_LONG_MONTHS, 1)}, "sept": 9}
_DAY_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_WORDS: Final = {name[:length] for name in _DAY_NAMES for length in (3, 4, 5, len(name))}
# Abbreviations of "Time zone abbreviations" whose offset does not depend on the year, in minutes.
ZONES: Final = {
    "utc": 0, "gmt": 0, "z": 0, "zulu": 0, "ut": 0, "wet": 0, "bst": 60, "cet": 60, "met": 60, "west": 60, "cest": 120, "eet": 120,
    "mest": 120, "eest": 180, "msk": 180, "msd": 240, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360,
    "pst": -480, "pdt": -420, "akst": -540, "akdt": -480, "hst": -600, "jst": 540, "kst": 540, "hkt": 480, "awst": 480, "aest": 600,
    "aedt": 660, "nzst": 720, "nzdt": 780, "ast": -240, "adt": -180, "nst": -210, "ndt": -150,
}  # fmt: skip
_ZONE: Final = re.compile(r"\s*[+-]\d{1,2}(?::?\d{2})?(?=\s*(?:$|[A-Za-z]))")
_PIECES: Final = re.compile(
    r"(?P<time>\d{1,2}:\d{1,2}(?::\d{1,2}(?:[.,]\d*)?)?)|(?P<packed>(?<=[Tt\s])\d{6}(?:\.\d+)?(?![\d./-]))|(?P<number>\d+)"
    r"|(?P<place>[A-Za-z]+/[A-Za-z_/]+)|(?P<word>[A-Za-z]+)|(?P<mark>[-/.,]+)|(?P<blank>\s+)"
)


class NotADate(ValueError):
    """A text that is no date or time; `is_range` says that it has the shape of one."""

    def __init__(self, text: str, *, is_range: bool = False) -> None:
        super().__init__(text)
        self.is_range = is_range


@dataclass(slots=True)
class _Parts:
    """What has been read of a text."""

    numbers: list[str]
    clock: str | None = None
    month: int | None = None
    month_at: int = 0
    half: str | None = None
    offset: int | None = None
    place: str | None = None
    is_before_christ: bool = False


def canonical(text: str, kind: str) -> str | None:
    """Return a date or time as DuckDB reads it, for the Redshift type `kind` ("timestamp", "timestamptz", "date", "time", "timetz").

    TIMETZ is kept in UTC, as Redshift does. A text that is none gives None when `kind` begins with "try ". Raises ValueError with the
    mark of macros: 22007 for a text that is none, 22008 for one out of range.
    """
    try:
        return read_text(text, kind.removeprefix("try "))
    except NotADate as error:
        if kind.startswith("try "):
            return None
        name = {"timestamptz": "timestamp with time zone", "timetz": "time with time zone"}.get(kind, kind)
        if error.is_range:
            raise ValueError(f'nearshift:22008:date/time field value out of range: "{text}"') from error
        raise ValueError(f'nearshift:22007:invalid input syntax for type {name}: "{text}"') from error


def read_text(text: str, kind: str) -> str:
    """Do what `canonical` does; raises NotADate."""
    parts = _taken_apart(text)
    is_time = kind in {"time", "timetz"}
    if is_time and parts.clock is None and len(parts.numbers) == 1 and len(parts.numbers[0]) in {4, 6}:
        packed = parts.numbers.pop()
        parts.clock = f"{packed[:2]}:{packed[2:4]}:{packed[4:] or '00'}"
    seconds = _clock(parts, text)
    shown = _clock_text(seconds)
    if is_time and not parts.numbers and parts.month is None:
        if parts.clock is None:
            raise NotADate(text)
        return _in_utc(seconds, parts.offset or 0) if kind == "timetz" else shown
    day = _day(parts, text)
    if kind == "date":
        return day.isoformat()
    if is_time:
        return _in_utc(seconds, _offset_of(parts, day, seconds, text)) if kind == "timetz" else shown
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(microseconds=seconds)
    if kind == "timestamptz" and (parts.offset is not None or parts.place is not None):
        moment -= timedelta(minutes=_offset_of(parts, day, seconds, text))
    ending = "+00:00" if kind == "timestamptz" and (parts.offset is not None or parts.place is not None) else ""
    return moment.replace(tzinfo=None).isoformat(sep=" ") + ending


def _offset_of(parts: _Parts, day: date, seconds: int, text: str) -> int:
    if parts.place is None:
        return parts.offset or 0
    try:
        zone = ZoneInfo(parts.place)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotADate(text) from error
    local = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(microseconds=seconds)
    offset = local.utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


_POSIX: Final = re.compile(r"([A-Za-z_/]+)?\s*([+-])\s*(\d{1,2})(?::(\d{2}))?")


def zone_name(text: str) -> str:
    """Return a time zone as a name of the IANA database, or as `+HH:MM` east of Greenwich for abbreviations and POSIX forms.

    In the POSIX form `name+2` the name means nothing and the number counts west of Greenwich ("CONVERT_TIMEZONE function"). Raises
    ValueError for a text that is no zone.
    """
    word = text.strip()
    if word.lower() in ZONES:
        return _east(ZONES[word.lower()])
    posix = _POSIX.fullmatch(word)
    if posix is not None and not word.upper().startswith("ETC/"):
        minutes = int(posix[3]) * 60 + int(posix[4] or 0)
        return _east(-minutes if posix[2] == "+" else minutes)
    try:
        return ZoneInfo(word).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        for known in _zone_names():
            if known.lower() == word.lower():
                return known
        raise ValueError(f'nearshift:22023:time zone "{text}" not recognized') from None


@lru_cache(maxsize=1)
def _zone_names() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def _east(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _clock_text(micros: int) -> str:
    seconds = micros // 1_000_000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros % 1_000_000:06d}"


def _in_utc(micros: int, minutes: int) -> str:
    """Return a time of day with an offset as the time of day in UTC."""
    return _clock_text((micros - minutes * 60_000_000) % 86_400_000_000) + "+00"


def _taken_apart(text: str) -> _Parts:
    parts = _Parts([])
    at, word_before = 0, ""
    source = text.strip()
    if not source:
        raise NotADate(text)
    while at < len(source):
        zone = _ZONE.match(source, at) if parts.clock is not None and parts.offset is None else None
        if zone is not None:
            sign, hours, minutes = re.fullmatch(r"\s*([+-])(\d{1,2}):?(\d{2})?", zone[0]).groups()  # type: ignore[union-attr]
            parts.offset = (-1 if sign == "-" else 1) * (int(hours) * 60 + int(minutes or 0))
            at = zone.end()
            continue
        found = _PIECES.match(source, at)
        if found is None:
            raise NotADate(text)
        at = found.end()
        kind, piece = str(found.lastgroup), found[0]
        if kind in {"time", "packed"} and (kind == "time" or (parts.clock is None and (parts.numbers or parts.month))):
            if parts.clock is not None:
                raise NotADate(text)
            parts.clock = piece if kind == "time" else f"{piece[:2]}:{piece[2:4]}:{piece[4:]}"
        elif kind in {"number", "packed"}:
            parts.numbers.append(piece)
        elif kind == "place":
            parts.place = piece
        elif kind == "word":
            _word(parts, piece.lower(), text)
        elif kind == "mark" and not parts.numbers and parts.month is None:
            raise NotADate(text)
        word_before = kind
    if word_before == "mark" and source[-1] != ",":
        raise NotADate(text)
    return parts


def _word(parts: _Parts, word: str, text: str) -> None:
    if word in _MONTH_WORDS and parts.month is None:
        parts.month, parts.month_at = _MONTH_WORDS[word], len(parts.numbers)
    elif word in {"am", "pm"} and parts.half is None and parts.clock is not None:
        parts.half = word
    elif word in ZONES and (parts.clock is not None or parts.numbers):
        parts.offset = ZONES[word]
    elif word in {"bc", "ad"} and parts.numbers:
        parts.is_before_christ = word == "bc"
    elif word == "t" and parts.numbers and parts.clock is None:
        return
    elif word not in _DAY_WORDS:
        raise NotADate(text)


def _clock(parts: _Parts, text: str) -> int:
    if parts.clock is None:
        return 0
    pieces = parts.clock.replace(",", ".").split(":")
    hour, minute = int(pieces[0]), int(pieces[1])
    whole, _, fraction = (pieces[2] if len(pieces) > 2 else "0").partition(".")
    second, micros = int(whole), int(f"{fraction:0<7}"[:6]) + int(f"{fraction:0<7}"[6] >= "5")
    if parts.half is not None:
        if not 1 <= hour <= 12:
            raise NotADate(text, is_range=True)
        hour = hour % 12 + (12 if parts.half == "pm" else 0)
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    if minute > 59 or second > 60 or total > 86_400_000_000:
        raise NotADate(text, is_range=True)
    return total


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) <= 2:
        year += 2000 if year < 70 else 1900
    return year


def _day(parts: _Parts, text: str) -> date:
    numbers = parts.numbers
    if parts.is_before_christ:
        raise NotADate(text)  # DuckDB reads these itself
    if parts.month is not None and len(numbers) == 2:
        first, second = numbers
        year, day = (first, second) if len(first) > 2 else (second, first)
        return _made(_full_year(year), parts.month, int(day), text)
    if parts.month is None and len(numbers) == 3:
        first, second, third = numbers
        if len(first) > 2:
            return _made(int(first), int(second), int(third), text)
        return _made(_full_year(third), int(first), int(second), text)
    if parts.month is None and len(numbers) == 2 and len(numbers[0]) == 4 and len(numbers[1]) == 3:
        start, ordinal = _made(int(numbers[0]), 1, 1, text), int(numbers[1])
        if not 1 <= ordinal <= start.replace(month=12, day=31).timetuple().tm_yday:
            raise NotADate(text, is_range=True)
        return start + timedelta(days=ordinal - 1)
    if parts.month is None and len(numbers) == 1 and len(numbers[0]) in {6, 8}:
        packed = numbers[0]
        return _made(_full_year(packed[:-4]), int(packed[-4:-2]), int(packed[-2:]), text)
    raise NotADate(text)


def _made(year: int, month: int, day: int, text: str) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise NotADate(text, is_range=True) from error


_FORMAT_WORDS: Final = re.compile(
    r'"[^"]*"|YYYY|YYY|YY|Y|MONTH|MON|MM|DAY|DDD|DD|DY|D|HH24|HH12|HH|MI|SSSS|SS|MS|US|A\.M\.|P\.M\.|AM|PM|J|Q|FM|TH|WW|W|IYYY|IW|CC|B\.C\.|BC|AD|RM|.',
    re.I | re.S,
)
_WIDTHS: Final = {
    "YYYY": 4, "YYY": 3, "YY": 2, "Y": 1, "MM": 2, "DD": 2, "DDD": 3, "HH24": 2, "HH12": 2, "HH": 2, "MI": 2, "SS": 2, "MS": 3, "US": 6,
}  # fmt: skip
_UNREAD: Final = frozenset({"D", "WW", "W", "IYYY", "IW", "CC", "RM", "J", "Q", "SSSS", "B.C.", "BC", "AD", "TH"})


def format_words(form: str) -> list[str]:
    """Return the words of a format; a word that cannot be read from a text raises ValueError with its name."""
    words = _FORMAT_WORDS.findall(form)
    for word in words:
        if word.upper() in _UNREAD:
            raise ValueError(word)
    return [word for word in words if word.upper() != "FM"]


def parse_by_format(text: str, form: str, is_strict: int) -> datetime:
    """Return the timestamp that a text means by a format; without `is_strict` a day or an hour too many goes over into the next.

    Raises ValueError with the mark of macros: 22007 for a text that does not fit the format, 22008 for one out of range.
    """
    found: dict[str, int] = {}
    at = 0
    words = format_words(form)
    for index, word in enumerate(words):
        name = word.upper()
        if at >= len(text):
            break
        if name in _WIDTHS:
            while at < len(text) and text[at].isspace():
                at += 1
            follows = index + 1 < len(words) and words[index + 1].upper() in _WIDTHS
            wide = _WIDTHS[name] if follows or name in {"MS", "US"} else 9 if name == "YYYY" else max(_WIDTHS[name], 2)
            digits = re.compile(rf"[+-]?\d{{1,{wide}}}").match(text, at)
            if digits is None:
                raise _unfit(text, form)
            at = digits.end()
            found[name] = _scaled(name, digits[0])
        elif name in {"MONTH", "MON", "DAY", "DY", "AM", "PM", "A.M.", "P.M."}:
            at = _name_read(text, at, name, found, form)
        else:
            at += len(word.strip('"'))
    return _composed(found, is_strict=bool(is_strict))


def _scaled(name: str, digits: str) -> int:
    number = int(digits)
    if name in {"MS", "US"}:
        return int(digits.ljust(_WIDTHS[name], "0"))
    if (name in {"YY", "YYY"} and len(digits) <= 2) or name == "Y":
        return number + (2000 if number < 70 else 1900)
    if name == "YYY":
        return number + (2000 if number < 520 else 1000)
    return number


def _name_read(text: str, at: int, name: str, found: dict[str, int], form: str) -> int:
    rest: str = text[at:].lower()
    if name in {"MONTH", "MON"}:
        for word in (*sorted(_LONG_MONTHS, key=len, reverse=True), *MONTHS):
            if rest.startswith(word):
                found["MM"] = _MONTH_WORDS[word]
                return at + len(word)
    elif name in {"DAY", "DY"}:
        for word in sorted(_DAY_WORDS, key=len, reverse=True):
            if rest.startswith(word):
                return at + len(word)
    else:
        half = re.match(r"([ap])\.?m\.?", rest)
        if half is not None:
            found["half"] = int(half[1] == "p")
            return at + int(half.end())
    raise _unfit(text, form)


def _unfit(text: str, form: str) -> ValueError:
    return ValueError(f'nearshift:22007:the value "{text}" does not fit the format "{form}"')


def _composed(found: dict[str, int], *, is_strict: bool) -> datetime:
    year = next((found[name] for name in ("YYYY", "YYY", "YY", "Y") if name in found), 1)
    month, day = found.get("MM", 1), found.get("DD", 1)
    hour = next((found[name] for name in ("HH24", "HH12", "HH") if name in found), 0)
    if "half" in found:
        hour = hour % 12 + 12 * found["half"]
    minute, second = found.get("MI", 0), found.get("SS", 0)
    micros = found.get("MS", 0) * 1000 + found.get("US", 0)
    if is_strict and (hour > 23 or minute > 59 or second > 59):
        raise ValueError(f"nearshift:22008:date/time field time value out of range: {hour}:{minute}:{second}.0")
    try:
        start = datetime(year, 1, 1) if "DDD" in found else datetime(year, month, 1)  # noqa: DTZ001 - a timestamp without zone
        moment = start + timedelta(days=found["DDD"] - 1 if "DDD" in found else day - 1)
        if day < 1 or (is_strict and "DDD" not in found and moment.month != month):
            raise ValueError
        return moment + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"nearshift:22008:date/time field date value out of range: {year}-{month}-{day}") from error
