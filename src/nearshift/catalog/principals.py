"""Users, groups, roles and what they were granted: the rows, how they are read, and how they are written.

Like `catalog`, every function works inside the caller's transaction, and its SQL is constant.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final, Protocol

PUBLIC_OID: Final = 0
ADMIN_OID: Final = 1
DATABASE_OID: Final = 100_000
LANGUAGES: Final[Mapping[str, int]] = {"sql": 14, "plpgsql": 100}
SYSTEM_PREFIXES: Final = ("sys:", "ds:")


class PrincipalKind(Enum):
    """Who can be granted something."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    PUBLIC = "public"


class Securable(Enum):
    """What something can be granted on; SYSTEM stands for the permissions to run a command."""

    RELATION = "relation"
    SCHEMA = "schema"
    DATABASE = "database"
    FUNCTION = "function"
    PROCEDURE = "procedure"
    LANGUAGE = "language"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Principal:
    """A receiver of grants by kind and oid; equal values are the same one, whatever its name is now."""

    kind: PrincipalKind
    oid: int


PUBLIC: Final = Principal(PrincipalKind.PUBLIC, PUBLIC_OID)


@dataclass(frozen=True, slots=True)
class UserEntry:
    """A user. `credential` is what a password is checked against; times are UTC."""

    oid: int
    name: str
    is_superuser: bool = False
    may_create_databases: bool = False
    sees_all_logs: bool = False
    credential: str | None = field(default=None, repr=False)
    is_password_disabled: bool = False
    valid_until: datetime | None = None
    connection_limit: int | None = None
    session_timeout: int | None = None
    external_id: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def principal(self) -> Principal:
        """The user as a receiver of grants."""
        return Principal(PrincipalKind.USER, self.oid)


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group of users."""

    oid: int
    name: str

    @property
    def principal(self) -> Principal:
        """The group as a receiver of grants."""
        return Principal(PrincipalKind.GROUP, self.oid)


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """A role; `owner` is the name of who made it."""

    oid: int
    name: str
    owner: str
    external_id: str | None = None

    @property
    def principal(self) -> Principal:
        """The role as a receiver of grants."""
        return Principal(PrincipalKind.ROLE, self.oid)


@dataclass(frozen=True, slots=True)
class Membership:
    """`member` is in `whole`, a group or a role."""

    whole: Principal
    member: Principal
    has_admin_option: bool = False


@dataclass(frozen=True, slots=True)
class GrantEntry:
    """One privilege of one principal on one object, or on one of its columns."""

    kind: Securable
    oid: int
    column: str
    grantee: Principal
    privilege: str
    has_grant_option: bool = False
    grantor: int = ADMIN_OID


@dataclass(frozen=True, slots=True)
class DefaultEntry:
    """A privilege that objects of `owner` get when they are made, in one schema (0 for all); `is_revoked` takes one away."""

    owner: int
    schema: int
    kind: Securable
    grantee: Principal
    privilege: str
    has_grant_option: bool = False
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Principals:
    """Everybody, and all grants by the object they are on."""

    users: Mapping[str, UserEntry] = field(default_factory=dict)
    groups: Mapping[str, GroupEntry] = field(default_factory=dict)
    roles: Mapping[str, RoleEntry] = field(default_factory=dict)
    memberships: tuple[Membership, ...] = ()
    grants: Mapping[tuple[Securable, int], tuple[GrantEntry, ...]] = field(default_factory=dict)
    defaults: tuple[DefaultEntry, ...] = ()

    def name_of(self, principal: Principal) -> str:
        """Return the name that a principal has now; PUBLIC is `public`."""
        if principal.kind is PrincipalKind.PUBLIC:
            return "public"
        entries: Mapping[PrincipalKind, Mapping[str, UserEntry | GroupEntry | RoleEntry]] = {
            PrincipalKind.USER: self.users, PrincipalKind.GROUP: self.groups, PrincipalKind.ROLE: self.roles,
        }  # fmt: skip
        return next((one.name for one in entries[principal.kind].values() if one.oid == principal.oid), f"unknown (OID={principal.oid})")


class Rows(Protocol):
    """The part of an engine's Connection that this module needs."""

    def rows(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        ...

    def execute(self, sql: str, values: Any = ()) -> int:
        """Run a statement and return the number of rows it affected."""
        ...


def load(connection: Rows) -> Principals:
    """Return everybody and all grants as this connection's transaction sees them."""
    users = {
        row[1]: replace(UserEntry(*row[:11]), settings=json.loads(row[11]))
        for row in connection.rows(
            "SELECT oid, name, is_superuser, may_create_databases, sees_all_logs, credential, is_password_disabled, valid_until,"
            " connection_limit, session_timeout, external_id, settings FROM nearshift.users"
        )
    }
    groups = {name: GroupEntry(oid, name) for oid, name in connection.rows("SELECT oid, name FROM nearshift.groups")}
    roles = {row[1]: RoleEntry(*row) for row in connection.rows("SELECT oid, name, owner, external_id FROM nearshift.roles")}
    memberships = tuple(
        Membership(Principal(PrincipalKind(kind), oid), Principal(PrincipalKind(member_kind), member), has_admin)
        for kind, oid, member_kind, member, has_admin in connection.rows(
            "SELECT kind, oid, member_kind, member_oid, has_admin_option FROM nearshift.memberships"
        )
    )
    grants: dict[tuple[Securable, int], list[GrantEntry]] = defaultdict(list)
    for kind, oid, column, grantee_kind, grantee, privilege, has_option, grantor in connection.rows(
        "SELECT object_kind, object_oid, column_name, grantee_kind, grantee_oid, privilege, has_grant_option, grantor_oid"
        " FROM nearshift.grants"
    ):
        securable, receiver = Securable(kind), Principal(PrincipalKind(grantee_kind), grantee)
        grants[securable, oid].append(GrantEntry(securable, oid, column, receiver, privilege, has_option, grantor))
    defaults = tuple(
        DefaultEntry(owner, schema, Securable(kind), Principal(PrincipalKind(grantee_kind), grantee), privilege, has_option, is_revoked)
        for owner, schema, kind, grantee_kind, grantee, privilege, has_option, is_revoked in connection.rows(
            "SELECT owner_oid, schema_oid, object_kind, grantee_kind, grantee_oid, privilege, has_grant_option, is_revoked"
            " FROM nearshift.default_privileges"
        )
    )
    return Principals(users, groups, roles, memberships, {key: tuple(found) for key, found in grants.items()}, defaults)


def ensure_admin(connection: Rows, name: str) -> None:
    """Write the administrator, a superuser, unless there is a superuser of that name."""
    if connection.rows("SELECT 1 FROM nearshift.users WHERE name = $1 AND is_superuser", [name]):
        return
    is_first = not connection.rows("SELECT 1 FROM nearshift.users WHERE oid = $1", [ADMIN_OID])
    oid = ADMIN_OID if is_first else next_principal(connection)
    connection.execute("DELETE FROM nearshift.users WHERE name = $1", [name])
    write_user(connection, UserEntry(oid, name, is_superuser=True, may_create_databases=True, sees_all_logs=True))


def next_principal(connection: Rows) -> int:
    """Return a new number for a user, group or role; they share one sequence and are never given twice."""
    return int(connection.rows("SELECT nextval('nearshift.principal_sequence')")[0][0])


def write_user(connection: Rows, user: UserEntry) -> None:
    """Write a user, in the place of the one with its oid if there is."""
    connection.execute("DELETE FROM nearshift.users WHERE oid = $1", [user.oid])
    connection.execute(
        "INSERT INTO nearshift.users VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            user.oid, user.name, user.is_superuser, user.may_create_databases, user.sees_all_logs, user.credential,
            user.is_password_disabled, user.valid_until, user.connection_limit, user.session_timeout, user.external_id,
            json.dumps(dict(user.settings)),
        ],
    )  # fmt: skip


