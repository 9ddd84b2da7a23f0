"""FIXEDWIDTH: fields by their number of characters ("Data format parameters")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from nearshift.errors import InvalidSql
from nearshift.transfer import reasons
from nearshift.transfer.batches import Batch, Failure, LoadColumn, Trace
from nearshift.transfer.delimited import DelimitedReader, LineRules
from nearshift.transfer.records import TextShape

# No file has it: a line is then one field.
_NO_DELIMITER = b"\0\0"


def parse_widths(text: str) -> tuple[int, ...]:
    """Return the widths of `label:width,label:width`; labels mean nothing. Raises InvalidSql (22023)."""
    widths = []
    for part in text.split(","):
        width = part.rpartition(":")[2].strip()
        if ":" not in part or not width.isdigit() or int(width) < 1:
            message = f'"{text}" is not a fixed-width specification'
            raise InvalidSql(message, sqlstate="22023", hint="Write 'id:5,name:20': a label, a colon and a width per column.")
        widths.append(int(width))
    return tuple(widths)


class FixedWidthReader:
    """Cuts lines into fields; lines are found by the reader of delimited text."""

    def __init__(self, columns: Sequence[LoadColumn], widths: Sequence[int], rules: LineRules) -> None:
        self._columns = columns
        self._widths = widths
        line = LoadColumn("line", columns[0].type)
        self._lines = DelimitedReader([line], TextShape(delimiter=_NO_DELIMITER), rules)
        self._fills = rules.fills_records

    def read(self, pieces: Iterable[bytes]) -> Iterator[Batch]:
        """Yield the batches of a file."""
        for batch in self._lines.read(pieces):
            yield self._cut(batch)

    def _cut(self, batch: Batch) -> Batch:
        lines = pa.chunked_array(batch.columns[0]) if isinstance(batch.columns[0], list) else batch.columns[0]
        failures = [self._renamed(one) for one in batch.failures]
        kept = list(range(len(lines)))
        if not self._fills:
            # The last field may end with its line; a line that ends before its last field begins is too short.
            is_short = pc.less(pc.utf8_length(lines), sum(self._widths[:-1]) + 1)
            short = set(pc.indices_nonzero(is_short).to_pylist())
            if short:
                kept = [row for row in kept if row not in short]
                for row, found in zip(sorted(short), batch.trace(sorted(short)), strict=True):
                    code, reason = reasons.MISSING_DELIMITER
                    text = lines[row].as_py()
                    failures.append(Failure(found.line, None, len(text), found.raw, text, code, reason, (text,)))
                lines = lines.filter(pc.invert(is_short))
        columns = []
        start = 0
        for width in self._widths:
            columns.append(pc.utf8_slice_codeunits(lines, start, start + width))
            start += width

        def trace(rows: Sequence[int]) -> Sequence[Trace]:
            return batch.trace([kept[row] for row in rows])

        return Batch(columns, len(lines), batch.lines, trace, failures)

    def _renamed(self, failure: Failure) -> Failure:
        return Failure(
            failure.line, None, failure.position, failure.raw_line, failure.raw_value, failure.code, failure.reason, failure.values
        )
