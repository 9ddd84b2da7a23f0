"""A pipeline folder proposed from a table's shape and some of its items: the manifest with comments, a first dashboard, a first test.

Pure: text out. What could not be decided from the sample stands in comments, without any value of an item: keys and values may be private.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nearshift.generate.attributes import ProposedColumn, columns_of, seen_in, too_long, unnamed
from nearshift.generate.kinds import Item, Kind, Kinds, nested_words, part_counts, split_kinds
from nearshift.generate.loads import TAKEN
from nearshift.generate.naming import legal
from nearshift.generate.sampling import TableShape
from nearshift.sql.names import NAME_BYTES_MAX

_COLUMNS_MAX: Final = 200
_KEY_SIZES: Final = {"partition": 2048, "sort": 1024}


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column made of a key, or of a part of it."""

    name: str
    key: str
    part: int | None


@dataclass(frozen=True, slots=True)
class ProposedTable:
    """A fact or dimension: of which items, with which columns; `remarks` stand above it."""

    name: str
    kind: Kind
    is_dimension: bool
    conditions: tuple[tuple[str, str | tuple[str, ...]], ...]
    keys: tuple[KeyColumn, ...]
    columns: tuple[ProposedColumn, ...]
    lists: tuple[tuple[str, ProposedColumn], ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """All tables and what was said about the sample as a whole."""

    shape: TableShape
    separator: str
    sampled: int
    tables: tuple[ProposedTable, ...]
    remarks: tuple[str, ...]

    @property
    def remark_count(self) -> int:
        """How many things were ambiguous."""
        each = (len(table.remarks) + sum(len(column.remarks) for column in table.columns) for table in self.tables)
        return len(self.remarks) + sum(each)


class _Names:
    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def is_taken(self, name: str) -> bool:
        """Tell whether a name is taken, and take it. A column and its version need a name each."""
        if self._taken & {name, name.removesuffix("_version"), f"{name}_version"}:
            return True
        self._taken.add(name)
        return False


def propose(items: Sequence[Item], shape: TableShape) -> Proposal:
    """Return what a folder for the table could declare. No items give one table of its keys."""
    kinds = split_kinds(items, shape)
    names = _Names(frozenset({"stream_vw", "mv_item_change", "load_audit", "rejected_record"}))
    tables = tuple(_table(kind, kinds, shape, names) for kind in kinds.kinds)
    remarks = []
    if not items:
        remarks.append("The table has no items: declare its columns below as docs/generate.md shows.")
    if kinds.others:
        remarks.append(f"{kinds.others} of the {len(items)} items have keys that fit none of the kinds below. They are in mv_item_change.")
    return Proposal(shape, kinds.separator, len(items), tables, tuple(remarks))


def _table(kind: Kind, kinds: Kinds, shape: TableShape, names: _Names) -> ProposedTable:
    is_dimension = kind.sort_key is not None
    is_clear = sum(one.words[-1:] == kind.words[-1:] for one in kinds.kinds) == 1
    words = (kind.words[-1:] if is_clear and not is_dimension else kind.words) or (shape.name,)
    name = legal("_".join(words)[:50] + ("_dim" if is_dimension else "_fact"), "item_fact", names.is_taken)
    taken = _Names(TAKEN)
    keys = _keys(kind, kinds, shape, taken.is_taken)
    seen = seen_in(kind.items, frozenset({shape.partition_key, *([shape.sort_key] if shape.sort_key else [])}))
    columns = list(columns_of(seen, taken.is_taken))
    remarks = []
    if long := too_long(seen):
        remarks.append(f"{long} attributes have names above {NAME_BYTES_MAX} bytes, which no path can say: without a column.")
    if missing := unnamed(seen):
        remarks.append(f"Only NULL in the sample, so without a column: {', '.join(missing)}.")
    if len(columns) > _COLUMNS_MAX:
        remarks.append(f"{len(columns) - _COLUMNS_MAX} more attributes were found: the first {_COLUMNS_MAX} have columns.")
        columns = columns[:_COLUMNS_MAX]
    if nested_words(kind, shape.sort_key, kinds.separator):
        remarks.append("Some sort keys go on with another word, others do not: these may be several kinds of item under one beginning.")
    counts = part_counts(kind, shape.sort_key, kinds.separator) if kind.sort_begins else []
    if len(counts) > 1:
        remarks.append(f"Sort keys have {' or '.join(map(str, counts))} parts: a part that an item does not have is NULL.")
    if not keys and not columns:
        remarks.append("Nothing but keys was found.")
    lists = tuple((legal(f"{name.rpartition('_')[0]}_{one.name}", "list", names.is_taken), one) for one in columns if one.elements)
    return ProposedTable(name, kind, is_dimension, _conditions(kind, kinds), keys, tuple(columns), lists, tuple(remarks))


def _conditions(kind: Kind, kinds: Kinds) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    found: list[tuple[str, str | tuple[str, ...]]] = []
    if kind.partition_begins and (kinds.needs_partition or not (kind.sort_begins or kind.sort_key)) and len(kinds.kinds) > 1:
        found.append(("partition_key_begins", kind.partition_begins))
    if kind.sort_key:
        found.append(("sort_key", kind.sort_key))
    elif kind.sort_begins and len(kinds.kinds) > 1:
        found.append(("sort_key_begins", kind.sort_begins))
    elif len(kinds.kinds) > 1:
        same = (one for one in kinds.kinds if one.partition_begins == kind.partition_begins)
        others = sorted({text for one in same if (text := one.sort_begins or one.sort_key)})
        if others:
            found.append(("sort_key_begins_not", tuple(others)))
    return tuple(found)


def _keys(kind: Kind, kinds: Kinds, shape: TableShape, is_taken: Callable[[str], bool]) -> tuple[KeyColumn, ...]:
    """Return the columns that say whose item it is: `CUSTOMER#1` gives customer_id, a key without a word its attribute's own name."""
    found = []
    for key, attribute, begins, type_ in (
        ("partition", shape.partition_key, kind.partition_begins, shape.partition_key_type),
        ("sort", shape.sort_key, kind.sort_begins, shape.sort_key_type),
    ):
        if attribute is None or (key == "sort" and kind.sort_key is not None):
            continue
        if begins is None or type_ != "S":
            if legal(attribute, "key", lambda _: False) not in {"pk", "sk"} or not kind.words:
                found.append(KeyColumn(legal(attribute if attribute not in {"pk", "sk"} else f"{key}_key", "key", is_taken), key, None))
            continue
        counts = part_counts(kind, attribute, kinds.separator)
        last = counts[-1] if counts else 2
        for part in range(2, min(last, 6) + 1):
            label = f"{begins[:-1]}_id" if part == last else f"{begins[:-1]}_part{part}"
            found.append(KeyColumn(legal(label, "part", is_taken), key, part))
    return tuple(found)


def manifest_text(proposal: Proposal, name: str, stream: str, remark: str | None = None) -> str:
    """Return `nearshift.toml`."""
    shape = proposal.shape
    lines = [
        f"# Proposed from {proposal.sampled} items of the table. Change it where you know better, then: nearshift generate",
        "# Columns hold what the sample had: texts have room for twice the longest, numbers without a fraction are bigint",
        "# (make them decimal(18,2) if they can have one). Comments say what was ambiguous.",
    ]
    lines += [f"# {text}" for text in proposal.remarks]
    lines += [f"name = {toml(name)}", "", "[source]"]
    if remark:
        lines.append(f"# {remark}")
    lines += [f"table = {toml(shape.name)}", f"stream = {toml(stream)}", f"partition_key = {toml(shape.partition_key)}"]
    lines += [f"partition_key_type = {toml(shape.partition_key_type)}"] if shape.partition_key_type != "S" else []
    if shape.sort_key is not None:
        lines.append(f"sort_key = {toml(shape.sort_key)}")
        lines += [f"sort_key_type = {toml(shape.sort_key_type)}"] if shape.sort_key_type != "S" else []
    for table in (*(one for one in proposal.tables if not one.is_dimension), *(one for one in proposal.tables if one.is_dimension)):
        lines += ["", *_table_lines(table, proposal.separator, proposal.sampled)]
    lines += ["", "# Tombstones are needed as long as the stream can bring old changes: no fewer days than its retention.", "[[schedules]]"]
    lines += ['name = "purge_tombstones"', 'statement = "CALL sp_purge_tombstones(30)"']
    lines += ['local = "cron(0 3 * * ? *)"', 'aws = "cron(0 3 * * ? *)"']
    return "\n".join(lines) + "\n"


def _table_lines(table: ProposedTable, separator: str, sampled: int) -> list[str]:
    part = "dimensions" if table.is_dimension else "facts"
    share = f"# {len(table.kind.items)} of {sampled} items." if sampled else None
    lines = [*([share] if share else []), *(f"# {text}" for text in table.remarks), f"[[{part}]]", f"name = {toml(table.name)}"]
    lines += ["type = 1"] if table.is_dimension else ['mode = "latest-image"']
    lines += [f"{key} = {toml(value)}" for key, value in table.conditions]
    lines.append("columns = [")
    for key in table.keys:
        parts = f", part = {key.part}" if key.part is not None else ""
        parts += f", separator = {toml(separator)}" if key.part is not None and separator != "#" else ""
        size = f"varchar({_KEY_SIZES[key.key]})"
        lines.append(f"  {{ name = {toml(key.name)}, type = {toml(size)}, key = {toml(key.key)}{parts} }},")
    for column in table.columns:
        lines += [f"  # {text}" for text in column.remarks]
        lines.append(f"  {{ name = {toml(column.name)}, type = {toml(column.type)}, path = {_path(column.path)} }},")
    lines.append("]")
    for name, column in table.lists:
        lines += ["", f"# The elements of {column.name}, a row each.", f"[[{part}.lists]]", f"name = {toml(name)}"]
        lines += [f"column = {toml(column.name)}", "columns = ["]
        for one in column.elements:
            path = f", path = {_path(one.path)}" if one.path else ""
            lines.append(f"  {{ name = {toml(one.name)}, type = {toml(one.type)}{path} }},")
        lines.append("]")
    return lines


def _path(parts: tuple[str, ...]) -> str:
    return toml(parts) if any("." in part for part in parts) else toml(".".join(parts))


def toml(value: str | tuple[str, ...]) -> str:
    """Return a string, or a list of them, as TOML writes it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def dashboard_text(proposal: Proposal) -> str:
    """Return a first dashboard over the table with most items: how many, how fast, by what, the latest."""
    table = max(proposal.tables, key=lambda one: (not one.is_dimension, len(one.kind.items)))
    taken = {"changed", "minute", "items"}
    choices = [json.dumps(one.name) for one in table.columns if one.is_choice and one.name not in taken][:2]
    sums = [one.name for one in table.columns if one.type.startswith(("decimal", "double")) and one.name not in taken]
    amounts = [json.dumps(name) for name in sums][:2]
    plain = [*(key.name for key in table.keys), *(one.name for one in table.columns if one.type != "super")]
    shown = [json.dumps(name) for name in plain[:7]]
    lines = [f"title: {json.dumps(table.name.replace('_', ' '))}", "order: 1", f"relation: public.{table.name}", "audit: load_audit", ""]
    lines += ["dimensions:", "  changed: {column: changed_at, title: Changed}"]
    lines += ["  minute: {column: changed_at, grain: minute, title: Minute}"]
    lines += [f"  {name}: {{title: {name}}}" for name in choices]
    lines += ["", "measures:", "  items: {aggregate: count, title: Items}"]
    lines += [f"  {name}: {{column: {name}, title: {name}}}" for name in amounts]
    lines += ["", "filters:", "  - {dimension: changed, kind: time, default: all}", *(f"  - {name}" for name in choices)]
    lines += ["", "tiles:", "  - {type: kpi, title: Items, measure: items, time: changed, window: 15m}"]
    lines += [f"  - {{type: kpi, title: {name}, measure: {name}, time: changed, window: 15m}}" for name in amounts]
    lines += ["  - {type: kpi, title: Rejected records, better: down, sql: SELECT count(*) AS value FROM rejected_record}"]
    by = f", by: {choices[0]}" if choices else ""
    lines += [f"  - {{type: area, title: Changes per minute, x: minute, y: items{by}, width: 6}}"]
    lines += [f"  - {{type: donut, title: {name}, x: {name}, y: items}}" for name in choices]
    lines += ["  - type: table", "    title: Latest changes", "    id: latest", f"    columns: [{', '.join(['changed_at', *shown])}]"]
    lines += ["    order_by: -changed_at", "    limit: 25", "    width: 12", "    height: 9"]
    lines += ["  - type: table", "    title: Loads", "    id: loads", "    width: 12"]
    lines += ["    sql: SELECT load_name, status, watermark, change_count, stale_count, error FROM load_audit ORDER BY load_name"]
    return "\n".join(lines) + "\n"


_EXAMPLES: Final[dict[str, Any]] = {
    "timestamptz": "2026-01-01T00:00:00Z", "timestamp": "2026-01-01T00:00:00", "date": "2026-01-01", "boolean": True, "bigint": 7,
}  # fmt: skip


def first_test_text(proposal: Proposal) -> str:
    """Return a first test per table: an item made up from the columns becomes one row, and every value fits."""
    blocks = ["# Made-up items, one of each kind. Put real cases beside them: late changes, removals, what must be rejected."]
    for table in proposal.tables:
        change = _made_up_change(table, proposal)
        blocks.append(
            f"test an item becomes a row of {table.name}, and its values fit\nchanges\n{json.dumps(change, ensure_ascii=False)}\n\n"
            f"refresh stream_vw\n\nrun\nCALL sp_load_{table.name}()\n\nrows\nSELECT count(*) FROM {table.name}\n----\n1"
        )
        if any(one.type != "super" for one in table.columns):
            blocks.append(f"rows\nSELECT column_name, value FROM {table.name}_misfit\n----")
    return "\n\n".join(blocks) + "\n"


def _made_up_change(table: ProposedTable, proposal: Proposal) -> dict[str, Any]:
    """Return a change in the short form of tests; as a whole record where a key is binary or has a name that means something there."""
    shape = proposal.shape
    key = _made_up_key(table, proposal)
    if "B" not in {shape.partition_key_type, shape.sort_key_type} and not set(key) & {"at", "event", "new", "old", "unit"}:
        return {"at": 1, "event": "INSERT", **key, "new": _made_up(table)}
    kinds = {shape.partition_key: shape.partition_key_type, shape.sort_key: shape.sort_key_type}
    keys = {name: {kinds[name]: str(value)} for name, value in key.items()}
    body = {"ApproximateCreationDateTime": 1_000_000_000_000_000, "Keys": keys, "NewImage": keys}
    return {"eventID": "e1", "eventName": "INSERT", "dynamodb": body}


def _made_up_key(table: ProposedTable, proposal: Proposal) -> dict[str, str | int]:
    shape, kind = proposal.shape, table.kind
    plain: dict[str, str | int] = {"S": "a", "N": 1, "B": "YQ=="}

    def text(begins: str | None, key: str, type_: str) -> str | int:
        parts = max((one.part or 0 for one in table.keys if one.key == key), default=0)
        if begins is None or type_ != "S":
            return plain[type_]
        return proposal.separator.join([begins[:-1], *("a" for _ in range(max(parts, 2) - 1))])

    found = {shape.partition_key: text(kind.partition_begins, "partition", shape.partition_key_type)}
    if shape.sort_key is not None:
        found[shape.sort_key] = kind.sort_key or text(kind.sort_begins, "sort", shape.sort_key_type)
    return found


def _made_up(table: ProposedTable) -> dict[str, Any]:
    """Return an item's attributes in the plain JSON of tests; what that cannot write (sets, binary) is left out."""
    item: dict[str, Any] = {}
    for column in table.columns:
        *way, kind = column.path
        if kind not in {"S", "N", "BOOL", "L"}:
            continue
        names = way[::2]
        inner = item
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        value = _EXAMPLES.get(column.type, [] if kind == "L" else 1.5 if kind == "N" else "a")
        inner[names[-1]] = value
    return item
