"""From a file's fields to a column's values, as one DuckDB query that never fails on a value.

Two steps per column: the text after the rules about NULL and blanks (`t0`, `t1`, …), and the value (`v0`, …), NULL where the text does
not fit the type. A row is good when every text that is there has a value and no NOT NULL column is NULL. The conversions are those of
explicit casts (`sql.bind_casts`), so that COPY and INSERT agree.
Source pages: "Data conversion parameters", "Data load operations".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nearshift.sql.names import quote, quote_literal
from nearshift.transfer.batches import LoadColumn
from nearshift.transfer.dateformats import AUTO_DATES, AUTO_TIMES, strptime_format
from nearshift.types import INTEGERS, STRINGS, Kind

SOURCE: Final = "nearshift$copy"
_INSTANTS: Final = frozenset({Kind.TIMESTAMP, Kind.TIMESTAMPTZ})


@dataclass(frozen=True, slots=True)
class ValueRules:
    """What COPY's options say of values; see "Data conversion parameters"."""

    null_as: str | None = "\\N"
    is_empty_null: bool = False
    is_blank_null: bool = False
    trims_blanks: bool = False
    truncates: bool = False
    rounds: bool = False
    accepts_any_date: bool = False
    date_format: str | None = None
    time_format: str | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """The queries over one batch, registered as SOURCE with columns `c0`, `c1`, … and, for `failures`, the row's index `n`."""

    insert: str
    count: str
    failures: str


def text_conversion(columns: Sequence[LoadColumn], storage: str, rules: ValueRules) -> Conversion:
    """Return the queries for a batch of text."""
    texts = [_text(f"c{index}", column, rules) for index, column in enumerate(columns)]
    values = [_value(f"t{index}", column, rules) for index, column in enumerate(columns)]
    lenient = [rules.accepts_any_date and column.type.kind in {Kind.DATE, *_INSTANTS} for column in columns]
    return conversion(columns, storage, texts, values, lenient)


def conversion(
    columns: Sequence[LoadColumn], storage: str, texts: Sequence[str], values: Sequence[str], lenient: Sequence[bool]
) -> Conversion:
    """Return the queries, given DuckDB expressions: `texts` over `c0`… and `values` over `t0`…; a lenient column may turn into NULL."""
    places = range(len(columns))
    good = " AND ".join(_good(index, column, is_lenient=lenient[index]) for index, column in enumerate(columns)) or "TRUE"
    prepared = ", ".join(f"{texts[index]} AS t{index}" for index in places)
    made = ", ".join(f"t{index}, {values[index]} AS v{index}" for index in places)
    names = ", ".join(quote(column.name) for column in columns)
    chosen = ", ".join(f"v{index}" for index in places)
    shown = ", ".join(f"t{index}, v{index} IS NULL" for index in places)

    def rows(more: str) -> str:
        # Materialized, since the filter would else compute every value a second time.
        inner = f"SELECT {more}{prepared} FROM {quote(SOURCE)}"  # noqa: S608 - names of ours
        return f"WITH q AS MATERIALIZED (SELECT {more}{made} FROM ({inner}) AS p)"  # noqa: S608 - names of ours

    return Conversion(
        f"INSERT INTO {storage} ({names}) {rows('')} SELECT {chosen} FROM q WHERE {good}",  # noqa: S608 - quoted names and literals
        f"{rows('')} SELECT count(*) FROM q WHERE {good}",  # noqa: S608
        f"{rows('n, ')} SELECT n, {shown} FROM q WHERE NOT ({good}) ORDER BY n LIMIT $1",  # noqa: S608
    )


def _good(index: int, column: LoadColumn, *, is_lenient: bool) -> str:
    if not column.is_nullable:
        return f"v{index} IS NOT NULL"
    return "TRUE" if is_lenient else f"(t{index} IS NULL OR v{index} IS NOT NULL)"


