"""Scopes: which names a clause can see, and what they stand for.

A Source is one item of FROM. What is extracted or unnested from its SUPER columns is noted in its stages while expressions are bound, and
becomes text only when the whole SELECT has been read: so all paths taken from one column are fetched by one extraction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nearshift.errors import Span
from nearshift.sql.bind_values import OutputColumn, Value
from nearshift.sql.names import quote, quote_literal
from nearshift.sql.relations import Relation
from nearshift.types import BIGINT, SUPER, VARCHAR, SqlType

Step = str | int


@dataclass(slots=True)
class Extraction:
    """All paths taken from one SUPER column at one stage; `sql_name` is the list that holds their values."""

    column: str
    sql_name: str
    paths: list[tuple[Step, ...]] = field(default_factory=list)


@dataclass(slots=True)
class Stage:
    """One level of nesting of a source: the select-list items that unnest, the extractions over the result, and what is made of those."""

    items: tuple[str, ...] = ()
    extractions: dict[str, Extraction] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)  # texts over the extracted values, and the columns that hold them


@dataclass(slots=True)
class Source:
    """One item of FROM.

    `text` is what stands in FROM when nothing is extracted; `tag` is its name in DuckDB's text. The target of DML cannot be wrapped
    into a subquery (`is_inline`): its paths are extracted where they stand. `is_nullable` is set on the nullable side of an outer join.
    """

    alias: str
    tag: str
    text: str
    columns: tuple[OutputColumn, ...]
    relation: Relation | None = None
    has_alias: bool = False
    is_inline: bool = False
    is_nullable: bool = False
    is_lateral: bool = False
    stages: list[Stage] = field(default_factory=lambda: [Stage()])
    used: set[str] = field(default_factory=set)  # the physical columns that something refers to

    def column(self, name: str) -> OutputColumn | None:
        """Return the column that users call `name`."""
        for one in self.columns:
            if one.label == name:
                return one
        return None

    def reference(self, sql_name: str) -> str:
        """Return the text that names a physical column of this source."""
        self.used.add(sql_name)
        return f"{quote(self.tag)}.{quote(sql_name)}"

    def render(self) -> str:
        """Return the source as an item of FROM, with everything that was asked of it."""
        text, is_plain = self.text, True
        for stage in self.stages:
            if stage.items:
                text, is_plain = _wrapped(text, stage.items), False
            if stage.extractions:
                text, is_plain = _wrapped(text, [_extraction_item(one) for one in stage.extractions.values()]), False
            if stage.kept:
                text = _wrapped(text, [f"{made} AS {quote(name)}" for made, name in stage.kept.items()])
        if is_plain and self.relation is not None and text == quote(self.tag):
            return text
        return f"{'LATERAL ' if self.is_lateral else ''}{text} AS {quote(self.tag)}"


@dataclass(frozen=True, slots=True)
class Extracted:
    """An extracted value at home: implements `bind_values.Keeper`.

    A cast out of SUPER is a macro that repeats its argument, and macros in macros multiply: planning such a text cost more than running
    it. Kept as a column of the source it is planned and computed once, however often the query uses it.
    """

    source: Source
    stage: int
    inner: str

    def keep(self, text: str, fresh: Callable[[str], str]) -> str:
        """Return the text that names the column holding `text`."""
        kept = self.source.stages[self.stage].kept
        if text not in kept:
            kept[text] = fresh("c")
        return self.source.reference(kept[text])


def _wrapped(text: str, items: list[str] | tuple[str, ...]) -> str:
    if not text:
        return "".join(("(SELECT ", ", ".join(items), ")"))
    return " ".join(("(SELECT *,", ", ".join(items), "FROM", text, "AS s)"))


def _extraction_item(one: Extraction) -> str:
    paths = ", ".join(json_path(steps) for steps in one.paths)
    return f"nearshift_sql.super_paths({quote(one.column)}, [{paths}]) AS {quote(one.sql_name)}"


def json_path(steps: tuple[Step, ...]) -> str:
    """Return the literal of a DuckDB JSON path; every key is quoted, so that none can be read as a pattern."""
    if any(isinstance(step, str) and "*" in step for step in steps):
        # DuckDB takes a star for a pattern even in quotes; in a JSON pointer it is a letter.
        pointer = (str(step).replace("~", "~0").replace("/", "~1") for step in steps)
        return quote_literal("/" + "/".join(pointer))
    parts = ["$"]
    for step in steps:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'."{escaped}"')
    return quote_literal("".join(parts))


@dataclass(slots=True)
class Element:
    """The alias of an unnested array or object: a value of its own, held in a column of `source` from stage `stage` on.

    `index` is the physical column and the user's name of `AT i` (BIGINT from 0), or of UNPIVOT's attribute name (VARCHAR).
    """

    alias: str
    source: Source
    stage: int
    sql_name: str
    index: str | None = None
    index_sql_name: str | None = None
    index_is_name: bool = False

    @property
    def index_type(self) -> SqlType:
        """The type of what AT names."""
        return VARCHAR if self.index_is_name else BIGINT


@dataclass(frozen=True, slots=True)
class Base:
    """What a name resolved to before navigation: a column of a source at the first stage that has it, or a finished value."""

    type: SqlType
    label: str
    source: Source | None = None
    sql_name: str = ""
    stage: int = 0
    sql: str = ""
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """A column that USING or NATURAL made of two."""

    name: str
    sql: str
    type: SqlType
    hidden: tuple[str, ...]  # texts of the columns that it replaces


@dataclass(slots=True)
class Scope:
    """What one SELECT sees: its own FROM, the queries of WITH, the aliases of its list, and then its parent.

    `loose` collects columns outside aggregates, for the check against GROUP BY; `clause` says where we are, for messages. `pseudo` are
    columns that `*` does not mean, by name; `prior` is the scope of the parent row while CONNECT BY is bound.
    """

    parent: Scope | None = None
    sources: list[Source | Element] = field(default_factory=list)
    queries: dict[str, Source] = field(default_factory=dict)
    merged: list[Merged] = field(default_factory=list)
    aliases: dict[str, Value] = field(default_factory=dict)
    loose: list[tuple[str, Span | None]] = field(default_factory=list)
    group_keys: dict[str, str] = field(default_factory=dict)
    is_grouped: bool = False
    has_aggregates: bool = False
    has_windows: bool = False
    pseudo: dict[str, Base] = field(default_factory=dict)
    prior: Scope | None = None
    clause: str = ""
    no_aggregates: str = ""

    def find_query(self, name: str) -> Source | None:
        """Return the query of WITH that `name` means here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.queries:
                return scope.queries[name]
            scope = scope.parent
        return None

    def find_alias(self, alias: str) -> Source | Element | None:
        """Return the item of FROM with this alias, in this scope only."""
        for item in self.sources:
            if item.alias == alias:
                return item
        return None

    def is_hidden(self, sql: str) -> bool:
        """Tell whether USING or NATURAL replaced this column."""
        return any(sql in one.hidden for one in self.merged)


def base_of(source: Source, column: OutputColumn) -> Base:
    """Return a column as something that a path may start from."""
    return Base(column.type, column.label, source, column.sql_name, 0, source.reference(column.sql_name))


def element_base(element: Element) -> Base:
    """Return the value of an unnest alias as something that a path may start from."""
    sql = element.source.reference(element.sql_name)
    return Base(SUPER, element.alias, element.source, element.sql_name, element.stage, sql)
