"""What arrives against what is declared: attributes new, lost, of mixed types or too long, values that do not fit, unclaimed items.

Images come from the change view by SQL, so it works the same here and on Redshift. Only names, types and counts are said, no values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from nearshift.errors import ConfigurationError, NearshiftError
from nearshift.generate.attributes import Seen, seen_in
from nearshift.generate.loads import Declarations, read_declarations
from nearshift.generate.text import literal
from nearshift.pipeline.declared import Declared
from nearshift.pipeline.manifest import Manifest

LOST_ITEMS_MIN: Final = 20  # fewer items say little about an attribute that none of them has
_LEAVES: Final = frozenset({"S", "N", "B", "BOOL", "SS", "NS", "BS", "L", "M"})
_TEXT_BYTES_MAX: Final = 65_535

Path = tuple[str, ...]


class Drift(Enum):
    """How what arrives differs from what is declared."""

    NEW = "new"
    LOST = "lost"
    MIXED = "mixed"
    TOO_LONG = "too long"
    MISFIT = "misfit"
    UNCLAIMED = "unclaimed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: of which table (None for items of no table), which attribute, what was declared, what came, how often."""

    table: str | None
    kind: Drift
    attribute: str
    declared: str | None
    found: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """All differences, over how many changes."""

    change_count: int
    differences: tuple[Difference, ...]


def find_drift(manifest: Manifest, run: Callable[[str], Any], sample: int) -> Report:
    """Compare the newest `sample` changes with the manifest. `run` runs a query and returns an answer with rows.

    Raises ConfigurationError when nothing is declared or nothing was applied yet.
    """
    declarations = read_declarations(manifest)
    rows = _changes(declarations, run, sample)
    tables: tuple[Declared, ...] = (*manifest.facts, *manifest.dimensions)
    claimed: dict[str, list[dict[str, Any]]] = {table.name: [] for table in tables}
    unclaimed = 0
    for partition_key, sort_key, text in rows:
        owners = [table for table in tables if _claims(table, partition_key, sort_key)]
        unclaimed += not owners
        if owners:
            image = json.loads(text)
            for table in owners:
                claimed[table.name].append(image)
    keys = frozenset({declarations.source.partition_key, declarations.source.sort_key or ""})
    found: list[Difference] = []
    for table in tables:
        own = list(_compare(table, seen_in(claimed[table.name], keys), len(claimed[table.name])))
        found += own
        found += _misfits(table, run, {one.attribute for one in own})
    if unclaimed:
        found.append(Difference(None, Drift.UNCLAIMED, "", None, "items whose keys no table claims", unclaimed))
    return Report(len(rows), tuple(found))


def _changes(declarations: Declarations, run: Callable[[str], Any], sample: int) -> Sequence[tuple[Any, ...]]:
    sort_key = "sk" if declarations.source.sort_key is not None else "NULL::varchar(1)"
    query = (
        f"SELECT pk, {sort_key}, json_serialize(new_image) FROM {declarations.names.change_view} "  # noqa: S608 - a checked name
        f"WHERE reject_reason IS NULL AND new_image IS NOT NULL AND json_size(new_image) <= {_TEXT_BYTES_MAX} "
        f"ORDER BY refresh_time DESC LIMIT {sample:d}"
    )
    try:
        rows: Sequence[tuple[Any, ...]] = run(query).rows
    except NearshiftError as error:
        if not _is_missing(error):
            raise
        message = f'there is no view "{declarations.names.change_view}" to read changes from'
        raise ConfigurationError(message, detail=error.message, hint="Run nearshift apply first.") from error
    return rows


def _is_missing(error: NearshiftError) -> bool:
    """Tell whether an error says that a relation is not there; from afar there may be only its words."""
    return error.sqlstate == "42P01" or (error.message.startswith("relation ") and "does not exist" in error.message)


def _claims(table: Declared, partition_key: str, sort_key: str | None) -> bool:
    if table.partition_key_begins is not None and not partition_key.startswith(table.partition_key_begins):
        return False
    if sort_key is None:
        return True
    if table.sort_key is not None and sort_key != table.sort_key:
        return False
    if table.sort_key_begins is not None and not sort_key.startswith(table.sort_key_begins):
        return False
    return not any(sort_key.startswith(text) for text in table.sort_key_begins_not)


