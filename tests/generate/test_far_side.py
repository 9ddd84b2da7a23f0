"""Drift, unload and load against a stand-in of Redshift, through the driver and the Data API, with files in a stand-in of S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from tests.deploy.places import Redshift

from nearshift.cli.moving import run_together
from nearshift.clock import SystemClock
from nearshift.deploy.aws import Aws
from nearshift.deploy.connections import DataApiConnection, DriverConnection, RemoteConnection
from nearshift.errors import NearshiftError
from nearshift.generate.drift import find_drift
from nearshift.generate.moving import comparison, count_statement, find_tables, has_no_files, load_statements, unload_statement
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.definitions import Kind
from nearshift.pipeline.folder import Pipeline, read_folder
from nearshift.pipeline.local import WarehouseTarget
from nearshift.pipeline.plan import plan_changes
from nearshift.pipeline.session import SessionConnection
from nearshift.pipeline.testfile import change_record

ORDERS = Path(__file__).parent / "orders"


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    shutil.copytree(ORDERS, tmp_path / "p")
    return read_folder(tmp_path / "p")


def applied(pipeline: Pipeline) -> Redshift:
    found = Redshift()
    own = SessionConnection(found.warehouse.session())
    wanted = [one for one in pipeline.definitions if one.kind is not Kind.SCHEDULE]
    for _ in carry_out(plan_changes(wanted, ()), pipeline.name, WarehouseTarget(own)):
        pass
    new = {"status": "A", "amount": 1.5, "coupon": "x", "lines": [{"n": 1}], "paidAt": "2026-01-01T00:00:00Z"}
    found.stream.put(change_record({"at": 1767225600, "event": "INSERT", "pk": "C#1", "sk": "ORDER#1", "new": new}, None))
    own.run("REFRESH MATERIALIZED VIEW stream_vw")
    own.run("CALL sp_load_order_fact()")
    own.close()
    return found


@pytest.fixture(params=["driver", "data api"])
def far(request: pytest.FixtureRequest, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Redshift, RemoteConnection]]:
    for name, value in (("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any"), ("AWS_DEFAULT_REGION", "eu-west-1")):
        monkeypatch.setenv(name, value)
    redshift = applied(pipeline)
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_DATA", redshift.console.url)
    connection: RemoteConnection
    if request.param == "driver":
        connection = DriverConnection(redshift.connect)
    else:
        connection = DataApiConnection(Aws("eu-west-1"), {"Database": "dev", "WorkgroupName": "abc"}, SystemClock())
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="moved", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield redshift, connection
    connection.close()
    redshift.close()


def test_drift_is_read_from_afar(far: tuple[Redshift, RemoteConnection], pipeline: Pipeline) -> None:
    _, connection = far
    report = find_drift(pipeline.manifest, connection.run, 100)
    assert [(one.table, one.kind.value, one.attribute) for one in report.differences] == [("order_fact", "new", "coupon")]


def test_facts_travel_by_s3(far: tuple[Redshift, RemoteConnection], pipeline: Pipeline) -> None:
    redshift, connection = far
    (fact, tombstone) = find_tables(pipeline, ["order_fact", "order_fact_tombstone"])
    before = [redshift.rows(query) for query in comparison([fact])]
    value = "SELECT status, amount, paid_at, json_serialize(lines) FROM order_fact"
    rows = redshift.rows(value)
    for table in (fact, tombstone):
        connection.run(unload_statement(table, "s3://moved/a", "default", is_cleaning=False))
    redshift.rows("UPDATE order_fact SET amount = 9")
    run_together(connection, load_statements(fact, "s3://moved/a", "default", is_replacing=True))
    assert [redshift.rows(query) for query in comparison([fact])] == before
    assert redshift.rows(value) == rows
    assert connection.run(count_statement(fact)).rows[0][0] == 1
    with pytest.raises(NearshiftError) as caught:
        run_together(connection, load_statements(tombstone, "s3://moved/a", "default", is_replacing=True))
    assert has_no_files(caught.value)
