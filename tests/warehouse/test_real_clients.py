"""A served warehouse over the local Kinesis, spoken to by psql, psycopg and redshift_connector: the published pipeline from end to end."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import redshift_connector

from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT.parent / "shared" / "reference"
STREAM = "demo-data-stream"

PIPELINE = [
    "CREATE EXTERNAL SCHEMA demo_schema FROM KINESIS IAM_ROLE default",
    "SET enable_case_sensitive_identifier TO true",
    """CREATE MATERIALIZED VIEW change_stream AS
       SELECT approximate_arrival_timestamp, refresh_time, json_parse(kinesis_data) AS payload
       FROM demo_schema."demo-data-stream" WHERE is_utf8(kinesis_data) AND can_json_parse(kinesis_data)""",
    "REFRESH MATERIALIZED VIEW change_stream",
    """CREATE MATERIALIZED VIEW change AS
       SELECT split_part(a.payload."dynamodb"."Keys"."pk"."S"::varchar, '#', 2) AS customer_id,
         a.payload."dynamodb"."Keys"."sk"."S"::varchar AS transaction_id,
         a.payload."dynamodb"."NewImage"."OutofPockAmount"."N"::int AS amount,
         a.payload."dynamodb"."NewImage"."OutofPockPercent"."N"::decimal(5,2) AS share,
         split_part(b."M"."sk"."S"::varchar, '#', 3) AS dependent_id, upper(a.payload."eventName"::varchar) AS event_name
       FROM change_stream a
       LEFT OUTER JOIN a.payload."dynamodb"."NewImage"."calculationRequirements"."M"."dependentIds"."L" b ON true""",
    "CREATE TABLE audit (job varchar(100), started timestamp, ended timestamp, status varchar(50))",
    "INSERT INTO audit VALUES ('load', current_timestamp, current_timestamp, 'Ready')",
    "CREATE TABLE public.fact (transaction_id character varying(500), customer_id character varying(500), amount integer, "
    "share numeric(5,2))",
    """CREATE OR REPLACE PROCEDURE sp_fact() AS $$
       BEGIN
         set enable_case_sensitive_identifier to true;
         update audit set status = 'Running', started = getdate() where job = 'load';
         refresh materialized view change_stream;
         refresh materialized view change;
         drop table if exists fact_stg;
         create table fact_stg as
           select transaction_id, min(customer_id) customer_id, max(amount) amount, max(share) share from change
           where event_name <> 'REMOVE' group by transaction_id;
         delete from fact where transaction_id in (select transaction_id from fact_stg);
         insert into fact select * from fact_stg;
         update audit set status = 'Complete', ended = getdate() where job = 'load';
       END;
       $$ LANGUAGE plpgsql""",
    "CALL sp_fact()",
]
UNWIND = [
    "ALTER MATERIALIZED VIEW change_stream AUTO REFRESH YES",
    "DROP MATERIALIZED VIEW change",
    "DROP PROCEDURE sp_fact()",
    "DROP SCHEMA demo_schema CASCADE",
]


def change(customer: int, amount: int) -> dict[str, Any]:
    """Return a change record as DynamoDB writes it."""
    key = {"pk": {"S": f"CUSTOMER#CUST_{customer}"}, "sk": {"S": f"TRANSACTION#2026-01-01T00:00:00Z#{customer}"}}
    dependents = [{"M": {"sk": {"S": f"CUSTOMER#2026#CUST_{n}"}, "pk": key["pk"]}} for n in range(customer)]
    image = {
        **key, "OutofPockAmount": {"N": str(amount)}, "OutofPockMax": {"N": "2000"}, "OutofPockPercent": {"N": "50.00"},
        "Provider": {"S": "PV-1"}, "completionDateTime": {"S": "2026-01-01T00:00:00Z"},
        "calculationRequirements": {"M": {"dependentIds": {"L": dependents}}},
    }  # fmt: skip
    return {
        "awsRegion": "us-east-1", "eventID": f"{customer}-{amount}", "eventName": "INSERT", "userIdentity": None,
        "recordFormat": "application/json", "tableName": "sample-dynamoDB", "eventSource": "aws:dynamodb",
        "dynamodb": {"ApproximateCreationDateTime": 1_767_225_600_000 + amount, "Keys": key, "NewImage": image, "SizeBytes": 100},
    }  # fmt: skip


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local Kinesis and DynamoDB with three change records, one record that is no JSON, and a table of two items."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nearshift.localaws", "--dir", str(tmp_path_factory.mktemp("aws")), "--port", "0"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert process.stdout is not None
    address = next(line.split()[-1] for line in process.stdout if "ready at" in line)
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1")
    kinesis = session.client("kinesis", endpoint_url=address)
    kinesis.create_stream(StreamName=STREAM, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    for customer in range(3):
        kinesis.put_record(StreamName=STREAM, Data=json.dumps(change(customer, 1000 + customer)).encode(), PartitionKey=str(customer))
    dynamodb = session.client("dynamodb", endpoint_url=address)
    dynamodb.create_table(
        TableName="sample-dynamoDB", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "transaction_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "transaction_id", "AttributeType": "S"}],
    )  # fmt: skip
    for number in range(2):
        item = {"transaction_id": {"S": f"copied-{number}"}, "OutofPock_Amount": {"N": str(number)}, "amount": {"N": str(number)}}
        dynamodb.put_item(TableName="sample-dynamoDB", Item=item)
    yield address
    process.kill()
    process.wait(20)
    process.stdout.close()


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def password_of(self, user: str) -> Credential | None:
        return Credential.of_password(user, "secret")

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        return self._warehouse.session(user, database, options=options)


@pytest.fixture
def port(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with Warehouse.open(threads=1) as warehouse, WireServer(_Gate(warehouse), port=0) as server:
        yield server.port


Run = Callable[[str], list[tuple[Any, ...]]]


class Failed(Exception):
    """What a client was told: SQLSTATE, message and position (from 1)."""

    def __init__(self, state: str, message: str, position: str | None) -> None:
        super().__init__(f"{state} {message}")
        self.state, self.message, self.position = state, message, position


def psycopg_runner(port: int, *, prepare: bool) -> tuple[Run, Callable[[], None]]:
    connection = psycopg.connect(host="127.0.0.1", port=port, user="dev", password="secret", dbname="dev", autocommit=True)

    def run(text: str) -> list[tuple[Any, ...]]:
        try:
            cursor = connection.execute(text.encode(), prepare=prepare)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise Failed(error.sqlstate or "", error.diag.message_primary or "", error.diag.statement_position) from error

    return run, connection.close


def redshift_runner(port: int) -> tuple[Run, Callable[[], None]]:
    connection = redshift_connector.connect(host="127.0.0.1", port=port, user="dev", password="secret", database="dev", ssl=False)
    connection.autocommit = True

    def run(text: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            try:
                cursor.execute(text)
                return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            except redshift_connector.Error as error:
                told = error.args[0]
                raise Failed(told["C"], told["M"], told.get("P")) from error

    return run, connection.close


@pytest.fixture(params=["psycopg simple", "psycopg extended", "redshift_connector"])
def run(request: pytest.FixtureRequest, port: int) -> Iterator[Run]:
    if request.param == "redshift_connector":
        found, close = redshift_runner(port)
    else:
        found, close = psycopg_runner(port, prepare=request.param == "psycopg extended")
    yield found
    close()


def test_the_pipeline_runs_statement_by_statement(run: Run) -> None:
    for statement in PIPELINE:
        run(statement)
    assert sorted(run("SELECT customer_id, amount, share FROM fact")) == [(f"CUST_{n}", 1000 + n, 50) for n in range(3)]
    assert run("SELECT status FROM audit") == [("Complete",)]
    assert run("SELECT count(*), count(dependent_id) FROM change") == [(4, 3)]
    assert run("SELECT sum(read_rows), bool_and(is_balanced) FROM sys_nearshift_ledger") == [(3, True)]
    run("RESET enable_case_sensitive_identifier")
    with pytest.raises(Failed, match='column "running" does not exist') as caught:
        run('update audit set status="Running" where job="load"')
    assert (caught.value.state, caught.value.position) == ("42703", "25")
    run("COPY public.fact FROM 'dynamodb://sample-dynamoDB' IAM_ROLE default READRATIO 50")
    copied = run("SELECT transaction_id, amount FROM fact WHERE transaction_id LIKE 'copied%' ORDER BY 1")
    assert copied == [("copied-0", 0), ("copied-1", 1)]
    for statement in UNWIND:
        run(statement)
    with pytest.raises(Failed, match="does not exist"):
        run("SELECT * FROM change_stream")


def test_parameters_reach_every_kind_of_statement(port: int) -> None:
    with psycopg.connect(host="127.0.0.1", port=port, user="dev", password="secret", dbname="dev", autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int, name varchar(20), price decimal(8,2), at timestamp)")
        for _again in range(7):  # the driver prepares from the fifth time on
            connection.execute("INSERT INTO t VALUES (%s, %s, %s, %s)", (1, "é", "1.50", "2026-01-01 00:00:00"))
        assert connection.execute("UPDATE t SET name = %s WHERE id = %s", ("new", 1)).rowcount == 7
        assert connection.execute("SELECT count(*) FROM t WHERE name = %s AND price > %s", ("new", 1)).fetchone() == (7,)
        connection.execute("CREATE PROCEDURE p(INOUT n int, word varchar) AS $$ BEGIN n := n + len(word); END; $$ LANGUAGE plpgsql")
        assert connection.execute("CALL p(%s, %s)", (1, "four")).fetchone() == (5,)
        assert connection.execute("DELETE FROM t WHERE id = %s", (1,)).rowcount == 7


def psql(port: int, script: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("psql")
    if program is None:
        pytest.skip("psql is not installed")
    command = [program, "-X", "-At", "-v", "ON_ERROR_STOP=0", "-h", "127.0.0.1", "-p", str(port), "-U", "dev", "dev", "-f", "-"]
    environment = {**os.environ, "PGPASSWORD": "secret", "PGCONNECT_TIMEOUT": "20"}
    return subprocess.run(command, input=script, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_psql_runs_the_pipeline_as_a_script(port: int) -> None:
    done = psql(port, ";\n".join([*PIPELINE, "SELECT customer_id, amount FROM fact ORDER BY 1", 'SELECT "Nothing" FROM fact']) + ";\n")
    assert done.stdout.splitlines()[-3:] == ["CUST_0|1000", "CUST_1|1001", "CUST_2|1002"]
    assert "INFO:  Materialized view change_stream was incrementally updated successfully." in done.stderr
    assert 'ERROR:  column "Nothing" does not exist' in done.stderr
    assert done.stderr.splitlines()[-2:] == ['LINE 1: SELECT "Nothing" FROM fact;', "               ^"]
    assert done.stderr.count("ERROR") == 1, done.stderr


def statements(path: Path) -> list[tuple[str, str]]:
    """Return the blocks of a file with their labels, or the whole file when it has none."""
    parts = re.split(r"(?m)^-- (S\d+\w*).*\n", path.read_text())
    return list(zip(parts[1::2], parts[2::2], strict=True)) or [("all", parts[0])]


needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="the published pipeline's own text is not beside this checkout")


@needs_reference
def test_the_published_statements_run_as_written(run: Run) -> None:
    found = dict(statements(REFERENCE / "reference.sql"))
    for label in ("S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S11", "S12"):
        run(found[label].strip().rstrip(";") if label == "S10" else found[label])
    assert run("SELECT count(*) FROM demo_stream_vw") == [(3,)]
    assert run("SELECT count(*) FROM mv_demo_super_unnest") == [(4,)]
    assert run("SELECT Status FROM MetaData_ETL") == [("Complete",)]
    with pytest.raises(Failed, match=r'(?i)column "running" does not exist'):
        run(found["S17"])
    for label in ("S13", "S14", "S16"):
        run(found[label])
    with pytest.raises(Failed, match="other objects depend on it"):
        run(found["S15"])
    run("DROP MATERIALIZED VIEW demo_stream_vw")
    run(found["S15"])
    run(found["S01b"])
    run(found["S03b"])
    run("REFRESH MATERIALIZED VIEW demo_stream_vw")
    assert run("SELECT count(*) FROM demo_stream_vw") == [(3,)]


@needs_reference
def test_the_corrected_load_runs_as_written(port: int) -> None:
    text = (REFERENCE / "corrected.sql").read_text()
    script = f"CREATE EXTERNAL SCHEMA demo_schema FROM KINESIS IAM_ROLE default;\n{text}\nCALL sp_customer_transaction_fact();\n"
    done = psql(port, script + "SELECT customer_id, outofpock_amount FROM customer_transaction_fact ORDER BY 1;\n")
    assert "ERROR" not in done.stderr
    assert done.stdout.splitlines()[-3:] == ["CUST_0|1000", "CUST_1|1001", "CUST_2|1002"]
    run, close = psycopg_runner(port, prepare=False)
    run("CALL sp_customer_transaction_fact()")
    assert run("SELECT status, errmsg FROM metadata_etl") == [("Complete", None)]
    close()
