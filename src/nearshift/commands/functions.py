"""CREATE and DROP of SQL functions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nearshift.catalog import catalog
from nearshift.catalog.entities import FunctionEntry, RelationEntry
from nearshift.commands.dropping import drop_relation
from nearshift.errors import Conflict, DuplicateObject, InvalidSql, NearshiftError, Span, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.sql import statements as st
from nearshift.sql.check_function import check_function
from nearshift.sql.relations import RelationKind, UserFunction

if TYPE_CHECKING:
    from nearshift.session import Session


def create_function(session: Session, statement: st.CreateFunction) -> Result:
    """Run CREATE [OR REPLACE] FUNCTION ("CREATE FUNCTION"): the body is bound now, so that its errors have their place in the text."""
    schema, name = session.names.resolve(statement.name)
    place = session.names.creation_schema(schema)
    types = tuple(argument.type for argument in statement.arguments)
    function = UserFunction(0, place, name, types, statement.returns, statement.volatility, statement.body.strip().rstrip(";").rstrip())
    before = _same(session, function)
    if before is not None and not statement.is_replace:
        raise DuplicateObject(
            f'function "{name}" already exists with same argument types', sqlstate="42723", span=statement.name.span,
            hint="Write CREATE OR REPLACE FUNCTION.",
        )  # fmt: skip
    if before is not None and before.function.returns.kind is not function.returns.kind:
        raise InvalidSql(
            "cannot change return type of existing function", sqlstate="42P13", span=statement.name.span, hint="Use DROP FUNCTION first."
        )
    if any(entry.signature == function.signature for entry in session.snapshot.procedures.get((place, name), ())):
        raise DuplicateObject(
            f'a procedure "{name}" exists with same argument types', sqlstate="42723", span=statement.name.span,
            hint="Give the function another name.",
        )  # fmt: skip
    _check(session, statement, function)
    connection = session.tx.connection
    oid = before.function.oid if before is not None else catalog.next_oid(connection)
    owner = before.owner if before is not None else session.user
    now = session.house.clock.now().replace(tzinfo=None)
    catalog.add_function(connection, dataclasses.replace(function, oid=oid), owner, now)
    if before is not None:
        _recompute_readers(session, oid)
    session.tx.touch_catalog()
    return Result("CREATE FUNCTION")


def _same(session: Session, function: UserFunction) -> FunctionEntry | None:
    known = session.snapshot.functions.get((function.schema, function.name), ())
    return next((one for one in known if one.function.signature == function.signature), None)


def _check(session: Session, statement: st.CreateFunction, function: UserFunction) -> None:
    blanks = len(statement.body) - len(statement.body.lstrip())
    try:
        check_function(function, dataclasses.replace(session.context(), variables={}, parameter_types=()))
    except NearshiftError as error:
        error.span = (error.span or Span(0, len(function.body))).shifted(statement.body_start + blanks)
        raise


def readers_of(session: Session, oid: int) -> list[RelationEntry]:
    """Return the views whose queries call a function."""
    return [view for view in session.snapshot.relations.values() if oid in view.attributes.get("calls", ())]


def _recompute_readers(session: Session, oid: int) -> None:
    """What views over a replaced function hold was computed by the old one: all but streaming views compute it anew at the next refresh."""
    for view in readers_of(session, oid):
        if view.kind is RelationKind.DERIVED_VIEW:
            state = catalog.view_state(session.tx.connection, view.oid)
            catalog.set_view_state(session.tx.connection, view.oid, dataclasses.replace(state, base_marks={}))


def drop_functions(session: Session, statement: st.DropRoutine) -> Result:
    """Run DROP FUNCTION ("DROP FUNCTION"). Raises Conflict (2BP01) when views call one, unless CASCADE drops them too."""
    for routine in statement.routines:
        entry = named(session, routine, is_optional=statement.if_exists)
        if entry is None:
            session.notice(Severity.INFO, f'Function "{routine.name}" does not exist and will be skipped')
            continue
        readers = [view for view in readers_of(session, entry.function.oid) if not view.attributes.get("late_binding")]
        if readers and not statement.is_cascade:
            label = shown(entry.function)
            raise Conflict(
                f"cannot drop function {label} because other objects depend on it", sqlstate="2BP01", span=routine.name.span,
                detail=f"view {readers[0].name} depends on function {label}.",
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )  # fmt: skip
        for view in readers:
            if view.key in session.snapshot.relations:
                drop_relation(session, view, is_cascade=True, name=routine.name)
        catalog.drop_function(session.tx.connection, entry.function.oid)
        session.tx.touch_catalog()
    return Result("DROP FUNCTION")


def shown(function: UserFunction) -> str:
    """Return a function with its types, as messages name it."""
    return f"{function.name}({', '.join(kind.kind.value for kind in function.argument_types)})"


def named(session: Session, routine: st.Signature, *, is_optional: bool) -> FunctionEntry | None:
    """Return the function that a statement names, None when there is none and that is fine.

    Raises UndefinedObject (42883), and InvalidSql (42725) for a name without types that several functions have.
    """
    schema, own = session.names.resolve(routine.name)
    found: tuple[FunctionEntry, ...] = ()
    for place in (schema,) if schema else session.names.search_path():
        found = found or session.snapshot.functions.get((place or "", own), ())
    if routine.argument_types is not None:
        wanted = ",".join(kind.kind.value for kind in routine.argument_types)
        found = tuple(one for one in found if one.function.signature == wanted)
    if len(found) > 1:
        raise InvalidSql(
            f'function name "{routine.name}" is not unique', sqlstate="42725", span=routine.name.span, hint="Give its argument types."
        )
    if not found and not is_optional:
        types = ", ".join(kind.kind.value for kind in routine.argument_types or ())
        raise UndefinedObject(f"function {routine.name}({types}) does not exist", sqlstate="42883", span=routine.name.span)
    return found[0] if found else None
