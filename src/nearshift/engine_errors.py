"""What DuckDB's errors mean to a client of Redshift.

Names and types are checked before a statement reaches DuckDB, so what remains are values that do not fit, conflicts, limits of the machine,
and faults of our translation, which are said to be ours. DuckDB's positions point into SQL that we generated and are never passed on.
Macros of ours raise errors of their own: `sql.macros.raised_error`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from nearshift.errors import (
    Cancelled,
    ConfigurationError,
    Conflict,
    DataError,
    InternalError,
    NearshiftError,
)
from nearshift.sql.macros import raised_error

log = logging.getLogger("nearshift.engine")

_TYPES = {
    "INT8": "smallint", "INT16": "smallint", "INT32": "integer", "INT64": "bigint", "INT128": "numeric", "DOUBLE": "double precision",
    "FLOAT": "real", "BOOL": "boolean", "BOOLEAN": "boolean",
}  # fmt: skip


def _type(name: str) -> str:
    return _TYPES.get(name.upper(), name.lower())


_RULES: tuple[tuple[str, Callable[[re.Match[str]], NearshiftError]], ...] = (
    (
        r"Could not convert string [\"'](.*)[\"'] to '?(\w+)",
        lambda m: DataError(f'invalid input syntax for {_type(m[2])}: "{m[1]}"', sqlstate="22P02"),
    ),
    (
        r"invalid (\w+) (?:field format|format|string).*\"(.*?)\"",
        lambda m: DataError(f'invalid input syntax for {m[1]}: "{m[2]}"', sqlstate="22007"),
    ),
    (r"(\w+) field value out of range: \"(.*?)\"", lambda m: DataError(f'{m[1]} value out of range: "{m[2]}"', sqlstate="22008")),
    (
        r"Type INT\d+ with value (\S+) can't be cast.*destination type (\w+)",
        lambda m: DataError(f"{_type(m[2])} out of range", sqlstate="22003", detail=f"The value is {m[1]}."),
    ),
    (
        r"Overflow in (\w+) of DECIMAL",
        lambda m: DataError(f"128 bit numeric data overflow ({m[1].lower()})", sqlstate="22003"),
    ),
    (
        r"Overflow in \w+ of (\w+)",
        lambda m: DataError(f"{_type(m[1])} out of range", sqlstate="22003"),
    ),
    (
        r"Casting value \"?(.*?)\"? to type DECIMAL\((\d+),(\d+)\) failed",
        lambda m: DataError(
            "numeric data overflow (result precision)", sqlstate="22003", detail=f"The value {m[1]} does not fit numeric({m[2]},{m[3]})."
        ),
    ),
    (r"Division by zero|division by zero", lambda _: DataError("division by zero", sqlstate="22012")),
    (r"Malformed JSON.*?:\s*(.*)", lambda m: DataError("invalid json object", sqlstate="22032", detail=m[0].splitlines()[0])),
    (
        r'NOT NULL constraint failed: (?:.*\.)?"?([^"\n]+)"?',
        lambda m: DataError(f"cannot insert a NULL value into column {m[1]}", sqlstate="23502"),
    ),
    (
        r"Conflict on|write-write conflict|Catalog write|serialize",
        lambda _: Conflict(
            "1023: serializable isolation violation on a table",
            sqlstate="40001",
            detail="Another transaction changed the same rows after this one began.",
            hint="Run the transaction again.",
        ),
    ),
    (
        r"Current transaction is aborted",
        lambda _: Conflict("current transaction is aborted, commands ignored until end of transaction block", sqlstate="25P02"),
    ),
    (r"INTERRUPT|Interrupted", lambda _: Cancelled("canceling statement due to user request")),
    (
        r"No space left on device|disk is full|not enough space|File too large|quota exceeded",
        lambda _: NearshiftError(
            "could not write: no space left on the device",
            sqlstate="53100",
            hint="Free disk space; what was committed is safe, and refreshing goes on by itself.",
        ),
    ),
    (
        r"Max expression depth",
        lambda _: NearshiftError("the statement is nested too deeply", sqlstate="54001", hint="Split the expression into parts."),
    ),
    (r"Out of Memory|failed to allocate|memory limit", lambda _: NearshiftError("out of memory", sqlstate="53200")),
    (
        r"(Could not (?:write|read|sync|truncate|open|flush) [^:]*): (.*)",
        lambda m: NearshiftError(
            "the warehouse file could not be read or written", sqlstate="58030", detail=f"{m[2].splitlines()[0].strip()}.",
            hint="Check the disk; what was committed is safe.",
        ),
    ),
    (r"out of range|overflow", lambda _: DataError("value out of range", sqlstate="22003")),
    (
        r"more than one row returned by a subquery|Scalar subquery",
        lambda _: DataError("single-row subquery returns more than one row", sqlstate="21000"),
    ),
)
_COMPILED = tuple((re.compile(pattern, re.DOTALL | re.IGNORECASE), build) for pattern, build in _RULES)


def translate(error: Exception, *, path: Path | None = None) -> NearshiftError:
    """Return the error that a client sees for an error of DuckDB; `path` is the file that was being opened, if any."""
    text = str(error)
    if path is not None:
        return _while_opening(text, path)
    first = text.split("\n\nLINE ")[0]
    raised = raised_error(first)
    if raised is not None:
        return raised
    for pattern, build in _COMPILED:
        match = pattern.search(first)
        if match:
            return build(match)
    if first.startswith(("Conversion Error", "Invalid Input Error", "Out of Range Error", "Constraint Error")):
        return DataError(first.split(": ", 1)[-1].splitlines()[0], sqlstate="22000")
    log.error("DuckDB refused a translated statement: %s", first)
    return InternalError(
        "the statement could not be run by the engine",
        detail=first.splitlines()[0],
        hint="This is a fault of nearshift: please report the statement.",
    )


def _while_opening(text: str, path: Path) -> NearshiftError:
    holder = re.search(r"PID (\d+)", text)
    if "Could not set lock" in text:
        by = f" (process {holder[1]})" if holder else ""
        return Conflict(
            f'the warehouse file "{path}" is in use by another process{by}',
            sqlstate="55006",
            hint="Connect to the running server, or stop it first: one process owns a warehouse file.",
        )
    return ConfigurationError(
        f'the warehouse file "{path}" could not be opened', detail=text.splitlines()[0], hint="Check the path, its rights and its disk."
    )
