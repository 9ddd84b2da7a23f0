"""What must hold in a dashboard beyond the types of its keys: names are declared, identifiers plain, spans readable."""

from __future__ import annotations

from collections.abc import Mapping

from nearshift.console.definition import Chart, Dashboard, Dimension, KpiTile, Measure, PivotTile, TableTile, Tile
from nearshift.console.places import IDENTIFIER, SourceText, parse_span


def check_dashboard(source: SourceText, board: Dashboard) -> None:
    """Raise DashboardError for the first name, span or identifier of `board` that does not hold."""
    for key, name in (("relation", board.relation), ("audit", board.audit)):
        if name is not None and (name.count(".") > 1 or not all(IDENTIFIER.match(part) for part in name.split("."))):
            raise source.error(f".{key}", f'"{name}" is not a plain name of a table or view', "Write schema.name or name.")
    for kind, declared in (("dimensions", board.dimensions), ("measures", board.measures)):
        for key, item in declared.items():
            _check_column(source, f".{kind}.{key}", key, item)
    for index, control in enumerate(board.filters):
        path = f".filters[{index}]"
        _known(source, f"{path}.dimension", control.dimension, board.dimensions, "dimension")
        _need_relation(source, path, board)
        if control.kind == "time" and control.default not in (None, "all"):
            _check_span(source, f"{path}.default", control.default)
    if not board.tiles:
        raise source.error(".tiles", "there are no tiles", "Add at least one tile.")
    for index, tile in enumerate(board.tiles):
        _check_tile(source, f".tiles[{index}]", tile, board)


def _check_column(source: SourceText, path: str, key: str, item: Dimension | Measure) -> None:
    if item.column is not None and item.sql is not None:
        raise source.error(path, "has both column and sql", "Keep one of the two.")
    if item.column is not None and not IDENTIFIER.match(item.column):
        raise source.error(f"{path}.column", f'"{item.column}" is not a plain column name', "Use sql: for an expression.")
    if item.column is None and item.sql is None and isinstance(item, Dimension) and not IDENTIFIER.match(key):
        raise source.error(path, f'"{key}" is not a plain column name', "Add column: or sql:.")


def _check_tile(source: SourceText, path: str, tile: Tile, board: Dashboard) -> None:
    match tile:
        case PivotTile():
            _check_pivot(source, path, tile, board)
        case KpiTile():
            _check_kpi(source, path, tile, board)
        case TableTile():
            _check_table(source, path, tile, board)
        case _:
            _check_chart(source, path, tile, board)


def _check_kpi(source: SourceText, path: str, tile: KpiTile, board: Dashboard) -> None:
    for key, span in (("window", tile.window), ("trend", tile.trend)):
        if span is not None:
            _check_span(source, f"{path}.{key}", span)
            if tile.time is None:
                raise source.error(f"{path}.{key}", "needs a time dimension", "Add time: with the name of a dimension.")
    if tile.sql is not None:
        return
    if tile.measure is None:
        raise source.error(path, 'lacks the key "measure" or "sql"')
    _need_relation(source, path, board)
    _known(source, f"{path}.measure", tile.measure, board.measures, "measure")
    if tile.time is not None:
        _known(source, f"{path}.time", tile.time, board.dimensions, "dimension")


def _check_chart(source: SourceText, path: str, tile: Chart, board: Dashboard) -> None:
    for key, name in (("x", tile.x), ("y", tile.y)):
        if not name:
            raise source.error(path, f'lacks the key "{key}"')
    if tile.window is not None:
        _check_span(source, f"{path}.window", tile.window)
    if tile.sql is not None:
        return
    _need_relation(source, path, board)
    _known(source, f"{path}.x", tile.x, board.dimensions, "dimension")
    _known(source, f"{path}.y", tile.y, board.measures, "measure")
    if tile.by is not None:
        _known(source, f"{path}.by", tile.by, board.dimensions, "dimension")


def _check_table(source: SourceText, path: str, tile: TableTile, board: Dashboard) -> None:
    if tile.sql is not None:
        return
    _need_relation(source, path, board)
    if not tile.columns:
        raise source.error(path, 'lacks the key "columns" or "sql"')
    for index, column in enumerate(tile.columns):
        if not IDENTIFIER.match(column):
            raise source.error(f"{path}.columns[{index}]", f'"{column}" is not a plain column name')
    if tile.order_by is not None and not IDENTIFIER.match(tile.order_by.removeprefix("-")):
        raise source.error(f"{path}.order_by", f'"{tile.order_by}" is not a plain column name')


def _check_pivot(source: SourceText, path: str, tile: PivotTile, board: Dashboard) -> None:
    if tile.sql is not None:
        raise source.error(f"{path}.sql", "a pivot reads the declared relation", "Declare relation, dimensions and measures instead.")
    _need_relation(source, path, board)
    for key, names in (("rows", tile.rows), ("columns", tile.columns)):
        for index, name in enumerate(names):
            _known(source, f"{path}.{key}[{index}]", name, board.dimensions, "dimension")
    _known(source, f"{path}.measure", tile.measure, board.measures, "measure")


def _check_span(source: SourceText, path: str, text: str) -> None:
    try:
        parse_span(text)
    except ValueError as error:
        raise source.error(path, str(error), "Write 30s, 15m, 24h, 7d or 2w.") from error


def _need_relation(source: SourceText, path: str, board: Dashboard) -> None:
    if board.relation is None:
        raise source.error(path, "needs the dashboard's relation", "Add relation: at the top of the file, or give the tile sql:.")


def _known(source: SourceText, path: str, name: str, declared: Mapping[str, object], kind: str) -> None:
    if name not in declared:
        names = ", ".join(declared) or "none are declared"
        raise source.error(path, f'{kind} "{name}" is not declared', f"Declared: {names}.")
