"""A dashboard as the browser must know it to draw it: titles, places, formats, what a click filters."""

from __future__ import annotations

from nearshift.console.definition import Chart, Dashboard, KpiTile, PivotTile, TableTile, Tile


def describe_board(board: Dashboard) -> dict[str, object]:
    """Return what the browser must know of a dashboard to draw it."""
    choices = {control.dimension for control in board.filters if control.kind == "choice"}
    return {
        "name": board.name, "title": board.title, "description": board.description,
        "filters": [
            {"dimension": item.dimension, "kind": item.kind, "default": item.default, "title": item.title or _title(board, item.dimension)}
            for item in board.filters
        ],
        "dimensions": [{"name": name, "title": _title(board, name)} for name in board.dimensions],
        "measures": [
            {
                "name": name, "title": item.title or _words(name), "format": item.format, "currency": item.currency,
                "aggregate": None if item.sql is not None else item.aggregate.value,
                "has_column": item.sql is None and not (item.column is None and item.aggregate.value == "count"),
            }
            for name, item in board.measures.items()
        ],
        "tiles": [_describe_tile(board, tile, choices) for tile in board.tiles],
    }  # fmt: skip


def _describe_tile(board: Dashboard, tile: Tile, choices: set[str]) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": tile.id, "type": tile.__struct_config__.tag, "title": tile.title, "width": tile.width, "height": tile.height,
    }  # fmt: skip
    match tile:
        case KpiTile():
            measure = board.measures.get(tile.measure or "")
            shown |= {
                "note": tile.note, "better": tile.better, "warn_above": tile.warn_above, "warn_below": tile.warn_below,
                "window": tile.window,
            }  # fmt: skip
            shown |= _format(tile.format, measure.format if measure else "number", measure.currency if measure else "USD")
        case PivotTile():
            shown["heat"] = tile.is_heated
        case TableTile():
            shown["formats"] = tile.formats
        case _:
            shown |= _describe_chart(board, tile, choices)
    return shown


def _describe_chart(board: Dashboard, tile: Chart, choices: set[str]) -> dict[str, object]:
    measure = board.measures.get(tile.y)
    is_free = tile.sql is not None
    shown: dict[str, object] = {
        "x": tile.x if is_free else "x", "y": tile.y if is_free else "y", "by": tile.by if is_free or tile.by is None else "series",
        "click": tile.x if tile.x in choices else None, "click_by": tile.by if tile.by in choices else None,
        "mark": tile.mark, "stacked": tile.is_stacked, "measure": (measure.title if measure else None) or _words(tile.y),
    }  # fmt: skip
    return shown | _format(tile.format, measure.format if measure else "number", measure.currency if measure else "USD")


def _format(own: str | None, of_measure: str, currency: str) -> dict[str, object]:
    return {"format": own or of_measure, "currency": currency}


def _title(board: Dashboard, dimension: str) -> str:
    return board.dimensions[dimension].title or _words(dimension)


def _words(name: str) -> str:
    text = name.replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]
