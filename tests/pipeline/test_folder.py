"""A folder's SQL into definitions: kinds, names, settings in force, fingerprints, and places of errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearshift.pipeline.definitions import Definition, FileError, Kind, fingerprint_of
from nearshift.pipeline.folder import read_folder, read_script

EXAMPLE = Path(__file__).parents[2] / "examples" / "customer-transactions"


def read(text: str) -> list[Definition]:
    return read_script(text, "sql/010_x.sql", set())


def test_each_kind_of_statement_is_known() -> None:
    found = read(
        """
        SET enable_case_sensitive_identifier TO true;
        CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
        CREATE SCHEMA s;
        CREATE MATERIALIZED VIEW a AS SELECT kinesis_data FROM kds."My-Stream";
        CREATE MATERIALIZED VIEW s."B" AS SELECT * FROM a;
        CREATE TABLE t (x int);
        CREATE VIEW v AS SELECT x FROM t;
        CREATE PROCEDURE sp(a int, b OUT varchar(5)) AS $$ BEGIN NULL; END; $$ LANGUAGE plpgsql;
        INSERT INTO t VALUES (1);
        """
    )
    assert [(one.kind, one.name) for one in found[:7]] == [
        (Kind.EXTERNAL_SCHEMA, "kds"),
        (Kind.SCHEMA, "s"),
        (Kind.STREAMING_VIEW, "public.a"),
        (Kind.MATERIALIZED_VIEW, 's."B"'),
        (Kind.TABLE, "public.t"),
        (Kind.VIEW, "public.v"),
        (Kind.PROCEDURE, "public.sp(integer)"),
    ]
    assert found[7].kind is Kind.STATEMENT
    assert found[0].settings == ("SET enable_case_sensitive_identifier TO true",)


def test_names_fold_unless_the_file_says_otherwise() -> None:
    assert read('CREATE TABLE "T" (x int)')[0].name == "public.t"
    assert read('SET enable_case_sensitive_identifier TO on; CREATE TABLE "T" (x int)')[0].name == 'public."T"'


def test_comments_and_blanks_do_not_change_a_fingerprint_and_settings_do() -> None:
    assert fingerprint_of("SELECT a,  B -- why\nFROM t") == fingerprint_of("select A, b from /* x */ T")
    assert fingerprint_of("SELECT 'a'") != fingerprint_of("SELECT 'A'")
    assert fingerprint_of('SELECT "a"') != fingerprint_of('SELECT "A"')
    assert fingerprint_of("SELECT 1", ("SET x TO on",)) != fingerprint_of("SELECT 1")


@pytest.mark.parametrize(
    "text", ["SELECT 1", "DROP TABLE t", "BEGIN", "CALL sp()", "CREATE TEMP TABLE t (x int)", "REFRESH MATERIALIZED VIEW v"]
)
def test_statements_that_do_not_say_what_should_be_are_refused(text: str) -> None:
    with pytest.raises(FileError) as caught:
        read("CREATE TABLE a (x int);\n\n-- here\n" + text)
    assert caught.value.sqlstate == "0A000"
    assert caught.value.span is not None
    assert caught.value.text[caught.value.span.start :].startswith(text)


def test_an_error_points_into_the_file() -> None:
    text = "CREATE TABLE a (x int);\nCREATE TABLE b (x wrongtype)"
    with pytest.raises(FileError) as caught:
        read(text)
    assert caught.value.file == "sql/010_x.sql"
    assert caught.value.span is not None
    assert caught.value.span.start > text.index("CREATE TABLE b")


def test_a_name_defined_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nearshift.toml").write_text('name = "p"')
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "1.sql").write_text("CREATE TABLE a (x int);")
    (tmp_path / "sql" / "2.sql").write_text("CREATE VIEW a AS SELECT 1 AS x;")
    with pytest.raises(FileError, match="defined twice") as caught:
        read_folder(tmp_path)
    assert caught.value.detail == "It is also defined in sql/1.sql, line 1."


def test_files_are_read_in_name_order_and_views_read_what_is_defined_before(tmp_path: Path) -> None:
    (tmp_path / "nearshift.toml").write_text('name = "p"')
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "20.sql").write_text("CREATE VIEW v AS SELECT x FROM t;")
    (tmp_path / "sql" / "10.sql").write_text("CREATE TABLE t (x int, v int);")
    table, view = read_folder(tmp_path).definitions
    assert (table.name, table.reads) == ("public.t", frozenset())
    assert (view.name, view.reads) == ("public.v", frozenset({"public.t"}))


def test_the_example_is_a_pipeline() -> None:
    pipeline = read_folder(EXAMPLE)
    kinds = [one.kind for one in pipeline.definitions]
    assert kinds.count(Kind.STREAMING_VIEW) == 1
    assert kinds.count(Kind.MATERIALIZED_VIEW) == 4
    assert kinds.count(Kind.PROCEDURE) == 4
    assert kinds.count(Kind.SCHEDULE) == 4
    by_name = {one.name: one for one in pipeline.definitions}
    assert by_name["public.mv_customer_profile_event"].reads == {"public.mv_item_change"}
