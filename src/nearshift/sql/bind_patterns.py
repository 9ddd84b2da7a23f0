"""LIKE, ILIKE, SIMILAR TO, POSIX matches, EXISTS and scalar subqueries. Source page: "Pattern-matching conditions"."""

from __future__ import annotations

import re

from sqlglot import exp

from nearshift.sql.bind import Binder
from nearshift.sql.bind_casts import coerce
from nearshift.sql.bind_values import NO_LABEL, Value
from nearshift.sql.names import quote_literal
from nearshift.sql.scope import Scope
from nearshift.types import BOOLEAN, VARCHAR, Kind

_LIKES: dict[type[exp.Expr], str] = {exp.Like: "LIKE", exp.ILike: "ILIKE"}


def like_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind LIKE and ILIKE; the escape character is a backslash unless ESCAPE names another."""
    return _like(binder, node, None, scope)


def escape_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind LIKE … ESCAPE 'c'."""
    letter = node.expression
    if not isinstance(letter, exp.Literal) or not letter.is_string or len(letter.this) > 1:
        raise binder.unsupported(node, "ESCAPE takes one character")
    inner = node.this
    if isinstance(inner, exp.SimilarTo):
        return _similar(binder, inner, letter.this, scope)
    if type(inner) not in _LIKES:
        raise binder.unsupported(node, "ESCAPE stands after LIKE, ILIKE or SIMILAR TO only")
    return _like(binder, inner, letter.this, scope)


def _operands(binder: Binder, node: exp.Expr, scope: Scope) -> tuple[Value, Value]:
    if isinstance(node.expression, (exp.Any, exp.All)):
        raise binder.unsupported(node, "a pattern condition with ANY or ALL is not supported")
    left = coerce(binder, binder.value(node.this, scope), VARCHAR, node)
    return left, coerce(binder, binder.value(node.expression, scope), VARCHAR, node)


def _like(binder: Binder, node: exp.Expr, escape: str | None, scope: Scope) -> Value:
    word = f"NOT {_LIKES[type(node)]}" if node.args.get("negate") else _LIKES[type(node)]
    left, right = _operands(binder, node, scope)
    letter = "\\" if escape is None else escape
    # Without an escape character in the pattern DuckDB can use prefixes and plain searches.
    is_plain = isinstance(node.expression, exp.Literal) and letter not in node.expression.this
    tail = "" if is_plain or not letter else f" ESCAPE {quote_literal(letter)}"
    return Value(f"({left.sql} {word} {right.sql}{tail})", BOOLEAN)


def similar_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind SIMILAR TO; the pattern must be a literal."""
    return _similar(binder, node, "\\", scope)


def _similar(binder: Binder, node: exp.Expr, escape: str, scope: Scope) -> Value:
    left, _ = _operands(binder, node, scope)
    pattern = node.expression
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        raise binder.unsupported(node, "the pattern of SIMILAR TO must be a literal", hint="Use ~ with a regular expression.")
    return Value(f"regexp_full_match({left.sql}, {quote_literal(similar_pattern(pattern.this, escape))}, 's')", BOOLEAN)


def similar_pattern(pattern: str, escape: str) -> str:
    """Return the regular expression of a SIMILAR TO pattern: % _ | * + ? {} () [] mean something, all else itself."""
    parts: list[str] = []
    position, in_class = 0, False
    while position < len(pattern):
        letter = pattern[position]
        if letter == escape and position + 1 < len(pattern):
            position += 1
            parts.append(re.escape(pattern[position]))
        elif in_class:
            parts.append("\\\\" if letter == "\\" else letter)
            in_class = letter != "]"
        elif letter in "%_":
            parts.append(".*" if letter == "%" else ".")
        elif letter in "|*+?{}()[]":
            parts.append(letter)
            in_class = letter == "["
        else:
            parts.append(re.escape(letter))
        position += 1
    return "(?:" + "".join(parts) + ")"


def regexp_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind ~ and ~* ("POSIX operators")."""
    left, right = _operands(binder, node, scope)
    options = "'i'" if isinstance(node, exp.RegexpILike) else "'c'"
    return Value(f"regexp_matches({left.sql}, {right.sql}, {options})", BOOLEAN)


def exists_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind EXISTS (SELECT …)."""
    binder.facts.seen.add("subquery")
    inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Value(f"EXISTS ({binder.query(inner, scope).sql})", BOOLEAN)


def subquery_rule(binder: Binder, node: exp.Expr, scope: Scope) -> Value:
    """Bind a scalar subquery."""
    binder.facts.seen.add("subquery")
    query = binder.query(node, scope)
    if len(query.columns) != 1:
        raise binder.invalid(node, "subquery must return only one column")
    kind = query.columns[0].type
    kind = VARCHAR if kind.kind is Kind.UNKNOWN else kind
    return Value(f"({query.sql})", kind, NO_LABEL)
