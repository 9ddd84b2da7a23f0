"""`nearshift serve` answers the Data API on the console's port, beside the console."""

from __future__ import annotations

from pathlib import Path

import boto3
import httpx
import pytest

from nearshift.cli.server import Listening, PipelineServer
from nearshift.pipeline.folder import read_folder


def test_a_served_folder_answers_on_the_consoles_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEARSHIFT_PASSWORD", raising=False)
    (tmp_path / "nearshift.toml").write_text('name = "p"')
    with PipelineServer(read_folder(tmp_path), Listening("127.0.0.1", 0, 0)) as server:
        url = server.running.console_url
        client = boto3.client(
            "redshift-data", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="any", aws_secret_access_key="any"
        )
        sent = client.execute_statement(Sql="SELECT current_user", ClusterIdentifier="local", Database="dev", DbUser="dev")
        identifier = sent["Id"]
        assert client.describe_statement(Id=identifier, WaitTimeSeconds=10)["Status"] == "FINISHED"
        assert client.get_statement_result(Id=identifier)["Records"] == [[{"stringValue": "dev"}]]
        assert httpx.get(url + "/api/overview").json()["endpoints"]["Redshift Data API"] == url
        assert httpx.post(url + "/api/query", json={"editor": "12345678", "text": "SELECT 1"}).status_code == 403
