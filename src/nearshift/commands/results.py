"""Small results made by commands."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from nearshift.results import Result
from nearshift.sql.relations import Column
from nearshift.types import VARCHAR, SqlType


def rows_result(
    command: str, labels: tuple[str, ...], rows: Sequence[tuple[object, ...]], types: tuple[SqlType, ...] | None = None
) -> Result:
    """Return a result of rows held in memory; types are VARCHAR, and values their text, unless types are given."""
    kinds = types or tuple(VARCHAR for _label in labels)
    columns = tuple(Column(label, kind) for label, kind in zip(labels, kinds, strict=True))
    arrays = []
    for i, kind in enumerate(kinds):
        values = [row[i] for row in rows]
        is_text = kind == VARCHAR
        arrays.append(pa.array([None if v is None else str(v) for v in values], pa.string()) if is_text else pa.array(values))
    batch = pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(labels))])
    return Result(command, columns, iter([batch] if rows else []), row_count=len(rows))
