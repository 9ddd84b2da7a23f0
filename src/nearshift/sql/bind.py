"""The binder: walks a tree, gives every name a meaning and every expression a type, and writes DuckDB's text.

One rule per class of node stands in a table (`rules.EXPRESSIONS`); a node without a rule is refused with its place, so nothing that was not
understood can reach DuckDB. Text is written on the way back up. What the text of FROM must extract is known only when all of a SELECT has
been bound, so FROM is rendered last (see `scope`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.sql.bind_values import BoundQuery, Value
from nearshift.sql.dialect import span_of
from nearshift.sql.names import fold
from nearshift.sql.relations import BindContext, Parameter, ParameterSource, Relation, RelationKind, Use
from nearshift.sql.scope import Scope, Source
from nearshift.types import UNKNOWN, VARCHAR, Kind, SqlType

Rule = Callable[["Binder", exp.Expr, Scope], Value]
QueryRule = Callable[["Binder", exp.Expr, Scope | None], BoundQuery]


_PLAIN_ARGUMENTS = frozenset({"this", "expression", "expressions"})


@dataclass(slots=True)
class Facts:
    """What a query does, gathered on the way for `analyse`."""

    seen: set[str] = field(default_factory=set)
    mutable: set[str] = field(default_factory=set)
    references: int = 0
    calls: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Binder:
    """The state of one translation: parameters, relations touched, fresh names."""

    context: BindContext
    expressions: Mapping[type[exp.Expr], Rule]
    queries: Mapping[type[exp.Expr], QueryRule]
    arguments: Mapping[type[exp.Expr], frozenset[str]]
    parameters: list[Parameter] = field(default_factory=list)
    reads: dict[tuple[str, str], Relation] = field(default_factory=dict)
    writes: set[tuple[str, str]] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    memo: dict[int, Value] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    sources: list[tuple[Relation, Source]] = field(default_factory=list)
    changes: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    _fresh: int = 0

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        """Bind an expression; raises NotSupported for a node that no rule knows, and whatever its rule raises."""
        kept = self.memo.get(id(node))
        if kept is not None:
            return kept
        rule = self.expressions.get(type(node))
        if rule is None:
            raise self.unsupported(node, f"{_node_name(node)} is not supported here")
        self.check(node, self.arguments.get(type(node), _PLAIN_ARGUMENTS))
        mark = len(scope.loose)
        value = rule(self, node, scope)
        key = scope.group_keys.get(value.sql)
        if key is not None:
            del scope.loose[mark:]
            value = value if key == value.sql else replace(value, sql=key)
        if value.span is None:
            value = replace(value, span=span_of(node))
        return value

    def check(self, node: exp.Expr, allowed: frozenset[str]) -> None:
        """Refuse a node that carries a clause which its rule does not read; what is not read would be dropped in silence."""
        for name, argument in node.args.items():
            if argument and name not in allowed:
                raise self.unsupported(node, f"{name.strip('_').upper().replace('_', ' ')} is not supported here")

    def query(self, node: exp.Expr, parent: Scope | None) -> BoundQuery:
        """Bind a query (SELECT, VALUES, set operation, one of them in parentheses) below `parent`."""
        rule = self.queries.get(type(node))
        if rule is None:
            raise self.unsupported(node, f"{_node_name(node)} is not supported as a query")
        return rule(self, node, parent)

    def fold(self, node: exp.Expr) -> str:
        """Return the name of an identifier as the catalog spells it."""
        if isinstance(node, exp.Identifier):
            return fold(node.this, bool(node.args.get("quoted")), self.context.rules)
        if isinstance(node, exp.Var):
            return fold(node.name, is_quoted=False, rules=self.context.rules)
        raise self.invalid(node, "a name is expected here")

    def fresh(self, prefix: str) -> str:
        """Return a name that no user column can have been given before in this translation."""
        self._fresh += 1
        return f"${prefix}{self._fresh}"

    def tag(self, alias: str) -> str:
        """Return a name for an item of FROM that is unique in the whole statement, the alias itself when it is free."""
        tag, count = alias, 1
        while tag.lower() in self.tags:
            count += 1
            tag = f"{alias}${count}"
        self.tags.add(tag.lower())
        return tag

    def parameter(self, source: ParameterSource, name: str, kind: SqlType) -> str:
        """Return the text of a typed DuckDB parameter; equal (source, name) share one.

        With the setting `session_values` = `variables` a session's value is read from the DuckDB variable `nearshift_<name>` instead, since
        the text of a DuckDB view cannot have parameters.
        """
        if source is ParameterSource.SESSION and self.context.settings.get("session_values") == "variables":
            return f"CAST(getvariable('nearshift_{name}') AS {kind.duckdb})"
        number = self._parameter_number(source, name, kind)
        return f"CAST(${number} AS {self.parameters[number - 1].type.duckdb})"

    def client_parameter(self, number: int) -> Value:
        """Return the client's `$number`, typed when the client or an earlier use gave it a type."""
        declared = self.context.parameter_types
        kind = declared[number - 1] if number <= len(declared) else None
        index = self._parameter_number(ParameterSource.CLIENT, str(number), kind or UNKNOWN) - 1
        kind = self.parameters[index].type
        if kind.kind is Kind.UNKNOWN:
            return Value(f"${index + 1}", UNKNOWN, parameter=index)
        return Value(f"CAST(${index + 1} AS {kind.duckdb})", kind)

    def type_parameter(self, value: Value, kind: SqlType) -> Value:
        """Give an open client parameter its type."""
        assert value.parameter is not None
        if self.parameters[value.parameter].type.kind is Kind.UNKNOWN:
            bounded = VARCHAR if kind.kind in {Kind.UNKNOWN, Kind.VARCHAR, Kind.CHAR} else kind
            self.parameters[value.parameter] = replace(self.parameters[value.parameter], type=bounded)
        actual = self.parameters[value.parameter].type
        return replace(value, sql=f"CAST(${value.parameter + 1} AS {actual.duckdb})", type=actual, parameter=None)

    def _parameter_number(self, source: ParameterSource, name: str, kind: SqlType) -> int:
        for number, known in enumerate(self.parameters, 1):
            if known.source is source and known.name == name:
                return number
        self.parameters.append(Parameter(source, name, kind))
        return len(self.parameters)

    def read(self, relation: Relation) -> None:
        """Note that the statement reads a relation."""
        self.reads[(relation.schema, relation.name)] = relation
        self.facts.references += 1
        if relation.kind is RelationKind.SYSTEM:
            self.facts.mutable.add(f"{relation.schema}.{relation.name}")

    def change(self, relation: Relation, privilege: str, *columns: str) -> None:
        """Note that the statement changes a relation, and which of its columns an UPDATE assigns."""
        self.writes.add((relation.schema, relation.name))
        self.changes.setdefault((relation.schema, relation.name, privilege), set()).update(columns)

    def uses(self) -> frozenset[Use]:
        """Return what the statement does to the relations it touches."""
        found = {key: set(columns) for key, columns in self.changes.items()}
        for relation, source in self.sources:
            known = {column.name for column in relation.columns}
            found.setdefault((relation.schema, relation.name, "SELECT"), set()).update(source.used & known)
        for (schema, name), relation in self.reads.items():
            # What is read in another way than in FROM is read whole.
            found.setdefault((schema, name, "SELECT"), {column.name for column in relation.columns})
        return frozenset(Use(*key, frozenset(columns)) for key, columns in found.items())

    def setting(self, name: str, default: str) -> bool:
        """Tell whether a session setting is on."""
        return self.context.settings.get(name, default).lower() in {"on", "true", "1", "yes"}

    def invalid(self, node: exp.Expr | None, message: str, *, sqlstate: str = "42601", hint: str | None = None) -> InvalidSql:
        """Return an error about the rules of the language, placed at a node."""
        return InvalidSql(message, sqlstate=sqlstate, span=_place(node), hint=hint)

    def unsupported(self, node: exp.Expr | None, message: str, *, hint: str | None = None) -> NotSupported:
        """Return the refusal of something that is not understood, placed at a node."""
        return NotSupported(message, span=_place(node), hint=hint)


def _place(node: exp.Expr | None) -> Span | None:
    while node is not None:
        span = span_of(node)
        if span is not None:
            return span
        node = node.parent
    return None


def _node_name(node: exp.Expr) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(node).__name__)
    return f'"{words.strip()}"'
