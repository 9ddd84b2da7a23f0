"""A warehouse in this process as a DB-API 2.0 connection (PEP 249), with `.df()` and `.arrow()` beside the rows.

Parameters are written `$1`, `$2`, … (paramstyle "numeric" with a dollar, as PostgreSQL has it) or `%s` (paramstyle "format"). Outside
`begin()` every statement commits by itself, as a client of Redshift with autocommit sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nearshift.commands.results import arrow_table
from nearshift.errors import InvalidSql, NearshiftError, NotSupported
from nearshift.results import Notice, Result, TransactionStatus
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas

apilevel = "2.0"
threadsafety = 1
paramstyle = "format"


def connect(
    path: str | Path | None = None, *, user: str | None = None, is_started: bool = False, files: str | Path | None = None
) -> Connection:
    """Open the warehouse of a file or pipeline folder, or one in memory, in this process.

    It is the administrator's connection unless `user` names another one, with that one's privileges; in process nobody is asked for a
    password. With `is_started` its auto refreshes run. `files` is the folder whose files COPY and UNLOAD may use as `file://…`; of a
    pipeline folder it is its `data` unless said otherwise. Raises UndefinedObject (28000) for a user that does not exist, Conflict
    (55006) when another process has the file: connect to that server with any PostgreSQL client instead.
    """
    if isinstance(path, str) and path.split("://", 1)[0] in {"postgresql", "postgres", "redshift"}:
        hint = "Use psycopg or redshift_connector for a running server."
        raise NotSupported("nearshift.connect opens warehouses in this process", hint=hint)
    file = None if path is None else Path(path)
    folder = None if files is None else Path(files)
    if file is not None and file.is_dir():
        folder = folder or file / "data"
        file = file / ".nearshift" / "warehouse.duckdb"
        file.parent.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse.open(file, files=folder)
    try:
        connection = Connection(warehouse, user)
        if is_started:
            warehouse.start()
    except NearshiftError:
        warehouse.close()
        raise
    return connection


class Connection:
    """One session of a warehouse that it owns; closing it closes the warehouse."""

    def __init__(self, warehouse: Warehouse, user: str | None = None) -> None:
        self.warehouse = warehouse
        self._session = warehouse.session(user)
        self.notices: list[Notice] = []
        self._session.on_notice = self.notices.append

    def cursor(self) -> Cursor:
        """Return a cursor; all cursors of a connection share its one conversation."""
        return Cursor(self)

    def execute(self, text: str, parameters: Sequence[object] = ()) -> Cursor:
        """Run one statement, or a script without parameters, and return a cursor on its (last) result."""
        return self.cursor().execute(text, parameters)

    def begin(self) -> None:
        """Open a transaction block."""
        self.execute("BEGIN")

    def commit(self) -> None:
        """Commit the open transaction block, if any."""
        if self._session.status is not TransactionStatus.IDLE:
            self.execute("COMMIT")

    def rollback(self) -> None:
        """Roll the open transaction block back, if any."""
        if self._session.status is not TransactionStatus.IDLE:
            self.execute("ROLLBACK")

    def run(self, text: str, parameters: Sequence[object]) -> Iterator[Result]:
        """Run a script statement by statement, or one statement with parameters."""
        if parameters:
            prepared = self._session.prepare(_numbered(text, len(parameters)), ())
            yield self._session.run(prepared, parameters)
        else:
            yield from self._session.execute_script(text)

    def close(self) -> None:
        """Close the warehouse. Closing twice is harmless."""
        self.warehouse.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _numbered(text: str, count: int) -> str:
    """Return a text with `%s` outside quotes and comments replaced by `$1`, `$2`, …; `%%` becomes `%`."""
    if "%s" not in text:
        return text
    places = [token.start for token in tokens(text) if token.kind is not TokenKind.END and token.text.startswith("%")]
    parts, at, number = [], 0, 0
    for place in places:
        if text.startswith("%s", place):
            number += 1
            parts += [text[at:place], f"${number} "]
            at = place + 2
    if number != count:
        raise InvalidSql(f"the statement has {number} placeholders, {count} parameters were given", sqlstate="08P01")
    return "".join([*parts, text[at:]])


class Cursor:
    """The result of the statement executed last."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self._table: pa.Table | None = None
        self._at = 0
        self._rows: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.description: list[tuple[str, int, None, int, int | None, int | None, bool]] | None = None

    def execute(self, text: str, parameters: Sequence[object] = ()) -> Cursor:
        """Run one statement with parameters, or a script; raises NearshiftError."""
        self._table, self._rows, self._at, self.description, self.rowcount = None, None, 0, None, -1
        for result in self.connection.run(text, parameters):
            batches = list(result.batches)
            self.rowcount = result.row_count if result.row_count is not None else -1
            if result.columns is None:
                self._table, self.description = None, None
                continue
            labels = [column.name for column in result.columns]
            found = pa.Table.from_batches(batches) if batches else arrow_table(result.columns, [])
            self._table = found.rename_columns(labels)
            self.description = [
                (c.name, c.type.oid, None, c.type.width, c.type.precision, c.type.scale, c.is_nullable) for c in result.columns
            ]
        return self

    def executemany(self, text: str, rows: Sequence[Sequence[object]]) -> Cursor:
        """Run one statement once per row of parameters."""
        for row in rows:
            self.execute(text, row)
        return self

    def _all(self) -> list[tuple[Any, ...]]:
        if self._table is None:
            raise InvalidSql("the last statement returned no rows", sqlstate="24000")
        if self._rows is None:
            self._rows = list(zip(*(column.to_pylist() for column in self._table.columns), strict=True))
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, or None."""
        found = self.fetchmany(1)
        return found[0] if found else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """Return the next `size` rows (arraysize if None)."""
        rows = self._all()
        taken = rows[self._at : self._at + (self.arraysize if size is None else size)]
        self._at += len(taken)
        return taken

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows left."""
        rows = self._all()[self._at :]
        self._at += len(rows)
        return rows

    def arrow(self) -> pa.Table:
        """Return the whole result as an Arrow table."""
        if self._table is None:
            raise InvalidSql("the last statement returned no rows", sqlstate="24000")
        return self._table

    def df(self) -> pandas.DataFrame:
        """Return the whole result as a pandas data frame; needs pandas."""
        return self.arrow().to_pandas()

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Do nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing, as PEP 249 allows."""

    def close(self) -> None:
        """Forget the result."""
        self._table = self._rows = None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row


Error = NearshiftError
