"""What commands write: results to standard output, everything said about them to standard error; colours only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nearshift.errors import NearshiftError, caret_lines

if TYPE_CHECKING:
    from rich.console import Console


def console(*, is_error: bool = False) -> Console:
    """Return a rich console on standard output, or error; it obeys NO_COLOR and is plain where there is no terminal."""
    from rich.console import Console

    return Console(stderr=is_error, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def report(error: NearshiftError, text: str | None = None) -> None:
    """Write an error to standard error: message, the line it points to with a caret, detail, hint.

    `text` is the SQL that its span is in; an error from a file of a pipeline folder brings its own.
    """
    source = getattr(error, "text", None) or text or getattr(error, "statement", None)
    file = getattr(error, "file", None)
    lines = [f"nearshift: {file}: {error.message}" if file else f"nearshift: {error.message}"]
    if source is not None and error.span is not None:
        lines += caret_lines(source, error.span)
    lines += [f"{label}: {value}" for label, value in (("DETAIL", error.detail), ("HINT", error.hint), ("CONTEXT", error.context)) if value]
    say("\n".join(lines))


def write_json(value: Any) -> None:
    """Write one JSON document and a new line to standard output."""
    sys.stdout.write(json.dumps(value, default=plain, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """Return what stands for a value in JSON: decimals keep their digits as text, times are ISO 8601."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


def cell(value: Any) -> str:
    """Return a value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, float):
        return repr(value)
    return value if isinstance(value, str) else str(plain(value)) if not isinstance(value, int) else str(value)


def write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """Write rows as a table to standard output: ruled on a terminal, tab-separated with a line of labels elsewhere."""
    if not sys.stdout.isatty():
        lines = ["\t".join(columns), *("\t".join(_one_line(cell(value)) for value in row) for row in rows)]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for index, label in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        table.add_column(Text(label), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    console().print(table)


def _one_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
