"""CREATE, ALTER and DROP of users, groups and roles, and who is in which."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from nearshift.access.passwords import credential_of
from nearshift.access.rights import memberships_of
from nearshift.catalog import principals
from nearshift.catalog.catalog import Rows
from nearshift.catalog.principals import (
    ADMIN_OID,
    SYSTEM_PREFIXES,
    GroupEntry,
    Membership,
    Principal,
    PrincipalKind,
    RoleEntry,
    Securable,
    UserEntry,
)
from nearshift.errors import Conflict, DuplicateObject, InvalidSql, PermissionDenied, UndefinedObject
from nearshift.results import Result, Severity
from nearshift.settings import Settings
from nearshift.sql import statements as st
from nearshift.sql.names import fold

if TYPE_CHECKING:
    from nearshift.session import Session

_Entry = TypeVar("_Entry", UserEntry, GroupEntry, RoleEntry)
# "CREATE USER": an inactive session ends after a minute to twenty days.
_TIMEOUT_SECONDS = range(60, 1_728_001)


def folded(session: Session, name: st.Name) -> str:
    """Return a principal's name as the catalog spells it."""
    return fold(name.text, name.is_quoted, session.settings.rules)


def user_named(session: Session, name: st.Name) -> UserEntry:
    """Return a user. Raises UndefinedObject (42704)."""
    return _named(session, name, session.snapshot.principals.users, "user")


def principal_named(session: Session, grantee: st.Grantee) -> Principal:
    """Return whom a GRANT names. Raises UndefinedObject (42704)."""
    if grantee.name is None:
        return principals.PUBLIC
    known = session.snapshot.principals
    match grantee.kind:
        case st.GranteeKind.GROUP:
            return _named(session, grantee.name, known.groups, "group").principal
        case st.GranteeKind.ROLE:
            return role_named(session, grantee.name).principal
        case _:
            return _named(session, grantee.name, known.users, "user").principal


def role_named(session: Session, name: st.Name) -> RoleEntry:
    """Return a role. Raises UndefinedObject (42704)."""
    return _named(session, name, session.snapshot.principals.roles, "role")


def _named(session: Session, name: st.Name, known: Mapping[str, _Entry], kind: str) -> _Entry:
    found = known.get(folded(session, name))
    if found is None:
        raise UndefinedObject(f'{kind} "{folded(session, name)}" does not exist', sqlstate="42704", span=name.span)
    return found


def _new_name(session: Session, name: st.Name, known: Iterable[str], kind: str) -> str:
    wanted = folded(session, name)
    if wanted in known:
        raise DuplicateObject(f'{kind} "{wanted}" already exists', sqlstate="42710", span=name.span)
    if wanted == "public" or wanted.startswith(SYSTEM_PREFIXES):
        message = f'{kind} name "{wanted}" is reserved'
        raise InvalidSql(message, sqlstate="42939", span=name.span, hint="Choose another name.")
    return wanted


# --- users


def change_user(session: Session, statement: st.UserChange) -> Result:
    """Run CREATE USER or ALTER USER. Raises PermissionDenied unless a superuser runs it, or a user its own password or settings."""
    known = session.snapshot.principals
    connection = session.tx.connection
    tag = f"{statement.verb.value} USER"
    if statement.verb is st.Verb.CREATE:
        name = _new_name(session, statement.name, known.users, "user")
        _may_change_users(session, "CREATE USER", "create users")
        user = _with_options(session, UserEntry(principals.next_principal(connection), name), statement)
        groups = _groups_of(session, statement)
        principals.write_user(connection, user)
        for group in groups:
            principals.add_membership(connection, Membership(group.principal, user.principal))
    else:
        user = user_named(session, statement.name)
        _may_alter_user(session, user, statement)
        if statement.rename is not None:
            _rename_user(session, user, statement.rename.name)
        else:
            principals.write_user(connection, _with_settings(_with_options(session, user, statement), statement))
    session.tx.touch_catalog()
    return Result(tag)


def _may_change_users(session: Session, permission: str, what: str) -> None:
    if not session.rights.has_system(permission):
        raise PermissionDenied(f"must be superuser to {what}", hint=f"Or have a role with the permission {permission}.")


def _may_alter_user(session: Session, user: UserEntry, statement: st.UserChange) -> None:
    is_own = user.name == session.user and statement.rename is None and set(statement.options) <= {"PASSWORD"}
    if is_own:
        return
    _may_change_users(session, "ALTER USER", "alter users")
    if user.is_superuser and not session.rights.is_superuser:
        raise PermissionDenied("must be superuser to alter superusers")


