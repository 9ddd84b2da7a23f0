"""Amazon Redshift as a target: the statements of the folder as they stand, and what was applied remembered in a schema of its own.

Both or neither. Most objects are made in one transaction with their memory. Streams, views over them and other materialized views, which
Redshift may refuse to make inside a transaction block (a view with AUTO REFRESH is one), are written down as begun first (their ordinal is
negative), then made, then written down as done. After a cut between the two, `found` looks whether the object is there.
"""

from __future__ import annotations

from typing import Final

from nearshift.deploy.connections import RemoteConnection, StatementFailed
from nearshift.errors import ConfigurationError, NearshiftError, TargetError
from nearshift.pipeline.definitions import Definition, FileError, Kind
from nearshift.pipeline.local import CASE_SENSITIVE, FIND, SETUP, forgetting, literal, remembering
from nearshift.pipeline.plan import Applied
from nearshift.sql.lexer import TokenKind, tokens
from nearshift.sql.parse import parse_statement
from nearshift.sql.statements import AlterMaterializedView

_ALONE: Final = frozenset({Kind.EXTERNAL_SCHEMA, Kind.STREAMING_VIEW, Kind.MATERIALIZED_VIEW})
# Redshift's DROP PROCEDURE and DROP FUNCTION have no IF EXISTS.
_NO_IF_EXISTS: Final = frozenset({Kind.PROCEDURE, Kind.FUNCTION})
_EXTERNAL: Final = "SELECT 1 FROM svv_external_schemas WHERE schemaname = "
_VIEWS: Final = "SELECT 1 FROM svv_mv_info WHERE name = "
_GONE: Final = "does not exist"
_TAKEN: Final = "already exists"


class RedshiftTarget:
    """A Redshift behind a connection, which stays the caller's. Implements `pipeline.target.Target`."""

    def __init__(self, connection: RemoteConnection) -> None:
        self._connection = connection
        self._is_set_up = False

    def found(self, pipeline: str) -> list[Applied]:
        """Return what was applied of a pipeline, in the order of applying; what was begun is looked up, and settled."""
        try:
            rows = self._connection.run(FIND + literal(pipeline) + " ORDER BY abs(ordinal)").rows
        except TargetError:
            raise
        except NearshiftError as error:
            if _GONE not in error.message:
                raise
            return []  # nothing was ever applied, and looking makes nothing
        found: list[Applied] = []
        for kind, name, fingerprint, ordinal in rows:
            applied = Applied(Kind(kind), name, fingerprint, int(ordinal))
            if applied.ordinal >= 0:
                found.append(applied)
            elif self._exists(applied):
                self._connection.run(_settling(pipeline, applied))
                found.append(Applied(applied.kind, name, fingerprint, -applied.ordinal - 1))
            else:
                self.forget(pipeline, applied)
        return found

    def create(self, pipeline: str, definition: Definition, ordinal: int) -> None:
        """Make the object, or run the statement, and remember it. Raises FileError with the place in the folder."""
        self._set_up()
        settings = list(definition.settings)
        if not _stands_alone(definition):
            memory = remembering(pipeline, definition, ordinal)
            self._run_own(definition, [*settings, definition.text, *memory], len(settings), is_together=True)
            return
        begun = Applied(definition.kind, definition.name, definition.fingerprint, -ordinal - 1)
        if definition.kind in _ALONE and self._exists(begun):
            raise FileError(_taken(definition), definition.place)
        self._connection.run_together(remembering(pipeline, definition, begun.ordinal))
        try:
            self._run_own(definition, [*settings, definition.text], len(settings), is_together=False)
        except FileError:
            self.forget(pipeline, begun)
            raise
        self._connection.run(_settling(pipeline, begun))

    def drop(self, pipeline: str, applied: Applied) -> None:
        """Drop the object, if it is still there, and forget it."""
        forget = forgetting(pipeline, applied.kind, applied.name)
        if applied.kind in {Kind.STATEMENT, Kind.SCHEDULE}:
            self._connection.run(forget)
            return
        condition = "" if applied.kind in _NO_IF_EXISTS else "IF EXISTS "
        drop = f"DROP {applied.kind.drop_keyword} {condition}{applied.name}"
        if applied.kind in _ALONE:
            self._connection.run(_beginning(pipeline, applied))
            self._connection.run_each([CASE_SENSITIVE, drop])
            self._connection.run(forget)
            return
        try:
            self._connection.run_together([CASE_SENSITIVE, drop, forget])
        except StatementFailed as error:
            if _GONE not in error.message:
                raise
            self._connection.run(forget)

    def forget(self, pipeline: str, applied: Applied) -> None:
        """Forget it without touching anything."""
        self._connection.run(forgetting(pipeline, applied.kind, applied.name))

    def _set_up(self) -> None:
        if not self._is_set_up:
            for statement in SETUP:
                self._connection.run(statement)
            self._is_set_up = True

    def _run_own(self, definition: Definition, texts: list[str], index: int, *, is_together: bool) -> None:
        try:
            if is_together:
                self._connection.run_together(texts)
            else:
                self._connection.run_each(texts)
        except StatementFailed as error:
            if error.index != index:
                raise
            raise FileError(_taken(definition) if _TAKEN in error.message else error, definition.place) from error

    def _exists(self, applied: Applied) -> bool:
        """Return whether an object that stands alone is there. A statement that was begun is to be run again."""
        names = [_folded(token.text) for token in tokens(applied.name) if token.kind in {TokenKind.WORD, TokenKind.QUOTED}]
        if applied.kind is Kind.EXTERNAL_SCHEMA:
            query = _EXTERNAL + literal(names[-1])
        elif applied.kind in _ALONE:
            query = _VIEWS + literal(names[-1]) + " AND schema_name = " + literal(names[0])
        else:
            return False
        return bool(self._connection.run(query).rows)


def _folded(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _stands_alone(definition: Definition) -> bool:
    if definition.kind is Kind.STATEMENT:
        return isinstance(parse_statement(definition.text), AlterMaterializedView)
    return definition.kind in _ALONE


def _taken(definition: Definition) -> NearshiftError:
    message = f'{definition.kind.value.lower()} "{definition.name}" is there and was not made by this pipeline'
    return ConfigurationError(message, hint="Rename one of the two, or drop the other if nobody needs it.")


_UPDATE: Final = "UPDATE nearshift_pipeline.applied_object SET ordinal = -ordinal - 1 WHERE ordinal "


def _settling(pipeline: str, applied: Applied) -> str:
    return _UPDATE + "< 0 AND pipeline = " + literal(pipeline) + " AND name = " + literal(applied.name)


def _beginning(pipeline: str, applied: Applied) -> str:
    return _UPDATE + ">= 0 AND pipeline = " + literal(pipeline) + " AND name = " + literal(applied.name)
