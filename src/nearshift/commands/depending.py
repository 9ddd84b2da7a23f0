"""Views over what a statement changes: which of them lose a name, and what becomes of them.

A view is kept as its text. On Redshift a regular view follows a table or column that is renamed; here its text would still say the old
name, so a renaming that would break one is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING

from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry
from nearshift.errors import NotSupported, UndefinedObject
from nearshift.sql import statements as st
from nearshift.sql.lower import lower
from nearshift.sql.relations import BindContext, RelationKind

if TYPE_CHECKING:
    from nearshift.session import Session


def broken_views(session: Session, bases: Collection[tuple[str, str]]) -> list[RelationEntry]:
    """Return the regular views over the relations that cannot be read any more, as the transaction has the catalog now."""
    views = [view for view in session.snapshot.relations.values() if view.kind is RelationKind.VIEW and set(view.bases) & set(bases)]
    return [view for view in views if not view.attributes.get("late_binding") and not can_be_read(session, view)]


def can_be_read(session: Session, view: RelationEntry) -> bool:
    """Return whether all names of a view's query, and all columns that it had when it was made, are there."""
    path = tuple(view.attributes.get("search_path", ("public",)))
    lookup = session.house.lookup(session.snapshot, path, allows_streams=True)
    assert view.definition is not None, "a view has a definition"
    settings = dict(view.attributes.get("settings", {}))
    try:
        found = lower(view.definition, BindContext(lookup, view.rules, settings=settings, database=session.database, functions=lookup))
    except UndefinedObject:
        return False
    return set(view.attributes.get("query_columns", ())) <= {column.name for column in found.columns}


def refuse_broken(session: Session, bases: Collection[tuple[str, str]], what: str, name: st.QualifiedName) -> None:
    """Raise NotSupported when a renaming leaves a regular view behind."""
    for view in broken_views(session, bases):
        raise NotSupported(
            f"{what} cannot be renamed while a view reads it", span=name.span, detail=f'View "{view.name}" names it in its query.',
            hint="Drop the view, rename, and create the view again.",
        )  # fmt: skip


def mark_broken(session: Session, entry: RelationEntry, why: str) -> None:
    """Materialized views over a changed table can be read but not refreshed any more ("STV_MV_INFO": states 101 to 105)."""
    for view in session.snapshot.relations.values():
        if entry.key in view.bases and view.kind is not RelationKind.VIEW:
            state = catalog.view_state(session.tx.connection, view.oid)
            catalog.set_view_state(session.tx.connection, view.oid, dataclasses.replace(state, broken=why))
