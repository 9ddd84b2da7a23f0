"""The DuckDB macros that translations call, in a schema of their own so that no user function can stand before them.

A macro that refuses a value raises DuckDB's `error` with a text that begins with MARK and a SQLSTATE; `raised_error` reads it back.
"""

from __future__ import annotations

import re
from typing import Final

from nearshift.errors import DataError
from nearshift.sql.macros_super import SUPER_MACROS
from nearshift.sql.macros_text import TEXT_MACROS

SCHEMA: Final = "nearshift_sql"
MARK: Final = "nearshift:"
_RAISED = re.compile(MARK + r"([0-9A-Z]{5}):(.*)", re.S)

_NUMBERS = (
    "zero_divide() AS error('nearshift:22012:division by zero')",
    "divide_integer(a, b) AS CASE WHEN b = 0 AND a IS NOT NULL THEN nearshift_sql.zero_divide() ELSE a // b END",
    "divide_float(a, b) AS CASE WHEN b = 0 AND a IS NOT NULL THEN nearshift_sql.zero_divide() ELSE a / b END",
    "modulo(a, b) AS CASE WHEN b = 0 AND a IS NOT NULL THEN nearshift_sql.zero_divide() ELSE a % b END",
    # a and b are decimals without their points; the quotient gets `scale` digits after its point, the rest is cut.
    "digits(q, width) AS lpad(CAST(abs(q) AS VARCHAR), CAST(greatest(width, length(CAST(abs(q) AS VARCHAR))) AS INTEGER), '0')",
    # A list's lambda names the quotient, which would else be written out, and planned, a dozen times.
    "scaled_text(q, scale) AS list_transform([q], lambda x: CASE WHEN x < 0 THEN '-' ELSE '' END || CASE WHEN scale = 0 THEN "
    "CAST(abs(x) AS VARCHAR) ELSE left(nearshift_sql.digits(x, scale + 1), -scale) || '.' || "
    "right(nearshift_sql.digits(x, scale + 1), scale) END)[1]",
    "scaled(a, b, scale) AS CASE WHEN b = 0 AND a IS NOT NULL THEN nearshift_sql.zero_divide() "
    "ELSE nearshift_sql.scaled_text(a // b, scale) END",
    # What PostgreSQL refuses and DuckDB answers with NaN or infinity.
    "divide_interval(a, b) AS CASE WHEN b = 0 AND a IS NOT NULL THEN nearshift_sql.zero_divide() ELSE a * (1.0::DOUBLE / b) END",
    "bits_and(a, b) AS CASE WHEN octet_length(a) <> octet_length(b) THEN error('nearshift:22026:operator & needs values of one size') "
    "ELSE CAST((CAST(a AS BIT) & CAST(b AS BIT)) AS BLOB) END",
    "bits_or(a, b) AS CASE WHEN octet_length(a) <> octet_length(b) THEN error('nearshift:22026:operator | needs values of one size') "
    "ELSE CAST((CAST(a AS BIT) | CAST(b AS BIT)) AS BLOB) END",
    "share_of(u, n) AS sign(u) * (abs(u) // n + CASE WHEN abs(u) % n * 2 >= n THEN 1 ELSE 0 END)",
    "average(total, n, scale) AS CASE WHEN n > 0 THEN "
    "nearshift_sql.scaled_text(nearshift_sql.share_of(CAST(replace(CAST(total AS VARCHAR), '.', '') AS HUGEINT), n), scale) END",
    "root(x) AS CASE WHEN x < 0 THEN error('nearshift:2201F:cannot take square root of a negative number') ELSE sqrt(x) END",
    "positive(x) AS CASE WHEN x = 0 THEN error('nearshift:2201E:cannot take logarithm of zero') "
    "WHEN x < 0 THEN error('nearshift:2201E:cannot take logarithm of a negative number') ELSE x END",
    "unit(x) AS CASE WHEN abs(x) > 1 THEN error('nearshift:22003:input is out of range') ELSE x END",
    "finite(x) AS CASE WHEN isinf(x) THEN error('nearshift:22003:value out of range: overflow') ELSE x END",
    "power(a, b) AS CASE WHEN a = 0 AND b < 0 THEN error('nearshift:2201F:zero raised to a negative power is undefined') "
    "WHEN a < 0 AND b <> trunc(b) "
    "THEN error('nearshift:2201F:a negative number raised to a non-integer power yields a complex result') "
    "ELSE nearshift_sql.finite(pow(a, b)) END",
    "round_exact(x, places) AS round(x, places)",
    "trunc_exact(x, places) AS trunc(x * pow(10::DOUBLE, places)) / pow(10::DOUBLE, places)",
    "round_float(x, places) AS round(x, places)",
    "trunc_float(x, places) AS trunc(x * pow(10::DOUBLE, places)) / pow(10::DOUBLE, places)",
    "decimal_text(x) AS regexp_replace(CAST(x AS VARCHAR), '^(-?)\\.', '\\10.')",
    "float_text(x) AS regexp_replace(CAST(x AS VARCHAR), '\\.0$', '')",
)
_DATES = (
    # DuckDB reads a date that begins with four digits of a year as Redshift does; other forms are read by a function of our own.
    *(
        f"text_{kind}(x) AS coalesce(CASE WHEN x[5] IN ('-', '/') THEN TRY_CAST(x AS {name}) END, "
        f"CAST(nearshift_text_timestamp(x, '{kind}') AS {name}))"
        for kind, name in (("date", "DATE"), ("timestamp", "TIMESTAMP"), ("timestamptz", "TIMESTAMPTZ"))
    ),
    "text_time(x) AS coalesce(CASE WHEN x[3] = ':' AND length(x) < 16 THEN TRY_CAST(x AS TIME) END, "
    "CAST(nearshift_text_timestamp(x, 'time') AS TIME))",
    "text_timetz(x) AS CAST(nearshift_text_timestamp(x, 'timetz') AS TIMETZ)",
    *(
        f"try_{kind}(x) AS CAST(nearshift_text_timestamp(x, 'try {kind}') AS {name})"
        for kind, name in (
            ("date", "DATE"), ("timestamp", "TIMESTAMP"), ("timestamptz", "TIMESTAMPTZ"), ("time", "TIME"), ("timetz", "TIMETZ")
        )
    ),
    # "ADD_MONTHS function": the last day of a month stays the last day.
    "add_months(t, n) AS CASE WHEN CAST(t AS DATE) = last_day(t) THEN CAST(last_day(t + to_months(n)) AS TIMESTAMP) "
    "+ (t - CAST(CAST(t AS DATE) AS TIMESTAMP)) ELSE t + to_months(n) END",
    "add_years(t, n) AS CASE WHEN date_part('month', t) = 2 AND date_part('day', t) = 29 "
    "AND date_part('day', t + to_years(CAST(n AS INTEGER))) = 28 "
    "THEN t + to_years(CAST(n AS INTEGER)) + to_days(1) ELSE t + to_years(CAST(n AS INTEGER)) END",
    # A zone is a name, or an offset east of Greenwich, which DuckDB has no zone for.
    "zone_offset(z) AS to_minutes(CAST(CASE WHEN z[1] = '-' THEN -1 ELSE 1 END "
    "* (CAST(z[2:3] AS INTEGER) * 60 + CAST(z[5:6] AS INTEGER)) AS BIGINT))",
    "at_zone(z, t) AS CASE WHEN z[1] IN ('+', '-') THEN timezone('UTC', t) + nearshift_sql.zone_offset(z) ELSE timezone(z, t) END",
    "of_zone(z, t) AS CASE WHEN z[1] IN ('+', '-') THEN timezone('UTC', t - nearshift_sql.zone_offset(z)) ELSE timezone(z, t) END",
    "weekday_number(name) AS CASE WHEN lower(left(name, 2)) = 'su' THEN 0 WHEN lower(left(name, 1)) = 'm' THEN 1 "
    "WHEN lower(left(name, 2)) = 'tu' THEN 2 WHEN lower(left(name, 1)) = 'w' THEN 3 WHEN lower(left(name, 2)) = 'th' THEN 4 "
    "WHEN lower(left(name, 1)) = 'f' THEN 5 WHEN lower(left(name, 2)) = 'sa' THEN 6 "
    "ELSE error('nearshift:22023:day of the week \"' || name || '\" is not known') END",
    "next_day(d, name) AS d + CAST((nearshift_sql.weekday_number(name) - date_part('dow', d) + 6) % 7 + 1 AS INTEGER)",
    "months_between(a, b) AS CASE WHEN date_part('day', a) = date_part('day', b) OR (CAST(a AS DATE) = last_day(a) AND "
    "CAST(b AS DATE) = last_day(b)) THEN CAST((date_part('year', a) - date_part('year', b)) * 12 + date_part('month', a) "
    "- date_part('month', b) AS DOUBLE) ELSE (date_part('year', a) - date_part('year', b)) * 12 + date_part('month', a) "
    "- date_part('month', b) + (date_part('day', a) - date_part('day', b)) / 31.0::DOUBLE END",
)

MACROS: Final = (*_NUMBERS, *_DATES, *TEXT_MACROS, *SUPER_MACROS)
SETUP: Final[tuple[str, ...]] = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    *(f"CREATE OR REPLACE MACRO {SCHEMA}.{macro}" for macro in MACROS),
)


def raised_error(message: str) -> DataError | None:
    """Return the error that a macro raised, read from the text of DuckDB's error, or None when it was not a macro's."""
    found = _RAISED.search(message)
    if found is None:
        return None
    return DataError(found[2].split("\n\nLINE ")[0].strip(), sqlstate=found[1])
