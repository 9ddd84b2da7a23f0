"""What goes to the client, held back until it is worth a write."""

from __future__ import annotations

from collections.abc import Callable

from nearshift import limits
from nearshift.wire import replies

# What `send` is given; it must not keep it.
Buffer = bytes | bytearray | memoryview


class Output:
    """Collects replies and hands them to `send` in pieces of about WIRE_OUTPUT_BYTES, or when asked to."""

    def __init__(self, send: Callable[[Buffer], None]) -> None:
        self._send = send
        self._held = bytearray()
        self._told: dict[str, str] = {}
        self.is_due = False  # somebody waits for what is held

    def put(self, part: Buffer) -> None:
        """Add a reply; may block in `send`."""
        if len(part) >= limits.WIRE_OUTPUT_BYTES:
            # A large piece goes out as it is: copying it into the buffer would cost as much as encoding it.
            self.flush()
            self._send(part)
            return
        self._held += part
        if len(self._held) >= limits.WIRE_OUTPUT_BYTES:
            self.flush()

    def tell(self, name: str, value: str) -> None:
        """Add a ParameterStatus unless the client knows it already."""
        if self._told.get(name) != value:
            self._told[name] = value
            self.put(replies.parameter_status(name, value))

    def flush(self) -> None:
        """Send what is held."""
        self.is_due = False
        if self._held:
            held, self._held = self._held, bytearray()
            self._send(held)
