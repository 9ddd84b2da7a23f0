"""The SQL of tiles: right numbers, values only as parameters, names only from the dashboard."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.console.fake_warehouse import FakeWarehouse

from nearshift.console.choices import Choices, canonical, parse_choices
from nearshift.console.definition import BarTile, Dashboard, KpiTile, PivotTile, TableTile
from nearshift.console.queries import Query, TileQueries, describe_query
from nearshift.console.reader import Reader
from nearshift.console.reading import parse_dashboard
from nearshift.errors import Cancelled, InvalidSql, UndefinedObject

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
TEXT = """\
title: Sales
relation: sales
dimensions:
  region: {}
  "kind": {column: sort}
  at: {column: sold_at}
  minute: {column: sold_at, grain: minute}
measures:
  amount: {}
  sold: {aggregate: count}
  mean: {column: amount, aggregate: avg}
  kinds: {column: sort, aggregate: count_distinct}
  share: {sql: "100.0 * sum(amount) / count(*)"}
filters:
  - region
  - kind
  - {dimension: at, kind: time}
tiles:
  - {type: kpi, title: Sold, measure: amount, time: at, window: 1m}
  - {type: bar, title: Regions, x: region, y: amount}
  - {type: pivot, title: Pivot, id: pivot, rows: [region], columns: [kind], measure: amount}
  - {type: table, title: Rows, columns: [region, amount], order_by: -amount, limit: 2}
  - {type: kpi, title: Free, id: free, sql: "SELECT count(*) AS value FROM sales WHERE {filters};"}
  - {type: line, title: Minutes, id: minutes, x: minute, y: sold, by: region, window: 2m}
"""
ROWS = """
CREATE TABLE public.sales (region varchar, sort varchar, amount integer, sold_at timestamp);
INSERT INTO public.sales VALUES
    ('north', 'a', 1, '2026-03-01 12:00:10'), ('north', 'b', 2, '2026-03-01 12:00:00'), ('south', 'a', 10, '2026-03-01 11:59:50'),
    ('south', 'a', 20, '2026-03-01 11:59:00'), (NULL, 'c', 100, '2026-03-01 11:58:40'), ('o''hara', 'c', 1000, '2026-02-01 00:00:00');
"""


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of the day as a timestamp without zone is read."""
    return NOW.replace(hour=hour, minute=minute, second=second, tzinfo=None)


class Sales:
    """A dashboard over six rows."""

    def __init__(self, warehouse: FakeWarehouse) -> None:
        warehouse.execute(ROWS)
        self.warehouse = warehouse
        self.reader = Reader(warehouse)
        self.board: Dashboard = parse_dashboard(TEXT, file="sales.yaml", name="sales")
        columns = self.reader.describe(describe_query(self.board))
        self.types = {name: column.type for name, column in zip(self.board.dimensions, columns, strict=True)}

    def tile(self, place: int) -> Any:
        return self.board.tiles[place]

    def queries(self, choices: str = "{}") -> TileQueries:
        return TileQueries(self.board, parse_choices(choices, self.board), self.types, NOW)

    def rows(self, query: Query) -> list[tuple[Any, ...]]:
        return self.reader.grid(query).rows()


@pytest.fixture
def sales(warehouse: FakeWarehouse) -> Sales:
    return Sales(warehouse)


def test_a_figure_covers_its_window_and_the_one_before(sales: Sales) -> None:
    tile: KpiTile = sales.tile(0)
    assert sales.rows(sales.queries().number(tile, 0)) == [(13,)]
    assert sales.rows(sales.queries().number(tile, 1)) == [(120,)]


