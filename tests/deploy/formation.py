"""A CloudFormation in memory that obeys the contract: change sets, states, events; quick enough to be cut off at every call."""

from __future__ import annotations

from typing import Any

from nearshift.deploy.calls import explain


class Formation:
    """Stacks by name. `broken` is the reason for which the next change fails and is rolled back."""

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.proposed: dict[str, dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.broken: str | None = None

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """Answer one operation."""
        found: dict[str, Any] = getattr(self, f"_{operation}")(**members)
        return found

    def _describe_stacks(self, StackName: str) -> dict[str, Any]:
        if StackName not in self.stacks:
            raise explain("cloudformation", "DescribeStacks", "ValidationError", f"Stack with id {StackName} does not exist")
        return {"Stacks": [self.stacks[StackName]]}

    def _get_template(self, StackName: str, TemplateStage: str) -> dict[str, Any]:
        assert TemplateStage == "Original"
        return {"TemplateBody": self.stacks[StackName]["body"]}

    def _list_change_sets(self, StackName: str) -> dict[str, Any]:
        return {"Summaries": [{"ChangeSetName": "nearshift"}] if StackName in self.proposed else []}

    def _create_change_set(self, StackName: str, **members: Any) -> dict[str, Any]:
        is_new = members["ChangeSetType"] == "CREATE"
        if StackName in self.proposed:
            raise explain("cloudformation", "CreateChangeSet", "AlreadyExistsException", "ChangeSet nearshift already exists")
        assert is_new == (self.stacks.get(StackName, {}).get("StackStatus", "REVIEW_IN_PROGRESS") == "REVIEW_IN_PROGRESS")
        self.proposed[StackName] = members
        if is_new:
            self.stacks[StackName] = {"StackName": StackName, "StackStatus": "REVIEW_IN_PROGRESS", "Tags": [], "Parameters": [], "body": ""}
        return {"Id": "arn"}

    def _describe_change_set(self, StackName: str, ChangeSetName: str) -> dict[str, Any]:
        assert ChangeSetName == "nearshift"
        wanted, stack = self.proposed[StackName], self.stacks[StackName]
        if (wanted["TemplateBody"], wanted["Parameters"], wanted["Tags"]) == (stack["body"], stack["Parameters"], stack["Tags"]):
            return {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
        return {"Status": "CREATE_COMPLETE", "Changes": [{"Type": "Resource", "ResourceChange": one} for one in self.changes]}

    def _delete_change_set(self, StackName: str, ChangeSetName: str) -> dict[str, Any]:
        assert ChangeSetName == "nearshift"
        del self.proposed[StackName]
        return {}

    def _execute_change_set(self, StackName: str, ChangeSetName: str) -> dict[str, Any]:
        assert ChangeSetName == "nearshift"
        wanted, stack = self.proposed.pop(StackName), self.stacks[StackName]
        is_new = wanted["ChangeSetType"] == "CREATE"
        stack["Tags"] = wanted["Tags"]
        if self.broken is not None:
            stack["StackStatus"] = "ROLLBACK_COMPLETE" if is_new else "UPDATE_ROLLBACK_COMPLETE"
            kind = "AWS::IAM::Role"
            failed = {"LogicalResourceId": "WarehouseRole", "ResourceType": kind, "ResourceStatus": "CREATE_FAILED"}
            cancelled = {"LogicalResourceId": "Stream", "ResourceType": "AWS::Kinesis::Stream", "ResourceStatus": "CREATE_FAILED"}
            start = {"LogicalResourceId": StackName, "ResourceType": "AWS::CloudFormation::Stack", "ResourceStatus": "CREATE_IN_PROGRESS"}
            cancelled["ResourceStatusReason"] = "Resource creation cancelled"
            self.events = [cancelled, {**failed, "ResourceStatusReason": self.broken}, start]
            return {}
        stack["StackStatus"] = "CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE"
        stack["Parameters"], stack["body"] = wanted["Parameters"], wanted["TemplateBody"]
        return {}

    def _describe_stack_events(self, StackName: str) -> dict[str, Any]:
        assert StackName in self.stacks
        return {"StackEvents": self.events}

    def _delete_stack(self, StackName: str) -> dict[str, Any]:
        self.stacks.pop(StackName, None)
        self.proposed.pop(StackName, None)
        return {}
