"""Delimited text and CSV: Arrow's reader where it reads exactly what Redshift would, our own record by record where not.

Text comes in pieces. Of each piece the longest beginning of complete and regular records goes to Arrow at once; the rest, up to the last
complete record, goes to `transfer.records`. What is regular: every record has the table's number of fields, no carriage return stands
alone, nothing is escaped, quotes (of CSV) enclose whole fields, and all is UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from nearshift import limits
from nearshift.transfer import reasons
from nearshift.transfer.batches import Batch, Failure, LoadColumn, Trace
from nearshift.transfer.records import Quoting, RawRecord, Records, TextShape

_BLANK_LINE = re.compile(rb"\A\r?\n|\n\r?\n")


@dataclass(frozen=True, slots=True)
class LineRules:
    """What COPY's options say of lines and characters."""

    header_lines: int = 0
    fills_records: bool = False
    ignores_blank_lines: bool = False
    replacement: str | None = None


class DelimitedReader:
    """Reads one file at a time; `read` may be called for many."""

    def __init__(self, columns: Sequence[LoadColumn], shape: TextShape, rules: LineRules) -> None:
        self._columns = columns
        self._shape = shape
        self._rules = rules
        self._records = Records(shape)

    def read(self, pieces: Iterable[bytes]) -> Iterator[Batch]:
        """Yield the batches of a file."""
        line = 1
        skipped = self._rules.header_lines
        text = b""
        for piece, is_last in _with_end(pieces):
            text += piece
            if skipped:
                text, gone = _without_lines(text, skipped)
                skipped -= gone
                line += gone
                if skipped:
                    continue
            fast = self._fast_end(text, is_last=is_last)
            if fast:
                batch = self._fast(text[:fast], line)
                if batch is None:
                    fast, batch = 0, None
                else:
                    yield batch
                    line += batch.lines
                    text = text[fast:]
            if text and (is_last or not fast or self._records_wanted):
                batch, used, lines = self._slow(text, line, is_last=is_last)
                if batch is not None:
                    yield batch
                line += lines
                text = text[used:]
            if len(text) > limits.COPY_ROW_BYTES_MAX:
                batch, text = self._too_long(text, line)
                line += 1
                yield batch

    @property
    def _records_wanted(self) -> bool:
        """Whether the rest of a piece may hold complete records that the fast reader left."""
        return self._shape.quoting is not Quoting.NONE or self._shape.is_escaped

    @cached_property
    def _regular(self) -> re.Pattern[bytes]:
        """Complete records of CSV whose quotes enclose whole fields."""
        quote, delimiter = re.escape(self._shape.quote), re.escape(self._shape.delimiter)
        field = quote + b"(?:[^" + quote + b"]|" + quote + quote + b")*+" + quote + b"|[^" + quote + delimiter + b"\r\n]*+"
        return re.compile(b"(?:(?:(?:" + field + b")" + delimiter + b")*+(?:" + field + b")\r?+\n)*+", re.DOTALL)

    def _fast_end(self, text: bytes, *, is_last: bool) -> int:
        """Return where the regular beginning of a text ends, 0 when there is none."""
        shape = self._shape
        if len(shape.delimiter) != 1 or shape.delimiter[0] > 127 or b"\0" in text:
            return 0
        end = len(text) if is_last else text.rfind(b"\n") + 1
        if shape.is_escaped and text.find(b"\\", 0, end) >= 0:
            return 0
        if shape.quoting is Quoting.REMOVEQUOTES and (text.find(b'"', 0, end) >= 0 or text.find(b"'", 0, end) >= 0):
            return 0
        if shape.quoting is Quoting.CSV and text.find(shape.quote, 0, end) >= 0:
            match = self._regular.match(text, 0, end)
            return match.end() if match else 0
        return end

    def _fast(self, text: bytes, line: int) -> Batch | None:
        """Read regular text with Arrow; None when it is not regular after all."""
        if text.count(b"\r") != text.count(b"\r\n"):
            return None
        # Arrow makes a row of empty fields of a blank line, where Redshift misses the delimiters. Of one field, a blank line is a row.
        if (len(self._columns) > 1 or self._rules.ignores_blank_lines) and _BLANK_LINE.search(text):
            return None
        width = len(self._columns)
        has_tail = self._shape.quoting is Quoting.NONE and _ends_with(text, self._shape.delimiter, width)
        table = _parse(text, self._shape, width + has_tail)
        if table is None or (has_tail and not pc.all(pc.equal(table.column(width), "")).as_py()):
            return None
        table = table.slice(0) if not has_tail else table.select(range(width))
        lines = text.count(b"\n") + (not text.endswith(b"\n"))

        def trace(rows: Sequence[int]) -> list[Trace]:
            wanted = set(rows)
            found = {}
            for index, record in enumerate(self._records.split(text, is_last=True)):
                if index in wanted:
                    found[index] = Trace(line + record.line, _shown(text, record))
            return [found[row] for row in rows]

        return Batch(table.columns, table.num_rows, lines, trace)

    def _slow(self, text: bytes, line: int, *, is_last: bool) -> tuple[Batch | None, int, int]:
        """Read record by record; return the batch, how many bytes and how many lines it took."""
        rows: list[tuple[str | None, ...]] = []
        kept: list[RawRecord] = []
        failures: list[Failure] = []
        used = lines = 0
        for record in self._records.split(text, is_last=is_last):
            used = record.end
            lines = record.line + record.lines
            if self._rules.ignores_blank_lines and record.fields == (b"",):
                continue
            found = self._row(record)
            if isinstance(found, tuple) and not isinstance(found[0], int):
                rows.append(found)
                kept.append(record)
            else:
                failures.append(self._failure(record, text, line, found))
        if not rows and not failures:
            return None, used, lines
        columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)] if rows else self._no_rows()

        def trace(wanted: Sequence[int]) -> list[Trace]:
            return [Trace(line + kept[row].line, _shown(text, kept[row])) for row in wanted]

        return Batch(columns, len(rows), lines, trace, failures), used, lines

    def _no_rows(self) -> list[Any]:
        return [pa.array([], pa.string()) for _ in self._columns]

    def _row(self, record: RawRecord) -> Any:
        """Return the row's values, or (code, reason, position, column index) of what is wrong."""
        if record.problem is not None:
            return (*record.problem, 0, None)
        fields = record.fields
        width = len(self._columns)
        if len(fields) == width + 1 and self._shape.quoting is not Quoting.CSV and not fields[-1]:
            fields = fields[:width]
        if len(fields) > width:
            return (*reasons.EXTRA_COLUMNS, 0, None)
        if len(fields) < width:
            if not self._rules.fills_records:
                return (*reasons.MISSING_DELIMITER, 0, len(fields) - 1)
            fields = (*fields, *[b""] * (width - len(fields)))
        return self.decoded(fields)

    def decoded(self, fields: Sequence[bytes]) -> Any:
        """Return the texts of fields, or (code, reason, position, column index) for the first that is not UTF-8."""
        texts = []
        for index, field in enumerate(fields):
            try:
                texts.append(field.decode())
            except UnicodeDecodeError as error:
                if self._rules.replacement is None:
                    return (*reasons.bad_utf8(field, error), index)
                texts.append(replaced(field, self._rules.replacement))
        return tuple(texts)

    def _failure(self, record: RawRecord, text: bytes, line: int, found: tuple[int, str, int, int | None]) -> Failure:
        code, reason, position, index = found
        column = self._columns[index] if index is not None else None
        fields = tuple(field.decode(errors="replace") for field in record.fields)
        value = fields[index] if index is not None and index < len(fields) else ""
        return Failure(line + record.line, column, position, _shown(text, record), value, code, reason, fields)

    def _too_long(self, text: bytes, line: int) -> tuple[Batch, bytes]:
        end = text.find(b"\n") + 1 or len(text)
        shown = text[:1024].decode(errors="replace")
        failure = Failure(line, None, 0, shown, "", *reasons.TOO_LONG)
        return Batch(self._no_rows(), 0, 1, lambda _rows: [], [failure]), text[end:]


