"""The statements of a body that hold no others: assignment, SQL, RAISE, cursors and transaction control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.plpgsql import nodes
from nearshift.plpgsql.nodes import Fragment, Target
from nearshift.plpgsql.source import Source
from nearshift.sql.lexer import TokenKind, string_value

_NOT_HERE: Final = "It needs a transaction of its own, or the whole session."
# Leading words of SQL statements that a procedure cannot run ("Limits and differences for stored procedure support").
REFUSED_SQL: Final[tuple[tuple[str, ...], ...]] = (
    ("PREPARE",), ("CREATE", "DATABASE"), ("DROP", "DATABASE"), ("CREATE", "EXTERNAL", "TABLE"), ("VACUUM",), ("SET", "LOCAL"),
    ("ALTER", "DATABASE"), ("CREATE", "TABLESPACE"),
)  # fmt: skip


def refuse_sql(words: tuple[str, ...], span: Span) -> None:
    """Raise NotSupported when `words`, the first four of an SQL statement in upper case, begin one that procedures cannot run."""
    for refused in REFUSED_SQL:
        if words[: len(refused)] == refused:
            message = f"{' '.join(refused)} cannot be executed from a procedure"
            raise NotSupported(message, span=span, detail=_NOT_HERE, hint="Run it outside of the procedure.")
    if words[0] in ("SAVEPOINT", "RELEASE"):
        raise NotSupported("savepoints are not supported", span=span, hint="Use a NONATOMIC procedure to keep a part of the work.")


def read_sql(source: Source) -> nodes.Node:
    """Read an assignment or an SQL statement; a SELECT may hold INTO."""
    line, start = source.line(), source.token
    if source.is_assignment():
        target = source.target()
        source.expect(":=", "=")
        return nodes.Assign(line, target, source.fragment_until((";",)))
    if start.kind not in (TokenKind.WORD, TokenKind.OPERATOR) or (start.kind is TokenKind.OPERATOR and start.key != "("):
        source.fail()
    refuse_sql(tuple(source.peek(i).key for i in range(4)), start.span)
    if source.at_words("ALTER", "TABLE"):
        return _alter_table(source, line)
    if not source.at("SELECT", "WITH"):
        return nodes.Sql(line, source.fragment_until((";",)))
    return _select(source, line)


def _alter_table(source: Source, line: int) -> nodes.Sql:
    start = source.token
    words: list[str] = []
    while not source.at(";") and not source.is_at_end():
        words.append(source.advance().key)
        if words[-1] == "APPEND" and "ADD" not in words and "RENAME" not in words and "DROP" not in words and len(words) > 3:
            message = "ALTER TABLE APPEND cannot be executed from a procedure"
            raise NotSupported(message, span=source.previous.span, detail=_NOT_HERE, hint="Run it outside of the procedure.")
    span = Span(start.start, source.previous.end)
    return nodes.Sql(line, Fragment(source.text[span.start : span.end], span))


def _select(source: Source, line: int) -> nodes.Sql | nodes.SelectInto:
    start = source.token
    source.skip_until((";", "INTO"))
    # WITH … INSERT INTO, and MERGE INTO, are SQL.
    if source.at("INTO") and source.previous.key not in ("INSERT", "MERGE"):
        into = source.advance()
        if source.at("STRICT"):
            raise NotSupported("INTO STRICT is not supported", span=source.token.span, hint="Test FOUND after the statement.")
        if source.at("TEMP", "TEMPORARY", "TABLE") and source.peek().kind is TokenKind.WORD and source.peek().key not in ("FROM", "WHERE"):
            source.fail(hint="SELECT INTO sets variables in a procedure; use CREATE TABLE AS.")
        targets = source.targets()
        blank = Span(into.start, source.previous.end)
        source.skip_until((";",))
        text = source.text[start.start : source.previous.end]
        cut = Span(blank.start - start.start, blank.end - start.start)
        text = text[: cut.start] + " " * (cut.end - cut.start) + text[cut.end :]
        return nodes.SelectInto(line, Fragment(text, Span(start.start, source.previous.end)), targets)
    source.skip_until((";",))
    span = Span(start.start, source.previous.end)
    return nodes.Sql(line, Fragment(source.text[span.start : span.end], span))


def _null(source: Source) -> nodes.Null:
    line = source.line()
    source.expect("NULL")
    return nodes.Null(line)


def _exit(source: Source) -> nodes.Exit | nodes.Continue:
    line = source.line()
    word = source.expect("EXIT", "CONTINUE")
    kind = nodes.Exit if word.key == "EXIT" else nodes.Continue
    token = source.token
    label = None if source.at(";", "WHEN") else source.folded_name()
    source.require_label(word if label is None else token, label, is_loop=kind is nodes.Continue)
    condition = source.fragment_until((";",)) if source.take("WHEN") else None
    return kind(line, label, condition)


def _return(source: Source) -> nodes.Return:
    line = source.line()
    source.expect("RETURN")
    source.refuse("NEXT", "RETURN NEXT", "Return rows through a refcursor or a temporary table.")
    source.refuse("QUERY", "RETURN QUERY", "Return rows through a refcursor or a temporary table.")
    if not source.at(";"):
        source.fail(hint="A procedure returns values through OUT and INOUT arguments; write RETURN alone.")
    return nodes.Return(line)


def _raise(source: Source) -> nodes.Raise | nodes.Reraise:
    line = source.line()
    source.expect("RAISE")
    if source.at(";"):
        return nodes.Reraise(line)
    level = nodes.Level(source.expect(*nodes.Level.__members__).key)
    token = source.token
    if not source.at_string():
        source.fail(hint="The format of RAISE is a string literal.")
    parts = _format_parts(string_value(source.advance()))
    arguments: list[Target] = []
    while source.take(","):
        argument = source.token
        arguments.append(source.target())
        if not source.at(",", ";"):
            source.fail(argument, hint="RAISE takes variables only; assign the expression to one.")
    source.refuse("USING", "RAISE … USING", "Write everything into the message.")
    if len(arguments) != len(parts) - 1:
        fault = "many" if len(arguments) > len(parts) - 1 else "few"
        hint = "Give one variable per % in the format; %% stands for a percent sign."
        raise InvalidSql(f"too {fault} parameters specified for RAISE", span=token.span, hint=hint)
    return nodes.Raise(line, level, parts, tuple(arguments))


def _format_parts(text: str) -> tuple[str, ...]:
    parts = [""]
    pieces = text.split("%")
    parts[0] = pieces[0]
    index = 1
    while index < len(pieces):
        if pieces[index] == "" and index + 1 < len(pieces):
            parts[-1] += "%" + pieces[index + 1]
            index += 2
        else:
            parts.append(pieces[index])
            index += 1
    return tuple(parts)


def _get(source: Source) -> nodes.GetDiagnostics:
    line = source.line()
    source.expect("GET")
    source.refuse("STACKED", "GET STACKED DIAGNOSTICS", "Use SQLERRM and SQLSTATE.")
    source.take("CURRENT")
    source.expect("DIAGNOSTICS")
    target = source.target()
    source.expect(":=", "=")
    if not source.at("ROW_COUNT"):
        source.fail(hint="ROW_COUNT is the only item there is.")
    source.advance()
    return nodes.GetDiagnostics(line, target)


def _execute(source: Source) -> nodes.Execute:
    line = source.line()
    source.expect("EXECUTE")
    expression = source.fragment_until((";", "INTO", "USING"))
    targets = source.targets() if source.take("INTO") else ()
    source.refuse("USING", "EXECUTE … USING", "Join the values into the text with quote_literal.")
    return nodes.Execute(line, expression, targets)


def _perform(source: Source) -> nodes.Perform:
    line, start = source.line(), source.expect("PERFORM")
    query = source.fragment_until((";",))
    # PERFORM is one character longer than SELECT, so positions stay true.
    text = "SELECT " + source.text[start.end : query.span.end]
    return nodes.Perform(line, Fragment(text, Span(start.start, query.span.end)))


def _call(source: Source) -> nodes.Call:
    line = source.line()
    return nodes.Call(line, source.fragment_until((";",)))


def _open(source: Source) -> nodes.Open:
    line = source.line()
    source.expect("OPEN")
    cursor = source.target()
    arguments: tuple[Fragment, ...] = ()
    if source.at("("):
        arguments = source.parenthesised(lambda: source.fragment_until((",", ")")))
    query, is_dynamic = None, False
    if not arguments and source.take("FOR"):
        is_dynamic = source.take("EXECUTE") is not None
        query = source.fragment_until((";",))
    return nodes.Open(line, cursor, query, is_dynamic, arguments)


def _fetch(source: Source) -> nodes.Fetch:
    line = source.line()
    source.expect("FETCH")
    if source.at("NEXT") and source.peek().key in ("FROM", "IN"):
        source.advance()
        source.advance()
    cursor = source.target()
    source.expect("INTO")
    return nodes.Fetch(line, cursor, source.targets())


def _close(source: Source) -> nodes.Close:
    line = source.line()
    source.expect("CLOSE")
    return nodes.Close(line, source.target())


def _transaction(source: Source) -> nodes.Commit | nodes.Rollback:
    line = source.line()
    word = source.expect("COMMIT", "ROLLBACK")
    if source.at("TO"):
        raise NotSupported("savepoints are not supported", span=source.token.span, hint="Use a NONATOMIC procedure.")
    if not source.at(";"):
        source.fail(hint=f"Write {word.key} alone.")
    return nodes.Commit(line) if word.key == "COMMIT" else nodes.Rollback(line)


def _start(source: Source) -> nodes.StartTransaction:
    line = source.line()
    word = source.expect("START")
    source.expect("TRANSACTION")
    source.require_nonatomic(word)
    if not source.at(";"):
        source.fail(hint="START TRANSACTION takes no options in a procedure.")
    return nodes.StartTransaction(line)


def _truncate(source: Source) -> nodes.Truncate:
    line = source.line()
    return nodes.Truncate(line, source.fragment_until((";",)))


def _foreach(source: Source) -> nodes.Node:
    source.refuse("FOREACH", "FOREACH", "Unnest the SUPER array in a query and loop over its rows.")
    source.fail()


def _assert(source: Source) -> nodes.Node:
    source.refuse("ASSERT", "ASSERT", "Use IF and RAISE EXCEPTION.")
    source.fail()


def _move(source: Source) -> nodes.Node:
    source.refuse("MOVE", "MOVE", "Use FETCH.")
    source.fail()


SIMPLE: Final[dict[str, Callable[[Source], nodes.Node]]] = {
    "NULL": _null,
    "EXIT": _exit,
    "CONTINUE": _exit,
    "RETURN": _return,
    "RAISE": _raise,
    "GET": _get,
    "EXECUTE": _execute,
    "PERFORM": _perform,
    "CALL": _call,
    "OPEN": _open,
    "FETCH": _fetch,
    "CLOSE": _close,
    "COMMIT": _transaction,
    "ROLLBACK": _transaction,
    "START": _start,
    "TRUNCATE": _truncate,
    "FOREACH": _foreach,
    "ASSERT": _assert,
    "MOVE": _move,
}
