"""Date and time functions.

Source pages: "Date and time functions", "Date parts for date or timestamp functions", "Datetime format strings".
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce, explicit_cast
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_formats import check_words, date_format, number_format, plain_format
from nearshift.sql.functions_table import INSTANTS, Call, Function, Refusal
from nearshift.sql.names import quote_literal
from nearshift.sql.native_dates import zone_name
from nearshift.types import (
    BIGINT,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    NUMBERS,
    STRINGS,
    TIMESTAMP,
    TIMESTAMPTZ,
    VARCHAR,
    Kind,
)

PARTS: dict[str, str] = {
    alias: part
    for part, aliases in {
        "millennium": "millennium millennia mil mils", "century": "century centuries c cent cents", "decade": "decade decades dec decs",
        "epoch": "epoch", "year": "year years y yr yrs", "quarter": "quarter quarters qtr qtrs", "month": "month months mon mons",
        "week": "week weeks w", "dayofweek": "dayofweek dow dw weekday", "dayofyear": "dayofyear doy dy yearday", "day": "day days d",
        "hour": "hour hours h hr hrs", "minute": "minute minutes m min mins", "second": "second seconds s sec secs",
        "millisecond": "millisecond ms msec msecs msecond mseconds millisec millisecs millisecon milliseconds",
        "microsecond": "microsecond microsec microsecs microsecond usecond useconds us usec usecs microseconds",
        "timezone": "timezone", "timezone_hour": "timezone_hour", "timezone_minute": "timezone_minute",
    }.items()
    for alias in aliases.split()
}  # fmt: skip
_INTERVALS = {
    "millennium": ("to_years", 1000), "century": ("to_years", 100), "decade": ("to_years", 10), "year": ("to_years", 1),
    "quarter": ("to_months", 3), "month": ("to_months", 1), "week": ("to_days", 7), "day": ("to_days", 1), "dayofweek": ("to_days", 1),
    "dayofyear": ("to_days", 1), "hour": ("to_hours", 1), "minute": ("to_minutes", 1), "second": ("to_seconds", 1),
    "millisecond": ("to_milliseconds", 1), "microsecond": ("to_microseconds", 1),
}  # fmt: skip
_TRUNCATIONS = frozenset(
    {"millennium", "century", "decade", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"}
)
_EXTRACTS = {
    "millennium": "millennium", "century": "century", "decade": "decade", "epoch": "epoch", "year": "year", "quarter": "quarter",
    "month": "month", "week": "week", "dayofweek": "dow", "dayofyear": "doy", "day": "day", "hour": "hour", "minute": "minute",
    "second": "second", "millisecond": "millisecond", "microsecond": "microsecond", "timezone": "timezone",
    "timezone_hour": "timezone_hour", "timezone_minute": "timezone_minute",
}  # fmt: skip


def date_part_of(binder: Binder, node: exp.Expr) -> str:
    """Return the date part that a word or a string literal means; raises InvalidSql (22023) for any other."""
    word = ""
    is_text = isinstance(node, exp.Literal) and node.is_string
    if is_text or isinstance(node, exp.Var) or (isinstance(node, exp.Column) and len(node.parts) == 1):
        word = node.name
    part = PARTS.get(word.lower())
    if part is None:
        hint = "Use a date part such as year, month, day, hour, minute or second."
        raise binder.invalid(node, f'date part "{word}" is not known', sqlstate="22023", hint=hint)
    return part


def _instant(call: Call, value: Value) -> Value:
    if value.type.kind in INSTANTS | {Kind.TIME, Kind.TIMETZ, Kind.INTERVAL}:
        return value
    if value.type.kind is Kind.UNKNOWN:
        return coerce(call.binder, value, TIMESTAMP, call.node)
    if value.type.kind in STRINGS:
        return explicit_cast(call.binder, value, TIMESTAMP, call.node)
    hint = "A date or a timestamp is expected; cast the argument."
    raise call.error(f"function {call.name} does not take {value.type.kind.value}", hint=hint)


def _dateadd(call: Call) -> Value:
    part = call.part
    count, value = call.values[0], _instant(call, call.values[1])
    if part not in _INTERVALS:
        raise call.error(f'date part "{part}" cannot be added', sqlstate="22023")
    count = coerce(call.binder, count, BIGINT, call.node) if count.type.kind not in NUMBERS else count
    amount = count.sql if count.type.kind is not Kind.DECIMAL else f"CAST(trunc({count.sql}) AS BIGINT)"
    unit, factor = _INTERVALS[part]
    if factor != 1:
        amount = f"({amount} * {factor})"
    if unit in {"to_years", "to_months", "to_days"}:
        amount = f"CAST({amount} AS INTEGER)"
    elif unit != "to_milliseconds" and unit != "to_seconds":
        amount = f"CAST({amount} AS BIGINT)"
    if value.type.kind in {Kind.TIME, Kind.TIMETZ}:
        return Value(f"({value.sql} + {unit}({amount}))", value.type)
    kind = TIMESTAMPTZ if value.type.kind is Kind.TIMESTAMPTZ else TIMESTAMP
    base = f"CAST({value.sql} AS TIMESTAMP)" if value.type.kind is Kind.DATE else value.sql
    if part == "year":
        # "DATEADD function": a year after 29 February is 1 March, twelve months after it 28 February.
        return Value(f"nearshift_sql.add_years({base}, {amount})", kind)
    return Value(f"({base} + {unit}({amount}))", kind)


def _datediff(call: Call) -> Value:
    part = call.part
    first, second = _instant(call, call.values[0]), _instant(call, call.values[1])
    if part in {"timezone", "timezone_hour", "timezone_minute", "epoch"}:
        raise call.error(f'date part "{part}" cannot be counted', sqlstate="22023")
    unit = {"dayofweek": "day", "dayofyear": "day"}.get(part, part)
    kinds = {first.type.kind, second.type.kind}
    if kinds <= {Kind.TIME, Kind.TIMETZ}:
        return Value(f"date_diff('{unit}', CAST({first.sql} AS TIME), CAST({second.sql} AS TIME))", BIGINT)
    one, two = (f"CAST({value.sql} AS TIMESTAMP)" if value.type != TIMESTAMP else value.sql for value in (first, second))
    if unit == "week":
        # Redshift counts weeks from Sunday to Sunday in DATEDIFF ("DATEDIFF function": week boundaries); DuckDB's begin on Monday.
        weeks = (f"CAST(floor((CAST({value} AS DATE) - DATE '1970-01-04') / 7.0::DOUBLE) AS BIGINT)" for value in (two, one))
        return Value(f"({' - '.join(weeks)})", BIGINT)
    return Value(f"date_diff('{unit}', {one}, {two})", BIGINT)


def _date_trunc(call: Call) -> Value:
    part = call.part
    value = _instant(call, call.values[0])
    if part not in _TRUNCATIONS:
        raise call.error(f'date part "{part}" cannot be truncated to', sqlstate="22023")
    if value.type.kind in {Kind.TIME, Kind.TIMETZ}:
        raise call.error("DATE_TRUNC does not take a time of day")
    kind = TIMESTAMPTZ if value.type.kind is Kind.TIMESTAMPTZ else TIMESTAMP
    sql = value.sql if kind == TIMESTAMPTZ else f"CAST({value.sql} AS TIMESTAMP)"
    if part in {"century", "millennium"}:
        # They begin with the years 1901 and 2001; DuckDB's begin a year before.
        years = 100 if part == "century" else 1000
        return Value(f"(date_trunc('year', {sql}) - to_years(CAST((date_part('year', {sql}) - 1) % {years} AS INTEGER)))", kind)
    return Value(f"date_trunc('{part}', {sql})", kind)


def _interval_cmp(call: Call) -> Value:
    one, two = (value if value.type.kind is Kind.INTERVAL else coerce(call.binder, value, INTERVAL, call.node) for value in call.values)
    return _date_cmp(replace(call, values=[one, two]))


def _part_sql(call: Call, part: str, value: Value) -> str:
    name = _EXTRACTS[part]
    sql = value.sql
    if part in {"timezone", "timezone_hour", "timezone_minute"}:
        if value.type.kind is not Kind.TIMESTAMPTZ:
            raise call.error(f'date part "{part}" needs a timestamp with time zone', sqlstate="22023")
        return f"date_part('{name}', {sql})"
    if part == "decade":
        # The first decade has nine years ("Date parts": 1999 is in decade 200).
        return f"(CAST(floor(date_part('year', {sql}) / 10) AS BIGINT) + 1)"
    if part == "second":
        return f"(date_part('microsecond', {sql}) / 1000000.0::DOUBLE)"
    if part == "millisecond":
        return f"(date_part('microsecond', {sql}) // 1000 % 1000)"
    if part == "microsecond":
        return f"(date_part('microsecond', {sql}) % 1000000)"
    if part == "epoch" and value.type.kind is Kind.DATE:
        return f"epoch(CAST({sql} AS TIMESTAMP))"
    return f"date_part('{name}', {sql})"


def _date_part(call: Call) -> Value:
    value = _instant(call, call.values[0])
    return Value(f"CAST({_part_sql(call, call.part, value)} AS DOUBLE)", DOUBLE)


def _extract(call: Call) -> Value:
    part = call.part
    value = _instant(call, call.values[0])
    sql = _part_sql(call, call.part, value)
    if part == "epoch":
        return Value(f"CAST(floor({sql}) AS BIGINT)", BIGINT)
    return Value(f"CAST(floor({sql}) AS INTEGER)", INTEGER)


def _add_months(call: Call) -> Value:
    value, months = call.values
    return Value(f"nearshift_sql.add_months(CAST({value.sql} AS TIMESTAMP), CAST({months.sql} AS INTEGER))", TIMESTAMP)


def _convert_timezone(call: Call) -> Value:
    values = call.values
    target, value = _zone(call, values[-2]), values[-1]
    source = _zone(call, values[0]) if len(values) == 3 else "'UTC'"
    if value.type.kind is Kind.TIMESTAMPTZ and len(values) == 2:
        return Value(f"nearshift_sql.at_zone({target}, {value.sql})", TIMESTAMP)
    instant = coerce(call.binder, value, TIMESTAMP, call.node)
    return Value(f"nearshift_sql.at_zone({target}, nearshift_sql.of_zone({source}, {instant.sql}))", TIMESTAMP)


def _zone(call: Call, value: Value) -> str:
    """Return a zone's text: a name, or UTC±HH:MM for an abbreviation or the POSIX form `any+2`, whose sign is west of Greenwich."""
    if value.literal is None and not value.sql.startswith("'"):
        return f"nearshift_zone({coerce(call.binder, value, VARCHAR, call.node).sql})"
    text = value.literal if value.literal is not None else value.sql[1:-1].replace("''", "'")
    try:
        return quote_literal(zone_name(text))
    except ValueError as error:
        message = f'time zone "{text}" not recognized'
        raise call.error(message, sqlstate="22023", hint="Use a name such as America/New_York.") from error


