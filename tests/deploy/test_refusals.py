"""What goes wrong on AWS: one clear message with the next step each, and nothing half-made is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError
from botocore.stub import Stubber
from tests.deploy.conftest import REGION, Cloud
from tests.deploy.control_plane import validate
from tests.deploy.folders import MANIFEST, write_folder
from tests.deploy.formation import Formation
from tests.deploy.places import SessionRemote
from tests.deploy.test_template import parsed, render

from nearshift.deploy.aws import Aws
from nearshift.deploy.calls import Refusal, explain
from nearshift.deploy.deployment import Deployment, Surroundings
from nearshift.deploy.stack import Stack, Standing
from nearshift.errors import ConfigurationError, NearshiftError, TargetError

CLUSTER = 'cluster = "analytics"\nuser = "dev"\ntable = "existing"'


@pytest.fixture
def quick(cloud: Cloud) -> Cloud:
    cloud.aws.formation = Formation()
    cloud.aws.roles["analytics"] = []
    return cloud


def stubbed(code: str, message: str, status: int = 400) -> Aws:
    aws = Aws(REGION)
    stubber = Stubber(aws.client("sts"))
    stubber.add_client_error("get_caller_identity", code, message, status)
    stubber.activate()
    return aws


def failure(aws: Aws, service: str = "sts", operation: str = "get_caller_identity", **members: Any) -> NearshiftError:
    with pytest.raises(NearshiftError) as caught:
        aws.call(service, operation, **members)
    return caught.value


def test_without_credentials_it_says_how_to_get_some(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure(Aws(REGION))
    assert error.message == "there are no AWS credentials"
    assert "AWS_PROFILE" in (error.hint or "")


def test_a_region_must_be_named_and_exist(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TargetError, match='"eu-wset-1" is not a region of AWS'):
        Aws("eu-wset-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(TargetError, match="no AWS region is named"):
        Aws(None)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(TargetError, match="the AWS profile does not exist"):
        Aws(REGION)


@pytest.mark.parametrize(
    ("code", "status", "message", "hint"),
    [
        ("InvalidClientTokenId", 403, "AWS does not know these credentials", "aws sts get-caller-identity"),
        ("ExpiredToken", 400, "the AWS credentials have expired", "Log in anew"),
        ("OptInRequired", 400, 'the account may not use "sts"', "Subscribe"),
        ("InternalFailure", 500, 'AWS could not answer "sts:GetCallerIdentity"', "goes on where it stopped"),
    ],
)
def test_refusals_are_told_in_our_words(credentials: None, code: str, status: int, message: str, hint: str) -> None:
    error = failure(stubbed(code, "no", status))
    assert (error.message, error.detail) == (message, "no")
    assert hint in (error.hint or "")


def test_a_missing_right_is_named_with_the_line_of_policy_that_gives_it() -> None:
    told = (
        "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: iam:CreateRole on resource: "
        "arn:aws:iam::123456789012:role/nearshift-shop-redshift because no identity-based policy allows the iam:CreateRole action"
    )
    error = explain("iam", "CreateRole", "AccessDenied", told, 403)
    assert error.message == 'AWS does not allow "iam:CreateRole"'
    assert (
        '{"Effect": "Allow", "Action": "iam:CreateRole", "Resource": "arn:aws:iam::123456789012:role/nearshift-shop-redshift"}'
        in (error.hint or "")
    )
    plain = explain("dynamodb", "EnableKinesisStreamingDestination", "AccessDeniedException", "", 400)
    assert '"Action": "dynamodb:EnableKinesisStreamingDestination", "Resource": "*"' in (plain.hint or "")


def test_a_throttled_call_is_tried_again_and_then_told(credentials: None) -> None:
    aws = Aws(REGION)
    stubber = Stubber(aws.client("sts"))
    stubber.add_client_error("get_caller_identity", "Throttling", "Rate exceeded", 400)
    stubber.activate()
    error = failure(aws)
    assert 'call "sts:GetCallerIdentity" less often' in error.message
    assert aws.client("sts").meta.config.retries["total_max_attempts"] == 8


def test_a_network_that_does_not_answer_is_told(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws(REGION)
    for fault in (EndpointConnectionError(endpoint_url="https://sts"), ConnectTimeoutError(endpoint_url="https://sts")):

        def refuse(_fault: Exception = fault, **_members: Any) -> None:
            raise _fault

        monkeypatch.setattr(aws.client("sts"), "get_caller_identity", refuse)
        error = failure(aws)
        assert error.message == 'could not reach "sts" of AWS'
        assert "goes on where it stopped" in (error.hint or "")


def test_a_request_that_is_not_well_formed_never_leaves(credentials: None) -> None:
    assert "not well formed" in failure(Aws(REGION), "iam", "get_role", RoleName=7).message


def test_a_name_that_is_taken_is_told_before_anything_is_made(quick: Cloud, tmp_path: Path) -> None:
    quick.aws.call("kinesis", "create_stream", StreamName="events", ShardCount=1)
    with pytest.raises(ConfigurationError, match='stream "events" is there already') as caught:
        quick.deploy(write_folder(tmp_path))
    assert 'stream = "existing"' in (caught.value.hint or "")
    assert quick.aws.formation is not None
    assert quick.aws.formation.stacks == {}


def test_a_stack_of_somebody_else_is_not_touched(quick: Cloud, tmp_path: Path) -> None:
    pipeline = write_folder(tmp_path, CLUSTER)
    assert quick.aws.formation is not None
    quick.aws.formation.stacks["nearshift-shop"] = {"StackStatus": "CREATE_COMPLETE", "Tags": [], "Parameters": [], "body": ""}
    for way in (quick.deploy, quick.destroy):
        with pytest.raises(ConfigurationError, match='stack "nearshift-shop" is there and does not belong'):
            way(pipeline)


def test_a_stack_that_could_not_be_made_says_why_and_is_taken_away(quick: Cloud, tmp_path: Path) -> None:
    _orders(quick)
    pipeline = write_folder(tmp_path, CLUSTER)
    formation = quick.aws.formation
    assert formation is not None
    formation.broken = "nearshift-shop-redshift already exists"
    with pytest.raises(TargetError, match="is in the state ROLLBACK_COMPLETE") as caught:
        quick.deploy(pipeline)
    assert caught.value.detail == "WarehouseRole (AWS::IAM::Role): nearshift-shop-redshift already exists"
    assert "nearshift destroy --target redshift" in (caught.value.hint or "")
    formation.broken = None
    with pytest.raises(TargetError, match="ROLLBACK_COMPLETE"):
        quick.deploy(pipeline)
    assert quick.destroy(pipeline) == ["stack delete nearshift-shop"]
    assert quick.deploy(pipeline)[-1] == "schedules enable nearshift-shop"


def test_a_change_that_would_lose_rows_waits_until_it_is_allowed(quick: Cloud, tmp_path: Path) -> None:
    _orders(quick)
    quick.deploy(write_folder(tmp_path, CLUSTER))
    assert quick.aws.formation is not None
    kind = "AWS::Kinesis::Stream"
    quick.aws.formation.changes = [
        {"Action": "Modify", "LogicalResourceId": "Stream", "ResourceType": kind, "Replacement": "True", "PhysicalResourceId": "events"}
    ]
    changed = write_folder(tmp_path, CLUSTER + "\nretention_hours = 48")
    with pytest.raises(ConfigurationError, match='"Stream" is not changed: changes that nobody has read would be lost') as caught:
        quick.deploy(changed)
    assert "--allow Stream" in (caught.value.hint or "")
    assert "stack replace Stream" in quick.deploy(changed, "Stream")


def test_a_table_that_is_not_there_or_may_not_be_captured_is_told(quick: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = write_folder(tmp_path, CLUSTER)
    with pytest.raises(ConfigurationError, match='table "orders" is not there') as caught:
        quick.deploy(pipeline)
    assert 'table = "create"' in (caught.value.hint or "")
    _orders(quick)

    def deny(**_members: Any) -> None:
        raise explain("dynamodb", "EnableKinesisStreamingDestination", "AccessDeniedException", "no", 400)

    monkeypatch.setattr(quick.aws, "_dynamodb_enable_kinesis_streaming_destination", deny)
    with pytest.raises(Refusal, match='does not allow "dynamodb:EnableKinesisStreamingDestination"'):
        quick.deploy(pipeline)
    made = quick.deployment(pipeline).memory.find("capture", "orders")
    assert made is not None
    assert not made.is_done
    monkeypatch.undo()


def test_a_warehouse_that_is_not_there_is_told(quick: Cloud, tmp_path: Path) -> None:
    _orders(quick)
    with pytest.raises(ConfigurationError, match='warehouse "other" is not there'):
        quick.deploy(write_folder(tmp_path, CLUSTER.replace("analytics", "other")))


def test_an_existing_workgroup_gets_the_role_beside_those_it_has(quick: Cloud, tmp_path: Path) -> None:
    _orders(quick)
    quick.aws.roles["abc"] = ["arn:aws:iam::123456789012:role/other"]
    quick.aws.defaults["abc"] = "arn:aws:iam::123456789012:role/other"
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login-AbCdEf"
    pipeline = write_folder(tmp_path, f'workgroup = "abc"\nsecret = "{secret}"\ntable = "existing"')
    around = Surroundings(quick.aws, quick.clock, lambda _names: SessionRemote(quick.redshift.warehouse))
    deployment = Deployment(pipeline, around)
    assert deployment.plan().notes == (
        "IAM_ROLE default means arn:aws:iam::123456789012:role/other there: it must be allowed to read the stream",
    )
    list(deployment.deploy())
    own = "arn:aws:iam::123456789012:role/nearshift-shop-redshift"
    assert (quick.aws.roles["abc"], quick.aws.defaults["abc"]) == (["arn:aws:iam::123456789012:role/other", own], quick.aws.defaults["abc"])
    list(deployment.destroy())
    assert quick.aws.roles["abc"] == ["arn:aws:iam::123456789012:role/other"]


def test_across_accounts_the_sql_must_name_the_chain(quick: Cloud, tmp_path: Path) -> None:
    accounts = 'cluster = "analytics"\nuser = "dev"\nsource_account = "111111111111"\nwarehouse_account = "123456789012"'
    with pytest.raises(ConfigurationError, match="does not name the roles of both accounts") as caught:
        quick.deploy(write_folder(tmp_path, accounts))
    chain = (caught.value.hint or "").removeprefix("Write: ")
    sql = f"CREATE EXTERNAL SCHEMA kds FROM KINESIS {chain};\nCREATE TABLE fact (n int);"
    done = quick.deploy(write_folder(tmp_path, accounts, sql=sql))
    assert "sql create public.fact" in done
    other = accounts.replace("123456789012", "222222222222")
    with pytest.raises(ConfigurationError, match="the AWS credentials are for account 123456789012"):
        quick.deploy(write_folder(tmp_path, other))


def test_the_state_of_another_stack_is_not_forgotten(quick: Cloud, tmp_path: Path) -> None:
    _orders(quick)
    quick.deploy(write_folder(tmp_path, CLUSTER))
    with pytest.raises(ConfigurationError, match='remembers what was made for stack "nearshift-shop"'):
        quick.deploy(write_folder(tmp_path, CLUSTER + '\nstack = "other"'))


def test_schedules_are_of_the_shape_that_the_scheduler_takes(tmp_path: Path) -> None:
    resources = parsed(render(write_folder(tmp_path, CLUSTER, manifest=MANIFEST)))["Resources"]
    schedules = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Scheduler::Schedule"]
    assert len(schedules) == 2
    for one in schedules:
        target = {**one["Target"], "Arn": one["Target"]["Arn"]["Sub"], "RoleArn": "arn:aws:iam::123456789012:role/r"}
        validate("scheduler", "create_schedule", {**one, "GroupName": "g", "State": "ENABLED", "Target": target})
        model = boto3.client("redshift-data", region_name=REGION).meta.service_model.operation_model("ExecuteStatement")
        assert model.input_shape is not None
        assert all(f'"{name}"' in one["Target"]["Input"] for name in model.input_shape.required_members)


def test_a_stack_in_progress_is_waited_for(quick: Cloud) -> None:
    states = ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]

    class Slow:
        region = REGION

        def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
            tags = [{"Key": "nearshift:pipeline", "Value": "shop"}]
            return {"Stacks": [{"StackName": "s", "StackStatus": states.pop(0), "Tags": tags}]}

    assert Stack(Slow(), "s", "shop", quick.clock).settle().standing is Standing.READY
    assert states == []


def _orders(cloud: Cloud) -> None:
    cloud.aws.call(
        "dynamodb", "create_table", TableName="orders", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )  # fmt: skip
