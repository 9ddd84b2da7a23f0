"""Formats of TO_CHAR and TO_DATE, and Redshift's functions over dates against the arithmetic that they mean."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.differential.conftest import TIMES
from tests.differential.sides import Sides

_PROFILE = settings(settings.get_profile("differential"), max_examples=80 * TIMES)
_DATE_WORDS = (
    "YYYY", "YYY", "YY", "Y", "MM", "DD", "HH24", "HH12", "HH", "MI", "SS", "MS", "US", "AM", "pm", "Q", "DDD", "D", "ID", "WW", "IW",
    "IYYY",
    "MON", "Mon", "MONTH", "Month", "month", "DY", "Day", "FMMonth", "FMDay", "FMDD", "J", "CC", "W", "RM", '"of"', "A.M.",
)  # fmt: skip
_MARKS = ("-", "/", ":", " ", ".", "")
_DIFFERENCES = {
    "year": "extract(year FROM {1}) - extract(year FROM {0})",
    "quarter": "(extract(year FROM {1}) * 4 + extract(quarter FROM {1})) - (extract(year FROM {0}) * 4 + extract(quarter FROM {0}))",
    "month": "(extract(year FROM {1}) * 12 + extract(month FROM {1})) - (extract(year FROM {0}) * 12 + extract(month FROM {0}))",
    "week": "(({1}::date - date '1970-01-04') + 70000) / 7 - (({0}::date - date '1970-01-04') + 70000) / 7",
    "day": "{1}::date - {0}::date",
    "hour": "floor(extract(epoch FROM {1}) / 3600) - floor(extract(epoch FROM {0}) / 3600)",
    "minute": "floor(extract(epoch FROM {1}) / 60) - floor(extract(epoch FROM {0}) / 60)",
}


def test_dates_are_shown_alike(sides: Sides) -> None:
    @_PROFILE
    @given(st.lists(st.tuples(st.sampled_from(_DATE_WORDS), st.sampled_from(_MARKS)), min_size=1, max_size=4))
    def same(parts: list[tuple[str, str]]) -> None:
        form = "".join(word + (mark or "|") for word, mark in parts)
        sides.check(f"SELECT id, to_char(ts, '{form}') AS x FROM mix")

    same()


def test_numbers_are_shown_alike(sides: Sides) -> None:
    digits = st.lists(st.sampled_from("999990,"), min_size=1, max_size=7).map("".join)
    fractions = st.sampled_from(("", ".9", ".99", "D00", ".990", ".0"))
    ends = st.sampled_from(
        (("", ""), ("FM", ""), ("S", ""), ("", "S"), ("", "MI"), ("SG", ""), ("PL", ""), ("", "PR"), ("FM", "MI"), ("FM", "th"), ("$", ""))
    )

    @_PROFILE
    @given(digits.filter(lambda form: form.strip(",") != ""), fractions, ends, st.sampled_from(("p", "q", "b", "s", "l")))
    def same(whole: str, fraction: str, around: tuple[str, str], column: str) -> None:
        form = f"{around[0]}{whole}{fraction}{around[1]}"
        sides.check(f"SELECT id, to_char({column}, '{form}') AS x FROM mix")

    same()


def test_texts_are_read_by_their_format(sides: Sides) -> None:
    forms = ("YYYY-MM-DD", "DD/MM/YYYY", "YYYYMMDD", "DD Mon YYYY", "MM.DD.YYYY", "FMMonth DD, YYYY", "YYYY DDD", "DDMONYYYY")
    for form in forms:
        sides.check(f"SELECT id, to_date(to_char(d, '{form}'), '{form}') AS x FROM mix")


def test_dates_are_added_and_counted(sides: Sides) -> None:
    @_PROFILE
    @given(st.sampled_from(sorted(_DIFFERENCES)), st.integers(-40, 40), st.sampled_from(("ts", "timestamp '2020-02-29 23:59:59'")))
    def same(part: str, number: int, other: str) -> None:
        if part != "year":
            interval = f"({number} * interval '{'3 month' if part == 'quarter' else '1 ' + part}')"
            sides.check(f"SELECT id, dateadd({part}, {number}, ts) AS x FROM mix", theirs=f"SELECT id, ts + {interval} AS x FROM mix")
        theirs = _DIFFERENCES[part].format("d::timestamp", other)
        sides.check(f"SELECT id, datediff({part}, d, {other}) AS x FROM mix", theirs=f"SELECT id, {theirs} AS x FROM mix")

    same()


def test_months_end_and_zones(sides: Sides) -> None:
    theirs = "SELECT id, (date_trunc('month', d) + interval '1 month - 1 day')::date AS x FROM mix"
    sides.check("SELECT id, last_day(d) AS x FROM mix", theirs=theirs)
    for zone in ("America/New_York", "Asia/Kolkata", "Europe/London", "UTC"):
        sides.check(
            f"SELECT id, convert_timezone('{zone}', ts) AS x FROM mix",
            theirs=f"SELECT id, ts AT TIME ZONE 'UTC' AT TIME ZONE '{zone}' AS x FROM mix",
        )
