"""What a manifest declares, checked and made ready to be written: one Load per fact and dimension."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NoReturn

from nearshift.errors import ConfigurationError, NearshiftError
from nearshift.generate.text import literal, quoted
from nearshift.pipeline.declared import Declared, DeclaredColumn, DeclaredList, Dimension, Fact, Generating
from nearshift.pipeline.manifest import FILE_NAME, Manifest, Source
from nearshift.sql.names import is_reserved
from nearshift.sql.parse import parse_statement
from nearshift.sql.statements import CreateTable
from nearshift.types import STRINGS, Kind, SqlType

# 127 bytes is the longest name ("Names and identifiers"); the longest name made of a load's puts 17 characters around it.
_NAME: Final = re.compile(r"^[a-z_][a-z0-9_]{0,99}$")
TAKEN: Final = frozenset({
    "refresh_time", "shard_id", "sequence_number", "event_id", "change_us", "key_hash", "key_check", "pk", "sk", "is_removed", "is_expired",
    "reject_reason", "changed_at", "loaded_at", "place", "valid_from", "valid_to", "is_current", "version", "cut_version",
    "image_hash", "hash_before",
})  # fmt: skip
_TAKEN_IN_LISTS: Final = frozenset({"key_hash", "key_check", "pk", "sk", "place", "valid_from", "valid_to", "is_current"})
_LEAVES: Final = frozenset({"S", "N", "B", "BOOL", "SS", "NS", "BS", "L", "M"})
_TYPES: Final = frozenset({
    Kind.BOOLEAN, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.REAL, Kind.DOUBLE, Kind.CHAR, Kind.VARCHAR, Kind.DATE,
    Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.SUPER,
})  # fmt: skip


class Keeping(Enum):
    """What a table keeps of its items."""

    LATEST_IMAGE = "latest image"
    LATEST_NON_NULL = "latest value per column"
    HISTORY = "every version"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a load. `expression` reads it from the change view's row `c`; `container` is the DynamoDB value that it is read from."""

    name: str
    type_text: str
    type: SqlType
    expression: str
    container: str | None
    is_required: bool


@dataclass(frozen=True, slots=True)
class Element:
    """A column of a list; `expression` reads it from an element `e`."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class NestedList:
    """A view with one row per element of the list that SUPER column `column` of the table holds."""

    name: str
    column: str
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """A table that is loaded from the changes of some items. `conditions` choose its changes among those of the change view's row `c`."""

    name: str
    view: str
    keeping: Keeping
    columns: tuple[Column, ...]
    conditions: tuple[str, ...]
    lists: tuple[NestedList, ...] = ()

    @property
    def tombstone(self) -> str:
        """The table of what was removed."""
        return f"{self.name}_tombstone"

    @property
    def relations(self) -> tuple[str, ...]:
        """The tables and views that are made for it."""
        beside = {
            Keeping.LATEST_IMAGE: (self.tombstone,),
            Keeping.LATEST_NON_NULL: (self.tombstone, f"{self.name}_version"),
            Keeping.HISTORY: (f"{self.name}_history",),
        }
        return (self.name, self.view, f"{self.name}_misfit", *beside[self.keeping], *(one.name for one in self.lists))

    @property
    def stage(self) -> str:
        """The temporary table of a run."""
        return f"stage_{self.name}"