def _groups_of(session: Session, statement: st.UserChange) -> list[GroupEntry]:
    option = statement.options.get("IN GROUP")
    names = option.value.split(",") if option is not None and option.value else []
    known = session.snapshot.principals.groups
    for name in names:
        if name.lower() not in known:
            span = option.span if option is not None else None
            raise UndefinedObject(f'group "{name}" does not exist', sqlstate="42704", span=span)
    return [known[name.lower()] for name in names]


def _with_options(session: Session, user: UserEntry, statement: st.UserChange) -> UserEntry:
    change: dict[str, object] = {}
    for label, option in statement.options.items():
        try:
            change |= _option(user, label, option.value)
        except InvalidSql as error:
            error.span = option.span
            raise
    if change.get("is_superuser", user.is_superuser) != user.is_superuser and not session.rights.is_superuser:
        raise PermissionDenied("must be superuser to create superusers")
    if user.oid == ADMIN_OID and change.get("is_superuser") is False:
        raise InvalidSql("the administrator stays a superuser", sqlstate="0A000", span=statement.name.span)
    return dataclasses.replace(user, **change)  # type: ignore[arg-type]


def _option(user: UserEntry, label: str, value: str | None) -> dict[str, object]:
    match label:
        case "PASSWORD":
            credential = None if value is None else str(credential_of(user.name, value))
            return {"credential": credential, "is_password_disabled": value is None}
        case "CREATEDB" | "NOCREATEDB":
            return {"may_create_databases": label == "CREATEDB"}
        case "CREATEUSER" | "NOCREATEUSER":
            return {"is_superuser": label == "CREATEUSER"}
        case "SYSLOG ACCESS":
            return {"sees_all_logs": value == "UNRESTRICTED"}
        case "VALID UNTIL":
            return {"valid_until": _time(value or "")}
        case "CONNECTION LIMIT":
            return {"connection_limit": None if value == "UNLIMITED" else int(value or 0)}
        case "SESSION TIMEOUT":
            return {"session_timeout": _timeout(value)}
        case "EXTERNALID":
            return {"external_id": value}
        case _:
            return {}


def _time(text: str) -> datetime | None:
    if text.strip().lower() == "infinity":
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as failure:
        message = "VALID UNTIL is no timestamp"
        raise InvalidSql(message, sqlstate="22007", hint="Write it as 2030-01-31 or 2030-01-31 12:00:00.") from failure
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo is not None else found


def _timeout(value: str | None) -> int | None:
    if value is None:
        return None
    if int(value) not in _TIMEOUT_SECONDS:
        message = f"SESSION TIMEOUT must be {_TIMEOUT_SECONDS.start} to {_TIMEOUT_SECONDS.stop - 1} seconds"
        raise InvalidSql(message, sqlstate="22023", hint="Give the seconds that a session may be idle.")
    return int(value)


def _with_settings(user: UserEntry, statement: st.UserChange) -> UserEntry:
    kept = dict(user.settings)
    for setting in statement.settings:
        name = setting.name.lower()
        if setting.values:
            # Checked as SET checks it; the new sessions of the user begin with it.
            Settings().set(name, setting.value)
            kept[name] = setting.value
        else:
            kept.pop(name, None)
    return dataclasses.replace(user, settings=kept)


def _rename_user(session: Session, user: UserEntry, name: st.Name) -> None:
    if user.name in {session.user, session.session_user}:
        raise InvalidSql("session user cannot be renamed", sqlstate="0A000", span=name.span, hint="Connect as another superuser.")
    if user.oid == ADMIN_OID:
        raise InvalidSql("the administrator cannot be renamed", sqlstate="0A000", span=name.span)
    new = _new_name(session, name, session.snapshot.principals.users, "user")
    connection = session.tx.connection
    credential = user.credential
    if credential is not None and "md5" in credential:
        # The name is part of what MD5 digests: Redshift drops such passwords too ("ALTER USER").
        credential = None
        session.notice(Severity.INFO, "MD5 password cleared because of user rename")
    principals.write_user(connection, dataclasses.replace(user, name=new, credential=credential))
    principals.rename_owner(connection, user.name, new)


# --- groups


