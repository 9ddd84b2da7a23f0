"""Each rule: a text that it flags, and one beside it that is clean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nearshift.check.findings import Finding
from nearshift.check.material import material_of, read_material
from nearshift.check.run import RULES, check_folder, check_material
from nearshift.generate.folder import plan_files, write
from nearshift.pipeline.manifest import parse_manifest

ROOT = Path(__file__).parents[2]
CASE = "SET enable_case_sensitive_identifier TO true;\n"
STREAM = (
    CASE
    + """CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW v AUTO REFRESH YES AS
SELECT refresh_time, sequence_number, approximate_arrival_timestamp,
       CASE WHEN can_json_parse(kinesis_data) THEN json_parse(kinesis_data) END AS payload
FROM kds."orders";
CREATE TABLE audit (name varchar(9), status varchar(9), enddate timestamp, watermark timestamp);
CREATE TABLE fact (a int);
"""
)


def streaming(query: str) -> str:
    return f"{CASE}CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default; CREATE MATERIALIZED VIEW v AS {query};"


def view(query: str) -> str:
    return f"{STREAM}CREATE MATERIALIZED VIEW w AS {query};"


def procedure(body: str, option: str = "", declare: str = "") -> str:
    return f"{STREAM}CREATE MATERIALIZED VIEW w AS SELECT refresh_time FROM v;\n" + (
        f"CREATE MATERIALIZED VIEW x AS SELECT refresh_time FROM w;\n"
        f"CREATE PROCEDURE p() {option} AS $$ DECLARE n int; {declare} BEGIN {body} END; $$ LANGUAGE plpgsql;"
    )


WATERMARK = "INSERT INTO fact SELECT 1 FROM w WHERE refresh_time > (SELECT {0} FROM audit WHERE name = 'p');"
PAIRS = {
    "refused": ("SELECT 1 FROM WHERE;", "SELECT 1 FROM t;"),
    "not-checked": ("CREATE DATASHARE d;", "SELECT 1;"),
    "null-by-case": (
        view('SELECT s.payload."eventName"::varchar(9) AS e FROM v s').replace(CASE, ""),
        view('SELECT s.payload."eventName"::varchar(9) AS e FROM v s'),
    ),
    "case-at-run-time": (
        procedure('INSERT INTO fact SELECT s.payload."Keys"."pk"."N"::int FROM v s;'),
        procedure("INSERT INTO fact SELECT s.payload.keys.pk.n::int FROM v s;"),
    ),
    "stream-case": (
        streaming('SELECT kinesis_data FROM kds."Orders"').replace(CASE, ""),
        streaming('SELECT kinesis_data FROM kds."Orders"'),
    ),
    "limits": (f"CREATE TABLE t ({'a' * 128} int);", f"CREATE TABLE t ({'a' * 127} int);"),
    "varchar-256": (
        view('SELECT s.payload."note"."S"::varchar AS n FROM v s'),
        view('SELECT s.payload."note"."S"::varchar(4000) AS n FROM v s'),
    ),
    "no-such-function": ("SELECT string_agg(a, ',') FROM t;", "SELECT listagg(a, ',') WITHIN GROUP (ORDER BY a) FROM t;"),
    "not-in-redshift": (
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING;",
        "INSERT INTO t VALUES (1);",
    ),
    "window-frame": (
        "SELECT sum(a) OVER (ORDER BY b) FROM t;",
        "SELECT sum(a) OVER (ORDER BY b ROWS UNBOUNDED PRECEDING), lag(a IGNORE NULLS) OVER (ORDER BY b) FROM t;",
    ),
    "leader-only": ("INSERT INTO t SELECT now() FROM u;", "INSERT INTO t SELECT getdate() FROM u;"),
    "double-quotes": ('UPDATE t SET status = "Running";', "UPDATE t SET status = 'Running';"),
    "streaming-join": (
        streaming('SELECT a.kinesis_data FROM kds."s" a, kds."t" b'),
        streaming('SELECT a.kinesis_data FROM kds."s" a'),
    ),
    "streaming-full-refresh": (
        streaming('SELECT getdate() AS g, kinesis_data FROM kds."s"'),
        streaming('SELECT refresh_time AS g, kinesis_data FROM kds."s"'),
    ),
    "full-refresh": (
        view("SELECT row_number() OVER (ORDER BY refresh_time) AS n FROM v"),
        view("SELECT refresh_time AS n FROM v"),
    ),
    "outer-unnest": (
        view('SELECT l."S"::varchar(9) AS n FROM v s LEFT JOIN s.payload."L" l ON true'),
        view('SELECT l."S"::varchar(9) AS n FROM v s, s.payload."L" l'),
    ),
    "view-clause": (view("SELECT refresh_time FROM v ORDER BY 1"), view("SELECT refresh_time FROM v")),
    "view-base": (
        "CREATE VIEW b AS SELECT 1 AS a; CREATE MATERIALIZED VIEW m AS SELECT a FROM b;",
        "CREATE TABLE b (a int); CREATE MATERIALIZED VIEW m AS SELECT a FROM b;",
    ),
    "auto-refresh": (
        STREAM + "CREATE MATERIALIZED VIEW w AUTO REFRESH YES AS SELECT refresh_time FROM v;",
        STREAM + "CREATE MATERIALIZED VIEW w AUTO REFRESH NO AS SELECT refresh_time FROM v;",
    ),
    "json-guard": (
        streaming('SELECT json_parse(kinesis_data) AS p FROM kds."s"'),
        streaming('SELECT json_parse(kinesis_data) AS p FROM kds."s" WHERE can_json_parse(kinesis_data)'),
    ),
    "super-key": ("CREATE TABLE t (a int, p super) SORTKEY (p);", "CREATE TABLE t (a int, p super) SORTKEY (a);"),
    "own-transaction": (procedure("ALTER TABLE fact APPEND FROM other;"), procedure("INSERT INTO fact SELECT a FROM other;")),
    "truncate-commits": (procedure("TRUNCATE fact;"), procedure("DELETE FROM fact;")),
    "refresh-in-transaction": (
        procedure("REFRESH MATERIALIZED VIEW w; INSERT INTO fact SELECT 1 FROM w;"),
        procedure("REFRESH MATERIALIZED VIEW w; INSERT INTO fact SELECT 1 FROM w;", "NONATOMIC"),
    ),
    "refresh-no-cascade": (
        procedure("REFRESH MATERIALIZED VIEW x;", "NONATOMIC"),
        procedure("REFRESH MATERIALIZED VIEW w; REFRESH MATERIALIZED VIEW x;", "NONATOMIC"),
    ),
    "watermark": (
        procedure(WATERMARK.format("enddate") + " UPDATE audit SET enddate = getdate();"),
        procedure(WATERMARK.format("watermark") + " UPDATE audit SET enddate = getdate(), watermark = n;"),
    ),
    "arrival-order": (
        procedure("INSERT INTO fact SELECT row_number() OVER (PARTITION BY a ORDER BY approximate_arrival_timestamp DESC) FROM w;"),
        procedure("INSERT INTO fact SELECT row_number() OVER (PARTITION BY a ORDER BY change_us, sequence_number DESC) FROM w;"),
    ),
    "function-differs": (
        "SELECT listagg(a), regexp_substr(a, 'x|xy') FROM t;",
        "SELECT listagg(a) WITHIN GROUP (ORDER BY a), regexp_substr(a, 'xy') FROM t;",
    ),
    "here-only": ("CALL sys_nearshift_replay('v');", "SELECT 1;"),
    "session-zone": ("SET timezone TO 'America/New_York'; CREATE TABLE t (a int);", "SET timezone TO 'UTC'; CREATE TABLE t (a int);"),
    "trailing-blanks": ("SELECT a FROM t WHERE a = 'x ';", "SELECT a FROM t WHERE a = ' x';"),
    "text-limit": (f"INSERT INTO t VALUES ('{'x' * 65536}');", f"INSERT INTO t VALUES ('{'x' * 65535}');"),
    "set-in-procedure": (procedure("SET timezone TO 'UTC';"), procedure("NULL;")),
}
SCHEDULE = '[[schedules]]\nname = "{0}"\nstatement = "CALL {0}()"\nlocal = "rate(10 seconds)"\n'
DELETES = "CREATE PROCEDURE {0}() AS $$ BEGIN DELETE FROM {1}; END; $$ LANGUAGE plpgsql;\n"


def findings(sql: str, toml: str = "") -> list[Finding]:
    return check_material(material_of(Path(), parse_manifest('name = "p"\n' + toml), {"sql/a.sql": sql}))


def names(sql: str, toml: str = "") -> set[str]:
    return {one.rule.name for one in findings(sql, toml)}


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_a_rule_flags_what_it_should_and_nothing_beside_it(rule: str) -> None:
    flagged, clean = PAIRS[rule]
    assert rule in names(flagged)
    assert names(clean) == set()


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO t VALUES (1) RETURNING a",
        "SELECT DISTINCT ON (a) a FROM t",
        "SELECT a FROM t WHERE a IS DISTINCT FROM 1",
        "SELECT b.x FROM t, LATERAL (SELECT 1 AS x) b",
        "SELECT a FROM t TABLESAMPLE SYSTEM (10)",
        "SELECT sum(a) FILTER (WHERE a > 1) FROM t",
    ],
)
def test_what_postgresql_has_alone_is_flagged(query: str) -> None:
    assert names(query + ";") == {"not-in-redshift"}


def test_a_frame_of_values_is_flagged() -> None:
    assert names("SELECT sum(a) OVER (ORDER BY b RANGE UNBOUNDED PRECEDING) FROM t;") == {"window-frame"}


def test_two_scheduled_procedures_that_change_one_table_may_clash() -> None:
    toml = SCHEDULE.format("p") + 'aws = "rate(1 minute)"\n' + SCHEDULE.format("q") + 'aws = "rate(1 minute)"\n'
    assert names(DELETES.format("p", "t") + DELETES.format("q", "t"), toml) == {"error-1023"}
    assert names(DELETES.format("p", "t") + DELETES.format("q", "u"), toml) == set()
    one_row_each = DELETES.format("p", "t WHERE name = 'p'") + DELETES.format("q", "t WHERE name = 'q'")
    assert names(one_row_each, toml) == set()


def test_a_schedule_without_a_time_on_aws_does_not_run_there() -> None:
    assert names(DELETES.format("p", "t"), SCHEDULE.format("p")) == {"schedule-minimum"}
    assert names(DELETES.format("p", "t"), SCHEDULE.format("p") + 'aws = "rate(1 minute)"\n') == set()


def test_every_rule_has_a_pair_and_a_page() -> None:
    elsewhere = {"error-1023", "schedule-minimum", "unbound"}
    assert {rule.name for rule in RULES} == set(PAIRS) | elsewhere
    assert all(rule.page.startswith("https://docs.aws.amazon.com/redshift/") and rule.page.endswith(".html") for rule in RULES)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY t FROM 'file:///tmp/a.csv' IAM_ROLE default CSV;",
        "UNLOAD ('SELECT a FROM t') TO 'file:///tmp/a' IAM_ROLE default;",
        "SELECT * FROM sys_nearshift_ledger;",
        procedure("INSERT INTO fact SELECT count(*) FROM sys_nearshift_gap;"),
    ],
)
def test_what_is_here_only_is_flagged(statement: str) -> None:
    assert "here-only" in names(statement)


def test_a_schedule_of_what_is_here_only_has_no_time_on_aws() -> None:
    toml = """[[schedules]]\nname = "r"\nstatement = "CALL sys_nearshift_replay('v')"\nlocal = "rate(1 hour)"\naws = "rate(1 hour)"\n"""
    assert names("SELECT 1;", toml) == {"here-only"}


BAD = sorted(path for path in (ROOT / "tests" / "check" / "bad").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", BAD, ids=lambda path: path.name)
def test_every_planted_fault_is_found_where_it_is(folder: Path) -> None:
    """Each folder has one fault; the line that it is in ends with `-- fault: RULE`, in nearshift.toml with `# fault: RULE`."""
    found = check_folder(folder) if folder.name == "unbound" else check_material(read_material(folder))
    planted = {
        (f"sql/{path.name}", number, line.rpartition("-- fault: ")[2])
        for path in (folder / "sql").glob("*.sql")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "-- fault: " in line
    }
    toml = (folder / "nearshift.toml").read_text(encoding="utf-8")
    planted |= {("nearshift.toml", 1, line.rpartition("# fault: ")[2]) for line in toml.splitlines() if "# fault: " in line}
    assert planted
    assert {(one.found.file, one.line, one.rule.name) for one in found} == planted
    assert folder.name in {rule for _, _, rule in planted}


def test_every_rule_has_a_planted_fault() -> None:
    assert {folder.name for folder in BAD} == {rule.name for rule in RULES}


def test_a_finding_points_to_its_line_also_inside_a_procedure() -> None:
    body = 'BEGIN\n  DELETE FROM t;\n  UPDATE t\n  SET status = "Running";\nEND;'
    text = f"-- a note\nCREATE PROCEDURE p()\nAS $$\n{body}\n$$ LANGUAGE plpgsql;\n"
    (one,) = findings(text)
    assert (one.found.file, one.line, one.column) == ("sql/a.sql", 7, 16)
    assert one.found.error == 'column "running" does not exist'


def test_values_are_worked_out_on_the_leader_node() -> None:
    assert names("INSERT INTO t VALUES (current_timestamp, now());") == set()


def test_the_published_manner_of_loading_is_found_out(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "generate" / "exhibit", tmp_path / "p")
    write(plan_files(tmp_path / "p"))
    found = [one for one in check_folder(tmp_path / "p") if one.rule.severity.value != "note"]
    assert {one.found.file for one in found} == {"sql/150_published.sql"}
    expected = {"watermark", "arrival-order", "json-guard", "refresh-in-transaction", "refresh-no-cascade", "varchar-256"}
    assert {one.rule.name for one in found} == expected


@pytest.mark.parametrize("name", ["customer-transactions", "starter"])
def test_the_examples_are_clean(name: str) -> None:
    found = check_folder(ROOT / "src" / "nearshift" / "examples" / name)
    assert [(one.found.file, one.line, one.rule.name) for one in found if one.rule.severity.value != "note"] == []


def test_generated_sql_is_clean() -> None:
    assert [one.found.message for one in check_folder(ROOT / "tests" / "generate" / "orders")] == []


def test_the_rules_are_documented() -> None:
    text = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    assert [rule.name for rule in RULES if f"| `{rule.name}` | {rule.severity.value} |" not in text] == []
    assert [rule.page for rule in RULES if rule.page not in text] == []
