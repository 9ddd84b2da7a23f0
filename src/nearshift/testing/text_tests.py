"""Runs text tests (`text_records` says how they are written) against a warehouse over streams in memory.

The same file runs through any Driver: here in process; the project's tests add real clients. Time is a clock that only `advance` moves.

Verbs: `stream name [shards=n] [retention=1h]` makes a stream, or turns to one that is there; `put key text` and `put #shard text` append
a record, `puts n text` many ({i} counts), `bytes key hex` any bytes; `reshard n`, `trim shard|all [keep=n]`, `recreate [shards=n]`,
`fault fail|empty|short [times=n]` happen to the stream; `advance 5s` moves the clock. `refresh view` refreshes, `auto view` does one
round of auto refresh, `session name` turns to another client, `reopen` closes the warehouse and opens its file again, `gaps
accept|refuse` also says whether gaps are gone over. `crash at point` runs the next record in a process that dies at the named crash
point, and opens the file again.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from nearshift import faults
from nearshift.clock import ManualClock
from nearshift.errors import NearshiftError, StreamError
from nearshift.session import Session
from nearshift.streams.memory import Fault, MemoryStream
from nearshift.streams.record import ShardId
from nearshift.testing.text_records import LETTERS, STREAM_VERBS, Record, parse_records, shown, write_back
from nearshift.transaction import Transaction
from nearshift.views.refresh import refresh_in_background
from nearshift.warehouse import Warehouse
from nearshift.wire.encode_arrow import RowEncoder

_SPAN = re.compile(r"^(\d+)(ms|s|min|h|d)$")
_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}
_CRASH_SECONDS_MAX = 60


class Mismatch(AssertionError):
    """A record came out otherwise than its file says."""


@dataclass(slots=True)
class Answer:
    """What one statement gave: type letters and rows as text for a query, None otherwise; notices as `SEVERITY: message`."""

    types: str | None = None
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class Client(Protocol):
    """One conversation with the warehouse."""

    def run(self, text: str) -> Answer:
        """Run one statement. Raises NearshiftError with the fields that a client is shown."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Driver(Protocol):
    """A way to reach a warehouse; `name` is what `only` lines call it."""

    name: str

    def attach(self, warehouse: Warehouse) -> None:
        """Use this warehouse from now on; called again after each reopening."""
        ...

    def client(self) -> Client:
        """Return a new conversation."""
        ...

    def detach(self) -> None:
        """Let the warehouse go; its clients are closed before."""
        ...


class _SessionClient:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._notices: list[str] = []
        session.on_notice = lambda notice: self._notices.append(f"{notice.severity.value}: {notice.message}")

    def run(self, text: str) -> Answer:
        self._notices.clear()
        answer = Answer()
        for result in self._session.execute_script(text):
            if result.columns is None:
                continue
            answer.types = "".join(LETTERS[column.type.kind] for column in result.columns)
            encoder = RowEncoder(result.columns, (0,) * len(result.columns), self._session.settings.get("timezone"))
            answer.rows = [row for batch in result.batches for piece in encoder.encode(batch) for row in data_rows(bytes(piece))]
        answer.notices = list(self._notices)
        return answer

    def close(self) -> None:
        self._session.close()


def data_rows(piece: bytes) -> Iterator[tuple[str | None, ...]]:
    """Return the values of DataRow messages in text format ("Message formats", PostgreSQL)."""
    at = 0
    while at < len(piece):
        count = int.from_bytes(piece[at + 5 : at + 7], "big")
        at += 7
        values: list[str | None] = []
        for _column in range(count):
            length = int.from_bytes(piece[at : at + 4], "big", signed=True)
            at += 4
            values.append(None if length < 0 else piece[at : at + length].decode())
            at += max(length, 0)
        yield tuple(values)


class InProcess:
    """Sessions of the warehouse itself."""

    name = "in-process"

    def __init__(self) -> None:
        self._warehouse: Warehouse | None = None

    def attach(self, warehouse: Warehouse) -> None:
        """Use this warehouse."""
        self._warehouse = warehouse

    def client(self) -> Client:
        """Return a new session."""
        assert self._warehouse is not None, "attached first"
        return _SessionClient(self._warehouse.session())

    def detach(self) -> None:
        """Do nothing: sessions end with their warehouse."""


