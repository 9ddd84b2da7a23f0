"""Views, materialized views, schemas and the external schemas that streams live in."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from nearshift import limits
from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.sql.lexer import Token, TokenKind
from nearshift.sql.parse_reader import Reader
from nearshift.sql.parse_tables import alter_storage, is_cascade, read_storage
from nearshift.sql.statements import (
    AlterExternalSchema,
    AlterMaterializedView,
    AlterSchema,
    Authentication,
    CreateExternalSchema,
    CreateMaterializedView,
    CreateSchema,
    CreateView,
    Fragment,
    Name,
    OwnerTo,
    RefreshMaterializedView,
    RenameTo,
    SetAutoRefresh,
    SetQuota,
    StreamAccess,
    StreamProvider,
)


def create_view(reader: Reader, *, is_replace: bool) -> CreateView:
    """Read what follows CREATE [OR REPLACE] VIEW ("CREATE VIEW")."""
    name = reader.qualified()
    names: tuple[Name, ...] = reader.parenthesised(reader.name) if reader.at("(") else ()
    reader.expect("AS")
    query, is_late = _query_before_no_schema_binding(reader)
    return CreateView(name, query, names, is_replace, is_late)


def _query_before_no_schema_binding(reader: Reader) -> tuple[Fragment, bool]:
    first = reader.token
    end = first.start
    while reader.token.kind is not TokenKind.END:
        if reader.take_words("WITH", "NO", "SCHEMA", "BINDING"):
            reader.finish()
            return _fragment(reader, first, end), True
        end = reader.advance().end
    return _fragment(reader, first, end), False


def _fragment(reader: Reader, first: Token, end: int) -> Fragment:
    if end == first.start:
        reader.fail()
    return Fragment(reader.text[first.start : end], Span(first.start, end))


def create_materialized_view(reader: Reader) -> CreateMaterializedView:
    """Read what follows CREATE MATERIALIZED VIEW ("CREATE MATERIALIZED VIEW"): no OR REPLACE, IF NOT EXISTS or column list."""
    if reader.at_words("IF", "NOT", "EXISTS"):
        reader.fail(hint="Redshift has no IF NOT EXISTS for materialized views; use DROP MATERIALIZED VIEW IF EXISTS before.")
    name = reader.qualified()
    if reader.at("("):
        reader.fail(hint="Redshift takes no list of columns here; name the columns with AS in the query.")
    if reader.at("USING"):
        raise NotSupported("materialized views in Iceberg format are not supported", span=reader.token.span)
    storage = read_storage(reader)
    is_auto_refresh = False
    if reader.take_words("AUTO", "REFRESH"):
        is_auto_refresh = reader.expect("YES", "NO").key == "YES"
    reader.expect("AS")
    return CreateMaterializedView(name, reader.rest(), storage, is_auto_refresh)


def refresh(reader: Reader) -> RefreshMaterializedView:
    """Read what follows REFRESH ("REFRESH MATERIALIZED VIEW")."""
    reader.expect_words("MATERIALIZED", "VIEW")
    name = reader.qualified()
    found = RefreshMaterializedView(name, is_cascade(reader))
    reader.finish()
    return found


def alter_materialized_view(reader: Reader) -> AlterMaterializedView:
    """Read what follows ALTER MATERIALIZED VIEW ("ALTER MATERIALIZED VIEW")."""
    name = reader.qualified()
    action: SetAutoRefresh | OwnerTo
    if reader.take_words("AUTO", "REFRESH"):
        action = SetAutoRefresh(reader.expect("YES", "NO").key == "YES")
    elif reader.take_words("OWNER", "TO"):
        action = OwnerTo(reader.name())
    elif reader.at_words("ROW", "LEVEL"):
        raise NotSupported("row-level security is not supported", span=reader.token.span)
    elif reader.at("RENAME"):
        reader.fail(hint="A materialized view cannot be renamed; drop it and create it again.")
    else:
        reader.expect("ALTER")
        storage = alter_storage(reader) or reader.fail()
        reader.finish()
        return AlterMaterializedView(name, storage)
    reader.finish()
    return AlterMaterializedView(name, action)


def create_schema(reader: Reader) -> CreateSchema:
    """Read what follows CREATE SCHEMA ("CREATE SCHEMA"). Objects inside the statement are not supported."""
    if_not_exists = reader.take_words("IF", "NOT", "EXISTS")
    name = None if reader.at("AUTHORIZATION") else reader.name()
    owner = reader.name() if reader.take("AUTHORIZATION") else None
    quota = _quota(reader) if reader.take("QUOTA") else None
    if reader.at("CREATE", "GRANT"):
        raise NotSupported("objects inside CREATE SCHEMA are not supported", span=reader.token.span, hint="Create them after it.")
    reader.finish()
    return CreateSchema(name, owner, quota, if_not_exists)


def _quota(reader: Reader) -> str:
    if reader.take("UNLIMITED"):
        return "UNLIMITED"
    amount = reader.token.text
    if reader.token.kind is not TokenKind.NUMBER:
        reader.fail()
    reader.advance()
    unit = reader.take("MB", "GB", "TB")
    return f"{amount} {unit.key if unit else 'GB'}"


def alter_schema(reader: Reader) -> AlterSchema:
    """Read what follows ALTER SCHEMA ("ALTER SCHEMA")."""
    name = reader.name()
    action: RenameTo | OwnerTo | SetQuota
    if reader.take_words("RENAME", "TO"):
        action = RenameTo(reader.name())
    elif reader.take_words("OWNER", "TO"):
        action = OwnerTo(reader.name())
    else:
        reader.expect("QUOTA")
        action = SetQuota(_quota(reader))
    reader.finish()
    return AlterSchema(name, action)


_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
_REFUSED_SOURCES: Final[dict[str, str]] = {
    "DATA": "Only streams are read here; there are no tables of the AWS Glue data catalog.",
    "HIVE": "Only streams are read here; there are no tables of a Hive metastore.",
    "POSTGRES": "There are no federated queries here.",
    "MYSQL": "There are no federated queries here.",
    "REDSHIFT": "There are no other databases to share from.",
}


def create_external_schema(reader: Reader) -> CreateExternalSchema:
    """Read what follows CREATE EXTERNAL SCHEMA: FROM KINESIS, KAFKA or MSK, clauses in any order ("CREATE EXTERNAL SCHEMA").

    Raises NotSupported for the other sources, InvalidSql for a clause that is missing, given twice or foreign to the source.
    """
    if_not_exists = reader.take_words("IF", "NOT", "EXISTS")
    name = reader.name()
    reader.expect("FROM")
    source = reader.token
    if source.key in _REFUSED_SOURCES:
        message = f"external schemas from {source.key} are not supported"
        hint = "Use FROM KINESIS or FROM KAFKA."
        raise NotSupported(message, span=source.span, detail=_REFUSED_SOURCES[source.key], hint=hint)
    provider = StreamProvider(reader.expect("KINESIS", "KAFKA", "MSK").key)
    access = _stream_access(reader, _CLAUSES[provider])
    reader.finish()
    _check_access(access, provider, source)
    return CreateExternalSchema(name, provider, access, if_not_exists)


def alter_external_schema(reader: Reader) -> AlterExternalSchema:
    """Read what follows ALTER EXTERNAL SCHEMA; at least one clause is needed."""
    name = reader.name()
    access = _stream_access(reader, _CLAUSES[StreamProvider.KAFKA])
    if access == StreamAccess():
        reader.fail()
    reader.finish()
    return AlterExternalSchema(name, access)


_CLAUSES: Final[dict[StreamProvider, tuple[str, ...]]] = {
    StreamProvider.KINESIS: ("REGION", "IAM_ROLE"),
    StreamProvider.KAFKA: ("IAM_ROLE", "URI", "AUTHENTICATION", "AUTHENTICATION_ARN", "SECRET_ARN"),
    StreamProvider.MSK: ("IAM_ROLE", "URI", "AUTHENTICATION", "AUTHENTICATION_ARN", "SECRET_ARN", "CLUSTER_ARN"),
}


def _stream_access(reader: Reader, allowed: tuple[str, ...]) -> StreamAccess:
    access, seen = StreamAccess(), set[str]()
    while reader.token.kind is not TokenKind.END:
        clause = reader.expect(*allowed)
        if clause.key in seen:
            reader.fail(clause, hint=f"Give {clause.key} once.")
        seen.add(clause.key)
        match clause.key:
            case "REGION":
                access = replace(access, region=reader.string())
            case "IAM_ROLE":
                access = replace(access, roles=_roles(reader))
            case "URI":
                access = replace(access, brokers=_brokers(reader))
            case "AUTHENTICATION":
                word = reader.string().lower() if reader.at_string() else reader.expect("NONE", "IAM", "MTLS").text.lower()
                if word not in {kind.value for kind in Authentication}:
                    reader.fail(reader.previous, hint="AUTHENTICATION is none, iam or mtls.")
                access = replace(access, authentication=Authentication(word))
            case "AUTHENTICATION_ARN":
                access = replace(access, authentication_arn=reader.string())
            case "SECRET_ARN":
                access = replace(access, secret_arn=reader.string())
            case _:
                access = replace(access, cluster_arn=reader.string())
    return access


def _roles(reader: Reader) -> tuple[str, ...]:
    token = reader.token
    if reader.take("DEFAULT"):
        return ("default",)
    text = reader.string()
    if text.lower() == "default":
        return ("default",)
    if text.upper() == "SESSION":
        raise NotSupported("IAM_ROLE 'SESSION' is not supported for streams", span=token.span, hint="Name a role, or write default.")
    roles = tuple(text.split(","))
    if len(roles) > limits.ROLE_CHAIN_MAX:
        raise InvalidSql(f"a role chain can have at most {limits.ROLE_CHAIN_MAX} roles", sqlstate="54000", span=token.span)
    for role in roles:
        if not _ARN.fullmatch(role):
            hint = "Write arn:aws:iam::<account>:role/<name>, several separated by commas without spaces."
            raise InvalidSql(f'role "{role}" is not valid', sqlstate="22023", span=token.span, hint=hint)
    return roles


def _brokers(reader: Reader) -> tuple[str, ...]:
    token = reader.token
    brokers = tuple(part.strip() for part in reader.string().split(","))
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        if not host or "/" in host or not port.isdigit():
            message = f'broker "{broker}" is not valid'
            raise InvalidSql(message, sqlstate="22023", span=token.span, hint="Write host:port, several separated by commas.")
    return brokers


def _check_access(access: StreamAccess, provider: StreamProvider, source: Token) -> None:
    missing: str | None = None
    if provider is StreamProvider.KINESIS:
        missing = None if access.roles else "IAM_ROLE"
    elif provider is StreamProvider.KAFKA:
        missing = "URI" if not access.brokers else None if access.authentication else "AUTHENTICATION"
    else:
        missing = None if access.authentication else "AUTHENTICATION"
        if missing is None and access.cluster_arn is None and not access.brokers:
            missing = "CLUSTER_ARN"
    if missing is not None:
        raise InvalidSql(f"external schema from {provider.value} needs {missing}", span=source.span, hint=f"Add {missing}.")
    if access.authentication_arn is not None and access.secret_arn is not None:
        raise InvalidSql("AUTHENTICATION_ARN and SECRET_ARN exclude each other", span=source.span, hint="Give one of them.")
    if access.authentication is Authentication.IAM and not access.roles:
        raise InvalidSql("AUTHENTICATION iam needs IAM_ROLE", span=source.span, hint="Add IAM_ROLE.")
