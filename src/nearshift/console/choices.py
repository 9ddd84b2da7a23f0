"""What a viewer chose on a dashboard: values of filters, and how pivots are laid out. It travels in the address as JSON."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from nearshift.console.definition import Aggregate, Dashboard, PivotTile
from nearshift.console.places import parse_span
from nearshift.errors import InvalidSql

CHOICES_BYTES_MAX = 16 * 1024
_VALUES_MAX = 200
_DIMENSIONS_MAX = 4


class Layout(Struct, frozen=True, forbid_unknown_fields=True):
    """A pivot as its reader arranged it."""

    rows: list[str]
    columns: list[str]
    measure: str
    aggregate: Aggregate | None = None


class Choices(Struct, frozen=True, forbid_unknown_fields=True):
    """Chosen values by dimension (None is NULL; a time filter has one span or `all`), and layouts by tile id."""

    filters: dict[str, list[str | None]] = field(default_factory=dict)
    pivots: dict[str, Layout] = field(default_factory=dict)


def parse_choices(text: str | None, board: Dashboard) -> Choices:
    """Return the choices that `text` (JSON, or None for none) means for this dashboard, in one canonical form.

    Every name in it is one that the dashboard declares, so that nothing of the text can become SQL. Raises InvalidSql (22023).
    """
    if text is not None and len(text) > CHOICES_BYTES_MAX:
        raise InvalidSql("the choices are too long", sqlstate="22023", hint="Choose fewer values.")
    try:
        given = msgspec.json.decode(text or "{}", type=Choices)
    except msgspec.DecodeError as error:
        raise InvalidSql("the choices are not in the expected form", sqlstate="22023", detail=f"{error}.") from error
    return Choices(_filters(given, board), _pivots(given, board))


def canonical(choices: Choices) -> str:
    """Return a text that is equal for equal choices."""
    return msgspec.json.encode(choices, order="sorted").decode()


def _filters(given: Choices, board: Dashboard) -> dict[str, list[str | None]]:
    kinds = {control.dimension: control for control in board.filters}
    found: dict[str, list[str | None]] = {}
    for name, values in given.filters.items():
        if name not in kinds:
            raise InvalidSql(f'the dashboard has no filter "{name}"', sqlstate="22023")
        if len(values) > _VALUES_MAX:
            raise InvalidSql(f'filter "{name}" has more than {_VALUES_MAX} values', sqlstate="22023", hint="Choose fewer values.")
        if kinds[name].kind == "time":
            found[name] = [_span(name, values)]
        elif values:
            found[name] = sorted(set(values), key=lambda value: (value is not None, value or ""))
    for name, control in kinds.items():
        if name not in given.filters and control.default is not None:
            found[name] = [control.default]
    return found


def _span(name: str, values: list[str | None]) -> str:
    value = values[0] if len(values) == 1 else None
    try:
        if value is not None and (value == "all" or parse_span(value)):
            return value
    except ValueError:
        pass
    raise InvalidSql(f'filter "{name}" needs one span of time', sqlstate="22023", hint="Send 30s, 15m, 24h, 7d, 2w or all.")


def _pivots(given: Choices, board: Dashboard) -> dict[str, Layout]:
    tiles = {tile.id: tile for tile in board.tiles if isinstance(tile, PivotTile)}
    for name, layout in given.pivots.items():
        if name not in tiles:
            raise InvalidSql(f'the dashboard has no pivot "{name}"', sqlstate="22023")
        used = [*layout.rows, *layout.columns]
        unknown = [dimension for dimension in used if dimension not in board.dimensions]
        if unknown or layout.measure not in board.measures:
            raise InvalidSql(f'"{(unknown or [layout.measure])[0]}" is not declared by the dashboard', sqlstate="22023")
        if len(set(used)) != len(used) or len(layout.rows) > _DIMENSIONS_MAX or len(layout.columns) > _DIMENSIONS_MAX:
            raise InvalidSql("a pivot takes each dimension once, at most four each way", sqlstate="22023")
    return {
        name: given.pivots.get(name) or Layout(list(tile.rows), list(tile.columns), tile.measure) for name, tile in tiles.items()
    }
