"""Resolution of names: from `a.b."C"[0]` to a column of a source and the steps into it.

Order ("Querying semi-structured data" leaves it open; see docs/design/0002-lowering.md): in each scope from the inside out a PL/pgSQL
variable, then an alias of FROM, then a column, then a schema-qualified table; then the scope outside.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from sqlglot import exp

from nearshift.errors import InvalidSql, UndefinedObject
from nearshift.sql.bind import Binder
from nearshift.sql.bind_values import OutputColumn, Value
from nearshift.sql.dialect import span_of
from nearshift.sql.relations import ParameterSource
from nearshift.sql.scope import Base, Element, Scope, Source, Step, base_of, element_base


@dataclass(frozen=True, slots=True)
class Part:
    """One name of a path, folded as an identifier, and as written for navigation; or an index."""

    name: str
    step: Step
    node: exp.Expr


def parts_of(binder: Binder, node: exp.Expr) -> list[Part] | None:
    """Return the parts of a path, or None when the node is no path."""
    if isinstance(node, exp.Dot):
        before = parts_of(binder, node.this)
        if before is None or not isinstance(node.expression, (exp.Identifier, exp.Var)):
            return None
        return [*before, _name_part(binder, node.expression)]
    if isinstance(node, exp.Bracket):
        before = parts_of(binder, node.this)
        if before is None or len(node.expressions) != 1:
            return None
        return [*before, _index_part(binder, node.expressions[0])]
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        return [_name_part(binder, part) for part in node.parts]
    return None


def _name_part(binder: Binder, node: exp.Expr) -> Part:
    is_quoted = isinstance(node, exp.Identifier) and bool(node.args.get("quoted"))
    rules = binder.context.rules
    keeps_case = rules.case_sensitive_super_attribute or (is_quoted and rules.case_sensitive_identifier)
    return Part(binder.fold(node), node.name if keeps_case else node.name.lower(), node)


def _index_part(binder: Binder, node: exp.Expr) -> Part:
    if isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit():
        return Part("", int(node.this), node)
    raise binder.unsupported(node, "only a number from 0 may stand in brackets", hint="Use an unnest with AT to reach other elements.")


def resolve(binder: Binder, parts: list[Part], scope: Scope) -> tuple[Base, list[Part]]:
    """Return what the leading names mean, and the parts that navigate from there.

    Raises UndefinedObject (42703, 42P01) and InvalidSql (42702) with the place of the name that fails.
    """
    variable = _variable(binder, parts)
    if variable is not None:
        return variable
    level: Scope | None = scope
    while level is not None:
        found = _in_scope(binder, parts, level)
        if found is not None:
            return found
        level = level.parent
    raise _undefined(parts, scope)


def _variable(binder: Binder, parts: list[Part]) -> tuple[Base, list[Part]] | None:
    variables = binder.context.variables
    if not variables:
        return None
    for length in (2, 1):
        name = ".".join(part.name for part in parts[:length])
        if len(parts) >= length and all(isinstance(part.step, str) for part in parts[:length]) and name in variables:
            kind = variables[name]
            sql = binder.parameter(ParameterSource.VARIABLE, name, kind)
            label = parts[length - 1].name
            return Base(kind, label, value=Value(sql, kind, label)), parts[length:]
    return None


def _in_scope(binder: Binder, parts: list[Part], scope: Scope) -> tuple[Base, list[Part]] | None:
    head = parts[0].name
    item = scope.find_alias(head)
    if isinstance(item, Element):
        return element_base(item), parts[1:]
    if item is not None and len(parts) > 1 and isinstance(parts[1].step, str):
        column = item.column(parts[1].name)
        if column is not None:
            return _noted(scope, base_of(item, column), parts[1]), parts[2:]
    base = _unqualified(parts[0], scope)
    if base is not None:
        return base, parts[1:]
    qualified = _by_schema(binder, parts, scope)
    if qualified is not None:
        return qualified
    if item is not None and len(parts) > 1:
        raise undefined_column(parts[1].name, parts[1].node, [one.label for one in item.columns], owner=head)
    if len(parts) == 1 and head in scope.aliases:
        known = scope.aliases[head]
        return Base(known.type, head, value=known), []
    return None


def _noted(scope: Scope, base: Base, part: Part) -> Base:
    scope.loose.append((base.label, span_of(part.node)))
    return base


def _unqualified(part: Part, scope: Scope) -> Base | None:
    for merged in scope.merged:
        if merged.name == part.name:
            value = Value(merged.sql, merged.type, merged.name)
            return _noted(scope, Base(merged.type, merged.name, sql=merged.sql, value=value), part)
    found: list[Base] = []
    for item in scope.sources:
        if isinstance(item, Element):
            if item.index == part.name and item.index_sql_name is not None:
                sql = item.source.reference(item.index_sql_name)
                found.append(Base(item.index_type, part.name, sql=sql, value=Value(sql, item.index_type, part.name)))
            continue
        found.extend(base_of(item, column) for column in item.columns if column.label == part.name)
    if not found:
        pseudo = scope.pseudo.get(part.name)
        return None if pseudo is None else _noted(scope, pseudo, part)
    if len(found) > 1:
        message = f'column reference "{part.name}" is ambiguous'
        raise InvalidSql(message, sqlstate="42702", span=span_of(part.node), hint="Write the table's name or alias before the column.")
    return _noted(scope, found[0], part)


def _by_schema(binder: Binder, parts: list[Part], scope: Scope) -> tuple[Base, list[Part]] | None:
    names = [part.name for part in parts]
    for item in scope.sources:
        if isinstance(item, Element) or item.relation is None or item.has_alias:
            continue
        relation = item.relation
        for prefix in ([relation.schema, relation.name], [binder.context.database, relation.schema, relation.name]):
            length = len(prefix)
            if names[:length] == prefix and len(parts) > length:
                column = item.column(names[length])
                if column is None:
                    raise undefined_column(names[length], parts[length].node, [one.label for one in item.columns], owner=relation.name)
                return _noted(scope, base_of(item, column), parts[length]), parts[length + 1 :]
    return None


def undefined_column(name: str, node: exp.Expr, known: list[str], *, owner: str = "") -> UndefinedObject:
    """Return `column "x" does not exist` (42703), naming the nearest column that does."""
    where = f' in "{owner}"' if owner else ""
    near = difflib.get_close_matches(name, [one for one in known if one != name], n=1, cutoff=0.6)
    hint = f'Did you mean "{near[0]}"?' if near else None
    return UndefinedObject(f'column "{name}" does not exist{where}', sqlstate="42703", span=span_of(node), hint=hint)


def _undefined(parts: list[Part], scope: Scope) -> UndefinedObject | InvalidSql:
    aliases: list[str] = []
    columns: list[str] = []
    level: Scope | None = scope
    while level is not None:
        for item in level.sources:
            aliases.append(item.alias)
            if isinstance(item, Source):
                columns.extend(one.label for one in item.columns)
        columns.extend(level.aliases)
        level = level.parent
    head = parts[0]
    if len(parts) > 1 and head.name in scope.aliases:
        message = f'navigation on column "{head.name}" is not allowed as it is not SUPER type'
        hint = "An alias of the same SELECT cannot be navigated; put the expression into a subquery."
        return InvalidSql(message, sqlstate="42809", span=span_of(head.node), hint=hint)
    if len(parts) > 1 and isinstance(parts[1].step, str):
        near = difflib.get_close_matches(head.name, [one for one in aliases + columns if one != head.name], n=1, cutoff=0.6)
        hint = f'Did you mean "{near[0]}"?' if near else f'Name the table "{head.name}" in FROM, or correct the name.'
        span = span_of(head.node)
        return UndefinedObject(f'missing FROM-clause entry for table "{head.name}"', sqlstate="42P01", span=span, hint=hint)
    return undefined_column(head.name, head.node, [*columns, *aliases])


def visible_columns(scope: Scope) -> list[tuple[Source | Element, OutputColumn | None]]:
    """Return what `*` means, without the columns that USING merged: each column with its source, each element alone."""
    found: list[tuple[Source | Element, OutputColumn | None]] = []
    for item in scope.sources:
        if isinstance(item, Element):
            found.append((item, None))
        else:
            found.extend((item, column) for column in item.columns if not scope.is_hidden(item.reference(column.sql_name)))
    return found
