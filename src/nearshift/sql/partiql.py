"""SUPER: navigation into documents and unnesting in FROM.

Theory. A path is noted at the source that holds its column, and stands in the text as an element of that source's list of extracted values.
All paths of one column become one `json_extract(doc, [paths])`, which parses the document once; measured on change records of a kilobyte
that is five times faster than one call per path. An unnest becomes `unnest(...)` in the select list of the same source, which is ten times
faster than a lateral join; where that would change the meaning (an outer join above it, an ON condition of its own, a path of an outer
query) it is a lateral subquery.

Source pages: "Querying semi-structured data", "FROM clause" (r_FROM_clause30).
"""

from __future__ import annotations

import json

from sqlglot import exp

from nearshift.errors import InvalidSql
from nearshift.limits import SUPER_DEPTH_MAX
from nearshift.sql.bind import Binder
from nearshift.sql.bind_values import Value
from nearshift.sql.dialect import span_of
from nearshift.sql.names import quote, quote_literal
from nearshift.sql.scope import Base, Element, Extracted, Extraction, Scope, Source, Stage, Step, json_path
from nearshift.sql.scope_names import Part, parts_of, resolve
from nearshift.types import SUPER, VARCHAR, Kind

# What FROM does with a value that is no array: no row for a comma join, one row with NULL for LEFT JOIN ... ON true. Not documented by AWS.
_AS_LIST = "nearshift_sql.super_list({0})"
_AS_PAIRS = "nearshift_sql.super_pairs({0})"


