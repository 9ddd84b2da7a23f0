"""Transactions, settings and SHOW."""

from __future__ import annotations

from typing import Final

from nearshift.errors import NotSupported, Span
from nearshift.sql.lexer import TokenKind, string_value
from nearshift.sql.parse_reader import Reader
from nearshift.sql.statements import (
    Begin,
    Commit,
    Grantee,
    GranteeKind,
    Name,
    ObjectKind,
    Reset,
    Rollback,
    SetParameter,
    SetScope,
    SetSessionUser,
    Setting,
    SetTransaction,
    Show,
    ShowDefinition,
    ShowObjects,
    Signature,
)

_LEVELS: Final = (("SERIALIZABLE",), ("SNAPSHOT",), ("READ", "COMMITTED"), ("READ", "UNCOMMITTED"), ("REPEATABLE", "READ"))


def begin(reader: Reader) -> Begin:
    """Read what follows BEGIN ("BEGIN")."""
    reader.take("WORK", "TRANSACTION")
    return _begin_modes(reader)


def start_transaction(reader: Reader) -> Begin:
    """Read what follows START."""
    reader.expect("TRANSACTION")
    return _begin_modes(reader)


def _begin_modes(reader: Reader) -> Begin:
    level, is_read_only = _transaction_modes(reader)
    return Begin(level, is_read_only)


def _transaction_modes(reader: Reader) -> tuple[str | None, bool]:
    level: str | None = None
    is_read_only = False
    while not reader.is_at_end():
        if reader.take_words("ISOLATION", "LEVEL"):
            words = next((words for words in _LEVELS if reader.take_words(*words)), None) or reader.fail()
            level = " ".join(words)
        elif reader.take_words("READ", "ONLY"):
            is_read_only = True
        elif reader.take_words("READ", "WRITE"):
            is_read_only = False
        else:
            reader.fail()
        if reader.take(",") and reader.is_at_end():
            reader.fail()
    return level, is_read_only


def commit(reader: Reader) -> Commit:
    """Read what follows COMMIT or END."""
    reader.take("WORK", "TRANSACTION")
    reader.finish()
    return Commit()


def rollback(reader: Reader) -> Rollback:
    """Read what follows ROLLBACK or ABORT; Redshift has no savepoints ("Unsupported PostgreSQL features")."""
    reader.take("WORK", "TRANSACTION")
    if reader.at("TO"):
        raise NotSupported("savepoints are not supported", span=reader.token.span, hint="Use ROLLBACK, which ends the transaction.")
    reader.finish()
    return Rollback()


def set_command(reader: Reader) -> SetParameter | SetSessionUser | SetTransaction:
    """Read what follows SET ("SET", "SET SESSION AUTHORIZATION")."""
    scope = SetScope.SESSION
    if reader.at_words("SESSION", "CHARACTERISTICS"):
        reader.expect_words("SESSION", "CHARACTERISTICS", "AS", "TRANSACTION")
        return SetTransaction(*_transaction_modes(reader))
    if reader.at("LOCAL", "SESSION") and reader.peek().key not in ("TO", "=", "AUTHORIZATION"):
        scope = SetScope(reader.advance().key)
    if reader.take("TRANSACTION"):
        return SetTransaction(*_transaction_modes(reader))
    if reader.take_words("SESSION", "AUTHORIZATION"):
        user = None if reader.take("DEFAULT") else _word_or_string(reader)
        reader.finish()
        return SetSessionUser(user)
    found = SetParameter(setting(reader), scope)
    reader.finish()
    return found


def setting(reader: Reader) -> Setting:
    """Read `name {TO|=} value [, …]`, TIME ZONE value, SEED TO value or NAMES value; DEFAULT gives no values."""
    if reader.take_words("TIME", "ZONE"):
        return Setting("timezone", () if reader.take("DEFAULT", "LOCAL") else (_value(reader),))
    if reader.take("NAMES"):
        return Setting("client_encoding", () if reader.take("DEFAULT") else (_value(reader),))
    name = parameter_name(reader)
    reader.expect("TO", "=")
    if reader.take("DEFAULT"):
        return Setting(name, ())
    return Setting(name, reader.comma_list(lambda: _value(reader)))


def parameter_name(reader: Reader) -> str:
    """Read a parameter's name, with a dot for session context variables; names of parameters are never case sensitive."""
    name = reader.any_name().text
    if reader.take("."):
        name += "." + reader.any_name().text
    return name.lower()


def _value(reader: Reader) -> Name:
    token = reader.token
    if token.kind is TokenKind.NUMBER or token.key in ("-", "+"):
        reader.take("-", "+")
        number = reader.token
        if number.kind is not TokenKind.NUMBER:
            reader.fail()
        reader.advance()
        text = ("-" if token.key == "-" else "") + number.text
        return Name(text, is_quoted=False, span=Span(token.start, number.end))
    return _word_or_string(reader)


def _word_or_string(reader: Reader) -> Name:
    token = reader.token
    if reader.at_string():
        reader.advance()
        return Name(string_value(token), is_quoted=True, span=token.span)
    return reader.any_name()


def reset(reader: Reader) -> Reset | SetSessionUser:
    """Read what follows RESET ("RESET")."""
    if reader.take("ALL"):
        reader.finish()
        return Reset(None)
    if reader.take_words("SESSION", "AUTHORIZATION"):
        reader.finish()
        return SetSessionUser(None)
    name = "timezone" if reader.take_words("TIME", "ZONE") else parameter_name(reader)
    reader.finish()
    return Reset(name)


