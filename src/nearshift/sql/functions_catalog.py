"""Functions over the catalog, which psql and the drivers ask with. Source pages: PostgreSQL's "System Information Functions"."""

# ruff: noqa: S608 - the texts are views of the catalog and bound values
from __future__ import annotations

from nearshift.sql.bind_casts import coerce, text_of
from nearshift.sql.bind_objects import catalog_source, object_cast, search_path, type_name
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal
from nearshift.sql.names import quote_literal
from nearshift.sql.relations import ParameterSource
from nearshift.types import BIGINT, BOOLEAN, INTEGERS, OID, VARCHAR, varchar

PAGE = "https://www.postgresql.org/docs/8.0/functions-info.html"
_ARRAYS = "https://www.postgresql.org/docs/8.0/functions-array.html"
_USERS_MAX_SYSTEM = 13_000  # oids below are of pg_catalog, which is visible always


def _oid(call: Call, index: int = 0) -> str:
    return coerce(call.binder, call.values[index], OID, call.node).sql


def _scalar(call: Call, view: str, wanted: str, condition: str) -> str:
    return f'(SELECT min({wanted}) FROM {catalog_source(call.binder, call.node, view)} AS "$f" WHERE {condition})'


def _user(call: Call) -> Value:
    oid = _oid(call)
    name = _scalar(call, "pg_user", '"$f".usename', f'"$f".usesysid = {oid}')
    return Value(f"coalesce({name}, 'unknown (OID=' || {oid} || ')')", varchar(128))


def _is_visible(call: Call) -> Value:
    oid, path = _oid(call), search_path(call.binder)
    relations, schemas = catalog_source(call.binder, call.node, "pg_class"), catalog_source(call.binder, call.node, "pg_namespace")
    joined = f"{relations} AS c JOIN {schemas} AS n ON n.oid = c.relnamespace"
    places = f"SELECT c.oid, c.relname, list_position({path}, n.nspname) AS place FROM {joined}"
    found = f"(SELECT arg_min(p.oid, p.place) AS oid FROM ({places}) AS p WHERE p.place IS NOT NULL GROUP BY p.relname)"
    return Value(f"({oid} < {_USERS_MAX_SYSTEM} OR {oid} IN (SELECT \"$f\".oid FROM {found} AS \"$f\"))", BOOLEAN)


def _format_type(call: Call) -> Value:
    modifier = call.values[1]
    # An unknown modifier is NULL, and the type is shown without a length.
    limit = "-1" if modifier.is_null else f"coalesce({coerce(call.binder, modifier, BIGINT, call.node).sql}, -1)"
    return Value(type_name(_oid(call), limit), varchar(128))


def _definition(call: Call) -> Value:
    return Value(_scalar(call, "pg_rewrite", '"$f".ev_action', f'"$f".ev_class = {_oid(call)}'), VARCHAR)


def _comment(call: Call) -> Value:
    number = _oid(call, 1) if call.name == "col_description" else "0"
    condition = f'"$f".objoid = {_oid(call)} AND "$f".objsubid = {number}'
    if call.name == "obj_description" and len(call.values) > 1:
        classes = catalog_source(call.binder, call.node, "pg_class")
        named = f"SELECT k.oid FROM {classes} AS k WHERE k.relname = {text_of(call.values[1])} AND k.relnamespace = 11"
        condition += f' AND "$f".classoid IN ({named})'
    return Value(_scalar(call, "pg_description", '"$f".description', condition), VARCHAR)


def _schemas(call: Call) -> Value:
    path, known = search_path(call.binder), catalog_source(call.binder, call.node, "pg_namespace")
    place = f'list_position({path}, "$f".nspname)'
    names = f'(SELECT coalesce(list("$f".nspname ORDER BY {place}), []) FROM {known} AS "$f" WHERE {place} IS NOT NULL)'
    own = f"list_filter({names}, lambda w: w <> 'pg_catalog')"
    chosen = f"CASE WHEN {call.values[0].sql} THEN list_prepend('pg_catalog', {own}) ELSE {own} END"
    return Value(f"('{{' || array_to_string({chosen}, ',') || '}}')", VARCHAR)


