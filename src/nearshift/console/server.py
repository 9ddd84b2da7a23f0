"""Serving the console from a thread of the process that owns the warehouse."""

from __future__ import annotations

import ipaddress
import os
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nearshift.console.guard import decide_api_refusal, is_for_data_api
from nearshift.console.replies import encode
from nearshift.errors import ConfigurationError

_START_SECONDS = 15.0
_STOP_SECONDS = 10.0


class ConsoleServer:
    """An HTTP server for one application of `create_app`. Port 0 takes any free port."""

    def __init__(
        self,
        app: Starlette,
        host: str = "127.0.0.1",
        port: int = 8439,
        *,
        has_password: bool = False,
        data_api: ASGIApp | None = None,
    ) -> None:
        """Serve `app` and, for requests that name its operations, `data_api`."""
        if not has_password and not _is_loopback(host):
            raise ConfigurationError(
                f'cannot serve the console on "{host}" without a password',
                hint="Set a password, or listen on 127.0.0.1 and use an SSH tunnel.",
            )
        self._app = app
        self._served: ASGIApp = app if data_api is None else _Switch(app, data_api, has_password=has_password)
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
            self._served, host=self._host, port=self._port, log_config=None, log_level="critical", access_log=False, lifespan="off",
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


class _Switch:
    """Sends requests of AWS SDKs to the Data API, all others to the console."""

    def __init__(self, console: ASGIApp, data_api: ASGIApp, *, has_password: bool) -> None:
        self._console = console
        self._data_api = data_api
        self._has_password = has_password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not is_for_data_api(headers := Headers(scope=scope)):
            await self._console(scope, receive, send)
            return
        refusal = decide_api_refusal(scope["method"], headers, has_password=self._has_password)
        if refusal is None:
            await self._data_api(scope, receive, send)
            return
        kind = b"application/x-amz-json-1.1"
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", kind), (b"cache-control", b"no-store")]})
        await send({"type": "http.response.body", "body": encode({"__type": "AccessDeniedException", "Message": refusal})})


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
