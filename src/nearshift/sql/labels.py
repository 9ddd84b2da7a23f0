"""Labels of result columns, and names that a query's columns have inside DuckDB's text."""

from __future__ import annotations

from collections.abc import Sequence

from nearshift.sql.bind_values import OutputColumn
from nearshift.types import SqlType

# Redshift shows these functions under another name ("NVL and COALESCE functions", "DATEADD function", "DATEDIFF function").
FUNCTION_LABELS = {
    "nvl": "coalesce", "dateadd": "date_add", "datediff": "date_diff", "len": "length", "char_length": "char_length",
    "decode": "case", "nvl2": "case",
}  # fmt: skip


def function_label(name: str) -> str:
    """Return the label of a column that is a call of `name`."""
    return FUNCTION_LABELS.get(name, name)


def unique_columns(labels: Sequence[tuple[str, SqlType]]) -> tuple[OutputColumn, ...]:
    """Give every column a DuckDB name of its own; DuckDB's names do not tell upper from lower case, so neither may these."""
    taken: set[str] = set()
    columns = []
    for label, kind in labels:
        name, count = label, 1
        while name.lower() in taken or not name:
            count += 1
            name = f"{label}${count}"
        taken.add(name.lower())
        columns.append(OutputColumn(label, name, kind))
    return tuple(columns)
