"""COPY from DynamoDB ("Loading data from an Amazon DynamoDB table"); other sources, and UNLOAD, are refused.

Attributes go to the columns of the same name, whatever its case; attributes without a column are dropped, columns without an attribute
become NULL. Only strings and numbers can be loaded. A page is a temporary relation of text columns for the binder, so the values get the
checks and errors of an INSERT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from nearshift.catalog.entities import ColumnEntry, RelationEntry
from nearshift.errors import DataError, InvalidSql, NearshiftError, NotSupported, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.names import fold, quote
from nearshift.sql.relations import RelationKind
from nearshift.streams.dynamodb import Attribute
from nearshift.types import STRINGS, VARCHAR_BYTES_MAX, varchar

if TYPE_CHECKING:
    from nearshift.session import Session

_PAGE = "nearshift$copy"
# Accepted because they change nothing here: statistics, compression, credentials.
_NEUTRAL = frozenset({"IAM_ROLE", "READRATIO", "REGION", "COMPUPDATE", "STATUPDATE", "COMPROWS", "ACCEPTANYDATE", "EXPLICIT_IDS"})
_KNOWN = _NEUTRAL | {"TRUNCATECOLUMNS", "NOLOAD", "EMPTYASNULL", "BLANKSASNULL", "TRIMBLANKS"}


def copy(session: Session, statement: st.Copy | st.Unload) -> Result:
    """Run COPY table FROM 'dynamodb://name'. Outside a transaction block it commits by itself."""
    if isinstance(statement, st.Unload):
        raise NotSupported("UNLOAD is not supported yet", hint="Read the rows with a client, or through nearshift.connect(...).arrow().")
    source = statement.source
    if not source.text.startswith("dynamodb://"):
        raise NotSupported(
            "COPY reads DynamoDB tables only so far", span=source.span, hint="Write COPY … FROM 'dynamodb://table' … READRATIO 50."
        )
    ratio = _read_ratio(statement)
    for name, option in statement.options.items():
        if name not in _KNOWN:
            raise NotSupported(f"COPY option {name} is not supported for DynamoDB", span=option.span)
    entry = session.names.relation(statement.table)
    if entry.kind not in {RelationKind.TABLE, RelationKind.TEMP_TABLE}:
        raise InvalidSql(f'"{entry.name}" is not a table', sqlstate="42809", span=statement.table.span)
    wanted = _columns(session, entry, statement)
    role = statement.options.get("IAM_ROLE")
    region = statement.options.get("REGION")
    table = source.text.removeprefix("dynamodb://")
    pages = session.house.items(table, role.value if role else None, region.value if region else None, ratio)
    is_own = not session.tx.is_open
    session.begin_here()
    count = 0
    try:
        for page in pages:
            session.check_cancelled()
            count += len(page)
            if page and "NOLOAD" not in statement.options:
                _load(session, entry, wanted, page, statement)
    except DataError as error:
        raise NearshiftError(
            f"Load into table '{entry.name}' failed.  Check 'stl_load_errors' system table for details.", sqlstate="XX000",
            detail=error.message, hint=error.hint,
        ) from error  # fmt: skip
    if entry.kind is RelationKind.TABLE:
        session.tx.touch(entry.schema, entry.name)
    if is_own:
        session.tx.commit()
        session.settings.transaction_ended(is_committed=True)
    session.last_copy = {**session.last_copy, "last_copy_id": session.running.query_id, "last_copy_count": count}
    session.notice(Severity.INFO, f"Load into table '{entry.name}' completed, {count} record(s) loaded successfully.")
    return Result("COPY")


def _read_ratio(statement: st.Copy) -> int:
    option = statement.options.get("READRATIO")
    if option is None or option.value is None:
        raise InvalidSql("READRATIO is required to copy from DynamoDB", span=statement.source.span, hint="Write READRATIO 50.")
    if not option.value.isdigit() or not 1 <= int(option.value) <= 200:
        raise InvalidSql("READRATIO must be between 1 and 200", sqlstate="22023", span=option.span)
    return int(option.value)


def _columns(session: Session, entry: RelationEntry, statement: st.Copy) -> list[ColumnEntry]:
    if not statement.columns:
        return list(entry.columns)
    known = {column.name: column for column in entry.columns}
    found = []
    for name in statement.columns:
        folded = fold(name.text, name.is_quoted, session.settings.rules)
        if folded not in known:
            raise UndefinedObject(f'column "{folded}" of relation "{entry.name}" does not exist', sqlstate="42703", span=name.span)
        found.append(known[folded])
    return found


def _load(session: Session, entry: RelationEntry, wanted: list[ColumnEntry], page: list[dict[str, Attribute]], statement: st.Copy) -> None:
    options = statement.options
    columns: dict[str, list[str | None]] = {column.name.lower(): [] for column in wanted}
    for item in page:
        matched: dict[str, str] = {}
        for name, attribute in item.items():
            folded = name.lower()
            if folded not in columns:
                continue
            if folded in matched:
                raise DataError(f'attributes "{matched[folded]}" and "{name}" differ only by case', sqlstate="42701")
            matched[folded] = name
            if attribute.kind not in {"S", "N", "NULL"}:
                raise DataError(f'attribute "{name}" has type {attribute.kind}: only S and N can be loaded', sqlstate="42804")
            columns[folded].append(_text(attribute.text, options))
        for folded in columns.keys() - matched.keys():
            columns[folded].append(None)
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    temporary = RelationEntry(
        0, "pg_temp", _PAGE, RelationKind.TEMP_TABLE, session.user,
        tuple(ColumnEntry(name, varchar(VARCHAR_BYTES_MAX)) for name in columns), quote(_PAGE),
    )  # fmt: skip
    names = ", ".join(_sql_name(column.name) for column in wanted)
    is_cut = "TRUNCATECOLUMNS" in options
    values = ", ".join(
        _sql_name(c.name.lower()) if c.type.kind in STRINGS and not is_cut else f"CAST({_sql_name(c.name.lower())} AS {c.type})"
        for c in wanted
    )
    target = f"{_sql_name(entry.schema)}.{_sql_name(entry.name)}" if entry.kind is RelationKind.TABLE else _sql_name(entry.name)
    session.temporary[_PAGE] = temporary
    try:
        text = f"INSERT INTO {target} ({names}) SELECT {values} FROM {_sql_name(_PAGE)}"  # noqa: S608 - names of the catalog, quoted
        lowered = session.lower(text)
        with session.tx.connection.registered(_PAGE, table):
            session.tx.connection.execute(lowered.sql, session.values_for(lowered))
    finally:
        del session.temporary[_PAGE]


def _text(value: str | None, options: Mapping[str, st.Option]) -> str | None:
    if value is None:
        return None
    if "TRIMBLANKS" in options:
        value = value.rstrip(" ")
    if ("EMPTYASNULL" in options and not value) or ("BLANKSASNULL" in options and not value.strip()):
        return None
    return value


def _sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