def _compare(table: Declared, seen: Mapping[str, Seen], item_count: int) -> Iterator[Difference]:
    declared: dict[Path, tuple[str, str]] = {}
    for column in table.columns:
        if column.path is not None:
            declared[_parts(column.path)] = (column.name, column.type)
    yield from _walk(table.name, seen, declared, (), "")
    for path, (_, type_) in sorted(declared.items()):
        if item_count >= LOST_ITEMS_MIN and not _reach(seen, path):
            found = f"in none of {item_count} items"
            yield Difference(table.name, Drift.LOST, _label(path), _shown(path, type_), found, item_count)
    for one in table.lists:
        path = next((_parts(column.path) for column in table.columns if column.name == one.column and column.path is not None), ())
        element = _element(seen, path)
        inner = {_parts(column.path): (column.name, column.type) for column in one.columns if column.path is not None}
        if element is not None and any(path[:1] == ("M",) for path in inner):
            yield from _walk(one.name, element.fields, {way[1:]: named for way, named in inner.items()}, (), f"{_label(path)}[].")


def _parts(path: str | tuple[str, ...]) -> Path:
    return tuple(path.split(".")) if isinstance(path, str) else path


def _walk(table: str, seen: Mapping[str, Seen], declared: Mapping[Path, tuple[str, str]], above: Path, prefix: str) -> Iterator[Difference]:
    for name, one in seen.items():
        path = (*above, name)
        below = {way: named for way, named in declared.items() if way[: len(path)] == path}
        label = prefix + _label(path)
        if not below:
            if one.count:
                kinds = " and ".join(f"{kind} {count} times" for kind, count in sorted(one.kinds.items()) if kind != "NULL")
                yield Difference(table, Drift.NEW, label, None, kinds, one.count)
            continue
        if path in below:  # the whole value, as SUPER: whatever comes fits
            continue
        expected = {way[len(path)] for way in below} & _LEAVES
        others = {kind: count for kind, count in sorted(one.kinds.items()) if kind not in expected | {"NULL"}}
        if others:
            words = " and ".join(f"{kind} {count} times" for kind, count in others.items())
            yield Difference(table, Drift.MIXED, label, " or ".join(sorted(expected)), words, sum(others.values()))
        for way, (_, type_) in below.items():
            if len(way) == len(path) + 1 and way[-1] == "S" and one.bytes_max > (size := _size(type_)):
                yield Difference(table, Drift.TOO_LONG, label, type_, f"up to {one.bytes_max} bytes, and {size} fit", 1)
        if any(len(way) > len(path) + 1 for way in below) and (*path, "M") not in below:
            yield from _walk(table, one.fields, declared, (*path, "M"), prefix)


def _size(type_: str) -> int:
    name, _, rest = type_.replace(" ", "").lower().partition("(")
    if name not in {"varchar", "char", "charactervarying", "character"}:
        return 1 << 62
    return int(rest.rstrip(")")) if rest else 256


def _reach(seen: Mapping[str, Seen], path: Path) -> int:
    """Return how many values there are at a path; 0 also for one of which only another type came."""
    one: Seen | None = seen.get(path[0])
    for index in range(1, len(path), 2):
        if one is None:
            return 0
        if index + 1 >= len(path):
            return one.kinds[path[index]]
        one = one.fields.get(path[index + 1])
    return one.count if one is not None else 0


def _element(seen: Mapping[str, Seen], path: Path) -> Seen | None:
    one: Seen | None = seen.get(path[0]) if path else None
    for index in range(2, len(path), 2):
        one = one.fields.get(path[index]) if one is not None else None
    return one.element if one is not None else None


def _label(path: Path) -> str:
    """Return an attribute's name as people say it: without the types between the names."""
    return ".".join(path[::2])


def _shown(path: Path, type_: str) -> str:
    return f"{path[-1]} as {type_}" if len(path) > 1 else type_


def _misfits(table: Declared, run: Callable[[str], Any], known: set[str]) -> Iterator[Difference]:
    paths = {column.name: _parts(column.path) for column in table.columns if column.path is not None}
    types = {column.name: column.type for column in table.columns}
    try:
        rows = run(f"SELECT column_name, count(*) FROM {table.name}_misfit GROUP BY 1 ORDER BY 1").rows  # noqa: S608 - a checked name
    except NearshiftError as error:
        if not _is_missing(error):
            raise
        return  # nothing that could misfit, or a view of the folder's own
    for column, count in rows:
        label = _label(paths[column]) if column in paths else str(column)
        if label not in known:
            hint = f"SELECT * FROM {table.name}_misfit WHERE column_name = {literal(str(column))}"  # noqa: S608 - shown, not run
            yield Difference(table.name, Drift.MISFIT, label, types.get(column), f"values that do not fit: {hint}", int(count))
