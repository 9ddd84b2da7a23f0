"""GRANT and REVOKE of privileges, default privileges, and what new and dropped objects mean for both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nearshift.access.deciding import COLUMN_PRIVILEGES
from nearshift.catalog import principals
from nearshift.catalog.entities import RESERVED_SCHEMAS, Snapshot
from nearshift.catalog.principals import (
    DATABASE_OID,
    LANGUAGES,
    PUBLIC,
    SYSTEM_PREFIXES,
    DefaultEntry,
    GrantEntry,
    Principal,
    PrincipalKind,
    Securable,
)
from nearshift.commands import functions, procedures
from nearshift.commands.principals import (
    change_group,
    change_role,
    change_user,
    drop_principals,
    folded,
    grant_role,
    principal_named,
    user_named,
)
from nearshift.errors import Conflict, InvalidSql, NotSupported, PermissionDenied, Span, UndefinedObject
from nearshift.results import Result
from nearshift.sql import statements as st

if TYPE_CHECKING:
    from nearshift.session import Session

# "GRANT": what can be granted on what; ALL stands for all of them.
PRIVILEGES: Final[Mapping[Securable, tuple[str, ...]]] = {
    Securable.RELATION: ("SELECT", "INSERT", "UPDATE", "DELETE", "DROP", "REFERENCES", "ALTER", "TRUNCATE"),
    Securable.SCHEMA: ("CREATE", "USAGE", "ALTER", "DROP"),
    Securable.DATABASE: ("CREATE", "TEMP", "USAGE", "ALTER"),
    Securable.FUNCTION: ("EXECUTE",),
    Securable.PROCEDURE: ("EXECUTE",),
    Securable.LANGUAGE: ("USAGE",),
}
# PostgreSQL's, which Redshift reads and does nothing with.
_IDLE: Final = frozenset({"RULE", "TRIGGER"})
_KINDS: Final[Mapping[st.ObjectKind, Securable]] = {
    st.ObjectKind.TABLE: Securable.RELATION, st.ObjectKind.SCHEMA: Securable.SCHEMA, st.ObjectKind.DATABASE: Securable.DATABASE,
    st.ObjectKind.FUNCTION: Securable.FUNCTION, st.ObjectKind.PROCEDURE: Securable.PROCEDURE, st.ObjectKind.LANGUAGE: Securable.LANGUAGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Object:
    """Something that privileges are on, as the catalog has it now."""

    kind: Securable
    oid: int
    name: str
    owner: str
    columns: tuple[str, ...] = ()


def change_access(session: Session, statement: Any) -> Result:
    """Run a statement about users, groups, roles or privileges."""
    match statement:
        case st.Grant():
            return _grant(session, statement)
        case st.DefaultPrivileges():
            return _default(session, statement)
        case st.GrantRole():
            return grant_role(session, statement)
        case st.UserChange():
            return change_user(session, statement)
        case st.GroupChange():
            return change_group(session, statement)
        case st.RoleChange():
            return change_role(session, statement)
        case st.Drop():
            return drop_principals(session, statement)
        case _:
            raise NotSupported("this statement is not supported")


# --- GRANT and REVOKE


def _grant(session: Session, statement: st.Grant) -> Result:
    receivers = [(principal_named(session, grantee), grantee) for grantee in statement.grantees]
    if statement.has_grant_option and not statement.is_revoke:
        _check_option(receivers)
    if statement.is_system:
        _grant_system(session, statement, receivers)
    else:
        for target in objects_named(session, statement):
            for privilege in _privileges(session, statement, target):
                for receiver, grantee in receivers:
                    grant = dataclasses.replace(privilege, grantee=receiver)
                    _write(session, statement, target, grant, grantee)
    session.tx.touch_catalog()
    return Result("REVOKE" if statement.is_revoke else "GRANT")


def _check_option(receivers: list[tuple[Principal, st.Grantee]]) -> None:
    for receiver, grantee in receivers:
        if receiver.kind is not PrincipalKind.USER:
            span = grantee.name.span if grantee.name else None
            raise InvalidSql("grant options can only be granted to individual users", sqlstate="0LP01", span=span)


def _grant_system(session: Session, statement: st.Grant, receivers: list[tuple[Principal, st.Grantee]]) -> None:
    if not session.rights.is_superuser:
        raise PermissionDenied("must be superuser to grant system permissions")
    for receiver, grantee in receivers:
        span = grantee.name.span if grantee.name else None
        if receiver.kind is not PrincipalKind.ROLE:
            raise InvalidSql("system permissions can only be granted to roles", sqlstate="0LP01", span=span, hint="Write TO ROLE name.")
        if session.snapshot.principals.name_of(receiver).startswith(SYSTEM_PREFIXES):
            raise PermissionDenied("permissions of a system-defined role cannot be changed", span=span)
        for privilege in statement.privileges:
            grant = GrantEntry(Securable.SYSTEM, 0, "", receiver, privilege.name, grantor=_grantor(session))
            act = principals.remove_grant if statement.is_revoke else principals.add_grant
            act(session.tx.connection, grant)


def _grantor(session: Session) -> int:
    entry = session.rights.entry
    return entry.oid if entry is not None else principals.ADMIN_OID


def _privileges(session: Session, statement: st.Grant, target: Object) -> Iterator[GrantEntry]:
    """Yield a grant to PUBLIC for each privilege and column that the statement names, once the user may grant it."""
    rights = session.rights
    for written in statement.privileges:
        names = PRIVILEGES[target.kind] if written.name == "ALL" else (written.name,)
        allowed = [name for name in names if rights.may_grant(name, target.kind, target.oid, target.owner)]
        columns = [_column(session, target, column) for column in written.columns] or [""]
        if written.columns and not set(names) & COLUMN_PRIVILEGES:
            raise InvalidSql(f"invalid privilege type {written.name} for column", sqlstate="0LP01", span=written.columns[0].span)
        if written.name in _IDLE and target.kind is Securable.RELATION:
            continue
        if written.name not in {"ALL", *PRIVILEGES[target.kind]}:
            raise InvalidSql(f"invalid privilege type {written.name} for {target.kind.value}", sqlstate="0LP01")
        if not allowed:
            raise PermissionDenied(f"permission denied for {target.kind.value} {target.name}")
        for name in allowed if written.name == "ALL" else names:
            if written.columns and name not in COLUMN_PRIVILEGES:
                continue
            for column in columns:
                has_option = statement.has_grant_option and not statement.is_revoke
                yield GrantEntry(target.kind, target.oid, column, PUBLIC, name, has_option, _grantor(session))


def _column(session: Session, target: Object, name: st.Name) -> str:
    found = folded(session, name)
    if found not in target.columns:
        raise UndefinedObject(f'column "{found}" of relation "{target.name}" does not exist', sqlstate="42703", span=name.span)
    return found


def _write(session: Session, statement: st.Grant, target: Object, grant: GrantEntry, grantee: st.Grantee) -> None:
    connection = session.tx.connection
    if not statement.is_revoke:
        principals.add_grant(connection, grant)
        return
    span = grantee.name.span if grantee.name else None
    name = session.snapshot.principals.name_of(grant.grantee)
    user = session.snapshot.principals.users.get(name) if grant.grantee.kind is PrincipalKind.USER else None
    if user is not None and user.name == target.owner and not user.is_superuser:
        raise NotSupported(
            f'privileges of the owner "{name}" of {target.name} cannot be revoked', span=span, hint="Give the object to another owner."
        )
    known = session.snapshot.principals.grants.get((grant.kind, grant.oid), ())
    gone = [one for one in known if (one.grantee, one.privilege) == (grant.grantee, grant.privilege) and grant.column in {"", one.column}]
    for one in gone:
        if user is not None:
            _dependents(session, statement, one, user.oid, span)
        if statement.has_grant_option:
            principals.add_grant(connection, dataclasses.replace(one, has_grant_option=False))
        else:
            principals.remove_grant(connection, one)


def _dependents(session: Session, statement: st.Grant, grant: GrantEntry, grantor: int, span: Span | None) -> None:
    """Take along what the receiver granted on by its grant option; without CASCADE that keeps the privilege from being revoked."""
    if not grant.has_grant_option:
        return
    known = session.snapshot.principals.grants.get((grant.kind, grant.oid), ())
    for one in known:
        if one.grantor != grantor or one.privilege != grant.privilege or one.grantee == grant.grantee:
            continue
        if not statement.is_cascade:
            raise Conflict("dependent privileges exist", sqlstate="2BP01", span=span, hint="Use CASCADE to revoke them too.")
        principals.remove_grant(session.tx.connection, one)
        if one.grantee.kind is PrincipalKind.USER:
            _dependents(session, statement, one, one.grantee.oid, span)


# --- the objects of a GRANT


def objects_named(session: Session, statement: st.Grant) -> Iterator[Object]:
    """Yield what a GRANT is on. Raises UndefinedObject for what does not exist."""
    kind = _KINDS[statement.kind]
    if statement.is_all_in_schema:
        for name in statement.objects:
            schema = _schema(session, name)
            yield from (one for one, place in objects_of(session.snapshot).values() if place == schema.name and one.kind is kind)
        return
    for name in statement.objects:
        match kind:
            case Securable.RELATION:
                yield _relation(session, name)
            case Securable.SCHEMA:
                yield _schema(session, name)
            case Securable.DATABASE:
                yield _database(session, name)
            case _:
                yield _language(session, name)
    for routine in statement.routines:
        yield _routine(session, kind, routine)


def _relation(session: Session, name: st.QualifiedName) -> Object:
    entry = session.names.relation(name)
    if entry.schema == "pg_temp":
        raise NotSupported("privileges on temporary tables are not supported: no other session sees them", span=name.span)
    return Object(Securable.RELATION, entry.oid, entry.name, entry.owner, tuple(column.name for column in entry.columns))


def _schema(session: Session, name: st.QualifiedName) -> Object:
    found = name.folded(session.settings.rules)[-1]
    schema = session.snapshot.schemas.get(found)
    if schema is None:
        if found in RESERVED_SCHEMAS:
            raise NotSupported(f'privileges on schema "{found}" cannot be changed', span=name.span, hint="Everybody may read it.")
        raise UndefinedObject(f'schema "{found}" does not exist', sqlstate="3F000", span=name.span)
    return Object(Securable.SCHEMA, schema.oid, schema.name, schema.owner)


def _database(session: Session, name: st.QualifiedName) -> Object:
    found = name.folded(session.settings.rules)[-1]
    if found != session.database.lower():
        raise UndefinedObject(f'database "{found}" does not exist', sqlstate="3D000", span=name.span)
    return Object(Securable.DATABASE, DATABASE_OID, found, session.house.admin)


def _language(session: Session, name: st.QualifiedName) -> Object:
    found = name.folded(session.settings.rules)[-1]
    if found not in LANGUAGES:
        raise UndefinedObject(f'language "{found}" does not exist', sqlstate="42704", span=name.span)
    return Object(Securable.LANGUAGE, LANGUAGES[found], found, session.house.admin)


def language_name(oid: int) -> str | None:
    """Return the name of a language of routines."""
    return next((name for name, known in LANGUAGES.items() if known == oid), None)


def _routine(session: Session, kind: Securable, routine: st.Signature) -> Object:
    if kind is Securable.PROCEDURE:
        entry = procedures.named(session, routine, is_optional=False)
        assert entry is not None, "a procedure that is not optional is found or raises"
        return Object(kind, entry.oid, entry.name, entry.owner)
    found = functions.named(session, routine, is_optional=False)
    assert found is not None, "a function that is not optional is found or raises"
    return Object(kind, found.function.oid, found.function.name, found.owner)


def objects_of(snapshot: Snapshot) -> dict[tuple[Securable, int], tuple[Object, str]]:
    """Return the relations, routines and schemas that there are, each with the schema it is in (empty for schemas)."""
    found: dict[tuple[Securable, int], tuple[Object, str]] = {}
    for relation in snapshot.relations.values():
        columns = tuple(column.name for column in relation.columns)
        made = Object(Securable.RELATION, relation.oid, relation.name, relation.owner, columns)
        found[Securable.RELATION, relation.oid] = made, relation.schema
    for procedure in (one for every in snapshot.procedures.values() for one in every):
        made = Object(Securable.PROCEDURE, procedure.oid, procedure.name, procedure.owner)
        found[Securable.PROCEDURE, procedure.oid] = made, procedure.schema
    for entry in (one for every in snapshot.functions.values() for one in every):
        made = Object(Securable.FUNCTION, entry.function.oid, entry.function.name, entry.owner)
        found[Securable.FUNCTION, entry.function.oid] = made, entry.function.schema
    for schema in snapshot.schemas.values():
        found[Securable.SCHEMA, schema.oid] = Object(Securable.SCHEMA, schema.oid, schema.name, schema.owner), ""
    return found


# --- ALTER DEFAULT PRIVILEGES


def _default(session: Session, statement: st.DefaultPrivileges) -> Result:
    grant = statement.grant
    if grant.kind is st.ObjectKind.SCHEMA:
        raise NotSupported("default privileges on schemas are not supported", hint="Grant on each schema.")
    kind = _KINDS[grant.kind]
    rights = session.rights
    assert rights.entry is not None, "who runs a statement is a user"
    owners = [user_named(session, name) for name in statement.users] or [rights.entry]
    for owner in owners:
        if owner.name != session.user and not rights.has_system("ALTER DEFAULT PRIVILEGES"):
            raise PermissionDenied("must be superuser to alter default privileges of other users")
    places = [_schema(session, st.QualifiedName((name,))).oid for name in statement.schemas] or [0]
    receivers = [(principal_named(session, grantee), grantee) for grantee in grant.grantees]
    if grant.has_grant_option and not grant.is_revoke:
        _check_option(receivers)
    for written in grant.privileges:
        names = PRIVILEGES[kind] if written.name == "ALL" else (written.name,)
        if not set(names) <= {*PRIVILEGES[kind], *_IDLE} or written.columns:
            raise InvalidSql(f"invalid privilege type {written.name} for {kind.value}", sqlstate="0LP01")
        for name in (name for name in names if name not in _IDLE):
            for owner in owners:
                for place in places:
                    for receiver, _grantee in receivers:
                        _write_default(session, grant, DefaultEntry(owner.oid, place, kind, receiver, name, grant.has_grant_option))
    session.tx.touch_catalog()
    return Result("ALTER DEFAULT PRIVILEGES")


def _write_default(session: Session, grant: st.Grant, entry: DefaultEntry) -> None:
    connection = session.tx.connection
    is_built_in = entry.kind is Securable.FUNCTION and entry.grantee == PUBLIC and entry.schema == 0
    if not grant.is_revoke and not is_built_in:
        principals.add_default(connection, entry)
    elif grant.is_revoke and grant.has_grant_option:
        principals.add_default(connection, dataclasses.replace(entry, has_grant_option=False))
    elif grant.is_revoke and is_built_in:
        principals.add_default(connection, dataclasses.replace(entry, is_revoked=True))
    else:
        principals.remove_default(connection, entry)


def settle(session: Session, before: Snapshot) -> None:
    """Give what a statement made its default privileges, and forget the grants on what it dropped."""
    after = session.snapshot
    if after.version == before.version:
        return
    old, new = objects_of(before), objects_of(after)
    connection, is_changed = session.tx.connection, False
    for key in old.keys() - new.keys():
        if key in after.principals.grants:
            principals.drop_grants_on(connection, *key)
            is_changed = True
    for key in new.keys() - old.keys():
        for grant in _defaults_for(after, *new[key]):
            principals.add_grant(connection, grant)
            is_changed = True
    if is_changed:
        session.tx.touch_catalog()


def _defaults_for(snapshot: Snapshot, made: Object, schema: str) -> Iterator[GrantEntry]:
    owner = snapshot.principals.users.get(made.owner)
    place = snapshot.schemas[schema].oid if schema in snapshot.schemas else 0
    own = [
        one for one in snapshot.principals.defaults
        if owner is not None and one.owner == owner.oid and one.kind is made.kind and one.schema in {0, place}
    ]  # fmt: skip
    grantor = owner.oid if owner is not None else principals.ADMIN_OID
    # "By default, the permission to run new UDFs is granted to all users in the PUBLIC group."
    if made.kind is Securable.FUNCTION and not any(one.is_revoked for one in own):
        yield GrantEntry(made.kind, made.oid, "", PUBLIC, "EXECUTE", grantor=grantor)
    for one in own:
        if not one.is_revoked:
            yield GrantEntry(made.kind, made.oid, "", one.grantee, one.privilege, one.has_grant_option, grantor)