def change_group(session: Session, statement: st.GroupChange) -> Result:
    """Run CREATE GROUP or ALTER GROUP; only superusers may."""
    if not session.rights.is_superuser:
        raise PermissionDenied(f"must be superuser to {statement.verb.value.lower()} groups")
    known, connection = session.snapshot.principals, session.tx.connection
    if statement.verb is st.Verb.CREATE:
        group = GroupEntry(principals.next_principal(connection), _new_name(session, statement.name, known.groups, "group"))
        principals.write_group(connection, group)
    else:
        group = _named(session, statement.name, known.groups, "group")
        if statement.rename is not None:
            name = _new_name(session, statement.rename.name, known.groups, "group")
            principals.write_group(connection, GroupEntry(group.oid, name))
    _members(session, statement.added, group, principals.add_membership)
    _members(session, statement.dropped, group, principals.remove_membership)
    session.tx.touch_catalog()
    return Result(f"{statement.verb.value} GROUP")


def _members(session: Session, names: Iterable[st.Name], group: GroupEntry, act: Callable[[Rows, Membership], None]) -> None:
    for name in names:
        act(session.tx.connection, Membership(group.principal, user_named(session, name).principal))


# --- roles


def change_role(session: Session, statement: st.RoleChange) -> Result:
    """Run CREATE ROLE or ALTER ROLE. Who makes a role owns it."""
    known, connection = session.snapshot.principals, session.tx.connection
    if statement.verb is st.Verb.CREATE:
        _may_change_users(session, "CREATE ROLE", "create roles")
        name = _new_name(session, statement.name, known.roles, "role")
        role = RoleEntry(principals.next_principal(connection), name, session.user, statement.external_id)
    else:
        role = role_named(session, statement.name)
        if role.name.startswith(SYSTEM_PREFIXES):
            raise PermissionDenied(f'system-defined role "{role.name}" cannot be changed', span=statement.name.span)
        if not session.rights.owns(role.owner):
            raise PermissionDenied(f"must be owner of role {role.name}", span=statement.name.span)
        match statement.action:
            case st.RenameTo(name=new):
                role = dataclasses.replace(role, name=_new_name(session, new, known.roles, "role"))
            case st.OwnerTo(owner=owner):
                role = dataclasses.replace(role, owner=user_named(session, owner).name)
            case None:
                role = dataclasses.replace(role, external_id=statement.external_id)
    principals.write_role(connection, role)
    session.tx.touch_catalog()
    return Result(f"{statement.verb.value} ROLE")


def grant_role(session: Session, statement: st.GrantRole) -> Result:
    """Run GRANT ROLE or REVOKE ROLE to users and roles. Raises InvalidSql (0LP01) for a circle of roles."""
    connection = session.tx.connection
    for name in statement.roles:
        role = role_named(session, name)
        if not (session.rights.administers(role.principal, role.owner) or session.rights.has_system("GRANT ROLE")):
            raise PermissionDenied(f"must have admin option on role {role.name}", span=name.span)
        for grantee in statement.grantees:
            member = _member(session, grantee)
            membership = Membership(role.principal, member, statement.has_admin_option and not statement.is_revoke)
            if statement.is_revoke and not statement.has_admin_option:
                principals.remove_membership(connection, membership)
                continue
            if not statement.is_revoke:
                _check_circle(session, role, member, name)
            is_member = any(one.whole == role.principal and one.member == member for one in session.snapshot.principals.memberships)
            if not statement.is_revoke or is_member:
                principals.add_membership(connection, membership)
        session.tx.touch_catalog()
    return Result("REVOKE ROLE" if statement.is_revoke else "GRANT ROLE")


def _member(session: Session, grantee: st.Grantee) -> Principal:
    member = principal_named(session, grantee)
    if member.kind not in {PrincipalKind.USER, PrincipalKind.ROLE}:
        span = grantee.name.span if grantee.name else None
        message = f"a role cannot be granted to {'a group' if member.kind is PrincipalKind.GROUP else 'PUBLIC'}"
        raise InvalidSql(message, sqlstate="0LP01", span=span, hint="Grant it to users or roles.")
    return member


def _check_circle(session: Session, role: RoleEntry, member: Principal, name: st.Name) -> None:
    if member in memberships_of(session.snapshot.principals, role.principal):
        other = session.snapshot.principals.name_of(member)
        raise InvalidSql(f'role "{role.name}" is a member of role "{other}"', sqlstate="0LP01", span=name.span)


# --- drop


