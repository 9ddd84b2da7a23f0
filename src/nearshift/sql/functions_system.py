"""Functions whose value only the session knows, and conditional ones.

Source pages: "System information functions", "Conditional expressions".
"""

from __future__ import annotations

from nearshift.sql.bind_casts import coerce, settled
from nearshift.sql.bind_compare import compare
from nearshift.sql.bind_logic import unify
from nearshift.sql.bind_values import Value
from nearshift.sql.functions_table import Call, Function, Refusal
from nearshift.sql.relations import SETTING_PREFIX, ParameterSource
from nearshift.types import BIGINT, DATE, INTEGER, TIMESTAMP, TIMESTAMPTZ, UNKNOWN, VARCHAR, Kind, SqlType, varchar

# Redshift name -> (session value, type)
_SESSION: dict[str, tuple[str, SqlType]] = {
    "getdate": ("statement_timestamp", TIMESTAMP), "sysdate": ("transaction_timestamp", TIMESTAMP),
    "current_timestamp": ("transaction_timestamptz", TIMESTAMPTZ), "now": ("transaction_timestamptz", TIMESTAMPTZ),
    "localtimestamp": ("transaction_timestamp", TIMESTAMP), "current_date": ("current_date", DATE),
    "current_user": ("current_user", varchar(128)), "user": ("current_user", varchar(128)), "session_user": ("session_user", varchar(128)),
    "current_user_id": ("current_user_id", INTEGER), "current_database": ("current_database", varchar(128)),
    "current_schema": ("current_schema", varchar(128)), "pg_backend_pid": ("backend_pid", INTEGER), "version": ("version", varchar(256)),
    "pg_last_query_id": ("last_query_id", BIGINT), "last_user_query_id": ("last_query_id", BIGINT),
    "pg_last_copy_id": ("last_copy_id", BIGINT),
    "pg_last_copy_count": ("last_copy_count", BIGINT), "pg_last_unload_id": ("last_unload_id", BIGINT),
    "pg_last_unload_count": ("last_unload_count", BIGINT),
}  # fmt: skip


def _session(call: Call) -> Value:
    name, kind = _SESSION[call.name]
    return Value(call.binder.parameter(ParameterSource.SESSION, name, kind), kind)


def _setting(call: Call) -> Value:
    """Lower CURRENT_SETTING: the name is a literal, since a setting is no value of a row."""
    name = call.values[0].literal
    if name is None:
        raise call.error("CURRENT_SETTING takes the name of a setting as a literal", sqlstate="22023")
    if call.binder.context.settings.get("session_values") == "variables":
        raise call.binder.unsupported(call.node, "CURRENT_SETTING cannot be used in a view")
    return Value(call.binder.parameter(ParameterSource.SESSION, f"{SETTING_PREFIX}{name.lower()}", VARCHAR), VARCHAR)


def _stop(call: Call) -> Value:
    asking = call.binder.parameter(ParameterSource.SESSION, "backend_pid", INTEGER)
    is_end = "TRUE" if call.name == "pg_terminate_backend" else "FALSE"
    return Value(f"nearshift_stop_process(CAST({call.values[0].sql} AS INTEGER), {is_end}, {asking})", INTEGER)


def _coalesce(call: Call) -> Value:
    values = unify(call.binder, call.values, call.node, "COALESCE")
    kind = values[0].type
    if kind.kind is Kind.SUPER:
        items = [f"nullif({one.sql}, 'null')" for one in values]
        return Value(f"CAST(coalesce({', '.join(items)}) AS JSON)", kind)
    return Value(f"coalesce({', '.join(one.sql for one in values)})", kind)


def _nvl2(call: Call) -> Value:
    test = call.values[0]
    then, other = unify(call.binder, call.values[1:], call.node, "NVL2")
    subject = f"nullif({test.sql}, 'null')" if test.type.kind is Kind.SUPER else settled(call.binder, test).sql
    return Value(f"CASE WHEN {subject} IS NOT NULL THEN {then.sql} ELSE {other.sql} END", then.type)


