"""Delimited text, record by record: exact, and slow. Used for what the fast reader refuses, and to show where a bad row stands.

A record ends with a line feed, a carriage return or both. Three ways of protecting characters, by option: CSV (a field in quotes, a quote
inside doubled), ESCAPE (a backslash before any character), REMOVEQUOTES (a field in single or double quotes, which are taken off).
Source pages: "Data format parameters", "Data conversion parameters".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from nearshift.transfer import reasons


class Quoting(Enum):
    """How fields may be protected."""

    NONE = "none"
    CSV = "csv"
    REMOVEQUOTES = "removequotes"


@dataclass(frozen=True, slots=True)
class TextShape:
    """What separates and protects the fields of a file; `null_as` is looked for before escapes are resolved."""

    delimiter: bytes = b"|"
    quoting: Quoting = Quoting.NONE
    quote: bytes = b'"'
    is_escaped: bool = False
    null_as: bytes = b"\\N"


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record: its first line, from the text's first as 0, how many it spans, its bytes, and its fields or what is wrong."""

    line: int
    lines: int
    start: int
    end: int
    fields: tuple[bytes, ...]
    problem: tuple[int, str] | None = None


class Records:
    """Splits text into records. Give it what is left of a file; it stops before a record that is not complete."""

    def __init__(self, shape: TextShape) -> None:
        self._shape = shape

    @cached_property
    def _plain(self) -> re.Pattern[bytes]:
        """A field that no quotes protect, up to what ends it."""
        delimiter = re.escape(self._shape.delimiter)
        if self._shape.is_escaped:
            return re.compile(rb"(?:\\(?:\r\n|.)|(?!" + delimiter + rb")[^\\\r\n])*+", re.DOTALL)
        if len(self._shape.delimiter) == 1:
            return re.compile(b"[^" + delimiter + b"\r\n]*+")
        return re.compile(b"(?:(?!" + delimiter + b")[^\r\n])*+")

    @cached_property
    def _quoted(self) -> dict[bytes, re.Pattern[bytes]]:
        """A field in quotes, by its quote."""
        if self._shape.quoting is Quoting.CSV:
            quote = re.escape(self._shape.quote)
            return {self._shape.quote: re.compile(quote + b"((?:[^" + quote + b"]|" + quote + quote + b")*+)" + quote, re.DOTALL)}
        if self._shape.quoting is Quoting.REMOVEQUOTES:
            inner = rb"(?:\\.|[^\\%s])*+" if self._shape.is_escaped else rb"[^%s]*+"
            return {one: re.compile(one + b"(" + inner % one + b")" + one, re.DOTALL) for one in (b'"', b"'")}
        return {}

    def split(self, text: bytes, *, is_last: bool) -> Iterator[RawRecord]:
        """Yield the records of a text; with `is_last` its end ends the last one, else an unfinished record is left out."""
        position = line = 0
        while position < len(text):
            start = position
            fields, position, problem = self._record(text, position)
            is_open = problem == reasons.OPEN_QUOTE
            if position >= len(text) and not is_last and not _ends_line(text, position):
                return
            if is_open and not is_last:
                return
            if problem is not None:
                position = _line_end(text, start if is_open else position)
            spanned = _lines(text, start, position)
            yield RawRecord(line, spanned, start, position, fields, problem)
            line += spanned

    def _record(self, text: bytes, position: int) -> tuple[tuple[bytes, ...], int, tuple[int, str] | None]:
        fields: list[bytes] = []
        delimiter = self._shape.delimiter
        while True:
            found = self._field(text, position)
            if isinstance(found, tuple):
                value, position = found
                fields.append(value)
            else:
                return (
                    tuple(fields),
                    len(text) if found is _OPEN else position,
                    reasons.OPEN_QUOTE if found is _OPEN else reasons.BAD_QUOTES,
                )
            if text.startswith(delimiter, position):
                position += len(delimiter)
                continue
            if text.startswith(b"\r\n", position):
                return tuple(fields), position + 2, None
            if position >= len(text) or text[position] in b"\r\n":
                return tuple(fields), min(position + 1, len(text)), None
            return tuple(fields), position, reasons.BAD_QUOTES

    def _field(self, text: bytes, position: int) -> tuple[bytes, int] | object:
        pattern = self._quoted.get(text[position : position + 1])
        if pattern is not None:
            match = pattern.match(text, position)
            if match is None:
                return _OPEN
            inner = match[1]
            if self._shape.quoting is Quoting.CSV:
                inner = inner.replace(self._shape.quote * 2, self._shape.quote)
            elif self._shape.is_escaped:
                inner = self._unescaped(inner)
            return inner, match.end()
        match = self._plain.match(text, position)
        assert match is not None, "an empty field matches"
        return (self._unescaped(match[0]) if self._shape.is_escaped else match[0]), match.end()

    def _unescaped(self, field: bytes) -> bytes:
        if field == self._shape.null_as or b"\\" not in field:
            return field
        return _ESCAPED.sub(rb"\1", field)


_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_OPEN = object()
_END = re.compile(rb"\r\n|\r|\n")


def _ends_line(text: bytes, position: int) -> bool:
    return text[position - 1 : position] in {b"\n"}


def _line_end(text: bytes, position: int) -> int:
    match = _END.search(text, position)
    return match.end() if match else len(text)


def _lines(text: bytes, start: int, end: int) -> int:
    """Return how many lines the bytes of a record span."""
    feeds = text.count(b"\n", start, end)
    return max(feeds if feeds else text.count(b"\r", start, end), 1)
