"""IAM_ROLE: which texts it may have, and a chain of roles through two accounts that renews itself once an hour and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from nearshift.errors import InvalidSql
from nearshift.streams.kinesis import Access, open_stream
from nearshift.streams.roles import assume_roles, parse_roles

READER = "arn:aws:iam::111111111111:role/warehouse"
OWNER = "arn:aws:iam::222222222222:role/path/stream-reader"


@pytest.mark.parametrize(
    ("text", "default_role", "roles"),
    [
        ("default", None, ()),
        ("DEFAULT", READER, (READER,)),
        (READER, None, (READER,)),
        (f"{READER},{OWNER}", READER, (READER, OWNER)),
        ("arn:aws-us-gov:iam::111111111111:role/a,b", None, ("arn:aws-us-gov:iam::111111111111:role/a,b",)),
    ],
)
def test_a_role_clause_names_a_chain(text: str, default_role: str | None, roles: tuple[str, ...]) -> None:
    assert parse_roles(text, default_role=default_role) == roles


REFUSED = ["", "admin", f"{READER}, {OWNER}", f"{READER};", "arn:aws:iam::1:role/x", "arn:aws:iam::111111111111:user/x"]


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidSql, match="is not the ARN of an IAM role") as caught:
        parse_roles(text)
    assert caught.value.hint


def test_a_chain_has_ten_roles_at_most() -> None:
    assert len(parse_roles(",".join([READER] * 10))) == 10
    with pytest.raises(InvalidSql, match="chain of 11 roles"):
        parse_roles(",".join([READER] * 11))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


def test_a_chain_ends_in_the_account_of_its_last_role_and_assumes_each_role_once(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assumed: Counter[str] = Counter()
    durations: set[int] = set()

    def note(params: dict[str, Any], **_: object) -> None:
        assumed[params["RoleArn"]] += 1
        durations.add(params["DurationSeconds"])

    create = boto3.Session.client

    def client(self: boto3.Session, service: str, *args: Any, **options: Any) -> Any:
        made = create(self, service, *args, **options)  # type: ignore[call-overload]
        if service == "sts":
            made.meta.events.register("provide-client-params.sts.AssumeRole", note)
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    session = assume_roles((READER, OWNER), "us-east-1")
    assert assumed == {}
    session.client("kinesis").create_stream(StreamName="s", ShardCount=1)
    for _ in range(3):
        assert session.client("sts").get_caller_identity()["Account"] == "222222222222"
    assert assumed == {READER: 1, OWNER: 1}
    assert durations == {3600}


def test_a_stream_of_another_account_is_read_through_the_chain(cloud: None) -> None:
    assume_roles((OWNER,), "us-east-1").client("kinesis").create_stream(StreamName="theirs", ShardCount=2)
    source = open_stream("theirs", Access(region="us-east-1", roles=(READER, OWNER)))
    found = source.describe()
    assert found.identity.startswith("arn:aws:kinesis:us-east-1:222222222222:stream/theirs@")
    assert found.retention == timedelta(hours=24)
    assert len(source.shards()) == 2