def _text(name: str, column: LoadColumn, rules: ValueRules) -> str:
    """Return the field after the rules about NULL: blank fields are NULL for all types but strings."""
    empty = []
    sql = name
    if column.type.kind in STRINGS:
        if rules.trims_blanks and column.type.kind is Kind.VARCHAR:
            sql = f"rtrim({name}, ' ')"
        if rules.is_blank_null:
            empty.append(f"trim({name}, ' \t') = ''")
        elif rules.is_empty_null:
            empty.append(f"{sql} = ''")
    else:
        empty.append(f"trim({name}) = ''")
    if column.type.kind is Kind.SUPER:
        empty.append(f"trim({name}) = 'null'")  # as UNLOAD writes it
    if rules.null_as is not None:
        empty.append(f"{name} = {quote_literal(rules.null_as)}")
    return f"CASE WHEN {' OR '.join(empty)} THEN NULL ELSE {sql} END" if empty else sql


def _value(name: str, column: LoadColumn, rules: ValueRules) -> str:
    """Return the value of a text, NULL when it does not fit."""
    kind, target = column.type.kind, column.type.duckdb
    if kind in STRINGS:
        return _string(name, column, rules)
    if kind in INTEGERS:
        return f"CASE WHEN regexp_full_match({name}, '\\s*[+-]?[0-9]+\\s*') THEN TRY_CAST({name} AS {target}) END"
    if kind is Kind.DECIMAL:
        cut = name if rules.rounds else _cut_scale(name, column.type.scale or 0)
        return f"TRY_CAST({cut} AS {target})"
    if kind is Kind.SUPER:
        return f"nearshift_sql.json_parse_lax({name})"
    if kind is Kind.VARBYTE:
        fits = f" AND strlen({name}) <= {2 * column.type.length}" if column.type.length else ""
        return f"CASE WHEN regexp_full_match({name}, '([0-9A-Fa-f]{{2}})*'){fits} THEN unhex({name}) END"
    if kind is Kind.DATE:
        return _instant(name, "DATE", rules.date_format, AUTO_DATES)
    if kind in _INSTANTS:
        return _instant(name, target, rules.time_format, AUTO_TIMES)
    if kind in {Kind.TIME, Kind.TIMETZ} and rules.time_format not in {None, "auto", "epochsecs", "epochmillisecs"}:
        return _instant(name, target, rules.time_format, ())
    return f"TRY_CAST({name} AS {target})"


def _string(name: str, column: LoadColumn, rules: ValueRules) -> str:
    length = column.type.length
    text = f"rtrim({name}, ' ')" if column.type.kind is Kind.CHAR else name
    tests = []
    if length is not None:
        if rules.truncates:
            text = f"nearshift_sql.cut_text({text}, {length})"
        else:
            tests.append(f"strlen({text}) <= {length}")
    if column.type.kind is Kind.CHAR:
        tests.append(f"strlen({name}) = length({name})")
    return f"CASE WHEN {' AND '.join(tests)} THEN {text} END" if tests else text


def _cut_scale(name: str, scale: int) -> str:
    """Digits behind the scale are cut off, where ROUNDEC would round ("ROUNDEC")."""
    return f"regexp_replace({name}, '^(\\s*[+-]?[0-9]*\\.[0-9]{{{scale}}})[0-9]+\\s*$', '\\1')"


def _instant(name: str, target: str, wanted: str | None, recognised: Sequence[str]) -> str:
    if wanted == "epochsecs":
        return f"CAST(make_timestamp(CAST(TRY_CAST({name} AS DECIMAL(38, 6)) * 1000000 AS BIGINT)) AS {target})"
    if wanted == "epochmillisecs":
        return f"CAST(make_timestamp(CAST(TRY_CAST({name} AS DECIMAL(38, 6)) * 1000 AS BIGINT)) AS {target})"
    if wanted == "auto":
        formats = ", ".join(quote_literal(one) for one in recognised)
        return f"coalesce(TRY_CAST({name} AS {target}), CAST(try_strptime(trim({name}), [{formats}]) AS {target}))"
    if wanted is not None:
        return f"CAST(try_strptime(trim({name}), {quote_literal(strptime_format(wanted))}) AS {target})"
    return f"TRY_CAST({name} AS {target})"
