"""The server: one process, one loop, one port for all APIs. The only sockets of the stand-in are here.

Answers wait for the commit of the tick in which they were made (`store.py`). Requests of one connection are answered in their order;
while a peer does not read, or a subscription runs on a connection, nothing more is read from it.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from nearshift.localaws.admin import Admin
from nearshift.localaws.clock import Clock
from nearshift.localaws.cloudwatch import CloudWatch
from nearshift.localaws.connection import Connection
from nearshift.localaws.dynamodb import DynamoDb
from nearshift.localaws.errors import StartError
from nearshift.localaws.faults import Faults
from nearshift.localaws.gateway import Exchange, Gateway
from nearshift.localaws.identity import Identities
from nearshift.localaws.kinesis import Kinesis
from nearshift.localaws.service import Service
from nearshift.localaws.store import Store
from nearshift.localaws.sts import Sts
from nearshift.localaws.subscription import Subscriptions
from nearshift.localaws.wire import HttpRequest

logger = logging.getLogger("nearshift.localaws")

DEFAULT_PORT = 4566
_MAINTENANCE_SECONDS = 1.0
_HELD_SECONDS = 0.02
_BACKLOG = 256


class LocalAws:
    """The services on one store, and the group commit that their answers wait for."""

    def __init__(self, directory: Path, *, with_admin: bool = False, is_power_safe: bool = False) -> None:
        """Open the store in `directory`; raises StartError."""
        self.store = Store(directory, is_power_safe=is_power_safe)
        self.clock = Clock()
        faults = Faults()
        self.kinesis = Kinesis(self.store, self.clock, faults)
        self._identities = Identities(self.store, self.clock)
        self._subscriptions = Subscriptions(self.kinesis.parts)
        dynamodb = DynamoDb(self.store, self.clock, self.kinesis)
        self.services: list[Service] = [self.kinesis, dynamodb, CloudWatch(self.kinesis.parts.metrics)]
        admin = Admin(self.clock, faults, self.kinesis, self._maintain) if with_admin else None
        security = Sts(self._identities, self.clock)
        self._gateway = Gateway(self.store, self.services, self._identities, security, self._subscriptions, faults, admin)
        self._held: list[tuple[Connection, Exchange]] = []
        self._is_settling = False

    def serve(self, connection: Connection, http: HttpRequest) -> None:
        """Answer one request of a connection, now or after the commit."""
        exchange = self._gateway.answer(http)
        if not self.store.is_in_transaction and not self._held:
            connection.send(exchange)
            return
        self._held.append((connection, exchange))
        if not self._is_settling:
            self._is_settling = True
            asyncio.get_running_loop().call_soon(self.settle)

    def settle(self) -> None:
        """Commit, then send the answers that have waited for it."""
        self._is_settling = False
        held, self._held = self._held, []
        try:
            self.store.commit()
        except sqlite3.Error:
            logger.exception("a commit failed; %d answers become errors", len(held))
            for connection, exchange in held:
                connection.send(Exchange(exchange.format, exchange.request_id, exchange.failure()))
            return
        self._subscriptions.wakeups.wake(self.kinesis.parts.records.take_appended())
        for connection, exchange in held:
            connection.send(exchange)

    def _maintain(self) -> None:
        self.kinesis.release_held()
        self._identities.forget_expired()
        for service in self.services:
            service.maintain()

    def _in_transaction(self, work: Callable[[], None]) -> None:
        try:
            with self.store.transaction():
                work()
        except Exception:  # the outer loop of maintenance: what failed is undone and tried again
            logger.exception("maintenance failed and is tried again")
        self.settle()

    async def maintain_for_ever(self) -> None:
        """Do what time makes due, about once a second; held records more often."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await asyncio.sleep(_HELD_SECONDS if self.kinesis.has_held else _MAINTENANCE_SECONDS / 4)
            if self.kinesis.has_held:
                self._in_transaction(self.kinesis.release_held)
            if loop.time() >= due:
                due = loop.time() + _MAINTENANCE_SECONDS
                self._in_transaction(self._maintain)

    def close(self) -> None:
        """Commit, answer what is held and close the store."""
        self.settle()
        self.store.close()


def run(
    directory: Path,
    port: int,
    host: str = "127.0.0.1",
    *,
    with_admin: bool = False,
    is_power_safe: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `port` 0 takes a free one; `on_ready` is called with the address, `http://host:port`.

    Must be called in the main thread. Raises StartError if the directory or the port cannot be used.
    """
    asyncio.run(_serve(directory, port, host, with_admin=with_admin, is_power_safe=is_power_safe, on_ready=on_ready))


async def _serve(
    directory: Path, port: int, host: str, *, with_admin: bool, is_power_safe: bool, on_ready: Callable[[str], None] | None
) -> None:
    loop = asyncio.get_running_loop()
    local = LocalAws(directory, with_admin=with_admin, is_power_safe=is_power_safe)
    connections: set[Connection] = set()
    try:
        try:
            server = await loop.create_server(lambda: Connection(local.serve, connections), host, port, backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = f"cannot listen on {host}:{port}: {reason}"
            raise StartError(message) from error
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        maintenance = asyncio.create_task(local.maintain_for_ever())
        bound = server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        if on_ready is not None:
            on_ready(f"http://{shown}:{bound}")
        await stop.wait()
        server.close()
        maintenance.cancel()
        with suppress(asyncio.CancelledError):
            await maintenance
        local.settle()
        for connection in list(connections):
            connection.close()
    finally:
        local.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nearshift local-aws", description="DynamoDB and Kinesis on this machine, durable, on one port.")
    parser.add_argument("--dir", type=Path, default=Path(".nearshift/local-aws"), help="where the data are kept (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--allow-remote", action="store_true", help="let --host be reachable by others; there is no authentication")
    parser.add_argument("--admin", action="store_true", help="open POST /_admin, which injects faults and moves the clock")
    parser.add_argument("--power-safe", action="store_true", help="wait for the disk at each commit, so that a power cut loses nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server from a command line and return the exit code: 0 after a signal, 1 if it cannot start."""
    options = _parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if not _is_loopback(options.host) and not options.allow_remote:
        sys.stderr.write(f"error: {options.host} can be reached by others and there is no authentication; add --allow-remote to mean it\n")
        return 1

    def announce(address: str) -> None:
        sys.stdout.write(f"nearshift local-aws is ready at {address}\n")
        sys.stdout.flush()

    try:
        run(
            options.dir,
            options.port,
            options.host,
            with_admin=options.admin,
            is_power_safe=options.power_safe,
            on_ready=announce,
        )
    except StartError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0
