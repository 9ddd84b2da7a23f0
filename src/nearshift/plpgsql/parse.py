"""A procedure's body into a tree, by recursive descent.

Only the structure is read here: an expression or SQL statement is whatever stands before the THEN, LOOP, INTO or semicolon that ends it,
outside brackets, quotes and CASE … END. So the grammar of SQL is not repeated, and everything that the SQL layer learns works in bodies.
"""

from __future__ import annotations

from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.plpgsql import nodes
from nearshift.plpgsql.parse_declarations import read_declarations
from nearshift.plpgsql.parse_simple import SIMPLE, read_sql
from nearshift.plpgsql.source import Source
from nearshift.sql.relations import NameRules

# Blocks, IFs and loops inside each other: each takes a few frames of Python's stack, here and in the interpreter.
BODY_DEPTH_MAX: Final = 60
PLAIN_RULES: Final = NameRules()


def parse_body(body: str, rules: NameRules = PLAIN_RULES, *, is_nonatomic: bool = True) -> nodes.Block:
    """Return the tree of a procedure's body; spans count from the first character of `body`.

    Raises InvalidSql (42601) `syntax error at or near "…"`, 54001 for too deep nesting or too many variables, and NotSupported for
    statements that Redshift's procedures do not have. What only NONATOMIC procedures may use is refused when `is_nonatomic` is false.
    """
    source = Source(body, rules, is_nonatomic=is_nonatomic)
    label = _label(source)
    if not source.at("DECLARE", "BEGIN"):
        source.fail()
    block = _block(source, label, 1)
    source.take(";")
    source.finish()
    if source.declared_count > limits.PROCEDURE_VARIABLES_MAX:
        message = f"procedures cannot have more than {limits.PROCEDURE_VARIABLES_MAX} variables"
        raise InvalidSql(message, sqlstate="54000", span=Span(0, 1), hint="Split the procedure.")
    return block


def _label(source: Source) -> str | None:
    if not source.take("<<"):
        return None
    label = source.folded_name()
    source.expect(">>")
    return label


def _block(source: Source, label: str | None, depth: int) -> nodes.Block:
    line = source.line()
    declarations = read_declarations(source)
    begin = source.expect("BEGIN")
    if source.at(";", "TRANSACTION", "WORK"):
        source.fail(begin, hint="Use START TRANSACTION in a NONATOMIC procedure; BEGIN opens a block.")
    with source.inside(label, is_loop=False):
        body = _statements(source, ("EXCEPTION", "END"), depth)
        handler = _handler(source, depth) if source.take("EXCEPTION") else None
    source.expect("END")
    _end_label(source, label)
    return nodes.Block(line, label, declarations, body, handler)


def _handler(source: Source, depth: int) -> nodes.Handler:
    kind = nodes.HandlerKind.EXIT
    if word := source.take("CONTINUE_HANDLER", "EXIT_HANDLER"):
        source.require_nonatomic(word)
        kind = nodes.HandlerKind(word.key)
    source.expect("WHEN")
    if not source.at("OTHERS"):
        detail = "Redshift's procedures catch OTHERS only."
        message = "specific exception conditions are not supported"
        raise NotSupported(message, span=source.token.span, detail=detail, hint="Use WHEN OTHERS.")
    source.advance()
    source.expect("THEN")
    body = _statements(source, ("WHEN", "END"), depth)
    if source.at("WHEN"):
        source.fail(hint="Only one WHEN OTHERS is possible.")
    return nodes.Handler(kind, body)


def _end_label(source: Source, label: str | None) -> None:
    if source.at(";") or source.is_at_end():
        return
    token = source.token
    if source.folded_name() != label:
        source.fail(token)


def _statements(source: Source, ends: tuple[str, ...], depth: int) -> tuple[nodes.Node, ...]:
    if depth > BODY_DEPTH_MAX:
        message = f"blocks are nested too deeply: the maximum is {BODY_DEPTH_MAX} levels"
        raise InvalidSql(message, sqlstate="54001", span=source.token.span, hint="Move the inner part to a procedure of its own.")
    found: list[nodes.Node] = []
    while not source.at(*ends) or source.is_assignment():
        if source.is_at_end():
            source.fail()
        found.append(_statement(source, depth))
    return tuple(found)


def _statement(source: Source, depth: int) -> nodes.Node:
    label = _label(source)
    node = None if source.is_assignment() else _compound(source, label, depth)
    if node is not None:
        source.expect(";")
        return node
    if label is not None:
        source.fail(hint="A label stands before a block or a loop.")
    simple = None if source.is_assignment() else SIMPLE.get(source.token.key)
    node = simple(source) if simple else read_sql(source)
    source.expect(";")
    return node


