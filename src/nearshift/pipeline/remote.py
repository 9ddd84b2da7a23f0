"""What `nearshift.toml` says of the Redshift target: which account and warehouse, what is made and what is there already."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from nearshift.errors import ConfigurationError

_ACCOUNT = Annotated[str, Meta(pattern=r"^\d{12}$")]
_STACK: Final = re.compile(r"^[a-z][a-z0-9-]{0,39}$")
_ROLE: Final = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$", re.ASCII)
Made = Literal["create", "existing"]


class RedshiftSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of `[targets.redshift]`.

    Without `workgroup` and `cluster` the stack makes a serverless workgroup of `capacity` RPUs. `user` is a cluster's user, `secret` the
    ARN of a secret; schedules run as the same. With `source_account` other than `warehouse_account`, table and stream are in the one,
    Redshift is in the other, and roles are chained.
    """

    region: str | None = None
    stack: str | None = None
    database: str = "dev"
    workgroup: str | None = None
    cluster: str | None = None
    user: str | None = None
    secret: str | None = None
    connect: Literal["data-api", "driver"] = "data-api"
    host: str | None = None
    port: int = 5439
    table: Made = "create"
    stream: Made = "create"
    stream_mode: Literal["on-demand", "provisioned"] = "on-demand"
    retention_hours: Annotated[int, Meta(ge=24, le=8760)] = 24
    capacity: Annotated[int, Meta(ge=4, le=1024)] = 8
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    role: str | None = None
    source_account: _ACCOUNT | None = None
    warehouse_account: _ACCOUNT | None = None
    tags: dict[str, str] = {}

    @property
    def is_serverless_made(self) -> bool:
        """Whether the stack makes the warehouse itself."""
        return self.workgroup is None and self.cluster is None

    @property
    def is_cross_account(self) -> bool:
        """Whether stream and warehouse are in two accounts."""
        return self.source_account is not None and self.warehouse_account not in {None, self.source_account}

    def stack_name(self, pipeline: str) -> str:
        """Return the name of the stack, which the names of all that is made begin with."""
        return self.stack or "nearshift-" + re.sub(r"[^a-z0-9-]+", "-", pipeline.lower()).strip("-")[:30]


def check_settings(settings: RedshiftSettings, pipeline: str, origin: str) -> None:
    """Raise ConfigurationError, naming the key, for settings that contradict each other."""

    def refuse(key: str, reason: str, hint: str | None = None) -> None:
        raise ConfigurationError(f'"{origin}", key "targets.redshift.{key}": {reason}', hint=hint)

    if settings.workgroup is not None and settings.cluster is not None:
        refuse("cluster", "a workgroup is named too", "Name one of the two, or none to have a workgroup made.")
    if not _STACK.match(settings.stack_name(pipeline)):
        hint = "Use at most 40 small letters, digits and dashes, a letter first."
        refuse("stack", f'"{settings.stack_name(pipeline)}" is not a name', hint)
    if settings.role is not None and not _ROLE.match(settings.role):
        refuse("role", f'"{settings.role}" is not the ARN of an IAM role')
    if (settings.source_account is None) != (settings.warehouse_account is None):
        refuse("warehouse_account", "source_account and warehouse_account are given together or not at all")
    if settings.user is not None and settings.secret is not None:
        refuse("user", "a secret is named too", "Name one of the two.")
    if settings.table == "create" and settings.stream == "existing" and settings.is_cross_account:
        refuse("table", "a table that is made needs its stream in the same stack", 'Set stream = "create".')
    reserved = [name for name in settings.tags if name.lower().startswith(("aws:", "nearshift:"))]
    if reserved:
        refuse("tags", f'"{reserved[0]}" begins with a word that is taken')
