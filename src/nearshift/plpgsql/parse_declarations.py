"""DECLARE sections: variables, aliases and bound cursors."""

from __future__ import annotations

from nearshift.errors import InvalidSql
from nearshift.plpgsql.nodes import AliasDeclaration, CursorDeclaration, Declaration, Record, TypeOf, VariableDeclaration
from nearshift.plpgsql.source import Source
from nearshift.sql.lexer import TokenKind
from nearshift.sql.names import fold
from nearshift.types import SqlType


def read_declarations(source: Source) -> tuple[Declaration, ...]:
    """Read any number of DECLARE sections. Raises InvalidSql (42601) when a block declares a name twice."""
    found: dict[str, Declaration] = {}
    while source.take("DECLARE"):
        while not source.at("BEGIN", "DECLARE"):
            if source.is_at_end():
                source.fail()
            token = source.token
            declaration = _declaration(source)
            if declaration.name in found:
                raise InvalidSql(f'variable "{declaration.name}" is declared twice', span=token.span, hint="Rename one of them.")
            found[declaration.name] = declaration
    source.declared_count += len(found)
    return tuple(found.values())


def _declaration(source: Source) -> Declaration:
    line = source.line()
    name = source.folded_name()
    if source.take("ALIAS"):
        source.expect("FOR")
        of = source.target()
        source.expect(";")
        return AliasDeclaration(name, str(of), line)
    if source.take("CURSOR"):
        return _cursor(source, name, line)
    is_constant = source.take("CONSTANT") is not None
    type_name = _type(source)
    is_not_null = source.take_words("NOT", "NULL")
    default = source.fragment_until((";",)) if source.take(":=", "=", "DEFAULT") else None
    if is_not_null and default is None:
        source.fail(hint=f"Give {name} a DEFAULT: it is NOT NULL.")
    source.expect(";")
    return VariableDeclaration(name, type_name, line, default, is_constant, is_not_null)


def _cursor(source: Source, name: str, line: int) -> CursorDeclaration:
    parameters: list[tuple[str, SqlType]] = []
    if source.take("("):
        while True:
            parameter = source.folded_name()
            parameters.append((parameter, source.type_name()))
            if not source.take(","):
                break
        source.expect(")")
    source.expect("FOR", "IS")
    query = source.fragment_until((";",))
    source.expect(";")
    return CursorDeclaration(name, tuple(parameters), query, line)


def _type(source: Source) -> SqlType | Record | TypeOf:
    if source.take("RECORD"):
        return Record()
    ahead = 0
    while source.peek(ahead + 1).key == "." and source.peek(ahead + 2).kind in (TokenKind.WORD, TokenKind.QUOTED):
        ahead += 2
    if source.peek(ahead + 1).key != "%":
        return source.type_name()
    name = source.qualified(4)
    source.expect("%")
    text = source.text[name.span.start : name.span.end]
    if source.expect("TYPE", "ROWTYPE").key == "ROWTYPE":
        return Record(like=text)
    return TypeOf(tuple(fold(part.text, part.is_quoted, source.rules) for part in name.parts), text)