@dataclass(frozen=True, slots=True)
class Declarations:
    """All that is to be written."""

    source: Source
    names: Generating
    loads: tuple[Load, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that together are an item's key."""
        return ("pk",) if self.source.sort_key is None else ("pk", "sk")


def read_declarations(manifest: Manifest) -> Declarations:
    """Return what is to be written. Raises ConfigurationError, which names the key, for what cannot be."""
    if manifest.source is None:
        _refuse("source", "is needed to generate loads", "Add [source] with table, stream, partition_key and sort_key.")
    if not manifest.facts and not manifest.dimensions:
        _refuse("facts", "nothing is declared", "Declare [[facts]] or [[dimensions]] as docs/generate.md shows.")
    for key in ("external_schema", "stream_view", "change_view", "audit_table", "rejected_view"):
        _check_name(f"generate.{key}", getattr(manifest.generate, key))
    loads = [_load(fact, f"facts[{index}]", manifest.source) for index, fact in enumerate(manifest.facts)]
    loads += [_load(one, f"dimensions[{index}]", manifest.source) for index, one in enumerate(manifest.dimensions)]
    found = Declarations(manifest.source, manifest.generate, tuple(loads))
    _refuse_twins(found)
    return found


def _refuse(key: str, reason: str, hint: str | None = None) -> NoReturn:
    raise ConfigurationError(f'"{FILE_NAME}", key "{key}": {reason}', hint=hint)


def _check_name(key: str, name: str) -> None:
    if not _NAME.match(name) or is_reserved(name):
        _refuse(key, f'"{name}" cannot be a name', "Use lower-case letters, digits and underscores, at most 100, and no reserved word.")


def _load(declared: Fact | Dimension, key: str, source: Source) -> Load:
    _check_name(f"{key}.name", declared.name)
    if declared.view is not None:
        _check_name(f"{key}.view", declared.view)
    if not declared.columns:
        _refuse(f"{key}.columns", "a table needs at least one column")
    columns = tuple(_column(column, f"{key}.columns[{index}]", source) for index, column in enumerate(declared.columns))
    names = [column.name for column in columns]
    for index, name in enumerate(names):
        if names.index(name) != index or name.removesuffix("_version") in names[:index] + names[index + 1 :]:
            _refuse(f"{key}.columns[{index}].name", f'"{name}" is used twice', "A column and its version need a name each.")
    if isinstance(declared, Fact):
        keeping = Keeping.LATEST_IMAGE if declared.mode == "latest-image" else Keeping.LATEST_NON_NULL
    else:
        keeping = Keeping.LATEST_IMAGE if declared.type == 1 else Keeping.HISTORY
    lists = tuple(_list(one, columns, f"{key}.lists[{index}]") for index, one in enumerate(declared.lists))
    return Load(declared.name, declared.view or f"mv_{declared.name}_event", keeping, columns, _conditions(declared, key, source), lists)


def _list(declared: DeclaredList, columns: tuple[Column, ...], key: str) -> NestedList:
    _check_name(f"{key}.name", declared.name)
    if not any(column.name == declared.column and column.type.kind is Kind.SUPER for column in columns):
        _refuse(f"{key}.column", f'"{declared.column}" is not a SUPER column of the table', 'Declare it with type = "super".')
    names = [column.name for column in declared.columns]
    elements = []
    for index, element in enumerate(declared.columns):
        place = f"{key}.columns[{index}]"
        _check_name(f"{place}.name", element.name)
        if element.name in _TAKEN_IN_LISTS or names.index(element.name) != index:
            _refuse(f"{place}.name", f'"{element.name}" is used twice', "Choose another name.")
        type_text, type_ = _type(element.type, f"{place}.type")
        if element.path is None:
            expression = "e" if type_.kind is Kind.SUPER else f"e::{type_text}"
        else:
            expression, _ = _from_path(element.path, type_text, type_, f"{place}.path", "e")
        elements.append(Element(element.name, expression))
    if not elements:
        _refuse(f"{key}.columns", "a list needs at least one column")
    return NestedList(declared.name, declared.column, tuple(elements))


def _conditions(declared: Declared, key: str, source: Source) -> tuple[str, ...]:
    if declared.sort_key is not None and declared.sort_key_begins is not None:
        _refuse(f"{key}.sort_key_begins", "stands beside sort_key", "Keep one of the two.")
    if source.sort_key is None and (declared.sort_key is not None or declared.sort_key_begins is not None or declared.sort_key_begins_not):
        _refuse(f"{key}.sort_key", "the table has no sort key", "Name it in [source] as sort_key.")
    found = []
    if declared.partition_key_begins is not None:
        found.append(f"left(c.pk, {len(declared.partition_key_begins)}) = {literal(declared.partition_key_begins)}")
    if declared.sort_key is not None:
        found.append(f"c.sk = {literal(declared.sort_key)}")
    if declared.sort_key_begins is not None:
        found.append(f"left(c.sk, {len(declared.sort_key_begins)}) = {literal(declared.sort_key_begins)}")
    found += [f"left(c.sk, {len(text)}) <> {literal(text)}" for text in declared.sort_key_begins_not]
    if "remove" not in declared.deleted_by and "expiry" not in declared.deleted_by:
        found.append("NOT c.is_removed")
    elif "expiry" not in declared.deleted_by:
        found.append("NOT c.is_expired")
    elif "remove" not in declared.deleted_by:
        found.append("(c.is_expired OR NOT c.is_removed)")
    return tuple(found)


def _column(declared: DeclaredColumn, key: str, source: Source) -> Column:
    _check_name(f"{key}.name", declared.name)
    if declared.name in TAKEN:
        _refuse(f"{key}.name", f'"{declared.name}" is a column of every load', "Choose another name.")
    type_text, type_ = _type(declared.type, f"{key}.type")
    if (declared.path is None) == (declared.key is None):
        _refuse(key, "needs either path or key", 'Write path = "price.N", or key = "sort".')
    if declared.path is not None:
        if declared.part is not None:
            _refuse(f"{key}.part", "belongs to key, not to path")
        expression, container = _from_path(declared.path, type_text, type_, f"{key}.path")
    else:
        expression, container = _from_key(declared, type_text, type_, key, source), None
    return Column(declared.name, type_text, type_, expression, container, declared.required)


def _type(text: str, key: str) -> tuple[str, SqlType]:
    hint = "Use smallint, integer, bigint, decimal(p,s), real, double precision, varchar(n), boolean, date, timestamp(tz) or super."
    try:
        statement = parse_statement(f"CREATE TABLE t (c {text})")
    except NearshiftError as error:
        raise ConfigurationError(f'"{FILE_NAME}", key "{key}": "{text}" is not a type', detail=error.message, hint=hint) from error
    assert isinstance(statement, CreateTable), "the text begins with CREATE TABLE"
    columns = statement.columns
    if len(columns) != 1 or re.fullmatch(r"[a-z ]+(\( ?\d+ ?(, ?\d+ ?)?\))?", text.strip().lower()) is None:
        _refuse(key, f'"{text}" is not a type', hint)
    if columns[0].type.kind not in _TYPES:
        _refuse(key, f'type "{text}" cannot be loaded from an item', hint)
    return " ".join(text.lower().split()), columns[0].type


def _from_path(path: str | tuple[str, ...], type_text: str, type_: SqlType, key: str, root: str = "c.new_image") -> tuple[str, str | None]:
    parts = tuple(path.split(".")) if isinstance(path, str) else path
    if not parts or not all(parts):
        _refuse(key, "a part of the path is empty", 'Write it as DynamoDB writes the value: "address.M.zip.S".')
    whole = root + "".join(f".{quoted(part)}" for part in parts)
    if type_.kind is Kind.SUPER:
        return whole, None
    if (len(parts) < 2 and root != "e") or parts[-1] not in _LEAVES:
        shown = ".".join(parts)
        _refuse(key, f'"{shown}" does not end with the kind of its value', f'Write "{shown}.S" for text, "{shown}.N" for a number.')
    return f"{whole}::{type_text}", whole.rpartition(".")[0]


def _from_key(declared: DeclaredColumn, type_text: str, type_: SqlType, key: str, source: Source) -> str:
    if declared.key == "sort" and source.sort_key is None:
        _refuse(f"{key}.key", "the table has no sort key", "Name it in [source] as sort_key.")
    if type_.kind not in STRINGS:
        _refuse(f"{key}.type", "a key is text", "Use varchar(n), and cast it where you need a number.")
    column = "c.pk" if declared.key == "partition" else "c.sk"
    if declared.part is None:
        return f"{column}::{type_text}"
    if declared.part < 1 or not declared.separator:
        _refuse(f"{key}.part", "parts count from 1, and are parted by a separator")
    # An absent part is '' to split_part, and nothing to a reader of the table.
    return f"nullif(split_part({column}, {literal(declared.separator)}, {declared.part}), '')::{type_text}"


def _refuse_twins(declarations: Declarations) -> None:
    names = declarations.names
    taken = {names.stream_view, names.change_view, names.audit_table, names.rejected_view}
    for load in declarations.loads:
        for name in load.relations:
            if name in taken:
                _refuse("facts", f'the name "{name}" is used twice', "Rename one of the facts and dimensions.")
            taken.add(name)
