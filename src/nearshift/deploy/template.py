"""The CloudFormation template of a pipeline: what its source, its warehouse and its schedules need on AWS; pure.

The same folder gives the same bytes.

Across accounts one template serves both: the parameter Part says which half a stack makes.
"""

from __future__ import annotations

import json
from typing import Any, Final

from nearshift import limits
from nearshift.deploy import policies
from nearshift.deploy.expressions import aws_expression
from nearshift.deploy.names import Names
from nearshift.deploy.yaml_text import Att, Equals, Not, Ref, Sub, template_text
from nearshift.errors import ConfigurationError
from nearshift.pipeline.manifest import Schedule

PIPELINE_TAG: Final = "nearshift:pipeline"
_REDSHIFT: Final = {"Service": ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]}
_OWN_SECRET: Final = Ref("AdminSecret")


def render_template(names: Names, schedules: tuple[Schedule, ...]) -> str:
    """Return the template as YAML.

    Raises ConfigurationError for a schedule that EventBridge would refuse or that nobody could run, and for a template that is too long.
    """
    resources = {**_source(names), **_roles(names), **_warehouse(names), **_schedules(names, schedules)}
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"nearshift pipeline {names.pipeline}: DynamoDB changes in Kinesis, loaded by Amazon Redshift",
    }
    parameters = _parameters(names, has_schedules=bool(schedules))
    template |= {"Parameters": parameters} if parameters else {}
    template |= _halves(names)
    template |= {"Resources": resources, "Outputs": _outputs(names, resources)}
    text = template_text(template, "Written by `nearshift deploy` from nearshift.toml; change that and write it anew.")
    if len(text.encode()) > limits.TEMPLATE_BYTES_MAX:
        hint = "Put some schedules into a pipeline of their own."
        raise ConfigurationError("the template is longer than CloudFormation takes", hint=hint)
    return text


