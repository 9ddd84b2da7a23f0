"""`CALL sys_nearshift_replay(view [, options])`: quarantined records of a streaming view are put through it again.

A procedure and not a statement of its own, so that every client can send it; system procedures come before those of users. Redshift has
no such thing: there a record on which the view's SELECT fails stops the refresh.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from nearshift.commands.allowing import must_own
from nearshift.commands.results import rows_result
from nearshift.errors import InvalidSql, NotSupported, UndefinedObject
from nearshift.faults import crash_point
from nearshift.plpgsql.runner import Value
from nearshift.results import Result
from nearshift.sql.names import QualifiedName, split_qualified
from nearshift.sql.relations import Column
from nearshift.types import TIMESTAMP, Kind, SqlType
from nearshift.views.replay import Choice

if TYPE_CHECKING:
    from nearshift.session import Session

NAME: Final = "sys_nearshift_replay"
COLUMNS: Final = (
    *(Column(name, SqlType(Kind.BIGINT)) for name in ("tried", "stored", "filtered", "kept")), Column("refresh_time", TIMESTAMP),
)  # fmt: skip
_HINT: Final = f"CALL {NAME}('schema.view'), or with options as JSON: '{{\"shard\": \"…\", \"limit\": 10, \"dry_run\": true}}'."


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second argument, JSON text. Times are when a record arrived in the stream, UTC unless they say otherwise."""

    shard: str | None = None
    sequence_number: str | None = None
    arrived_from: datetime | None = None
    arrived_before: datetime | None = None
    limit: int | None = None
    dry_run: bool = False

    @property
    def choice(self) -> Choice:
        """Which records they mean."""
        return Choice(self.shard, self.sequence_number, self.arrived_from, self.arrived_before, self.limit)


def is_meant(session: Session, name: QualifiedName) -> bool:
    """Tell whether a CALL means this procedure."""
    schema, own = session.names.resolve(name)
    return own.lower() == NAME and schema in {None, "pg_catalog"}


def refuse_nested(session: Session, name: QualifiedName) -> None:
    """Raise NotSupported when a procedure calls this one."""
    if is_meant(session, name):
        raise NotSupported(f'"{NAME}" cannot be called by a procedure', span=name.span, hint="Call it by itself.")


def replay(session: Session, name: QualifiedName, arguments: tuple[Value, ...]) -> Result:
    """Run the call, in the caller's transaction if there is one; one row tells what came of it.

    Raises UndefinedObject for a relation that does not exist or other arguments, InvalidSql (42809, 22023) for one that is no streaming
    view and for options that are not understood.
    """
    texts = [argument.value for argument in arguments]
    if not 1 <= len(texts) <= 2 or not all(isinstance(text, str) for text in texts):
        message = f"procedure {NAME} takes a view's name and, as JSON text, options"
        raise UndefinedObject(message, sqlstate="42883", span=name.span, hint=_HINT)
    options = _options(str(texts[1]), name) if len(texts) > 1 else Options()
    is_own = not session.tx.is_open
    session.begin_here()
    written = split_qualified(str(texts[0]))
    schema, own = session.names.resolve(written)
    view = session.names.find(schema, own)
    if view is None:
        raise UndefinedObject(f'relation "{written}" does not exist', span=name.span)
    must_own(session, view)
    found = session.house.refresher.replay(session.tx, view, options.choice, is_dry_run=options.dry_run)
    if is_own:
        session.commit_here()
        crash_point("replay.committed")
    row = (found.tried, found.stored, found.filtered, found.kept, found.refresh_time)
    return rows_result("CALL", tuple(c.name for c in COLUMNS), [row], tuple(c.type for c in COLUMNS))


def _options(text: str, name: QualifiedName) -> Options:
    try:
        options = msgspec.json.decode(text, type=Options)
    except msgspec.MsgspecError as error:
        reason = str(error)[:1].lower() + str(error)[1:].replace("`", '"')
        raise InvalidSql(f"the options of {NAME} are not understood: {reason}", sqlstate="22023", span=name.span, hint=_HINT) from error
    if options.limit is not None and options.limit < 1:
        raise InvalidSql(f"the limit of {NAME} must be at least 1", sqlstate="22023", span=name.span)
    return options
