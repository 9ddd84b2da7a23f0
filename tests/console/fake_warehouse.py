"""A warehouse for the console's tests: DuckDB in memory behind the console's protocol, with a small customer-transaction pipeline in it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from nearshift.console.source import StreamMetric
from nearshift.errors import Cancelled, InternalError, InvalidSql, NearshiftError, Span, UndefinedObject
from nearshift.events import Committed, Events, Subscription
from nearshift.results import Notice, Prepared, Result, Severity
from nearshift.sql.relations import Column
from nearshift.types import SqlType, from_duckdb

DASHBOARDS = Path(__file__).parent / "dashboards"
_SETUP = (Path(__file__).parent / "fake_warehouse.sql").read_text(encoding="utf-8")


class FakeSession:
    """A cursor that answers as a session does; statements are split at semicolons."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, asked: list[str]) -> None:
        self._cursor = cursor
        self._asked = asked
        self.on_notice: Callable[[Notice], None] = lambda _notice: None
        self.is_closed = False

    def execute_script(self, text: str) -> Iterator[Result]:
        start = 0
        for piece in text.split(";"):
            if piece.strip():
                yield self._answer(piece, (), start)
            start += len(piece) + 1

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:
        columns: tuple[Column, ...] | None = None
        if not parameter_types:
            try:
                described = self._cursor.execute(f"DESCRIBE {text}").fetchall()
            except duckdb.Error as error:
                raise _translate(error, text, 0) from error
            columns = tuple(Column(row[0], from_duckdb(row[1])) for row in described)
        return Prepared(text, tuple(kind or SqlType(kind=from_duckdb("VARCHAR").kind) for kind in parameter_types), columns)

    def run(self, prepared: Prepared, values: Sequence[Any]) -> Result:
        return self._answer(prepared.text, values, 0)

    def interrupt(self) -> None:
        self._cursor.interrupt()

    def close(self) -> None:
        self.is_closed = True
        self._cursor.close()

    def _answer(self, text: str, values: Sequence[Any], start: int) -> Result:
        self._asked.append(text.strip())
        noticed = re.match(r"\s*raise\s+'([^']*)'", text, re.IGNORECASE)
        if noticed:
            self.on_notice(Notice(Severity.NOTICE, noticed[1]))
            return Result("RAISE")
        word = text.split()[0].upper()
        try:
            if word not in {"SELECT", "WITH", "VALUES", "SHOW"}:
                rows = self._cursor.execute(text, list(values)).fetchall()
                return Result(word, None, row_count=rows[0][0] if rows and word in {"INSERT", "UPDATE", "DELETE"} else None)
            found = self._cursor.sql(text, params=list(values))
            columns = tuple(Column(name, from_duckdb(str(kind))) for name, kind in zip(found.columns, found.types, strict=True))
        except duckdb.Error as error:
            raise _translate(error, text, start) from error
        return Result("SELECT", columns, _batches(found, text, start))


def _batches(found: duckdb.DuckDBPyRelation, text: str, start: int) -> Iterator[pa.RecordBatch]:
    try:
        yield from found.to_arrow_reader(2048)
    except duckdb.Error as error:
        raise _translate(error, text, start) from error


def _translate(error: duckdb.Error, text: str, start: int) -> NearshiftError:
    message = str(error).splitlines()[0]
    if isinstance(error, duckdb.InterruptException):
        return Cancelled("canceling statement due to user request")
    span = None
    named = re.search(r'(?:at or near|with name|column) "?([A-Za-z_]\w*)"?', message)
    if named and named[1] in text:
        at = text.index(named[1]) + start
        span = Span(at, at + len(named[1]))
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        name = named[1] if named else "?"
        detail = "No schema of the search path has it."
        return UndefinedObject(f'relation "{name}" does not exist', span=span, detail=detail, hint="Look at svv_tables.")
    if isinstance(error, duckdb.ParserException):
        return InvalidSql("syntax error", span=span, hint="Look at the words before the mark.")
    return InternalError(message, span=span)


class FakeWarehouse:
    """The console's source. `asked` are all statements in order; `tick` brings new transactions and tells of the commit."""

    def __init__(self, transactions: int = 4000) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._lock = threading.Lock()
        self.asked: list[str] = []
        self.sessions: list[FakeSession] = []
        self.subscriptions = 0
        self.events = Events()
        self._connection.execute(_SETUP.replace(":transactions", str(transactions)))

    def open_session(self, *, is_read_only: bool) -> FakeSession:
        with self._lock:
            session = FakeSession(self._cursor(), self.asked)
            self.sessions.append(session)
            return session

    def subscribe(self) -> Subscription:
        self.subscriptions += 1
        return self.events.subscribe()

    def stream_metrics(self, minutes: int) -> Sequence[StreamMetric]:
        end = datetime.now(UTC).replace(microsecond=0)
        found: list[StreamMetric] = []
        for metric, base, wave in (
            ("IncomingRecords", 420.0, 90.0), ("IncomingBytes", 310_000.0, 60_000.0), ("PutRecord.Success", 0.9995, 0.0005),
            ("GetRecords.IteratorAgeMilliseconds", 180.0, 120.0),
        ):  # fmt: skip
            points = []
            for second in range(0, minutes * 60, 5):
                at = end - timedelta(seconds=minutes * 60 - second)
                tick = int(at.timestamp()) // 5
                shape = ((tick * 7919) % 101 / 101 - 0.5) * 0.7 + ((tick // 12) % 9 / 9 - 0.5)
                points.append((at, base + wave * shape))
            found.append(StreamMetric("demo-data-stream", metric, 5, tuple(points)))
        return found

    def endpoints(self) -> Mapping[str, str]:
        return {"PostgreSQL": "postgresql://nearshift@127.0.0.1:5439/dev", "Data API": "http://127.0.0.1:8439"}

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._connection.cursor()
        cursor.execute("SET search_path = 'main,public'")
        return cursor

    def execute(self, text: str) -> None:
        """Change something without telling anyone."""
        with self._lock:
            self._cursor().execute(text)

    def publish(self) -> None:
        """Tell of a commit."""
        self.events.publish(Committed(frozenset({"public.customer_transaction_fact"}), datetime.now(UTC)))

    def tick(self, count: int = 25) -> None:
        """Bring `count` new transactions, a refresh and stream counts, as one commit."""
        seed = time.monotonic_ns() % 1_000_000
        self.execute(
            f"""
            INSERT INTO public.customer_transaction_fact SELECT * FROM make_transactions({count}, {seed}, 2);
            INSERT INTO sys_nearshift_refresh SELECT 'public', name, 'Auto', 'Refresh successfully updated MV incrementally',
                now_utc() - to_microseconds(ms * 1000), now_utc(), {count}, false, NULL
                FROM (VALUES ('demo_stream_vw', 24 + {seed % 37}), ('mv_customer_transaction_event', 41 + {seed % 23})) v(name, ms);
            INSERT INTO sys_nearshift_metric VALUES (date_trunc('second', now_utc()), 'demo-data-stream', {count}, {count * 720});
            UPDATE metadata_etl SET startdate = now_utc(), enddate = now_utc(), status = 'Complete'
                WHERE jobname = 'Customer_Transaction_Fact_Load';
            UPDATE node SET row_count = row_count + {count}, last_refresh = now_utc(), lag_ms = {180 + seed % 300}
                WHERE kind NOT IN ('source', 'stream') AND name NOT LIKE '%provider%';
            UPDATE node SET row_count = row_count + {count} WHERE kind = 'stream'
            """
        )
        self.publish()

    def close(self) -> None:
        self.events.close()
        self._connection.close()
