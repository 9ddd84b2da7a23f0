"""Casts: explicit ones, those that a comparison or a branch implies, and those of an assignment to a column.

Every conversion from string or SUPER goes through a macro of ours, so that an error reads as Redshift's and carries its SQLSTATE.
Source pages: "Type compatibility and conversion", "CAST function", "Querying semi-structured data" (lax and strict casts).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sqlglot import exp

from nearshift.errors import DataError, InvalidSql
from nearshift.sql.bind import Binder
from nearshift.sql.bind_objects import OBJECT_KINDS, object_cast
from nearshift.sql.bind_values import NO_LABEL, Value
from nearshift.sql.intervals import read_interval
from nearshift.sql.names import quote_literal
from nearshift.sql.native_dates import NotADate, read_text
from nearshift.sql.relations import Column, ParameterSource
from nearshift.sql.scope import Scope
from nearshift.types import INTEGERS, NUMBERS, OID, STRINGS, UNKNOWN, VARCHAR, Kind, SqlType, parse_type, varchar

_INSTANTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
_TIMES = frozenset({Kind.TIME, Kind.TIMETZ})
_FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
_INTEGER_TEXT = re.compile(r"\s*[+-]?\d+\s*\Z")
_NUMBER_TEXT = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*\Z")
_TRUE_WORDS = frozenset({"t", "true", "y", "yes", "1"})
_FALSE_WORDS = frozenset({"f", "false", "n", "no", "0"})
_TYPE_WORDS = {
    "INT": "integer", "SMALLINT": "smallint", "BIGINT": "bigint", "DECIMAL": "decimal", "DOUBLE": "double precision", "FLOAT": "real",
    "VARCHAR": "varchar", "NVARCHAR": "nvarchar", "TEXT": "text", "CHAR": "char", "NCHAR": "nchar", "BPCHAR": "bpchar", "NAME": "name",
    "BOOLEAN": "boolean", "DATE": "date", "DATETIME": "timestamp", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamptz",
    "TIMESTAMPNTZ": "timestamp", "TIME": "time", "TIMETZ": "timetz", "SUPER": "super", "VARBINARY": "varbyte", "HLLSKETCH": "hllsketch",
    "GEOMETRY": "geometry", "GEOGRAPHY": "geography",
}  # fmt: skip
# What a plain DuckDB cast does as Redshift does, by (from, to); strings and SUPER have paths of their own.
_INTEGER_NAMES = {Kind.SMALLINT: "smallint", Kind.INTEGER: "integer", Kind.BIGINT: "bigint"}


def type_of_node(binder: Binder, node: exp.Expr) -> SqlType:
    """Return the Redshift type that a type in a cast means; raises InvalidSql (42704) for a type that Redshift does not have."""
    kind = node.this
    if isinstance(kind, exp.Interval):
        return SqlType(Kind.INTERVAL)
    if isinstance(node, exp.ObjectIdentifier) and kind == "OID":
        return OID
    if isinstance(node.args.get("kind"), exp.Identifier) and node.args["kind"].name == "char":
        return SqlType(Kind.CHAR, length=1)  # PostgreSQL's one-byte type, which Redshift has in its catalog only
    word = _TYPE_WORDS.get(getattr(kind, "name", str(kind)))
    if word is None or (isinstance(node, exp.DataType) and node.args.get("nested")):
        raise binder.invalid(node.parent or node, f'type "{node.sql(dialect="redshift").lower()}" does not exist', sqlstate="42704")
    arguments = [one.name.lower() for one in node.expressions]
    text = f"{word}({', '.join(arguments)})" if arguments else word
    try:
        return parse_type(text)
    except InvalidSql as error:
        error.span = error.span or binder.invalid(node.parent or node, "").span
        raise


def cast_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind CAST(x AS t), x::t, CONVERT(t, x) and TRY_CAST(x AS t)."""
    value = binder.value(node.this, scope)
    to = node.args["to"]
    if isinstance(to, exp.ObjectIdentifier) and to.this in OBJECT_KINDS:
        return replace(object_cast(binder, value, str(to.this), node), span=None)
    target = type_of_node(binder, to)
    label = value.label
    if label == NO_LABEL:
        label = _CAST_LABELS.get(target.kind, target.kind.value)
    is_try = isinstance(node, exp.TryCast)
    result = explicit_cast(binder, value, target, node, is_try=is_try)
    return replace(result, label=label, span=None)


