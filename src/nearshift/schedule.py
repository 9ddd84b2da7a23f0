"""When scheduled statements are due: EventBridge's expressions, seconds, and `on refresh of <view>`; pure.

Source page: "Setting a schedule pattern for scheduled rules" of the Amazon EventBridge User Guide. A cron expression has six fields:
minutes, hours, day of month, month, day of week (1-7, Sunday 1), year; one of the two days is `?`. Times are UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import CroniterError, croniter

from nearshift.errors import ConfigurationError

_RATE = re.compile(r"^rate\(\s*(\d+)\s+(second|minute|hour|day)s?\s*\)$", re.IGNORECASE)
_CRON = re.compile(r"^cron\((.*)\)$", re.IGNORECASE)
_REFRESH = re.compile(r"^on\s+refresh\s+of\s+(?:\"?([\w$]+)\"?\.)?\"?([\w$]+)\"?$", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Every:
    """`rate(value unit)`: again and again, `seconds` after the last start."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Cron:
    """`cron(...)`: `fields` are croniter's: minute hour day month weekday, and `years` the year field or `*`."""

    fields: str
    years: str


@dataclass(frozen=True, slots=True)
class OnRefresh:
    """`on refresh of view`: after each commit that brought the view new rows."""

    schema: str
    view: str

    @property
    def label(self) -> str:
        """The view as events name it."""
        return f"{self.schema}.{self.view}"


Pattern = Every | Cron | OnRefresh


def parse_schedule(text: str) -> Pattern:
    """Return what an expression means. Raises ConfigurationError with what is wrong and a right example."""
    expression = text.strip()
    rate = _RATE.match(expression)
    if rate and int(rate[1]) > 0:
        return Every(int(rate[1]) * _SECONDS[rate[2].lower()])
    refresh = _REFRESH.match(expression)
    if refresh:
        return OnRefresh((refresh[1] or "public").lower(), refresh[2].lower())
    cron = _CRON.match(expression)
    if cron:
        return _parse_cron(cron[1], text)
    raise _refused(text)


def _parse_cron(body: str, text: str) -> Cron:
    fields = body.split()
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        raise _refused(text)
    minute, hour, day, month, weekday, years = fields
    translated = " ".join([minute, hour, day.replace("?", "*"), month, _weekday(weekday)])
    if not croniter.is_valid(translated) or not re.fullmatch(r"\*|[\d,/-]+", years):
        raise _refused(text)
    return Cron(translated, years)


def _weekday(field: str) -> str:
    """EventBridge counts Sunday as 1, cron as 0."""
    if field == "?":
        return "*"
    shifted = re.sub(r"(?<![\d#/])\d+(?!\d)", lambda m: str((int(m[0]) - 1) % 7), field)
    return shifted.upper()


def _refused(text: str) -> ConfigurationError:
    return ConfigurationError(
        f'schedule expression "{text}" is not valid',
        sqlstate="22023",
        hint="Write rate(5 minutes), rate(10 seconds), cron(0 12 * * ? *) or on refresh of my_view.",
    )


def next_run(pattern: Pattern, last_start: datetime | None, now: datetime) -> datetime | None:
    """Return when a schedule is due next (aware UTC), which may be in the past; None for one that waits for an event or is over."""
    match pattern:
        case Every(seconds):
            return now if last_start is None else last_start + timedelta(seconds=seconds)
        case Cron(fields, years):
            return _next_cron(fields, years, last_start or now)
        case OnRefresh():
            return None


def _next_cron(fields: str, years: str, after: datetime) -> datetime | None:
    try:
        times = croniter(fields, after.astimezone(UTC))
        for _attempt in range(2000):
            found: datetime = times.get_next(datetime)
            if _is_in_years(found.year, years):
                return found
    except CroniterError:
        return None
    return None


def _is_in_years(year: int, years: str) -> bool:
    if years == "*":
        return True
    for part in years.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        end = int(high) if high else (2199 if step else int(low))
        if int(low) <= year <= end and (year - int(low)) % int(step or 1) == 0:
            return True
    return False
