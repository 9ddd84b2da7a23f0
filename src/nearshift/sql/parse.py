"""One statement's text into a value of `sql.statements`.

The leading words choose the parser, in one table. What Redshift has and nearshift has not is refused with its reason; what nobody has is a
syntax error. Nothing is passed on that was not understood.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.sql import parse_access, parse_commands, parse_programs, parse_settings, parse_tables, parse_transfer, parse_views
from nearshift.sql.lexer import Token, TokenKind, tokens
from nearshift.sql.parse_queries import QUERY_WORDS, classify_query
from nearshift.sql.parse_reader import Reader
from nearshift.sql.parse_refused import REFUSED
from nearshift.sql.statements import Statement, Verb

_Parser = Callable[[Reader], Statement]


def parse_statement(text: str) -> Statement:
    """Return the statement that `text`, one piece of a script without its semicolon, is; spans count from its first character.

    Raises InvalidSql (42601, 54001) for what is no statement, NotSupported (0A000) for Redshift's statements that nearshift leaves out,
    both with a span. Queries and DML are told apart here and read by the binder.
    """
    if len(text) * 4 > limits.STATEMENT_BYTES_MAX and len(text.encode("utf-8", "surrogatepass")) > limits.STATEMENT_BYTES_MAX:
        raise InvalidSql("statement is too large", sqlstate="54001", span=Span(0, 1), hint="Load large data with COPY.")
    stream = tokens(text)
    first = next(stream)
    if first.key in QUERY_WORDS:
        return classify_query(text)
    reader = Reader(text, chain((first,), stream))
    if first.kind is TokenKind.END:
        reader.fail()
    _refuse(reader)
    for words, parser in PARSERS.get(first.key, ()):
        if reader.take_words(*words):
            return parser(reader)
    reader.fail(_first_unknown(reader))


def _refuse(reader: Reader) -> None:
    for words, detail in REFUSED.get(reader.token.key, ()):
        if reader.at_words(*words):
            span = Span(reader.token.start, reader.peek(len(words) - 1).end)
            raise NotSupported(f"{' '.join(words)} is not supported", span=span, detail=detail)


def _first_unknown(reader: Reader) -> Token | None:
    """Return the token to blame: after CREATE, ALTER and REPLACE it is the first word that no parser continues with."""
    known = PARSERS.get(reader.token.key, ())
    matched = max((next((i for i, w in enumerate(words) if reader.peek(i).key != w), len(words)) for words, _ in known), default=0)
    return reader.peek(matched)


def _create_temporary_table(reader: Reader) -> Statement:
    return parse_tables.create_table(reader, is_temporary=True)


# By first word, then the words that must follow it; the first match wins, so longer sequences stand first.
PARSERS: Final[dict[str, tuple[tuple[tuple[str, ...], _Parser], ...]]] = {
    "CREATE": (
        (("CREATE", "TABLE"), lambda reader: parse_tables.create_table(reader, is_temporary=False)),
        (("CREATE", "TEMP", "TABLE"), _create_temporary_table),
        (("CREATE", "TEMPORARY", "TABLE"), _create_temporary_table),
        (("CREATE", "LOCAL", "TEMP", "TABLE"), _create_temporary_table),
        (("CREATE", "LOCAL", "TEMPORARY", "TABLE"), _create_temporary_table),
        (("CREATE", "VIEW"), lambda reader: parse_views.create_view(reader, is_replace=False)),
        (("CREATE", "OR", "REPLACE", "VIEW"), lambda reader: parse_views.create_view(reader, is_replace=True)),
        (("CREATE", "MATERIALIZED", "VIEW"), parse_views.create_materialized_view),
        (("CREATE", "EXTERNAL", "SCHEMA"), parse_views.create_external_schema),
        (("CREATE", "SCHEMA"), parse_views.create_schema),
        (("CREATE", "PROCEDURE"), lambda reader: parse_programs.create_procedure(reader, is_replace=False)),
        (("CREATE", "OR", "REPLACE", "PROCEDURE"), lambda reader: parse_programs.create_procedure(reader, is_replace=True)),
        (("CREATE", "FUNCTION"), lambda reader: parse_programs.create_function(reader, is_replace=False)),
        (("CREATE", "OR", "REPLACE", "FUNCTION"), lambda reader: parse_programs.create_function(reader, is_replace=True)),
        (("CREATE", "USER"), lambda reader: parse_access.user(reader, Verb.CREATE)),
        (("CREATE", "GROUP"), lambda reader: parse_access.group(reader, Verb.CREATE)),
        (("CREATE", "ROLE"), lambda reader: parse_access.role(reader, Verb.CREATE)),
    ),
    "ALTER": (
        (("ALTER", "TABLE"), parse_tables.alter_table),
        (("ALTER", "MATERIALIZED", "VIEW"), parse_views.alter_materialized_view),
        (("ALTER", "EXTERNAL", "SCHEMA"), parse_views.alter_external_schema),
        (("ALTER", "SCHEMA"), parse_views.alter_schema),
        (("ALTER", "PROCEDURE"), parse_programs.alter_procedure),
        (("ALTER", "DEFAULT", "PRIVILEGES"), parse_access.default_privileges),
        (("ALTER", "USER"), lambda reader: parse_access.user(reader, Verb.ALTER)),
        (("ALTER", "GROUP"), lambda reader: parse_access.group(reader, Verb.ALTER)),
        (("ALTER", "ROLE"), lambda reader: parse_access.role(reader, Verb.ALTER)),
    ),
    "DROP": ((("DROP",), parse_commands.drop),),
    "REFRESH": ((("REFRESH",), parse_views.refresh),),
    "CALL": ((("CALL",), parse_programs.call),),
    "SET": ((("SET",), parse_settings.set_command),),
    "RESET": ((("RESET",), parse_settings.reset),),
    "SHOW": ((("SHOW",), parse_settings.show),),
    "BEGIN": ((("BEGIN",), parse_settings.begin),),
    "START": ((("START",), parse_settings.start_transaction),),
    "COMMIT": ((("COMMIT",), parse_settings.commit),),
    "END": ((("END",), parse_settings.commit),),
    "ROLLBACK": ((("ROLLBACK",), parse_settings.rollback),),
    "ABORT": ((("ABORT",), parse_settings.rollback),),
    "TRUNCATE": ((("TRUNCATE",), parse_commands.truncate),),
    "COPY": ((("COPY",), parse_transfer.copy),),
    "UNLOAD": ((("UNLOAD",), parse_transfer.unload),),
    "COMMENT": ((("COMMENT",), parse_commands.comment),),
    "GRANT": ((("GRANT",), parse_access.grant),),
    "REVOKE": ((("REVOKE",), parse_access.revoke),),
    "DECLARE": ((("DECLARE",), parse_commands.declare),),
    "FETCH": ((("FETCH",), parse_commands.fetch),),
    "CLOSE": ((("CLOSE",), parse_commands.close),),
    "PREPARE": ((("PREPARE",), parse_commands.prepare),),
    "EXECUTE": ((("EXECUTE",), parse_commands.execute),),
    "DEALLOCATE": ((("DEALLOCATE",), parse_commands.deallocate),),
    "EXPLAIN": ((("EXPLAIN",), parse_commands.explain),),
    "LOCK": ((("LOCK",), parse_commands.lock),),
    "VACUUM": ((("VACUUM",), parse_commands.vacuum),),
    "ANALYZE": ((("ANALYZE",), parse_commands.analyze),),
    "ANALYSE": ((("ANALYSE",), parse_commands.analyze),),
    "CANCEL": ((("CANCEL",), parse_commands.cancel),),
    "DISCARD": ((("DISCARD",), parse_commands.discard),),
}
