"""Names: what they mean, how they fold, and what is said when they mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from nearshift.sql.relations import NameRules
from nearshift.types import INTEGER, SUPER, VARCHAR

SENSITIVE = NameRules(case_sensitive_identifier=True)


def test_star_gives_the_columns_of_the_catalog_and_no_hidden_ones(desk: Any) -> None:
    desk.table("kept", "a int; b int", hidden='"$row" BIGINT')
    desk.connection.execute("INSERT INTO kept VALUES (1, 2, 99)")
    assert desk.run("SELECT * FROM kept") == [(1, 2)]
    assert desk.refusal('SELECT "$row" FROM kept').sqlstate == "42703"


def test_quoted_names_fold_unless_identifiers_are_case_sensitive(desk: Any) -> None:
    assert desk.run('SELECT "ID" FROM "SALES" WHERE ID = 1') == [(1,)]
    assert desk.refusal('SELECT "ID" FROM sales', SENSITIVE).message == 'column "ID" does not exist'
    assert [one.name for one in desk.lowered('SELECT id AS "My Col", id AS Other FROM sales', SENSITIVE).columns] == ["My Col", "other"]


def test_names_may_be_qualified_by_alias_schema_and_database(desk: Any) -> None:
    text = "SELECT s.id, t.id, public.sales.id, dev.public.sales.name FROM public.sales, sales s, dev.public.sales t WHERE s.id = 1"
    assert len(desk.lowered(text).columns) == 4
    assert desk.lowered(text).reads == frozenset({("public", "sales")})


@pytest.mark.parametrize(
    ("text", "sqlstate", "message", "place", "hint"),
    [
        ("SELECT nme FROM sales", "42703", 'column "nme" does not exist', "nme", 'Did you mean "name"?'),
        ("SELECT s.idd FROM sales s", "42703", 'column "idd" does not exist in "s"', "idd", 'Did you mean "id"?'),
        ("SELECT id FROM sale", "42P01", 'relation "sale" does not exist', "sale", 'Did you mean "sales"?'),
        ("SELECT x.id FROM sales", "42P01", 'missing FROM-clause entry for table "x"', "x", None),
        ("SELECT id FROM sales a, sales b", "42702", 'column reference "id" is ambiguous', "id", None),
        ("SELECT 1 FROM sales, sales", "42712", 'table name "sales" specified more than once', "sales", None),
        ("SELECT uper(name) FROM sales", "42883", 'function "uper" does not exist', "uper", 'Did you mean "upper"?'),
        ("SELECT name.x FROM sales", "42809", 'navigation on column "name" is not allowed as it is not SUPER type', "x", None),
        ("SELECT id FROM sales GROUP BY name", "42803", 'column "id" must appear in the GROUP BY clause', "id", None),
        ("SELECT id FROM sales WHERE count(*) > 1", "42803", "aggregates not allowed in WHERE", "count", None),
        ("SELECT id FROM sales ORDER BY 2", "42P10", "ORDER BY position 2 is not in select list", "2", None),
        ("SELECT id FROM sales WHERE", "42601", "syntax error at end of input", "", None),
        ("SELECT id id id FROM sales", "42601", 'syntax error at or near "id"', "id", None),
        ("SELECT id::nosuch FROM sales", "42601", "syntax error at or near", "nosuch", None),
        ("SELECT id::uuid FROM sales", "42704", "does not exist", None, None),
    ],
)
def test_an_error_names_its_place(desk: Any, text: str, sqlstate: str, message: str, place: str | None, hint: str | None) -> None:
    error = desk.refusal(text)
    assert error.sqlstate == sqlstate
    assert message in error.message
    if place is not None:
        assert text[error.span.start : error.span.end] == place
    if hint is not None:
        assert error.hint == hint


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ("id", "id"), ("id AS z", "z"), ("count(*)", "count"), ("nvl(id, 1)", "coalesce"), ("id + 1", "?column?"), ("id::varchar", "id"),
        ("CASE WHEN id = 1 THEN 2 END", "case"), ("dateadd(day, 1, at)", "date_add"), ("datediff(day, at, at)", "date_diff"),
        ("extract(year FROM at)", "date_part"), ("'x'::varchar", "varchar"), ("1::int", "int4"), ("doc.a", "a"), ('doc."Items"[0].x', "x"),
        ("upper(name)", "upper"), ("getdate()", "getdate"), ("(SELECT 1)", "?column?"), ("len(name)", "length"),
    ],
)  # fmt: skip
def test_labels(desk: Any, expression: str, label: str) -> None:
    text = expression if "count" not in expression else f"{expression}"
    assert desk.label_of(text) == label


def test_a_label_of_a_path_is_lower_case(desk: Any) -> None:
    assert desk.label_of('doc."Items"', SENSITIVE) == "items"


def test_an_alias_of_the_list_can_be_used_to_its_right_but_a_column_wins(desk: Any) -> None:
    assert desk.run("SELECT id + 1 AS z, z * 2 FROM sales WHERE id = 1") == [(2, 4)]
    assert desk.run("SELECT id + 1 AS big, big * 2 FROM sales WHERE id = 1") == [(2, 20)]
    assert desk.run("SELECT id + 1 AS z FROM sales WHERE z = 2") == [(2,)]
    assert desk.run("SELECT id + 1 AS big FROM sales WHERE big = 2") == []
    assert desk.refusal("SELECT count(*) AS n FROM sales WHERE n = 2").sqlstate == "42803"
    assert desk.refusal("SELECT id + 1 AS z FROM sales WHERE missing = 2").sqlstate == "42703"


def test_using_and_natural_merge_columns(desk: Any) -> None:
    left, right = "(SELECT 1 AS k, 2 AS a UNION ALL SELECT 5, 6) l", "(SELECT 1 AS k, 3 AS b UNION ALL SELECT 7, 8) r"
    assert desk.run(f"SELECT * FROM {left} JOIN {right} USING (k)") == [(1, 2, 3)]
    assert sorted(desk.run(f"SELECT * FROM {left} NATURAL FULL JOIN {right}"), key=str) == [(1, 2, 3), (5, 6, None), (7, None, 8)]
    assert desk.run(f"SELECT k, l.k, r.k FROM {left} RIGHT JOIN {right} USING (k) ORDER BY 1") == [(1, 1, 1), (7, None, 7)]
    assert desk.refusal(f"SELECT * FROM {left} JOIN {right} USING (zz)").sqlstate == "42703"


def test_inner_names_hide_outer_ones_and_outer_ones_are_reached(desk: Any) -> None:
    assert desk.run("SELECT a.id FROM sales a WHERE EXISTS (SELECT 1 FROM sales b WHERE b.id = a.id + 6)") == [(1,)]
    assert desk.run("SELECT (SELECT max(sales.id) FROM sales WHERE sales.id < s.id) FROM sales s ORDER BY s.id LIMIT 2") == [(None,), (1,)]
    assert desk.run("SELECT id FROM sales WHERE id IN (SELECT id FROM sales WHERE id = 7)") == [(7,)]


def test_queries_of_with_can_use_earlier_ones_and_hide_tables(desk: Any) -> None:
    text = "WITH sales AS (SELECT 5 AS id), twice(n) AS (SELECT id * 2 FROM sales) SELECT n, id FROM twice, sales"
    assert desk.run(text) == [(10, 5)]
    assert desk.lowered(text).reads == frozenset()
    assert desk.run("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT sum(n) FROM r") == [(10,)]
    assert desk.refusal("WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n + 1 FROM r) SELECT * FROM r").sqlstate == "0A000"


def test_variables_win_over_columns_and_become_parameters(desk: Any) -> None:
    variables = {"id": INTEGER, "rec.name": VARCHAR, "v": SUPER}
    text = "SELECT id, rec.name, sales.id, v.a.b::int FROM sales WHERE sales.id = id"
    translation = desk.lowered(text, variables=variables)
    assert [(one.source.value, one.name, one.type) for one in translation.parameters] == [
        ("variable", "id", INTEGER), ("variable", "rec.name", VARCHAR), ("variable", "v", SUPER),
    ]  # fmt: skip
    assert desk.run(text, variables=variables, values={"id": 7, "rec.name": "n", "v": '{"a":{"b":3}}'}) == [(7, "n", 7, 3)]


def test_client_parameters_take_the_type_of_their_neighbour(desk: Any) -> None:
    text = "SELECT $3 FROM sales WHERE id = $1 AND at > $2 AND name = upper($4) AND price + $5 > 0 AND $6::super IS NULL"
    translation = desk.lowered(text)
    kinds = {one.name: str(one.type) for one in translation.parameters}
    assert kinds == {
        "1": "integer", "2": "timestamp without time zone", "3": "character varying", "4": "character varying", "5": "numeric(8,2)",
        "6": "super",
    }  # fmt: skip
    declared = desk.lowered("SELECT id FROM sales WHERE id = $1", parameter_types=(INTEGER,))
    assert declared.parameters[0].type == INTEGER
    inserted = desk.lowered("INSERT INTO sales (id, name, at) VALUES ($1, $2, $3), ($4, 'x', NULL)")
    assert [one.type.kind.name for one in inserted.parameters] == ["INTEGER", "VARCHAR", "TIMESTAMP", "INTEGER"]


def test_a_view_reads_the_session_from_variables(desk: Any) -> None:
    desk.settings["session_values"] = "variables"
    translation = desk.lowered("SELECT current_user, getdate() AS now")
    assert translation.parameters == ()
    desk.connection.execute("SET VARIABLE nearshift_current_user = 'me'")
    desk.connection.execute(f"CREATE VIEW seen AS {translation.sql}")
    assert desk.connection.execute("SELECT * FROM seen").fetchall() == [("me", None)]


def test_many_parameters_in_a_row_are_read(desk: Any) -> None:
    assert desk.run("SELECT $1,$2,$3", values={"1": "a", "2": "b", "3": "c"}) == [("a", "b", "c")]


def test_deep_nesting_is_refused_and_long_chains_are_not(desk: Any) -> None:
    assert desk.value("(" * 150 + "1" + ")" * 150) == 1
    assert desk.refusal("SELECT " + "(" * 5000 + "1" + ")" * 5000).sqlstate == "54001"
    assert desk.refusal("SELECT " + "NOT " * 20000 + "TRUE").sqlstate == "54001"
    assert desk.run("SELECT count(*) FROM sales WHERE " + " OR ".join(f"id = {n}" for n in range(3000))) == [(2,)]
    assert desk.value(" + ".join(["1"] * 300)) == 300
    assert desk.value(" || ".join(["'a'"] * 300)) == "a" * 300
    assert len(desk.run(" UNION ALL ".join(["SELECT 1"] * 300))) == 300