def _joined(call: Call) -> Value:
    """Lower array_to_string; arrays exist in the catalog only, as text in braces."""
    text, delimiter = text_of(call.values[0]), call.values[1].sql
    return Value(f"replace({text}[2:-2], ',', {delimiter})", VARCHAR)


def _constraint(call: Call) -> Value:
    """Lower pg_get_constraintdef for the keys that a table was made with."""
    keys, columns = (catalog_source(call.binder, call.node, name) for name in ("pg_constraint", "pg_attribute"))
    place = 'list_position(string_split(trim("$f".conkey, \'{}\'), \',\'), CAST("$h".attnum AS VARCHAR))'
    names = f'string_agg("$h".attname, \', \' ORDER BY {place})'
    word = 'CASE min("$f".contype) WHEN \'p\' THEN \'PRIMARY KEY\' ELSE \'UNIQUE\' END'
    joined = f'{keys} AS "$f" JOIN {columns} AS "$h" ON "$h".attrelid = "$f".conrelid AND {place} > 0'
    return Value(f"(SELECT {word} || ' (' || {names} || ')' FROM {joined} WHERE \"$f\".oid = {_oid(call)})", VARCHAR)


_ENCODING = f"CASE {{0}} WHEN 6 THEN {quote_literal('UTF8')} WHEN 0 THEN {quote_literal('SQL_ASCII')} ELSE '' END"
_PRIVILEGES = ("schema", "table", "database", "function", "language", "any_column")
# By the function's word: the kind of object, the view with its oids and names, and the column of its schema.
_OBJECTS = {
    "table": ("relation", "pg_class", "relname", "relnamespace"), "column": ("relation", "pg_class", "relname", "relnamespace"),
    "any_column": ("relation", "pg_class", "relname", "relnamespace"), "schema": ("schema", "pg_namespace", "nspname", ""),
    "function": ("function", "pg_proc", "proname", "pronamespace"), "language": ("language", "pg_language", "lanname", ""),
    "database": ("database", "pg_database", "datname", ""),
}  # fmt: skip
_CASTS = {"pg_class": "REGCLASS", "pg_namespace": "REGNAMESPACE", "pg_proc": "REGPROC"}


def _has_privilege(call: Call) -> Value:
    """Lower has_table_privilege and its like: ([user,] object [, column], privilege), each a name or an oid."""
    word = call.name.removeprefix("has_").removesuffix("_privilege")
    wanted = 3 if word == "column" else 2
    user = call.values[0] if len(call.values) > wanted else None
    values = call.values[-wanted:]
    kind, view, _name, _schema = _OBJECTS[word]
    oid = _object_oid(call, values[0], view)
    privileges = f"list_transform(string_split(upper({text_of(values[-1])}), ','), lambda w: replace(trim(w), 'TEMPORARY', 'TEMP'))"
    kinds = "('function', 'procedure')" if kind == "function" else f"({quote_literal(kind)})"
    column = {"any_column": "TRUE", "column": f"\"$p\".column_name IN ('', {text_of(values[-2])})"}.get(word, "\"$p\".column_name = ''")
    held = catalog_source(call.binder, call.node, "svv_nearshift_privilege")
    condition = (
        f'"$p".user_name = {_user_name(call, user)} AND ("$p".object_kind = \'*\' OR "$p".object_kind IN {kinds} '
        f'AND "$p".object_oid = {oid} AND {column}) AND ("$p".privilege_type = \'*\' OR list_contains({privileges}, "$p".privilege_type))'
    )
    # What the system has is open to everybody's eyes.
    is_system = f"({oid} < {_USERS_MAX_SYSTEM}) OR " if kind in {"relation", "schema", "function"} else ""
    return Value(f'({is_system}EXISTS (SELECT 1 FROM {held} AS "$p" WHERE {condition}))', BOOLEAN)


