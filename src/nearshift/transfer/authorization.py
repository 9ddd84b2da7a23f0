"""Whose rights COPY and UNLOAD use: IAM_ROLE, CREDENTIALS, or keys by name ("Authorization parameters")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nearshift.errors import InvalidSql, NotSupported
from nearshift.sql.statements import Option
from nearshift.streams.roles import parse_roles
from nearshift.transfer.s3 import S3Access

NAMES: Final = frozenset({"IAM_ROLE", "CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "TOKEN", "REGION"})
_CLIENT_KEYS: Final = ("MASTER_SYMMETRIC_KEY",)


def access_of(options: Mapping[str, Option]) -> S3Access:
    """Return the rights that the options name; without any, the machine's own as with IAM_ROLE default.

    Raises InvalidSql for a clause that is no role and no keys, NotSupported for encryption in the client.
    """
    for name in _CLIENT_KEYS:
        if name in options:
            raise NotSupported(f"{name} is not supported", span=options[name].span, hint="Use encryption on the server's side.")
    region = _text(options, "REGION")
    role = options.get("IAM_ROLE")
    if role is not None:
        return S3Access(region, parse_roles(role.value or "default"))
    credentials = options.get("CREDENTIALS")
    if credentials is not None:
        return _from_credentials(credentials, region)
    key, secret = _text(options, "ACCESS_KEY_ID"), _text(options, "SECRET_ACCESS_KEY")
    if (key is None) != (secret is None):
        given = options["ACCESS_KEY_ID" if key else "SECRET_ACCESS_KEY"]
        raise InvalidSql("ACCESS_KEY_ID and SECRET_ACCESS_KEY belong together", span=given.span)
    if key is not None and secret is not None:
        return S3Access(region, keys=(key, secret, _text(options, "SESSION_TOKEN") or _text(options, "TOKEN")))
    return S3Access(region)


def _from_credentials(option: Option, region: str | None) -> S3Access:
    parts = dict(part.split("=", 1) for part in (option.value or "").split(";") if "=" in part)
    if "master_symmetric_key" in parts:
        raise NotSupported("master_symmetric_key is not supported", span=option.span, hint="Use encryption on the server's side.")
    if "aws_iam_role" in parts:
        return S3Access(region, parse_roles(parts["aws_iam_role"]))
    if "aws_access_key_id" in parts and "aws_secret_access_key" in parts:
        return S3Access(region, keys=(parts["aws_access_key_id"], parts["aws_secret_access_key"], parts.get("token")))
    hint = "Write 'aws_iam_role=…' or 'aws_access_key_id=…;aws_secret_access_key=…', or use IAM_ROLE."
    raise InvalidSql(
        "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...'", sqlstate="22023", span=option.span, hint=hint
    )


def _text(options: Mapping[str, Option], name: str) -> str | None:
    option = options.get(name)
    return option.value if option is not None else None
