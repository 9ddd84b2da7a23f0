"""Rows per second out of the wire, text and binary, beside PostgreSQL in the same run where its programs are installed.

The session is a fake over Arrow batches in memory, so that what is measured is encoding, protocol and sockets; PostgreSQL reads a table of
the same rows that is cached. The client only counts bytes. Rounds are interleaved and the best of each is taken. JSON on standard output:

    python benchmarks/wire_rows.py --rows 1000000 --rounds 5
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearshift import limits, types
from nearshift.results import Notice, Prepared, Result, TransactionStatus
from nearshift.sql.relations import Column
from nearshift.types import SqlType, decimal, varchar
from nearshift.wire import Credential, WireServer
from nearshift.wire.messages import Bind, Describe, Execute, Parse, Query, Sync, encode_message
from nearshift.wire.startup import PROTOCOL_3_0, Startup

COLUMNS = (
    Column("id", types.BIGINT), Column("customer", types.INTEGER), Column("amount", decimal(18, 2)), Column("rate", types.DOUBLE),
    Column("name", varchar(64)), Column("city", varchar(64)), Column("is_open", types.BOOLEAN), Column("day", types.DATE),
    Column("at", types.TIMESTAMP), Column("kind", types.SMALLINT),
)  # fmt: skip
POSTGRES_TABLE = """
create table t as select i::bigint id, (i * 7919 % 100000)::int customer, (i * 31 % 10000000 / 100.0)::numeric(18,2) amount,
  (i % 1000) / 8.0::float8 rate, 'customer ' || i % 1000 as name, (array['Berlin','Paris','Lima','Osaka'])[1 + (i % 4)::int] city,
  i % 3 = 0 is_open, date '2020-01-01' + (i % 2000)::int as day, timestamp '2024-01-01' + i * interval '1 second' as at,
  (i % 100)::smallint kind
from generate_series(0::bigint, {rows} - 1) i
"""


def make_batches(rows: int) -> list[Any]:
    """The rows of the table in PostgreSQL, as Arrow batches."""
    i = np.arange(rows, dtype=np.int64)
    cities = pa.DictionaryArray.from_arrays(pa.array(i % 4, pa.int8()), pa.array(["Berlin", "Paris", "Lima", "Osaka"])).cast(pa.string())
    cents = pa.array(i * 31 % 10_000_000).cast(pa.decimal128(19, 0))
    amounts = pa.Array.from_buffers(pa.decimal128(18, 2), rows, cents.buffers())
    names = pc.binary_join_element_wise(pa.scalar("customer "), pc.cast(pa.array(i % 1000), pa.string()), "")
    arrays = [
        pa.array(i), pa.array(i * 7919 % 100_000, pa.int32()), amounts, pa.array(i % 1000 / 8.0), names, cities, pa.array(i % 3 == 0),
        pa.array(18_262 + i % 2000, pa.int32()).view(pa.date32()), pa.array((1_704_067_200 + i) * 1_000_000).view(pa.timestamp("us")),
        pa.array(i % 100, pa.int16()),
    ]  # fmt: skip
    table = pa.Table.from_arrays(arrays, [column.name for column in COLUMNS])
    return list(table.to_batches(limits.RESULT_BATCH_ROWS))


class BenchSession:
    """Answers every statement with the same rows, or `select 1` with one."""

    status = TransactionStatus.IDLE
    on_notice: Callable[[Notice], None]
    on_terminated: Callable[[], None]

    def __init__(self, batches: Sequence[Any]) -> None:
        self._batches = batches
        self._one = pa.RecordBatch.from_arrays([pa.array([1], pa.int32())], ["?column?"])

    def parameter_status(self) -> dict[str, str]:
        return {"server_version": "8.0.2", "client_encoding": "UTF8", "TimeZone": "UTC"}

    def _result(self, text: str) -> Result:
        if text == "select 1":
            return Result("SELECT", (Column("?column?", types.INTEGER),), iter([self._one]))
        return Result("SELECT", COLUMNS, iter(self._batches))

    def execute_script(self, text: str) -> Iterator[Result]:
        yield self._result(text)

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:  # noqa: ARG002
        return Prepared(text, (), self._result(text).columns)

    def run(self, prepared: Prepared, values: Sequence[object]) -> Result:  # noqa: ARG002
        return self._result(prepared.text)

    def run_in_batch(self, prepared: Prepared, values: Sequence[object]) -> Result:
        return self.run(prepared, values)

    def sync(self, *, is_commit: bool) -> None:
        """There is no transaction."""

    def interrupt(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class BenchGate:
    batches: Sequence[Any]

    def password_of(self, user: str) -> Credential | None:  # noqa: ARG002
        return None

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> BenchSession:  # noqa: ARG002
        return BenchSession(self.batches)


class Sink:
    """A client that reads as fast as it can and looks at the last bytes only."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)
        self.run(Startup(PROTOCOL_3_0, {"user": "bench", "database": "postgres"}).encode())

    def run(self, request: bytes) -> tuple[int, float, float]:
        """Send, read up to ReadyForQuery; return bytes, seconds to the first of them, seconds in all."""
        began = time.perf_counter()
        self._socket.sendall(request)
        total, first, tail = 0, 0.0, b""
        view = memoryview(self._buffer)
        while not tail.endswith(b"Z\0\0\0\5I"):
            size = self._socket.recv_into(view)
            assert size, "the server has closed the connection"
            first = first or time.perf_counter() - began
            assert total or view[0] != ord("E"), bytes(view[:size])
            total += size
            tail = (tail + bytes(view[max(0, size - 64) : size]))[-64:]
        return total, first, time.perf_counter() - began

    def close(self) -> None:
        self._socket.close()


