"""Users, groups, roles and their privileges."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from nearshift.errors import NotSupported, Span
from nearshift.sql.lexer import TokenKind
from nearshift.sql.parse_reader import Reader
from nearshift.sql.parse_settings import parameter_name, read_grantee, setting
from nearshift.sql.statements import (
    DefaultPrivileges,
    Grant,
    Grantee,
    GrantRole,
    GroupChange,
    Name,
    ObjectKind,
    Option,
    OwnerTo,
    Privilege,
    QualifiedName,
    RenameTo,
    RoleChange,
    Setting,
    Signature,
    UserChange,
    Verb,
)

_PRIVILEGES: Final = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "DROP", "REFERENCES", "ALTER", "TRUNCATE", "RULE", "TRIGGER", "USAGE", "CREATE", "TEMP",
    "TEMPORARY", "EXECUTE", "ALL",
)  # fmt: skip
_PLURALS: Final = {
    "TABLES": ObjectKind.TABLE,
    "FUNCTIONS": ObjectKind.FUNCTION,
    "PROCEDURES": ObjectKind.PROCEDURE,
    "SCHEMAS": ObjectKind.SCHEMA,
}
# "System permissions for RBAC", longer ones before their beginnings.
SYSTEM_PERMISSIONS: Final = tuple(
    tuple(words.split())
    for words in (
        "CREATE USER", "DROP USER", "ALTER USER", "CREATE ROLE", "DROP ROLE", "CREATE SCHEMA", "DROP SCHEMA", "ALTER DEFAULT PRIVILEGES",
        "ACCESS CATALOG", "ACCESS SYSTEM TABLE", "CREATE TABLE", "DROP TABLE", "ALTER TABLE", "CREATE OR REPLACE FUNCTION",
        "CREATE OR REPLACE EXTERNAL FUNCTION", "DROP FUNCTION", "CREATE OR REPLACE PROCEDURE", "DROP PROCEDURE", "CREATE VIEW",
        "DROP VIEW", "CREATE MODEL", "DROP MODEL", "CREATE DATASHARE", "ALTER DATASHARE", "DROP DATASHARE", "CREATE LIBRARY",
        "DROP LIBRARY", "TRUNCATE TABLE", "ANALYZE", "VACUUM", "CANCEL", "EXPLAIN RLS", "IGNORE RLS", "EXPLAIN MASKING",
    )
)  # fmt: skip
_ROUTINES: Final = (ObjectKind.FUNCTION, ObjectKind.PROCEDURE)


def grant(reader: Reader) -> Grant | GrantRole:
    """Read what follows GRANT ("GRANT"). Raises NotSupported for datashares, models, ASSUMEROLE and scoped permissions."""
    found = _grant(reader, is_revoke=False)
    reader.finish()
    return found


def revoke(reader: Reader) -> Grant | GrantRole:
    """Read what follows REVOKE ("REVOKE")."""
    found = _grant(reader, is_revoke=True)
    word = reader.take("CASCADE", "RESTRICT")
    reader.finish()
    is_cascade = word is not None and word.key == "CASCADE"
    return replace(found, is_cascade=True) if is_cascade and isinstance(found, Grant) else found


def _grant(reader: Reader, *, is_revoke: bool) -> Grant | GrantRole:
    has_option = is_revoke and reader.take_words("GRANT", "OPTION", "FOR")
    has_admin = is_revoke and reader.take_words("ADMIN", "OPTION", "FOR")
    if reader.at("ROLE") and not has_option:
        return _grant_role(reader, is_revoke=is_revoke, has_admin=has_admin)
    permissions = _permissions(reader)
    if permissions:
        grantees, has_with = _grantees(reader, is_revoke=is_revoke)
        return Grant(is_revoke, permissions, ObjectKind.ROLE, (), grantees, has_grant_option=has_option or has_with, is_system=True)
    privileges = _privileges(reader)
    reader.expect("ON")
    kind, objects, routines, is_all = _objects(reader)
    grantees, has_with = _grantees(reader, is_revoke=is_revoke)
    return Grant(is_revoke, privileges, kind, objects, grantees, routines, is_all, has_option or has_with)


def _permissions(reader: Reader) -> tuple[Privilege, ...]:
    """Read permissions to run commands ("System permissions for RBAC"); empty when privileges on objects follow instead."""
    every = (("ALL", "TO"), ("ALL", "FROM"), ("ALL", "PRIVILEGES", "TO"), ("ALL", "PRIVILEGES", "FROM"))
    if any(reader.at_words(*words) for words in every):
        reader.advance()
        reader.take("PRIVILEGES")
        return tuple(Privilege(" ".join(words)) for words in SYSTEM_PERMISSIONS)
    found: list[Privilege] = []
    while (words := next((words for words in SYSTEM_PERMISSIONS if reader.at_words(*words)), None)) is not None:
        reader.take_words(*words)
        found.append(Privilege(" ".join(words)))
        if not reader.take(","):
            break
    return tuple(found)


def _grant_role(reader: Reader, *, is_revoke: bool, has_admin: bool) -> GrantRole:
    reader.expect("ROLE")

    def role() -> Name:
        reader.take("ROLE")
        return _role_name(reader)

    roles = reader.comma_list(role)
    reader.expect("FROM" if is_revoke else "TO")
    grantees = reader.comma_list(lambda: read_grantee(reader))
    if not is_revoke and reader.take_words("WITH", "ADMIN", "OPTION"):
        has_admin = True
    return GrantRole(is_revoke, roles, grantees, has_admin)


def _role_name(reader: Reader) -> Name:
    """Read a role's name; those of the system have a colon (`sys:operator`)."""
    first = reader.name()
    if not reader.take(":"):
        return first
    second = reader.any_name()
    return Name(f"{first.text}:{second.text}", is_quoted=False, span=Span(first.span.start, second.span.end))


