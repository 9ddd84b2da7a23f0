"""COPY and UNLOAD with Amazon S3: a stand-in of it on loopback, and what is said of missing buckets, keys and rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from nearshift.errors import NearshiftError
from nearshift.transfer.s3 import S3Access, S3Objects

if TYPE_CHECKING:
    from tests.transfer.conftest import Place

ROLE = "arn:aws:iam::123456789012:role/loader"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _host, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of S3 with one empty bucket; the environment is what an operator would set."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    boto3.client("s3").create_bucket(Bucket="lake")
    client = boto3.client("s3")
    for one in client.list_objects_v2(Bucket="lake").get("Contents", ()):
        client.delete_object(Bucket="lake", Key=one["Key"])
    return client


def test_a_prefix_is_loaded_with_a_role_with_keys_and_with_neither(place: Place, store: Any) -> None:
    store.put_object(Bucket="lake", Key="in/", Body=b"")
    store.put_object(Bucket="lake", Key="in/a.csv", Body=b"1,x\n2,y\n")
    store.put_object(Bucket="lake", Key="in/b.csv", Body=b"3,z\n")
    store.put_object(Bucket="lake", Key="other", Body=b"9,w\n")
    place.rows("CREATE TABLE t (a int, b varchar(5))")
    for clause in (
        f"IAM_ROLE '{ROLE}'",
        "IAM_ROLE default REGION 'eu-central-1'",
        "CREDENTIALS 'aws_access_key_id=testing;aws_secret_access_key=testing'",
        "ACCESS_KEY_ID 'testing' SECRET_ACCESS_KEY 'testing' SESSION_TOKEN 'token'",
        f"CREDENTIALS AS 'aws_iam_role={ROLE}'",
        "",
    ):
        place.rows(f"DELETE FROM t; COPY t FROM 's3://lake/in/' {clause} CSV")
        assert place.rows("SELECT a, b FROM t ORDER BY a") == [(1, "x"), (2, "y"), (3, "z")]
    found = place.rows(
        "SELECT trim(file_name), lines_scanned, file_etag IS NOT NULL FROM sys_load_detail WHERE query_id = pg_last_copy_id()"
    )
    assert sorted(found) == [("s3://lake/in/a.csv", 2, True), ("s3://lake/in/b.csv", 1, True)]


def test_out_and_in_again(place: Place, store: Any) -> None:
    place.rows("CREATE TABLE t (a int, b varchar(20)); INSERT INTO t VALUES (1, 'x'), (2, NULL)")
    place.rows(f"UNLOAD ('SELECT a, b FROM t ORDER BY a') TO 's3://lake/out/t_' IAM_ROLE '{ROLE}' MANIFEST PARQUET")
    keys = [one["Key"] for one in store.list_objects_v2(Bucket="lake", Prefix="out/")["Contents"]]
    assert keys == ["out/t_0000_part_00.parquet", "out/t_manifest"]
    manifest = json.loads(store.get_object(Bucket="lake", Key="out/t_manifest")["Body"].read())
    assert manifest["entries"][0]["url"] == "s3://lake/out/t_0000_part_00.parquet"
    place.rows(f"CREATE TABLE u (LIKE t); COPY u FROM 's3://lake/out/t_manifest' IAM_ROLE '{ROLE}' MANIFEST PARQUET")
    assert place.rows("SELECT a, b FROM u ORDER BY a") == [(1, "x"), (2, None)]
    error = place.fails("UNLOAD ('SELECT a FROM t') TO 's3://lake/out/' IAM_ROLE default")
    assert error.message.startswith("Specified unload destination on S3 is not empty")
    place.rows("UNLOAD ('SELECT a FROM t ORDER BY a') TO 's3://lake/out/' IAM_ROLE default CLEANPATH ENCRYPTED AUTO")
    assert [one["Key"] for one in store.list_objects_v2(Bucket="lake")["Contents"]] == ["out/0000_part_00"]


def test_what_is_missing(place: Place, store: Any) -> None:
    store.put_object(Bucket="lake", Key="m", Body=json.dumps({"entries": [{"url": "s3://lake/gone", "mandatory": True}]}).encode())
    place.rows("CREATE TABLE t (a int)")
    for source, words in (
        ("s3://lake/nothing'", "The specified S3 prefix 'nothing' does not exist"),
        ("s3://no-such-bucket/x'", "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket"),
        ("s3://lake/gone' MANIFEST", "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"),
        ("s3://lake/m' MANIFEST", "mandatory"),
        ("s3:///x'", "is not the address of an object"),
    ):
        error = place.fails(f"COPY t FROM '{source} IAM_ROLE default")
        assert words in error.message, source
    assert "NoSuchBucket" in place.fails("UNLOAD ('SELECT 1') TO 's3://no-such-bucket/x' IAM_ROLE default").message
    error = place.fails("COPY t FROM 's3://lake/nothing' IAM_ROLE default")
    assert (error.sqlstate, "code:      8001" in (error.detail or "")) == ("XX000", True)
    assert "is not the ARN" in place.fails("COPY t FROM 's3://lake/x' IAM_ROLE 'me'").message


def test_no_right_and_no_endpoint(place: Place, store: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place.rows("CREATE TABLE t (a int)")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    assert "could not reach" in place.fails("COPY t FROM 's3://lake/x' IAM_ROLE default").message
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert "could not reach" in place.fails("COPY t FROM 's3://lake/x' IAM_ROLE default").message


def test_secrets_are_not_shown(store: Any) -> None:
    assert store is not None
    assert "hush" not in repr(S3Access(keys=("key", "hush", "hush")))
    with pytest.raises(NearshiftError) as caught:
        S3Objects(S3Access(keys=("key", "hush", None))).find("s3://no-such-bucket/x")
    assert "hush" not in f"{caught.value.message}{caught.value.detail}{caught.value.hint}"


def test_a_large_object_is_read_in_pieces(place: Place, store: Any) -> None:
    lines = b"".join(b"%d|%s\n" % (n, b"x" * 90) for n in range(60_000))
    store.put_object(Bucket="lake", Key="big", Body=lines)
    place.rows("CREATE TABLE t (a int, b varchar(100)); COPY t FROM 's3://lake/big' IAM_ROLE default")
    assert place.rows("SELECT count(DISTINCT a), min(len(b)) FROM t") == [(60_000, 90)]
