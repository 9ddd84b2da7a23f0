"""When schedules run on AWS: expressions that EventBridge Scheduler takes, or why not and what to write instead; pure.

"Schedule types in EventBridge Scheduler", EventBridge Scheduler user guide: `rate(value unit)` with minutes, hours or days, and `cron` of
six fields, exactly one of day-of-month and day-of-week being `?`.
"""

from __future__ import annotations

import re
from typing import Final

from nearshift.errors import ConfigurationError
from nearshift.pipeline.manifest import FILE_NAME, Schedule

_RATE: Final = re.compile(r"^rate\(\s*(\d+)\s+(second|minute|hour|day)s?\s*\)$", re.IGNORECASE)
_CRON: Final = re.compile(r"^cron\((.*)\)$", re.IGNORECASE)
_MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# name, lowest, highest, words, what else the field may be
_FIELDS: Final = (
    ("minutes", 0, 59, (), ""), ("hours", 0, 23, (), ""), ("day of month", 1, 31, (), "?LW"), ("month", 1, 12, tuple(_MONTHS), ""),
    ("day of week", 1, 7, tuple(_DAYS), "?L#"), ("year", 1970, 2199, (), ""),
)  # fmt: skip


def aws_expression(schedule: Schedule) -> str:
    """Return when a schedule runs on AWS, in the form that EventBridge Scheduler has: its `aws`, else its `local` where that can run there.

    Raises ConfigurationError that names the schedule and says what to write.
    """
    text = schedule.aws if schedule.aws is not None else schedule.local
    reason, hint = _explain(text)
    if reason is None:
        return _normal(text)
    key = "aws" if schedule.aws is not None else "local"
    message = f'"{FILE_NAME}", schedule "{schedule.name}": EventBridge would refuse {key} = "{text}"'
    raise ConfigurationError(message, detail=f"{reason}.", hint=hint)


def _normal(text: str) -> str:
    rate = _RATE.match(text.strip())
    if rate is None:
        return "cron(" + " ".join(text.strip()[5:-1].upper().split()) + ")"
    value, unit = int(rate[1]), rate[2].lower()
    return f"rate({value} {unit}{'' if value == 1 else 's'})"


def _explain(text: str) -> tuple[str | None, str | None]:
    stripped = text.strip()
    if stripped.lower().startswith("on refresh"):
        return "Redshift does not call anybody after a refresh", 'Add aws = "rate(1 minute)" to the schedule.'
    rate = _RATE.match(stripped)
    if rate is not None:
        if rate[2].lower() == "second":
            minutes = max(1, round(int(rate[1]) / 60))
            return "the shortest step there is a minute", f'Add aws = "rate({minutes} minute{"s" if minutes > 1 else ""})" to the schedule.'
        if int(rate[1]) == 0:
            return "a rate is at least one", 'Write "rate(1 minute)".'
        return None, None
    cron = _CRON.match(stripped)
    if cron is not None:
        return _explain_cron(cron[1].split())
    if len(stripped.split()) == 5:
        return "cron expressions there have six fields in brackets", f'Write aws = "{_from_unix(stripped.split())}".'
    return "it is neither a rate nor a cron expression", 'Write "rate(5 minutes)" or "cron(0 3 * * ? *)".'


def _from_unix(fields: list[str]) -> str:
    """Return what five fields of Unix's cron mean as EventBridge's: its week begins with Sunday as 1, and one of the days is `?`."""
    minute, hour, day, month, weekday = fields
    if weekday == "*":
        return f"cron({minute} {hour} {day} {month} ? *)"
    shifted = re.sub(r"\d+", lambda found: str(int(found[0]) % 7 + 1), weekday.partition("/")[0])
    return f"cron({minute} {hour} {'?' if day == '*' else day} {month} {shifted} *)"


def _explain_cron(fields: list[str]) -> tuple[str | None, str | None]:
    if len(fields) == 5:
        return "it has five fields and EventBridge's have six", f'Write "{_from_unix(fields)}".'
    if len(fields) != 6:
        return f"it has {len(fields)} fields and EventBridge's have six", 'Write "cron(minutes hours day-of-month month day-of-week year)".'
    if (fields[2] == "?") == (fields[4] == "?"):
        return "exactly one of day of month and day of week is ?", 'Write "cron(0 3 * * ? *)" or "cron(0 3 ? * MON-FRI *)".'
    for text, (name, low, high, words, special) in zip(fields, _FIELDS, strict=True):
        for part in text.upper().split(","):
            if not _is_field_part(part, low, high, words, special):
                return f'"{text}" cannot be the {name}', f"The {name} is between {low} and {high}."
    return None, None


def _is_field_part(part: str, low: int, high: int, words: tuple[str, ...], special: str) -> bool:
    if part == "?":
        return "?" in special
    if "L" in special and re.fullmatch(r"L|\dL", part):
        return True
    if "W" in special and re.fullmatch(r"\d{1,2}W", part):
        return low <= int(part[:-1]) <= high
    if "#" in special and re.fullmatch(r"[1-7]#[1-5]", part):
        return True
    span, slash, step = part.partition("/")
    if slash and not (step.isdigit() and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = span.split("-")
    found = [words.index(end) + low if end in words else int(end) if end.isdigit() else -1 for end in ends]
    return len(ends) <= 2 and all(low <= value <= high for value in found)
