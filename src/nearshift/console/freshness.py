"""How old what a page shows is: the lag of the views that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nearshift.console.answers import Answers, Moment
from nearshift.console.queries import Query

_NODES = Query("SELECT node_id, kind, schema_name, name, lag_ms FROM svv_nearshift_node")
_EDGES = Query("SELECT from_id, to_id FROM svv_nearshift_edge")
# Streams too: how far behind their end the readers are is all that a quiet view's lag says.
_VIEWS = frozenset({"stream", "streaming_view", "derived_view"})


def lag_of_all(answers: Answers, moment: Moment) -> dict[str, object]:
    """Return the largest lag of any view or stream, in milliseconds or None."""
    lags = [float(lag) for _, kind, _, _, lag in answers.grid(moment, _NODES).rows() if kind in _VIEWS and lag is not None]
    return {"lag_ms": max(lags, default=None)}


def lag_of_relation(answers: Answers, moment: Moment, relation: str) -> dict[str, object]:
    """Return the lag of one relation: the largest of itself and what it rests on, or of all views when it is not on the road."""
    schema, _, name = relation.lower().rpartition(".")
    wanted = (schema or "public", name)
    rows = answers.grid(moment, _NODES).rows()
    start = next((row[0] for row in rows if ((row[2] or "").lower(), row[3].lower()) == wanted), None)
    if start is None:
        return lag_of_all(answers, moment)
    edges: dict[str, list[str]] = {}
    for source, target in answers.grid(moment, _EDGES).rows():
        edges.setdefault(target, []).append(source)
    reached = upstream(start, edges)
    lags = [float(row[4]) for row in rows if row[4] is not None and (row[0] == start or (row[0] in reached and row[1] in _VIEWS))]
    return {"lag_ms": max(lags, default=None)}


def upstream(start: str, sources: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all that `start` rests on, by the sources of each node; circles end."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for source in sources.get(waiting.pop(), ()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found
