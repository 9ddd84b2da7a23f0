"""The commands as a user types them, against the stand-ins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import REGION, Cloud
from tests.deploy.folders import SQL, write_folder
from tests.deploy.linting import lint

import nearshift
from nearshift.cli.main import main
from nearshift.deploy.aws import Aws
from nearshift.deploy.papers import write_papers
from nearshift.pipeline.folder import read_folder

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")

# A role of its own, since moto knows none of clusters.
CLUSTER = 'cluster = "analytics"\nuser = "dev"\nrole = "arn:aws:iam::123456789012:role/reader"\ntable = "existing"\nstream = "existing"'


@pytest.fixture
def source(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A table and a stream in the stand-in for DynamoDB and Kinesis; an access key of twelve digits is an account there."""
    command = [sys.executable, "-m", "nearshift.localaws", "--dir", str(tmp_path / "aws"), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    endpoint = process.stdout.readline().split()[-1]
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KINESIS"):
        monkeypatch.setenv(name, endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    aws = Aws(REGION)
    aws.call("kinesis", "create_stream", StreamName="events", ShardCount=1)
    aws.call(
        "dynamodb", "create_table", TableName="orders", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )  # fmt: skip
    yield aws
    process.terminate()
    process.wait(10)
    process.stdout.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    told = capsys.readouterr()
    code = stop.value.code
    assert isinstance(code, int)
    return code, told.out, told.err


def capture(source: Any) -> list[tuple[str, str]]:
    told = source.call("dynamodb", "describe_kinesis_streaming_destination", TableName="orders")["KinesisDataStreamDestinations"]
    return [(one["DestinationStatus"], one.get("ApproximateCreationDateTimePrecision", "")) for one in told]


def test_a_folder_goes_to_aws_and_back(cloud: Cloud, source: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path, CLUSTER)
    folder = str(tmp_path)
    code, out, _ = run(capsys, "plan", folder, "--target", "redshift", "--json")
    plan: dict[str, Any] = json.loads(out)
    assert (code, plan["is_empty"]) == (0, False)
    assert {"part": "sql", "action": "create", "kind": "table", "name": "public.fact", "reason": "it is not there"} in plan["steps"]
    code, out, _ = run(capsys, "deploy", folder)
    assert (code, out.splitlines()[-1].startswith("Deployed: ")) == (0, True)
    assert (tmp_path / "deploy" / "template.yaml").exists()
    assert capture(source) == [("ACTIVE", "MICROSECOND")]
    assert run(capsys, "deploy", folder)[1] == "Nothing to do.\n"
    assert run(capsys, "apply", folder, "--target", "redshift")[1].startswith("Nothing to do")
    write_folder(tmp_path, CLUSTER, sql=SQL.replace("'loaded'", "'again'"))
    assert "Applied: 1 steps." in run(capsys, "apply", folder, "--target", "redshift")[1]
    code, _, err = run(capsys, "destroy", folder, "--target", "redshift")
    assert (code, "Say --yes" in err) == (1, True)
    code, out, _ = run(capsys, "destroy", folder, "--target", "redshift", "--yes")
    assert code == 0
    assert 'Left: stream "events" is left as it is' in out
    assert [status for status, _ in capture(source)] == ["DISABLED"]
    assert run(capsys, "destroy", folder, "--target", "redshift", "--yes")[1].startswith("Nothing to do.")
    assert run(capsys, "deploy", folder)[0] == 0
    assert capture(source) == [("ACTIVE", "MICROSECOND")]


def test_a_dry_run_writes_the_whole_and_asks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    write_folder(tmp_path, 'cluster = "analytics"\nuser = "dev"\ntable = "existing"')
    code, out, _ = run(capsys, "deploy", str(tmp_path), "--dry-run")
    assert (code, len(out.splitlines())) == (0, 3)
    written = {path.name: path.read_bytes() for path in (tmp_path / "deploy").iterdir()}
    assert set(written) == {"template.yaml", "statements.sql", "steps.sh"}
    assert b"CREATE MATERIALIZED VIEW records" in written["statements.sql"]
    for words in (b"enable-kinesis-streaming-destination", b"modify-cluster-iam-roles", b"SchedulesState=ENABLED", b"-f statements.sql"):
        assert words in written["steps.sh"]
    run(capsys, "deploy", str(tmp_path), "--dry-run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "deploy").iterdir()} == written


def test_the_example_can_be_deployed(tmp_path: Path) -> None:
    example = Path(nearshift.__file__).parent / "examples" / "customer-transactions"
    shutil.copytree(example, tmp_path / "p", ignore=shutil.ignore_patterns(".nearshift"))
    template, statements, _steps = write_papers(read_folder(tmp_path / "p"))
    assert lint(template.read_text(), "us-east-1") == []
    assert statements.read_text().count("CREATE OR REPLACE PROCEDURE") >= 3


def test_a_target_that_is_none_is_a_clear_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path)
    for command in ("plan", "apply", "destroy"):
        code, _, err = run(capsys, command, str(tmp_path), "--target", "bigquery")
        assert (code, 'there is no target "bigquery"' in err) == (1, True)
    assert run(capsys, "plan", str(tmp_path))[1].endswith("Plan: 7 to create, 1 to run.\n")
