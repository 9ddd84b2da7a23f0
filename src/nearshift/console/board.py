"""One query pass over a dashboard: every tile, filter and total as JSON; a tile that fails carries its error in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nearshift.console.cells import Grid, to_text
from nearshift.console.choices import Choices, parse_choices
from nearshift.console.definition import Dashboard, KpiTile, PivotTile, TableTile, Tile
from nearshift.console.describing import describe_board
from nearshift.console.folder import DashboardFolder, Entry
from nearshift.console.queries import Query, TileQueries, describe_query
from nearshift.console.reader import Reader
from nearshift.console.replies import describe_error, encode
from nearshift.errors import NearshiftError, UndefinedObject
from nearshift.types import SqlType

_LAG = Query("SELECT max(lag_ms) AS lag_ms FROM svv_nearshift_node WHERE kind IN ('streaming_view', 'derived_view')")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a pass happens: `number` is equal for passes that may share answers, `now` (aware) is where spans of time end."""

    number: int
    now: datetime


class Answers:
    """Answers of one moment, shared by all passes that ask the same at that moment. Safe to share between threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._number = -1
        self._found: dict[Query | str, Grid | tuple[Any, ...] | NearshiftError] = {}

    def grid(self, moment: Moment, query: Query) -> Grid:
        """Return the rows of `query`, asked at most about once per moment; raises NearshiftError."""
        found = self._find(moment, query, lambda: self._reader.grid(query))
        assert isinstance(found, Grid)
        return found

    def types(self, moment: Moment, board: Dashboard) -> dict[str, SqlType]:
        """Return the types of a dashboard's dimensions."""
        if board.relation is None or not board.dimensions:
            return {}
        text = describe_query(board)
        columns = self._find(moment, text, lambda: self._reader.describe(text))
        assert isinstance(columns, tuple)
        return {name: column.type for name, column in zip(board.dimensions, columns, strict=True)}

    def _find(self, moment: Moment, key: Query | str, ask: Callable[[], Grid | tuple[Any, ...]]) -> Grid | tuple[Any, ...]:
        with self._lock:
            if moment.number != self._number:
                self._number, self._found = moment.number, {}
            kept = self._found
            found = kept.get(key)
        if found is None:
            try:
                found = ask()
            except NearshiftError as error:
                found = error
            kept[key] = found  # the dictionary of this moment, even if another has begun
        if isinstance(found, NearshiftError):
            raise found
        return found


def part(build: Callable[[], object]) -> bytes:
    """Return the JSON that `build` gives, or of the error that it raises."""
    try:
        return encode(build())
    except NearshiftError as error:
        return encode({"error": describe_error(error)})


def describe_folder(folder: DashboardFolder) -> list[dict[str, object]]:
    """Return what the navigation shows of each dashboard."""
    return [{"name": entry.name, "title": entry.title, "is_broken": entry.error is not None} for entry in folder.entries()]


def lag_of(answers: Answers, moment: Moment) -> dict[str, object]:
    """Return the largest lag of any view, in milliseconds or None."""
    rows = answers.grid(moment, _LAG).rows()
    return {"lag_ms": None if not rows or rows[0][0] is None else float(rows[0][0])}


