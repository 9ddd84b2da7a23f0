"""A folder read for the rules: every statement and embedded query that could be parsed, and what could not be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path

from sqlglot import exp

from nearshift.check.findings import Found
from nearshift.errors import ConfigurationError, NearshiftError, NotSupported, Span
from nearshift.pipeline.manifest import FILE_NAME, Manifest, read_manifest
from nearshift.plpgsql import nodes
from nearshift.plpgsql.parse import parse_body
from nearshift.sql import statements as s
from nearshift.sql.dialect import PathItem, parse
from nearshift.sql.lexer import Token, tokens
from nearshift.sql.names import QualifiedName
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import NameRules
from nearshift.sql.split import split_script


@dataclass(frozen=True, slots=True)
class Query:
    """A query or DML statement, also one inside a view or procedure; `start` is where its text begins in the file."""

    text: str
    start: int
    tree: exp.Expr


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a procedure, in order of the text; `start` is where it begins in the file."""

    node: nodes.Node
    start: int
    statement: s.Statement | None


@dataclass(frozen=True)
class Unit:
    """One statement of a file, as far as it could be read; `rules` are the name rules that the file's SET statements leave in force."""

    file: str
    start: int
    text: str
    statement: s.Statement | None
    rules: NameRules
    queries: tuple[Query, ...] = ()
    steps: tuple[Step, ...] = ()

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The statement's tokens."""
        return tuple(tokens(self.text))

    def found(self, span: Span, message: str, hint: str, error: str | None = None) -> Found:
        """Return a hit at a span of the statement's text."""
        return Found(self.file, span.shifted(self.start), message, hint, error)

    def found_at(self, start: int, message: str, hint: str, error: str | None = None) -> Found:
        """Return a hit at a character of the file."""
        return Found(self.file, Span(start, start + 1), message, hint, error)


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement, or a part of one, that could not be read; `span` is in the file's text. `in_body`: by the rules of procedures."""

    file: str
    span: Span
    cause: NearshiftError
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class MaterializedView:
    """A materialized view: where it is made, its query, what it reads, by last part of the name."""

    name: str
    unit: Unit
    statement: s.CreateMaterializedView
    query: Query
    reads: frozenset[str]
    is_streaming: bool


@dataclass(frozen=True)
class Material:
    """All that rules look at."""

    path: Path
    manifest: Manifest
    units: tuple[Unit, ...]
    texts: dict[str, str]
    refused: tuple[Refused, ...] = ()
    schemas: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def views(self) -> dict[str, MaterializedView]:
        """The materialized views by name."""
        found: dict[str, MaterializedView] = {}
        for unit in self.units:
            if isinstance(unit.statement, s.CreateMaterializedView) and unit.queries:
                query = unit.queries[0]
                name = last_name(unit.statement.name)
                is_streaming = any(table.db.lower() in self.schemas for table in query.tree.find_all(exp.Table))
                found[name] = MaterializedView(name, unit, unit.statement, query, tables_of(query.tree), is_streaming)
        return found

    @cached_property
    def procedures(self) -> dict[str, Unit]:
        """The procedures by name."""
        return {last_name(one.statement.name): one for one in self.units if isinstance(one.statement, s.CreateProcedure)}


def last_name(name: QualifiedName) -> str:
    """Return the last part of a name in lower case: what rules compare by."""
    return name.last.text.lower()


def aliases_of(tree: exp.Expr) -> frozenset[str]:
    """Return the names by which a query calls what stands in its FROM clauses, in lower case."""
    aliases = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    return frozenset(aliases | {table.alias_or_name.lower() for table in tree.find_all(exp.Table)})


def is_path(item: exp.Expr, aliases: frozenset[str]) -> bool:
    """Tell whether an item of FROM is a path into SUPER: `a.b.c` looks like a table, but for `a` being there already."""
    if isinstance(item, PathItem):
        return True
    first = item.args.get("catalog") or item.args.get("db") if isinstance(item, exp.Table) else None
    return isinstance(first, exp.Identifier) and first.name.lower() in aliases


def tables_of(tree: exp.Expr) -> frozenset[str]:
    """Return the names of the relations that a query names, in lower case, without its own common table expressions."""
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    aliases = aliases_of(tree)
    return frozenset(table.name.lower() for table in tree.find_all(exp.Table) if not is_path(table, aliases)) - own