def explicit_cast(binder: Binder, value: Value, target: SqlType, node: exp.Expr, *, is_try: bool = False) -> Value:
    """Return `value` as `target`, as an explicit cast does it: too long strings are cut, SUPER that does not fit gives NULL."""
    if value.parameter is not None:
        value = binder.type_parameter(value, target)
    if value.is_null:
        return Value(f"CAST(NULL AS {target.duckdb})", target, value.label)
    if value.literal is not None:
        checked = _literal_cast(binder, value, target, node, is_try=is_try)
        if checked is not None:
            return checked
        value = replace(value, type=varchar(max(len(value.literal.encode()), 1)))
    if value.type.kind is Kind.SUPER:
        return _from_super(binder, value, target, node)
    sql = _scalar_cast(binder, value, target, node, is_try=is_try)
    return Value(_cut(sql, value.type, target), target, value.label)


def _cut(sql: str, source: SqlType, target: SqlType) -> str:
    """Shorten to the bytes of an explicit varchar(n) or char(n) unless the source cannot be longer."""
    if target.kind not in STRINGS or target.length is None:
        return sql
    longest = source.length if source.kind in STRINGS else _TEXT_WIDTHS.get(source.kind)
    if longest is None or longest > target.length:
        sql = f"nearshift_sql.cut_text({sql}, {target.length})"
    return f"rtrim({sql}, ' ')" if target.kind is Kind.CHAR and source.kind is not Kind.CHAR else sql


# PostgreSQL's internal names, which label a cast of something without a label.
_CAST_LABELS = {
    Kind.SMALLINT: "int2", Kind.INTEGER: "int4", Kind.BIGINT: "int8", Kind.REAL: "float4", Kind.DOUBLE: "float8", Kind.VARCHAR: "varchar",
    Kind.CHAR: "bpchar", Kind.BOOLEAN: "bool", Kind.TIMESTAMP: "timestamp", Kind.TIMESTAMPTZ: "timestamptz", Kind.TIME: "time",
    Kind.TIMETZ: "timetz", Kind.VARBYTE: "varbyte",
}  # fmt: skip
_TEXT_WIDTHS = {
    Kind.BOOLEAN: 5, Kind.SMALLINT: 6, Kind.INTEGER: 11, Kind.BIGINT: 20, Kind.DECIMAL: 40, Kind.REAL: 24, Kind.DOUBLE: 24,
    Kind.DATE: 13, Kind.TIME: 15, Kind.TIMETZ: 21, Kind.TIMESTAMP: 29, Kind.TIMESTAMPTZ: 35, Kind.OID: 20,
}  # fmt: skip


def _literal_cast(binder: Binder, value: Value, target: SqlType, node: exp.Expr, *, is_try: bool) -> Value | None:
    """Check a string literal against its type now, so that the error has a place in the text; None leaves it to the run."""
    text = value.literal or ""
    if target.kind in INTEGERS:
        if _INTEGER_TEXT.match(text):
            return Value(f"CAST({quote_literal(text.strip())} AS {target.duckdb})", target, value.label)
    elif target.kind is Kind.DECIMAL or target.kind in _FLOATS:
        if _NUMBER_TEXT.match(text) or (target.kind in _FLOATS and text.strip().lower() in {"nan", "infinity", "-infinity"}):
            return Value(f"CAST({quote_literal(text.strip())} AS {target.duckdb})", target, value.label)
    elif target.kind is Kind.BOOLEAN:
        word = text.strip().lower()
        if word in _TRUE_WORDS | _FALSE_WORDS:
            return Value("TRUE" if word in _TRUE_WORDS else "FALSE", target, value.label)
    elif target.kind in _DATED:
        return _dated_literal(binder, value, target, node, is_try=is_try)
    else:
        return None
    if is_try:
        return Value(f"CAST(NULL AS {target.duckdb})", target, value.label)
    name = _INTEGER_NAMES.get(target.kind, target.kind.value)
    name = "integer" if target.kind in INTEGERS else name
    raise DataError(f'invalid input syntax for {name}: "{text}"', sqlstate="22P02", span=value.span or binder.invalid(node, "").span)


_DATED = {
    Kind.DATE: "date", Kind.TIME: "time", Kind.TIMETZ: "timetz", Kind.TIMESTAMP: "timestamp", Kind.TIMESTAMPTZ: "timestamptz",
    Kind.INTERVAL: "interval",
}  # fmt: skip
_WIDTHS = {Kind.SMALLINT: 2, Kind.INTEGER: 4, Kind.BIGINT: 8}
_MOMENTS = {"now": 0, "today": 0, "tomorrow": 1, "yesterday": -1}
_BEFORE_CHRIST = re.compile(r"\s*\(?BC\)?\s*\Z", re.I)
_WIDE_YEAR = re.compile(r"\s*(\d{5,6})-\d")