def drop_principals(session: Session, statement: st.Drop) -> Result:
    """Run DROP USER, GROUP or ROLE. A user who owns or was granted something stays ("DROP USER")."""
    kind = PrincipalKind(statement.kind.value.lower())
    known = session.snapshot.principals
    entries: Mapping[PrincipalKind, Mapping[str, UserEntry | GroupEntry | RoleEntry]] = {
        PrincipalKind.USER: known.users, PrincipalKind.GROUP: known.groups, PrincipalKind.ROLE: known.roles,
    }  # fmt: skip
    for written in statement.names:
        name = folded(session, written.last)
        entry = entries[kind].get(name)
        if entry is None:
            if not statement.if_exists:
                raise UndefinedObject(f'{kind.value} "{name}" does not exist', sqlstate="42704", span=written.span)
            session.notice(Severity.INFO, f'{kind.value.capitalize()} "{name}" does not exist and will be skipped')
            continue
        match entry:
            case UserEntry():
                _check_user_drop(session, entry, written)
            case RoleEntry():
                _check_role_drop(session, entry, written, is_forced=statement.is_cascade)
            case GroupEntry():
                _check_group_drop(session, entry, written)
        principals.drop_principal(session.tx.connection, entry.principal)
        session.tx.touch_catalog()
    return Result(f"DROP {statement.kind.value}")


def _check_user_drop(session: Session, user: UserEntry, name: st.QualifiedName) -> None:
    _may_change_users(session, "DROP USER", "drop users")
    if user.is_superuser and not session.rights.is_superuser:
        raise PermissionDenied("must be superuser to drop superusers", span=name.span)
    if user.name in {session.user, session.session_user}:
        raise Conflict("current user cannot be dropped", sqlstate="55006", span=name.span)
    if user.oid == ADMIN_OID:
        raise Conflict("the administrator cannot be dropped", sqlstate="55006", span=name.span)
    owned = _owned_by(session, user.name)
    if owned:
        raise Conflict(
            f'user "{user.name}" cannot be dropped because the user owns some object', sqlstate="55006", span=name.span,
            detail=f"Owner of {', '.join(owned[:5])}.", hint="Drop these objects, or give them to another owner.",
        )  # fmt: skip
    granted = _granted_to(session, user.principal)
    if granted:
        raise Conflict(
            f'user "{user.name}" cannot be dropped because the user has a privilege on some object', sqlstate="55006", span=name.span,
            detail=f"Privileges on {', '.join(granted[:5])}.", hint="REVOKE them first.",
        )  # fmt: skip


def _owned_by(session: Session, user: str) -> list[str]:
    snapshot = session.snapshot
    found = [f"schema {schema.name}" for schema in snapshot.schemas.values() if schema.owner == user]
    found += [f"relation {relation.label}" for relation in snapshot.relations.values() if relation.owner == user]
    found += [f"procedure {one.schema}.{one.name}" for every in snapshot.procedures.values() for one in every if one.owner == user]
    found += [
        f"function {one.function.schema}.{one.function.name}" for every in snapshot.functions.values() for one in every if one.owner == user
    ]
    return found + [f"role {role.name}" for role in snapshot.principals.roles.values() if role.owner == user]


def _granted_to(session: Session, principal: Principal) -> list[str]:
    snapshot = session.snapshot
    names = {(Securable.RELATION, relation.oid): f"relation {relation.label}" for relation in snapshot.relations.values()}
    names |= {(Securable.SCHEMA, schema.oid): f"schema {schema.name}" for schema in snapshot.schemas.values()}
    found = {
        names.get(key, f"{key[0].value} {key[1]}")
        for key, grants in snapshot.principals.grants.items()
        if any(grant.grantee == principal for grant in grants)
    }
    return sorted(found)


def _check_group_drop(session: Session, group: GroupEntry, name: st.QualifiedName) -> None:
    if not session.rights.is_superuser:
        raise PermissionDenied("must be superuser to drop groups", span=name.span)
    granted = _granted_to(session, group.principal)
    if granted:
        raise Conflict(
            f'group "{group.name}" cannot be dropped because the group has a privilege on some object', sqlstate="55006", span=name.span,
            detail=f"Privileges on {', '.join(granted[:5])}.", hint="REVOKE them first.",
        )  # fmt: skip


def _check_role_drop(session: Session, role: RoleEntry, name: st.QualifiedName, *, is_forced: bool) -> None:
    if role.name.startswith(SYSTEM_PREFIXES):
        raise PermissionDenied(f'system-defined role "{role.name}" cannot be dropped', span=name.span)
    if not (session.rights.administers(role.principal, role.owner) or session.rights.has_system("DROP ROLE")):
        raise PermissionDenied(f"must be owner of role {role.name}", span=name.span)
    members = [one for one in session.snapshot.principals.memberships if one.whole == role.principal]
    if members and not is_forced:
        raise Conflict(
            f'role "{role.name}" cannot be dropped because it is granted to others', sqlstate="2BP01", span=name.span,
            detail=f"Granted to {session.snapshot.principals.name_of(members[0].member)}.", hint="REVOKE it, or use DROP ROLE … FORCE.",
        )  # fmt: skip
