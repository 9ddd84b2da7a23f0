"""One suite for all targets: the warehouse in process and over the wire, Redshift by its driver and by the Data API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.deploy.folders import SQL, write_folder
from tests.deploy.places import Redshift, SessionRemote

from nearshift.deploy.aws import Aws
from nearshift.deploy.redshift import RedshiftTarget
from nearshift.errors import ConfigurationError, NearshiftError, TargetError
from nearshift.pipeline.apply import carry_out
from nearshift.pipeline.definitions import Definition, FileError, Kind
from nearshift.pipeline.folder import Pipeline
from nearshift.pipeline.plan import Action, Applied, plan_changes, plan_removal
from nearshift.pipeline.target import Target

KINDS = ("in process", "wire", "driver", "data api")


class Place:
    """A folder and a target."""

    def __init__(self, folder: Path, redshift: Redshift, target: Target) -> None:
        self.folder = folder
        self.redshift = redshift
        self.target = target
        self._read: dict[str, list[Definition]] = {}

    def pipeline(self, sql: str) -> Pipeline:
        return write_folder(self.folder, sql=sql)

    def apply(self, sql: str = SQL, *allowed: str) -> list[tuple[Action, str]]:
        if sql not in self._read:
            self._read[sql] = [one for one in self.pipeline(sql).definitions if one.kind is not Kind.SCHEDULE]
        plan = plan_changes(self._read[sql], self.target.found("shop"), frozenset(allowed))
        return [(step.action, step.name.split("#")[0]) for step in carry_out(plan, "shop", self.target)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.redshift.rows(query)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, redshift: Redshift, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_DATA", redshift.console.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    return Place(tmp_path, redshift, redshift.target(request.param, Aws("eu-west-1")))


def test_a_folder_is_applied_once(place: Place) -> None:
    assert [name for _, name in place.apply()] == [
        "kds", "public.records", "public.typed", "public.fact", "sql/010.sql", "public.sp_load()",
    ]  # fmt: skip
    assert place.apply() == []
    place.redshift.stream.put(b'{"n": 7}')
    for statement in ("REFRESH MATERIALIZED VIEW records", "REFRESH MATERIALIZED VIEW typed", "CALL sp_load()"):
        place.rows(statement)
    assert place.rows("SELECT n, note FROM fact ORDER BY 1") == [(0, "it's begun"), (7, "loaded")]


def test_what_is_found_is_what_was_created_in_its_order(place: Place) -> None:
    place.apply()
    found = place.target.found("shop")
    wanted = place.pipeline(SQL).definitions
    assert [(one.kind, one.name, one.fingerprint) for one in found] == [
        (one.kind, one.name, one.fingerprint) for one in wanted if one.kind is not Kind.SCHEDULE
    ]
    assert [one.ordinal for one in found] == sorted(one.ordinal for one in found)
    assert place.target.found("other") == []


def test_a_change_replaces_and_a_loss_is_refused(place: Place) -> None:
    place.apply()
    changed = SQL.replace("payload.n::int AS n", "payload.n::int + 1 AS n").replace("'loaded'", "'again'")
    assert place.apply(changed) == [(Action.REPLACE, "public.typed"), (Action.REPLACE, "public.sp_load()")]
    with pytest.raises(ConfigurationError, match="rows would be lost"):
        place.apply(changed.replace("note varchar(100)", "note varchar(200)"))
    assert place.rows("SELECT n FROM fact") == [(0,)]


def test_a_statement_that_fails_leaves_neither_object_nor_memory(place: Place) -> None:
    for broken in ("FROM nothing", "FROM kds.events WHERE nothing = 1"):
        sql = SQL.replace("FROM records;", f"{broken};")
        with pytest.raises(FileError) as caught:
            place.apply(sql)
        assert (caught.value.file, caught.value.span is not None) == ("sql/010.sql", True)
        assert caught.value.span is not None
        assert caught.value.text[caught.value.span.start :].startswith("nothing")
        assert "public.typed" not in [one.name for one in place.target.found("shop")]
    assert place.apply()[0] == (Action.CREATE, "public.typed")


def test_settings_of_a_file_hold_for_what_follows_them_only(place: Place) -> None:
    place.apply('SET enable_case_sensitive_identifier TO true;\nCREATE TABLE "Mixed" ("Col" int);\nCREATE TABLE plain (x int);')
    place.apply('SET enable_case_sensitive_identifier TO true;\nCREATE TABLE "Mixed" ("Col" int);\nCREATE TABLE plain (x int);')
    assert {one.name for one in place.target.found("shop")} == {'public."Mixed"', "public.plain"}
    again = place.apply("CREATE TABLE plain (x int);", 'public."Mixed"', "public.plain")
    assert (Action.DROP, 'public."Mixed"') in again
    assert place.rows("SELECT table_name FROM svv_tables WHERE table_schema = 'public'") == [("plain",)]


def test_dropping_what_is_gone_forgets_it(place: Place) -> None:
    place.apply()
    for statement in ("DROP PROCEDURE sp_load()", "DROP MATERIALIZED VIEW typed", "DROP TABLE fact"):
        place.rows(statement)
    assert len(list(carry_out(plan_removal(place.target.found("shop")), "shop", place.target))) == 6
    assert place.target.found("shop") == []
    assert place.rows("SELECT count(*) FROM svv_tables WHERE table_schema = 'public'") == [(0,)]
    assert len(place.apply()) == 6


def test_what_somebody_else_made_is_not_taken_over(place: Place) -> None:
    place.rows("CREATE TABLE fact (x int)")
    with pytest.raises(NearshiftError, match="fact"):
        place.apply()
    assert place.rows("SELECT count(*) FROM fact") == [(0,)]
    assert "public.fact" not in [one.name for one in place.target.found("shop")]


class _Cut:
    """A connection that breaks at its n-th statement, before or after it was carried out."""

    def __init__(self, inner: Any, at: int, *, is_done: bool) -> None:
        self._inner = inner
        self.left = at
        self._is_done = is_done

    def _pass(self, name: str, argument: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self._is_done:
            raise TargetError("the network is cut")
        answer = getattr(self._inner, name)(argument)
        if self.left == 0:
            raise TargetError("the network is cut")
        return answer

    def run(self, text: str) -> Any:
        return self._pass("run", text)

    def run_each(self, texts: Any) -> None:
        self._pass("run_each", texts)

    def run_together(self, texts: Any) -> None:
        self._pass("run_together", texts)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_cut_at_any_statement_is_made_good_by_the_next_run(is_done: bool, tmp_path: Path, redshift: Redshift) -> None:
    inner = SessionRemote(redshift.warehouse)
    place = Place(tmp_path, redshift, RedshiftTarget(inner))
    cuts = 0
    try:
        for at in range(1 + is_done, 100, 2):  # both kinds of cut together meet all places
            cut = _Cut(inner, at, is_done=is_done)
            place.target = RedshiftTarget(cut)
            try:
                place.apply()
            except TargetError:
                cuts += 1
            finished = cut.left > 0
            place.target = RedshiftTarget(inner)
            place.apply()
            assert place.apply() == []
            assert place.rows("SELECT n, note FROM fact") == [(0, "it's begun")]
            assert len(place.target.found("shop")) == 6
            cut = _Cut(inner, at, is_done=is_done)
            place.target = RedshiftTarget(cut)
            try:
                list(carry_out(plan_removal(place.target.found("shop")), "shop", place.target))
            except TargetError:
                cuts += 1
            place.target = RedshiftTarget(inner)
            list(carry_out(plan_removal(place.target.found("shop")), "shop", place.target))
            assert place.rows("SELECT count(*) FROM svv_tables WHERE table_schema = 'public'") == [(0,)]
            if finished and cut.left > 0:
                break
    finally:
        inner.close()
    assert cuts > 10


def test_a_begun_view_that_was_never_made_is_no_view(tmp_path: Path, redshift: Redshift) -> None:
    target = redshift.target("driver")
    place = Place(tmp_path, redshift, target)
    place.apply()
    place.rows("UPDATE nearshift_pipeline.applied_object SET ordinal = -ordinal - 1 WHERE name = 'public.typed'")
    place.rows("DROP MATERIALIZED VIEW typed")
    assert place.apply() == [(Action.CREATE, "public.typed")]
    assert Applied in {type(one) for one in target.found("shop")}
