"""The benches of a pipeline's tests: warehouses with the folder applied, each with a stream in memory. Nothing of them outlives the tests.

The folder is applied once, to a file; each bench works on a copy of that file.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from nearshift.catalog.entities import SchemaEntry
from nearshift.clock import Clock, SystemClock
from nearshift.errors import NotSupported
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.target import Answer
from nearshift.streams.memory import MemorySource, MemoryStream
from nearshift.warehouse import Warehouse


class Benches:
    """Makes benches for one pipeline; use as a context manager."""

    def __init__(self, pipeline: Pipeline, clock: Clock | None = None) -> None:
        self._pipeline = pipeline
        self._clock = clock or SystemClock()
        self._folder = tempfile.TemporaryDirectory(prefix="nearshift-test-")
        self._count = 0

    def __enter__(self) -> Benches:
        """Apply the pipeline. Raises FileError for a statement that is refused."""
        try:
            bench = self._bench(0)
            try:
                bench.apply(self._pipeline)
            finally:
                bench.close()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def open(self) -> Bench:
        """Return a new bench."""
        self._count += 1
        shutil.copyfile(self._path(0), self._path(self._count))
        return self._bench(self._count)

    def _bench(self, number: int) -> Bench:
        return Bench(self._path(number), self._stream(), self._clock, strict=self._pipeline.manifest.targets.local.is_strict)

    def _path(self, number: int) -> Path:
        return Path(self._folder.name) / f"{number}.duckdb"

    def _stream(self) -> MemoryStream:
        source = self._pipeline.manifest.source
        return MemoryStream(source.stream if source else "test", clock=self._clock)


class Bench:
    """One warehouse; every stream that it reads is the one given. Implements `trial.Bench`."""

    def __init__(self, path: Path, stream: MemoryStream, clock: Clock, *, strict: bool = False) -> None:
        self._path = path
        self._stream = stream
        self._warehouse = Warehouse.open(path, clock=clock, sources=self._source, strict=strict)
        self._connection = SessionConnection(self._warehouse.session())

    def _source(self, schema: SchemaEntry, name: str) -> MemorySource:
        if not schema.is_kinesis:
            message = f'a pipeline\'s tests have no stand-in for topic "{name}" of external schema "{schema.name}"'
            raise NotSupported(message, hint="Tests work on pipelines that read Kinesis streams.")
        return self._stream.source()

    def apply(self, pipeline: Pipeline) -> None:
        """Apply a pipeline to an empty warehouse."""
        for _ in carry_out(plan_changes(pipeline.definitions, ()), pipeline.name, WarehouseTarget(self._connection)):
            pass

    def put(self, record: bytes) -> None:
        """Put one record into the stream."""
        self._stream.put(record)

    def run(self, text: str) -> Answer:
        """Run one statement; its session lasts for the whole case."""
        return self._connection.run(text)

    def close(self) -> None:
        """Close the warehouse."""
        self._connection.close()
        self._warehouse.close()
