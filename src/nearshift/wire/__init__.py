"""The PostgreSQL protocol, version 3, as Redshift speaks it."""

from nearshift.access.passwords import Credential
from nearshift.wire.auth import Method
from nearshift.wire.gate import Gate, Session
from nearshift.wire.server import TlsFiles, WireServer

__all__ = ["Credential", "Gate", "Method", "Session", "TlsFiles", "WireServer"]
