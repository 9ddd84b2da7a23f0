"""Values for the parameters of a translation: the client's, PL/pgSQL variables', and what only the session knows.

DuckDB text of a stored view cannot carry parameters, so there a session value is read from a DuckDB variable that is set on the connection
just before the statement runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from nearshift.catalog.catalog import Rows
from nearshift.errors import InvalidSql
from nearshift.sql.relations import SESSION_VALUES, SETTING_PREFIX, Lowered, ParameterSource

if TYPE_CHECKING:
    from nearshift.session import Session

VERSION = (
    "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.12103 (nearshift)"
)
_PREFIX = "nearshift_"
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\d+)")
_USED = re.compile(r"getvariable\('nearshift_(\w+)'\)")


class _Clocked(Protocol):
    """What a session value is made from."""

    user: str
    database: str


def parameter_values(session: Session, lowered: Lowered) -> list[object]:
    """Return the values for `$1`…`$n` of a translation. Raises InvalidSql (08P01) when the client gave too few."""
    session.tx.connection.set_time_zone(session.settings.get("timezone"))
    set_session_values(session.tx.connection, lowered.sql, lambda name: session_value(session, name))
    found: list[object] = []
    for parameter in lowered.parameters:
        match parameter.source:
            case ParameterSource.CLIENT:
                index = int(parameter.name) - 1
                if index >= len(session.running.values):
                    raise InvalidSql(f"there is no parameter ${parameter.name}", sqlstate="42P02")
                found.append(session.running.values[index])
            case ParameterSource.VARIABLE:
                found.append(session.running.variables[parameter.name][1])
            case ParameterSource.SESSION:
                found.append(session_value(session, parameter.name))
    return found


def session_value(session: Session, name: str) -> object:
    """Return what only the session knows; `name` is one of SESSION_VALUES. Times are in the session's zone where they have none."""
    zone = session.house.zone(session.settings.get("timezone"))
    if name.startswith(SETTING_PREFIX):
        return session.settings.get(name.removeprefix(SETTING_PREFIX))
    match name:
        case "statement_timestamp":
            started = session.running.started_at or session.house.clock.now()
            return started.astimezone(zone).replace(tzinfo=None, microsecond=0)
        case "transaction_timestamp":
            return session.tx.started_at.astimezone(zone).replace(tzinfo=None)
        case "transaction_timestamptz":
            return session.tx.started_at
        case "current_date":
            return session.tx.started_at.astimezone(zone).date()
        case "current_user" | "session_user" | "current_user_id" | "visible_user_id":
            return _identity(session, name)
        case "current_database":
            return session.database
        case "current_schema":
            return next((schema for schema in session.names.search_path() if schema in session.snapshot.schemas), None)
        case "search_path":
            return session.settings.get("search_path")
        case "backend_pid":
            return session.number
        case "last_query_id":
            return session.last_query_id
        case "last_copy_id" | "last_copy_count" | "last_unload_id" | "last_unload_count":
            return session.last_copy.get(name, 0 if name.endswith("_count") else -1)
        case "version":
            return VERSION
        case _:
            raise AssertionError(name)


def _identity(session: Session, name: str) -> object:
    if name == "session_user":
        return session.session_user
    if name == "current_user":
        return session.user
    if name == "visible_user_id" and _sees_all(session):
        return None
    entry = session.rights.entry
    return entry.oid if entry is not None else -1


def _sees_all(session: Session) -> bool:
    """Tell whether rows about other users may be seen ("Visibility of data in system tables and views")."""
    rights = session.rights
    return rights.is_superuser or (rights.entry is not None and rights.entry.sees_all_logs) or rights.has_system("ACCESS SYSTEM TABLE")


def with_variables(lowered: Lowered) -> Lowered:
    """Return the translation with session values read from DuckDB variables; for text that is stored or nested in another text.

    Raises InvalidSql (42P02) when it has parameters of a client or a procedure.
    """
    if not lowered.parameters:
        return lowered
    names = []
    for parameter in lowered.parameters:
        if parameter.source is not ParameterSource.SESSION or parameter.name not in SESSION_VALUES:
            raise InvalidSql("a view's query cannot have parameters", sqlstate="42P02")
        names.append(parameter.name)

    def replaced(match: re.Match[str]) -> str:
        return f"getvariable('{_PREFIX}{names[int(match[1]) - 1]}')" if match[1] else match[0]

    return replace(lowered, sql=_TOKEN.sub(replaced, lowered.sql), parameters=())


def set_session_values(connection: Rows, sql: str, value_of: Callable[[str], object]) -> None:
    """Set the DuckDB variables that a text reads, on the connection that will run it."""
    for name in sorted(set(_USED.findall(sql))):
        connection.execute(_SET[name], [value_of(name)])


_SET = {name: f"SET VARIABLE {_PREFIX}{name} = $1" for name in SESSION_VALUES}
