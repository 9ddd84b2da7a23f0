"""The console's JSON: pages, queries, errors, and who is not answered."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.console.fake_warehouse import DASHBOARDS, FakeWarehouse
from tests.console.in_process import InProcess

from nearshift import limits
from nearshift.console import ConsoleServer, create_app
from nearshift.console.assets import Assets
from nearshift.errors import ConfigurationError

BASE = "http://127.0.0.1:8439"
POST = {"Origin": BASE}
EDITOR = "editor-of-a-tab"


@pytest.fixture
def client(warehouse: FakeWarehouse) -> Iterator[InProcess]:
    app = create_app(warehouse, DASHBOARDS, start=lambda _run: None)
    yield InProcess(app, base_url=BASE)
    app.state.console.close()


def ask(client: InProcess, text: str, editor: str = EDITOR) -> dict[str, Any]:
    answer = client.post("/api/query", json={"editor": editor, "text": text}, headers=POST)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_overview_names_dashboards_and_endpoints(client: InProcess) -> None:
    found = client.get("/api/overview").json()
    assert [item["name"] for item in found["dashboards"]] == ["customer_transactions"]
    assert found["endpoints"]["PostgreSQL"].startswith("postgresql://")


def test_a_dashboard_is_json_with_every_tile(client: InProcess) -> None:
    found = client.get("/api/dashboards/customer_transactions").json()
    assert {name for name in found if name.startswith("tile:")} == {f"tile:{tile['id']}" for tile in found["spec"]["tiles"]}
    assert not [name for name, value in found.items() if isinstance(value, dict) and value.get("error")]
    assert sum(found["tile:events"]["values"][1]) == 400
    assert found["tile:pivot"]["total"]["values"][0] == pytest.approx(sum(found["tile:pivot"]["rows"]["values"]))
    assert found["tile:latest"]["row_count"] == 25
    assert found["fresh"] == {"lag_ms": 640.0}


def test_choices_narrow_the_tiles(client: InProcess) -> None:
    choices = json.dumps({"filters": {"event_name": ["REMOVE"]}})
    found = client.get("/api/dashboards/customer_transactions", params={"choices": choices}).json()
    names = found["tile:latest"]["values"][4]
    assert set(names) == {"REMOVE"}
    assert len(found["tile:events"]["values"][0]) == 3, "the chart of the filtered dimension keeps its other parts"


def test_choices_of_no_sense_give_the_error_shape(client: InProcess) -> None:
    found = client.get("/api/dashboards/customer_transactions", params={"choices": '{"filters": {"nothing": ["1"]}}'}).json()
    assert found["error"]["sqlstate"] == "22023"
    assert found["error"]["message"] == 'the dashboard has no filter "nothing"'


def test_a_tile_that_fails_shows_its_error_and_the_others_go_on(warehouse: FakeWarehouse, tmp_path: Path) -> None:
    (tmp_path / "half.yaml").write_text(
        "title: Half\ntiles:\n"
        "- {type: table, title: Bad, sql: SELECT * FROM no_such_table}\n"
        "- {type: kpi, title: Nameless, sql: SELECT 7}\n"
        "- {type: kpi, title: Good, sql: SELECT 7 AS value}\n"
    )
    client = InProcess(create_app(warehouse, tmp_path, start=lambda _run: None), base_url=BASE)
    found = client.get("/api/dashboards/half").json()
    assert found["tile:bad"]["error"]["sqlstate"] == "42P01"
    assert found["tile:nameless"]["error"]["message"] == 'the query of a KPI has no column "value"'
    assert found["tile:good"]["value"] == 7


def test_a_relation_that_is_not_there_yet_is_an_error_in_its_tiles_only(warehouse: FakeWarehouse, tmp_path: Path) -> None:
    (tmp_path / "early.yaml").write_text(
        "title: Early\nrelation: not_yet\ndimensions: {a: {}}\nmeasures: {n: {aggregate: count}}\nfilters: [a]\ntiles:\n"
        "- {type: kpi, title: Declared, measure: n}\n- {type: kpi, title: Free, sql: SELECT 1 AS value}\n"
    )
    client = InProcess(create_app(warehouse, tmp_path, start=lambda _run: None), base_url=BASE)
    found = client.get("/api/dashboards/early").json()
    assert found["tile:declared"]["error"]["sqlstate"] == found["filter:a"]["error"]["sqlstate"] == "42P01"
    assert found["tile:free"]["value"] == 1


def test_a_broken_file_is_an_error_page_and_the_others_go_on(warehouse: FakeWarehouse, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("title: Broken\ntiles:\n- {type: dial, title: A}\n")
    (tmp_path / "good.yaml").write_text("title: Good\ntiles:\n- {type: kpi, title: A, sql: SELECT 1 AS value}\n")
    client = InProcess(create_app(warehouse, tmp_path, start=lambda _run: None), base_url=BASE)
    error = client.get("/api/dashboards/broken").json()["error"]
    assert (error["file"], error["line"], error["key"], error["sqlstate"]) == ("broken.yaml", 3, "tiles[0].type", "F0000")
    assert client.get("/api/dashboards/good").json()["tile:a"]["value"] == 1
    assert [item["is_broken"] for item in client.get("/api/overview").json()["dashboards"]] == [False, True]
    graph = client.get("/api/pipeline").json()["graph"]["nodes"]
    assert [node["status"] for node in graph if node["kind"] == "dashboard"] == ["ok", "failed"]


def test_a_tile_is_csv(client: InProcess) -> None:
    answer = client.get("/api/dashboards/customer_transactions/tiles/events.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.split("\r\n")
    assert lines[0] == "event_name,transactions"
    assert sum(int(line.split(",")[1]) for line in lines[1:] if line) == 400
    assert client.get("/api/dashboards/customer_transactions/tiles/nothing.csv").status_code == 404


def test_a_pivot_is_csv_as_it_is_arranged(client: InProcess) -> None:
    choices = {"pivots": {"pivot": {"rows": ["event_name"], "columns": [], "measure": "transactions"}}}
    text = client.get("/api/dashboards/customer_transactions/tiles/pivot.csv", params={"choices": json.dumps(choices)}).text
    assert text.split("\r\n")[0] == "event_name,transactions"


def test_the_pipeline_tells_nodes_edges_lists_and_audit(client: InProcess) -> None:
    found = client.get("/api/pipeline").json()
    nodes = {node["id"]: node for node in found["graph"]["nodes"]}
    assert nodes["procedure:sp_provider_dim"]["status"] == "failed"
    assert nodes["view:mv_provider_daily"]["status"] == "late"
    assert {"from": "table:customer_transaction_fact", "to": "dashboard:customer_transactions"} in found["graph"]["edges"]
    assert found["audit:metadata_etl"]["values"][0][0] == "Customer_Transaction_Fact_Load", "the newest load stands first"
    assert found["refreshes"]["columns"][6]["name"] == "duration"
    assert found["quarantine"]["row_count"] == 2
    assert {series["metric"] for series in found["metrics"]} >= {"IncomingRecords", "PutRecord.Success"}
    assert not [name for name, value in found.items() if isinstance(value, dict) and "error" in value]


def test_a_system_view_that_fails_is_an_error_in_its_place(warehouse: FakeWarehouse, client: InProcess) -> None:
    warehouse.execute("DROP TABLE sys_nearshift_ledger")
    found = client.get("/api/pipeline").json()
    assert found["ledger"]["error"]["sqlstate"] == "42P01"
    assert found["graph"]["nodes"]


def test_a_script_gives_a_result_for_each_statement(client: InProcess) -> None:
    found = ask(client, "SELECT 1 AS a, NULL AS b, 'x' AS c, 12345678901234567890::decimal(38,0) AS d; SELECT 2 AS e")
    assert [result["tag"] for result in found["results"]] == ["SELECT 1", "SELECT 1"]
    grid = found["results"][0]["grid"]
    assert [column["type"] for column in grid["columns"]] == ["integer", "unknown", "character varying", "numeric(38,0)"]
    assert grid["values"] == [["1"], [None], ["x"], ["12345678901234567890"]]
    assert found["error"] is None


def test_an_error_keeps_the_results_before_it_and_says_where(client: InProcess) -> None:
    text = "RAISE 'mind the gap';\nSELECT 1;\nSELECT 'ü'\n  FROM no_such_table"
    found = ask(client, text)
    error = found["error"]
    assert [result["command"] for result in found["results"]] == ["RAISE", "SELECT"]
    assert found["notices"][0] == {"severity": "NOTICE", "message": "mind the gap", "sqlstate": "00000", "hint": None}
    assert (error["sqlstate"], error["line"], error["column"]) == ("42P01", 4, 8)
    assert text[error["position"] - 1 : error["end"] - 1] == "no_such_table"
    assert error["hint"]


def test_an_editor_keeps_its_session_and_another_has_its_own(client: InProcess, warehouse: FakeWarehouse) -> None:
    ask(client, "CREATE TEMP TABLE mine (a integer); INSERT INTO mine VALUES (1), (2)")
    assert ask(client, "SELECT count(*) FROM mine")["results"][0]["grid"]["values"] == [["2"]]
    assert ask(client, "SELECT count(*) FROM mine", "another-tab")["error"]["sqlstate"] == "42P01"
    before = len(warehouse.sessions)
    client.post("/api/query/close", json={"editor": EDITOR}, headers=POST)
    assert ask(client, "SELECT count(*) FROM mine")["error"]["sqlstate"] == "42P01"
    assert len(warehouse.sessions) == before + 1


def test_a_long_result_is_cut_and_says_so(client: InProcess) -> None:
    result = ask(client, "SELECT range AS n FROM range(25000)")["results"][0]
    assert result["row_count"] == limits.CONSOLE_ROWS_MAX
    assert result["grid"]["is_cut"] is True
    assert result["grid"]["values"][0][-1] == str(limits.CONSOLE_ROWS_MAX - 1)


def test_a_running_statement_can_be_cancelled(client: InProcess) -> None:
    found: list[dict[str, Any]] = []
    slow = "SELECT sum(a.range * b.range) FROM range(3000000) a, range(3000000) b"
    thread = threading.Thread(target=lambda: found.append(ask(client, slow)))
    thread.start()
    was_running = False
    for _ in range(1000):  # the first ones may come before the statement has begun
        was_running |= client.post("/api/query/cancel", json={"editor": EDITOR}, headers=POST).json()["is_cancelled"]
        thread.join(0.01)
        if not thread.is_alive():
            break
    assert was_running
    assert found[0]["error"]["sqlstate"] == "57014"


def test_editors_are_bounded_and_the_idle_one_unused_longest_makes_room(client: InProcess, warehouse: FakeWarehouse) -> None:
    for number in range(limits.CONSOLE_EDITORS_MAX + 1):
        ask(client, "SELECT 1", f"editor-number-{number}")
    assert [session.is_closed for session in warehouse.sessions].count(True) == 1
    assert warehouse.sessions[0].is_closed


def test_the_schema_tree_has_columns_with_types(client: InProcess) -> None:
    schemas = {item["name"]: item["relations"] for item in client.get("/api/schema").json()["schemas"]}
    fact = next(item for item in schemas["public"] if item["name"] == "customer_transaction_fact")
    assert {"name": "outofpock_amount", "type": "decimal(18,2)"} in fact["columns"]


@pytest.mark.parametrize(
    "body", ['{"editor": "short", "text": "x"}', '{"text": "SELECT 1"}', "[]", "{", '{"editor": "long-enough", "more": 1}']
)
def test_a_request_in_another_form_is_refused(client: InProcess, body: str) -> None:
    answer = client.post("/api/query", content=body, headers={**POST, "Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["sqlstate"] == "08P01"


def test_a_request_without_end_is_refused(client: InProcess) -> None:
    body = b'{"editor": "long-enough", "text": "' + b"x" * (limits.CONSOLE_REQUEST_BYTES_MAX + 1)
    answer = client.post("/api/query", content=body, headers={**POST, "Content-Type": "application/json"})
    assert answer.json()["error"]["sqlstate"] == "54000"


@pytest.mark.parametrize(
    ("path", "status", "sqlstate"),
    [("/api/nothing", 404, "42704"), ("/api/query", 405, "42704"), ("/api/dashboards/x/tiles/y.csv", 404, "42P01")],
)
def test_every_error_has_one_shape(client: InProcess, path: str, status: int, sqlstate: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["sqlstate"] == sqlstate
    assert set(error) == {"message", "sqlstate", "detail", "hint", "context", "position", "end", "line", "column", "file", "key"}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8439", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]:8439", "10.0.0.1"]
)
def test_another_name_in_host_is_refused(client: InProcess, host: str) -> None:
    answer = client.get("/api/overview", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["sqlstate"] == "42501"
    assert client.get("/pipeline", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8439", "localhost", "LOCALHOST:1", "[::1]:8439"])
def test_names_of_this_machine_are_answered(client: InProcess, host: str) -> None:
    assert client.get("/api/overview", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"}, {"Origin": "file://127.0.0.1:8439"},
        {**POST, "Content-Type": "text/plain"}, {**POST, "Content-Type": "application/x-www-form-urlencoded"},
        {**POST, "Sec-Fetch-Site": "cross-site"}, {**POST, "Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_a_post_of_another_page_runs_nothing(client: InProcess, warehouse: FakeWarehouse, headers: dict[str, str]) -> None:
    body = json.dumps({"editor": EDITOR, "text": "DROP TABLE customer_transaction_fact"})
    answer = client.post("/api/query", content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == 403
    assert not [text for text in warehouse.asked if text.startswith("DROP")]


def test_answers_carry_a_policy_that_allows_nothing_from_elsewhere(client: InProcess) -> None:
    for path in ("/api/overview", "/pipeline", "/api/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_with_a_password_nobody_is_answered_without_it(warehouse: FakeWarehouse) -> None:
    client = InProcess(create_app(warehouse, None, password="s3cret:é", start=lambda _run: None), base_url="http://box.example")
    assert client.get("/api/overview").status_code == 401
    assert "Basic" in client.get("/api/overview").headers["www-authenticate"]
    for given, status in (("dev:wrong", 401), ("dev", 401), ("dev:s3cret:é", 200)):
        header = "Basic " + base64.b64encode(given.encode()).decode()
        assert client.get("/api/overview", headers={"Authorization": header}).status_code == status
    assert client.get("/api/overview", headers={"Authorization": "Basic ???"}).status_code == 401
    assert client.get("/api/overview", headers={"Authorization": "Bearer czNjcmV0"}).status_code == 401


def test_json_is_compressed(client: InProcess) -> None:
    answer = client.get("/api/dashboards/customer_transactions", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"


def test_static_files_are_compressed_kept_and_inside_their_folder(warehouse: FakeWarehouse, tmp_path: Path) -> None:
    static = tmp_path / "static"
    static.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (static / ".stamp").write_text("hidden")
    (static / "index.html").write_text("<!doctype html>" + "x" * 2000)
    (static / "main-ABCD1234.js").write_text("let x = 1;" * 300)
    client = InProcess(create_app(warehouse, None, start=lambda _run: None, assets=Assets(static)), base_url=BASE)
    script = client.get("/static/main-ABCD1234.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-encoding"] == "gzip"
    page = client.get("/query")
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/query", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    for path in ("/static/../secret.txt", "/static/%2e%2e%2fsecret.txt", "/static/.stamp", "/static/nothing.js", "/static/"):
        assert client.get(path).status_code == 404
    assert len(gzip.compress(script.content)) < len(script.content)


def test_a_console_that_was_not_built_says_how(warehouse: FakeWarehouse, tmp_path: Path) -> None:
    client = InProcess(create_app(warehouse, None, start=lambda _run: None, assets=Assets(tmp_path)), base_url=BASE)
    answer = client.get("/pipeline")
    assert answer.status_code == 503
    assert "build_console.py" in answer.text


def test_home_is_the_first_dashboard_or_the_pipeline(client: InProcess, warehouse: FakeWarehouse) -> None:
    assert client.get("/").headers["location"] == "/dashboards/customer_transactions"
    empty = InProcess(create_app(warehouse, None, start=lambda _run: None), base_url=BASE)
    assert empty.get("/").headers["location"] == "/pipeline"


def test_the_server_listens_pushes_and_stops_with_an_open_stream(warehouse: FakeWarehouse) -> None:
    import httpx

    server = ConsoleServer(create_app(warehouse, DASHBOARDS), port=0)
    server.start()
    try:
        with httpx.stream("GET", f"{server.url}/api/dashboards/customer_transactions/live", timeout=10) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = (line for line in answer.iter_lines() if line.startswith("data: "))
            first = json.loads(next(lines)[6:])
            assert first["parts"]["spec"]["title"] == "Customer transactions"
            warehouse.tick(5)
            while "tile:events" not in (push := json.loads(next(lines)[6:]))["parts"]:
                pass
            assert sum(push["parts"]["tile:events"]["values"][1]) == 405
            assert push["delay_ms"] >= 0
            server.stop()
            assert list(lines) == [], "the stream ends with the server"
    finally:
        server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/api/overview", timeout=2)


def test_a_port_that_is_taken_is_an_error_with_a_hint(warehouse: FakeWarehouse) -> None:
    first = ConsoleServer(create_app(warehouse, None), port=0)
    first.start()
    second = ConsoleServer(create_app(warehouse, None), port=first.port)
    try:
        with pytest.raises(ConfigurationError, match=f"could not listen on 127.0.0.1:{first.port}: address already in use") as caught:
            second.start()
        assert caught.value.hint is not None
        assert "--console-port" in caught.value.hint
    finally:
        second.stop()
        first.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "console.example", "::"])
def test_beyond_loopback_a_password_is_needed(warehouse: FakeWarehouse, host: str) -> None:
    with pytest.raises(ConfigurationError, match="without a password"):
        ConsoleServer(create_app(warehouse, None), host, 0)
    ConsoleServer(create_app(warehouse, None, password="x"), host, 0, has_password=True)
