"""One query pass over a dashboard: every tile, filter and total as JSON; a tile that fails carries its error in its place."""

from __future__ import annotations

from collections.abc import Callable

from nearshift.console.answers import Answers, Moment
from nearshift.console.cells import Grid, to_text
from nearshift.console.choices import Choices, parse_choices
from nearshift.console.definition import Dashboard, KpiTile, PivotTile, TableTile, Tile
from nearshift.console.describing import describe_board
from nearshift.console.folder import DashboardFolder, Entry
from nearshift.console.freshness import lag_of_all, lag_of_relation
from nearshift.console.queries import Query, TileQueries
from nearshift.console.replies import describe_error, encode
from nearshift.errors import NearshiftError, UndefinedObject


def part(build: Callable[[], object]) -> bytes:
    """Return the JSON that `build` gives, or of the error that it raises."""
    try:
        return encode(build())
    except NearshiftError as error:
        return encode({"error": describe_error(error)})


def describe_folder(folder: DashboardFolder) -> list[dict[str, object]]:
    """Return what the navigation shows of each dashboard."""
    return [{"name": entry.name, "title": entry.title, "is_broken": entry.error is not None} for entry in folder.entries()]


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
        common = {"navigation": part(lambda: describe_folder(self._folder))}
        try:
            board = checked(self._folder.find(self._name), self._name)
            choices = parse_choices(self._choices, board)
        except NearshiftError as error:
            return common | {"error": encode(describe_error(error))}
        common["fresh"] = part(lambda: self._lag(board, moment))
        return common | {"spec": encode(describe_board(board))} | self._tiles(board, choices, moment)

    def _lag(self, board: Dashboard, moment: Moment) -> object:
        if board.relation is None:
            return lag_of_all(self._answers, moment)
        return lag_of_relation(self._answers, moment, board.relation)

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
