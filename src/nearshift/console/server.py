"""Serving the console from a thread of the process that owns the warehouse."""

from __future__ import annotations

import ipaddress
import os
import threading

import uvicorn
from starlette.applications import Starlette

from nearshift.errors import ConfigurationError

_START_SECONDS = 15.0
_STOP_SECONDS = 10.0


class ConsoleServer:
    """An HTTP server for one application of `create_app`. Port 0 takes any free port."""

    def __init__(self, app: Starlette, host: str = "127.0.0.1", port: int = 8439, *, has_password: bool = False) -> None:
        if not has_password and not _is_loopback(host):
            raise ConfigurationError(
                f'cannot serve the console on "{host}" without a password',
                hint="Set a password, or listen on 127.0.0.1 and use an SSH tunnel.",
            )
        self._app = app
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on, the real one after `start`."""
        return self._port

    @property
    def url(self) -> str:
        """The address to open in a browser."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Listen, and return once requests are answered; raises ConfigurationError when the port cannot be had."""
        config = uvicorn.Config(
            self._app, host=self._host, port=self._port, log_config=None, log_level="critical", access_log=False, lifespan="off",
            server_header=False, date_header=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                server.run()
            except SystemExit as exit_:  # uvicorn's answer to a port that is taken; what it was handling is the OSError
                failures.append(exit_.__context__ or exit_)

        self._server = server
        self._thread = threading.Thread(target=serve, name="nearshift-console", daemon=True)
        self._thread.start()
        pause = threading.Event()
        for _ in range(int(_START_SECONDS / 0.01)):
            if server.started or not self._thread.is_alive():
                break
            pause.wait(0.01)
        if not server.started:
            cause = failures[0] if failures else None
            reason = os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else "it did not start"
            hint = "Stop the program that uses it, or choose another port with --console-port."
            raise ConfigurationError(f"could not listen on {self._host}:{self._port}: {reason}", hint=hint) from cause
        self._port = server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        """End open streams and sessions, then the server. Stopping twice is harmless."""
        self._app.state.console.close()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_SECONDS)
        self._server = self._thread = None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
