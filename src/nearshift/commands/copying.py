"""COPY and UNLOAD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearshift.errors import NotSupported
from nearshift.results import Result
from nearshift.sql import statements as st

if TYPE_CHECKING:
    from nearshift.session import Session


def copy(session: Session, statement: st.Copy | st.Unload) -> Result:
    """Run COPY from DynamoDB; other sources and UNLOAD are refused."""
    if isinstance(statement, st.Unload):
        raise NotSupported("UNLOAD is not supported yet", hint="Read the rows with a client, or through nearshift.connect(...).arrow().")
    if not statement.source.text.startswith("dynamodb://"):
        raise NotSupported(
            "COPY reads DynamoDB tables only so far", span=statement.source.span, hint="Write COPY … FROM 'dynamodb://table' READRATIO 50."
        )
    return session.house.copy_items(session, statement)
