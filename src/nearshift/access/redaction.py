"""Statements as they may be shown and kept: without the secrets in them.

Redshift replaces passwords and keys in its system tables; here everything that is kept or shown goes through `redacted` first.
"""

from __future__ import annotations

import re
from typing import Final

# A word that a secret follows, at most a few words between, and the literal: quoted, or between dollars, closed or not.
_SECRET: Final = re.compile(
    r"(?P<head>(?<!['\"])\b(?:PASSWORD|CREDENTIALS|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|MASTER_SYMMETRIC_KEY)\b"
    r"(?:\s|AS\b|TO\b|=|--[^\n]*\n|/\*.*?\*/)*)(?P<literal>'(?:[^']|'')*(?:'|\Z)|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))",
    re.IGNORECASE | re.DOTALL,
)
# `CREATE USER u 'secret'` and other slips of the pen: no literal of a statement about users is shown.
_ABOUT_USERS: Final = re.compile(r"^\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*(?:CREATE|ALTER)\s+USER\b", re.IGNORECASE | re.DOTALL)
_ANY_LITERAL: Final = re.compile(r"'(?:[^']|'')*(?:'|\Z)")


def redacted(text: str) -> str:
    """Return a statement with `'***'` for every password and key in it; a text without any comes back as it is."""
    if _ABOUT_USERS.match(text):
        return _ANY_LITERAL.sub("'***'", _SECRET.sub(r"\g<head>'***'", text))
    return _SECRET.sub(r"\g<head>'***'", text)
