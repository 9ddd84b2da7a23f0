"""Casts to PostgreSQL's names of catalog objects: `'public.t'::regclass` is an oid, `c.oid::regclass` a name.

Redshift keeps these types for its catalog. Here a name becomes its oid and an oid its name, so that both kinds of use mean what they mean
there; a value that is cast twice (`'t'::regclass::oid`) stays an oid.
"""

# ruff: noqa: S608 - the texts are views of the catalog and bound values
from __future__ import annotations

from typing import Final

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_values import Value
from nearshift.sql.macros import MARK
from nearshift.sql.names import quote_literal, split_qualified
from nearshift.sql.relations import ParameterSource
from nearshift.types import INTEGERS, OID, STRINGS, VARCHAR, Kind, SqlType, parse_type, varchar

# By the cast's word: the system view, its columns of name and schema (none for types), and what it is called in an error.
OBJECT_KINDS: Final[dict[str, tuple[str, str, str, str]]] = {
    "REGCLASS": ("pg_class", "relname", "relnamespace", "relation"),
    "REGTYPE": ("pg_type", "typname", "typnamespace", "type"),
    "REGPROC": ("pg_proc", "proname", "pronamespace", "function"),
    "REGNAMESPACE": ("pg_namespace", "nspname", "", "schema"),
}
_BLANKS: Final = quote_literal(" \"'")


def catalog_source(binder: Binder, node: exp.Expr, name: str) -> str:
    """Return the text that stands for a system view in FROM, and note that it is read."""
    relation = binder.context.relations.find("pg_catalog", name)
    if relation is None:
        raise binder.unsupported(node, f'there is no catalog with "{name}" here')
    binder.read(relation)
    return relation.source


def search_path(binder: Binder) -> str:
    """Return the text of the schemas of the search path as a list, pg_catalog last, as names are looked up."""
    written = binder.parameter(ParameterSource.SESSION, "search_path", VARCHAR)
    user = binder.parameter(ParameterSource.SESSION, "current_user", varchar(128))
    own = f"replace({written}, '$user', {user})"
    return f"list_append(list_transform(string_split({own}, ','), lambda w: trim(w, {_BLANKS})), 'pg_catalog')"


def object_cast(binder: Binder, value: Value, word: str, node: exp.Expr) -> Value:
    """Return a name as an oid or an oid as a name. Names that do not exist raise 42P01 (relations) or 42704 when the query runs."""
    kind = value.type.kind
    if value.literal is not None:
        if value.literal.strip().isdigit():
            return Value(f"CAST({quote_literal(value.literal.strip())} AS BIGINT)", OID, value.label)
        return Value(_oid_of(binder, value.literal, word, node), OID, value.label)
    if value.is_null:
        return Value("CAST(NULL AS BIGINT)", OID, value.label)
    if kind in INTEGERS or kind is Kind.OID:
        return Value(_name_of(binder, value.sql, word, node), varchar(256), value.label)
    if kind in STRINGS:
        raise binder.unsupported(node, f"only a literal can be cast to {word.lower()}", hint="Compare the name's column instead.")
    raise binder.invalid(node, f"cannot cast type {kind.value} to {word.lower()}", sqlstate="42846")


def _oid_of(binder: Binder, text: str, word: str, node: exp.Expr) -> str:
    view, name_column, schema_column, called = OBJECT_KINDS[word]
    source = catalog_source(binder, node, view)
    state = "42P01" if word == "REGCLASS" else "42704"
    message = f'{MARK}{state}:{called} "{text}" does not exist'
    missing = f"error({quote_literal(message)})"
    parts = split_qualified(text).folded(binder.context.rules) if word != "REGTYPE" else ()
    if word == "REGTYPE":
        own = text.removeprefix("pg_catalog.")
        return f"CAST({parse_type(own).oid} AS BIGINT)" if own != "trigger" else "CAST(2279 AS BIGINT)"
    if not schema_column:
        return f"(SELECT coalesce(min(oid), {missing}) FROM {source} AS \"$o\" WHERE {name_column} = {quote_literal(parts[-1])})"
    schemas = catalog_source(binder, node, "pg_namespace")
    path = search_path(binder) if len(parts) == 1 else f"[{quote_literal(parts[-2])}]"
    return (
        f"(SELECT coalesce(arg_min(\"$o\".oid, list_position({path}, \"$n\".nspname)), {missing}) FROM {source} AS \"$o\" "
        f"JOIN {schemas} AS \"$n\" ON \"$n\".oid = \"$o\".{schema_column} "
        f"WHERE \"$o\".{name_column} = {quote_literal(parts[-1])} AND list_contains({path}, \"$n\".nspname))"
    )


def _name_of(binder: Binder, sql: str, word: str, node: exp.Expr) -> str:
    view, name_column, schema_column, _called = OBJECT_KINDS[word]
    if word == "REGTYPE":
        return type_name(sql, "-1")
    source = catalog_source(binder, node, view)
    if not schema_column:
        found = f"(SELECT min({name_column}) FROM {source} AS \"$o\" WHERE \"$o\".oid = {sql})"
        return f"coalesce({found}, CAST({sql} AS VARCHAR))"
    schemas = catalog_source(binder, node, "pg_namespace")
    # A name that the search path does not reach is shown with its schema.
    shown = (
        f"CASE WHEN list_contains({search_path(binder)}, \"$n\".nspname) THEN \"$o\".{name_column} "
        f"ELSE \"$n\".nspname || '.' || \"$o\".{name_column} END"
    )
    joined = f'{source} AS "$o" JOIN {schemas} AS "$n" ON "$n".oid = "$o".{schema_column}'
    return f'coalesce((SELECT min({shown}) FROM {joined} WHERE "$o".oid = {sql}), CAST({sql} AS VARCHAR))'


def type_name(oid: str, modifier: str) -> str:
    """Return the text of a type's name with its length, as PostgreSQL's format_type shows it, over the texts of its oid and modifier."""
    branches = []
    for kind in Kind:
        own = SqlType(kind).oid
        name = quote_literal(kind.value)
        if kind in STRINGS:
            name = f"{name} || CASE WHEN {modifier} > 4 THEN '(' || ({modifier} - 4) || ')' ELSE '' END"
        elif kind is Kind.DECIMAL:
            digits = f"(({modifier} - 4) >> 16) || ',' || (({modifier} - 4) & 65535)"
            name = f"{name} || CASE WHEN {modifier} > 4 THEN '(' || {digits} || ')' ELSE '' END"
        branches.append(f"WHEN {own} THEN {name}")
    for own, shown in ((18, '"char"'), (19, "name"), (25, "text"), (22, "int2vector"), (1009, "text[]"), (2205, "regclass")):
        branches.append(f"WHEN {own} THEN {quote_literal(shown)}")
    return f"CASE WHEN {oid} IS NOT NULL THEN CASE {oid} {' '.join(branches)} ELSE '???' END END"