def _dated_literal(binder: Binder, value: Value, target: SqlType, node: exp.Expr, *, is_try: bool) -> Value:
    """Read a date, time or interval literal now, in all the forms of "Date, time, and timestamp literals"."""
    text, kind = value.literal or "", _DATED[target.kind]
    word = text.strip().lower()
    if word in _MOMENTS and target.kind in _INSTANTS:
        return _moment(binder, word, target, value)
    if word == "epoch" and target.kind in _INSTANTS:
        return Value(f"CAST('1970-01-01 00:00:00+00' AS {target.duckdb})", target, value.label)
    wide = _WIDE_YEAR.match(text)
    try:
        if kind == "interval":
            return Value(read_interval(text).duckdb, target, value.label)
        if _BEFORE_CHRIST.search(text) or (wide is not None and int(wide[1]) <= _YEAR_MAX):
            return Value(f"CAST({quote_literal(_BEFORE_CHRIST.sub(' (BC)', text))} AS {target.duckdb})", target, value.label)
        return Value(f"CAST({quote_literal(read_text(text, kind))} AS {target.duckdb})", target, value.label)
    except ValueError as error:
        if is_try:
            return Value(f"CAST(NULL AS {target.duckdb})", target, value.label)
        span = value.span or binder.invalid(node, "").span
        if isinstance(error, NotADate) and error.is_range:
            raise DataError(f'date/time field value out of range: "{text}"', sqlstate="22008", span=span) from error
        raise DataError(f'invalid input syntax for type {target.kind.value}: "{text}"', sqlstate="22007", span=span) from error


_YEAR_MAX = 294_276


def _moment(binder: Binder, word: str, target: SqlType, value: Value) -> Value:
    """Return 'now', 'today', 'tomorrow' and 'yesterday', which mean another time in each statement."""
    binder.facts.mutable.add(word)
    if word != "now":
        today = binder.parameter(ParameterSource.SESSION, "current_date", SqlType(Kind.DATE))
        return Value(f"CAST(({today} + {_MOMENTS[word]}) AS {target.duckdb})", target, value.label)
    if target.kind is Kind.TIMESTAMPTZ:
        return Value(binder.parameter(ParameterSource.SESSION, "transaction_timestamptz", target), target, value.label)
    now = binder.parameter(ParameterSource.SESSION, "transaction_timestamp", SqlType(Kind.TIMESTAMP))
    return Value(f"CAST({now} AS {target.duckdb})", target, value.label)


def _from_super(binder: Binder, value: Value, target: SqlType, node: exp.Expr) -> Value:
    """Return a scalar taken out of SUPER ("Querying semi-structured data": lax casts give NULL, strict ones raise)."""
    if target.kind is Kind.SUPER:
        return replace(value, type=target)
    if target.kind in {Kind.VARBYTE, Kind.INTERVAL, Kind.OID, Kind.REFCURSOR}:
        raise cannot_cast(binder, value.type, target, node)
    is_lax = binder.setting("cast_super_null_on_error", "on")
    home = value.keeper if is_lax else None
    inner = home.inner if home is not None else value.sql
    text = f"nearshift_sql.super_text({inner})"
    if target.kind in STRINGS:
        sql = f"nearshift_sql.super_varchar({inner}, {target.length})" if target.length is not None else text
        sql = f"rtrim({sql}, ' ')" if target.kind is Kind.CHAR else sql
    elif target.kind is Kind.BOOLEAN:
        sql = f"nearshift_sql.super_boolean({inner})"
    else:
        sql = f"TRY_CAST({text} AS {target.duckdb})"
    if home is not None:
        sql = home.keep(sql, binder.fresh)
    if not is_lax:
        name = quote_literal(str(target))
        sql = f"nearshift_sql.strict_cast({value.sql}, {sql}, {name})"
    return Value(sql, target, value.label)