def replaced(field: bytes, replacement: str) -> str:
    """Return text with every byte that is not UTF-8 replaced ("ACCEPTINVCHARS": as many characters as there were bytes)."""
    parts = []
    while True:
        try:
            parts.append(field.decode())
            return "".join(parts)
        except UnicodeDecodeError as error:
            parts.append(field[: error.start].decode() + replacement * (error.end - error.start))
            field = field[error.end :]


def _parse(text: bytes, shape: TextShape, width: int) -> pa.Table | None:
    names = [f"c{index}" for index in range(width)]
    quote = shape.quote.decode() if shape.quoting is Quoting.CSV else False
    try:
        return csv.read_csv(
            pa.py_buffer(text),
            csv.ReadOptions(use_threads=False, block_size=max(len(text), 1) + 1, column_names=names),
            csv.ParseOptions(
                delimiter=shape.delimiter.decode(), quote_char=quote, double_quote=bool(quote), newlines_in_values=bool(quote),
                ignore_empty_lines=False,
            ),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, quoted_strings_can_be_null=False),
        )  # fmt: skip
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _ends_with(text: bytes, delimiter: bytes, width: int) -> bool:
    """Whether the first line has a delimiter after its last field, as many tools write."""
    line = text.partition(b"\n")[0].rstrip(b"\r")
    return line.endswith(delimiter) and line.count(delimiter) == width


def _shown(text: bytes, record: RawRecord) -> str:
    """Return a record as `raw_line` shows it: at most 1,024 characters, a period for every one that is not ASCII."""
    raw = text[record.start : min(record.end, record.start + 4096)].decode(errors="replace").rstrip("\r\n")
    return ascii_only(raw)


def ascii_only(text: str) -> str:
    """Return at most 1,024 characters of a text, with a period for every one that is not ASCII."""
    return "".join(one if ord(one) < 128 else "." for one in text[:1024])


def _with_end(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield pieces with whether each is the last; an empty file has one empty last piece."""
    before = b""
    for piece in pieces:
        if before:
            yield before, False
        before = piece
    yield before, True


def _without_lines(text: bytes, count: int) -> tuple[bytes, int]:
    """Drop up to `count` whole lines from the beginning; return the rest and how many were dropped."""
    dropped = position = 0
    while dropped < count and (end := text.find(b"\n", position)) >= 0:
        position = end + 1
        dropped += 1
    return text[position:], dropped