def read_material(folder: Path) -> Material:
    """Return a folder as the rules see it. Raises ConfigurationError when the folder or its manifest is not usable."""
    manifest = read_manifest(folder / FILE_NAME)
    texts: dict[str, str] = {}
    for path in sorted((folder / "sql").glob("*.sql")):
        try:
            texts[f"sql/{path.name}"] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f'could not read "{path}" as text in UTF-8') from error
    return material_of(folder, manifest, texts)


def material_of(folder: Path, manifest: Manifest, texts: dict[str, str]) -> Material:
    """Return the texts of SQL files, by name, as the rules see them."""
    refused: list[Refused] = []
    units = [unit for file, text in texts.items() for unit in _units(file, text, refused)]
    schemas = frozenset(one.statement.name.text.lower() for one in units if isinstance(one.statement, s.CreateExternalSchema))
    return Material(folder, manifest, tuple(units), texts, tuple(refused), schemas)


def _units(file: str, text: str, refused: list[Refused]) -> Iterator[Unit]:
    settings: dict[str, bool] = {}
    try:
        pieces = split_script(text)
    except NearshiftError as error:
        refused.append(Refused(file, error.span or Span(0, 1), error))
        return
    for piece in pieces:
        rules = NameRules(
            settings.get("enable_case_sensitive_identifier", False), settings.get("enable_case_sensitive_super_attribute", False)
        )
        first = next(iter(tokens(piece.text)))

        def refuse(error: NearshiftError, start: int = piece.start, first: Token = first) -> None:
            refused.append(Refused(file, (error.span or first.span).shifted(start), error))

        try:
            statement = parse_statement(piece.text)
        except NearshiftError as error:
            refuse(error)
            yield Unit(file, piece.start, piece.text, None, rules)
            continue
        if isinstance(statement, s.SetParameter):
            settings[statement.setting.name.lower()] = statement.setting.value.lower() in {"true", "on", "yes", "1", "t", "y"}
        yield _unit(file, piece.start, piece.text, statement, rules, refused)


def _unit(file: str, start: int, text: str, statement: s.Statement, rules: NameRules, refused: list[Refused]) -> Unit:
    queries: list[Query] = []
    steps: list[Step] = []

    def read(fragment: str, at: int) -> None:
        try:
            queries.append(Query(fragment, at, parse(fragment)))
        except NearshiftError as error:
            refused.append(Refused(file, (error.span or Span(0, 1)).shifted(at), error))

    if isinstance(statement, (s.Query, s.Insert, s.Update, s.Delete, s.Merge)):
        read(text, start)
    elif isinstance(statement, (s.CreateMaterializedView, s.CreateView, s.CreateTableAs)):
        read(statement.query.text, start + statement.query.span.start)
    elif isinstance(statement, s.CreateProcedure):
        body = start + statement.body_start
        try:
            block = parse_body(statement.body, rules, is_nonatomic=statement.is_nonatomic)
        except NearshiftError as error:
            refused.append(Refused(file, (error.span or Span(0, 1)).shifted(body), error, in_body=True))
            block = None
        for node, fragment in _fragments(block) if block else ():
            steps.append(_step(node, fragment, body, file, refused, read))
    return Unit(file, start, text, statement, rules, tuple(queries), tuple(steps))


_QUERIES = (s.Query, s.SelectInto, s.Insert, s.Update, s.Delete, s.Merge)


def _step(node: nodes.Node, fragment: s.Fragment, body: int, file: str, refused: list[Refused], read: object) -> Step:
    at = body + fragment.span.start
    statement: s.Statement | None = None
    if isinstance(node, (nodes.Sql, nodes.SelectInto, nodes.Perform, nodes.Call, nodes.Truncate)):
        try:
            statement = parse_statement(fragment.text)
        except NearshiftError as error:
            if not isinstance(error, NotSupported) or not isinstance(node, nodes.Sql):
                refused.append(Refused(file, (error.span or Span(0, 1)).shifted(at), error))
        if isinstance(statement, _QUERIES) and callable(read):
            read(fragment.text, at)
        elif isinstance(statement, s.CreateTableAs) and callable(read):
            read(statement.query.text, at + statement.query.span.start)
    return Step(node, at, statement)


def _fragments(value: object) -> Iterator[tuple[nodes.Node, s.Fragment]]:
    """Yield each statement below a block that has text of its own, with the first such text, in order."""
    if isinstance(value, tuple):
        for one in value:
            yield from _fragments(one)
        return
    if not is_dataclass(value) or isinstance(value, type):
        return
    for one in fields(value):
        inner = getattr(value, one.name)
        if isinstance(inner, s.Fragment):
            yield value, inner  # type: ignore[misc]
        else:
            yield from _fragments(inner)