def _scalar_cast(binder: Binder, value: Value, target: SqlType, node: exp.Expr, *, is_try: bool) -> str:
    source, sql = value.type, value.sql
    if source == target:
        return sql
    if not _is_castable(source.kind, target.kind):
        raise cannot_cast(binder, source, target, node)
    if target.kind is Kind.SUPER:
        return _to_super(binder, value, node)
    if target.kind in STRINGS:
        return f"nearshift_sql.utf8({sql})" if source.kind is Kind.VARBYTE else text_of(value)
    if target.kind is Kind.VARBYTE and source.kind is not Kind.VARBYTE:
        return _octets(sql, source)
    if source.kind in STRINGS:
        return _from_text(sql, target, is_try=is_try)
    if target.kind is Kind.VARBYTE:
        return sql
    if source.kind is Kind.TIMESTAMPTZ and target.kind is Kind.TIMETZ:
        return f"CAST(CAST(timezone('UTC', {sql}) AS TIME) AS TIMETZ)"
    if source.kind is Kind.TIMESTAMPTZ and target.kind is Kind.TIME:
        sql = f"CAST({sql} AS TIMESTAMP)"
    if target.kind in INTEGERS and source.kind in _FLOATS:
        sql = f"round_even({sql}, 0)"
    return f"{'TRY_CAST' if is_try else 'CAST'}({sql} AS {target.duckdb})"


def _octets(sql: str, source: SqlType) -> str:
    """Return a string or an integer as VARBYTE ("VARBYTE type": UTF-8, CHAR with its blanks, integers in the bytes of their type)."""
    if source.kind in INTEGERS:
        return f"unhex(right(lpad(hex(CAST({sql} AS BIGINT)), 16, '0'), {2 * _WIDTHS[source.kind]}))"
    if source.kind is Kind.CHAR and source.length is not None:
        return f"encode(rpad({sql}, {source.length}, ' '))"
    return f"encode({sql})"


def _from_text(sql: str, target: SqlType, *, is_try: bool) -> str:
    if target.kind in _DATED and target.kind is not Kind.INTERVAL:
        return f"nearshift_sql.{'try' if is_try else 'text'}_{_DATED[target.kind]}({sql})"
    if is_try:
        if target.kind in INTEGERS:
            return f"CASE WHEN regexp_full_match({sql}, '\\s*[+-]?[0-9]+\\s*') THEN TRY_CAST({sql} AS {target.duckdb}) END"
        return f"TRY_CAST({sql} AS {target.duckdb})"
    if target.kind in INTEGERS:
        return f"CAST(nearshift_sql.text_integer({sql}) AS {target.duckdb})"
    if target.kind is Kind.BOOLEAN:
        return f"nearshift_sql.text_boolean({sql})"
    if target.kind is Kind.DECIMAL or target.kind in _FLOATS:
        return f"CAST(nearshift_sql.text_number({sql}, {quote_literal(target.kind.value)}) AS {target.duckdb})"
    return f"CAST({sql} AS {target.duckdb})"


def _to_super(binder: Binder, value: Value, node: exp.Expr) -> str:
    kind = value.type.kind
    if kind in STRINGS or kind is Kind.BOOLEAN or kind in NUMBERS:
        return super_of(value)
    raise cannot_cast(binder, value.type, SqlType(Kind.SUPER), node)


def super_of(value: Value) -> str:
    """Return a boolean, number or string as JSON text."""
    if value.literal is not None or value.type.kind in STRINGS:
        return f"to_json({value.sql})"
    return f"CAST({text_of(value)} AS JSON)"


def text_of(value: Value) -> str:
    """Return a scalar as the text that Redshift shows."""
    kind = value.type.kind
    if value.literal is not None or kind in STRINGS:
        return value.sql
    if value.is_null:
        return "CAST(NULL AS VARCHAR)"
    if kind in _FLOATS:
        return f"nearshift_sql.float_text({value.sql})"
    if kind is Kind.DECIMAL and value.type.precision == value.type.scale:
        return f"nearshift_sql.decimal_text({value.sql})"  # DuckDB shows no zero before the point of these
    if kind is Kind.VARBYTE:
        return f"lower(hex({value.sql}))"
    return f"CAST({value.sql} AS VARCHAR)"


def _is_castable(source: Kind, target: Kind) -> bool:
    if source is target or source is Kind.UNKNOWN:
        return True
    if target in STRINGS:
        return source is not Kind.INTERVAL
    if source in STRINGS:
        return target is not Kind.OID or target is Kind.OID
    if target is Kind.SUPER:
        return True
    if target is Kind.VARBYTE:
        return source in INTEGERS
    if source in NUMBERS and target in NUMBERS:
        return True
    if Kind.BOOLEAN in {source, target}:
        return (source in INTEGERS and target is Kind.BOOLEAN) or (source is Kind.BOOLEAN and target in INTEGERS)
    if source in _INSTANTS and target in _INSTANTS:
        return True
    if target in _TIMES:
        return source in _TIMES or source in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    return {source, target} <= INTEGERS | {Kind.OID}