def _nullif(call: Call) -> Value:
    left, right = call.values
    test = compare(call.binder, "=", left, right, call.node)
    left = coerce(call.binder, left, right.type, call.node) if left.type.kind is Kind.UNKNOWN else left
    left = settled(call.binder, left)
    return Value(f"CASE WHEN {test.sql} THEN NULL ELSE {left.sql} END", left.type)


def _decode(call: Call) -> Value:
    """Lower DECODE; NULL equals NULL in it ("DECODE expression")."""
    subject, rest = call.values[0], call.values[1:]
    default = rest.pop() if len(rest) % 2 else Value("NULL", UNKNOWN, is_null=True)
    results = unify(call.binder, [*rest[1::2], default], call.node, "DECODE")
    branches = []
    for wanted, result in zip(rest[::2], results, strict=False):
        if wanted.is_null:
            test = f"{settled(call.binder, subject).sql} IS NULL"
        else:
            test = compare(call.binder, "=", subject, wanted, call.node).sql
            if wanted.literal is None and wanted.integer is None:
                test = f"({test} OR ({settled(call.binder, subject).sql} IS NULL AND {settled(call.binder, wanted).sql} IS NULL))"
        branches.append(f"WHEN {test} THEN {result.sql}")
    return Value(f"CASE {' '.join(branches)} ELSE {results[-1].sql} END", results[0].type)


def _extreme(call: Call) -> Value:
    values = unify(call.binder, call.values, call.node, call.name.upper())
    if values[0].type.kind is Kind.SUPER:
        raise call.error(f"{call.name.upper()} does not take SUPER values", hint="Cast the values first.")
    return Value(f"{call.name}({', '.join(one.sql for one in values)})", values[0].type)


FUNCTIONS = (
    *(Function(name, "", kind, _session, f"r_{name.upper()}.html", is_mutable=True) for name, (_, kind) in _SESSION.items()),
    Function("current_setting", "r", VARCHAR, _setting, "r_CURRENT_SETTING.html", is_mutable=True),
    Function("db_collation", "", VARCHAR, "'case_sensitive'", "r_CREATE_DATABASE.html"),
    Function("pg_cancel_backend", "i", INTEGER, _stop, "PG_CANCEL_BACKEND.html", is_mutable=True),
    Function("pg_terminate_backend", "i", INTEGER, _stop, "PG_TERMINATE_BACKEND.html", is_mutable=True),
    Function("coalesce", "r+", VARCHAR, _coalesce, "r_NVL_function.html"),
    Function("nvl", "r+", VARCHAR, _coalesce, "r_NVL_function.html"),
    Function("nvl2", "rrr", VARCHAR, _nvl2, "r_NVL2.html"),
    Function("nullif", "rr", VARCHAR, _nullif, "r_NULLIF_function.html"),
    Function("decode", "rrr+", VARCHAR, _decode, "r_DECODE_expression.html"),
    Function("greatest", "r+", VARCHAR, _extreme, "r_GREATEST_LEAST.html"),
    Function("least", "r+", VARCHAR, _extreme, "r_GREATEST_LEAST.html"),
)
_LEADER = "is answered by the leader node only and not kept by nearshift"
REFUSALS = (
    Refusal("current_time", "is deprecated in Redshift", "Use GETDATE()::time."), Refusal("localtime", "is deprecated in Redshift"),
    Refusal("age", "is deprecated in Redshift", "Use DATEDIFF."), Refusal("generate_series", _LEADER),
    Refusal("array_agg", "is not a function of Redshift", "Use LISTAGG."), Refusal("pg_sleep", "is not a function of Redshift"),
    Refusal("clock_timestamp", "is not a function of Redshift", "Use GETDATE()."), Refusal("set_config", _LEADER, "Use SET."),
    Refusal("width_bucket", "is not a function of Redshift"), Refusal("div", "is not a function of Redshift", "Use / between integers."),
    Refusal("every", "is not a function of Redshift", "Use BOOL_AND."), Refusal("corr", "is not a function of Redshift"),
)  # fmt: skip