def _privileges(reader: Reader) -> tuple[Privilege, ...]:
    if reader.take("ALL"):
        reader.take("PRIVILEGES")
        _refuse_scoped(reader)
        return (Privilege("ALL", reader.parenthesised(reader.name) if reader.at("(") else ()),)

    def privilege() -> Privilege:
        token = reader.token
        if token.key not in _PRIVILEGES:
            raise NotSupported(f'privilege "{token.text}" is not supported', span=token.span)
        reader.advance()
        name = "TEMP" if token.key == "TEMPORARY" else token.key
        columns = reader.parenthesised(reader.name) if reader.at("(") else ()
        if reader.token.kind is TokenKind.WORD and not reader.at("ON", "FOR", "TO"):
            raise NotSupported(f"system permission {name} {reader.token.key} is not supported", span=token.span)
        return Privilege(name, columns)

    found = reader.comma_list(privilege)
    _refuse_scoped(reader)
    return found


def _refuse_scoped(reader: Reader) -> None:
    if reader.at("FOR"):
        hint = "Use ON ALL TABLES IN SCHEMA and ALTER DEFAULT PRIVILEGES."
        raise NotSupported("scoped permissions are not supported", span=reader.token.span, hint=hint)


def _objects(reader: Reader) -> tuple[ObjectKind, tuple[QualifiedName, ...], tuple[Signature, ...], bool]:
    if reader.take("ALL"):
        kind = _PLURALS[reader.expect("TABLES", "FUNCTIONS", "PROCEDURES").key]
        reader.expect_words("IN", "SCHEMA")
        return kind, reader.comma_list(lambda: reader.qualified(2)), (), True
    word = reader.take("TABLE", "SCHEMA", "DATABASE", "LANGUAGE", "FUNCTION", "PROCEDURE")
    is_other_kind = reader.at("DATASHARE", "MODEL", "EXTERNAL", "COPY", "MASKING") and reader.peek().key not in ("TO", "FROM", ",", ".")
    if word is None and is_other_kind:
        raise NotSupported(f"privileges on {reader.token.key} are not supported", span=reader.token.span)
    kind = ObjectKind(word.key) if word else ObjectKind.TABLE
    if kind in _ROUTINES:
        return kind, (), reader.comma_list(reader.signature), False
    return kind, reader.comma_list(reader.qualified), (), False


def _grantees(reader: Reader, *, is_revoke: bool) -> tuple[tuple[Grantee, ...], bool]:
    reader.expect("FROM" if is_revoke else "TO")
    grantees = reader.comma_list(lambda: read_grantee(reader))
    return grantees, not is_revoke and reader.take_words("WITH", "GRANT", "OPTION")


def default_privileges(reader: Reader) -> DefaultPrivileges:
    """Read what follows ALTER DEFAULT PRIVILEGES ("ALTER DEFAULT PRIVILEGES")."""
    users: tuple[Name, ...] = ()
    schemas: tuple[Name, ...] = ()
    if reader.take("FOR"):
        reader.expect("USER", "ROLE")
        users = reader.comma_list(reader.name)
    if reader.take_words("IN", "SCHEMA"):
        schemas = reader.comma_list(reader.name)
    is_revoke = reader.expect("GRANT", "REVOKE").key == "REVOKE"
    has_option = is_revoke and reader.take_words("GRANT", "OPTION", "FOR")
    privileges = _privileges(reader)
    reader.expect("ON")
    kind = _PLURALS[reader.expect(*_PLURALS).key]
    grantees, has_with = _grantees(reader, is_revoke=is_revoke)
    if is_revoke:
        reader.take("CASCADE", "RESTRICT")
    reader.finish()
    return DefaultPrivileges(users, schemas, Grant(is_revoke, privileges, kind, (), grantees, has_grant_option=has_option or has_with))


