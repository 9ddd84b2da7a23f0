"""JSON: documents one after the other, with blanks and ends of lines or nothing between them ("COPY from JSON format").

Values stay text: a number keeps all its digits, and an object or array comes to a column as the JSON that stands in the file. Strings are
unescaped. A name matches a column in its exact spelling ('auto'), or whatever its case ('auto ignorecase').
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Final

import msgspec
import pyarrow as pa

from nearshift import limits
from nearshift.transfer import reasons
from nearshift.transfer.batches import Batch, Failure, LoadColumn, Trace
from nearshift.transfer.delimited import ascii_only
from nearshift.transfer.jsonpaths import Path
from nearshift.types import Kind

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_GAP: Final = re.compile(rb"[\s]*+")
# Strings, brackets, and the ends of lines, which are what tells documents apart.
_MARK: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]|"', re.DOTALL)


class Shred(Enum):
    """How documents become rows."""

    EXACT = "auto"
    IGNORE_CASE = "auto ignorecase"
    WHOLE = "noshred"
    PATHS = "jsonpaths"


class DocumentReader:
    """Reads one file at a time; `read` may be called for many."""

    def __init__(self, columns: Sequence[LoadColumn], shred: Shred, paths: Sequence[Path] = (), header_lines: int = 0) -> None:
        self._columns = columns
        self._header_lines = header_lines
        self._row: Callable[[bytes], Sequence[str | None]]
        match shred:
            case Shred.EXACT:
                self._exact = _decoder(columns)
                self._row = self._by_name
            case Shred.IGNORE_CASE:
                self._places = {column.name.lower(): place for place, column in enumerate(columns)}
                self._row = self._by_folded_name
            case Shred.WHOLE:
                self._row = self._whole
            case Shred.PATHS:
                self._paths = paths
                self._row = self._by_path
        self._is_json = [column.type.kind is Kind.SUPER for column in columns]

    def read(self, pieces: Iterable[bytes]) -> Iterator[Batch]:
        """Yield the batches of a file. A document that is broken is a failure; reading goes on with the next line that begins one."""
        text = b""
        line = 1
        skipped = self._header_lines
        for piece in _with_end(pieces):
            is_last = piece is None
            text += piece or b""
            while skipped and (end := text.find(b"\n")) >= 0:
                text = text[end + 1 :]
                skipped -= 1
                line += 1
            if skipped:
                continue
            batch, used = self._batch(text, line, is_last=is_last)
            if batch is not None:
                yield batch
            line += text.count(b"\n", 0, used)
            text = text[used:]

    def _batch(self, text: bytes, line: int, *, is_last: bool) -> tuple[Batch | None, int]:
        rows: list[Sequence[str | None]] = []
        spans: list[tuple[int, int]] = []
        failures: list[Failure] = []
        used = 0
        position = 0
        while (start := _after_gap(text, position)) < len(text):
            quick = _line_of_one(text, start)
            row = self._quick_row(text[start:quick]) if quick else None
            if row is not None:
                rows.append(row)
                spans.append((start, quick))
                used = position = quick
                continue
            found = _document(text, start, is_last=is_last)
            if found is None:
                break
            end, is_whole = found
            used = position = end
            document = text[start:end]
            row = self._quick_row(document) if is_whole else None
            if row is not None:
                rows.append(row)
                spans.append((start, end))
                continue
            code, reason = reasons.BAD_JSON if len(document) <= limits.COPY_DOCUMENT_BYTES_MAX else reasons.TOO_LONG
            shown = ascii_only(document[:4096].decode(errors="replace"))
            at = line + text.count(b"\n", 0, max(end - 1, start))
            failures.append(Failure(at, None, 0, shown, "", code, reason, (shown,)))
        if not rows and not failures:
            return None, used
        arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)] if rows else [
            pa.array([], pa.string()) for _ in self._columns
        ]  # fmt: skip

        def trace(wanted: Sequence[int]) -> list[Trace]:
            return [
                Trace(line + text.count(b"\n", 0, spans[row][1]), ascii_only(text[slice(*spans[row])][:4096].decode(errors="replace")))
                for row in wanted
            ]

        return Batch(arrays, len(rows), len(rows) + len(failures), trace, failures), used

    def _quick_row(self, document: bytes) -> Sequence[str | None] | None:
        """Return the row of a document, None when it is none or too long."""
        if len(document) > limits.COPY_DOCUMENT_BYTES_MAX:
            return None
        try:
            return self._row(document)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _by_name(self, document: bytes) -> Sequence[str | None]:
        return [self._text(raw, index) for index, raw in enumerate(msgspec.structs.astuple(self._exact.decode(document)))]

    def _whole(self, document: bytes) -> Sequence[str | None]:
        msgspec.json.decode(document, type=msgspec.Raw)
        return (document.decode(),)

    def _by_folded_name(self, document: bytes) -> Sequence[str | None]:
        row: list[str | None] = [None] * len(self._columns)
        for name, raw in _OBJECT.decode(document).items():
            index = self._places.get(name.lower())
            if index is not None:
                row[index] = self._text(raw, index)
        return row

    def _by_path(self, document: bytes) -> Sequence[str | None]:
        top = msgspec.Raw(document)
        msgspec.json.decode(document, type=msgspec.Raw)
        return [self._text(found, index) if (found := _follow(top, path)) is not None else None for index, path in enumerate(self._paths)]

    def _text(self, raw: msgspec.Raw, index: int) -> str | None:
        content = bytes(raw)
        if content[0] == 0x22 and not self._is_json[index]:
            return content[1:-1].decode() if b"\\" not in content else _STRING.decode(content)
        return None if content == b"null" else content.decode()


def _decoder(columns: Sequence[LoadColumn]) -> msgspec.json.Decoder[msgspec.Struct]:
    """Return what reads the columns of a document, and nothing else of it; an attribute that is missing is null."""
    fields = [(f"c{place}", msgspec.Raw, msgspec.Raw(b"null")) for place in range(len(columns))]
    names = {f"c{place}": column.name for place, column in enumerate(columns)}
    return msgspec.json.Decoder(msgspec.defstruct("Document", fields, rename=names, gc=False))


def _follow(value: msgspec.Raw, path: Path) -> msgspec.Raw | None:
    for step in path:
        first = bytes(value)[:1]
        if isinstance(step, int):
            if first != b"[":
                return None
            items = _ARRAY.decode(value)
            if step >= len(items):
                return None
            value = items[step]
        else:
            if first != b"{":
                return None
            found = _OBJECT.decode(value).get(step)
            if found is None:
                return None
            value = found
    return value


def _after_gap(text: bytes, position: int) -> int:
    gap = _GAP.match(text, position)
    return gap.end() if gap else position


def _document(text: bytes, position: int, *, is_last: bool) -> tuple[int, bool] | None:
    """Return where the document that begins at `position` ends, and whether it is whole; None when more of the file must be seen."""
    end = _exact_end(text, position)
    if end is not None:
        return end, True
    if not is_last and len(text) - position <= limits.COPY_DOCUMENT_BYTES_MAX:
        return None
    return text.find(b"\n", position) + 1 or len(text), False


def _line_of_one(text: bytes, position: int) -> int:
    """Return the end of the line that begins here when it looks like one document, as nearly all files have it; else 0."""
    end = text.find(b"\n", position)
    stop = end
    while stop > position and text[stop - 1] in b" \t\r":
        stop -= 1
    return stop if end >= 0 and text[position] == 0x7B and text[stop - 1] == 0x7D else 0


def _exact_end(text: bytes, position: int) -> int | None:
    """Return where the document that begins here ends, by its brackets; None when it does not end in this text."""
    if text[position] not in b"{[":
        # Not a document: up to the end of its line, which its decoder will refuse.
        end = text.find(b"\n", position)
        return end if end >= 0 else None
    depth = 0
    for match in _MARK.finditer(text, position):
        mark = match[0]
        if mark in {b"{", b"["}:
            depth += 1
        elif mark in {b"}", b"]"}:
            depth -= 1
            if depth == 0:
                return match.end()
        elif mark == b'"':
            return None
    return None


def _with_end(pieces: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from pieces
    yield None
