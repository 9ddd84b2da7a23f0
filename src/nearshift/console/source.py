"""What the console asks of a warehouse: sessions, news of commits, a stream's metrics, and where other programs connect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from nearshift.events import Committed
from nearshift.results import Notice, Prepared, Result
from nearshift.types import SqlType


class Session(Protocol):
    """One conversation with the warehouse; one thread at a time, save `interrupt`."""

    on_notice: Callable[[Notice], None]

    def execute_script(self, text: str) -> Iterator[Result]:
        """Run the statements of `text` in turn; spans of errors are places in `text`."""
        ...

    def prepare(self, text: str, parameter_types: Sequence[SqlType | None]) -> Prepared:
        """Parse and describe one statement."""
        ...

    def run(self, prepared: Prepared, values: Sequence[Any]) -> Result:
        """Run a prepared statement with Python values."""
        ...

    def interrupt(self) -> None:
        """Cancel what runs now (57014); from any thread."""
        ...

    def close(self) -> None:
        """End the session."""
        ...


class Subscription(Protocol):
    """A place to hear of commits; what waits is folded into one."""

    def next(self, timeout_seconds: float) -> Committed | None:
        """Return the news since the last call, or None after the time or after close."""
        ...

    def close(self) -> None:
        """Stop listening; a waiting `next` returns."""
        ...


@dataclass(frozen=True, slots=True)
class StreamMetric:
    """One series as CloudWatch would give it ("Monitoring the Amazon Kinesis Data Streams Service with Amazon CloudWatch").

    `metric` is CloudWatch's name (`IncomingRecords`, `IncomingBytes`, `PutRecord.Success` as a fraction, `PutRecord.Bytes`,
    `GetRecords.IteratorAgeMilliseconds`, …); points ascend in time (UTC, aware), each the statistic usual for the metric over a period.
    """

    stream: str
    metric: str
    period_seconds: int
    points: tuple[tuple[datetime, float], ...]


class ConsoleSource(Protocol):
    """A warehouse, as far as the console sees it. All methods may be called from several threads."""

    def open_session(self, *, is_read_only: bool) -> Session:
        """Open a session of the console's user."""
        ...

    def subscribe(self) -> Subscription:
        """Hear of every commit from now on."""
        ...

    def stream_metrics(self, minutes: int) -> Sequence[StreamMetric]:
        """Return the series of the last `minutes` minutes of all streams."""
        ...

    def endpoints(self) -> Mapping[str, str]:
        """Return what other programs connect to, by a short name for people (`PostgreSQL`, `Data API`, …)."""
        ...
