"""The Redshift Data API as boto3 uses it, over a real socket."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from tests.dataapi.conftest import Served

DEV = {"WorkgroupName": "local-workgroup", "Database": "dev"}


def run(client: Any, sql: str, **more: Any) -> dict[str, Any]:
    """Run a statement to its end and return its description."""
    place = {} if "SessionId" in more else DEV
    identifier = client.execute_statement(Sql=sql, **place, **more)["Id"]
    found: dict[str, Any] = client.describe_statement(Id=identifier, WaitTimeSeconds=10)
    return found


def refused(call: Any, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_query_is_submitted_described_and_fetched(client: Any) -> None:
    sql = """SELECT 1::smallint AS a, 2.50::numeric(5,2) AS b, true AS c, 'é'::varchar(9) AS d, NULL::int AS e, 1.5::float8 AS f,
             date '2026-02-03' AS g, timestamp '2026-02-03 04:05:06.789' AS h, json_parse('{"k":[1]}') AS i, 'ab'::varbyte AS j"""
    sent = client.execute_statement(Sql=sql, **DEV, StatementName="types")
    assert (sent["Database"], sent["DbUser"], sent["WorkgroupName"]) == ("dev", "dev", "local-workgroup")
    found = client.describe_statement(Id=sent["Id"], WaitTimeSeconds=10)
    assert (found["Status"], found["HasResultSet"], found["ResultRows"], found["QueryString"]) == ("FINISHED", True, 1, sql)
    assert found["Duration"] > 0
    assert found["RedshiftQueryId"] > 0
    answer = client.get_statement_result(Id=sent["Id"])
    assert answer["Records"] == [[
        {"longValue": 1}, {"stringValue": "2.50"}, {"booleanValue": True}, {"stringValue": "é"}, {"isNull": True}, {"doubleValue": 1.5},
        {"stringValue": "2026-02-03"}, {"stringValue": "2026-02-03 04:05:06.789"}, {"stringValue": '{"k":[1]}'}, {"blobValue": b"ab"},
    ]]  # fmt: skip
    assert [(one["name"], one["typeName"]) for one in answer["ColumnMetadata"]][:4] == [
        ("a", "int2"), ("b", "numeric"), ("c", "bool"), ("d", "varchar"),
    ]  # fmt: skip
    assert (answer["ColumnMetadata"][1]["precision"], answer["ColumnMetadata"][1]["scale"]) == (5, 2)
    assert answer["TotalNumRows"] == 1


def test_a_failed_statement_says_why_and_has_no_result(client: Any) -> None:
    found = run(client, "SELECT * FROM no_such_table")
    assert found["Status"] == "FAILED"
    assert found["Error"].startswith('ERROR: relation "no_such_table" does not exist')
    assert refused(client.get_statement_result, Id=found["Id"])[0] == "ResourceNotFoundException"


def test_named_parameters_are_values_of_the_type_they_stand_for(client: Any) -> None:
    run(client, "CREATE TABLE named (n int, t varchar(20), d date)")
    values = [{"name": "n", "value": "7"}, {"name": "t", "value": "it's :n"}, {"name": "d", "value": "2026-01-02"}]
    assert run(client, "INSERT INTO named VALUES (:n, :t, :d)", Parameters=values)["ResultRows"] == 1
    found = run(client, "SELECT t, ':n'::varchar, n::bigint FROM named WHERE n = :n -- :d", Parameters=values[:1])
    assert found["QueryParameters"] == values[:1]
    row = client.get_statement_result(Id=found["Id"])["Records"][0]
    assert row == [{"stringValue": "it's :n"}, {"stringValue": ":n"}, {"longValue": 7}]
    assert "22P02" in run(client, "SELECT * FROM named WHERE n = :n", Parameters=[{"name": "n", "value": "x"}])["Error"]


@pytest.mark.parametrize(
    ("sql", "parameters", "words"),
    [
        ("SELECT :a", [{"name": "b", "value": "1"}], "Parameter a is used"),
        ("SELECT :a", [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}], "Parameter b is not used"),
        ("SELECT :a", [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}], "given twice"),
        ("SELECT 1; SELECT 2", None, "BatchExecuteStatement"),
        ("   ", None, "is empty"),
        ("SELECT '" + "x" * 210_000 + "'", None, "longer than 200 KB"),
    ],
)
def test_a_wrong_request_is_a_validation_exception(client: Any, sql: str, parameters: Any, words: str) -> None:
    more = {} if parameters is None else {"Parameters": parameters}
    kind, message = refused(client.execute_statement, Sql=sql, **DEV, **more)
    assert kind == "ValidationException"
    assert words in message


def test_a_batch_is_one_transaction(client: Any) -> None:
    run(client, "CREATE TABLE batched (n int)")
    sqls = ["INSERT INTO batched VALUES (1)", "INSERT INTO batched VALUES (1/0)", "SELECT count(*) FROM batched"]
    found = client.describe_statement(Id=client.batch_execute_statement(Sqls=sqls, **DEV)["Id"], WaitTimeSeconds=10)
    assert found["Status"] == "FAILED"
    assert [one["Status"] for one in found["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    own = client.batch_execute_statement(Sqls=sqls, **DEV, ExecutionMode="AUTO_COMMIT")
    found = client.describe_statement(Id=own["Id"], WaitTimeSeconds=10)
    assert [one["Status"] for one in found["SubStatements"]] == ["FINISHED", "FAILED", "FINISHED"]
    third = found["SubStatements"][2]["Id"]
    assert client.describe_statement(Id=third)["QueryString"] == sqls[2]
    assert client.get_statement_result(Id=third)["Records"] == [[{"longValue": 1}]]
    assert refused(client.get_statement_result, Id=own["Id"])[0] == "ValidationException"


def test_a_parameter_of_a_batch_serves_the_statements_that_name_it(client: Any) -> None:
    sent = client.batch_execute_statement(
        Sqls=["SELECT :a::int", "SELECT 2", "SELECT :b::int + :a::int"],
        Parameters=[{"name": "a", "value": "1"}, {"name": "b", "value": "5"}],
        **DEV,
        WaitTimeSeconds=10,
    )
    assert (sent["Status"], sent["HasResultSet"]) == ("FINISHED", True)
    assert client.get_statement_result(Id=sent["Id"] + ":3")["Records"] == [[{"longValue": 6}]]


def test_the_same_token_runs_a_statement_once(client: Any) -> None:
    run(client, "CREATE TABLE once (n int)")
    token = str(uuid.uuid4())
    first = client.execute_statement(Sql="INSERT INTO once VALUES (1)", **DEV, ClientToken=token)["Id"]
    assert client.execute_statement(Sql="INSERT INTO once VALUES (1)", **DEV, ClientToken=token)["Id"] == first
    client.describe_statement(Id=first, WaitTimeSeconds=10)
    counted = run(client, "SELECT count(*) FROM once")
    assert client.get_statement_result(Id=counted["Id"])["Records"] == [[{"longValue": 1}]]
    assert refused(client.execute_statement, Sql="INSERT INTO once VALUES (2)", **DEV, ClientToken=token)[0] == "ValidationException"


def test_a_kept_session_remembers_settings_and_temporary_tables(client: Any) -> None:
    sent = client.execute_statement(Sql="CREATE TEMP TABLE mine (n int)", **DEV, SessionKeepAliveSeconds=60)
    session = sent["SessionId"]
    client.describe_statement(Id=sent["Id"], WaitTimeSeconds=10)
    assert run(client, "INSERT INTO mine VALUES (4)", SessionId=session)["Status"] == "FINISHED"
    found = run(client, "SELECT n FROM mine", SessionId=session)
    assert client.get_statement_result(Id=found["Id"])["Records"] == [[{"longValue": 4}]]
    assert run(client, "SELECT n FROM mine")["Status"] == "FAILED"
    kind, message = refused(client.execute_statement, Sql="SELECT 1", SessionId=session, Database="dev")
    assert (kind, "SessionId" in message) == ("ValidationException", True)
    gone = "00000000-0000-0000-0000-000000000000"
    assert refused(client.execute_statement, Sql="SELECT 1", SessionId=gone)[0] == "ResourceNotFoundException"


def test_a_running_statement_is_cancelled(client: Any) -> None:
    run(client, "CREATE TABLE numbers (n bigint)")
    run(client, "INSERT INTO numbers VALUES " + ", ".join(f"({number})" for number in range(1000)))
    slow = "SELECT count(*) FROM numbers a, numbers b, numbers c, numbers d WHERE (a.n * b.n + c.n * d.n) % 7 = 3"
    identifier = client.execute_statement(Sql=slow, **DEV)["Id"]
    assert client.cancel_statement(Id=identifier)["Status"] is True
    assert client.describe_statement(Id=identifier, WaitTimeSeconds=10)["Status"] == "ABORTED"
    assert "ABORTED" in refused(client.cancel_statement, Id=identifier)[1]


def test_large_results_come_in_pages(client: Any) -> None:
    run(client, "CREATE TABLE digits (n int)")
    run(client, "INSERT INTO digits VALUES " + ", ".join(f"({number})" for number in range(180)))
    found = run(client, "SELECT a.n * 180 + b.n, repeat('é', 50) FROM digits a, digits b ORDER BY 1")
    assert found["ResultSize"] > 2_000_000
    rows: list[int] = []
    pages = 0
    for page in client.get_paginator("get_statement_result").paginate(Id=found["Id"]):
        rows += [record[0]["longValue"] for record in page["Records"]]
        pages += 1
    assert rows == list(range(32400))
    assert pages > 2


def test_csv_results_are_fetched_by_the_second_version(client: Any) -> None:
    found = run(client, "SELECT 1 AS n, 'a,\"b' AS t UNION ALL SELECT 2, NULL ORDER BY 1", ResultFormat="CSV")
    answer = client.get_statement_result_v2(Id=found["Id"])
    assert answer["Records"] == [{"CSVRecords": '1,"a,""b"\r\n2,\r\n'}]
    assert (answer["ResultFormat"], answer["TotalNumRows"]) == ("CSV", 2)
    assert refused(client.get_statement_result, Id=found["Id"])[0] == "ValidationException"


def test_statements_are_listed_the_newest_first(client: Any) -> None:
    for number in range(3):
        run(client, f"SELECT {number}", StatementName=f"listed-{number}")
    first = client.list_statements(StatementName="listed", Status="ALL", MaxResults=2)
    assert [one["QueryString"] for one in first["Statements"]] == ["SELECT 2", "SELECT 1"]
    rest = client.list_statements(StatementName="listed", Status="FINISHED", MaxResults=2, NextToken=first["NextToken"])
    assert [one["StatementName"] for one in rest["Statements"]] == ["listed-0"]
    assert "NextToken" not in rest
    assert client.list_statements(StatementName="listed", Status="FAILED")["Statements"] == []


def test_the_catalog_is_listed(client: Any) -> None:
    run(client, "CREATE SCHEMA shop")
    run(client, "CREATE TABLE shop.orders_x (id bigint NOT NULL, total numeric(10,2), note varchar(30))")
    run(client, "CREATE MATERIALIZED VIEW shop.orders_mv AS SELECT id FROM shop.orders_x")
    assert client.list_databases(**DEV)["Databases"] == ["dev"]
    assert client.list_schemas(**DEV, SchemaPattern="sh%")["Schemas"] == ["shop"]
    tables = client.list_tables(**DEV, SchemaPattern="shop", TablePattern="orders%")["Tables"]
    assert {(one["name"], one["type"]) for one in tables} == {("orders_x", "TABLE"), ("orders_mv", "MATERIALIZED VIEW")}
    columns = client.describe_table(**DEV, Schema="shop", Table="orders_x")["ColumnList"]
    assert [(one["name"], one["typeName"], one["nullable"]) for one in columns] == [
        ("id", "int8", 0), ("total", "numeric", 1), ("note", "varchar", 1),
    ]  # fmt: skip
    assert (columns[1]["precision"], columns[2]["length"], columns[0]["tableName"]) == (10, 30, "orders_x")
    assert refused(client.describe_table, **DEV, Schema="shop", Table="nothing")[0] == "ResourceNotFoundException"


def test_users_and_databases_that_do_not_exist_are_told(client: Any) -> None:
    sent = client.execute_statement(Sql="SELECT 1", Database="dev", ClusterIdentifier="c", DbUser="nobody")
    found = client.describe_statement(Id=sent["Id"], WaitTimeSeconds=10)
    assert (found["Status"], 'user "nobody" does not exist' in found["Error"]) == ("FAILED", True)
    assert refused(client.list_tables, WorkgroupName="abc", Database="other")[0] == "ValidationException"
    assert refused(client.execute_statement, Sql="SELECT 1", WorkgroupName="abc")[1].startswith("Database is required")


def test_many_at_a_time_all_come_to_an_end(client: Any) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(run(client, "SELECT 1")["Status"])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == ["FINISHED"] * 20


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
        {"Host": "evil.example"},
    ],
)
def test_a_page_in_a_browser_cannot_run_sql(served: Served, headers: dict[str, str]) -> None:
    own = {"X-Amz-Target": "RedshiftData.ExecuteStatement", "Content-Type": "application/x-amz-json-1.1"}
    body = b'{"Sql": "CREATE TABLE evil (x int)", "Database": "dev"}'
    answer = httpx.post(served.server.url, headers={**own, **headers}, content=body)
    assert (answer.status_code, answer.json()["__type"]) == (403, "AccessDeniedException")
    preflight = httpx.options(served.server.url, headers={**own, "Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in preflight.headers
    assert preflight.status_code == 403


def test_what_is_no_request_is_refused_as_aws_does(served: Served) -> None:
    own = {"X-Amz-Target": "RedshiftData.ExecuteStatement", "Content-Type": "application/x-amz-json-1.1"}
    assert httpx.post(served.server.url, headers=own, content=b"{").json()["__type"] == "SerializationException"
    assert httpx.post(served.server.url, headers=own, content=b"{}").json()["__type"] == "ValidationException"
    own["X-Amz-Target"] = "RedshiftData.DropEverything"
    assert httpx.post(served.server.url, headers=own, content=b"{}").json()["__type"] == "UnknownOperationException"


def test_with_a_password_requests_must_be_signed_with_it() -> None:
    served = Served("correct horse")
    try:
        client = served.client("dev", "correct horse")
        assert run(client, "SELECT 1")["Status"] == "FINISHED"
        assert refused(served.client("dev", "wrong").list_databases, **DEV)[0] == "InvalidSignatureException"
        assert refused(served.client("root", "correct horse").list_databases, **DEV)[0] == "UnrecognizedClientException"
        own = {"X-Amz-Target": "RedshiftData.ListDatabases", "Content-Type": "application/x-amz-json-1.1"}
        assert httpx.post(served.server.url, headers=own, content=b"{}").status_code == 403
    finally:
        served.close()
