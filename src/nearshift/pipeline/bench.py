"""The bench of a pipeline's tests: a warehouse and a stream in memory, with the folder applied. Nothing of it outlives the test."""

from __future__ import annotations

from nearshift.clock import Clock, SystemClock
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.target import Answer
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse


class WarehouseBench:
    """See the module. Every stream that the pipeline reads is this one. Implements `trial.Bench`."""

    def __init__(self, pipeline: Pipeline, clock: Clock | None = None) -> None:
        """Open the warehouse and apply the pipeline. Raises FileError for a statement that is refused."""
        ticking = clock or SystemClock()
        source = pipeline.manifest.source
        self._stream = MemoryStream(source.stream if source else "test", clock=ticking)
        self._warehouse = Warehouse.open(None, clock=ticking, sources=lambda _schema, _name: self._stream.source())
        try:
            self._connection = SessionConnection(self._warehouse.session())
            for _ in carry_out(plan_changes(pipeline.definitions, ()), pipeline.name, WarehouseTarget(self._connection)):
                pass
        except BaseException:
            self._warehouse.close()
            raise

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
