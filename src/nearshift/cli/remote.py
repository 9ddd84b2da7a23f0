"""How commands reach AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nearshift.errors import ConfigurationError
from nearshift.pipeline.folder import Pipeline

if TYPE_CHECKING:
    from nearshift.deploy.connections import RemoteConnection
    from nearshift.deploy.deployment import Deployment

TargetName = Annotated[str, typer.Option("--target", help="Where to: local or redshift.")]
TARGETS = ("local", "redshift")


def check_target(target: str) -> None:
    """Raise ConfigurationError for a target that is none."""
    if target not in TARGETS:
        raise ConfigurationError(f'there is no target "{target}"', hint="Use --target local or --target redshift.")


def open_deployment(pipeline: Pipeline) -> Deployment:
    """Return the deployment of a folder with the credentials at hand. Raises ConfigurationError and TargetError."""
    from nearshift.clock import SystemClock
    from nearshift.deploy.aws import Aws
    from nearshift.deploy.deployment import Deployment, Surroundings
    from nearshift.deploy.login import open_redshift

    aws, clock = Aws(pipeline.manifest.targets.redshift.region), SystemClock()
    return Deployment(pipeline, Surroundings(aws, clock, lambda names: open_redshift(names, aws, clock)))


def open_remote(pipeline: Pipeline) -> RemoteConnection:
    """Return a connection to the folder's Redshift. Raises ConfigurationError and TargetError."""
    from nearshift.clock import SystemClock
    from nearshift.deploy.aws import Aws
    from nearshift.deploy.login import open_redshift
    from nearshift.deploy.names import names_of

    return open_redshift(names_of(pipeline), Aws(pipeline.manifest.targets.redshift.region), SystemClock())
