"""One CloudFormation stack: looked at, changed by a change set that is shown first, waited for, deleted.

Every method may be called again after a cut: a change set of ours that is left over is replaced, a stack in progress is waited for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from nearshift.clock import Clock
from nearshift.deploy.calls import AGAIN, Caller, Refusal
from nearshift.deploy.template import PIPELINE_TAG
from nearshift.errors import ConfigurationError, TargetError

_CHANGE_SET: Final = "nearshift"
_WAIT_SECONDS_MAX: Final = 3600.0
_POLL_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0)
_NO_CHANGE: Final = ("didn't contain changes", "No updates are to be performed")
_STARTS: Final = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
# Replacing or removing one of these loses what cannot be made again.
_HOLDS_ROWS: Final = {
    "AWS::DynamoDB::Table": "its items stay in the old table, which is kept",
    "AWS::Kinesis::Stream": "changes that nobody has read would be lost",
    "AWS::RedshiftServerless::Namespace": "all tables and views of the warehouse would be lost",
}


class Standing(Enum):
    """What can be done with a stack."""

    ABSENT = "absent"
    READY = "ready"
    BUSY = "busy"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class StackFound:
    """What is there."""

    standing: Standing
    status: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    is_reviewed: bool = False


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One line of a change set; `loss` says what would be lost, None when nothing."""

    action: str
    kind: str
    name: str
    physical: str
    loss: str | None


def classify_status(status: str) -> Standing:
    """Return what can be done with a stack in this state ("Stack status codes", AWS CloudFormation user guide)."""
    if status in {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}:
        return Standing.ABSENT
    if status.endswith("_IN_PROGRESS"):
        return Standing.BUSY
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}:
        return Standing.READY
    return Standing.STUCK


