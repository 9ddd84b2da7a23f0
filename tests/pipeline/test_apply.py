"""Plans carried out on a warehouse in memory: what is made, kept, replaced and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nearshift.errors import ConfigurationError, NearshiftError
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.definitions import FileError
from nearshift.pipeline.folder import read_folder
from nearshift.pipeline.local import WarehouseTarget, literal, read_schedules
from nearshift.pipeline.plan import Action, plan_changes, plan_removal
from nearshift.pipeline.session import SessionConnection
from nearshift.streams.memory import MemoryStream
from nearshift.warehouse import Warehouse

SQL = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW records AS SELECT refresh_time, json_parse(kinesis_data) AS payload FROM kds.events;
CREATE MATERIALIZED VIEW typed AS SELECT payload.n::int AS n FROM records;
CREATE TABLE "Audit Log" (x int, note varchar(100));
INSERT INTO "Audit Log" VALUES (1, 'it''s \\\\ ok');
CREATE OR REPLACE PROCEDURE sp_note(x int) AS $$ BEGIN INSERT INTO "Audit Log" SELECT x, 'called'; END; $$ LANGUAGE plpgsql;
"""
MANIFEST = """
name = "p"
[[schedules]]
name = "note"
statement = "CALL sp_note(1)"
local = "rate(1 hour)"
"""


class Place:
    """A folder and a warehouse in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sql").mkdir(parents=True)
        self.stream = MemoryStream("events")
        self.warehouse = Warehouse.open(None, sources=lambda _schema, _name: self.stream.source())
        self.connection = SessionConnection(self.warehouse.session())
        self.target = WarehouseTarget(self.connection)
        self.write()

    def write(self, sql: str = SQL, manifest: str = MANIFEST) -> None:
        (self.folder / "sql" / "010.sql").write_text(sql)
        (self.folder / "nearshift.toml").write_text(manifest)

    def apply(self, *allowed: str) -> list[tuple[Action, str]]:
        pipeline = read_folder(self.folder)
        plan = plan_changes(pipeline.definitions, self.target.found(pipeline.name), frozenset(allowed))
        return [(step.action, step.name.split("#")[0]) for step in carry_out(plan, pipeline.name, self.target)]

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return list(self.connection.run(query).rows)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "p")
    yield found
    found.connection.close()
    found.warehouse.close()


def test_a_second_apply_has_nothing_to_do(place: Place) -> None:
    assert len(place.apply()) == 7
    assert place.apply() == []
    assert place.rows('SELECT x, note FROM "audit log"') == [(1, "it's \\ ok")]
    assert [(one.name, one.local) for one in read_schedules(place.connection, "p")] == [("note", "rate(1 hour)")]


def test_a_changed_view_and_procedure_are_replaced_and_rows_stay(place: Place) -> None:
    place.apply()
    place.stream.put(b'{"n": 7}')
    for view in ("records", "typed"):
        place.connection.run(f"REFRESH MATERIALIZED VIEW {view}")
    place.write(SQL.replace("payload.n::int AS n", "payload.n::int + 1 AS n").replace("'called'", "'called twice'"))
    assert place.apply() == [(Action.REPLACE, "public.typed"), (Action.REPLACE, "public.sp_note(integer)")]
    place.connection.run("CALL sp_note(5)")
    assert place.rows("SELECT n FROM typed") == [(8,)]
    assert place.rows('SELECT x, note FROM "audit log" ORDER BY 1') == [(1, "it's \\ ok"), (5, "called twice")]


def test_a_changed_streaming_view_is_refused_before_anything_is_done(place: Place) -> None:
    place.apply()
    place.write(SQL.replace("refresh_time, ", "").replace("'called'", "'other'"))
    with pytest.raises(ConfigurationError, match=r"public\.records.* is not changed") as caught:
        place.apply()
    assert "--allow public.records" in (caught.value.hint or "")
    assert [step for step in place.apply("public.records") if step[0] is Action.REPLACE] == [
        (Action.REPLACE, "public.records"), (Action.REPLACE, "public.typed"), (Action.REPLACE, "public.sp_note(integer)"),
    ]  # fmt: skip
    place.stream.put(b'{"n": 1}')
    place.connection.run("REFRESH MATERIALIZED VIEW records")
    assert place.rows("SELECT payload.n::int FROM records") == [(1,)]


def test_what_the_folder_no_longer_has_goes(place: Place) -> None:
    place.apply()
    place.write(SQL[: SQL.index("CREATE OR REPLACE")], 'name = "p"')
    assert place.apply() == [(Action.DROP, "note"), (Action.DROP, "public.sp_note(integer)")]
    with pytest.raises(NearshiftError, match="sp_note"):
        place.connection.run("CALL sp_note(1)")
    assert read_schedules(place.connection, "p") == []


def test_a_statement_that_fails_points_into_its_file_and_the_rest_is_finished_later(place: Place) -> None:
    place.write(SQL.replace("payload.n::int AS n FROM records", "nothing FROM records"))
    with pytest.raises(FileError) as caught:
        place.apply()
    assert caught.value.file == "sql/010.sql"
    assert caught.value.span is not None
    assert caught.value.text[caught.value.span.start :].startswith("nothing")
    assert [one.name for one in place.target.found("p")] == ["kds", "public.records"]
    place.write()
    assert place.apply()[0] == (Action.CREATE, "public.typed")
    assert place.apply() == []


def test_destroying_leaves_no_object(place: Place) -> None:
    place.apply()
    plan = plan_removal(place.target.found("p"))
    assert len(list(carry_out(plan, "p", place.target))) == 7
    assert place.target.found("p") == []
    assert place.rows("SELECT count(*) FROM svv_tables WHERE table_schema = 'public'") == [(0,)]
    assert len(place.apply()) == 7


def test_two_pipelines_in_one_warehouse_do_not_see_each_other(place: Place) -> None:
    place.apply()
    place.write("CREATE TABLE other (x int);", 'name = "q"')
    assert place.apply() == [(Action.CREATE, "public.other")]
    assert len(place.target.found("p")) == 7


def test_literals_are_read_back_unchanged(place: Place) -> None:
    text = "it's \\ and \\n and\na line, é"
    assert place.rows("SELECT " + literal(text)) == [(text,)]
