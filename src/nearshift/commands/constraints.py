"""Table constraints: kept and reported, not enforced, as on Redshift ("Defining table constraints").

Keys are attributes of a table. `constraints` holds all of them with their names; `primary_key` and `unique` are what catalog views read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nearshift.catalog.entities import ColumnEntry, RelationEntry
from nearshift.errors import DuplicateObject, InvalidSql, UndefinedObject
from nearshift.sql import statements as st
from nearshift.sql.names import fold

if TYPE_CHECKING:
    from nearshift.session import Session

_SUFFIXES: Final = {
    st.ConstraintKind.PRIMARY_KEY: "pkey", st.ConstraintKind.UNIQUE: "key", st.ConstraintKind.FOREIGN_KEY: "fkey",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Constraint:
    """One key of a table; a foreign one says which table (schema and name) and columns it points to."""

    name: str
    kind: st.ConstraintKind
    columns: tuple[str, ...]
    referenced: tuple[str, str] | None = None
    referenced_columns: tuple[str, ...] = ()


def constraints_of(entry: RelationEntry) -> tuple[Constraint, ...]:
    """Return the constraints of a table."""
    kept = entry.attributes
    if "constraints" not in kept and "primary_key" in kept:  # made before constraints had names
        return (Constraint(f"{entry.name}_pkey", st.ConstraintKind.PRIMARY_KEY, tuple(kept["primary_key"])),)
    return tuple(_read(one) for one in kept.get("constraints", ()))


def _read(kept: Mapping[str, Any]) -> Constraint:
    referenced = tuple(kept["referenced"]) if kept.get("referenced") else None
    columns = tuple(kept.get("referenced_columns", ()))
    return Constraint(kept["name"], st.ConstraintKind(kept["kind"]), tuple(kept["columns"]), referenced, columns)


def written(constraints: Sequence[Constraint]) -> dict[str, Any]:
    """Return constraints as a table's attributes keep them."""
    found: dict[str, Any] = {"constraints": [_kept(one) for one in constraints]} if constraints else {}
    for one in constraints:
        if one.kind is not st.ConstraintKind.FOREIGN_KEY:
            found.setdefault(one.kind.value.lower().replace(" ", "_"), list(one.columns))
    return found


def _kept(one: Constraint) -> dict[str, Any]:
    kept: dict[str, Any] = {"name": one.name, "kind": one.kind.value, "columns": list(one.columns)}
    if one.referenced is not None:
        kept |= {"referenced": list(one.referenced), "referenced_columns": list(one.referenced_columns)}
    return kept


def without_keys(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's attributes without its constraints."""
    return {name: value for name, value in attributes.items() if name not in {"constraints", "primary_key", "unique", "foreign_key"}}


def declared(session: Session, statement: st.CreateTable, table: str, columns: Sequence[ColumnEntry]) -> list[Constraint]:
    """Return the constraints that CREATE TABLE gives, those of columns first. Raises what `resolved` raises."""
    found: list[Constraint] = []
    for definition in statement.columns:
        given = {st.ConstraintKind.PRIMARY_KEY: definition.is_primary_key, st.ConstraintKind.UNIQUE: definition.is_unique}
        for kind, is_given in given.items():
            if is_given:
                found.append(resolved(session, st.TableConstraint(kind, (definition.name,)), table, columns, found))
        if definition.references is not None:
            own = st.TableConstraint(st.ConstraintKind.FOREIGN_KEY, (definition.name,), None, definition.references)
            found.append(resolved(session, own, table, columns, found))
    for constraint in statement.constraints:
        found.append(resolved(session, constraint, table, columns, found))
    return found


def resolved(
    session: Session, constraint: st.TableConstraint, table: str, columns: Sequence[ColumnEntry], others: Sequence[Constraint]
) -> Constraint:
    """Return a constraint with its names looked up.

    Raises UndefinedObject (42703, 42P01) for columns and tables that do not exist, InvalidSql (42P16) for a second primary key, (42830)
    for a foreign key to columns that are no key, DuplicateObject (42710) for a name that is taken.
    """
    rules = session.settings.rules
    names = tuple(fold(c.text, c.is_quoted, rules) for c in constraint.columns)
    known = {column.name for column in columns}
    for name, place in zip(names, constraint.columns, strict=True):
        if name not in known:
            raise UndefinedObject(f'column "{name}" named in key does not exist', sqlstate="42703", span=place.span)
    span = constraint.columns[0].span
    if constraint.kind is st.ConstraintKind.PRIMARY_KEY and any(one.kind is constraint.kind for one in others):
        raise InvalidSql(f'multiple primary keys for table "{table}" are not allowed', sqlstate="42P16", span=span)
    label = _label(session, constraint, table, names, others)
    if constraint.references is None:
        return Constraint(label, constraint.kind, names)
    target_key, target_columns = _target(session, constraint.references, table, others)
    if len(target_columns) != len(names):
        message = "number of referencing and referenced columns for foreign key disagree"
        raise InvalidSql(message, sqlstate="42830", span=span)
    return Constraint(label, constraint.kind, names, target_key, target_columns)


def _label(
    session: Session, constraint: st.TableConstraint, table: str, columns: tuple[str, ...], others: Sequence[Constraint]
) -> str:
    taken = {one.name for one in others}
    if constraint.name is not None:
        label = fold(constraint.name.text, constraint.name.is_quoted, session.settings.rules)
        if label in taken:
            raise DuplicateObject(f'constraint "{label}" already exists', sqlstate="42710", span=constraint.name.span)
        return label
    middle = "" if constraint.kind is st.ConstraintKind.PRIMARY_KEY else f"_{columns[0]}"
    label = base = f"{table}{middle}_{_SUFFIXES[constraint.kind]}"
    count = 0
    while label in taken:
        count += 1
        label = f"{base}{count}"
    return label


def _target(
    session: Session, reference: st.Reference, table: str, own: Sequence[Constraint]
) -> tuple[tuple[str, str], tuple[str, ...]]:
    schema, name = session.names.resolve(reference.table)
    found = session.names.find(schema, name)
    if found is None and name == table:  # a table may point to itself while it is made
        key, keys = (schema or session.names.creation_schema(None), name), tuple(own)
    elif found is None:
        raise UndefinedObject(f'relation "{reference.table}" does not exist', span=reference.table.span)
    else:
        key, keys = found.key, constraints_of(found)
    unique = [one for one in keys if one.kind is not st.ConstraintKind.FOREIGN_KEY]
    if reference.columns:
        columns = tuple(fold(c.text, c.is_quoted, session.settings.rules) for c in reference.columns)
        if all(set(one.columns) != set(columns) for one in unique):
            message = f'there is no unique constraint matching given keys for referenced table "{name}"'
            raise InvalidSql(message, sqlstate="42830", span=reference.table.span)
        return key, columns
    primary = next((one for one in unique if one.kind is st.ConstraintKind.PRIMARY_KEY), None)
    if primary is None:
        message = f'there is no primary key for referenced table "{name}"'
        raise UndefinedObject(message, sqlstate="42704", span=reference.table.span)
    return key, primary.columns
