"""What everything on AWS is called and where it is: known before anything is made, so that no step needs another's answer."""

from __future__ import annotations

from dataclasses import dataclass

from nearshift.errors import ConfigurationError
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.manifest import FILE_NAME, Source
from nearshift.pipeline.remote import RedshiftSettings


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a pipeline's deployment."""

    pipeline: str
    source: Source
    settings: RedshiftSettings

    @property
    def stack(self) -> str:
        """The stack."""
        return self.settings.stack_name(self.pipeline)

    @property
    def warehouse_role(self) -> str:
        """The role by which Redshift reads the stream."""
        return f"{self.stack}-redshift"

    @property
    def reader_role(self) -> str:
        """The role of the stream's account that Redshift's role assumes, across accounts."""
        return f"{self.stack}-stream-reader"

    @property
    def scheduler_role(self) -> str:
        """The role by which schedules call the Data API."""
        return f"{self.stack}-scheduler"

    @property
    def admin_secret(self) -> str:
        """The secret with the administrator's login that the stack makes."""
        return f"{self.stack}-admin"

    @property
    def secret(self) -> str | None:
        """The secret with which everybody logs in, by ARN or name; None where a cluster's user is named, or nobody."""
        return self.admin_secret if self.settings.is_serverless_made else self.settings.secret

    @property
    def namespace(self) -> str:
        """The serverless namespace that the stack makes."""
        return self.stack

    @property
    def workgroup(self) -> str | None:
        """The serverless workgroup, made or named; None for a cluster."""
        return self.stack if self.settings.is_serverless_made else self.settings.workgroup

    def role_chain(self, partition: str = "aws") -> str | None:
        """Return what IAM_ROLE of the external schema must say across accounts, None within one."""
        settings = self.settings
        if not settings.is_cross_account:
            return None
        own = settings.role or f"arn:{partition}:iam::{settings.warehouse_account}:role/{self.warehouse_role}"
        return f"{own},arn:{partition}:iam::{settings.source_account}:role/{self.reader_role}"


def names_of(pipeline: Pipeline) -> Names:
    """Return the names. Raises ConfigurationError for a folder without a source."""
    source = pipeline.manifest.source
    if source is None:
        raise ConfigurationError(
            f'"{FILE_NAME}" names no source', hint="Add [source] with the DynamoDB table and the Kinesis stream that its changes go to."
        )
    return Names(pipeline.name, source, pipeline.manifest.targets.redshift)
