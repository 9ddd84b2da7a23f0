"""A folder of text files into a Pipeline: its manifest, and the definitions of its SQL files in name order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from nearshift.errors import ConfigurationError, InvalidSql, NearshiftError, NotSupported
from nearshift.pipeline.definitions import Definition, FileError, Kind, Place, fingerprint_of, mentioned, relation_name, written
from nearshift.pipeline.manifest import FILE_NAME, Manifest, Schedule, read_manifest
from nearshift.sql import statements as s
from nearshift.sql.names import fold
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import NameRules
from nearshift.sql.split import split_script

# Statements that change what is there and leave no object of their own: each is run once.
_RUN_ONCE = (
    s.Insert, s.Update, s.Delete, s.Merge, s.Copy, s.Grant, s.GrantRole, s.DefaultPrivileges, s.Comment, s.AlterTable,
    s.AlterMaterializedView, s.UserChange, s.GroupChange, s.RoleChange,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a folder says. `definitions` stand in the order in which they are applied, schedules last."""

    path: Path
    manifest: Manifest
    definitions: tuple[Definition, ...]

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.manifest.name

    @property
    def dashboards(self) -> Path:
        """The folder of its dashboards, which need not exist."""
        return self.path / "dashboards"

    @property
    def tests(self) -> Path:
        """The folder of its tests, which need not exist."""
        return self.path / "tests"


def read_folder(path: Path) -> Pipeline:
    """Return the pipeline of a folder.

    Raises ConfigurationError when the folder or its manifest is not usable, FileError for a statement that is not understood or has no
    place in a pipeline, or for a name that is defined twice.
    """
    manifest = read_manifest(path / FILE_NAME)
    definitions: list[Definition] = []
    streams: set[str] = set()
    for file in sorted((path / "sql").glob("*.sql")):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f'could not read "{file}" as text in UTF-8') from error
        definitions += read_script(text, f"sql/{file.name}", streams)
    _refuse_twins(definitions)
    definitions += [_schedule(schedule) for schedule in manifest.schedules]
    return Pipeline(path, manifest, tuple(_link(definitions)))


def read_script(text: str, file: str, streams: set[str]) -> list[Definition]:
    """Return the definitions of one SQL file; external schemas that it makes are added to `streams`, by which streaming views are known.

    Every file begins with default settings: its SET statements hold for what follows them in this file.
    """
    definitions: list[Definition] = []
    settings: dict[str, str] = {}
    try:
        pieces = split_script(text)
    except NearshiftError as error:
        raise FileError(error, Place(file, text, 0)) from error
    for piece in pieces:
        place = Place(file, text, piece.start)
        try:
            statement = parse_statement(piece.text)
            if isinstance(statement, s.SetParameter):
                settings[statement.setting.name.lower()] = piece.text
                continue
            definition = _define(statement, piece.text, place, settings, streams)
        except NearshiftError as error:
            raise FileError(error, place) from error
        definitions.append(definition)
        if definition.kind is Kind.EXTERNAL_SCHEMA:
            streams.add(definition.name)
    return definitions


def _define(statement: s.Statement, text: str, place: Place, settings: dict[str, str], streams: set[str]) -> Definition:
    rules = _rules(settings)
    in_force = tuple(settings[name] for name in sorted(settings))
    fingerprint = fingerprint_of(text, in_force)
    kind, name = _name(statement, rules)
    names = mentioned(text, rules)
    if kind is Kind.MATERIALIZED_VIEW and names & streams:
        kind = Kind.STREAMING_VIEW
    if kind is Kind.STATEMENT:
        name = f"{place.file}#{fingerprint[:12]}"
    return Definition(kind, name, text, fingerprint, place, in_force, names - {name}, getattr(statement, "is_replace", False))


def _name(statement: s.Statement, rules: NameRules) -> tuple[Kind, str]:
    match statement:
        case s.CreateExternalSchema():
            return Kind.EXTERNAL_SCHEMA, written((fold(statement.name.text, statement.name.is_quoted, rules),))
        case s.CreateSchema() if statement.name is not None:
            return Kind.SCHEMA, written((fold(statement.name.text, statement.name.is_quoted, rules),))
        case s.CreateTable() | s.CreateTableAs():
            if statement.is_temporary:
                raise NotSupported("a temporary table has no place in a pipeline folder", hint="Create it in the procedure that uses it.")
            return Kind.TABLE, relation_name(statement.name, rules)
        case s.CreateView():
            return Kind.VIEW, relation_name(statement.name, rules)
        case s.CreateMaterializedView():
            return Kind.MATERIALIZED_VIEW, relation_name(statement.name, rules)
        case s.CreateProcedure():
            types = ", ".join(argument.type.kind.value for argument in statement.arguments if argument.mode is not s.ArgumentMode.OUT)
            return Kind.PROCEDURE, f"{relation_name(statement.name, rules)}({types})"
        case s.CreateFunction():
            types = ", ".join(argument.type.kind.value for argument in statement.arguments)
            return Kind.FUNCTION, f"{relation_name(statement.name, rules)}({types})"
        case _ if isinstance(statement, _RUN_ONCE):
            return Kind.STATEMENT, ""
        case _:
            raise NotSupported(
                "this statement has no place in a pipeline folder",
                detail="A folder says what should exist: CREATE statements, statements that run once such as INSERT and GRANT, and SET.",
                hint="Run it with: nearshift sql",
            )


def _rules(settings: dict[str, str]) -> NameRules:
    def is_on(name: str) -> bool:
        if name not in settings:
            return False
        statement = parse_statement(settings[name])
        assert isinstance(statement, s.SetParameter), "only SET statements are kept"
        return statement.setting.value.lower() in {"true", "on", "yes", "1", "t", "y"}

    return NameRules(is_on("enable_case_sensitive_identifier"), is_on("enable_case_sensitive_super_attribute"))


def _schedule(schedule: Schedule) -> Definition:
    text = msgspec.json.encode(schedule).decode()
    try:
        parse_statement(schedule.statement)
    except NearshiftError as error:
        message = f'"{FILE_NAME}", schedule "{schedule.name}": {error.message}'
        raise ConfigurationError(message, detail=error.detail, hint=error.hint) from error
    return Definition(Kind.SCHEDULE, schedule.name, text, fingerprint_of(schedule.statement, (schedule.local,)), Place(FILE_NAME, text, 0))


def _refuse_twins(definitions: list[Definition]) -> None:
    seen: dict[tuple[str, str], Definition] = {}
    for definition in definitions:
        first = seen.setdefault(definition.identity, definition)
        if first is not definition:
            message = f'{definition.kind.value.lower()} "{definition.name}" is defined twice'
            cause = InvalidSql(message, sqlstate="42P07", detail=f"It is also defined in {first.place.file}, line {first.place.line}.")
            raise FileError(cause, definition.place)


def _link(definitions: list[Definition]) -> list[Definition]:
    """Keep, of all names that a definition mentions, those of earlier definitions on whose making it depends.

    Bodies of procedures are bound when they run, so a procedure depends on nothing.
    """
    linked: list[Definition] = []
    earlier: set[str] = set()
    for definition in definitions:
        is_bound: Callable[[str], bool] = earlier.__contains__
        reads = frozenset() if definition.kind in {Kind.PROCEDURE, Kind.SCHEDULE} else frozenset(filter(is_bound, definition.reads))
        linked.append(replace(definition, reads=reads))
        if definition.kind.is_relation or definition.kind in {Kind.SCHEMA, Kind.EXTERNAL_SCHEMA}:
            earlier.add(definition.name)
    return linked