def _compound(source: Source, label: str | None, depth: int) -> nodes.Node | None:
    """Read a block, IF, CASE or loop without its last semicolon; None when none of them comes next."""
    line = source.line()
    if source.at("DECLARE", "BEGIN"):
        return _block(source, label, depth + 1)
    if source.take("LOOP"):
        return nodes.Loop(line, label, _loop_body(source, label, depth))
    if source.take("WHILE"):
        condition = source.fragment_until(("LOOP", ";"))
        source.expect("LOOP")
        return nodes.While(line, label, condition, _loop_body(source, label, depth))
    if source.take("FOR"):
        return _for(source, line, label, depth)
    if label is None and source.take("IF"):
        return _if(source, line, depth)
    if label is None and source.take("CASE"):
        return _case(source, line, depth)
    return None


def _loop_body(source: Source, label: str | None, depth: int) -> tuple[nodes.Node, ...]:
    with source.inside(label, is_loop=True):
        body = _statements(source, ("END",), depth + 1)
    source.expect("END")
    source.expect("LOOP")
    _end_label(source, label)
    return body


def _if(source: Source, line: int, depth: int) -> nodes.If:
    branches: list[tuple[nodes.Fragment, tuple[nodes.Node, ...]]] = []
    otherwise: tuple[nodes.Node, ...] = ()
    while True:
        condition = source.fragment_until(("THEN", ";"))
        source.expect("THEN")
        branches.append((condition, _statements(source, ("ELSIF", "ELSEIF", "ELSE", "END"), depth + 1)))
        if not source.take("ELSIF", "ELSEIF"):
            break
    if source.take("ELSE"):
        otherwise = _statements(source, ("END",), depth + 1)
    source.expect("END")
    source.expect("IF")
    return nodes.If(line, tuple(branches), otherwise)


def _case(source: Source, line: int, depth: int) -> nodes.Case:
    subject = None if source.at("WHEN") else source.fragment_until(("WHEN", ";"))
    branches: list[tuple[tuple[nodes.Fragment, ...], tuple[nodes.Node, ...]]] = []
    if not source.at("WHEN"):
        source.fail()
    while source.take("WHEN"):
        values = [source.fragment_until(("THEN", ";", ",") if subject else ("THEN", ";"))]
        while source.take(","):
            values.append(source.fragment_until(("THEN", ";", ",")))
        source.expect("THEN")
        branches.append((tuple(values), _statements(source, ("WHEN", "ELSE", "END"), depth + 1)))
    otherwise = _statements(source, ("END",), depth + 1) if source.take("ELSE") else None
    source.expect("END")
    source.expect("CASE")
    return nodes.Case(line, subject, tuple(branches), otherwise)


def _for(source: Source, line: int, label: str | None, depth: int) -> nodes.ForInteger | nodes.ForQuery:
    variable = source.token
    targets = source.targets()
    source.expect("IN")
    if source.take("EXECUTE"):
        query = source.fragment_until(("LOOP", "USING", ";"))
        source.refuse("USING", "EXECUTE … USING", "Join the values into the text with quote_literal.")
        source.expect("LOOP")
        return nodes.ForQuery(line, label, targets, query, True, _loop_body(source, label, depth))  # noqa: FBT003
    is_reverse = not source.is_followed_by_range_sign() and source.take("REVERSE") is not None
    start = source.token
    first = source.fragment_until(("..", "LOOP", ";"))
    if source.take(".."):
        if len(targets) != 1 or len(targets[0].path) != 1:
            source.fail(variable)
        last = source.fragment_until(("LOOP", "BY", ";"))
        step = source.fragment_until(("LOOP", ";")) if source.take("BY") else None
        source.expect("LOOP")
        body = _loop_body(source, label, depth)
        return nodes.ForInteger(line, label, targets[0].path[0], first, last, step, is_reverse, body)
    if source.at("LOOP") and not is_reverse and start.key not in ("SELECT", "WITH", "(", "VALUES", "SHOW"):
        hint = "Write FOR … IN query LOOP, or OPEN, FETCH and CLOSE."
        raise NotSupported("loops over a cursor are not supported", span=start.span, hint=hint)
    source.expect("LOOP")
    return nodes.ForQuery(line, label, targets, first, False, _loop_body(source, label, depth))  # noqa: FBT003
