"""Functions that SQL alone cannot say, written in Python and called by translations as `nearshift_<name>`.

Each works on one row and gives NULL for a NULL argument; `over_arrays` makes of it what the engine calls, a function over Arrow arrays.
An error is a ValueError whose text begins with the macros' mark and a SQLSTATE. They cost about a microsecond a row, so what DuckDB can do
exactly stays in `macros`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from nearshift.sql import native_dates, native_documents, native_hashes, native_numbers, native_texts

_ARROW = {
    "VARCHAR": pa.string(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "TIMESTAMP": pa.timestamp("us"), "BLOB": pa.binary(),
    "BOOLEAN": pa.bool_(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Native:
    """One function: its name in DuckDB, the DuckDB types of its arguments and result, and what it does to one row."""

    name: str
    arguments: tuple[str, ...]
    result: str
    row: Callable[..., Any]

    @property
    def over_arrays(self) -> Callable[..., pa.Array]:
        """The function over Arrow arrays; it has as many parameters as the row's, since DuckDB counts them."""
        over = self._over
        if len(self.arguments) == 1:
            return lambda one: over(one)
        if len(self.arguments) == 2:
            return lambda one, two: over(one, two)
        assert len(self.arguments) == 3, self.name
        return lambda one, two, three: over(one, two, three)

    def _over(self, *columns: Any) -> pa.Array:
        """Return the results for all rows; a NULL among a row's arguments gives NULL."""
        lists: Sequence[Any] = [column.to_pylist() for column in columns]
        row = self.row
        if len(lists) == 1:
            values = [None if one is None else row(one) for one in lists[0]]
        else:
            values = [None if None in several else row(*several) for several in zip(*lists, strict=True)]
        return pa.array(values, _ARROW[self.result])


NATIVES: Final[tuple[Native, ...]] = (
    Native("nearshift_sha2", ("VARCHAR", "INTEGER"), "VARCHAR", native_hashes.sha2),
    Native("nearshift_crc32c", ("VARCHAR",), "VARCHAR", native_hashes.crc32c),
    Native("nearshift_fnv_bytes", ("BLOB", "BIGINT"), "BIGINT", native_hashes.fnv_bytes),
    Native("nearshift_fnv_integer", ("BIGINT", "INTEGER", "BIGINT"), "BIGINT", native_hashes.fnv_integer),
    Native("nearshift_murmur_bytes", ("BLOB", "INTEGER"), "INTEGER", native_hashes.murmur_bytes),
    Native("nearshift_murmur_integer", ("BIGINT", "INTEGER"), "INTEGER", native_hashes.murmur_integer),
    Native("nearshift_murmur_digits", ("VARCHAR", "INTEGER"), "INTEGER", native_hashes.murmur_digits),
    Native("nearshift_farmhash", ("BLOB",), "BIGINT", native_hashes.farm_fingerprint),
    Native("nearshift_soundex", ("VARCHAR",), "VARCHAR", native_texts.soundex),
    Native("nearshift_difference", ("VARCHAR", "VARCHAR"), "INTEGER", native_texts.difference),
    Native("nearshift_strtol", ("VARCHAR", "BIGINT"), "BIGINT", native_numbers.based_integer),
    Native("nearshift_text_number", ("VARCHAR", "BIGINT", "BIGINT"), "VARCHAR", native_numbers.teradata_number),
    Native("nearshift_number_text", ("VARCHAR", "VARCHAR"), "VARCHAR", native_numbers.number_text),
    Native("nearshift_text_timestamp", ("VARCHAR", "VARCHAR"), "VARCHAR", native_dates.canonical),
    Native("nearshift_zone", ("VARCHAR",), "VARCHAR", native_dates.zone_name),
    Native("nearshift_parsed_timestamp", ("VARCHAR", "VARCHAR", "INTEGER"), "TIMESTAMP", native_dates.parse_by_format),
    Native("nearshift_beyond_limits", ("VARCHAR", "BOOLEAN"), "BOOLEAN", native_documents.beyond_limits),
    Native("nearshift_strict_path", ("VARCHAR", "VARCHAR"), "VARCHAR", native_documents.strict_path),
    Native("nearshift_array_contains", ("VARCHAR", "VARCHAR", "BOOLEAN"), "BOOLEAN", native_documents.array_contains),
    Native("nearshift_array_position", ("VARCHAR", "VARCHAR", "BOOLEAN"), "INTEGER", native_documents.array_position),
    Native("nearshift_array_positions", ("VARCHAR", "VARCHAR", "BOOLEAN"), "VARCHAR", native_documents.array_positions),
    Native("nearshift_array_distinct", ("VARCHAR",), "VARCHAR", native_documents.array_distinct),
    Native("nearshift_fractions_flagged", ("VARCHAR",), "VARCHAR", native_documents.fractions_flagged),
    Native("nearshift_array_flatten", ("VARCHAR",), "VARCHAR", native_documents.array_flatten),
    Native("nearshift_array_except", ("VARCHAR", "VARCHAR", "BOOLEAN"), "VARCHAR", native_documents.array_except),
    Native("nearshift_array_intersection", ("VARCHAR", "VARCHAR", "BOOLEAN"), "VARCHAR", native_documents.array_intersection),
    Native("nearshift_array_union", ("VARCHAR", "VARCHAR"), "VARCHAR", native_documents.array_union),
    Native("nearshift_arrays_overlap", ("VARCHAR", "VARCHAR"), "BOOLEAN", native_documents.arrays_overlap),
    Native("nearshift_array_sort", ("VARCHAR", "BOOLEAN", "BOOLEAN"), "VARCHAR", native_documents.array_sort),
    Native("nearshift_upper_names", ("VARCHAR",), "VARCHAR", native_documents.upper_names),
    Native("nearshift_lower_names", ("VARCHAR",), "VARCHAR", native_documents.lower_names),
    Native("nearshift_object_transform", ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR", native_documents.object_transform),
)