def rename_owner(connection: Rows, old: str, new: str) -> None:
    """Give everything that a user owns to its new name."""
    for statement in _OWNED:
        connection.execute(statement, [old, new])


_OWNED: Final = (
    "UPDATE nearshift.relations SET owner = $2 WHERE owner = $1",
    "UPDATE nearshift.schemas SET owner = $2 WHERE owner = $1",
    "UPDATE nearshift.procedures SET owner = $2 WHERE owner = $1",
    "UPDATE nearshift.functions SET owner = $2 WHERE owner = $1",
    "UPDATE nearshift.roles SET owner = $2 WHERE owner = $1",
)


def write_group(connection: Rows, group: GroupEntry) -> None:
    """Write a group, in the place of the one with its oid if there is."""
    connection.execute("DELETE FROM nearshift.groups WHERE oid = $1", [group.oid])
    connection.execute("INSERT INTO nearshift.groups VALUES ($1, $2)", [group.oid, group.name])


def write_role(connection: Rows, role: RoleEntry) -> None:
    """Write a role, in the place of the one with its oid if there is."""
    connection.execute("DELETE FROM nearshift.roles WHERE oid = $1", [role.oid])
    connection.execute("INSERT INTO nearshift.roles VALUES ($1, $2, $3, $4)", [role.oid, role.name, role.owner, role.external_id])


