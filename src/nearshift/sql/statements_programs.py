"""Statements about procedures, functions, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from nearshift.sql.names import Name, QualifiedName
from nearshift.sql.relations import Volatility as Volatility
from nearshift.sql.statements_parts import Fragment, ObjectKind, Option, Signature
from nearshift.sql.statements_tables import OwnerTo, RenameTo
from nearshift.types import SqlType


class ArgumentMode(Enum):
    """Direction of a procedure's argument."""

    IN = "IN"
    OUT = "OUT"
    INOUT = "INOUT"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a procedure or function; without a name it is reached as `$n`."""

    name: Name | None
    mode: ArgumentMode
    type: SqlType


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter and its values, as SET writes them; no values means DEFAULT."""

    name: str
    values: tuple[Name, ...]

    @property
    def value(self) -> str:
        """The values as one text, joined by commas."""
        return ", ".join(value.text for value in self.values)


@dataclass(frozen=True, slots=True)
class CreateProcedure:
    """CREATE PROCEDURE; `body` begins at character `body_start` of the statement (exact for dollar quotes)."""

    name: QualifiedName
    arguments: tuple[Argument, ...]
    body: str
    body_start: int
    is_replace: bool = False
    is_nonatomic: bool = False
    is_security_definer: bool = False
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateFunction:
    """CREATE FUNCTION … LANGUAGE sql: the body is one SELECT over `$1`, `$2`, …"""

    name: QualifiedName
    arguments: tuple[Argument, ...]
    returns: SqlType
    volatility: Volatility
    body: str
    body_start: int
    is_replace: bool = False


@dataclass(frozen=True, slots=True)
class DropRoutine:
    """DROP PROCEDURE or DROP FUNCTION."""

    kind: ObjectKind
    routines: tuple[Signature, ...]
    if_exists: bool = False
    is_cascade: bool = False


@dataclass(frozen=True, slots=True)
class AlterProcedure:
    """ALTER PROCEDURE name[(types)] action."""

    routine: Signature
    action: RenameTo | OwnerTo


@dataclass(frozen=True, slots=True)
class Call:
    """CALL procedure(arguments); each argument is an expression, verbatim."""

    name: QualifiedName
    arguments: tuple[Fragment, ...]


class GranteeKind(Enum):
    """Who gets a privilege."""

    USER = "USER"
    GROUP = "GROUP"
    ROLE = "ROLE"
    PUBLIC = "PUBLIC"


@dataclass(frozen=True, slots=True)
class Grantee:
    """One receiver of a GRANT; PUBLIC has no name."""

    kind: GranteeKind
    name: Name | None = None


@dataclass(frozen=True, slots=True)
class Privilege:
    """A privilege by its upper-case name (ALL for ALL PRIVILEGES), limited to `columns` if there are any."""

    name: str
    columns: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """GRANT or REVOKE of privileges on objects.

    `is_all_in_schema`: ALL TABLES/FUNCTIONS/PROCEDURES IN SCHEMA, and `objects` are the schemas. For procedures and functions `routines`
    is filled and `objects` is empty. `has_grant_option` is WITH GRANT OPTION, or GRANT OPTION FOR in a revoke; `is_cascade` takes along
    what the receivers granted on. `is_system`: the privileges are permissions to run commands (`CREATE USER`), on no object.
    """

    is_revoke: bool
    privileges: tuple[Privilege, ...]
    kind: ObjectKind
    objects: tuple[QualifiedName, ...]
    grantees: tuple[Grantee, ...]
    routines: tuple[Signature, ...] = ()
    is_all_in_schema: bool = False
    has_grant_option: bool = False
    is_cascade: bool = False
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class GrantRole:
    """GRANT ROLE or REVOKE ROLE."""

    is_revoke: bool
    roles: tuple[Name, ...]
    grantees: tuple[Grantee, ...]
    has_admin_option: bool = False


@dataclass(frozen=True, slots=True)
class DefaultPrivileges:
    """ALTER DEFAULT PRIVILEGES [FOR USER …] [IN SCHEMA …] grant; `grant.objects` is empty and `grant.kind` names the future objects."""

    users: tuple[Name, ...]
    schemas: tuple[Name, ...]
    grant: Grant


class Verb(Enum):
    """Whether a principal is made or changed."""

    CREATE = "CREATE"
    ALTER = "ALTER"


@dataclass(frozen=True, slots=True)
class UserChange:
    """CREATE USER or ALTER USER.

    `options` by upper-case name: PASSWORD (None when disabled), CREATEDB, NOCREATEDB, CREATEUSER, NOCREATEUSER, SYSLOG ACCESS, IN GROUP,
    VALID UNTIL, CONNECTION LIMIT, SESSION TIMEOUT, EXTERNALID. `settings` are ALTER USER … SET, and RESET as a setting without values.
    """

    verb: Verb
    name: Name
    options: Mapping[str, Option]
    settings: tuple[Setting, ...] = ()
    rename: RenameTo | None = None


@dataclass(frozen=True, slots=True)
class GroupChange:
    """CREATE GROUP [WITH USER …] or ALTER GROUP ADD|DROP USER | RENAME TO."""

    verb: Verb
    name: Name
    added: tuple[Name, ...] = ()
    dropped: tuple[Name, ...] = ()
    rename: RenameTo | None = None


@dataclass(frozen=True, slots=True)
class RoleChange:
    """CREATE ROLE [EXTERNALID …] or ALTER ROLE RENAME TO | OWNER TO | EXTERNALID."""

    verb: Verb
    name: Name
    action: RenameTo | OwnerTo | None = None
    external_id: str | None = None
