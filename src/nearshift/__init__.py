"""Near-real-time analytics on DynamoDB and Kinesis in Amazon Redshift's SQL.

`nearshift.connect(path)` opens a warehouse in this process; the command `nearshift` does everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nearshift.dbapi import Connection, Cursor, connect
    from nearshift.errors import NearshiftError

__version__ = "0.1.0"
__all__ = ["Connection", "Cursor", "NearshiftError", "__version__", "connect"]

_PLACES = {"Connection": "dbapi", "Cursor": "dbapi", "connect": "dbapi", "NearshiftError": "errors"}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command line must start quickly."""
    if name not in _PLACES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    return getattr(importlib.import_module(f"nearshift.{_PLACES[name]}"), name)
