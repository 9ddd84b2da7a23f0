"""Whether a user may run a translated query or DML statement: from what it does to relations and functions to a refusal or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nearshift.access.rights import Rights
from nearshift.catalog.entities import FunctionEntry, ProcedureEntry, RelationEntry, Snapshot
from nearshift.catalog.principals import Securable
from nearshift.errors import PermissionDenied
from nearshift.sql.relations import Lowered, RelationKind, Use

# The privileges that can be granted on single columns ("GRANT").
COLUMN_PRIVILEGES = frozenset({"SELECT", "UPDATE"})


def decide_uses(
    snapshot: Snapshot,
    rights: Callable[[str], Rights],
    user: str,
    lowered: Lowered,
    expand: Callable[[RelationEntry], Lowered],
) -> PermissionDenied | None:
    """Return why `user` may not run a statement, or None.

    `rights` gives what a user may do, `expand` the translation of a plain view's query. Who reads a view needs the view; what is under it
    is read with the rights of the view's owner ("CREATE VIEW"). System views and temporary tables are open to their session.
    """
    own = rights(user)
    if own.is_superuser:
        return None
    return _schemas(own, snapshot, lowered.uses) or _relations(snapshot, rights, user, lowered, expand, frozenset()) or _calls(own, lowered)


def _schemas(own: Rights, snapshot: Snapshot, uses: Iterable[Use]) -> PermissionDenied | None:
    for schema in sorted({use.schema for use in uses}):
        if schema in snapshot.schemas and not own.may_on_schema("USAGE", schema):
            return PermissionDenied(f"permission denied for schema {schema}")
    return None


def _relations(
    snapshot: Snapshot,
    rights: Callable[[str], Rights],
    user: str,
    lowered: Lowered,
    expand: Callable[[RelationEntry], Lowered],
    above: frozenset[int],
) -> PermissionDenied | None:
    own = rights(user)
    if own.is_superuser:
        return None
    for use in sorted(lowered.uses, key=lambda one: (one.schema, one.name, one.privilege)):
        entry = snapshot.relations.get((use.schema, use.name))
        if entry is None:
            continue
        columns = use.columns if use.privilege in COLUMN_PRIVILEGES else None
        if not own.may(use.privilege, Securable.RELATION, entry.oid, entry.owner, columns):
            return PermissionDenied(f"permission denied for relation {entry.name}")
        if entry.kind is RelationKind.VIEW and entry.oid not in above:
            refusal = _relations(snapshot, rights, entry.owner, expand(entry), expand, above | {entry.oid})
            if refusal is not None:
                return refusal
    return None


def _calls(own: Rights, lowered: Lowered) -> PermissionDenied | None:
    for function in functions_called(own.snapshot, lowered.calls):
        name, schema = function.function.name, function.function.schema
        if schema in own.snapshot.schemas and not own.may_on_schema("USAGE", schema):
            return PermissionDenied(f"permission denied for schema {schema}")
        if not own.may("EXECUTE", Securable.FUNCTION, function.function.oid, function.owner):
            return PermissionDenied(f"permission denied for function {name}")
    return None


def functions_called(snapshot: Snapshot, calls: frozenset[int]) -> list[FunctionEntry]:
    """Return the users' functions with these oids, by name."""
    if not calls:
        return []
    every = (entry for entries in snapshot.functions.values() for entry in entries)
    return sorted((entry for entry in every if entry.function.oid in calls), key=lambda entry: entry.function.name)


def decide_view(snapshot: Snapshot, view: RelationEntry, expand: Callable[[RelationEntry], Lowered]) -> PermissionDenied | None:
    """Return why a view cannot be filled, or None: its owner must be able to read what it is made from, whoever refreshes it."""
    own = Rights(snapshot, view.owner)
    if own.is_superuser:
        return None
    return _relations(snapshot, lambda user: Rights(snapshot, user), view.owner, expand(view), expand, frozenset())


def decide_call(own: Rights, procedure: ProcedureEntry) -> PermissionDenied | None:
    """Return why a user may not call a procedure, or None: its owner, superusers and those granted EXECUTE may."""
    if not own.may_on_schema("USAGE", procedure.schema):
        return PermissionDenied(f"permission denied for schema {procedure.schema}")
    if not own.may("EXECUTE", Securable.PROCEDURE, procedure.oid, procedure.owner):
        return PermissionDenied(f"permission denied for procedure {procedure.name}")
    return None