def cannot_cast(binder: Binder, source: SqlType, target: SqlType, node: exp.Expr) -> InvalidSql:
    """Return `cannot cast type a to b` (42846)."""
    return binder.invalid(node, f"cannot cast type {source.kind.value} to {target.kind.value}", sqlstate="42846")


def coerce(binder: Binder, value: Value, target: SqlType, node: exp.Expr) -> Value:
    """Return `value` as `target` where an operator, a branch or a function's argument implies it."""
    if value.parameter is not None:
        value = binder.type_parameter(value, target)
    if target.kind is Kind.UNKNOWN:
        return settled(binder, value)
    if value.literal is not None and target.kind in STRINGS:
        return Value(value.sql, varchar(max(len(value.literal.encode()), 1)), value.label, value.span)
    if value.type == target or (value.type.kind is target.kind and target.kind in STRINGS):
        return value
    if value.type.kind is Kind.SUPER and target.kind in STRINGS:
        hint = "Cast it first: value::varchar."
        raise binder.invalid(node, "a SUPER value cannot stand where a string is expected", sqlstate="42804", hint=hint)
    return explicit_cast(binder, value, SqlType(target.kind) if target.kind in STRINGS else target, node)


def settled(binder: Binder, value: Value) -> Value:
    """Return a value whose type nobody else will decide: literals, NULLs and open parameters become VARCHAR."""
    if value.parameter is not None:
        return binder.type_parameter(value, VARCHAR)
    if value.literal is not None:
        return Value(value.sql, varchar(max(len(value.literal.encode()), 1)), value.label, value.span)
    if value.is_null or value.type.kind is Kind.UNKNOWN:
        return Value(f"CAST({value.sql} AS VARCHAR)", UNKNOWN, value.label, value.span, is_null=value.is_null)
    return value


def assign(binder: Binder, value: Value, column: Column, node: exp.Expr | None) -> str:
    """Return the text of a value stored into a column ("Type compatibility and conversion", assignments).

    Raises InvalidSql (42804) when there is no implicit conversion. At run time a string too long for the column raises 22001, unless only
    blanks are cut.
    """
    target = column.type
    place: Any = node if node is not None else exp.Null()
    if value.parameter is not None:
        value = binder.type_parameter(value, target)
    if value.is_null:
        return f"CAST(NULL AS {target.duckdb})"
    if target.kind in STRINGS:
        return _assigned_text(binder, value, column, place)
    if value.literal is not None:
        if target.kind is Kind.SUPER:
            return super_of(value)
        return explicit_cast(binder, value, target, place).sql
    source = value.type
    if source == target:
        return value.sql
    if source.kind is not Kind.SUPER and not _is_assignable(source.kind, target.kind):
        raise _not_assignable(binder, source, column, place)
    return explicit_cast(binder, value, target, place).sql


def _assigned_text(binder: Binder, value: Value, column: Column, place: exp.Expr) -> str:
    target, source = column.type, value.type
    if value.literal is not None:
        source = varchar(len(value.literal.encode()))
    if source.kind is Kind.SUPER:
        value = explicit_cast(binder, value, VARCHAR, place)
        source = VARCHAR
    elif source.kind in {Kind.VARBYTE, Kind.INTERVAL}:
        raise _not_assignable(binder, source, column, place)
    sql = text_of(value)
    longest = source.length if source.kind in STRINGS else _TEXT_WIDTHS.get(source.kind)
    if target.length is not None and (longest is None or longest > target.length):
        sql = f"nearshift_sql.fit_text({sql}, {target.length}, {quote_literal(str(target))})"
    if target.kind is Kind.CHAR and source.kind is not Kind.CHAR:
        return f"rtrim({sql}, ' ')"
    return sql


def _is_assignable(source: Kind, target: Kind) -> bool:
    if source is target or (source in STRINGS and target is not Kind.VARBYTE and target not in NUMBERS | {Kind.BOOLEAN}):
        return True
    if source in STRINGS:
        return False
    return _is_castable(source, target)


def _not_assignable(binder: Binder, source: SqlType, column: Column, node: exp.Expr) -> InvalidSql:
    message = f'column "{column.name}" is of type {column.type.kind.value} but expression is of type {source.kind.value}'
    hint = "You will need to rewrite or cast the expression."
    return binder.invalid(node, message, sqlstate="42804", hint=hint)
