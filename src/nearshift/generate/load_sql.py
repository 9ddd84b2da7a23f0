"""One load as SQL: the view of its changes, its tables, and what did not fit their types."""

from __future__ import annotations

from typing import Final

from nearshift.generate.loads import Column, Declarations, Keeping, Load
from nearshift.generate.text import fill, literal
from nearshift.types import STRINGS

_EVENT: Final = """\
-- The changes of @name's items, typed. An attribute that is missing, or of another DynamoDB type than its path names, is NULL;
-- @misfit shows the values that were there and did not fit.
CREATE MATERIALIZED VIEW @view AS
SELECT c.refresh_time, c.shard_id, c.sequence_number, c.event_id, c.change_us, c.key_hash, c.key_check, @keys, c.is_removed,
       dateadd(us, (c.change_us % 1000000)::integer, timestamp 'epoch' + (c.change_us / 1000000) * interval '1 second') AS changed_at,
       @columns,
       @reject_reason AS reject_reason
FROM @change_view c
WHERE @conditions;
"""

_TABLE: Final = """\
CREATE TABLE @name (
@columns
) DISTKEY (key_hash) SORTKEY (key_hash);
"""

_TOMBSTONE: Final = """\
-- The version at which an item was removed, so that an older change that arrives late does not bring it back.
"""

_MISFIT: Final = """\
-- Values that an item had and @name's column could not take as they are: of another kind, out of range, or too long and cut.
CREATE VIEW @misfit AS
@selects;
"""

_MISFIT_SELECT: Final = """\
SELECT c.refresh_time, c.sequence_number, @keys, @column AS column_name, json_serialize(@container) AS value
FROM @change_view c
WHERE @conditions AND @container IS NOT NULL AND @container."NULL" IS NULL
  AND @test"""

_LIST: Final = """\
-- One row per element of the list @column in @name, unnested when it is read; place counts from 0.
-- A table of its own would have to be searched and rewritten at each load.
CREATE VIEW @list AS
SELECT @keys, place,
       @columns
FROM @name t, t.@column AS e AT place;
"""

_AUDIT_ROW: Final = """\
-- A new table begins at the first change.
DELETE FROM @audit_table WHERE load_name = @load AND (SELECT count(*) FROM @name) = 0;
INSERT INTO @audit_table (load_name, status, watermark, run_count, change_count, stale_count, written_count, removed_count)
SELECT @load, 'Ready', '1970-01-01 00:00:00', 0, 0, 0, count(*), 0
FROM @name
HAVING (SELECT count(*) FROM @audit_table WHERE load_name = @load) = 0;
"""


def event_view(load: Load, declarations: Declarations) -> str:
    """Return the materialized view of the load's changes."""
    required = [f"WHEN {column.expression} IS NULL THEN {literal('no ' + column.name)}" for column in load.columns if column.is_required]
    reason = "NULL::varchar(140)"
    if required:
        reason = "CASE WHEN c.is_removed THEN NULL\n            " + "\n            ".join(required) + "\n       END"
    places = {
        "name": load.name,
        "misfit": f"{load.name}_misfit",
        "view": load.view,
        "keys": ", ".join(f"c.{key}" for key in declarations.keys),
        "columns": ",\n       ".join(f"{column.expression} AS {column.name}" for column in load.columns),
        "reject_reason": reason,
        "change_view": declarations.names.change_view,
        "conditions": " AND ".join(("c.reject_reason IS NULL", *load.conditions)),
    }
    return fill(_EVENT, places)


def list_views(load: Load, declarations: Declarations) -> list[str]:
    """Return the views of the load's nested lists."""
    times = ("valid_from", "valid_to", "is_current") if load.keeping is Keeping.HISTORY else ()
    keys = ", ".join(f"t.{key}" for key in ("key_hash", "key_check", *declarations.keys, *times))
    return [
        fill(_LIST, {
            "list": one.name, "name": load.name, "column": one.column, "keys": keys,
            "columns": ",\n       ".join(f"{element.expression} AS {element.name}" for element in one.elements),
        })
        for one in load.lists
    ]  # fmt: skip


def key_definitions(declarations: Declarations) -> list[tuple[str, str]]:
    """Return the columns, name and type, by which rows of an item are found."""
    sizes = {"pk": (2048, declarations.source.partition_key_type), "sk": (1024, declarations.source.sort_key_type)}
    keys = [(key, f"varchar({sizes[key][0] * (2 if sizes[key][1] == 'B' else 1)}) NOT NULL") for key in declarations.keys]
    return [("key_hash", "bigint NOT NULL"), ("key_check", "bigint NOT NULL"), *keys]


VERSION_COLUMNS: Final = (("change_us", "bigint NOT NULL"), ("sequence_number", "varchar(128) NOT NULL"))


def own_definitions(load: Load) -> list[tuple[str, str]]:
    """Return the declared columns, name and type."""
    return [(column.name, column.type_text + (" NOT NULL" if column.is_required else "")) for column in load.columns]


def table(name: str, definitions: list[tuple[str, str]]) -> str:
    """Return a CREATE TABLE with the types in one column."""
    width = max(len(column) for column, _ in definitions)
    lines = ",\n".join(f"  {column.ljust(width)} {definition}" for column, definition in definitions)
    return fill(_TABLE, {"name": name, "columns": lines})


def tombstone_table(load: Load, declarations: Declarations) -> str:
    """Return the table of removed items' versions."""
    return _TOMBSTONE + table(load.tombstone, [*key_definitions(declarations), *VERSION_COLUMNS])


def audit_row(load: Load, declarations: Declarations) -> str:
    """Return the statement that enters the load in the audit table."""
    return fill(_AUDIT_ROW, {"audit_table": declarations.names.audit_table, "load": literal(load.name), "name": load.name})


def misfit_view(load: Load, declarations: Declarations) -> str:
    """Return the view of values that did not fit; empty text when no column is read from a path with a type."""
    selects = [_misfit_select(column, load, declarations) for column in load.columns if column.container is not None]
    if not selects:
        return ""
    return fill(_MISFIT, {"name": load.name, "misfit": f"{load.name}_misfit", "selects": "\nUNION ALL\n".join(selects)})


def _misfit_select(column: Column, load: Load, declarations: Declarations) -> str:
    test = f"{column.expression} IS NULL"
    if column.type.kind in STRINGS:
        raw = column.expression.rpartition("::")[0]
        test = f"({test} OR octet_length({raw}::varchar(65535)) > {column.type.length or 256})"
    places = {
        "keys": ", ".join(f"c.{key}" for key in declarations.keys),
        "column": literal(column.name),
        "container": column.container or "",
        "change_view": declarations.names.change_view,
        "conditions": " AND ".join(("c.reject_reason IS NULL", *load.conditions)),
        "test": test,
    }
    return fill(_MISFIT_SELECT, places)
