"""What the demo measures while it runs: how much was read and loaded, and how long each change took to become visible in the facts.

A change's freshness is the time from its creation (in the record, by DynamoDB's clock) to the moment at which another session has read that
the load that covers it has committed. Loads are known by their watermark; which changes one covers follows from their refresh_time. So
every change is measured, also one that a later change overtook, and the time of the look itself is counted in.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from nearshift.clock import Clock
from nearshift.events import Events
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.target import Connection

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - timestamps of the warehouse are UTC without a zone
_AUDIT = "public.etl_audit"
_WATERMARK = "SELECT watermark FROM etl_audit WHERE load_name = 'customer_transaction_fact'"
_COUNTS = """SELECT (SELECT count(*) FROM demo_stream_vw), (SELECT count(*) FROM customer_transaction_fact),
                    (SELECT max(refresh_time) FROM demo_stream_vw)"""
_LAG = "SELECT max(lag_ms) FROM svv_nearshift_node"
_CHANGES = "SELECT change_us, min(refresh_time) FROM mv_customer_transaction_event GROUP BY change_us"
_RECENT = "SELECT change_us, refresh_time FROM mv_customer_transaction_event WHERE refresh_time > "


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the warehouse is. Freshness in milliseconds over the last seconds, None while there is none."""

    ingested: int
    facts: int
    lag_ms: float | None
    freshness_ms: float | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """Over all changes of the run, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class FreshnessWatch:
    """Follows the commits of the fact load in a thread. `start` once, `stop` once."""

    def __init__(self, events: Events, connection: SessionConnection, clock: Clock) -> None:
        self._subscription = events.subscribe()
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._run, name="demo-freshness", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the connection is closed too."""
        self._subscription.close()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._subscription.is_closed:
            event = self._subscription.next(1.0)
            if event is None or _AUDIT not in event.relations:
                continue
            ((watermark,),) = self._connection.run(_WATERMARK).rows
            seen = (_micros(watermark), _micros(self._clock.now().astimezone(UTC).replace(tzinfo=None)))
            with self._lock:
                if not self._seen or seen[0] > self._seen[-1][0]:
                    self._seen.append(seen)

    def of(self, changes: list[tuple[int, datetime]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the freshness in milliseconds of changes (creation in µs, refresh_time) that loads have covered."""
        with self._lock:
            loads = np.array(self._seen, dtype=np.int64).reshape(-1, 2)
        if not changes or not len(loads):
            return np.empty(0)
        created = np.array([change for change, _ in changes], dtype=np.int64)
        read = np.array([_micros(moment) for _, moment in changes], dtype=np.int64)
        load = np.searchsorted(loads[:, 0], read, side="left")
        is_covered = load < len(loads)
        return np.asarray((loads[load[is_covered], 1] - created[is_covered]) / 1000.0)

    def summary(self, connection: Connection, since_us: int) -> Freshness | None:
        """Return the freshness of all changes created at or after `since_us`, or None when there are none."""
        rows = [(int(change), moment) for change, moment in connection.run(_CHANGES).rows if int(change) >= since_us]
        found = self.of(rows)
        if not len(found):
            return None
        p50, p99 = np.percentile(found, [50, 99])
        return Freshness(len(found), float(p50), float(p99), float(found.max()))

    def progress(self, connection: Connection) -> Progress:
        """Return how far the warehouse is now."""
        ((ingested, facts, newest),) = connection.run(_COUNTS).rows
        ((lag,),) = connection.run(_LAG).rows
        after = (self._clock.now() - timedelta(seconds=5)).astimezone(UTC).strftime("'%Y-%m-%d %H:%M:%S.%f'")
        recent = self.of([(int(change), moment) for change, moment in connection.run(_RECENT + after).rows])
        return Progress(ingested, facts, None if lag is None else float(lag), float(np.median(recent)) if len(recent) else None, newest)


def _micros(moment: datetime) -> int:
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