def path_value(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind a column, with or without navigation into it."""
    parts = parts_of(binder, node)
    if parts is None and isinstance(node, exp.Bracket) and isinstance(node.this, exp.Paren) and len(node.expressions) == 1:
        return _array_element(binder, node, scope)
    if parts is None:
        raise binder.unsupported(node, "navigation is possible from a SUPER column or an unnest alias only", hint="Use a subquery.")
    base, rest = resolve(binder, parts, scope)
    return navigate(binder, base, rest)


def _array_element(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind `(array)[n]`, n from 1; arrays exist in the catalog only, as text in braces. SUPER is reached by name, not in parentheses."""
    array = binder.value(node.this, scope)
    place = node.expressions[0]
    if array.type.kind is not Kind.VARCHAR or not isinstance(place, exp.Literal) or place.is_string or not place.this.isdigit():
        raise binder.unsupported(node, "navigation is possible from a SUPER column or an unnest alias only", hint="Use a subquery.")
    return Value(f"string_split(trim({array.sql}, '{{}}'), ',')[{int(place.this)}]", VARCHAR, array.label)


def navigate(binder: Binder, base: Base, rest: list[Part]) -> Value:
    """Return the value at the end of `rest`; raises InvalidSql (42809) when the base is no SUPER."""
    if not rest:
        source = base.source
        home = Extracted(source, base.stage, quote(base.sql_name)) if source is not None and not source.is_inline else None
        return base.value or Value(base.sql, base.type, base.label, keeper=home)
    _check_navigable(base, rest)
    label = next((part.node.name.lower() for part in reversed(rest) if isinstance(part.step, str)), base.label)
    source = base.source
    if source is None or source.is_inline or _is_strict(binder):
        return Value(_extracted(binder, base, rest, is_last=False), SUPER, label)
    home = Extracted(source, base.stage, _extracted(binder, base, rest, is_last=True))
    return Value(_extracted(binder, base, rest, is_last=False), SUPER, label, keeper=home)


def _check_navigable(base: Base, rest: list[Part]) -> None:
    span = span_of(rest[0].node)
    if base.type.kind is not Kind.SUPER:
        message = f'navigation on column "{base.label}" is not allowed as it is not SUPER type'
        raise InvalidSql(message, sqlstate="42809", span=span)
    if len(rest) > SUPER_DEPTH_MAX:
        raise InvalidSql(f"a path has at most {SUPER_DEPTH_MAX} steps", sqlstate="54001", span=span)


def _is_strict(binder: Binder) -> bool:
    """Tell whether a step to what is not there is an error ("SUPER configurations")."""
    return not binder.setting("navigate_super_null_on_error", "on")


def _extracted(binder: Binder, base: Base, rest: list[Part], *, is_last: bool) -> str:
    """Return the text of the extracted value; `is_last` for use inside the source itself, without its name."""
    steps: tuple[Step, ...] = tuple(part.step for part in rest)
    source = base.source
    if _is_strict(binder):
        # What fails must stand where the user wrote it, so that a CASE or a WHERE before it can keep it from being reached.
        document = base.value.sql if base.value is not None else quote(base.sql_name) if is_last else base.sql
        return f"CAST(nearshift_strict_path({document}, {quote_literal(json.dumps(steps, ensure_ascii=False))}) AS JSON)"
    if source is None or source.is_inline:
        document = base.value.sql if base.value is not None else base.sql
        return f"nearshift_sql.super_path({document}, {json_path(steps)})"
    extractions = source.stages[base.stage].extractions
    one = extractions.get(base.sql_name)
    if one is None:
        one = extractions[base.sql_name] = Extraction(base.sql_name, binder.fresh("p"))
    if steps not in one.paths:
        one.paths.append(steps)
    place = one.paths.index(steps) + 1
    name = quote(one.sql_name) if is_last else source.reference(one.sql_name)
    return f"{name}[{place}]"


def path_base(binder: Binder, node: exp.Expr, scope: Scope) -> tuple[Base, list[Part]] | None:
    """Return what an item of FROM means as a path into what stands before it, or None when its first name is no alias or column there."""
    parts = parts_of(binder, node)
    if parts is None:
        return None
    level: Scope | None = scope
    while level is not None:
        if level.find_alias(parts[0].name) is not None or _has_column(level, parts[0].name):
            return resolve(binder, parts, scope)
        level = level.parent
    return None


def _has_column(scope: Scope, name: str) -> bool:
    return any(isinstance(item, Source) and item.column(name) is not None for item in scope.sources)


def unnest_in_source(
    binder: Binder, base: Base, rest: list[Part], alias: str, index: str | None, *, is_outer: bool, is_unpivot: bool
) -> Element:
    """Add an unnest to the source that holds the path, and return the alias it makes. The path must belong to a source of the same FROM."""
    source = base.source
    assert source is not None
    binder.facts.seen.add("unnest")
    if rest:
        _check_navigable(base, rest)
    stage = base.stage
    document = _extracted(binder, base, rest, is_last=True) if rest else quote(base.sql_name)
    items, element, index_name = _unnest_items(binder, document, index, is_outer=is_outer, is_unpivot=is_unpivot)
    if stage == len(source.stages) - 1:
        source.stages.append(Stage())
        position = stage + 1
    else:
        # A second array of the same stage must multiply, not run beside the first: it gets a stage of its own above all others.
        source.stages.append(Stage())
        position = len(source.stages) - 1
    source.stages[position].items = items
    return Element(alias, source, position, element, index, index_name, is_unpivot)


def _unnest_items(
    binder: Binder, document: str, index: str | None, *, is_outer: bool, is_unpivot: bool
) -> tuple[tuple[str, ...], str, str | None]:
    element = binder.fresh("e")
    if is_unpivot:
        name = binder.fresh("k")
        pairs = _AS_PAIRS.format(document)
        if is_outer:
            pairs = f"CASE WHEN len({pairs}) > 0 THEN {pairs} ELSE [NULL] END"
        pair = f"unnest({pairs})"
        return (f"{pair}.value AS {quote(element)}", f"{pair}.key AS {quote(name)}"), element, name
    values = _AS_LIST.format(document)
    if is_outer:
        items = [f"unnest(CASE WHEN len({values}) > 0 THEN {values} ELSE [NULL] END) AS {quote(element)}"]
    else:
        items = [f"unnest({values}) AS {quote(element)}"]
    if index is None:
        return tuple(items), element, None
    place = binder.fresh("i")
    numbers = f"range(len({values}))"
    if is_outer:
        numbers = f"CASE WHEN len({values}) > 0 THEN {numbers} ELSE [NULL] END"
    items.append(f"unnest({numbers}) AS {quote(place)}")
    return tuple(items), element, place


def unnest_as_source(
    binder: Binder, document: str, alias: str, index: str | None, *, is_unpivot: bool, is_lateral: bool
) -> tuple[Source, Element]:
    """Return an unnest that stands in FROM by itself, over a value of another item of FROM or of an outer query."""
    binder.facts.seen.add("unnest")
    items, element, index_name = _unnest_items(binder, document, index, is_outer=False, is_unpivot=is_unpivot)
    source = Source(alias, binder.tag(alias), "", (), is_lateral=is_lateral)
    source.stages[0].items = items
    return source, Element(alias, source, 0, element, index, index_name, is_unpivot)
