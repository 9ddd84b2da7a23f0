"""The difference between wanted and found, as a table of cases."""

from __future__ import annotations

from nearshift.pipeline.definitions import Definition
from nearshift.pipeline.folder import _link, read_script
from nearshift.pipeline.plan import Action, Applied, Plan, plan_changes, plan_removal

SCRIPT = """
CREATE EXTERNAL SCHEMA kds FROM KINESIS IAM_ROLE default;
CREATE MATERIALIZED VIEW events AS SELECT kinesis_data FROM kds.s;
CREATE MATERIALIZED VIEW typed AS SELECT kinesis_data FROM events;
CREATE MATERIALIZED VIEW tops AS SELECT * FROM typed;
CREATE TABLE t (x int);
INSERT INTO t VALUES (1);
CREATE OR REPLACE PROCEDURE sp() AS $$ BEGIN INSERT INTO t SELECT 2; END; $$ LANGUAGE plpgsql;
"""


def wanted(text: str = SCRIPT) -> list[Definition]:
    return _link(read_script(text, "sql/1.sql", set()))


def applied(definitions: list[Definition]) -> list[Applied]:
    return [Applied(one.kind, one.name, one.fingerprint, ordinal) for ordinal, one in enumerate(definitions)]


def actions(plan: Plan) -> dict[str, Action]:
    return {step.name.split("#")[0]: step.action for step in plan.steps}


def test_on_an_empty_target_everything_is_created_in_order() -> None:
    plan = plan_changes(wanted(), [])
    assert [step.action for step in plan.steps] == [Action.CREATE] * 5 + [Action.RUN, Action.CREATE]
    assert [step.name for step in plan.steps][:2] == ["kds", "public.events"]


def test_applying_twice_leaves_nothing_to_do() -> None:
    assert plan_changes(wanted(), applied(wanted())).is_empty


def test_a_changed_comment_is_no_change() -> None:
    assert plan_changes(wanted(SCRIPT.replace("CREATE TABLE t", "-- why\ncreate table t")), applied(wanted())).is_empty


def test_a_changed_streaming_view_is_refused_with_what_it_would_cost() -> None:
    plan = plan_changes(wanted(SCRIPT.replace("SELECT kinesis_data FROM kds.s", "SELECT shard_id FROM kds.s")), applied(wanted()))
    assert [step.name for step in plan.refusals] == ["public.events"]
    assert "oldest record" in plan.refusals[0].reason


def test_a_changed_streaming_view_that_was_allowed_carries_its_readers_along_and_nothing_else() -> None:
    script = SCRIPT.replace("SELECT kinesis_data FROM kds.s", "SELECT shard_id FROM kds.s")
    found = actions(plan_changes(wanted(script), applied(wanted()), frozenset({"public.events"})))
    assert found == {
        "kds": Action.KEEP, "public.events": Action.REPLACE, "public.typed": Action.REPLACE, "public.tops": Action.REPLACE,
        "public.t": Action.KEEP, "sql/1.sql": Action.KEEP, "public.sp()": Action.KEEP,
    }  # fmt: skip


def test_a_changed_derived_view_is_replaced_with_its_readers() -> None:
    found = actions(plan_changes(wanted(SCRIPT.replace("kinesis_data FROM events", "1 AS one FROM events")), applied(wanted())))
    assert found["public.typed"] is Action.REPLACE
    assert found["public.tops"] is Action.REPLACE
    assert found["public.events"] is Action.KEEP


def test_a_changed_table_is_refused_and_when_allowed_its_statements_run_again() -> None:
    script = SCRIPT.replace("(x int)", "(x int, y int)")
    assert [step.name for step in plan_changes(wanted(script), applied(wanted())).refusals] == ["public.t"]
    found = actions(plan_changes(wanted(script), applied(wanted()), frozenset({"public.t"})))
    assert found["public.t"] is Action.REPLACE
    assert found["sql/1.sql"] is Action.RUN


def test_a_changed_procedure_is_replaced_and_a_new_signature_is_another_procedure() -> None:
    assert actions(plan_changes(wanted(SCRIPT.replace("SELECT 2", "SELECT 3")), applied(wanted())))["public.sp()"] is Action.REPLACE
    found = actions(plan_changes(wanted(SCRIPT.replace("sp()", "sp(a int)")), applied(wanted())))
    assert found["public.sp(integer)"] is Action.CREATE
    assert found["public.sp()"] is Action.DROP


def test_what_the_folder_no_longer_has_goes_unless_it_holds_rows() -> None:
    kept = [one for one in wanted() if one.name not in {"public.t", "public.tops"} and not one.name.startswith("sql/")]
    plan = plan_changes(kept, applied(wanted()))
    found = actions(plan)
    assert found["public.tops"] is Action.DROP
    assert found["public.t"] is Action.REFUSE
    assert found["sql/1.sql"] is Action.FORGET
    assert actions(plan_changes(kept, applied(wanted()), frozenset({"public.t"})))["public.t"] is Action.DROP


def test_a_view_that_became_a_table_is_replaced_only_with_leave() -> None:
    script = SCRIPT.replace("CREATE TABLE t (x int)", "CREATE VIEW t AS SELECT 1 AS x")
    assert [step.name for step in plan_changes(wanted(script), applied(wanted())).refusals] == ["public.t"]


def test_removal_goes_from_the_last_to_the_first() -> None:
    plan = plan_removal(applied(wanted()))
    assert [step.name.split("#")[0] for step in plan.steps] == [
        "public.sp()", "sql/1.sql", "public.t", "public.tops", "public.typed", "public.events", "kds",
    ]  # fmt: skip
    assert not plan.refusals
