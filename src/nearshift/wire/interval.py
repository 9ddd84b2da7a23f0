"""PostgreSQL's text of intervals (`IntervalStyle = postgres`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntervalParts:
    """An interval as PostgreSQL keeps it; the parts do not carry into each other, since a month has no fixed number of days."""

    months: int
    days: int
    micros: int


def interval_text(parts: IntervalParts) -> str:
    """Return `1 year 2 mons 3 days 04:05:06.7` ("Interval Output", PostgreSQL documentation).

    A part is signed by itself; a positive one after a negative one gets a plus sign, so that the text reads back as it was.
    """
    years, months = int(parts.months / 12), parts.months - 12 * int(parts.months / 12)
    words: list[str] = []
    is_negative_before = False
    for value, unit in ((years, "year"), (months, "mon"), (parts.days, "day")):
        if value:
            sign = "+" if is_negative_before and value > 0 else ""
            words.append(f"{sign}{value} {unit}{'' if value == 1 else 's'}")
            is_negative_before = value < 0
    if parts.micros or not words:
        seconds, micros = divmod(abs(parts.micros), 1_000_000)
        sign = "-" if parts.micros < 0 else "+" if is_negative_before else ""
        fraction = f".{micros:06d}".rstrip("0") if micros else ""
        words.append(f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}")
    return " ".join(words)
