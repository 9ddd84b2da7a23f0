"""The pipeline page: the road of a record as a graph, and what the system views tell of streams, refreshes, loads and losses.

Everything is plain SQL over system views; a view that fails shows its error in its place.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from enum import Enum
from typing import Any

from nearshift.clock import Clock
from nearshift.console.answers import Answers, Moment
from nearshift.console.board import describe_folder, part
from nearshift.console.cells import Grid, to_milliseconds
from nearshift.console.folder import DashboardFolder
from nearshift.console.freshness import lag_of_all
from nearshift.console.queries import Query, quote
from nearshift.console.source import ConsoleSource
from nearshift.types import DOUBLE, TIMESTAMP, Kind

# Above this, a view that is behind is shown as late.
LATE_MS = 5_000
# What an audit table may call the start of a load; the newest stands first.
_STARTS = frozenset({"startdate", "start_date", "started_at", "start_time"})
_METRIC_MINUTES = 15
# The series may come from CloudWatch, which is slow and paid by the call; they change once a second at most.
_METRICS_KEPT_SECONDS = 2.0

_NODES = Query(
    "SELECT node_id, kind, schema_name, name, row_count, lag_ms, last_refresh, last_status, last_error, refresh_kind, reason "
    "FROM svv_nearshift_node ORDER BY node_id"
)
_EDGES = Query("SELECT from_id, to_id FROM svv_nearshift_edge ORDER BY from_id, to_id")
_LISTS: dict[str, Query] = {
    "ledger": Query(
        "SELECT view_name, shard_id, read_rows, stored_rows, filtered_rows, quarantined_rows, skipped_rows "
        "FROM sys_nearshift_ledger ORDER BY view_name, shard_id LIMIT 500"
    ),
    "quarantine": Query(
        "SELECT quarantined_at, view_name, shard_id, sequence_number, reason, payload_text "
        "FROM sys_nearshift_quarantine ORDER BY quarantined_at DESC LIMIT 100"
    ),
    "schedules": Query(
        "SELECT name, expression, statement, next_run, last_start, last_end, last_status, last_error "
        "FROM sys_nearshift_schedule ORDER BY name LIMIT 200"
    ),
    "gaps": Query(
        "SELECT noticed_at, view_name, stream_name, shard_id, after_position, next_position, reason "
        "FROM sys_nearshift_gap ORDER BY noticed_at DESC LIMIT 100"
    ),
    "runs": Query(
        "SELECT start_time, name, end_time, status, error_message FROM sys_nearshift_schedule_run ORDER BY start_time DESC LIMIT 200"
    ),
}
_REFRESHES = Query(
    "SELECT start_time, schema_name, mv_name, refresh_type, is_full, status, row_count, reason, end_time "
    "FROM sys_nearshift_refresh ORDER BY start_time DESC LIMIT 500"
)
_RATES_TEXT = (
    "SELECT bucket, stream_name, records, bytes FROM sys_nearshift_metric WHERE bucket >= $1 ORDER BY bucket, stream_name LIMIT 10000"
)


class NodeStatus(Enum):
    """The colour of a node."""

    OK = "ok"
    LATE = "late"
    FAILED = "failed"
    WAITING = "waiting"


def classify_node(kind: str, lag_ms: float | None, last_status: str | None, last_error: str | None) -> NodeStatus:
    """Return how a node is: failed by its last outcome, late by its lag, waiting when it was never refreshed."""
    status = (last_status or "").lower()
    if last_error or "fail" in status or "error" in status or "abort" in status:
        return NodeStatus.FAILED
    if lag_ms is not None and lag_ms > LATE_MS:
        return NodeStatus.LATE
    if kind in {"streaming_view", "derived_view", "procedure"} and not status:
        return NodeStatus.WAITING
    return NodeStatus.OK


class PipelineContent:
    """What the pipeline page shows."""

    def __init__(self, source: ConsoleSource, folder: DashboardFolder, answers: Answers, clock: Clock) -> None:
        self._source = source
        self._folder = folder
        self._answers = answers
        self._clock = clock
        self._lock = threading.Lock()
        self._metrics: bytes | None = None
        self._metrics_at = 0.0

    def stamp(self) -> object:
        """Return what changes when a dashboard file does."""
        return tuple((entry.name, entry.stamp) for entry in self._folder.entries())

    def parts(self, moment: Moment) -> dict[str, bytes]:
        """Run the pass: `graph`, `rates`, `metrics`, the lists, and one `audit:<table>` for each table that a dashboard names."""
        found = {
            "navigation": part(lambda: describe_folder(self._folder)),
            "fresh": part(lambda: lag_of_all(self._answers, moment)),
            "graph": part(lambda: self._graph(moment)),
            "rates": part(lambda: self._rates(moment)),
            "metrics": self._stream_metrics(),
            "refreshes": part(lambda: self._refreshes(moment)),
        }
        for name, query in _LISTS.items():
            found[name] = part(lambda query=query: self._list(moment, query))  # type: ignore[misc]
        boards = [entry.dashboard for entry in self._folder.entries() if entry.dashboard]
        for table in sorted({board.audit for board in boards if board.audit}):
            found[f"audit:{table}"] = part(lambda table=table: self._audit(moment, table))  # type: ignore[misc]
        return found

    def _list(self, moment: Moment, query: Query) -> object:
        return _with_times(self._answers.grid(moment, query))

    def _refreshes(self, moment: Moment) -> object:
        grid = self._answers.grid(moment, _REFRESHES)
        starts, ends = grid.columns[0], grid.columns[-1]
        took = tuple(
            None if start is None or end is None else (end - start).total_seconds() * 1000 for start, end in zip(starts, ends, strict=True)
        )
        names, types = (*grid.names[:6], "duration", *grid.names[6:]), (*grid.types[:6], DOUBLE, *grid.types[6:])
        return _with_times(Grid(names, types, (*grid.columns[:6], took, *grid.columns[6:]), grid.is_cut))

    def _graph(self, moment: Moment) -> object:
        nodes = [self._node(row) for row in self._answers.grid(moment, _NODES).rows()]
        edges = [{"from": start, "to": end} for start, end in self._answers.grid(moment, _EDGES).rows()]
        by_name = {f"{node['schema']}.{node['name']}": node["id"] for node in nodes}
        for entry in self._folder.entries():
            status = NodeStatus.FAILED if entry.error else NodeStatus.OK
            message = entry.error.message if entry.error else None
            own = f"dashboard:{entry.name}"
            nodes.append(_empty_node(own, "dashboard", entry.title) | {"status": status.value, "error": message, "link": entry.name})
            board = entry.dashboard
            shown = (board.relation or board.audit) if board is not None else None
            if shown is None:
                continue
            relation = shown if "." in shown else f"public.{shown}"
            start = by_name.get(relation.lower())
            if start is not None:
                edges.append({"from": start, "to": own})
        return {"nodes": nodes, "edges": edges}

    def _node(self, row: tuple[Any, ...]) -> dict[str, object]:
        node_id, kind, schema, name, row_count, lag_ms, last_refresh, last_status, last_error, refresh_kind, reason = row
        lag = None if lag_ms is None else float(lag_ms)
        return {
            "id": node_id, "kind": kind, "schema": schema, "name": name, "rows": None if row_count is None else int(row_count),
            "lag_ms": lag, "last_refresh": to_milliseconds(last_refresh), "last_status": last_status, "error": last_error or None,
            "refresh_kind": refresh_kind, "reason": reason, "status": classify_node(kind, lag, last_status, last_error).value,
            "link": None,
        }  # fmt: skip

    def _rates(self, moment: Moment) -> object:
        since = (moment.now - timedelta(minutes=_METRIC_MINUTES)).replace(tzinfo=None, microsecond=0)
        grid = self._answers.grid(moment, Query(_RATES_TEXT, (since,), (TIMESTAMP,)))
        return grid.plain()

    def _stream_metrics(self) -> bytes:
        with self._lock:
            now = self._clock.monotonic()
            if self._metrics is None or now - self._metrics_at >= _METRICS_KEPT_SECONDS:
                self._metrics = part(self._ask_metrics)
                self._metrics_at = now
            return self._metrics

    def _ask_metrics(self) -> object:
        return [
            {
                "stream": series.stream, "metric": series.metric, "period_seconds": series.period_seconds,
                "points": [(to_milliseconds(at), value) for at, value in series.points],
            }
            for series in self._source.stream_metrics(_METRIC_MINUTES)
        ]  # fmt: skip

    def _audit(self, moment: Moment, table: str) -> object:
        grid = self._answers.grid(moment, Query(f"SELECT * FROM {quote(table)} LIMIT 500"))  # noqa: S608 - a checked, quoted name
        start = next((index for index, name in enumerate(grid.names) if name.lower() in _STARTS), None)
        if start is None:
            return _with_times(grid)
        key = grid.columns[start]
        order = sorted(range(grid.row_count), key=lambda index: (key[index] is not None, key[index]), reverse=True)
        columns = tuple(tuple(column[index] for index in order) for column in grid.columns)
        return _with_times(Grid(grid.names, grid.types, columns, grid.is_cut))


def _with_times(grid: Grid) -> dict[str, object]:
    """Return the grid as text, and beside it the instants that the browser draws on an axis or as an age."""
    moments = {
        name: [to_milliseconds(value) for value in column]
        for name, kind, column in zip(grid.names, grid.types, grid.columns, strict=True)
        if kind.kind in {Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    }
    return grid.text() | {"times": moments}


def _empty_node(node_id: str, kind: str, name: str) -> dict[str, object]:
    keys = ("schema", "rows", "lag_ms", "last_refresh", "last_status", "error", "refresh_kind", "reason", "link")
    return {"id": node_id, "kind": kind, "name": name} | dict.fromkeys(keys)


