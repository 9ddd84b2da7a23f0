"""What CloudFormation cannot say of what it does not own: the capture of a table, a role added to a warehouse, that were there before.

Each is looked at first, done only if it is not so, remembered, and undone only if we did it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from nearshift.clock import Clock
from nearshift.deploy.calls import AGAIN, Caller, Refusal
from nearshift.deploy.memory import Memory
from nearshift.deploy.names import Names
from nearshift.errors import ConfigurationError, TargetError

_WAIT_SECONDS_MAX: Final = 900.0
_LOOK_SECONDS: Final = 2.0
_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom AWS takes us for."""

    number: str
    partition: str
    region: str


def find_account(aws: Caller) -> Account:
    """Return the account of the credentials."""
    told = aws.call("sts", "get_caller_identity")
    return Account(told["Account"], told["Arn"].split(":")[1], aws.region)


class Capture:
    """The changes of a table that was there before, in microseconds, to the pipeline's stream."""

    what: Final = "capture"

    def __init__(self, aws: Caller, names: Names, account: Account, memory: Memory, clock: Clock) -> None:
        self._aws = aws
        self.name = names.source.table
        self.other = f"arn:{account.partition}:kinesis:{account.region}:{account.number}:stream/{names.source.stream}"
        self._memory = memory
        self._clock = clock
        self._is_of_stack = names.settings.stream == "create" or names.settings.table == "create"

    def describe(self) -> str:
        """Return what a plan says of it."""
        return f"{self.name} to {self.other.rpartition('/')[2]}"

    def is_done(self) -> bool:
        """Return whether the table's changes go to the stream. Raises ConfigurationError for a table that is not there."""
        return self._state() in {"ACTIVE", "ENABLING", "UPDATING"}

    def is_ours(self, *, has_stack: bool) -> bool:
        """Return whether `undo` may end it: we began it, or our stack made the table or the stream."""
        return self._memory.find(self.what, self.name) is not None or (has_stack and self._is_of_stack)

    def do(self) -> None:
        """Let the changes go to the stream, and wait until they do."""
        if not self.is_done():
            self._memory.begin(self.what, self.name, self.other)
            self._aws.call(
                "dynamodb", "enable_kinesis_streaming_destination", TableName=self.name, StreamArn=self.other,
                EnableKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
            )  # fmt: skip
        _wait(self._state, {"ACTIVE"}, f'the capture of table "{self.name}"', self._clock, failed={"ENABLE_FAILED", "DISABLED"})
        if self._memory.find(self.what, self.name) is not None:
            self._memory.finish(self.what, self.name, self.other)

    def undo(self) -> None:
        """End it; only what is ours is to be undone."""
        try:
            if self._state() in {"ACTIVE", "UPDATING"}:
                members = {"TableName": self.name, "StreamArn": self.other}
                self._aws.call("dynamodb", "disable_kinesis_streaming_destination", **members)
            _wait(self._state, {"DISABLED", "ENABLE_FAILED"}, f'the capture of table "{self.name}"', self._clock)
        except ConfigurationError:
            pass  # the table is gone, and its capture with it
        self._memory.forget(self.what, self.name)

    def _state(self) -> str:
        try:
            told = self._aws.call("dynamodb", "describe_kinesis_streaming_destination", TableName=self.name)
        except Refusal as error:
            if error.code != "ResourceNotFoundException":
                raise
            hint = 'Correct source.table or the region, or let it be made: table = "create" in [targets.redshift].'
            raise ConfigurationError(f'table "{self.name}" is not there', detail=error.detail, hint=hint) from error
        found = [one["DestinationStatus"] for one in told["KinesisDataStreamDestinations"] if one["StreamArn"] == self.other]
        return found[0] if found else "DISABLED"


