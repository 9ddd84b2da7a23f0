"""COPY of DynamoDB's items into a table: "Loading data from an Amazon DynamoDB table".

Attributes go to the columns of the same name, whatever its case; attributes without a column are dropped, columns without an attribute
become NULL. Only strings and numbers can be loaded. A page is a temporary relation of text columns for the binder, so the values get the
checks and errors of an INSERT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from nearshift.catalog.entities import ColumnEntry, RelationEntry
from nearshift.errors import DataError
from nearshift.sql import statements as st
from nearshift.sql.names import quote
from nearshift.sql.relations import RelationKind
from nearshift.streams.dynamodb import Attribute
from nearshift.types import STRINGS, VARCHAR_BYTES_MAX, varchar

if TYPE_CHECKING:
    from nearshift.session import Session

_PAGE = "nearshift$copy"


def copy_items(
    session: Session,
    entry: RelationEntry,
    wanted: Sequence[ColumnEntry],
    pages: Iterable[Sequence[Mapping[str, Attribute]]],
    options: Mapping[str, st.Option],
) -> int:
    """Load pages of items in the open transaction and return how many there were. Raises DataError for the first that does not fit."""
    count = 0
    for page in pages:
        session.check_cancelled()
        count += len(page)
        if page and "NOLOAD" not in options:
            _load(session, entry, wanted, page, options)
    return count


def _load(
    session: Session,
    entry: RelationEntry,
    wanted: Sequence[ColumnEntry],
    page: Sequence[Mapping[str, Attribute]],
    options: Mapping[str, st.Option],
) -> None:
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
