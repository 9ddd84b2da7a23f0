"""Batches into a table: one INSERT per batch of the rows that fit, and the rest as failures, up to MAXERROR of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from nearshift import limits
from nearshift.errors import NearshiftError
from nearshift.transfer.batches import Batch, Failure, LoadColumn
from nearshift.transfer.places import FoundFile
from nearshift.transfer.reasons import reason_of
from nearshift.transfer.values import SOURCE, Conversion


class LoadConnection(Protocol):
    """The part of an engine's Connection that a load needs."""

    def registered(self, name: str, table: pa.Table | pa.RecordBatch) -> Any:
        """Make an Arrow table readable for a while."""
        ...

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement and return the rows it affected."""
        ...

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        ...


class TooManyErrors(NearshiftError):
    """The load met as many bad rows as MAXERROR allows, or one without it."""


@dataclass(slots=True)
class LoadedFile:
    """What was read of one file, for SYS_LOAD_DETAIL."""

    found: FoundFile
    started_at: datetime
    ended_at: datetime | None = None
    bytes_read: int = 0
    lines: int = 0
    rows: int = 0


@dataclass(slots=True)
class Loaded:
    """What a load did so far; `failures` keeps at most COPY_ERRORS_MAX of the `error_count` bad rows, each with its file's address."""

    files: list[LoadedFile] = field(default_factory=list)
    failures: list[tuple[str, Failure]] = field(default_factory=list)
    row_count: int = 0
    error_count: int = 0


class Loader:
    """Loads the batches of one COPY, in the caller's transaction. Raises TooManyErrors (the caller rolls back)."""

    def __init__(self, connection: LoadConnection, columns: Sequence[LoadColumn], errors_max: int | None, *, is_dry: bool) -> None:
        self._connection = connection
        self._columns = columns
        self._errors_max = errors_max
        self._is_dry = is_dry
        self.loaded = Loaded()

    def load(self, file: LoadedFile, batch: Batch, conversion: Conversion) -> None:
        """Insert the rows of a batch that fit, and note the others."""
        file.lines += batch.lines
        failures = list(batch.failures)
        if batch.row_count:
            arrays = {f"c{index}": array for index, array in enumerate(batch.columns)}
            with self._connection.registered(SOURCE, pa.table(arrays)):
                if self._is_dry:
                    count = int(self._connection.rows(conversion.count)[0][0])
                else:
                    count = self._connection.execute(conversion.insert)
            file.rows += count
            self.loaded.row_count += count
            if count != batch.row_count:
                failures += self._misfits(batch, conversion, arrays)
        if failures:
            self._note(file.found.url, sorted(failures, key=lambda one: one.line))

    def _misfits(self, batch: Batch, conversion: Conversion, arrays: dict[str, Any]) -> list[Failure]:
        numbered = pa.table({**arrays, "n": pa.array(range(batch.row_count), pa.int64())})
        wanted = limits.COPY_ERRORS_MAX if self._errors_max is None else self._errors_max - self.loaded.error_count
        with self._connection.registered(SOURCE, numbered):
            found = self._connection.rows(conversion.failures, [max(wanted, 1)])
        traces = batch.trace([row[0] for row in found])
        return [self._misfit(row, trace.line, trace.raw) for row, trace in zip(found, traces, strict=True)]

    def _misfit(self, row: tuple[Any, ...], line: int, raw: str) -> Failure:
        """Return the failure of a row from its index and, per column, the text and whether its value is NULL."""
        texts = [None if text is None else str(text) for text in row[1::2]]
        for column, text, is_null in zip(self._columns, texts, row[2::2], strict=True):
            if is_null and (text is not None or not column.is_nullable):
                code, reason, position = reason_of(column, text)
                return Failure(line, column, position, raw, text or "", code, reason, tuple(texts))
        raise AssertionError("a row that was left out has a value that does not fit")

    def _note(self, url: str, failures: list[Failure]) -> None:
        for failure in failures:
            self.loaded.error_count += 1
            if len(self.loaded.failures) < limits.COPY_ERRORS_MAX:
                self.loaded.failures.append((url, replace(failure, raw_value=failure.raw_value[:1024])))
            if self._errors_max is not None and self.loaded.error_count >= self._errors_max:
                raise TooManyErrors(failure.reason)
