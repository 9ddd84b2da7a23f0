"""A warehouse in memory behind the console's port, and boto3 that talks to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from starlette.applications import Starlette

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests.dataapi.… also when pytest is not started as a module

from nearshift.clock import SystemClock
from nearshift.console.server import ConsoleServer
from nearshift.dataapi.http import DataApiApp
from nearshift.dataapi.service import DataApi
from nearshift.warehouse import Warehouse


class ApiGate:
    """Opens sessions of a warehouse."""

    def __init__(self, warehouse: Warehouse, secret: str | None = None) -> None:
        self.warehouse = warehouse
        self.secret = secret

    @property
    def administrator(self) -> str:
        return self.warehouse.admin

    def open_session(self, user: str, database: str) -> Any:
        return self.warehouse.session(user, database)


class _NoConsole:
    def close(self) -> None:
        """There is nothing to close."""


class Served:
    """A Data API on a real socket."""

    def __init__(self, secret: str | None = None) -> None:
        self.warehouse = Warehouse.open(None, threads=1)
        self.api = DataApi(ApiGate(self.warehouse, secret), SystemClock())
        app = Starlette()
        app.state.console = _NoConsole()
        self.server = ConsoleServer(app, port=0, has_password=secret is not None, data_api=DataApiApp(self.api))
        self.server.start()

    def client(self, key: str = "any", secret: str = "any") -> Any:
        return boto3.client(
            "redshift-data", endpoint_url=self.server.url, region_name="eu-west-1", aws_access_key_id=key, aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def close(self) -> None:
        self.server.stop()
        self.api.close()
        self.warehouse.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.close()


@pytest.fixture
def client(served: Served) -> Any:
    return served.client()
