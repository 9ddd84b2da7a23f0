"""AWS's stand-ins: moto in this process for CloudFormation, IAM, STS and Redshift's control plane, nearshift for Redshift itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import create_loader
from moto import mock_aws

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests.deploy.… also when pytest is not started as a module

from tests.deploy.control_plane import ControlPlane
from tests.deploy.places import Redshift, SessionRemote

from nearshift.clock import ManualClock
from nearshift.deploy.aws import Aws
from nearshift.deploy.connections import DataApiConnection, RemoteConnection
from nearshift.deploy.deployment import Deployment, Surroundings
from nearshift.deploy.login import data_api_place
from nearshift.deploy.names import Names
from nearshift.pipeline.folder import Pipeline

REGION = "eu-west-1"


class Cloud:
    """AWS in one region, seen through one caller that tests may replace."""

    def __init__(self, redshift: Redshift) -> None:
        self.redshift = redshift
        self.aws = ControlPlane(Aws(REGION))
        self.clock = ManualClock()
        self.has_data_api = False  # quicker without, where nothing depends on it

    def deployment(self, pipeline: Pipeline) -> Deployment:
        return Deployment(pipeline, Surroundings(self.aws, self.clock, self._connect))

    def _connect(self, names: Names) -> RemoteConnection:
        if self.has_data_api:
            return DataApiConnection(self.aws, data_api_place(names), self.clock)
        return SessionRemote(self.redshift.warehouse)

    def deploy(self, pipeline: Pipeline, *allowed: str) -> list[str]:
        return [f"{line.part.value} {line.action} {line.name}" for line in self.deployment(pipeline).deploy(frozenset(allowed))]

    def destroy(self, pipeline: Pipeline) -> list[str]:
        return [f"{line.part.value} {line.action} {line.name}" for line in self.deployment(pipeline).destroy()]


@pytest.fixture(scope="session", autouse=True)
def one_reading_of_the_models() -> Iterator[None]:
    """Let all clients share what they read of botocore's models, which every client reads anew otherwise: most of the time they take."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _search_path=None: loader)
        yield


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_DEFAULT_REGION", REGION)):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def one_redshift() -> Iterator[Redshift]:
    found = Redshift()
    yield found
    found.close()


@pytest.fixture
def redshift(one_redshift: Redshift) -> Iterator[Redshift]:
    """The stand-in, empty; all tests share it, since opening a warehouse and its servers takes longer than most of them."""
    yield one_redshift
    one_redshift.empty()


@pytest.fixture
def cloud(credentials: None, redshift: Redshift, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_DATA", redshift.console.url)
    with mock_aws():
        yield Cloud(redshift)