def requests(width: int) -> dict[str, bytes]:
    text = "select * from t"
    parts = (Parse("", text), Bind("", "", (), (), (1,) * width), Describe("P", ""), Execute(""), Sync())
    return {"text": encode_message(Query(text)), "binary": b"".join(encode_message(part) for part in parts)}


@contextlib.contextmanager
def postgres(rows: int) -> Iterator[int | None]:
    """A PostgreSQL server of its own with the table, or None where its programs are not installed."""
    initdb, server = shutil.which("initdb"), shutil.which("postgres")
    if initdb is None or server is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        user = "nobody" if os.getuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        home = Path(folder, "data")
        plain: dict[str, Any] = {"user": user, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        subprocess.run([initdb, "-D", str(home), "-A", "trust", "-U", "bench", "-N"], check=True, **plain)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=512MB", "-c", "jit=off", "-k", folder]
        running = subprocess.Popen([server, "-D", str(home), "-p", str(port), *settings], **plain)
        try:
            setup = Sink(_reachable(port))
            for statement in (POSTGRES_TABLE.format(rows=rows), "vacuum analyze t", "set max_parallel_workers_per_gather = 0"):
                setup.run(encode_message(Query(statement)))
            setup.close()
            yield port
        finally:
            running.terminate()
            running.wait(30)


def _reachable(port: int) -> int:
    for _ in range(200):
        with contextlib.suppress(OSError, AssertionError):
            Sink(port).close()
            return port
        time.sleep(0.1)
    message = "PostgreSQL does not answer"
    raise RuntimeError(message)


def measure(ports: Mapping[str, int], rows: int, rounds: int) -> dict[str, Any]:
    sinks = {name: Sink(port) for name, port in ports.items()}
    asked = requests(len(COLUMNS))
    seconds: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for round_number in range(rounds + 1):
        for name, sink in sinks.items():
            for form, request in asked.items():
                size, first, took = sink.run(request)
                if round_number:  # the first round warms caches
                    seconds.setdefault((name, form), []).append((took, first, size))
    found: dict[str, Any] = {}
    for (name, form), runs in seconds.items():
        best = min(took for took, _, _ in runs)
        found.setdefault(name, {})[form] = {
            "rows_per_second": round(rows / best),
            "megabytes": round(runs[0][2] / 1e6, 1),
            "first_row_ms": round(min(first for _, first, _ in runs) * 1000, 2),
        }
    for name, sink in sinks.items():
        once = encode_message(Query("select 1"))
        times = [sink.run(once)[2] for _ in range(2000)]
        p99 = statistics.quantiles(times, n=100)[98]
        found[name]["select_1_us"] = {"p50": round(statistics.median(times) * 1e6), "p99": round(p99 * 1e6)}
        sink.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-postgres", action="store_true")
    given = parser.parse_args()
    beside: contextlib.AbstractContextManager[int | None] = contextlib.nullcontext() if given.without_postgres else postgres(given.rows)
    with WireServer(BenchGate(make_batches(given.rows)), port=0) as server, beside as port:
        ports = {"nearshift": server.port} | ({"postgresql": port} if port is not None else {})
        found = measure(ports, given.rows, given.rounds)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    report = {"benchmark": "wire_rows", "rows": given.rows, "columns": len(COLUMNS), "machine": machine, "servers": found}
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
