"""What a text test acts on: a warehouse file, streams in memory, and a clock that only `advance` moves.

Verbs: `stream name [shards=n] [retention=1h]` makes a stream, or turns to one that is there; `put key text` and `put #shard text` append
a record, `puts n text` many ({i} counts), `bytes key hex` any bytes; `reshard n`, `trim shard|all [keep=n]`, `recreate [shards=n]`,
`fault fail|empty|short [times=n]` happen to the stream; `advance 5s` moves the clock. `refresh view` refreshes, `auto view` does one
round of auto refresh, `session name` turns to another client, `reopen` closes the warehouse and opens its file again, `gaps
accept|refuse` also says whether gaps are gone over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from nearshift.clock import ManualClock
from nearshift.errors import StreamError
from nearshift.streams.memory import Fault, MemoryStream
from nearshift.streams.record import ShardId
from nearshift.testing.text_drivers import Answer, Client, Driver
from nearshift.testing.text_records import Record
from nearshift.transaction import Transaction
from nearshift.views.refresh import refresh_in_background
from nearshift.warehouse import Warehouse

_SPAN = re.compile(r"^(\d+)(ms|s|min|h|d)$")
_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}


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
