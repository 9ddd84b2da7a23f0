"""System views: Redshift's and ours, as queries over the catalog's own tables.

Each entry of `VIEWS` gives the columns with Redshift's names and types ("System tables and views reference") and the DuckDB query that
answers it. All live in pg_catalog, where unqualified names are looked up last, and information_schema.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from nearshift.sql.names import quote
from nearshift.sql.relations import Column, Relation, RelationKind
from nearshift.types import parse_type


@dataclass(frozen=True, slots=True)
class SystemView:
    """One system view: its columns and the DuckDB query that answers it."""

    columns: tuple[Column, ...]
    query: str


def system_relation(schema: str, name: str) -> Relation | None:
    """Return the system view of that name, or None."""
    view = views().get((schema, name))
    if view is None:
        return None
    names = ", ".join(quote(column.name) for column in view.columns)
    source = f"(SELECT * FROM ({view.query}) AS answer({names}))"  # noqa: S608 - a constant query and its constant names
    return Relation(schema, name, RelationKind.SYSTEM, view.columns, source)


@cache
def views() -> Mapping[tuple[str, str], SystemView]:
    """Return all system views, read from `system_views.sql`.

    The file holds blocks: a line `-- schema.name`, a line `-- column type, column type, …`, then the query up to the next block.
    """
    text = importlib.resources.files("nearshift.catalog").joinpath("system_views.sql").read_text(encoding="utf-8")
    found = {}
    for block in text.split("\n\n-- ")[1:]:
        head, columns, query = block.split("\n", 2)
        schema, name = head.strip().split(".")
        kinds = tuple(_column(part) for part in columns.removeprefix("-- ").split(", "))
        found[schema, name] = SystemView(kinds, query.strip().rstrip(";"))
    return found


def _column(text: str) -> Column:
    name, kind = text.strip().split(" ", 1)
    return Column(name, parse_type(kind.replace(";", ",")))
