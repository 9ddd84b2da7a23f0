"""Small results made by commands."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from nearshift.results import Result
from nearshift.sql.relations import Column
from nearshift.types import VARCHAR, Kind, SqlType


def rows_result(
    command: str, labels: tuple[str, ...], rows: Sequence[tuple[object, ...]], types: tuple[SqlType, ...] | None = None
) -> Result:
    """Return a result of rows held in memory; types are VARCHAR, and values their text, unless types are given."""
    kinds = types or tuple(VARCHAR for _label in labels)
    columns = tuple(Column(label, kind) for label, kind in zip(labels, kinds, strict=True))
    texts = [tuple(str(v) if v is not None and kinds[i] == VARCHAR else v for i, v in enumerate(row)) for row in rows]
    batches = arrow_table(columns, texts).to_batches() if rows else []
    return Result(command, columns, iter(batches), row_count=len(rows))


_ARROW = {
    Kind.BOOLEAN: pa.bool_(), Kind.SMALLINT: pa.int16(), Kind.INTEGER: pa.int32(), Kind.BIGINT: pa.int64(), Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(), Kind.DATE: pa.date32(), Kind.TIME: pa.time64("us"), Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"), Kind.VARBYTE: pa.binary(), Kind.OID: pa.int64(),
}  # fmt: skip


def arrow_table(columns: Sequence[Column], rows: Sequence[tuple[object, ...]]) -> pa.Table:
    """Return rows of Python values as an Arrow table in the types that the engine would give for the columns."""
    arrays = []
    for i, column in enumerate(columns):
        kind = _ARROW.get(column.type.kind)
        if column.type.kind is Kind.DECIMAL:
            kind = pa.decimal128(column.type.precision or 38, column.type.scale or 0)
        values = [row[i] for row in rows]
        arrays.append(pa.array(values, kind) if kind is not None else pa.array(values, None if column.type.kind in _OPEN else pa.string()))
    return pa.table(arrays, names=[f"c{i}" for i in range(len(columns))])


_OPEN = frozenset({Kind.INTERVAL, Kind.TIMETZ})
