"""A DuckDB connection with everything that translations call, for benchmarks without a warehouse."""

from __future__ import annotations

from typing import Any

import duckdb

from nearshift.sql.macros import SETUP
from nearshift.sql.natives import NATIVES


def desk() -> duckdb.DuckDBPyConnection:
    """Return a connection with everything that translations call."""
    connection = duckdb.connect()
    options: Any = {"type": "arrow", "null_handling": "special"}
    for native in NATIVES:
        arguments: Any = [duckdb.type(one) for one in native.arguments]
        connection.create_function(native.name, native.over_arrays, arguments, duckdb.type(native.result), **options)
    for statement in SETUP:
        connection.execute(statement)
    return connection