_ALONE: Final = ("CREATEDB", "NOCREATEDB", "CREATEUSER", "NOCREATEUSER")


def user(reader: Reader, verb: Verb) -> UserChange:
    """Read what follows CREATE USER or ALTER USER ("CREATE USER", "ALTER USER")."""
    name = reader.name()
    if reader.at(":"):
        detail = "Users are kept in the warehouse; there are no identity providers."
        raise NotSupported("users of an identity provider are not supported", span=name.span, detail=detail)
    reader.take("WITH")
    if verb is Verb.ALTER and reader.take_words("RENAME", "TO"):
        rename = RenameTo(reader.name())
        reader.finish()
        return UserChange(verb, name, MappingProxyType({}), rename=rename)
    options: dict[str, Option] = {}
    settings: list[Setting] = []
    while reader.token.kind is not TokenKind.END:
        token = reader.token
        if verb is Verb.ALTER and reader.take("SET"):
            settings.append(setting(reader))
            continue
        if verb is Verb.ALTER and reader.at("RESET") and not reader.at_words("RESET", "SESSION", "TIMEOUT"):
            reader.advance()
            settings.append(Setting(parameter_name(reader), ()))
            continue
        label, value = _user_option(reader)
        if label in options:
            reader.fail(token, hint=f"Give {label} once.")
        options[label] = Option(value, Span(token.start, reader.previous.end))
    if verb is Verb.CREATE and "PASSWORD" not in options:
        reader.fail(hint="Add PASSWORD '…' or PASSWORD DISABLE.")
    return UserChange(verb, name, MappingProxyType(options), tuple(settings))


def _user_option(reader: Reader) -> tuple[str, str | None]:
    if word := reader.take(*_ALONE):
        return word.key, None
    if reader.take("PASSWORD"):
        return "PASSWORD", None if reader.take("DISABLE") else reader.string()
    if reader.take_words("SYSLOG", "ACCESS"):
        return "SYSLOG ACCESS", reader.expect("RESTRICTED", "UNRESTRICTED").key
    if reader.take_words("IN", "GROUP"):
        return "IN GROUP", ",".join(name.text for name in reader.comma_list(reader.name))
    if reader.take_words("VALID", "UNTIL"):
        return "VALID UNTIL", reader.string()
    if reader.take_words("CONNECTION", "LIMIT"):
        return "CONNECTION LIMIT", "UNLIMITED" if reader.take("UNLIMITED") else str(reader.integer())
    if reader.take_words("SESSION", "TIMEOUT"):
        return "SESSION TIMEOUT", str(reader.integer())
    if reader.take_words("RESET", "SESSION", "TIMEOUT"):
        return "SESSION TIMEOUT", None
    reader.expect("EXTERNALID")
    return "EXTERNALID", reader.string() if reader.at_string() else reader.any_name().text


def group(reader: Reader, verb: Verb) -> GroupChange:
    """Read what follows CREATE GROUP or ALTER GROUP."""
    name = reader.name()
    added: tuple[Name, ...] = ()
    dropped: tuple[Name, ...] = ()
    rename = None
    if verb is Verb.CREATE:
        reader.take("WITH")
        if reader.take("USER"):
            added = reader.comma_list(reader.name)
    elif reader.take_words("ADD", "USER"):
        added = reader.comma_list(reader.name)
    elif reader.take_words("DROP", "USER"):
        dropped = reader.comma_list(reader.name)
    else:
        reader.expect_words("RENAME", "TO")
        rename = RenameTo(reader.name())
    reader.finish()
    return GroupChange(verb, name, added, dropped, rename)


def role(reader: Reader, verb: Verb) -> RoleChange:
    """Read what follows CREATE ROLE or ALTER ROLE."""
    name = _role_name(reader)
    action: RenameTo | OwnerTo | None = None
    external_id = None
    reader.take("WITH")
    if verb is Verb.ALTER and reader.take_words("RENAME", "TO"):
        action = RenameTo(reader.name())
    elif verb is Verb.ALTER and reader.take_words("OWNER", "TO"):
        action = OwnerTo(reader.name())
    elif reader.take("EXTERNALID"):
        reader.take("TO")
        external_id = reader.string() if reader.at_string() else reader.any_name().text
    elif verb is Verb.ALTER:
        reader.fail()
    reader.finish()
    return RoleChange(verb, name, action, external_id)
