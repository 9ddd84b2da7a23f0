"""Every statement that nearshift understands, as the parser hands it over.

Names keep their spelling (folding needs the session's settings), spans count from the first character of the statement's text, and embedded
queries and expressions stay text: the binder reads those. `Statement` is the union over which the session matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from nearshift.sql.names import Name, QualifiedName
from nearshift.sql.statements_parts import Fragment, ObjectKind, Option, Signature
from nearshift.sql.statements_programs import (
    AlterProcedure,
    Argument,
    ArgumentMode,
    Call,
    CreateFunction,
    CreateProcedure,
    DefaultPrivileges,
    DropRoutine,
    Grant,
    Grantee,
    GranteeKind,
    GrantRole,
    GroupChange,
    Privilege,
    RoleChange,
    Setting,
    UserChange,
    Verb,
    Volatility,
)  # fmt: skip
from nearshift.sql.statements_tables import (
    AddColumn,
    AddConstraint,
    AlterColumnType,
    AlterEncoding,
    AlterExternalSchema,
    AlterMaterializedView,
    AlterSchema,
    AlterStorage,
    AlterTable,
    AlterTableAction,
    AppendFrom,
    AppendOption,
    Authentication,
    ColumnDefinition,
    ConstraintKind,
    CreateExternalSchema,
    CreateMaterializedView,
    CreateSchema,
    CreateTable,
    CreateTableAs,
    CreateView,
    DistStyle,
    Drop,
    DropColumn,
    DropConstraint,
    Identity,
    LikeTable,
    OwnerTo,
    Reference,
    RefreshMaterializedView,
    RenameColumn,
    RenameTo,
    SetAutoRefresh,
    SetQuota,
    SortKey,
    SortKind,
    Storage,
    StreamAccess,
    StreamProvider,
    TableConstraint,
    Truncate,
)  # fmt: skip
from nearshift.types import SqlType

__all__ = [
    "AddColumn", "AddConstraint", "AlterColumnType", "AlterEncoding", "AlterExternalSchema", "AlterMaterializedView", "AlterProcedure",
    "AlterSchema", "AlterStorage", "AlterTable", "AlterTableAction", "AppendFrom", "AppendOption", "Argument", "ArgumentMode",
    "Authentication", "Begin", "Call", "Cancel", "CloseCursor", "ColumnDefinition", "Comment", "Commit", "ConstraintKind", "Copy",
    "CreateExternalSchema", "CreateFunction", "CreateMaterializedView", "CreateProcedure", "CreateSchema", "CreateTable", "CreateTableAs",
    "CreateView", "Deallocate", "DeclareCursor", "DefaultPrivileges", "Delete", "DistStyle", "Drop", "DropColumn", "DropConstraint",
    "DropRoutine", "Execute", "Explain", "Fetch", "Fragment", "Grant", "GrantRole", "Grantee", "GranteeKind", "GroupChange", "Identity",
    "Insert", "LikeTable", "Lock", "Merge", "Name", "ObjectKind", "Option", "OwnerTo", "Prepare", "Privilege", "QualifiedName", "Query",
    "Recorded", "Reference", "RefreshMaterializedView", "RenameColumn", "RenameTo", "Reset", "RoleChange", "Rollback", "SelectInto",
    "SetAutoRefresh", "SetParameter", "SetQuota", "SetScope", "SetSessionUser", "SetTransaction", "Setting", "Show", "ShowDefinition",
    "ShowObjects", "Signature", "SortKey", "SortKind", "Statement", "Storage", "StreamAccess", "StreamProvider", "TableConstraint",
    "Truncate", "Unload", "Update", "UserChange", "Verb", "Volatility",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """SELECT, VALUES or WITH … SELECT, also in parentheses."""

    text: str


@dataclass(frozen=True, slots=True)
class SelectInto:
    """SELECT … INTO target: a CREATE TABLE AS. `query` is the text with the INTO clause blanked out, so that positions in it stay true."""

    text: str
    target: QualifiedName
    is_temporary: bool
    query: str


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT, or WITH … INSERT."""

    text: str


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE, or WITH … UPDATE."""

    text: str


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE, or WITH … DELETE."""

    text: str


@dataclass(frozen=True, slots=True)
class Merge:
    """MERGE INTO."""

    text: str