def _timezone(call: Call) -> Value:
    zone, value = call.values
    value = _instant(call, value)
    if value.type.kind is Kind.TIMESTAMPTZ:
        return Value(f"nearshift_sql.at_zone({_zone(call, zone)}, {value.sql})", TIMESTAMP)
    return Value(f"nearshift_sql.of_zone({_zone(call, zone)}, CAST({value.sql} AS TIMESTAMP))", TIMESTAMPTZ)


def _pattern(call: Call, index: int) -> str:
    value = call.values[index]
    if value.literal is None and not value.sql.startswith("'"):
        raise call.binder.unsupported(call.node, f"the format of {call.name.upper()} must be a literal")
    return value.literal if value.literal is not None else value.sql[1:-1].replace("''", "'")


def _to_char(call: Call) -> Value:
    value, form = call.values[0], _pattern(call, 1)
    if value.type.kind in NUMBERS:
        return Value(number_format(call, value, form), VARCHAR)
    instant = _instant(call, value)
    sql = instant.sql if instant.type.kind is not Kind.DATE else f"CAST({instant.sql} AS TIMESTAMP)"
    return Value(date_format(call, sql, form, has_zone=instant.type.kind is Kind.TIMESTAMPTZ), VARCHAR)


def _parsed(call: Call) -> str:
    """Read a text by a format; DuckDB reads the common formats of numbers alike, and what it does not take is read by Redshift's rules."""
    form, text = _pattern(call, 1), call.values[0].sql
    check_words(call, form)
    strict = f"CAST({call.values[2].sql} AS INTEGER)" if len(call.values) > 2 else "0"
    slow = f"nearshift_parsed_timestamp({text}, {quote_literal(form)}, {strict})"
    plain = plain_format(form)
    return slow if plain is None else f"coalesce(try_strptime({text}, {quote_literal(plain)}), {slow})"


