"""`tests/*.test`: changes in, rows out. Text into cases; nothing is run here.

A file holds cases, each on a new and empty warehouse with the pipeline applied:

    test a late change does not win
    changes
    {"at": 2, "event": "MODIFY", "pk": "CUSTOMER#1", "sk": "TRANSACTION#t#9", "new": {"status": "PAID"}}
    {"at": 1, "event": "INSERT", "pk": "CUSTOMER#1", "sk": "TRANSACTION#t#9", "new": {"status": "SUBMITTED"}}

    refresh demo_stream_vw

    run
    CALL sp_load_customer_transaction_fact()

    rows
    SELECT transaction_id, status FROM customer_transaction_fact
    ----
    9 | PAID

A block ends at an empty line. `records` puts lines into the stream as they stand. `run error 22012` expects the statement to fail so.
`rows sorted` compares without regard to order. NULL is written NULL, an empty string (empty). A line that begins with # is a comment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from nearshift.errors import ConfigurationError, NearshiftError, Span
from nearshift.pipeline.definitions import FileError, Place
from nearshift.pipeline.manifest import Source

_EVENTS: Final = frozenset({"INSERT", "MODIFY", "REMOVE"})
_KEYS: Final = frozenset({"at", "event", "new", "old", "id", "unit"})


@dataclass(frozen=True, slots=True)
class Puts:
    """Put records into the stream, in order."""

    line: int
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Refreshes:
    """Refresh a materialized view."""

    line: int
    view: str


@dataclass(frozen=True, slots=True)
class Runs:
    """Run a statement; `sqlstate` is the error that it must raise."""

    line: int
    text: str
    sqlstate: str | None = None


@dataclass(frozen=True, slots=True)
class Expects:
    """Run a query and compare its rows."""

    line: int
    text: str
    rows: tuple[tuple[str, ...], ...]
    is_sorted: bool = False


TestStep = Puts | Refreshes | Runs | Expects


@dataclass(frozen=True, slots=True)
class Case:
    """One test: its name, where it begins, what it does."""

    name: str
    file: str
    line: int
    steps: tuple[TestStep, ...]


def read_cases(text: str, file: str, source: Source | None) -> list[Case]:
    """Return the cases of a file. Raises FileError, which points to the line, for what is not in the format."""
    return _Reader(text, file, source).cases()


class _Reader:
    def __init__(self, text: str, file: str, source: Source | None) -> None:
        self._text = text
        self._lines = text.split("\n")
        self._file = file
        self._source = source
        self._next = 0

    def cases(self) -> list[Case]:
        found: list[Case] = []
        name, begin = "", 0
        steps: list[TestStep] = []
        while (line := self._command()) is not None:
            verb, _, rest = line.partition(" ")
            if verb == "test":
                if name:
                    found.append(Case(name, self._file, begin, tuple(steps)))
                name, begin, steps = rest.strip(), self._next, []
                if not name:
                    raise self._error("a test needs a name")
            elif not name:
                raise self._error('the first line must begin with "test" and a name')
            else:
                steps.append(self._step(verb, rest.strip()))
        if name:
            found.append(Case(name, self._file, begin, tuple(steps)))
        return found

    def _command(self) -> str | None:
        while self._next < len(self._lines):
            line = self._lines[self._next].strip()
            self._next += 1
            if line and not line.startswith("#"):
                return line
        return None

    def _block(self) -> list[str]:
        start = self._next
        while self._next < len(self._lines) and self._lines[self._next].strip():
            self._next += 1
        return self._lines[start : self._next]

    def _step(self, verb: str, rest: str) -> TestStep:
        line = self._next
        match verb, rest.split():
            case "changes", []:
                return Puts(line, tuple(self._change(number, text) for number, text in enumerate(self._block(), line + 1)))
            case "records", []:
                return Puts(line, tuple(text.encode() for text in self._block()))
            case "refresh", [view]:
                return Refreshes(line, view)
            case "run", []:
                return Runs(line, "\n".join(self._block()))
            case "run", ["error", sqlstate]:
                return Runs(line, "\n".join(self._block()), sqlstate)
            case "rows", [] | ["sorted"]:
                return self._rows(line, is_sorted=bool(rest))
            case _:
                hint = "The verbs are: test, changes, records, refresh VIEW, run, run error SQLSTATE, rows, rows sorted."
                raise self._error(f'"{verb} {rest}" is not understood'.replace(' "', '"'), hint)

    def _rows(self, line: int, *, is_sorted: bool) -> Expects:
        block = self._block()
        if "----" not in block:
            raise self._error("the query must be followed by a line ---- and the rows")
        middle = block.index("----")
        rows = [tuple(value.strip() for value in row.split(" | ")) for row in block[middle + 1 :]]
        return Expects(line, "\n".join(block[:middle]), tuple(sorted(rows) if is_sorted else rows), is_sorted)

    def _change(self, number: int, text: str) -> bytes:
        try:
            given = json.loads(text, parse_float=_Number, parse_int=_Number)
        except json.JSONDecodeError as error:
            self._next = number
            hint = 'Put lines that should not be JSON below "records".'
            raise self._error(f"the change is not JSON: {error.msg.lower()}", hint) from error
        if isinstance(given, dict) and "dynamodb" in given:
            return text.encode()
        try:
            return change_record(given, self._source)
        except ConfigurationError as error:
            self._next = number
            raise self._error(error.message, error.hint) from error

    def _error(self, message: str, hint: str | None = None) -> FileError:
        start = sum(len(line) + 1 for line in self._lines[: max(self._next - 1, 0)])
        cause = NearshiftError(message, sqlstate="F0000", hint=hint, span=Span(0, 1))
        return FileError(cause, Place(self._file, self._text, start))


class _Number(str):
    """A number of the test file, its digits kept."""

    __slots__ = ()




def change_record(given: Any, source: Source | None) -> bytes:
    """Return the record that DynamoDB would write for a change in short form ("Using Kinesis Data Streams to capture changes to DynamoDB").

    `at` is seconds, `unit` `ms` writes milliseconds as older destinations do. `new` and `old` are plain JSON: text is S, a number N, true
    BOOL, null NULL, a list L, an object M; key attributes are added. Raises ConfigurationError for anything else.
    """
    names = [source.partition_key, *([source.sort_key] if source.sort_key else [])] if source else ["pk", "sk"]
    if not isinstance(given, dict) or not set(given) <= _KEYS | set(names) or given.get("event") not in _EVENTS or "at" not in given:
        hint = f"Write at, event (INSERT, MODIFY or REMOVE), {', '.join(names)}, and new or old; or a whole record."
        raise ConfigurationError("the change is not in the short form", hint=hint)
    micros = round(float(given["at"]) * 1_000_000)
    keys = {name: attribute_value(given[name]) for name in names if name in given}
    body: dict[str, Any] = {"ApproximateCreationDateTime": micros // 1000 if given.get("unit") == "ms" else micros}
    if given.get("unit") != "ms":
        body["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
    body["Keys"] = keys
    for name, image in (("NewImage", given.get("new")), ("OldImage", given.get("old"))):
        if image is not None:
            body[name] = keys | {attribute: attribute_value(value) for attribute, value in image.items()}
    record = {
        "awsRegion": "us-east-1", "eventID": given.get("id", f"test-{micros}"), "eventName": given["event"], "userIdentity": None,
        "recordFormat": "application/json", "tableName": source.table if source else "test", "dynamodb": body,
        "eventSource": "aws:dynamodb",
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False).encode()


def attribute_value(value: Any) -> dict[str, Any]:
    """Return a plain JSON value as DynamoDB writes it; numbers keep their digits."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case _Number():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [attribute_value(element) for element in value]}
        case dict():
            return {"M": {name: attribute_value(element) for name, element in value.items()}}
        case _:
            return {"N": str(value)}