_SPELLED_OUT: Final = {
    ("TIME", "ZONE"): "timezone",
    ("TRANSACTION", "ISOLATION", "LEVEL"): "transaction_isolation",
    ("SESSION", "AUTHORIZATION"): "session_authorization",
}
_DEFINED: Final = {"TABLE": ObjectKind.TABLE, "VIEW": ObjectKind.VIEW, "PROCEDURE": ObjectKind.PROCEDURE}
# What each list is asked of: SHOW TABLES FROM SCHEMA, SHOW COLUMNS FROM TABLE, …
_PARENTS: Final = {
    "SCHEMAS": ObjectKind.DATABASE,
    "TABLES": ObjectKind.SCHEMA,
    "COLUMNS": ObjectKind.TABLE,
    "PROCEDURES": ObjectKind.SCHEMA,
    "FUNCTIONS": ObjectKind.SCHEMA,
}
_GRANT_KINDS: Final = ("DATABASE", "SCHEMA", "TABLE", "FUNCTION", "PROCEDURE")


def show(reader: Reader) -> Show | ShowObjects | ShowDefinition:
    """Read what follows SHOW: a parameter, a list of objects ("SHOW TABLES", …) or the text of one object ("SHOW TABLE", …)."""
    found = _show(reader)
    reader.finish()
    return found


def _show(reader: Reader) -> Show | ShowObjects | ShowDefinition:
    for words, name in _SPELLED_OUT.items():
        if reader.take_words(*words):
            return Show(name)
    key, following = reader.token.key, reader.peek()
    is_alone = following.kind is TokenKind.END
    if key == "ALL" and is_alone:
        reader.advance()
        return Show(None)
    if key in _DEFINED and not is_alone:
        reader.advance()
        shown = reader.signature() if key == "PROCEDURE" else Signature(reader.qualified(), None)
        return ShowDefinition(_DEFINED[key], shown)
    if key == "DATABASES":
        reader.advance()
        if reader.at("FROM"):
            raise NotSupported("SHOW DATABASES FROM is not supported", span=reader.token.span, hint="Leave FROM out.")
        return _show_objects(reader, key, None)
    if key in _PARENTS:
        reader.advance()
        return _show_objects(reader, key, _PARENTS[key])
    if key == "CONSTRAINTS":
        return _show_constraints(reader)
    if key == "PARAMETERS":
        reader.expect_words("PARAMETERS", "OF")
        kind = ObjectKind(reader.expect("PROCEDURE", "FUNCTION").key)
        routine = reader.signature()
        pattern = reader.string() if reader.take("LIKE") else None
        return ShowObjects("PARAMETERS", kind, routine=routine, pattern=pattern)
    if key == "GRANTS":
        return _show_grants(reader)
    if key in ("DATASHARES", "MODEL", "POLICIES", "EXTERNAL", "TEMPLATE", "TEMPLATES") and not (key == "MODEL" and is_alone):
        raise NotSupported(f"SHOW {key} is not supported", span=reader.token.span)
    return Show(parameter_name(reader))


def _show_objects(reader: Reader, what: str, kind: ObjectKind | None) -> ShowObjects:
    parent = None
    if kind is not None:
        reader.expect("FROM", "IN")
        reader.take(kind.value)
        parent = reader.qualified()
    pattern = reader.string() if reader.take("LIKE") else None
    limit = reader.integer() if reader.take("LIMIT") else None
    return ShowObjects(what, kind, parent, pattern=pattern, limit=limit)


def _show_constraints(reader: Reader) -> ShowObjects:
    reader.expect("CONSTRAINTS")
    word = reader.expect("PRIMARY", "FOREIGN")
    reader.expect("KEY", "KEYS")
    is_exported = word.key == "FOREIGN" and reader.take("EXPORTED") is not None
    return _show_objects(reader, "EXPORTED KEYS" if is_exported else f"{word.key} KEYS", ObjectKind.TABLE)


def _show_grants(reader: Reader) -> ShowObjects:
    reader.expect("GRANTS")
    kind = parent = routine = grantee = None
    if reader.take("ON"):
        word = reader.take(*_GRANT_KINDS)
        kind = ObjectKind(word.key) if word else ObjectKind.TABLE
        if kind in (ObjectKind.FUNCTION, ObjectKind.PROCEDURE):
            routine = reader.signature()
        else:
            parent = reader.qualified()
    elif not reader.at("FOR"):
        reader.fail()
    if reader.take("FOR"):
        grantee = read_grantee(reader)
    limit = reader.integer() if reader.take("LIMIT") else None
    return ShowObjects("GRANTS", kind, parent, grantee, routine, limit=limit)


def read_grantee(reader: Reader) -> Grantee:
    """Read a user, GROUP name, ROLE name or PUBLIC."""
    if reader.take("PUBLIC"):
        return Grantee(GranteeKind.PUBLIC)
    if reader.at("ACCOUNT", "NAMESPACE") and reader.peek().kind is TokenKind.STRING:
        detail = "Datashares join Redshift warehouses; there is only one warehouse here."
        raise NotSupported(f"{reader.token.key} as a grantee is not supported", span=reader.token.span, detail=detail)
    word = reader.take("GROUP", "ROLE") if reader.peek().kind in (TokenKind.WORD, TokenKind.QUOTED) else None
    if word is None:
        return Grantee(GranteeKind.USER, reader.name())
    name = reader.name()
    if reader.take(":"):  # a role of the system: sys:operator
        rest = reader.any_name()
        name = Name(f"{name.text}:{rest.text}", is_quoted=False, span=Span(name.span.start, rest.span.end))
    return Grantee(GranteeKind(word.key), name)
