"""The warehouse of nearshift as a target: plain SQL through a connection, what was applied remembered in a schema of its own."""

from __future__ import annotations

import msgspec

from nearshift.errors import NearshiftError, UndefinedObject
from nearshift.pipeline.definitions import Definition, FileError, Kind
from nearshift.pipeline.manifest import Schedule
from nearshift.pipeline.plan import Applied
from nearshift.pipeline.target import Connection

MEMORY = "nearshift_pipeline.applied_object"
SETUP = (
    "CREATE SCHEMA IF NOT EXISTS nearshift_pipeline",
    """CREATE TABLE IF NOT EXISTS nearshift_pipeline.applied_object (
         pipeline varchar(128) NOT NULL, ordinal integer NOT NULL, kind varchar(32) NOT NULL, name varchar(4096) NOT NULL,
         fingerprint varchar(64) NOT NULL, definition varchar(65535), applied_at timestamp NOT NULL)""",
)
FIND = "SELECT kind, name, fingerprint, ordinal FROM nearshift_pipeline.applied_object WHERE pipeline = "
_REMEMBER = """INSERT INTO nearshift_pipeline.applied_object
    (pipeline, ordinal, kind, name, fingerprint, definition, applied_at) VALUES ("""
_SCHEDULES = "SELECT definition FROM nearshift_pipeline.applied_object WHERE kind = 'SCHEDULE' AND pipeline = "
CASE_SENSITIVE = "SET enable_case_sensitive_identifier TO true"
_DEFINITION_BYTES_MAX = 65_535


class WarehouseTarget:
    """A warehouse behind a connection, which stays the caller's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_set_up = False

    def found(self, pipeline: str) -> list[Applied]:
        """Return what was applied of a pipeline, in the order of applying."""
        self._set_up()
        rows = self._connection.run(FIND + literal(pipeline) + " ORDER BY ordinal").rows
        return [Applied(Kind(kind), name, fingerprint, int(ordinal)) for kind, name, fingerprint, ordinal in rows]

    def create(self, pipeline: str, definition: Definition, ordinal: int) -> None:
        """Make the object, or run the statement, and remember it in one transaction. Raises FileError with the place in the folder."""
        self._set_up()
        self._in_transaction(definition.settings, definition, remembering(pipeline, definition, ordinal))

    def drop(self, pipeline: str, applied: Applied) -> None:
        """Drop the object, if it is still there, and forget it in one transaction."""
        statements = [f"DROP {applied.kind.drop_keyword} IF EXISTS {applied.name}"] if _has_object(applied.kind) else []
        self._in_transaction((CASE_SENSITIVE,), None, [*statements, forgetting(pipeline, applied.kind, applied.name)])

    def forget(self, pipeline: str, applied: Applied) -> None:
        """Forget it without touching anything."""
        self._connection.run(forgetting(pipeline, applied.kind, applied.name))

    def _set_up(self) -> None:
        if not self._is_set_up:
            for statement in SETUP:
                self._connection.run(statement)
            self._is_set_up = True

    def _in_transaction(self, settings: tuple[str, ...], definition: Definition | None, others: list[str]) -> None:
        run = self._connection.run
        run("RESET ALL")
        run("BEGIN")
        try:
            for setting in settings:
                run(setting)
            if definition is not None and definition.kind is not Kind.SCHEDULE:
                try:
                    run(definition.text)
                except NearshiftError as error:
                    raise FileError(error, definition.place) from error
            for statement in others:
                run(statement)
        except BaseException:
            run("ROLLBACK")
            raise
        run("COMMIT")
        run("RESET ALL")


def _has_object(kind: Kind) -> bool:
    return kind not in {Kind.STATEMENT, Kind.SCHEDULE}


def remembering(pipeline: str, definition: Definition, ordinal: int) -> list[str]:
    """Return the statements that write down what was applied."""
    text = definition.text.encode()[:_DEFINITION_BYTES_MAX].decode("utf-8", "ignore")
    values = (pipeline, str(ordinal), definition.kind.value, definition.name, definition.fingerprint, text)
    insert = _REMEMBER + ", ".join(literal(value) for value in values) + ", getdate())"
    return [forgetting(pipeline, definition.kind, definition.name), insert]


def forgetting(pipeline: str, kind: Kind, name: str) -> str:
    """Return the statement that forgets it."""
    same = [one for one in Kind if one.is_relation] if kind.is_relation else [kind]
    kinds = ", ".join(literal(one.value) for one in same)
    head = "DELETE FROM nearshift_pipeline.applied_object WHERE pipeline = "
    return head + literal(pipeline) + " AND name = " + literal(name) + " AND kind IN (" + kinds + ")"


def literal(value: str) -> str:
    """Return a string literal of Redshift's, in which a backslash escapes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def read_schedules(connection: Connection, pipeline: str) -> list[Schedule]:
    """Return the schedules that were applied of a pipeline; none in a warehouse to which nothing was applied."""
    try:
        rows = connection.run(_SCHEDULES + literal(pipeline) + " ORDER BY ordinal").rows
    except UndefinedObject:
        return []
    return [msgspec.json.decode(definition, type=Schedule) for (definition,) in rows]