def _parameters(names: Names, *, has_schedules: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if names.settings.is_cross_account:
        found["Part"] = {
            "Type": "String", "AllowedValues": ["source", "warehouse"],
            "Description": "Which half this stack makes: table and stream, or Redshift",
        }  # fmt: skip
    if has_schedules:
        found["SchedulesState"] = {
            "Type": "String", "AllowedValues": ["ENABLED", "DISABLED"], "Default": "DISABLED",
            "Description": "Disabled until the procedures that the schedules call are there",
        }  # fmt: skip
    if names.settings.stream == "create":
        found["RetentionHours"] = {
            "Type": "Number", "Default": names.settings.retention_hours, "MinValue": 24, "MaxValue": 8760,
            "Description": "How long the stream keeps changes; what is not read by then is lost",
        }  # fmt: skip
    if names.settings.is_serverless_made:
        found["BaseCapacity"] = {
            "Type": "Number", "Default": names.settings.capacity, "MinValue": 4, "MaxValue": 1024,
            "Description": "Redshift processing units of the workgroup",
        }  # fmt: skip
    return found


def _halves(names: Names) -> dict[str, Any]:
    if not names.settings.is_cross_account:
        return {}
    return {"Conditions": {"IsSource": Equals(Ref("Part"), "source"), "IsWarehouse": Not(Equals(Ref("Part"), "source"))}}


def _half(names: Names, condition: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"Type": resource["Type"], "Condition": condition, **resource} if names.settings.is_cross_account else resource


def _tags(names: Names) -> list[dict[str, str]]:
    found = {PIPELINE_TAG: names.pipeline, **names.settings.tags}
    return [{"Key": key, "Value": value} for key, value in sorted(found.items())]


def stack_tags(names: Names) -> list[dict[str, str]]:
    """Return the tags of the stack, which CloudFormation hands on to what it makes."""
    return _tags(names)


def _source(names: Names) -> dict[str, Any]:
    source, settings = names.source, names.settings
    found: dict[str, Any] = {}
    if settings.stream == "create":
        is_provisioned = settings.stream_mode == "provisioned"
        mode = {"StreamModeDetails": {"StreamMode": "PROVISIONED" if is_provisioned else "ON_DEMAND"}}
        shards = {"ShardCount": source.shards} if is_provisioned else {}
        stream = {"Name": source.stream, "RetentionPeriodHours": Ref("RetentionHours"), **mode, **shards}
        kept = {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Retain"}
        found["Stream"] = {"Type": "AWS::Kinesis::Stream", **kept, "Properties": stream}
    if settings.table == "create":
        keys = [(source.partition_key, "HASH", source.partition_key_type)]
        keys += [(source.sort_key, "RANGE", source.sort_key_type)] if source.sort_key is not None else []
        arn: Any = Att("Stream.Arn") if settings.stream == "create" else policies.stream_arn(names)
        table = {
            "TableName": source.table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, _, kind in keys],
            "KeySchema": [{"AttributeName": name, "KeyType": role} for name, role, _ in keys],
            "KinesisStreamSpecification": {"StreamArn": arn, "ApproximateCreationDateTimePrecision": "MICROSECOND"},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        }
        # The items are the user's, whatever becomes of the pipeline.
        found["Table"] = {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": table}
    return {name: _half(names, "IsSource", resource) for name, resource in found.items()}


def _roles(names: Names) -> dict[str, Any]:
    settings = names.settings
    found: dict[str, Any] = {}
    if settings.is_cross_account:
        own = settings.role or f"arn:${{AWS::Partition}}:iam::{settings.warehouse_account}:role/{names.warehouse_role}"
        # The account is trusted and the role is the condition: a role named as principal would have to exist first.
        trusted = policies.trust(
            {"AWS": Sub(f"arn:${{AWS::Partition}}:iam::{settings.warehouse_account}:root")}, {"ArnEquals": {"aws:PrincipalArn": Sub(own)}}
        )
        reader = _role(names.reader_role, trusted, policies.policy("read-stream", *policies.reading(names)))
        found["StreamReaderRole"] = _half(names, "IsSource", reader)
    if settings.role is None:
        if settings.is_cross_account:
            assumed = Sub(f"arn:${{AWS::Partition}}:iam::{settings.source_account}:role/{names.reader_role}")
            allowed = policies.policy("assume-stream-reader", policies.statement("sts:AssumeRole", assumed, sid="AssumeStreamReader"))
        else:
            allowed = policies.policy("read-stream", *policies.reading(names))
        found["WarehouseRole"] = _half(names, "IsWarehouse", _role(names.warehouse_role, policies.trust(_REDSHIFT), allowed))
    return found


def _role(name: str, trusted: dict[str, Any], *allowed: dict[str, Any]) -> dict[str, Any]:
    properties = {"RoleName": name, "AssumeRolePolicyDocument": trusted, "Policies": list(allowed)}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _warehouse(names: Names) -> dict[str, Any]:
    settings = names.settings
    if not settings.is_serverless_made:
        return {}
    role: Any = settings.role or Att("WarehouseRole.Arn")
    namespace = {
        "NamespaceName": names.namespace, "DbName": settings.database, "AdminUsername": "admin",
        "AdminUserPassword": Sub("{{resolve:secretsmanager:${AdminSecret}:SecretString:password}}"),
        "DefaultIamRoleArn": role, "IamRoles": [role],
    }  # fmt: skip
    login = {
        "SecretStringTemplate": '{"username": "admin"}', "GenerateStringKey": "password", "PasswordLength": 32, "ExcludePunctuation": True,
    }  # fmt: skip
    secret = {
        "Name": names.admin_secret, "Description": f"The administrator of Redshift for {names.pipeline}", "GenerateSecretString": login,
    }  # fmt: skip
    workgroup: dict[str, Any] = {
        "WorkgroupName": names.workgroup, "NamespaceName": Ref("Namespace"), "BaseCapacity": Ref("BaseCapacity"),
        "PubliclyAccessible": False, "EnhancedVpcRouting": False,
    }  # fmt: skip
    workgroup |= {"SubnetIds": list(settings.subnets)} if settings.subnets else {}
    workgroup |= {"SecurityGroupIds": list(settings.security_groups)} if settings.security_groups else {}
    kept = {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Retain"}
    found = {
        "AdminSecret": {"Type": "AWS::SecretsManager::Secret", **kept, "Properties": secret},
        "Namespace": {"Type": "AWS::RedshiftServerless::Namespace", **kept, "Properties": namespace},
        "Workgroup": {"Type": "AWS::RedshiftServerless::Workgroup", "Properties": workgroup},
    }
    return {name: _half(names, "IsWarehouse", resource) for name, resource in found.items()}


def _schedules(names: Names, schedules: tuple[Schedule, ...]) -> dict[str, Any]:
    if not schedules:
        return {}
    _check_runner(names, schedules)
    settings = names.settings
    own_secret = _OWN_SECRET if settings.is_serverless_made else None
    condition = {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}}
    role = _role(
        names.scheduler_role, policies.trust({"Service": "scheduler.amazonaws.com"}, condition),
        policies.policy("run-statements", *policies.calling(names, own_secret)),
    )  # fmt: skip
    found = {
        "SchedulerRole": role,
        "ScheduleGroup": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": names.stack, "Tags": _tags(names)}},
    }
    for schedule in schedules:
        target = {
            "Arn": Sub("arn:${AWS::Partition}:scheduler:::aws-sdk:redshiftdata:executeStatement"),
            "RoleArn": Att("SchedulerRole.Arn"),
            "Input": _input(names, schedule),
            "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 300},
        }
        properties = {
            "Name": schedule.name, "GroupName": Ref("ScheduleGroup"), "State": Ref("SchedulesState"),
            "ScheduleExpression": aws_expression(schedule), "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target,
        }  # fmt: skip
        found[_logical("Schedule", schedule.name, found)] = {"Type": "AWS::Scheduler::Schedule", "Properties": properties}
    return {name: _half(names, "IsWarehouse", resource) for name, resource in found.items()}


def _input(names: Names, schedule: Schedule) -> Any:
    """Return the request of ExecuteStatement; its token is the run's id, since the scheduler may deliver one twice."""
    settings = names.settings
    secret = settings.secret or ("${AdminSecret}" if settings.is_serverless_made else None)
    place = {"WorkgroupName": names.workgroup} if names.workgroup is not None else {"ClusterIdentifier": settings.cluster}
    who = {"SecretArn": secret} if secret is not None else {"DbUser": settings.user}
    words = {
        "Sql": schedule.statement, "Database": settings.database, **place, **who,
        "StatementName": f"{names.stack}/{schedule.name}", "ClientToken": "<aws.scheduler.execution-id>",
    }  # fmt: skip
    if secret is None or not secret.startswith("${"):
        return json.dumps(words, ensure_ascii=False)
    quoted = {name: value if value == secret else str(value).replace("${", "${!") for name, value in words.items()}
    return Sub(json.dumps(quoted, ensure_ascii=False))


def _check_runner(names: Names, schedules: tuple[Schedule, ...]) -> None:
    settings = names.settings
    if settings.is_serverless_made or settings.secret is not None or (settings.cluster is not None and settings.user is not None):
        return
    message = f'nobody can run schedule "{schedules[0].name}": only the owner of a view may refresh it'
    hint = "Set targets.redshift.secret to a secret with the login that owns the views" + (", or user." if settings.cluster else ".")
    raise ConfigurationError(message, hint=hint)


def _logical(prefix: str, name: str, taken: dict[str, Any]) -> str:
    """Return a name of letters and digits, by which CloudFormation knows a resource."""
    words = "".join(part[:1].upper() + part[1:] for part in "".join(c if c.isalnum() else " " for c in name).split())
    base, number = prefix + (words if words.isascii() else ""), 2
    found = base
    while found in taken:
        found, number = f"{base}{number}", number + 1
    return found


def _outputs(names: Names, resources: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, tuple[str, str, Any]] = {
        "StreamArn": ("Stream", "The stream of changes", Att("Stream.Arn")),
        "TableArn": ("Table", "The table whose changes are captured", Att("Table.Arn")),
        "StreamReaderRoleArn": ("StreamReaderRole", "The role that Redshift's role assumes", Att("StreamReaderRole.Arn")),
        "WarehouseRoleArn": ("WarehouseRole", "The role by which Redshift reads the stream", Att("WarehouseRole.Arn")),
        "WorkgroupName": ("Workgroup", "The warehouse", Ref("Workgroup")),
        "SecretArn": ("AdminSecret", "The secret with the administrator's login", _OWN_SECRET),
    }
    found: dict[str, Any] = {}
    for name, (resource, description, value) in values.items():
        if resource in resources:
            condition = {"Condition": resources[resource]["Condition"]} if "Condition" in resources[resource] else {}
            found[name] = {**condition, "Description": description, "Value": value}
    return found or {"Pipeline": {"Description": "The pipeline's name", "Value": names.pipeline}}
