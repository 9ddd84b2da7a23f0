"""Rules about names and values: NULL by letter case, limits, functions that are not there, strings in the wrong quotes, refused text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from nearshift.check.findings import GUIDE, Found, Rule, Severity
from nearshift.check.material import Material, Query, Refused, Unit, aliases_of, is_path
from nearshift.errors import NotSupported, Span
from nearshift.sql import statements as s
from nearshift.sql.dialect import PathItem, span_of
from nearshift.sql.functions import REFUSALS, known_names
from nearshift.sql.lexer import Token, TokenKind, tokens

_IDENTIFIER_BYTES: Final = 127  # "Names and identifiers"
NEEDS_OWN: Final = "cannot be executed from a procedure"
_COLUMNS_MAX: Final = 1600  # "CREATE TABLE"
_NOT_THERE: Final = ("is not a function of Redshift", "Redshift does not have it")
# "SQL functions supported on the leader node": a query that reads a table may not call them.
_LEADER_ONLY: Final = frozenset({
    "now", "current_timestamp", "localtime", "localtimestamp", "age", "current_schema", "current_schemas", "has_database_privilege",
    "has_schema_privilege", "has_table_privilege", "current_setting", "set_config", "generate_series", "pg_get_viewdef", "timeofday",
})  # fmt: skip


def _refused(material: Material) -> Iterator[Found]:
    for one in material.refused:
        if not _is_ours(one) and NEEDS_OWN not in one.cause.message:
            hint = one.cause.hint or one.cause.detail or "Write it as the SQL reference has it."
            yield Found(one.file, one.span, one.cause.message, hint, one.cause.message)


def _not_checked(material: Material) -> Iterator[Found]:
    for one in material.refused:
        if _is_ours(one):
            yield Found(one.file, one.span, f"not checked: {one.cause.message}", one.cause.detail or one.cause.hint or "Try it there.")


def _is_ours(one: Refused) -> bool:
    """Tell whether nearshift refuses what Redshift may well know."""
    text = f"{one.cause.message} {one.cause.detail or ''}"
    return isinstance(one.cause, NotSupported) and not one.in_body and not any(words in text for words in _NOT_THERE)


def _chains(query: Query) -> Iterator[list[exp.Identifier]]:
    """Yield the parts of each dotted name."""
    aliases = aliases_of(query.tree)
    for node in query.tree.walk():
        if (isinstance(node, (exp.Column, exp.Dot)) and not isinstance(node.parent, exp.Dot)) or is_path(node, aliases):
            yield _parts(node)


def _parts(node: exp.Expr) -> list[exp.Identifier]:
    if isinstance(node, (exp.Dot, exp.Bracket)):
        last = [node.expression] if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier) else []
        return _parts(node.this) + last
    if isinstance(node, exp.Table):
        return [node.args[key] for key in ("catalog", "db", "this") if isinstance(node.args.get(key), exp.Identifier)]
    if isinstance(node, exp.Column):
        return [node.args[key] for key in ("catalog", "db", "table", "this") if isinstance(node.args.get(key), exp.Identifier)]
    return []


def _null_by_case(material: Material) -> Iterator[Found]:
    hint = "Begin the file with SET enable_case_sensitive_identifier TO true, and quote every attribute."
    for unit in material.units:
        for part, at in _attributes(unit):
            if _misses(part, unit):
                shown = part.name if not part.args.get("quoted") else f'"{part.name}"'
                message = f'{shown} looks up "{part.name.lower()}" and is NULL where the attribute is "{part.name}"'
                yield unit.found_at(at, message, hint)


def _case_at_run_time(material: Material) -> Iterator[Found]:
    hint = "ALTER USER or ALTER DATABASE … SET enable_case_sensitive_identifier TO true, or read the attribute in a materialized view."
    for name, unit in material.procedures.items():
        for part, at in _attributes(unit):
            if part.name != part.name.lower() and not _misses(part, unit):
                message = f'procedure "{name}" finds "{part.name}" only when the session that calls it has case-sensitive names'
                yield unit.found_at(at, message, hint)
                break


def _attributes(unit: Unit) -> Iterator[tuple[exp.Identifier, int]]:
    """Yield the attributes of the paths into SUPER that a statement takes, with their place in the file."""
    for query in unit.queries:
        relations = aliases_of(query.tree)
        unnested = {item.args["alias"].name.lower() for item in query.tree.find_all(PathItem) if item.args.get("alias") is not None}
        for parts in _chains(query):
            first = parts[0].name.lower() if parts else ""
            skipped = 1 if first in unnested else 2 if first in relations else 1
            for part in parts[skipped:]:
                yield part, query.start + (span_of(part) or Span(0, 1)).start


def _misses(part: exp.Identifier, unit: Unit) -> bool:
    if part.name == part.name.lower() or unit.rules.case_sensitive_super_attribute:
        return False
    return not (part.args.get("quoted") and unit.rules.case_sensitive_identifier)


def _stream_case(material: Material) -> Iterator[Found]:
    for view in material.views.values():
        for table in view.query.tree.find_all(exp.Table):
            if not view.is_streaming or table.name == table.name.lower():
                continue
            at = view.query.start + (span_of(table.this) or Span(0, 1)).start
            if not (table.this.args.get("quoted") and view.unit.rules.case_sensitive_identifier):
                hint = "SET enable_case_sensitive_identifier TO true before it, and quote the name."
                yield view.unit.found_at(at, f'the stream is looked up as "{table.name.lower()}"', hint)
            elif view.statement.is_auto_refresh:
                hint = "Set enable_case_sensitive_identifier for the database or in the parameter group, or name the stream in lower case."
                message = f"auto refresh of \"{view.name}\" does not see this session's SET, and its stream's name has capitals"
                yield view.unit.found_at(at, message, hint)


def _limits(material: Material) -> Iterator[Found]:
    for unit in material.units:
        for token in unit.tokens:
            size = len(token.text.strip('"').encode())
            if token.kind in {TokenKind.WORD, TokenKind.QUOTED} and size > _IDENTIFIER_BYTES:
                message = f"a name has {size} bytes, and {_IDENTIFIER_BYTES} is the most"
                yield unit.found(token.span, message, "Shorten it: what is longer is cut, and may then be another's name.")
        if isinstance(unit.statement, s.CreateTable) and len(unit.statement.columns) > _COLUMNS_MAX:
            message = f"a table has {len(unit.statement.columns)} columns, and {_COLUMNS_MAX} is the most"
            yield unit.found(unit.statement.name.span, message, "Keep rare attributes in one SUPER column.")


def _cut_varchar(material: Material) -> Iterator[Found]:
    for unit in material.units:
        if not isinstance(unit.statement, s.CreateMaterializedView):
            continue
        for query in unit.queries:
            for cast in query.tree.find_all(exp.Cast):
                is_open = cast.to.this in {exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT} and not cast.to.expressions
                if is_open and isinstance(cast.this, (exp.Column, exp.Dot, exp.Bracket)) and len(_parts(cast.this)) > 2:
                    at = query.start + (span_of(cast) or Span(0, 1)).start
                    message = "varchar without a length is varchar(256): a longer value is cut without a word"
                    yield unit.found_at(at, message, "Write the length, up to varchar(65535).")


def _calls(text: str) -> Iterator[Token]:
    before: Token | None = None
    past = ""
    for token in tokens(text):
        if token.key == "(" and before is not None and before.kind is TokenKind.WORD and past != ".":
            yield before
        past = before.key if before is not None else ""
        before = token


def _functions(material: Material) -> Iterator[Found]:
    for unit in material.units:
        for query in unit.queries:
            for token in _calls(query.text):
                refusal = REFUSALS.get(token.text.lower())
                if refusal is not None and refusal.reason in _NOT_THERE and token.text.lower() not in known_names():
                    error = f"function {token.text.lower()} does not exist"
                    yield unit.found_at(query.start + token.start, f'"{token.text}" {refusal.reason}', refusal.hint or "Do without.", error)


def _leader_only(material: Material) -> Iterator[Found]:
    error = "Specified types or functions (one per INFO message) not supported on Redshift tables."
    for unit in material.units:
        for query in unit.queries:
            values_alone = isinstance(query.tree, exp.Insert) and isinstance(query.tree.expression, exp.Values)
            if query.tree.find(exp.Table) is None or values_alone:  # VALUES are worked out on the leader node
                continue
            names = [token for token in _calls(query.text) if token.text.lower() in _LEADER_ONLY]
            names += [token for token in tokens(query.text) if token.key in {"CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"}]
            for token in names:
                message = f'"{token.text}" runs on the leader node only, and this statement reads or writes a table'
                yield unit.found_at(query.start + token.start, message, "Use GETDATE() or SYSDATE for times.", error)


def _double_quotes(material: Material) -> Iterator[Found]:
    known = {
        column.name.text.lower() for unit in material.units for column in getattr(unit.statement, "columns", ()) if hasattr(column, "name")
    }
    known |= {alias.alias.lower() for unit in material.units for query in unit.queries for alias in query.tree.find_all(exp.Alias)}
    for unit in material.units:
        for query in unit.queries:
            before, held = "", None
            for token in tokens(query.text):
                if held is not None and token.key not in {".", "("}:
                    shown = held.text.strip('"')
                    yield unit.found_at(
                        query.start + held.start,
                        f"{held.text} is a name, not a string",
                        f"Write '{shown}'.",
                        f'column "{shown.lower()}" does not exist',
                    )
                is_value = token.kind is TokenKind.QUOTED and before in {"=", "<>", "!="}
                held = token if is_value and token.text.strip('"').lower() not in known else None
                before = token.key


RULES: Final = (
    Rule("refused", Severity.ERROR, f"{GUIDE}c_SQL_commands.html", _refused),
    Rule("not-checked", Severity.NOTE, f"{GUIDE}c_SQL_commands.html", _not_checked),
    Rule("null-by-case", Severity.WARNING, f"{GUIDE}super-configurations.html", _null_by_case),
    Rule("case-at-run-time", Severity.WARNING, f"{GUIDE}super-configurations.html", _case_at_run_time),
    Rule("stream-case", Severity.WARNING, f"{GUIDE}materialized-view-streaming-ingestion.html", _stream_case),
    Rule("limits", Severity.ERROR, f"{GUIDE}r_names.html", _limits),
    Rule("varchar-256", Severity.WARNING, f"{GUIDE}r_Character_types.html", _cut_varchar),
    Rule("no-such-function", Severity.ERROR, f"{GUIDE}c_unsupported-postgresql-functions.html", _functions),
    Rule("leader-only", Severity.ERROR, f"{GUIDE}c_SQL_functions_leader_node_only.html", _leader_only),
    Rule("double-quotes", Severity.ERROR, f"{GUIDE}r_names.html", _double_quotes),
)