def _to_date(call: Call) -> Value:
    return Value(f"CAST({_parsed(call)} AS DATE)", DATE)


def _to_timestamp(call: Call) -> Value:
    return Value(f"CAST({_parsed(call)} AS TIMESTAMPTZ)", TIMESTAMPTZ)


def _date_cmp(call: Call) -> Value:
    """Lower DATE_CMP and its like; where one side has a time zone, the other is an instant of the session's."""
    one, two = call.values
    first, second = one.sql, two.sql
    return Value(f"CASE WHEN {first} < {second} THEN -1 WHEN {first} > {second} THEN 1 WHEN {first} = {second} THEN 0 END", INTEGER)


FUNCTIONS = (
    Function("dateadd", "prr", TIMESTAMP, _dateadd, "r_DATEADD_function.html"),
    Function("date_add", "prr", TIMESTAMP, _dateadd, "r_DATEADD_function.html"),
    Function("datediff", "prr", BIGINT, _datediff, "r_DATEDIFF_function.html"),
    Function("date_diff", "prr", BIGINT, _datediff, "r_DATEDIFF_function.html"),
    Function("date_trunc", "pr", TIMESTAMP, _date_trunc, "r_DATE_TRUNC.html"),
    Function("date_part", "pr", DOUBLE, _date_part, "r_DATE_PART_function.html"),
    Function("extract", "pr", INTEGER, _extract, "r_EXTRACT_function.html"),
    Function("add_months", "di", TIMESTAMP, _add_months, "r_ADD_MONTHS.html"),
    Function("last_day", "d", DATE, "last_day({0})", "r_LAST_DAY.html"),
    Function("next_day", "ds", DATE, "nearshift_sql.next_day(CAST({0} AS DATE), {1})", "r_NEXT_DAY.html"),
    Function(
        "months_between", "dd", DOUBLE, "nearshift_sql.months_between(CAST({0} AS TIMESTAMP), CAST({1} AS TIMESTAMP))",
        "r_MONTHS_BETWEEN_function.html",
    ),
    Function("convert_timezone", "s*?*", TIMESTAMP, _convert_timezone, "CONVERT_TIMEZONE.html"),
    Function("timezone", "s*", TIMESTAMP, _timezone, "r_TIMEZONE.html"),
    Function("to_char", "**", VARCHAR, _to_char, "r_TO_CHAR.html"),
    Function("to_date", "ss?b", DATE, _to_date, "r_TO_DATE_function.html"),
    Function("to_timestamp", "ss?b", TIMESTAMPTZ, _to_timestamp, "r_TO_TIMESTAMP.html"),
    Function("date_cmp", "dd", INTEGER, _date_cmp, "r_DATE_CMP.html"),
    Function("timestamp_cmp", "dd", INTEGER, _date_cmp, "r_TIMESTAMP_CMP.html"),
    Function("timestamp_cmp_date", "dd", INTEGER, _date_cmp, "r_TIMESTAMP_CMP_DATE.html"),
    Function("date_cmp_timestamp", "dd", INTEGER, _date_cmp, "r_DATE_CMP_TIMESTAMP.html"),
    Function("timestamptz_cmp", "dd", INTEGER, _date_cmp, "r_TIMESTAMPTZ_CMP.html"),
    Function("date_cmp_timestamptz", "dd", INTEGER, _date_cmp, "r_DATE_CMP_TIMESTAMPTZ.html"),
    Function("timestamp_cmp_timestamptz", "dd", INTEGER, _date_cmp, "r_TIMESTAMP_CMP_TIMESTAMPTZ.html"),
    Function("timestamptz_cmp_date", "dd", INTEGER, _date_cmp, "r_TIMESTAMPTZ_CMP_DATE.html"),
    Function("timestamptz_cmp_timestamp", "dd", INTEGER, _date_cmp, "r_TIMESTAMPTZ_CMP_TIMESTAMP.html"),
    Function("interval_cmp", "rr", INTEGER, _interval_cmp, "r_INTERVAL_CMP.html"),
    Function("date_part_year", "d", INTEGER, "CAST(date_part('year', {0}) AS INTEGER)", "r_DATE_PART_YEAR.html"),
)  # fmt: skip
_POSTGRES = "is not a function of Redshift"
REFUSALS = (
    Refusal("isfinite", "is deprecated in Redshift"), Refusal("justify_days", _POSTGRES), Refusal("justify_hours", _POSTGRES),
    Refusal("justify_interval", _POSTGRES), Refusal("transaction_timestamp", _POSTGRES, "Use SYSDATE."),
    Refusal("statement_timestamp", _POSTGRES, "Use GETDATE()."), Refusal("make_date", _POSTGRES, "Use TO_DATE."),
    Refusal("date_bin", _POSTGRES, "Use DATE_TRUNC."), Refusal("to_ascii", "is deprecated in Redshift"),
    Refusal("pg_timezone_names", "lists what the leader node knows", "Use the names of the IANA time zone database."),
    Refusal("pg_timezone_abbrevs", "lists what the leader node knows", "Use the names of the IANA time zone database."),
)  # fmt: skip