def test_a_filter_narrows_all_but_the_chart_of_its_own_dimension(sales: Sales) -> None:
    queries = sales.queries('{"filters": {"region": ["north"]}}')
    assert sales.rows(queries.number(sales.tile(0), 0)) == [(3,)]
    bar: BarTile = sales.tile(1)
    assert sales.rows(queries.chart(bar)) == [("o'hara", 1000), (None, 100), ("south", 30), ("north", 3)]
    assert sales.rows(sales.queries('{"filters": {"kind": ["a"]}}').chart(bar)) == [("south", 30), ("north", 1)]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("{}", 6), ('{"region": ["north", "south"]}', 4), ('{"region": [null]}', 1), ('{"region": [null, "o\'hara"]}', 2),
        ('{"region": ["north"], "kind": ["b"]}', 1), ('{"at": ["1m"]}', 3), ('{"at": ["all"]}', 6), ('{"region": []}', 6),
    ],
)  # fmt: skip
def test_free_sql_takes_the_filters_at_its_mark(sales: Sales, filters: str, count: int) -> None:
    query = sales.queries(f'{{"filters": {filters}}}').free(sales.tile(4).sql)
    assert sales.rows(query) == [(count,)]


def test_a_chosen_value_never_becomes_sql(sales: Sales) -> None:
    hostile = "north'; DROP TABLE sales; --"
    queries = sales.queries(canonical(Choices({"region": [hostile]})))
    pivot = queries.pivot(sales.tile(2)).values()
    for query in (queries.number(sales.tile(0), 0), queries.free(sales.tile(4).sql), queries.table(sales.tile(3)), *pivot):
        assert "DROP" not in query.text
        assert hostile in query.values
        sales.rows(query)
    assert sales.rows(Query("SELECT count(*) FROM sales")) == [(6,)]


def test_a_pivot_asks_for_its_totals_since_averages_do_not_add_up(sales: Sales) -> None:
    tile: PivotTile = sales.tile(2)
    layout = (
        '{"pivots": {"pivot": {"rows": ["region"], "columns": ["kind"], "measure": "mean"}}, '
        '"filters": {"region": ["south", "north"]}}'
    )
    parts = {name: sales.rows(query) for name, query in sales.queries(layout).pivot(tile).items()}
    assert parts == {
        "cells": [("north", "a", 1.0), ("north", "b", 2.0), ("south", "a", 15.0)],
        "rows": [("north", 1.5), ("south", 15.0)],
        "columns": [("a", 31 / 3), ("b", 2.0)],
        "total": [(8.25,)],
    }


@pytest.mark.parametrize(
    ("measure", "aggregate", "total"),
    [
        ("amount", "null", 1133), ("amount", '"max"', 1000), ("sold", "null", 6), ("kinds", "null", 3), ("kinds", '"count"', 6),
        ("share", '"min"', 113300 / 6),
    ],
)  # fmt: skip
def test_measures_and_the_choice_of_aggregation(sales: Sales, measure: str, aggregate: str, total: float) -> None:
    layout = f'{{"pivots": {{"pivot": {{"rows": [], "columns": [], "measure": "{measure}", "aggregate": {aggregate}}}}}}}'
    parts = sales.queries(layout).pivot(sales.tile(2))
    assert list(parts) == ["total"]
    assert float(sales.rows(parts["total"])[0][0]) == pytest.approx(total)


def test_groups_without_a_number_do_not_push_the_largest_out(sales: Sales) -> None:
    sales.warehouse.execute("INSERT INTO sales VALUES ('west', 'a', NULL, NULL)")
    assert sales.rows(sales.queries().chart(sales.tile(1)))[-1] == ("west", None)


def test_a_table_is_ordered_and_cut(sales: Sales) -> None:
    tile: TableTile = sales.tile(3)
    assert sales.rows(sales.queries().table(tile)) == [("o'hara", 1000), (None, 100)]


def test_the_first_group_of_a_window_is_whole(sales: Sales) -> None:
    found = sales.rows(sales.queries().chart(sales.tile(5)))
    assert found[0] == (at(11, 58), 1, None)
    assert [row[0] for row in found] == sorted(row[0] for row in found)


