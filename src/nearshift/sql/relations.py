"""What a query may read and write, as the binder sees it: names, columns and the DuckDB text that stands for a relation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from nearshift.types import SqlType


class RelationKind(Enum):
    """What a name in FROM stands for."""

    TABLE = "table"
    TEMP_TABLE = "temporary table"
    VIEW = "view"
    STREAMING_VIEW = "streaming materialized view"
    DERIVED_VIEW = "materialized view"
    STREAM = "stream"
    SYSTEM = "system view"


@dataclass(frozen=True, slots=True)
class Column:
    """A named column; `name` is spelled as the catalog keeps it. `is_identity`: its values are always generated, DML gives none."""

    name: str
    type: SqlType
    is_nullable: bool = True
    is_identity: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or stream.

    `source` is DuckDB text that may stand in FROM: a quoted name or a parenthesised query. It may hold more columns than `columns`; only
    those in `columns`, in that order, exist for the user (`*` means exactly them). `target` is the quoted DuckDB name that INSERT, UPDATE,
    DELETE and MERGE write to, or None when the relation takes no DML.
    """

    schema: str
    name: str
    kind: RelationKind
    columns: tuple[Column, ...]
    source: str
    target: str | None = None


class Relations(Protocol):
    """Where the binder looks names up."""

    def find(self, schema: str | None, name: str) -> Relation | None:
        """Return the relation, or None. Without a schema the search path is walked, temporary tables first."""
        ...


class Volatility(Enum):
    """What may be assumed of a function ("CREATE FUNCTION")."""

    VOLATILE = "VOLATILE"
    STABLE = "STABLE"
    IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True, slots=True)
class UserFunction:
    """An SQL function of a user: a call means the expression of `body`, one SELECT over `$1`, `$2`, … and nothing else."""

    oid: int
    schema: str
    name: str
    argument_types: tuple[SqlType, ...]
    returns: SqlType
    volatility: Volatility
    body: str

    @property
    def signature(self) -> str:
        """The types of the arguments, comma separated, as overloads are told apart by."""
        return ",".join(kind.kind.value for kind in self.argument_types)


class UserFunctions(Protocol):
    """Where the binder looks functions of users up."""

    def functions(self, schema: str | None, name: str) -> tuple[UserFunction, ...]:
        """Return all functions of that name. Without a schema the search path is walked to the first schema that has one."""
        ...


@dataclass(frozen=True, slots=True)
class NameRules:
    """The two settings that decide what a name means ("enable_case_sensitive_identifier", "enable_case_sensitive_super_attribute")."""

    case_sensitive_identifier: bool = False
    case_sensitive_super_attribute: bool = False


@dataclass(frozen=True, slots=True)
class BindContext:
    """Everything outside the text that a statement's meaning depends on; equal contexts give equal translations.

    `variables` are the PL/pgSQL variables in scope, by folded name (`rec.field` for a field of a record). `parameter_types` are the types
    that a client declared for `$1`, `$2`, …, None where it left them open. `settings` holds the session settings that change meaning:
    `navigate_super_null_on_error`, `cast_super_null_on_error`, `parse_super_null_on_error`, `timezone`, each in lower case.
    """

    relations: Relations
    rules: NameRules = NameRules()
    variables: Mapping[str, SqlType] = field(default_factory=dict)
    parameter_types: tuple[SqlType | None, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    database: str = "dev"
    functions: UserFunctions | None = None


class ParameterSource(Enum):
    """Where the value of a DuckDB parameter comes from at execution."""

    CLIENT = "client"      # `$n` of the user's text; `name` is the number from 1
    VARIABLE = "variable"  # a PL/pgSQL variable; `name` is its folded name
    SESSION = "session"    # what only the session knows; `name` is one of SESSION_VALUES


# Names of session values and the type that the session hands over.
SESSION_VALUES = (
    "statement_timestamp",    # GETDATE(): timestamp without zone, session's zone, whole seconds
    "transaction_timestamp",  # SYSDATE: timestamp without zone, microseconds
    "transaction_timestamptz",  # CURRENT_TIMESTAMP, NOW(): timestamp with zone
    "current_date", "current_user", "session_user", "current_user_id", "current_database", "current_schema", "search_path",
    "backend_pid", "last_query_id", "last_copy_id", "last_copy_count", "last_unload_id", "last_unload_count", "version",
    "visible_user_id",  # whose rows of the system's logs are shown; NULL for everybody's
)  # fmt: skip


# A session value of this beginning is the setting whose name follows (CURRENT_SETTING).
SETTING_PREFIX = "setting."


@dataclass(frozen=True, slots=True)
class Parameter:
    """One DuckDB parameter of a translation."""

    source: ParameterSource
    name: str
    type: SqlType


@dataclass(frozen=True, slots=True)
class Use:
    """What a statement does to one relation: the privilege that it needs (SELECT, INSERT, UPDATE or DELETE), and on which columns.

    `columns` are those read by a SELECT and those assigned by an UPDATE; empty when it names none, as `count(*)` does.
    """

    schema: str
    name: str
    privilege: str
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lowered:
    """A statement in DuckDB's SQL.

    `sql` has parameters `$1`…`$n` in the order of `parameters`. `columns` are the result's columns with Redshift's labels and types, empty
    for DML. `reads` and `writes` are (schema, name) of the relations it touches, `calls` the oids of the users' functions that stand in it.
    `uses` says what it does to them, for whoever decides who may.
    """

    sql: str
    columns: tuple[Column, ...]
    parameters: tuple[Parameter, ...] = ()
    reads: frozenset[tuple[str, str]] = frozenset()
    writes: frozenset[tuple[str, str]] = frozenset()
    calls: frozenset[int] = frozenset()
    uses: frozenset[Use] = frozenset()