_GONE: Final[Mapping[PrincipalKind, str]] = {
    PrincipalKind.USER: "DELETE FROM nearshift.users WHERE oid = $1",
    PrincipalKind.GROUP: "DELETE FROM nearshift.groups WHERE oid = $1",
    PrincipalKind.ROLE: "DELETE FROM nearshift.roles WHERE oid = $1",
}


def drop_principal(connection: Rows, principal: Principal) -> None:
    """Forget a user, group or role, what it is a member of, and what it was granted."""
    values = [principal.kind.value, principal.oid]
    connection.execute(_GONE[principal.kind], [principal.oid])
    connection.execute("DELETE FROM nearshift.memberships WHERE kind = $1 AND oid = $2", values)
    connection.execute("DELETE FROM nearshift.memberships WHERE member_kind = $1 AND member_oid = $2", values)
    connection.execute("DELETE FROM nearshift.grants WHERE grantee_kind = $1 AND grantee_oid = $2", values)
    connection.execute("DELETE FROM nearshift.default_privileges WHERE grantee_kind = $1 AND grantee_oid = $2", values)
    if principal.kind is PrincipalKind.USER:
        connection.execute("DELETE FROM nearshift.default_privileges WHERE owner_oid = $1", [principal.oid])


def add_membership(connection: Rows, membership: Membership) -> None:
    """Write a membership, in the place of the same one with or without the admin option."""
    remove_membership(connection, membership)
    whole, member = membership.whole, membership.member
    connection.execute(
        "INSERT INTO nearshift.memberships VALUES ($1, $2, $3, $4, $5)",
        [whole.kind.value, whole.oid, member.kind.value, member.oid, membership.has_admin_option],
    )


def remove_membership(connection: Rows, membership: Membership) -> None:
    """Forget a membership; nothing happens when there is none."""
    whole, member = membership.whole, membership.member
    connection.execute(
        "DELETE FROM nearshift.memberships WHERE kind = $1 AND oid = $2 AND member_kind = $3 AND member_oid = $4",
        [whole.kind.value, whole.oid, member.kind.value, member.oid],
    )


def add_grant(connection: Rows, grant: GrantEntry) -> None:
    """Write a grant, in the place of the same one with or without the grant option."""
    remove_grant(connection, grant)
    connection.execute(
        "INSERT INTO nearshift.grants VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            grant.kind.value, grant.oid, grant.column, grant.grantee.kind.value, grant.grantee.oid, grant.privilege, grant.has_grant_option,
            grant.grantor,
        ],
    )  # fmt: skip


def remove_grant(connection: Rows, grant: GrantEntry) -> None:
    """Forget a grant; nothing happens when there is none."""
    connection.execute(
        "DELETE FROM nearshift.grants WHERE object_kind = $1 AND object_oid = $2 AND column_name = $3 AND grantee_kind = $4"
        " AND grantee_oid = $5 AND privilege = $6",
        [grant.kind.value, grant.oid, grant.column, grant.grantee.kind.value, grant.grantee.oid, grant.privilege],
    )


def drop_grants_on(connection: Rows, kind: Securable, oid: int) -> None:
    """Forget all grants on an object that is gone."""
    connection.execute("DELETE FROM nearshift.grants WHERE object_kind = $1 AND object_oid = $2", [kind.value, oid])


def add_default(connection: Rows, entry: DefaultEntry) -> None:
    """Write a default privilege, in the place of the same one."""
    remove_default(connection, entry)
    connection.execute(
        "INSERT INTO nearshift.default_privileges VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            entry.owner, entry.schema, entry.kind.value, entry.grantee.kind.value, entry.grantee.oid, entry.privilege,
            entry.has_grant_option, entry.is_revoked,
        ],
    )  # fmt: skip


def remove_default(connection: Rows, entry: DefaultEntry) -> None:
    """Forget a default privilege; nothing happens when there is none."""
    connection.execute(
        "DELETE FROM nearshift.default_privileges WHERE owner_oid = $1 AND schema_oid = $2 AND object_kind = $3 AND grantee_kind = $4"
        " AND grantee_oid = $5 AND privilege = $6",
        [entry.owner, entry.schema, entry.kind.value, entry.grantee.kind.value, entry.grantee.oid, entry.privilege],
    )