def test_a_trend_leaves_out_the_unit_that_has_only_begun(sales: Sales) -> None:
    query = sales.queries().trend(sales.tile(0))
    assert query is not None
    assert query.values == (at(11, 59, 30), at(12, 0, 30))
    assert sales.rows(query) == [(at(11, 59, 50), 10), (at(12), 2), (at(12, 0, 10), 1)]


def test_options_are_all_values_with_null_last(sales: Sales) -> None:
    narrowed = sales.queries('{"filters": {"region": ["north"]}}')
    assert sales.rows(narrowed.options("region")) == [("north",), ("o'hara",), ("south",), (None,)]


@pytest.mark.parametrize(
    "choices",
    [
        "[]", "{", '{"filters": {"amount": ["1"]}}', '{"filters": {"region": "north"}}', '{"filters": {"at": ["forever"]}}',
        '{"filters": {"at": ["1m", "2m"]}}', '{"pivots": {"other": {"rows": [], "columns": [], "measure": "amount"}}}',
        '{"pivots": {"pivot": {"rows": ["amount); DROP TABLE sales"], "columns": [], "measure": "amount"}}}',
        '{"pivots": {"pivot": {"rows": ["region"], "columns": ["region"], "measure": "amount"}}}',
        '{"pivots": {"pivot": {"rows": [], "columns": [], "measure": "nothing"}}}',
        '{"pivots": {"pivot": {"rows": [], "columns": [], "measure": "amount", "aggregate": "evil"}}}', '{"more": 1}',
    ],
)  # fmt: skip
def test_choices_that_the_dashboard_does_not_offer_are_refused(sales: Sales, choices: str) -> None:
    with pytest.raises(InvalidSql) as caught:
        parse_choices(choices, sales.board)
    assert caught.value.sqlstate == "22023"


def test_equal_choices_have_one_text(sales: Sales) -> None:
    one = parse_choices('{"filters": {"region": ["b", "a"], "kind": []}}', sales.board)
    two = parse_choices('{"filters": {"region": ["a", "b", "a"]}}', sales.board)
    assert canonical(one) == canonical(two)


def test_sessions_are_read_only_few_and_kept_after_an_error(sales: Sales) -> None:
    with pytest.raises(UndefinedObject):
        sales.reader.grid(Query("SELECT * FROM nothing_here"))
    sales.rows(Query("SELECT 1"))
    assert len(sales.warehouse.sessions) == 1
    sales.reader.close()
    assert sales.warehouse.sessions[0].is_closed


def test_closing_interrupts_what_runs_and_lets_nothing_begin(sales: Sales) -> None:
    failures: list[Cancelled] = []

    def ask() -> None:
        try:
            sales.reader.grid(Query("SELECT sum(a.range * b.range) FROM range(3000000) a, range(3000000) b"))
        except Cancelled as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(1000):  # an interrupt that comes before the statement has begun is lost
        sales.reader.close()
        thread.join(0.01)
        if not thread.is_alive():
            break
    assert [error.sqlstate for error in failures] in (["57014"], ["57P01"])
    assert all(session.is_closed for session in sales.warehouse.sessions)
    with pytest.raises(Cancelled):
        sales.reader.grid(Query("SELECT 1"))


def test_a_statement_that_runs_too_long_is_cancelled_and_the_session_goes_on(sales: Sales) -> None:
    impatient = Reader(sales.warehouse, statement_ms_max=30)
    with pytest.raises(Cancelled, match="statement timeout") as caught:
        impatient.grid(Query("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"))
    assert caught.value.sqlstate == "57014"
    assert impatient.grid(Query("SELECT 1")).rows() == [(1,)]


def test_times_are_bound_without_zone_for_a_timestamp(sales: Sales) -> None:
    query = sales.queries('{"filters": {"at": ["1m"]}}').free(sales.tile(4).sql)
    assert query.values == ((NOW - timedelta(minutes=1)).replace(tzinfo=None),)