class Stack:
    """A stack by its name."""

    def __init__(self, aws: Caller, name: str, pipeline: str, clock: Clock) -> None:
        self.name = name
        self._aws = aws
        self._pipeline = pipeline
        self._clock = clock

    def look(self) -> StackFound:
        """Return what is there. Raises ConfigurationError when the name is taken by a stack that is not this pipeline's."""
        try:
            found = self._call("describe_stacks", StackName=self.name)["Stacks"][0]
        except Refusal as error:
            if error.code == "ValidationError" and "does not exist" in (error.detail or ""):
                return StackFound(Standing.ABSENT)
            raise
        status = found["StackStatus"]
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
        standing = classify_status(status)
        if tags.get(PIPELINE_TAG) != self._pipeline and status not in {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}:
            message = f'stack "{self.name}" is there and does not belong to pipeline "{self._pipeline}"'
            raise ConfigurationError(message, hint="Choose another name: set stack in [targets.redshift] of nearshift.toml.")
        parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", ())}
        return StackFound(standing, status, parameters, tags, status == "REVIEW_IN_PROGRESS")

    def settle(self) -> StackFound:
        """Return what is there once nothing is in progress. Raises TargetError for a stack that only a person can go on with."""
        found = self._wait_while_busy()
        if found.standing is Standing.STUCK:
            raise self._stuck(found.status)
        return found

    def is_as(self, found: StackFound, body: str, parameters: dict[str, str]) -> bool:
        """Return whether the stack has exactly this template and these parameters."""
        if found.standing is not Standing.READY or any(found.parameters.get(key) != value for key, value in parameters.items()):
            return False
        return bool(self._call("get_template", StackName=self.name, TemplateStage="Original")["TemplateBody"] == body)

    def propose(
        self, found: StackFound, body: str, parameters: dict[str, str], tags: list[dict[str, str]]
    ) -> tuple[ResourceChange, ...] | None:
        """Make a change set and return what it would do; None when there is nothing to change. `carry_out` or `withdraw` ends it."""
        self.withdraw(found)
        kind = "UPDATE" if found.standing is Standing.READY else "CREATE"
        self._call(
            "create_change_set", StackName=self.name, ChangeSetName=_CHANGE_SET, ChangeSetType=kind, TemplateBody=body, Tags=tags,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )  # fmt: skip
        made = self._wait("describe_change_set", lambda answer: not answer["Status"].endswith(("_PENDING", "_IN_PROGRESS")))
        if made["Status"] == "FAILED":
            reason = made.get("StatusReason", "")
            if any(words in reason for words in _NO_CHANGE):
                self.withdraw(found)
                return None
            raise TargetError("CloudFormation refuses the template", detail=reason, hint=f"Correct what it says. {AGAIN}")
        changes = list(made.get("Changes", ()))
        while made.get("NextToken"):
            made = self._call("describe_change_set", StackName=self.name, ChangeSetName=_CHANGE_SET, NextToken=made["NextToken"])
            changes += made.get("Changes", ())
        return tuple(_change(one["ResourceChange"]) for one in changes if "ResourceChange" in one)

    def withdraw(self, found: StackFound) -> None:
        """Delete the change set, if there is one."""
        if found.standing is Standing.ABSENT and not found.is_reviewed:
            return
        told = self._call("list_change_sets", StackName=self.name)
        if any(one["ChangeSetName"] == _CHANGE_SET for one in told.get("Summaries", ())):
            self._call("delete_change_set", StackName=self.name, ChangeSetName=_CHANGE_SET)

    def carry_out(self) -> StackFound:
        """Execute the change set and wait. Raises TargetError with the first reason when it fails; what it made is rolled back."""
        self._call("execute_change_set", StackName=self.name, ChangeSetName=_CHANGE_SET)
        found = self._wait_while_busy(is_begun=True)
        if found.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise self._stuck(found.status)
        return found

    def delete(self) -> None:
        """Delete the stack, in whatever state it is, and wait. Raises TargetError with the reason when it cannot be deleted."""
        found = self._wait_while_busy()
        if found.standing is Standing.ABSENT and not found.is_reviewed:
            return
        self._call("delete_stack", StackName=self.name)
        last = self._wait_while_busy(is_begun=True)
        if last.standing is not Standing.ABSENT:
            raise self._stuck(last.status)

    def _stuck(self, status: str) -> TargetError:
        reason = self._reason()
        again = "nearshift destroy --target redshift"
        hints = {
            "ROLLBACK_COMPLETE": f"Mend the reason, remove what is left of it by: {again}, and deploy again.",
            "ROLLBACK_FAILED": f"Mend the reason, remove what is left of it by: {again}, and deploy again.",
            "CREATE_FAILED": f"Mend the reason, remove what is left of it by: {again}, and deploy again.",
            "DELETE_FAILED": f"Mend the reason and run again: {again}",
            "UPDATE_ROLLBACK_COMPLETE": f"All is as before. Mend the reason. {AGAIN}",
            "UPDATE_ROLLBACK_FAILED": f"Mend the reason, then: aws cloudformation continue-update-rollback --stack-name {self.name}",
        }
        return TargetError(f'stack "{self.name}" is in the state {status}', detail=reason, hint=hints.get(status, "Look at its events."))

    def _reason(self) -> str | None:
        """Return what failed first in the last attempt: its events are told the newest first."""
        reason: str | None = None
        for event in self._call("describe_stack_events", StackName=self.name)["StackEvents"]:
            status, told = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
            if status.endswith("_FAILED") and "cancelled" not in told.lower():
                reason = f"{event['LogicalResourceId']} ({event.get('ResourceType', '')}): {told}"
            is_start = event["LogicalResourceId"] == self.name and status in _STARTS
            if is_start and reason is not None:
                break
        return reason

    def _wait_while_busy(self, *, is_begun: bool = False) -> StackFound:
        started, looks = self._clock.monotonic(), 0
        while True:
            found = self.look()
            if found.standing is not Standing.BUSY and not (is_begun and found.is_reviewed):
                return found
            self._pause(started, looks)
            looks += 1

    def _wait(self, operation: str, is_done: Any) -> dict[str, Any]:
        started, looks = self._clock.monotonic(), 0
        while True:
            answer = self._call(operation, StackName=self.name, ChangeSetName=_CHANGE_SET)
            if is_done(answer):
                return answer
            self._pause(started, looks)
            looks += 1

    def _pause(self, started: float, looks: int) -> None:
        if self._clock.monotonic() - started > _WAIT_SECONDS_MAX:
            raise TargetError(f'stack "{self.name}" is still in progress after an hour', hint=f"Look at its events. {AGAIN}")
        self._clock.wait(threading.Event(), _POLL_SECONDS[min(looks, len(_POLL_SECONDS) - 1)])

    def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        return self._aws.call("cloudformation", operation, **members)


def _change(told: dict[str, Any]) -> ResourceChange:
    action, kind = told.get("Action", "Modify"), told.get("ResourceType", "")
    is_replaced = action == "Modify" and told.get("Replacement") in {"True", "Conditional"}
    if is_replaced:
        action = "Replace" if told["Replacement"] == "True" else "Replace?"
    loss = _HOLDS_ROWS.get(kind) if is_replaced or action == "Remove" else None
    return ResourceChange(action, kind, told.get("LogicalResourceId", ""), told.get("PhysicalResourceId", ""), loss)