class ClusterRole:
    """The role by which an existing cluster or workgroup reads the stream; it becomes the default where there is none."""

    what: Final = "role"

    def __init__(self, aws: Caller, names: Names, account: Account, memory: Memory, clock: Clock) -> None:
        self._aws = aws
        self._cluster = names.settings.cluster
        self.name = names.settings.cluster or names.settings.workgroup or ""
        self.other = f"arn:{account.partition}:iam::{account.number}:role/{names.warehouse_role}"
        self._memory = memory
        self._clock = clock

    def describe(self) -> str:
        """Return what a plan says of it."""
        return f"{self.other.rpartition('/')[2]} to {self.name}"

    def is_done(self) -> bool:
        """Return whether the warehouse has the role. Raises ConfigurationError for a warehouse that is not there."""
        return self.other in self._roles()[0]

    def is_ours(self, *, has_stack: bool) -> bool:  # noqa: ARG002 - a stack adds no role to what is there
        """Return whether we began to add it."""
        return self._memory.find(self.what, self.name) is not None

    def default_role(self) -> str | None:
        """Return what IAM_ROLE default means there."""
        return self._roles()[1]

    def do(self) -> None:
        """Add the role, and wait until the warehouse has it."""
        roles, default = self._roles()
        if self.other not in roles:
            self._memory.begin(self.what, self.name, self.other)
            self._set([*roles, self.other], default or self.other, added=[self.other])
        _wait(lambda: "there" if self.is_done() else "missing", {"there"}, f'the role of "{self.name}"', self._clock)
        if self._memory.find(self.what, self.name) is not None:
            self._memory.finish(self.what, self.name, self.other)

    def undo(self) -> None:
        """Take the role away; only what is ours is to be undone."""
        try:
            roles, default = self._roles()
            if self.other in roles:
                self._set([role for role in roles if role != self.other], "" if default == self.other else default, removed=[self.other])
        except ConfigurationError:
            pass  # the warehouse is gone, and the role with it
        self._memory.forget(self.what, self.name)

    def _roles(self) -> tuple[list[str], str | None]:
        try:
            if self._cluster is not None:
                told = self._aws.call("redshift", "describe_clusters", ClusterIdentifier=self._cluster)["Clusters"][0]
                return [one["IamRoleArn"] for one in told.get("IamRoles", ())], told.get("DefaultIamRoleArn") or None
            namespace = self._aws.call("redshift-serverless", "get_namespace", namespaceName=self._namespace())["namespace"]
        except Refusal as error:
            if error.code not in {"ResourceNotFoundException", "ClusterNotFound", "ClusterNotFoundFault"}:
                raise
            hint = "Correct its name in [targets.redshift], or the region; or name none to have a workgroup made."
            raise ConfigurationError(f'warehouse "{self.name}" is not there', detail=error.detail, hint=hint) from error
        # Told as "IamRole(applyStatus=in-sync, iamRoleArn=arn:…)".
        return [arn for one in namespace.get("iamRoles", ()) for arn in _ARN.findall(one)], namespace.get("defaultIamRoleArn") or None

    def _namespace(self) -> str:
        found: str = self._aws.call("redshift-serverless", "get_workgroup", workgroupName=self.name)["workgroup"]["namespaceName"]
        return found

    def _set(self, roles: list[str], default: str | None, *, added: list[str] | None = None, removed: list[str] | None = None) -> None:
        chosen = {} if default is None else {"DefaultIamRoleArn": default}
        if self._cluster is not None:
            self._aws.call(
                "redshift", "modify_cluster_iam_roles", ClusterIdentifier=self._cluster, AddIamRoles=added or [],
                RemoveIamRoles=removed or [], **chosen,
            )  # fmt: skip
            return
        chosen = {} if default is None else {"defaultIamRoleArn": default}
        self._aws.call("redshift-serverless", "update_namespace", namespaceName=self._namespace(), iamRoles=roles, **chosen)


Deed = Capture | ClusterRole


def deeds_of(aws: Caller, names: Names, account: Account, memory: Memory, clock: Clock, *, is_undoing: bool = False) -> list[Deed]:
    """Return what is to be done beside the stack, in its order; to undo, also the capture that the stack itself made."""
    settings = names.settings
    has_source = not settings.is_cross_account or account.number == settings.source_account
    has_warehouse = not settings.is_cross_account or account.number == settings.warehouse_account
    found: list[Deed] = []
    if has_source and (settings.table == "existing" or is_undoing):
        found.append(Capture(aws, names, account, memory, clock))
    if has_warehouse and not settings.is_serverless_made and settings.role is None:
        found.append(ClusterRole(aws, names, account, memory, clock))
    return found


def check_names_are_free(aws: Caller, names: Names) -> None:
    """Raise ConfigurationError for a table or stream that the stack would make and that is there already."""
    questions: list[tuple[bool, str, str, Callable[[], Any]]] = [
        (names.settings.table == "create", "table", names.source.table,
         lambda: aws.call("dynamodb", "describe_table", TableName=names.source.table)),
        (names.settings.stream == "create", "stream", names.source.stream,
         lambda: aws.call("kinesis", "describe_stream_summary", StreamName=names.source.stream)),
    ]  # fmt: skip
    for is_made, key, name, ask in questions:
        if not is_made:
            continue
        try:
            ask()
        except Refusal as error:
            if error.code == "ResourceNotFoundException":
                continue
            raise
        hint = f'To use it, set {key} = "existing" in [targets.redshift] of nearshift.toml; else give source.{key} another name.'
        raise ConfigurationError(f'{key} "{name}" is there already', hint=hint)


def _wait(look: Callable[[], str], wanted: set[str], what: str, clock: Clock, *, failed: set[str] | None = None) -> None:
    started, is_first = clock.monotonic(), True
    while (state := look()) not in wanted:
        if not is_first and failed is not None and state in failed:
            hint = f"Look at the stream and the rights of who deploys (dynamodb and kinesis:PutRecord*, DescribeStream). {AGAIN}"
            raise TargetError(f"{what} is in the state {state}", hint=hint)
        if clock.monotonic() - started > _WAIT_SECONDS_MAX:
            raise TargetError(f"{what} is still in the state {state} after {_WAIT_SECONDS_MAX / 60:.0f} minutes", hint=AGAIN)
        is_first = False
        clock.wait(threading.Event(), _LOOK_SECONDS)
