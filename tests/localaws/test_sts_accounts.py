"""Accounts and role chains with boto3's own STS client."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer


def assume(sts: Any, role: str, name: str = "session", **more: Any) -> Any:
    return sts.assume_role(RoleArn=role, RoleSessionName=name, **more)


def test_a_key_of_twelve_digits_is_an_account(local_server: LocalServer) -> None:
    identity = local_server.client("sts", access_key="000011112222").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == ("000011112222", "arn:aws:iam::000011112222:root")
    assert local_server.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert local_server.client("sts", access_key="ASIAUNKNOWNKEY123456").get_caller_identity()["Account"] == "123456789012"


def test_a_role_of_another_account_reads_that_accounts_streams(local_server: LocalServer) -> None:
    owner = local_server.client("kinesis", access_key="222222222222")
    owner.create_stream(StreamName="theirs", ShardCount=1)
    owner.put_record(StreamName="theirs", Data=b"over there", PartitionKey="k")
    first = assume(local_server.client("sts"), "arn:aws:iam::111111111111:role/first")["Credentials"]
    middle = local_server.client("sts", access_key=first["AccessKeyId"], token=first["SessionToken"])
    second = assume(middle, "arn:aws:iam::222222222222:role/path/reader", "chain")
    assert second["AssumedRoleUser"]["Arn"] == "arn:aws:sts::222222222222:assumed-role/reader/chain"
    credentials = second["Credentials"]
    reader = local_server.client("kinesis", access_key=credentials["AccessKeyId"], token=credentials["SessionToken"])
    assert reader.list_streams()["StreamNames"] == ["theirs"]
    iterator = reader.get_shard_iterator(StreamName="theirs", ShardId="0", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    assert [record["Data"] for record in reader.get_records(ShardIterator=iterator)["Records"]] == [b"over there"]
    identity = local_server.client("sts", access_key=credentials["AccessKeyId"], token="t").get_caller_identity()
    assert identity["Arn"].endswith(":assumed-role/reader/chain")
    assert identity["UserId"] == second["AssumedRoleUser"]["AssumedRoleId"]


def test_temporary_credentials_expire(local_server: LocalServer) -> None:
    credentials = assume(local_server.client("sts"), "arn:aws:iam::111111111111:role/r", DurationSeconds=900)["Credentials"]
    assert timedelta(seconds=890) < credentials["Expiration"] - datetime.now(UTC) < timedelta(seconds=901)
    kinesis = local_server.client("kinesis", access_key=credentials["AccessKeyId"], token=credentials["SessionToken"])
    kinesis.list_streams()
    local_server.admin("clock", advance=901)
    with pytest.raises(ClientError) as caught:
        kinesis.list_streams()
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"RoleArn": "arn:aws:iam::1:role/too-short-account"}, "is invalid"),
        ({"RoleSessionName": "with space"}, "roleSessionName"),
        ({"DurationSeconds": 43_201}, "less than or equal to 43200"),
    ],
)
def test_wrong_arguments_are_validation_errors(local_server: LocalServer, fields: dict[str, Any], words: str) -> None:
    arguments = {"RoleArn": "arn:aws:iam::111111111111:role/r", "RoleSessionName": "name", **fields}
    with pytest.raises(ClientError) as caught:
        local_server.client("sts").assume_role(**arguments)
    error = caught.value.response["Error"]
    assert (error["Code"], words in error["Message"]) == ("ValidationError", True)


def test_a_form_without_botocore_is_checked_too(local_server: LocalServer) -> None:
    role = "RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fr"
    for body, words in (
        (f"{role}&RoleSessionName=name&DurationSeconds=899", "greater than or equal to 900"),
        (f"{role}&RoleSessionName=name&DurationSeconds=soon", "not a number"),
        (role, "Value null at 'roleSessionName'"),
        ("RoleSessionName=name", "Value null at 'roleArn'"),
    ):
        request = urllib.request.Request(local_server.endpoint, f"Action=AssumeRole&Version=2011-06-15&{body}".encode())
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        with caught.value:
            assert (caught.value.code, words in caught.value.read().decode()) == (400, True)


def test_a_chained_role_has_one_hour(local_server: LocalServer) -> None:
    first = assume(local_server.client("sts"), "arn:aws:iam::111111111111:role/r", DurationSeconds=7200)["Credentials"]
    chained = local_server.client("sts", access_key=first["AccessKeyId"], token=first["SessionToken"])
    with pytest.raises(ClientError, match="1 hour session limit"):
        assume(chained, "arn:aws:iam::222222222222:role/r", DurationSeconds=3601)


def test_other_actions_are_refused(local_server: LocalServer) -> None:
    with pytest.raises(ClientError) as caught:
        local_server.client("sts").get_session_token()
    assert caught.value.response["Error"]["Code"] == "InvalidAction"
