"""Taking all rows away: TRUNCATE, and LOCK, which shares its rules."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nearshift import storage
from nearshift.catalog import catalog
from nearshift.catalog.entities import RelationEntry
from nearshift.errors import Conflict, InvalidSql
from nearshift.results import Result
from nearshift.sql import statements as st
from nearshift.sql.relations import RelationKind

if TYPE_CHECKING:
    from nearshift.session import Session

_VIEWS = frozenset({RelationKind.STREAMING_VIEW, RelationKind.DERIVED_VIEW})


def empty(session: Session, entry: RelationEntry) -> int:
    """Delete all rows of a table or materialized view; views above it must recompute. Returns the number of rows."""
    assert entry.storage is not None, "a table or materialized view has storage"
    count = session.tx.connection.execute(storage.delete_all(entry.storage))
    rewritten(session, entry)
    if entry.kind is not RelationKind.TEMP_TABLE:
        session.tx.touch(entry.schema, entry.name)
    return count


def rewritten(session: Session, entry: RelationEntry) -> None:
    """Note that rows of a materialized view went by other ways than a refresh: a delta over them would be wrong from now on."""
    if entry.kind in _VIEWS:
        state = catalog.view_state(session.tx.connection, entry.oid)
        catalog.set_view_state(session.tx.connection, entry.oid, dataclasses.replace(state, generation=state.generation + 1))


def truncate(session: Session, statement: st.Truncate) -> Result:
    """Run TRUNCATE: it commits the transaction it is in ("TRUNCATE")."""
    entry = session.names.relation(statement.name)
    if entry.kind not in {RelationKind.TABLE, RelationKind.TEMP_TABLE, RelationKind.STREAMING_VIEW}:
        raise InvalidSql(f'"{entry.name}" is not a table', sqlstate="42809", span=statement.name.span)
    session.begin_here()
    empty(session, entry)
    session.commit_here()
    return Result("TRUNCATE")


def lock(session: Session, statement: st.Lock) -> Result:
    """Run LOCK: the transaction has the write lane from here on, which is more than one table's lock."""
    for name in statement.tables:
        session.names.relation(name)
    if not session.is_in_block:
        raise Conflict("LOCK TABLE can only be used in transaction blocks", sqlstate="25P01")
    return Result("LOCK TABLE")
