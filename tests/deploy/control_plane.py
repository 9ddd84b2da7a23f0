"""What moto has not: roles of clusters and namespaces, and the capture of tables. Requests and answers are checked by botocore's models."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.validate import ParamValidator
from tests.deploy.formation import Formation

from nearshift.deploy.calls import explain


@cache
def _client(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]


def validate(service: str, operation: str, members: dict[str, Any], *, is_answer: bool = False) -> None:
    """Raise AssertionError for a request, or answer, that is not of the shape that AWS documents."""
    client = _client(service)
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    shape = model.output_shape if is_answer else model.input_shape
    report = ParamValidator().validate(members, shape)
    assert not report.has_errors(), report.generate_report()


class ControlPlane:
    """A caller that answers some operations itself and hands on the rest. Implements `deploy.calls.Caller`."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.region = inner.region
        self.roles: dict[str, list[str]] = {}
        self.defaults: dict[str, str] = {}
        self.destinations: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []
        self.formation: Formation | None = None

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        self.calls.append(f"{service}:{operation}")
        if service == "cloudformation" and self.formation is not None:
            return self.formation.call(operation, **members)
        own = getattr(self, f"_{service.replace('-', '_')}_{operation}", None)
        if own is None:
            answer: dict[str, Any] = self._inner.call(service, operation, **members)
            return answer
        validate(service, operation, members)
        found: dict[str, Any] = own(**members)
        validate(service, operation, found, is_answer=True)
        return found

    def _redshift_describe_clusters(self, ClusterIdentifier: str) -> dict[str, Any]:
        if ClusterIdentifier not in self.roles:
            raise explain("redshift", "DescribeClusters", "ClusterNotFound", f"Cluster {ClusterIdentifier} not found.", 404)
        roles = [{"IamRoleArn": arn, "ApplyStatus": "in-sync"} for arn in self.roles[ClusterIdentifier]]
        default = self.defaults.get(ClusterIdentifier, "")
        return {"Clusters": [{"ClusterIdentifier": ClusterIdentifier, "IamRoles": roles, "DefaultIamRoleArn": default}]}

    def _redshift_modify_cluster_iam_roles(self, ClusterIdentifier: str, **members: Any) -> dict[str, Any]:
        left = [arn for arn in self.roles[ClusterIdentifier] if arn not in members["RemoveIamRoles"]]
        self.roles[ClusterIdentifier] = [*left, *members["AddIamRoles"]]
        self.defaults[ClusterIdentifier] = members.get("DefaultIamRoleArn", self.defaults.get(ClusterIdentifier, ""))
        return {}

    def _redshift_serverless_get_workgroup(self, workgroupName: str) -> dict[str, Any]:
        if workgroupName not in self.roles:
            raise explain("redshift-serverless", "GetWorkgroup", "ResourceNotFoundException", "not found", 404)
        return {"workgroup": {"workgroupName": workgroupName, "namespaceName": workgroupName, "endpoint": {"address": "h", "port": 5439}}}

    def _redshift_serverless_get_namespace(self, namespaceName: str) -> dict[str, Any]:
        roles = [f"IamRole(applyStatus=in-sync, iamRoleArn={arn})" for arn in self.roles[namespaceName]]
        return {"namespace": {"iamRoles": roles, "defaultIamRoleArn": self.defaults.get(namespaceName, "")}}

    def _redshift_serverless_update_namespace(self, namespaceName: str, **members: Any) -> dict[str, Any]:
        self.roles[namespaceName] = members["iamRoles"]
        self.defaults[namespaceName] = members.get("defaultIamRoleArn", self.defaults.get(namespaceName, ""))
        return {"namespace": {}}

    def _dynamodb_describe_kinesis_streaming_destination(self, TableName: str) -> dict[str, Any]:
        self._inner.call("dynamodb", "describe_table", TableName=TableName)
        found = self.destinations.get(TableName, {})
        return {"KinesisDataStreamDestinations": [{"StreamArn": arn, "DestinationStatus": state} for arn, state in found.items()]}

    def _dynamodb_enable_kinesis_streaming_destination(self, TableName: str, StreamArn: str, **members: Any) -> dict[str, Any]:
        assert members["EnableKinesisStreamingConfiguration"]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
        self.destinations.setdefault(TableName, {})[StreamArn] = "ACTIVE"
        return {"DestinationStatus": "ENABLING"}

    def _dynamodb_disable_kinesis_streaming_destination(self, TableName: str, StreamArn: str) -> dict[str, Any]:
        self.destinations[TableName][StreamArn] = "DISABLED"
        return {"DestinationStatus": "DISABLING"}
