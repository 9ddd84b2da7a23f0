"""Dashboard files: YAML in, checked `Dashboard` out, or an error that names file, key and line.

The text is composed into nodes first, since only nodes know their lines; the plain values are then decoded piece by piece, so that an error
in the third tile says `tiles[2].x` and the line it stands on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from nearshift.console.checking import check_dashboard
from nearshift.console.definition import (
    Dashboard,
    Dimension,
    Filter,
    Measure,
    Tile,
)  # fmt: skip
from nearshift.console.places import DashboardError, SourceText

T = TypeVar("T")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\Z")
_WORDS = (
    ("`", ""), (" | null", ""), ("expected str", "expected text"), ("got str", "got text"), ("expected int", "expected a whole number"),
)  # fmt: skip
_WHERE = re.compile(r" - at `\$([^`]*)`\Z")
_TOP_KEYS = ("title", "description", "order", "relation", "dimensions", "measures", "filters", "tiles", "audit")
_SIZES: dict[str, tuple[int, int]] = {
    "kpi": (2, 3), "line": (6, 7), "area": (6, 7), "bar": (3, 7), "donut": (3, 7), "table": (6, 8), "pivot": (6, 10),
}  # fmt: skip


def read_dashboard(path: Path) -> Dashboard:
    """Read and check one file; raises DashboardError, also for a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DashboardError(f"could not be read: {error}", file=path.name) from error
    return parse_dashboard(text, file=path.name, name=path.stem)


def parse_dashboard(text: str, *, file: str, name: str) -> Dashboard:
    """Decode and check the text of a dashboard file."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        hint = "Check the indentation and the quotes around that line."
        raise DashboardError(f"is not valid YAML: {error.problem or error.context}", file=file, line=line, hint=hint) from error
    except (yaml.YAMLError, ValueError) as error:
        raise DashboardError(f"is not valid YAML: {str(error).splitlines()[0]}", file=file) from error
    if root is None or not isinstance(value, dict):
        raise DashboardError("is empty or not a mapping", file=file, line=1, hint="Begin with title: and tiles:.")
    source = SourceText(file, root)
    _refuse_twice(source, root, "")
    for key in value:
        if key not in _TOP_KEYS:
            raise source.error(f".{key}", "is not a key of a dashboard", f"Use one of {', '.join(_TOP_KEYS)}.")
    dashboard = Dashboard(
        name=name,
        title=_convert(source, ".title", value.get("title", name), str),
        description=_convert(source, ".description", value.get("description"), str | None),
        order=_convert(source, ".order", value.get("order", 100), int),
        relation=_convert(source, ".relation", value.get("relation"), str | None),
        audit=_convert(source, ".audit", value.get("audit"), str | None),
        dimensions=_convert_named(source, ".dimensions", value.get("dimensions"), Dimension),
        measures=_convert_named(source, ".measures", value.get("measures"), Measure),
        filters=_convert_list(source, ".filters", value.get("filters"), _to_filter),
        tiles=_convert_list(source, ".tiles", value.get("tiles"), _to_tile),
    )
    check_dashboard(source, dashboard)
    return msgspec.structs.replace(dashboard, tiles=_place(source, dashboard.tiles))


def _refuse_twice(source: SourceText, node: yaml.Node, path: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise DashboardError(
                    "is there twice", file=source.file, key=f"{path}.{key.value}".lstrip("."), line=key.start_mark.line + 1,
                    hint="Keep one of the two.",
                )  # fmt: skip
            seen.add(key.value)
            _refuse_twice(source, value, f"{path}.{key.value}")
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _refuse_twice(source, value, f"{path}[{index}]")


def _convert(source: SourceText, path: str, value: object, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message = str(error)
        where = _WHERE.search(message)
        message = _WHERE.sub("", message)
        missing = re.match(r"Object (missing required|contains unknown) field `([^`]+)`", message)
        inner = path + (where[1] if where else "")
        if missing:
            is_unknown = missing[1] == "contains unknown"
            key = f"{inner}.{missing[2]}" if is_unknown else inner
            text = "is not known here" if is_unknown else f'lacks the key "{missing[2]}"'
            hint = "See docs/console.md for the keys of each kind of tile."
            if is_unknown and not _KEY.match(missing[2]):  # half a text: in {…} a comma ends it
                key, hint = inner, "Put text that has a comma in quotes."
                text = f'"{missing[2]}" is not a key'
            raise source.error(key, text, hint) from error
        message = message[:1].lower() + message[1:]
        for python, word in _WORDS:
            message = message.replace(python, word)
        raise source.error(inner, message) from error


def _convert_named(source: SourceText, path: str, value: object, kind: type[T]) -> dict[str, T]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise source.error(path, "expected a mapping from names to definitions")
    found: dict[str, T] = {}
    for key, item in value.items():
        if not isinstance(key, str) or not _KEY.match(key):
            raise source.error(f"{path}.{key}", "is not a plain name", "Use letters, digits, - and _.")
        found[key] = _convert(source, f"{path}.{key}", {} if item is None else item, kind)
    return found


def _convert_list(source: SourceText, path: str, value: object, convert: Callable[[SourceText, str, object], T]) -> list[T]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise source.error(path, "expected a list")
    return [convert(source, f"{path}[{index}]", item) for index, item in enumerate(value)]


def _to_filter(source: SourceText, path: str, value: object) -> Filter:
    found: Filter = _convert(source, path, {"dimension": value} if isinstance(value, str) else value, Filter)
    return found


def _to_tile(source: SourceText, path: str, value: object) -> Tile:
    if isinstance(value, dict) and value.get("type") not in _SIZES:
        kind = value.get("type")
        message = f'"{kind}" is not a kind of tile' if kind is not None else 'lacks the key "type"'
        raise source.error(f"{path}.type" if kind is not None else path, message, f"Use one of {', '.join(_SIZES)}.")
    found: Tile = _convert(source, path, value, Tile)
    return found


def _place(source: SourceText, tiles: Iterable[Tile]) -> list[Tile]:
    placed: list[Tile] = []
    seen: set[str] = set()
    for index, tile in enumerate(tiles):
        width, height = _SIZES[str(tile.__struct_config__.tag)]
        width, height = tile.width or width, tile.height or height
        if not 1 <= width <= 12 or not 1 <= height <= 40:
            raise source.error(f".tiles[{index}].width", "must be 1 to 12, and the height 1 to 40")
        given = tile.id or f"{re.sub(r'[^a-z0-9]+', '-', tile.title.lower()).strip('-') or 'tile'}"
        if not _KEY.match(given):
            given = f"tile-{index + 1}"
        if given in seen:
            if tile.id:
                raise source.error(f".tiles[{index}].id", f'"{given}" is the id of another tile', "Give each tile an id of its own.")
            given = f"{given}-{index + 1}"
        seen.add(given)
        placed.append(msgspec.structs.replace(tile, id=given, width=width, height=height))
    return placed
