"""A server in a process of its own on a free port, spoken to by unmodified boto3 clients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

SOURCE = Path(__file__).resolve().parents[2] / "src"
_CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, max_pool_connections=20)


class LocalServer:
    """One running `python -m nearshift.localaws`."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._clients: list[Any] = []
        self.endpoint = ""
        self.start()

    def start(self) -> None:
        """Start the process and wait for its line."""
        command = [sys.executable, "-m", "nearshift.localaws", "--dir", str(self.directory), "--port", "0", *self._arguments]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "ready at" in line, line
        self.endpoint = line.split()[-1]

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self.endpoint.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self._process is not None
        return self._process.pid

    def client(self, service: str, access_key: str = "test", region: str = "us-east-1", token: str | None = None) -> Any:
        """Return a boto3 client that tries each call once."""
        client = boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key="secret",
            aws_session_token=token,
            config=_CONFIG,
        )
        self._clients.append(client)
        return client

    def admin(self, command: str, **members: Any) -> Any:
        """Send a command to the admin door and return its answer."""
        return self.post("/_admin", json.dumps({"command": command, **members}).encode())

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Any:
        """POST bytes and return the decoded JSON answer."""
        request = urllib.request.Request(self.endpoint + path, body, headers or {}, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process by a signal and return its exit code."""
        assert self._process is not None
        for client in self._clients:
            client.close()
        self._clients.clear()
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., LocalServer]]:
    """Return a function that starts a server; `directory` defaults to one of the test's own."""
    servers: list[LocalServer] = []

    def start(*arguments: str, directory: Path | None = None) -> LocalServer:
        servers.append(LocalServer(directory or tmp_path / "aws", *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server with an open admin door for all tests of a module; each must name streams and tables of its own."""
    server = LocalServer(tmp_path_factory.mktemp("aws"), "--admin")
    yield server
    assert server.stop() == 0


@pytest.fixture
def local_server(shared_server: LocalServer) -> Iterator[LocalServer]:
    """The module's server; faults and the clock are reset after the test."""
    yield shared_server
    shared_server.admin("reset")


@pytest.fixture
def kinesis(local_server: LocalServer) -> Any:
    """A Kinesis client of the default account."""
    return local_server.client("kinesis")
