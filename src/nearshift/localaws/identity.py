"""Who asks: account and region from the credential scope of a request's signature. Signatures themselves are not checked.

An access key of twelve digits stands for the account of that number; the temporary credentials that `sts.py` gives out stand for the
account of their role; any other key, and a request without one, is the default account.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from nearshift.localaws.clock import Clock
from nearshift.localaws.errors import AwsError
from nearshift.localaws.service import DEFAULT_ACCOUNT, DEFAULT_REGION
from nearshift.localaws.store import Store

_TABLE = """CREATE TABLE IF NOT EXISTS sts_session(access_key TEXT PRIMARY KEY, account TEXT NOT NULL, principal_arn TEXT NOT NULL,
            user_id TEXT NOT NULL, expires_ms INTEGER NOT NULL)"""
_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
_EXPIRED_KEPT_MS = 24 * 3_600_000
_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Caller:
    """The asker of one request. `service` is what the signature was made for, empty if there is none."""

    access_key: str
    account: str
    region: str
    service: str
    principal_arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Session:
    """The temporary credentials of an assumed role."""

    access_key: str
    account: str
    principal_arn: str
    user_id: str
    expires_ms: int


class Identities:
    """Maps access keys to accounts and remembers temporary credentials, over restarts too."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        store.define(_TABLE)
        self._load()
        store.on_rollback.append(self._load)

    def _load(self) -> None:
        rows = self._store.connection.execute("SELECT access_key, account, principal_arn, user_id, expires_ms FROM sts_session")
        self._sessions = {row[0]: Session(*row) for row in rows}

    def identify(self, headers: Mapping[str, str]) -> Caller:
        """Return who sent a request with these headers; raises ExpiredTokenException for temporary credentials past their time."""
        match = _SCOPE.search(headers.get("authorization", ""))
        if match is None:
            return self._long_term("", DEFAULT_REGION, "")
        access_key, region, service = match.groups()
        session = self._sessions.get(access_key)
        if session is None:
            return self._long_term(access_key, region, service)
        if session.expires_ms <= self._clock.now_ms():
            raise AwsError("ExpiredTokenException", "The security token included in the request is expired")
        return Caller(access_key, session.account, region, service, session.principal_arn, session.user_id)

    def _long_term(self, access_key: str, region: str, service: str) -> Caller:
        is_account = len(access_key) == 12 and access_key.isascii() and access_key.isdigit()
        account = access_key if is_account else DEFAULT_ACCOUNT
        return Caller(access_key, account, region, service, f"arn:aws:iam::{account}:root", account)

    def add_session(self, account: str, principal_arn: str, role_id: str, session_name: str, expires_ms: int) -> Session:
        """Make temporary credentials; inside the caller's transaction."""
        access_key = "ASIA" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(16))
        session = Session(access_key, account, principal_arn, f"{role_id}:{session_name}", expires_ms)
        row = (access_key, account, principal_arn, session.user_id, expires_ms)
        self._store.connection.execute(
            "INSERT INTO sts_session(access_key, account, principal_arn, user_id, expires_ms) VALUES(?,?,?,?,?)", row
        )
        self._sessions[access_key] = session
        return session

    def forget_expired(self) -> None:
        """Drop credentials that expired more than a day ago; inside the caller's transaction."""
        cut_ms = self._clock.now_ms() - _EXPIRED_KEPT_MS
        expired = [key for key, session in self._sessions.items() if session.expires_ms < cut_ms]
        for key in expired:
            self._store.connection.execute("DELETE FROM sts_session WHERE access_key=?", (key,))
            del self._sessions[key]