def _user_name(call: Call, value: Value | None) -> str:
    if value is None:
        return call.binder.parameter(ParameterSource.SESSION, "current_user", varchar(128))
    if value.type.kind in INTEGERS or value.type.kind is OID.kind:
        return _scalar(call, "pg_user", '"$f".usename', f'"$f".usesysid = {coerce(call.binder, value, OID, call.node).sql}')
    return text_of(value)


def _object_oid(call: Call, value: Value, view: str) -> str:
    if view == "pg_database":
        return "100000"
    if value.type.kind in INTEGERS or value.type.kind is OID.kind:
        return coerce(call.binder, value, OID, call.node).sql
    if value.literal is not None and view in _CASTS:
        own = value if view != "pg_proc" else Value(quote_literal(value.literal), value.type, literal=value.literal.partition("(")[0])
        return object_cast(call.binder, own, _CASTS[view], call.node).sql
    _kind, _view, name, schema = next(found for found in _OBJECTS.values() if found[1] == view)
    text = text_of(value)
    if not schema:
        return _scalar(call, view, '"$f".oid', f'"$f".{name} = {text}')
    schemas = catalog_source(call.binder, call.node, "pg_namespace")
    path = search_path(call.binder)
    found = f'"$f".{name} = {text} AND list_contains({path}, "$n".nspname) OR "$n".nspname || \'.\' || "$f".{name} = {text}'
    source = catalog_source(call.binder, call.node, view)
    return f'(SELECT min("$f".oid) FROM {source} AS "$f" JOIN {schemas} AS "$n" ON "$n".oid = "$f".{schema} WHERE {found})'


FUNCTIONS = (
    Function("pg_get_userbyid", "*", VARCHAR, _user, PAGE, is_mutable=True),
    Function("pg_table_is_visible", "*", BOOLEAN, _is_visible, PAGE, is_mutable=True),
    # Types and functions of users do not exist; those of the catalog are always visible.
    Function("pg_type_is_visible", "*", BOOLEAN, "({0} IS NOT NULL)", PAGE),
    Function("pg_function_is_visible", "*", BOOLEAN, "({0} IS NOT NULL)", PAGE),
    Function("format_type", "*r", VARCHAR, _format_type, PAGE),
    Function("pg_get_expr", "s*?b", VARCHAR, lambda call: Value(call.values[0].sql, VARCHAR), PAGE),
    Function("pg_get_viewdef", "*?b", VARCHAR, _definition, PAGE, is_mutable=True),
    Function("pg_get_constraintdef", "*?b", VARCHAR, _constraint, PAGE, is_mutable=True),
    Function("format_encoding", "i", VARCHAR, "CASE {0} WHEN 0 THEN 'none' END", "r_PG_TABLE_DEF.html"),
    Function("obj_description", "*?s", VARCHAR, _comment, PAGE, is_mutable=True),
    Function("col_description", "**", VARCHAR, _comment, PAGE, is_mutable=True),
    Function("shobj_description", "*s", VARCHAR, "CAST(NULL AS VARCHAR)", PAGE),
    Function("pg_encoding_to_char", "i", varchar(128), _ENCODING, PAGE),
    Function("current_schemas", "b", VARCHAR, _schemas, PAGE, is_mutable=True),
    Function("array_to_string", "*s", VARCHAR, _joined, _ARRAYS),
    *(Function(f"has_{kind}_privilege", "rr?r", BOOLEAN, _has_privilege, PAGE, is_mutable=True) for kind in _PRIVILEGES),
    Function("has_column_privilege", "rrr?r", BOOLEAN, _has_privilege, PAGE, is_mutable=True),
)
_SIZES = "tells bytes of a file per table, and here one file holds all"
REFUSALS = (
    Refusal("pg_table_size", _SIZES, "Read svv_table_info."), Refusal("pg_relation_size", _SIZES, "Read svv_table_info."),
    Refusal("pg_total_relation_size", _SIZES, "Read svv_table_info."), Refusal("pg_database_size", _SIZES),
    Refusal("pg_size_pretty", _SIZES), Refusal("pg_get_indexdef", "shows indexes, which Redshift does not have"),
)  # fmt: skip
