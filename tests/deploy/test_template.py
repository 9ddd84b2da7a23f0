"""The template: accepted by cfn-lint in every shape, the same bytes each time, and least rights in its roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.folders import MANIFEST, write_folder
from tests.deploy.linting import lint

from nearshift.deploy.names import names_of
from nearshift.deploy.template import render_template
from nearshift.errors import ConfigurationError
from nearshift.pipeline.folder import Pipeline

SHAPES = {
    "everything is made": "",
    "everything is said": 'stream_mode = "provisioned"\nretention_hours = 48\ntags = { team = "data" }\n'
    'subnets = ["subnet-0123456789abcdef0"]\nsecurity_groups = ["sg-0123456789abcdef0"]\nrole = "arn:aws:iam::123456789012:role/redshift"',
    "an existing table and stream": 'table = "existing"\nstream = "existing"',
    "an existing workgroup": 'workgroup = "analytics"\nsecret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login-AbCdEf"',
    "an existing cluster": 'cluster = "analytics"\nuser = "loader"',
    "two accounts": 'source_account = "111111111111"\nwarehouse_account = "222222222222"',
    "two accounts, all there": 'source_account = "111111111111"\nwarehouse_account = "222222222222"\ntable = "existing"\n'
    'stream = "existing"\ncluster = "c"\nuser = "u"',
}


class _Loader(yaml.SafeLoader):
    pass


def _tagged(loader: Any, suffix: str, node: Any) -> Any:
    build = loader.construct_scalar if isinstance(node, yaml.ScalarNode) else loader.construct_sequence
    return {suffix: build(node)}


_Loader.add_multi_constructor("!", _tagged)


def render(pipeline: Pipeline) -> str:
    return render_template(names_of(pipeline), pipeline.manifest.schedules)


def parsed(text: str) -> Any:
    return yaml.load(text, _Loader)


@pytest.mark.parametrize("shape", SHAPES)
def test_cfn_lint_has_nothing_to_say(shape: str, tmp_path: Path) -> None:
    assert lint(render(write_folder(tmp_path, SHAPES[shape]))) == []


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    first = render(write_folder(tmp_path / "a"))
    assert render(write_folder(tmp_path / "b")) == first
    assert first.startswith("# Written by `nearshift deploy`")
    assert "!Ref RetentionHours" in first


def test_the_table_captures_in_microseconds_and_outlives_the_stack(tmp_path: Path) -> None:
    table = parsed(render(write_folder(tmp_path)))["Resources"]["Table"]
    assert table["Properties"]["KinesisStreamSpecification"]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_roles_may_do_what_they_need_and_no_more(tmp_path: Path) -> None:
    resources = parsed(render(write_folder(tmp_path, 'cluster = "analytics"\nuser = "loader"')))["Resources"]
    allowed = {
        (name, action)
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert allowed == {
        ("WarehouseRole", "kinesis:DescribeStream"), ("WarehouseRole", "kinesis:DescribeStreamSummary"),
        ("WarehouseRole", "kinesis:GetRecords"), ("WarehouseRole", "kinesis:GetShardIterator"), ("WarehouseRole", "kinesis:ListShards"),
        ("WarehouseRole", "kinesis:ListStreams"), ("SchedulerRole", "redshift-data:ExecuteStatement"),
        ("SchedulerRole", "redshift:GetClusterCredentials"),
    }  # fmt: skip
    wide = [s for r in resources.values() for p in r["Properties"].get("Policies", []) for s in p["PolicyDocument"]["Statement"]
            if s["Resource"] == "*"]  # fmt: skip
    assert [statement["Action"] for statement in wide] == ["kinesis:ListStreams"]


def test_across_accounts_the_roles_are_a_chain(tmp_path: Path) -> None:
    pipeline = write_folder(tmp_path, SHAPES["two accounts"])
    resources = parsed(render(pipeline))["Resources"]
    assert resources["Stream"]["Condition"] == "IsSource"
    assert resources["Workgroup"]["Condition"] == "IsWarehouse"
    trust = resources["StreamReaderRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"]["AWS"]["Sub"].endswith("222222222222:root")
    assert trust["Condition"]["ArnEquals"]["aws:PrincipalArn"]["Sub"].endswith("222222222222:role/nearshift-shop-redshift")
    assumed = resources["WarehouseRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]
    assert (assumed["Action"], assumed["Resource"]["Sub"].rpartition("::")[2]) == (
        "sts:AssumeRole", "111111111111:role/nearshift-shop-stream-reader",
    )  # fmt: skip
    assert names_of(pipeline).role_chain() == (
        "arn:aws:iam::222222222222:role/nearshift-shop-redshift,arn:aws:iam::111111111111:role/nearshift-shop-stream-reader"
    )


def test_a_schedule_calls_the_data_api_once_per_run(tmp_path: Path) -> None:
    resources = parsed(render(write_folder(tmp_path, 'cluster = "analytics"\nuser = "loader"')))["Resources"]
    assert resources["ScheduleNightly"]["Properties"]["ScheduleExpression"] == "cron(0 3 * * ? *)"
    load = resources["ScheduleLoad"]["Properties"]
    assert (load["ScheduleExpression"], load["State"]) == ("rate(1 minute)", {"Ref": "SchedulesState"})
    assert load["Target"]["Input"] == (
        '{"Sql": "CALL sp_load()", "Database": "dev", "ClusterIdentifier": "analytics", "DbUser": "loader", '
        '"StatementName": "nearshift-shop/load", "ClientToken": "<aws.scheduler.execution-id>"}'
    )


def test_a_schedule_needs_somebody_who_owns_the_views(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match='nobody can run schedule "load"') as caught:
        render(write_folder(tmp_path, 'workgroup = "analytics"'))
    assert "targets.redshift.secret" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('workgroup = "a"\ncluster = "b"', "a workgroup is named too"),
        ('stack = "Shop"', '"Shop" is not a name'),
        ('role = "admin"', "not the ARN of an IAM role"),
        ('source_account = "111111111111"', "given together"),
        ('user = "a"\nsecret = "b"', "a secret is named too"),
        ('tags = { "aws:x" = "y" }', "a word that is taken"),
        ("retention_hours = 23", "retention_hours"),
        ("wrong = 1", "wrong"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        write_folder(tmp_path, settings)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("local", "aws", "written"),
    [
        ("rate(1 minutes)", None, "rate(1 minute)"),
        ("rate(5 minute)", None, "rate(5 minutes)"),
        ("cron(0 12 ? * mon-fri *)", None, "cron(0 12 ? * MON-FRI *)"),
        ("cron(0/15 * L * ? 2026)", None, "cron(0/15 * L * ? 2026)"),
    ],
)
def test_expressions_are_written_as_eventbridge_has_them(local: str, aws: str | None, written: str, tmp_path: Path) -> None:
    manifest = MANIFEST.replace("cron(0 3 * * ? *)", local)
    text = render(write_folder(tmp_path, 'cluster = "c"\nuser = "u"', manifest=manifest))
    assert parsed(text)["Resources"]["ScheduleNightly"]["Properties"]["ScheduleExpression"] == written


@pytest.mark.parametrize(
    ("local", "hint"),
    [
        ("rate(10 seconds)", 'Add aws = "rate(1 minute)" to the schedule.'),
        ("rate(150 seconds)", 'Add aws = "rate(2 minutes)" to the schedule.'),
        ("on refresh of records", 'Add aws = "rate(1 minute)" to the schedule.'),
        ("0 3 * * 1-5", 'Write aws = "cron(0 3 ? * 2-6 *)".'),
        ("cron(0 3 * * *)", 'Write "cron(0 3 * * ? *)".'),
        ("cron(0 3 * * * *)", 'Write "cron(0 3 * * ? *)" or "cron(0 3 ? * MON-FRI *)".'),
        ("cron(0 24 * * ? *)", "The hours is between 0 and 23."),
        ("every day", 'Write "rate(5 minutes)" or "cron(0 3 * * ? *)".'),
    ],
)
def test_an_expression_that_aws_would_refuse_comes_with_one_that_it_takes(local: str, hint: str, tmp_path: Path) -> None:
    manifest = MANIFEST.replace("cron(0 3 * * ? *)", local)
    with pytest.raises(ConfigurationError, match='schedule "nightly": EventBridge would refuse') as caught:
        render(write_folder(tmp_path, 'cluster = "c"\nuser = "u"', manifest=manifest))
    assert caught.value.hint == hint
