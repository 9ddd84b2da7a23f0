"""The live connections of a server, by the keys that clients cancel with."""

from __future__ import annotations

import secrets
import threading

from nearshift.errors import NearshiftError
from nearshift.wire.conversation import Conversation


class Register:
    """Keys of the conversations that were let in; safe to use from all threads."""

    def __init__(self, connections_max: int) -> None:
        self._connections_max = connections_max
        self._lock = threading.Lock()
        self._live: dict[int, tuple[int, Conversation]] = {}
        self._last = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._live)

    def admit(self, conversation: Conversation) -> tuple[int, int]:
        """Return a new process number and secret; raises NearshiftError (53300) when the bound is reached."""
        with self._lock:
            if len(self._live) >= self._connections_max:
                raise NearshiftError(
                    "sorry, too many clients already",
                    sqlstate="53300",
                    detail=f"At most {self._connections_max} connections are served at a time.",
                    hint="Close idle connections, or use a connection pool.",
                )
            self._last = self._last % (2**31 - 1) + 1
            while self._last in self._live:
                self._last = self._last % (2**31 - 1) + 1
            secret = secrets.randbits(32)
            self._live[self._last] = (secret, conversation)
            return self._last, secret

    def cancel(self, process: int, secret: int) -> None:
        """Interrupt the conversation with this key; a wrong key is ignored, as the protocol wants."""
        with self._lock:
            kept, conversation = self._live.get(process, (None, None))
        if conversation is not None and kept is not None and secrets.compare_digest(kept.to_bytes(4, "big"), secret.to_bytes(4, "big")):
            conversation.cancel()

    def leave(self, conversation: Conversation) -> None:
        """Forget a conversation; does nothing when it is not here."""
        with self._lock:
            found = [process for process, (_, kept) in self._live.items() if kept is conversation]
            for process in found:
                del self._live[process]
