"""Text tests as records: what a `.test` file says, and how it is written back.

A file is blocks parted by blank lines; a line that begins with `#` is a comment. A block is a statement or query with what is expected
after `----`, or lines of stream verbs, one each (`text_tests` says what they do):

    stream orders shards=2
    put customer-1 {"id": 1}

    statement ok
    REFRESH MATERIALIZED VIEW v
    ----
    INFO: Materialized view v was incrementally updated successfully.

    query IT rowsort
    SELECT id, name FROM v
    ----
    1 | NULL

    statement error 42703 at `nme` column "nme" does not exist
    SELECT nme FROM v

Types of a query: I whole numbers, R other numbers, T text, B boolean, D dates and times, S SUPER, V bytes. NULL is NULL, an empty text is
`(empty)`. What follows `----` of a statement is its notices; of an error, lines `hint: words`, `detail: words` or `context: words`. `only
in-process|simple|extended` as the first line of a block leaves it out elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nearshift.types import Kind

MARK = "----"
STREAM_VERBS = frozenset({"stream", "put", "puts", "bytes", "reshard", "trim", "recreate", "fault", "advance"})
VERBS = STREAM_VERBS | {"refresh", "auto", "reopen", "crash", "session", "gaps"}
_ERROR = re.compile(r"^error (\w{5})(?: at `([^`]*)`)? ?(.*)$")
_LETTERS = {
    "I": (Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.OID), "R": (Kind.DECIMAL, Kind.REAL, Kind.DOUBLE), "B": (Kind.BOOLEAN,),
    "T": (Kind.CHAR, Kind.VARCHAR, Kind.UNKNOWN, Kind.REFCURSOR), "S": (Kind.SUPER,), "V": (Kind.VARBYTE,),
    "D": (Kind.DATE, Kind.TIME, Kind.TIMETZ, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.INTERVAL),
}  # fmt: skip
LETTERS = {kind: letter for letter, kinds in _LETTERS.items() for kind in kinds}


class FormatError(Exception):
    """A text test that cannot be read."""


@dataclass(frozen=True, slots=True)
class Record:
    """One block, or one line of verbs: where it begins (from 1), its verb and what follows it, its SQL, what is expected.

    `lines` are the block's own lines, for writing it back.
    """

    line: int
    verb: str
    argument: str
    body: str = ""
    expected: tuple[str, ...] | None = None
    only: str | None = None
    lines: tuple[str, ...] = ()

    def error(self) -> tuple[str, str | None, str] | None:
        """Return (SQLSTATE, text that the position points to, words) of a `statement error`, None for any other record."""
        found = _ERROR.match(self.argument) if self.verb == "statement" else None
        return (found[1], found[2], found[3]) if found else None

    def with_expected(self, expected: Sequence[str], argument: str | None = None) -> Record:
        """Return the record as a rewriting run leaves it."""
        return replace(self, expected=tuple(expected), argument=self.argument if argument is None else argument)


def parse_records(text: str) -> list[Record]:
    """Return a file's records in order. Raises FormatError with the line."""
    found: list[Record] = []
    block: list[str] = []
    start = 1
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.strip():
            if not block:
                start = number
            block.append(line)
            continue
        found += _block(block, start)
        block = []
    return found


def _block(lines: list[str], start: int) -> list[Record]:
    offset = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    own = lines[offset:]
    if not own:
        return []
    only = None
    if own[0].startswith("only "):
        only, own, offset = own[0].removeprefix("only ").strip(), own[1:], offset + 1
    verb, _, argument = own[0].partition(" ")
    if verb in VERBS:
        return [_one_line(line, start + offset + i, only) for i, line in enumerate(own) if not line.startswith("#")]
    if verb not in {"statement", "query"}:
        raise FormatError(f"line {start + offset}: {verb!r} is no verb")
    record = Record(start + offset, verb, argument.strip(), only=only, lines=tuple(lines))
    if verb == "statement" and argument.strip() != "ok" and record.error() is None:
        raise FormatError(f"line {start + offset}: write `statement ok` or `statement error <sqlstate> <words>`")
    mark = own.index(MARK) if MARK in own else len(own)
    return [replace(record, body="\n".join(own[1:mark]), expected=tuple(own[mark + 1 :]) if mark < len(own) else None)]


def _one_line(line: str, number: int, only: str | None) -> Record:
    verb, _, argument = line.partition(" ")
    if verb not in VERBS:
        raise FormatError(f"line {number}: {verb!r} is no verb")
    return Record(number, verb, argument.strip(), only=only, lines=(line,))


def write_back(text: str, records: Sequence[Record]) -> str:
    """Return the file with the expectations of `records` in the place of its own."""
    lines = text.splitlines()
    for record in sorted(records, key=lambda r: r.line, reverse=True):
        if record.verb not in {"statement", "query"} or record.expected is None:
            continue
        end = next((i for i in range(record.line - 1, len(lines)) if not lines[i].strip()), len(lines))
        tail = [MARK, *record.expected] if record.expected or record.verb == "query" else []
        lines[record.line - 1 : end] = [f"{record.verb} {record.argument}", *record.body.split("\n"), *tail]
    return "\n".join(lines) + "\n"


def shown(value: str | None) -> str:
    """Return a value's text as it stands in a file."""
    if value is None:
        return "NULL"
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") or "(empty)"
