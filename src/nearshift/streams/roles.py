"""Whose credentials a stream is read with: the words of IAM_ROLE, and a boto3 session that speaks for the last role of a chain.

`IAM_ROLE 'arn1,arn2'` means that the machine's own credentials assume the first role, and each role the next ("Chaining IAM roles in Amazon
Redshift", management guide). Every hop renews itself when its hour nears its end, and only then.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import boto3
import botocore.session
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials

from nearshift import limits
from nearshift.errors import InvalidSql

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_SESSION_NAME = "nearshift"


def parse_roles(text: str, *, default_role: str | None = None) -> tuple[str, ...]:
    """Return the chain of role ARNs that an IAM_ROLE clause names; empty means the machine's own credentials (boto3's default chain).

    `default` names `default_role`, itself such a text, or nothing when that is None. Raises InvalidSql (22023) for anything else that is
    not one to ten role ARNs with commas and no blanks between them.
    """
    if text.strip().lower() == "default":
        return () if default_role is None else parse_roles(default_role)
    roles = re.split(r",(?=arn:)", text)
    for role in roles:
        if _ROLE.fullmatch(role) is None:
            message = f'"{role}" is not the ARN of an IAM role'
            hint = "Write IAM_ROLE default, or 'arn:aws:iam::123456789012:role/name', or several with commas and no blanks between."
            raise InvalidSql(message, sqlstate="22023", hint=hint)
    if len(roles) > limits.ROLE_CHAIN_MAX:
        message = f"a chain of {len(roles)} roles is longer than the {limits.ROLE_CHAIN_MAX} allowed"
        raise InvalidSql(message, sqlstate="22023", hint="Leave out roles in the middle of the chain.")
    return tuple(roles)


def assume_roles(roles: tuple[str, ...], region: str | None, *, sts_endpoint_url: str | None = None) -> boto3.Session:
    """Return a session that acts as the last of `roles`, or as the machine itself when there are none. Calls AWS only when first used.

    `region` None means the region of the machine's own configuration, for STS too.
    """
    session = boto3.Session(region_name=region)
    for role in roles:
        refresh = partial(_assume, session, role, sts_endpoint_url)
        session = _session_with(DeferredRefreshableCredentials(refresh_using=refresh, method="sts-assume-role"), session.region_name)
    return session


def _session_with(credentials: DeferredRefreshableCredentials, region: str | None) -> boto3.Session:
    core = botocore.session.Session()
    core.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
    return boto3.Session(botocore_session=core, region_name=region)


class _Given(CredentialProvider):
    METHOD = "nearshift-role-chain"

    def __init__(self, credentials: DeferredRefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> DeferredRefreshableCredentials:
        return self._credentials


def _assume(session: boto3.Session, role: str, sts_endpoint_url: str | None) -> dict[str, Any]:
    client = session.client("sts", endpoint_url=sts_endpoint_url)
    answer = client.assume_role(RoleArn=role, RoleSessionName=_SESSION_NAME, DurationSeconds=limits.ROLE_SECONDS)["Credentials"]
    return {
        "access_key": answer["AccessKeyId"],
        "secret_key": answer["SecretAccessKey"],
        "token": answer["SessionToken"],
        "expiry_time": answer["Expiration"].isoformat(),
    }