class Bench:
    """A warehouse file, streams and a clock, and the records that act on them."""

    def __init__(self, file: Path, driver: Driver) -> None:
        self.clock = ManualClock()
        self.streams: dict[str, MemoryStream] = {}
        self.warehouse: Warehouse | None = None
        self._file = file
        self._files = file.parent / "files"  # what COPY and UNLOAD may use: UNLOAD makes the files that COPY reads
        self._files.mkdir(exist_ok=True)
        self._driver = driver
        self._stream = ""
        self._clients: dict[str, Client] = {}
        self._client = "main"
        self._accepts_gaps = False

    def open(self) -> None:
        """Open the warehouse."""
        self.warehouse = Warehouse.open(
            self._file, clock=self.clock, sources=lambda _schema, name: self._named(name).source(), threads=1,
            accepts_gaps=self._accepts_gaps, files=self._files,
        )  # fmt: skip
        self._driver.attach(self.warehouse)

    def close(self) -> None:
        """Close clients and warehouse."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._client = "main"
        self._driver.detach()
        if self.warehouse is not None:
            self.warehouse.close()
            self.warehouse = None

    def _named(self, name: str) -> MemoryStream:
        found = self.streams.get(name)
        if found is None:
            raise StreamError(f'stream "{name}" does not exist', sqlstate="42704", hint="Create the stream, or correct the name.")
        return found

    def run(self, text: str) -> Answer:
        """Run a statement in the current conversation."""
        client = self._clients.get(self._client)
        if client is None:
            client = self._clients[self._client] = self._driver.client()
        return client.run(text)

    def act(self, record: Record) -> None:
        """Do what a verb says, `crash` excepted."""
        words = record.argument.split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        match record.verb:
            case "session":
                self._client = words[0]
            case "reopen":
                self.close()
                self.open()
            case "gaps":
                self._accepts_gaps = words[0] == "accept"
                self.close()
                self.open()
            case "refresh":
                self.run(f"REFRESH MATERIALIZED VIEW {record.argument}")
            case "auto":
                self._auto(record.argument)
            case _:
                self._act_on_stream(record.verb, record.argument, words, options)

    def _auto(self, name: str) -> None:
        assert self.warehouse is not None, "opened first"
        session = self.warehouse.session()
        try:
            house = session.house
            entry = session.names.find(None, name)
            assert entry is not None, f"no view {name}"
            tx = Transaction(house.engine.connect(), house.current, house.events, house.clock)
            try:
                refresh_in_background(house.refresher, tx, entry)
            finally:
                tx.connection.close()
        finally:
            session.close()

    def _act_on_stream(self, verb: str, argument: str, words: Sequence[str], options: dict[str, str]) -> None:
        if verb == "advance":
            self.clock.advance(seconds(argument))
            return
        if verb == "stream":
            self._stream = words[0]
            if self._stream not in self.streams:
                retention = timedelta(seconds=seconds(options.get("retention", "24h")))
                self.streams[self._stream] = MemoryStream(
                    self._stream, shards=int(options.get("shards", "1")), clock=self.clock, retention=retention
                )
            return
        stream = self._named(self._stream)
        match verb:
            case "put":
                key, _, text = argument.partition(" ")
                if key.startswith("#"):
                    stream.put(text.encode(), key, shard=_shard(key.removeprefix("#")))
                else:
                    stream.put(text.encode(), key)
            case "puts":
                count, _, text = argument.partition(" ")
                for i in range(int(count)):
                    stream.put(text.replace("{i}", str(i)).encode(), f"key-{i}")
            case "bytes":
                stream.put(bytes.fromhex(words[1]), words[0])
            case "reshard":
                stream.reshard(int(words[0]))
            case "trim":
                shards = [s.id for s in stream.list_shards()] if words[0] == "all" else [_shard(words[0])]
                for shard in shards:
                    stream.trim(shard, keep=int(options.get("keep", "0")))
            case "recreate":
                stream.recreate(shards=int(options.get("shards", "1")))
            case "fault":
                stream.inject(Fault(words[0]), times=int(options.get("times", "1")))


def _shard(number: str) -> ShardId:
    return ShardId(f"shardId-{int(number):012}")


def seconds(text: str) -> float:
    """Return the seconds of `5s`, `200ms`, `3min`, `25h` or `2d`."""
    found = _SPAN.match(text)
    assert found is not None, f"not a span of time: {text!r}"
    return int(found[1]) * _UNITS[found[2]]


class Run:
    """One run of one file. With `is_rewriting` nothing is compared, and `rewritten` holds the file with what came out."""

    def __init__(self, path: Path, file: Path, driver: Driver, *, is_rewriting: bool = False) -> None:
        self._path = path
        self._file = file
        self._driver = driver
        self._text = path.read_text(encoding="utf-8")
        self._is_rewriting = is_rewriting
        self._new: list[Record] = []
        self.records = parse_records(self._text)
        self.bench = Bench(file, driver)

    @property
    def rewritten(self) -> str:
        """The file with what came out in the place of what was expected."""
        return write_back(self._text, self._new)

    def all(self) -> None:
        """Run every record. Raises Mismatch."""
        self.bench.open()
        try:
            self.range(0, len(self.records))
        finally:
            self.bench.close()

    def rest(self, first: int, last: int) -> None:
        """Run some records over the file as it is, after doing again what the earlier ones did to streams and clock."""
        for record in self.records[:first]:
            if record.verb in STREAM_VERBS:
                self.bench.act(record)
        self.bench.open()
        self.range(first, last)

    def range(self, first: int, last: int) -> None:
        """Run some records. Raises Mismatch."""
        index = first
        while index < last:
            record = self.records[index]
            if record.only is not None and self._driver.name not in record.only.split("|"):
                index += 1
                continue
            if record.verb == "crash":
                self._crash(record, index + 1)
                index += 2
                continue
            self._one(record)
            index += 1

    def _one(self, record: Record) -> None:
        if record.verb == "query":
            self._query(record)
        elif record.verb == "statement":
            self._statement(record)
        else:
            try:
                self.bench.act(record)
            except NearshiftError as error:
                self._fail(record, f"{error.sqlstate} {error.message}")

    def _fail(self, record: Record, got: str, wanted: str = "") -> None:
        place = f"{self._path}:{record.line}: {record.verb} {record.argument}\n{record.body}"
        raise Mismatch(f"{place}\n--- expected\n{wanted}\n--- got\n{got}\n--- by {self._driver.name}")

    def _query(self, record: Record) -> None:
        types, *modes = record.argument.split()
        try:
            answer = self.bench.run(record.body)
        except NearshiftError as error:
            self._fail(record, f"{error.sqlstate} {error.message}")
            return
        rows = [" | ".join(shown(value) for value in row) for row in answer.rows]
        if "rowsort" in modes:
            rows.sort()
        self._new.append(record.with_expected(rows, " ".join([answer.types or "", *modes])))
        if not self._is_rewriting and (answer.types != types or rows != list(record.expected or ())):
            self._fail(record, "\n".join([answer.types or "no rows", *rows]), "\n".join([types, *(record.expected or ())]))

    def _statement(self, record: Record) -> None:
        wanted = record.error()
        try:
            answer = self.bench.run(record.body)
        except NearshiftError as error:
            if wanted is None:
                self._fail(record, f"{error.sqlstate} {error.message}\n{error.detail}\n{error.hint}", "no error")
            else:
                self._refused(record, error, wanted)
            return
        if wanted is not None:
            self._fail(record, "no error", record.argument)
        self._new.append(record.with_expected(answer.notices))
        if not self._is_rewriting and record.expected is not None and tuple(answer.notices) != record.expected:
            self._fail(record, "\n".join(answer.notices), "\n".join(record.expected))

    def _refused(self, record: Record, error: NearshiftError, wanted: tuple[str, str | None, str]) -> None:
        state, place, words = wanted
        found = "" if error.span is None else record.body[error.span.start :]
        is_there = place is None or (error.span is not None and found.startswith(place))
        fields = {"hint": error.hint, "detail": error.detail, "context": error.context}
        missing = [line for line in record.expected or () if line.partition(": ")[2] not in (fields.get(line.partition(": ")[0]) or "")]
        if error.sqlstate != state or not is_there or words not in error.message or missing:
            at = f" at `{found[:20]}`" if error.span is not None else ""
            told = [f"{name}: {text}" for name, text in fields.items() if text]
            self._fail(record, "\n".join([f"error {error.sqlstate}{at} {error.message}", *told]), "\n".join([record.argument, *missing]))

    def _crash(self, record: Record, index: int) -> None:
        point = record.argument.removeprefix("at ").strip()
        assert point in faults.POINTS, f"no crash point is called {point!r}"
        self.bench.close()
        command = [sys.executable, "-m", "nearshift.testing.text_tests", str(self._path), str(self._file), str(index)]
        environment = {**os.environ, "NEARSHIFT_CRASH_AT": point}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_CRASH_SECONDS_MAX, check=False)
        if done.returncode != -signal.SIGKILL:
            self._fail(record, f"exit code {done.returncode}\n{done.stderr}", f"death at {point}")
        self.bench.open()


def run_file(path: Path, file: Path, driver: Driver | None = None, *, is_rewriting: bool = False) -> None:
    """Run a text test over a new warehouse `file`; raises Mismatch. With `is_rewriting` the test gets what came out instead."""
    run = Run(path, file, driver or InProcess(), is_rewriting=is_rewriting)
    run.all()
    if is_rewriting:
        path.write_text(run.rewritten, encoding="utf-8")


def main() -> None:
    """Run one record of a file over an existing warehouse: `python -m nearshift.testing.text_tests TEST WAREHOUSE INDEX`."""
    path, file, index = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    Run(path, file, InProcess()).rest(index, index + 1)


if __name__ == "__main__":
    main()
