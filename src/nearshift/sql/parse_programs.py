"""CREATE, ALTER and DROP of procedures and functions, and CALL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql, NotSupported, Span, UndefinedObject
from nearshift.sql.lexer import TokenKind, string_value
from nearshift.sql.parse_reader import Reader
from nearshift.sql.parse_settings import setting
from nearshift.sql.parse_tables import is_cascade
from nearshift.sql.statements import (
    AlterProcedure,
    Argument,
    ArgumentMode,
    Call,
    CreateFunction,
    CreateProcedure,
    DropRoutine,
    Fragment,
    ObjectKind,
    OwnerTo,
    RenameTo,
    Setting,
    Volatility,
)


@dataclass(slots=True)
class _Clauses:
    """What stands after the arguments, in any order."""

    body: str | None = None
    body_start: int = 0
    language: str | None = None
    is_nonatomic: bool = False
    is_definer: bool = False
    volatility: Volatility | None = None
    settings: list[Setting] = field(default_factory=list)


def create_procedure(reader: Reader, *, is_replace: bool) -> CreateProcedure:
    """Read what follows CREATE [OR REPLACE] PROCEDURE ("CREATE PROCEDURE"); the clauses may stand on either side of AS.

    Raises InvalidSql (54023, 54001) for too many arguments or too long a body, 42P13 for clauses that exclude each other.
    """
    start = reader.token
    name = reader.qualified()
    arguments = _arguments(reader)
    for modes in ((ArgumentMode.IN, ArgumentMode.INOUT), (ArgumentMode.OUT,)):
        if sum(argument.mode in modes for argument in arguments) > limits.PROCEDURE_ARGUMENTS_MAX:
            message = f"procedures cannot have more than {limits.PROCEDURE_ARGUMENTS_MAX} arguments of one direction"
            raise InvalidSql(message, sqlstate="54023", span=start.span)
    if reader.at("RETURNS"):
        reader.fail(hint="Procedures return values through OUT and INOUT arguments.")
    clauses = _clauses(reader)
    body = _checked_body(reader, clauses, start.span)
    if clauses.language != "plpgsql":
        _require_language(clauses.language, start.span)
        raise NotSupported(f'language "{clauses.language}" is not supported for procedures', span=start.span, hint="Use LANGUAGE plpgsql.")
    if clauses.volatility is not None:
        raise InvalidSql("procedures take no volatility", sqlstate="42P13", span=start.span, hint=f"Remove {clauses.volatility.value}.")
    if clauses.is_nonatomic and (clauses.is_definer or clauses.settings):
        other = "SECURITY DEFINER" if clauses.is_definer else "SET"
        message = f"NONATOMIC and {other} exclude each other"
        raise InvalidSql(message, sqlstate="42P13", span=start.span, hint=f"Remove NONATOMIC or {other}.")
    return CreateProcedure(
        name, arguments, body, clauses.body_start, is_replace, clauses.is_nonatomic, clauses.is_definer, tuple(clauses.settings)
    )


def create_function(reader: Reader, *, is_replace: bool) -> CreateFunction:
    """Read what follows CREATE [OR REPLACE] FUNCTION ("CREATE FUNCTION"). Raises NotSupported for Python functions."""
    start = reader.token
    name = reader.qualified()
    arguments = _arguments(reader)
    if any(argument.mode is not ArgumentMode.IN for argument in arguments):
        raise InvalidSql("functions take input arguments only", sqlstate="42P13", span=start.span, hint="Use a procedure.")
    reader.expect("RETURNS")
    returns = reader.type_name()
    clauses = _clauses(reader)
    body = _checked_body(reader, clauses, start.span)
    if clauses.language != "sql":
        _require_language(clauses.language, start.span)
        detail = "Redshift ended Python functions on 30 June 2026; Lambda functions need AWS." if clauses.language == "plpythonu" else None
        message = f'language "{clauses.language}" is not supported for functions'
        raise NotSupported(message, span=start.span, detail=detail, hint="Write the function in LANGUAGE sql.")
    if clauses.is_nonatomic or clauses.is_definer or clauses.settings:
        raise InvalidSql("functions take no NONATOMIC, SECURITY DEFINER or SET", sqlstate="42P13", span=start.span)
    volatility = clauses.volatility or Volatility.VOLATILE
    return CreateFunction(name, arguments, returns, volatility, body, clauses.body_start, is_replace)


_LANGUAGES: Final = frozenset({"sql", "plpgsql", "plpythonu"})


def _require_language(name: str | None, span: Span) -> None:
    """Raise UndefinedObject (42704) for a language that Redshift does not know either."""
    if name not in _LANGUAGES:
        raise UndefinedObject(f'language "{name}" does not exist', sqlstate="42704", span=span, hint="Use LANGUAGE sql or plpgsql.")


def _arguments(reader: Reader) -> tuple[Argument, ...]:
    reader.expect("(")
    if reader.take(")"):
        return ()
    found = reader.comma_list(lambda: _argument(reader))
    reader.expect(")")
    return found


def _argument(reader: Reader) -> Argument:
    mode = _mode(reader)
    name = None
    if reader.starts_named_type():
        name = reader.any_name()
        mode = mode or _mode(reader)
    return Argument(name, mode or ArgumentMode.IN, reader.type_name())


def _mode(reader: Reader) -> ArgumentMode | None:
    if reader.take_words("IN", "OUT"):
        return ArgumentMode.INOUT
    word = reader.take("IN", "OUT", "INOUT")
    return ArgumentMode(word.key) if word else None


_ONCE: Final = ("NONATOMIC", "AS", "LANGUAGE", "SECURITY", "VOLATILE", "STABLE", "IMMUTABLE")


def _clauses(reader: Reader) -> _Clauses:
    clauses, seen = _Clauses(), set[str]()
    while reader.token.kind is not TokenKind.END:
        word = reader.expect(*_ONCE, "SET")
        label = "volatility" if word.key in Volatility.__members__ else word.key
        if label in seen and label != "SET":
            reader.fail(word, hint=f"Give {label} once.")
        seen.add(label)
        match word.key:
            case "NONATOMIC":
                clauses.is_nonatomic = True
            case "AS":
                _body(reader, clauses)
            case "LANGUAGE":
                clauses.language = (reader.string() if reader.at_string() else reader.any_name().text).lower()
            case "SECURITY":
                clauses.is_definer = reader.expect("INVOKER", "DEFINER").key == "DEFINER"
            case "SET":
                clauses.settings.append(setting(reader))
            case volatility:
                clauses.volatility = Volatility(volatility)
    return clauses


def _body(reader: Reader, clauses: _Clauses) -> None:
    token = reader.token
    if not reader.at_string():
        reader.fail(hint="Write the body between $$ and $$.")
    mark = "$" if token.kind is TokenKind.DOLLAR else "'"
    opening = token.text.index(mark, token.text.index(mark) + 1 if mark == "$" else 0) + 1
    clauses.body, clauses.body_start = string_value(reader.advance()), token.start + opening


def _checked_body(reader: Reader, clauses: _Clauses, span: Span) -> str:
    if clauses.body is None:
        reader.fail(hint="Add AS $$ … $$.")
    if clauses.language is None:
        raise InvalidSql("no language specified", sqlstate="42P13", span=span, hint="Add LANGUAGE plpgsql or LANGUAGE sql.")
    if len(clauses.body.encode("utf-8", "surrogatepass")) > limits.PROCEDURE_SOURCE_BYTES_MAX:
        message = f"source of the routine is too large: the maximum is {limits.PROCEDURE_SOURCE_BYTES_MAX // limits.MIB} MB"
        raise InvalidSql(message, sqlstate="54001", span=span, hint="Split it into several procedures.")
    return clauses.body


def drop_routine(reader: Reader, kind: ObjectKind) -> DropRoutine:
    """Read what follows DROP PROCEDURE or DROP FUNCTION."""
    if_exists = reader.take_words("IF", "EXISTS")
    routines = reader.comma_list(reader.signature)
    found = DropRoutine(kind, routines, if_exists, is_cascade(reader))
    reader.finish()
    return found


def alter_procedure(reader: Reader) -> AlterProcedure:
    """Read what follows ALTER PROCEDURE ("ALTER PROCEDURE")."""
    routine = reader.signature()
    action: RenameTo | OwnerTo
    if reader.take_words("RENAME", "TO"):
        action = RenameTo(reader.name())
    else:
        reader.expect_words("OWNER", "TO")
        action = OwnerTo(reader.name())
    reader.finish()
    return AlterProcedure(routine, action)


def call(reader: Reader) -> Call:
    """Read what follows CALL ("CALL"): expressions without subqueries, kept as text."""
    name = reader.qualified()
    arguments: tuple[Fragment, ...] = ()
    reader.expect("(")
    if not reader.at(")"):
        arguments = reader.comma_list(lambda: reader.fragment_until((",", ")")))
    reader.expect(")")
    reader.finish()
    return Call(name, arguments)
