"""Who may do what: the statements of the roles that the stack makes, no more than each one needs."""

from __future__ import annotations

from typing import Any

from nearshift.deploy.names import Names
from nearshift.deploy.yaml_text import Sub

# "Getting started with streaming ingestion from Amazon Kinesis Data Streams", Amazon Redshift database developer guide.
_READ_STREAM = [
    "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards",
]  # fmt: skip


def statement(action: list[str] | str, resource: Any, *, sid: str | None = None, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return one statement that allows."""
    found: dict[str, Any] = {} if sid is None else {"Sid": sid}
    found |= {"Effect": "Allow", "Action": action, "Resource": resource}
    return found if condition is None else {**found, "Condition": condition}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def policy(name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    """Return an inline policy of a role."""
    return {"PolicyName": name, "PolicyDocument": document(*statements)}


def trust(principal: dict[str, Any], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return who may take a role on."""
    found: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return document(found if condition is None else {**found, "Condition": condition})


def stream_arn(names: Names) -> Sub:
    """Return the ARN of the stream in the account of the stack."""
    return Sub(f"arn:${{AWS::Partition}}:kinesis:${{AWS::Region}}:${{AWS::AccountId}}:stream/{names.source.stream}")


def reading(names: Names) -> list[dict[str, Any]]:
    """Return what reading the stream takes. ListStreams knows no resource."""
    return [
        statement(_READ_STREAM, stream_arn(names), sid="ReadStream"),
        statement("kinesis:ListStreams", "*", sid="ListStreams"),
    ]


def calling(names: Names, own_secret: Any) -> list[dict[str, Any]]:
    """Return what a schedule needs to run a statement by the Data API, as the user who owns the views."""
    settings = names.settings
    secret = settings.secret or own_secret
    if names.workgroup is not None:
        # The ARN of a workgroup ends in an id that nobody knows before it is made.
        place: Any = Sub("arn:${AWS::Partition}:redshift-serverless:${AWS::Region}:${AWS::AccountId}:workgroup/*")
    else:
        place = Sub(f"arn:${{AWS::Partition}}:redshift:${{AWS::Region}}:${{AWS::AccountId}}:cluster:{settings.cluster}")
    found = [statement("redshift-data:ExecuteStatement", place, sid="RunStatements")]
    if secret is not None:
        found.append(statement("secretsmanager:GetSecretValue", secret, sid="ReadSecret"))
    elif settings.cluster is not None:
        base = "arn:${AWS::Partition}:redshift:${AWS::Region}:${AWS::AccountId}:"
        resources = [Sub(f"{base}dbuser:{settings.cluster}/{settings.user}"), Sub(f"{base}dbname:{settings.cluster}/{settings.database}")]
        found.append(statement("redshift:GetClusterCredentials", resources, sid="LogIn"))
    return found
