"""The tree of a procedure's body: frozen values, names folded, embedded SQL and expressions as verbatim text with their place.

Source page: "PL/pgSQL language reference" (structure, supported statements) of the Amazon Redshift Database Developer Guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nearshift.errors import Span
from nearshift.sql.statements_parts import Fragment as Fragment
from nearshift.types import SqlType


@dataclass(frozen=True, slots=True)
class Target:
    """Where a value goes: a variable, `record.field` or `label.variable`; `span` is in the body."""

    path: tuple[str, ...]
    span: Span

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Record:
    """Type of a variable declared as RECORD, or as table%ROWTYPE (then `like` is the table as written)."""

    like: str | None = None


@dataclass(frozen=True, slots=True)
class TypeOf:
    """name%TYPE: the type of a variable or of a column; `text` is the name as written, `path` folded."""

    path: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class VariableDeclaration:
    """name [CONSTANT] type [NOT NULL] [{DEFAULT | := | =} expression]."""

    name: str
    type: SqlType | Record | TypeOf
    line: int
    default: Fragment | None = None
    is_constant: bool = False
    is_not_null: bool = False


@dataclass(frozen=True, slots=True)
class AliasDeclaration:
    """name ALIAS FOR $n, or for a variable."""

    name: str
    of: str
    line: int


@dataclass(frozen=True, slots=True)
class CursorDeclaration:
    """name CURSOR [(name type, …)] {FOR | IS} query."""

    name: str
    parameters: tuple[tuple[str, SqlType], ...]
    query: Fragment
    line: int


Declaration = VariableDeclaration | AliasDeclaration | CursorDeclaration


@dataclass(frozen=True, slots=True)
class Null:
    """NULL;"""

    line: int


@dataclass(frozen=True, slots=True)
class Assign:
    """target {:= | =} expression."""

    line: int
    target: Target
    expression: Fragment


@dataclass(frozen=True, slots=True)
class If:
    """IF … ELSIF … ELSE … END IF; a branch is its condition and its statements."""

    line: int
    branches: tuple[tuple[Fragment, tuple[Node, ...]], ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """CASE, simple (with a subject, several values per branch) or searched (one condition per branch); `otherwise` None without ELSE."""

    line: int
    subject: Fragment | None
    branches: tuple[tuple[tuple[Fragment, ...], tuple[Node, ...]], ...]
    otherwise: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Loop:
    """LOOP … END LOOP."""

    line: int
    label: str | None
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class While:
    """WHILE condition LOOP … END LOOP."""

    line: int
    label: str | None
    condition: Fragment
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ForInteger:
    """FOR variable IN [REVERSE] first..last [BY step] LOOP; the variable exists in the loop only."""

    line: int
    label: str | None
    variable: str
    first: Fragment
    last: Fragment
    step: Fragment | None
    is_reverse: bool
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ForQuery:
    """FOR targets IN query LOOP; dynamic when `query` is the expression of EXECUTE."""

    line: int
    label: str | None
    targets: tuple[Target, ...]
    query: Fragment
    is_dynamic: bool
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Exit:
    """EXIT [label] [WHEN condition]."""

    line: int
    label: str | None
    condition: Fragment | None


@dataclass(frozen=True, slots=True)
class Continue:
    """CONTINUE [label] [WHEN condition]."""

    line: int
    label: str | None
    condition: Fragment | None


@dataclass(frozen=True, slots=True)
class Return:
    """RETURN;"""

    line: int


class Level(Enum):
    """Levels of RAISE; all but EXCEPTION are notices of the same name."""

    LOG = "LOG"
    INFO = "INFO"
    NOTICE = "NOTICE"
    WARNING = "WARNING"
    EXCEPTION = "EXCEPTION"


@dataclass(frozen=True, slots=True)
class Raise:
    """RAISE level 'format' [, variable …]; `parts` are the texts between the % signs, one more than there are arguments."""

    line: int
    level: Level
    parts: tuple[str, ...]
    arguments: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Reraise:
    """RAISE; in a handler."""

    line: int


@dataclass(frozen=True, slots=True)
class GetDiagnostics:
    """GET DIAGNOSTICS target {:= | =} ROW_COUNT."""

    line: int
    target: Target


@dataclass(frozen=True, slots=True)
class Sql:
    """An SQL statement that is none of the others."""

    line: int
    sql: Fragment


@dataclass(frozen=True, slots=True)
class SelectInto:
    """SELECT with INTO: `query` has the INTO clause blanked out, so that positions stay true."""

    line: int
    query: Fragment
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE expression [INTO targets]."""

    line: int
    expression: Fragment
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Perform:
    """PERFORM query: `query` begins with SELECT where PERFORM stood."""

    line: int
    query: Fragment


@dataclass(frozen=True, slots=True)
class Call:
    """CALL of another procedure; `sql` is the whole statement."""

    line: int
    sql: Fragment


@dataclass(frozen=True, slots=True)
class Open:
    """OPEN cursor [(arguments)] or OPEN cursor FOR query | FOR EXECUTE expression."""

    line: int
    cursor: Target
    query: Fragment | None
    is_dynamic: bool
    arguments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH cursor INTO targets."""

    line: int
    cursor: Target
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """CLOSE cursor."""

    line: int
    cursor: Target


@dataclass(frozen=True, slots=True)
class Commit:
    """COMMIT;"""

    line: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """ROLLBACK;"""

    line: int


@dataclass(frozen=True, slots=True)
class StartTransaction:
    """START TRANSACTION;"""

    line: int


@dataclass(frozen=True, slots=True)
class Truncate:
    """TRUNCATE table, which commits."""

    line: int
    sql: Fragment


class HandlerKind(Enum):
    """Where execution goes on after a handled error of a NONATOMIC procedure."""

    EXIT = "EXIT_HANDLER"
    CONTINUE = "CONTINUE_HANDLER"


@dataclass(frozen=True, slots=True)
class Handler:
    """EXCEPTION [kind] WHEN OTHERS THEN statements."""

    kind: HandlerKind
    body: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """[<<label>>] [DECLARE …] BEGIN … [EXCEPTION …] END."""

    line: int
    label: str | None
    declarations: tuple[Declaration, ...]
    body: tuple[Node, ...]
    handler: Handler | None


Node = (
    Null | Assign | If | Case | Loop | While | ForInteger | ForQuery | Exit | Continue | Return | Raise | Reraise | GetDiagnostics | Sql
    | SelectInto | Execute | Perform | Call | Open | Fetch | Close | Commit | Rollback | StartTransaction | Truncate | Block
)  # fmt: skip