class DashboardContent:
    """A dashboard as one set of choices shows it."""

    def __init__(self, folder: DashboardFolder, name: str, choices: str | None, answers: Answers) -> None:
        self._folder = folder
        self._name = name
        self._choices = choices
        self._answers = answers

    def stamp(self) -> object:
        """Return what changes when a file of the folder does."""
        return tuple((entry.name, entry.stamp) for entry in self._folder.entries())

    def parts(self, moment: Moment) -> dict[str, bytes]:
        """Run the pass: `navigation`, `fresh`, and `error` or `spec`, `filter:<dimension>` and `tile:<id>`."""
        common = {
            "navigation": part(lambda: describe_folder(self._folder)),
            "fresh": part(lambda: lag_of(self._answers, moment)),
        }
        try:
            board = checked(self._folder.find(self._name), self._name)
            choices = parse_choices(self._choices, board)
        except NearshiftError as error:
            return common | {"error": encode(describe_error(error))}
        return common | {"spec": encode(describe_board(board))} | self._tiles(board, choices, moment)

    def _tiles(self, board: Dashboard, choices: Choices, moment: Moment) -> dict[str, bytes]:
        try:
            types = self._answers.types(moment, board)
        except NearshiftError as error:  # the relation itself is not there yet: tiles with SQL of their own may still show
            types = {}
            broken = encode({"error": describe_error(error)})
        found: dict[str, bytes] = {}
        queries = TileQueries(board, choices, types, moment.now)
        for control in board.filters:
            if control.kind == "choice":
                found[f"filter:{control.dimension}"] = (
                    part(lambda name=control.dimension: self._options(queries, name, moment)) if types else broken  # type: ignore[misc]
                )
        for tile in board.tiles:
            needs_types = board.dimensions and (tile.sql is None or "{filters}" in tile.sql)
            if needs_types and not types:
                found[f"tile:{tile.id}"] = broken
            else:
                found[f"tile:{tile.id}"] = part(lambda tile=tile: self._tile(queries, tile, board, moment))  # type: ignore[misc]
        return found

    def _options(self, queries: TileQueries, dimension: str, moment: Moment) -> object:
        return {"values": [row[0] for row in self._answers.grid(moment, queries.options(dimension)).rows()]}

    def _tile(self, queries: TileQueries, tile: Tile, board: Dashboard, moment: Moment) -> object:
        match tile:
            case KpiTile():
                return self._kpi(queries, tile, moment)
            case PivotTile():
                return self._pivot(queries, tile, board, moment)
            case TableTile():
                return self._answers.grid(moment, table_query(queries, tile)).text()
            case _:
                query = queries.free(tile.sql) if tile.sql is not None else queries.chart(tile)
                return self._answers.grid(moment, query).plain()

    def _kpi(self, queries: TileQueries, tile: KpiTile, moment: Moment) -> object:
        trend = queries.trend(tile)
        shown: dict[str, object] = {"trend": self._answers.grid(moment, trend).plain()["values"] if trend else None}
        if tile.sql is not None:
            grid = self._answers.grid(moment, queries.free(tile.sql))
            values = grid.plain()["values"]
            assert isinstance(values, list)
            row = {name: column[0] if column else None for name, column in zip(grid.names, values, strict=True)}
            if "value" not in row:
                message = 'the query of a KPI has no column "value"'
                raise UndefinedObject(message, sqlstate="42703", hint='Name the number: SELECT … AS "value".')
            return shown | {"value": row["value"], "previous": row.get("previous"), "note": row.get("note")}
        shown["value"] = _first(self._answers.grid(moment, queries.number(tile, 0)))
        shown["previous"] = _first(self._answers.grid(moment, queries.number(tile, 1))) if tile.window else None
        return shown | {"note": None}

    def _pivot(self, queries: TileQueries, tile: PivotTile, board: Dashboard, moment: Moment) -> object:
        layout = parse_choices(self._choices, board).pivots[tile.id]
        shown: dict[str, object] = {"layout": layout}
        for name, query in queries.pivot(tile).items():
            grid = self._answers.grid(moment, query)
            values = grid.plain()["values"]
            assert isinstance(values, list)
            shown[name] = {
                "keys": [[to_text(value) for value in column] for column in grid.columns[:-1]], "values": values[-1], "is_cut": grid.is_cut,
            }  # fmt: skip
        return shown


def table_query(queries: TileQueries, tile: TableTile) -> Query:
    """Return the query of a table tile."""
    return queries.free(tile.sql) if tile.sql is not None else queries.table(tile)


def checked(entry: Entry | None, name: str) -> Dashboard:
    """Return the entry's dashboard; raises UndefinedObject when there is none and DashboardError when its file is broken."""
    if entry is None:
        raise UndefinedObject(f'dashboard "{name}" does not exist', hint="Add a file to the folder dashboards.")
    if entry.dashboard is None:
        assert entry.error is not None
        raise entry.error
    return entry.dashboard


def _first(grid: Grid) -> object:
    values = grid.plain()["values"]
    assert isinstance(values, list)
    return values[0][0] if values and values[0] else None