@dataclass(frozen=True, slots=True)
class Begin:
    """BEGIN or START TRANSACTION; every isolation level maps to the database's ("BEGIN")."""

    isolation_level: str | None = None
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """COMMIT or END."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """ROLLBACK or ABORT."""


class SetScope(Enum):
    """How long a setting lasts."""

    SESSION = "SESSION"
    LOCAL = "LOCAL"


@dataclass(frozen=True, slots=True)
class SetParameter:
    """SET [SESSION|LOCAL] name {TO|=} values; no values means TO DEFAULT. SET TIME ZONE is `timezone`, SET SEED is `seed`."""

    setting: Setting
    scope: SetScope = SetScope.SESSION


@dataclass(frozen=True, slots=True)
class SetSessionUser:
    """SET SESSION AUTHORIZATION user; None for DEFAULT and for RESET SESSION AUTHORIZATION."""

    user: Name | None


@dataclass(frozen=True, slots=True)
class SetTransaction:
    """SET TRANSACTION or SET SESSION CHARACTERISTICS AS TRANSACTION."""

    isolation_level: str | None
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """RESET name; None for RESET ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW name in lower case (`transaction_isolation`, `timezone`, … for the spelled-out forms); None for SHOW ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class ShowObjects:
    """SHOW TABLES|SCHEMAS|DATABASES|COLUMNS|… [FROM kind parent] [LIKE 'pattern'] [LIMIT n].

    `what` is one of DATABASES, SCHEMAS, TABLES, COLUMNS, PROCEDURES, FUNCTIONS, PARAMETERS, GRANTS, PRIMARY KEYS, FOREIGN KEYS and
    EXPORTED KEYS. `parent` may have one part less than Redshift's full form, `kind` says what it is. PARAMETERS OF fills `routine`;
    GRANTS fills `kind` and `parent` for ON, `grantee` for FOR.
    """

    what: str
    kind: ObjectKind | None = None
    parent: QualifiedName | None = None
    grantee: Grantee | None = None
    routine: Signature | None = None
    pattern: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ShowDefinition:
    """SHOW TABLE | VIEW | PROCEDURE name: the text that makes it again."""

    kind: ObjectKind
    object: Signature


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY table FROM 'source' options; `options` by upper-case name. CSV, FORMAT CSV and FORMAT AS CSV are all FORMAT: CSV."""

    table: QualifiedName
    columns: tuple[Name, ...]
    source: Fragment
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True)
class Unload:
    """UNLOAD ('query') TO 'destination' options; `query` has its quotes undone, its span is the literal's inside."""

    query: Fragment
    destination: Fragment
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True)
class Comment:
    """COMMENT ON kind name IS 'text' | NULL; for a constraint `name` is the table and `constraint` its own name."""

    kind: ObjectKind
    name: QualifiedName
    text: str | None
    constraint: Name | None = None


@dataclass(frozen=True, slots=True)
class DeclareCursor:
    """DECLARE name CURSOR FOR query ("DECLARE")."""

    name: Name
    query: Fragment


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH … FROM cursor; `count` is None for ALL."""

    cursor: Name
    count: int | None


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """CLOSE cursor."""

    cursor: Name


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE name [(types)] AS statement."""

    name: Name
    parameter_types: tuple[SqlType, ...]
    statement: Fragment


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE name [(arguments)]."""

    name: Name
    arguments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE [PREPARE] name; None for ALL."""

    name: Name | None


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN [VERBOSE] statement."""

    statement: Fragment
    is_verbose: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """LOCK [TABLE] names: ACCESS EXCLUSIVE until the end of the transaction."""

    tables: tuple[QualifiedName, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """CANCEL process ['message']."""

    process: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A statement that is accepted and noted but changes nothing that a query can see: VACUUM, ANALYZE, DISCARD.

    `kind` is the command tag; `table` is set when one was named, `text` is the whole statement.
    """

    kind: str
    text: str
    table: QualifiedName | None = None


Statement = (
    Query | SelectInto | Insert | Update | Delete | Merge | Begin | Commit | Rollback | SetParameter | SetSessionUser | SetTransaction
    | Reset | Show | ShowObjects | ShowDefinition | Copy | Unload | Comment | DeclareCursor | Fetch | CloseCursor | Prepare | Execute
    | Deallocate | Explain | Lock | Cancel | Recorded | CreateTable | CreateTableAs | AlterTable | CreateView | CreateMaterializedView
    | RefreshMaterializedView | AlterMaterializedView | Drop | Truncate | CreateSchema | AlterSchema | CreateExternalSchema
    | AlterExternalSchema | CreateProcedure | CreateFunction | DropRoutine | AlterProcedure | Call | Grant | GrantRole | DefaultPrivileges
    | UserChange | GroupChange | RoleChange
)  # fmt: skip
