"""Dashboard files: what is read, and what an error says of a file that cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.console.fake_warehouse import DASHBOARDS

from nearshift.console.definition import Aggregate, KpiTile, PivotTile
from nearshift.console.folder import DashboardFolder
from nearshift.console.places import DashboardError, parse_span
from nearshift.console.reading import parse_dashboard, read_dashboard

HEAD = """\
title: Sales
relation: public.sales
dimensions:
  region: {}
  day: {column: sold_at, grain: day}
measures:
  amount: {}
"""


def failure(text: str) -> DashboardError:
    with pytest.raises(DashboardError) as caught:
        parse_dashboard(text, file="sales.yaml", name="sales")
    return caught.value


def test_the_dashboard_of_the_fake_warehouse_is_read() -> None:
    board = read_dashboard(DASHBOARDS / "customer_transactions.yaml")
    assert board.title == "Customer transactions"
    assert board.audit == "metadata_etl"
    kpi = board.tiles[0]
    assert isinstance(kpi, KpiTile)
    assert (kpi.id, kpi.width, kpi.height) == ("transactions", 2, 3)
    assert board.measures["customers"].aggregate is Aggregate.COUNT_DISTINCT
    assert any(isinstance(tile, PivotTile) and tile.is_heated for tile in board.tiles)


def test_every_example_dashboard_of_the_package_is_read() -> None:
    files = sorted((Path(__file__).parents[2] / "src" / "nearshift" / "examples").glob("*/dashboards/*.yaml"))
    assert files, "the package has examples"
    for file in files:
        assert read_dashboard(file).tiles


@pytest.mark.parametrize(
    ("tail", "line", "key", "words"),
    [
        ("tiles:\n- {type: kpi, title: A, measure: amuont}\n", 9, "tiles[0].measure", 'measure "amuont" is not declared'),
        ("tiles:\n- {type: kpi, title: A, measure: amount, widht: 3}\n", 9, "tiles[0].widht", "is not known here"),
        ("tiles:\n- {type: kpi, title: A}\n", 9, "tiles[0]", 'lacks the key "measure" or "sql"'),
        ("tiles:\n- type: gauge\n  title: A\n", 9, "tiles[0].type", '"gauge" is not a kind of tile'),
        ("tiles:\n- {type: kpi, title: A, sql: SELECT 1, 2 AS value}\n", 9, "tiles[0]", '"2 AS value" is not a key'),
        ("tiles:\n- title: A\n", 9, "tiles[0]", 'lacks the key "type"'),
        ("tiles:\n- type: kpi\n  title: A\n  measure: amount\n  window: 5 parsecs\n", 12, "tiles[0].window", "is not a span of time"),
        ("tiles:\n- type: kpi\n  title: A\n  measure: amount\n  window: 5m\n", 12, "tiles[0].window", "needs a time dimension"),
        ("tiles:\n- type: kpi\n  title: A\n  measure: amount\n  width: wide\n", 12, "tiles[0].width", "expected a whole number, got text"),
        ("tiles:\n- {type: kpi, title: A, measure: amount, width: 13}\n", 9, "tiles[0].width", "must be 1 to 12"),
        ("tiles:\n- {type: line, title: A, x: day}\n", 9, "tiles[0]", 'lacks the key "y"'),
        ("tiles:\n- {type: line, title: A, x: year, y: amount}\n", 9, "tiles[0].x", 'dimension "year" is not declared'),
        ("tiles:\n- {type: pivot, title: A, rows: [region, yaer], measure: amount}\n", 9, "tiles[0].rows[1]", "not declared"),
        ("tiles:\n- {type: table, title: A, columns: ['a; drop table b']}\n", 9, "tiles[0].columns[0]", "not a plain column name"),
        ("filters: [{dimension: day, kind: time, default: soon}]\ntiles: []\n", 8, "filters[0].default", "is not a span"),
        ("filters: [shop]\ntiles: []\n", 8, "filters[0].dimension", 'dimension "shop" is not declared'),
        ("tiles: []\n", 8, "tiles", "there are no tiles"),
        ("tyles: []\n", 8, "tyles", "is not a key of a dashboard"),
        ("title: Again\ntiles: []\n", 8, "title", "is there twice"),
        ("audit: a.b.c\ntiles: []\n", 8, "audit", "not a plain name"),
    ],
)
def test_an_error_names_the_line_and_the_key(tail: str, line: int, key: str, words: str) -> None:
    error = failure(HEAD + tail)
    assert (error.file, error.line, error.key) == ("sales.yaml", line, key)
    assert words in error.message
    assert error.message.startswith(f"sales.yaml:{line}: {key}: ")
    assert error.sqlstate == "F0000"


def test_text_that_is_not_yaml_names_the_line() -> None:
    error = failure("title: A\ntiles: [\n  {type: kpi\n")
    assert error.line == 4
    assert "not valid YAML" in error.message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_a_file_must_be_a_mapping(text: str) -> None:
    assert "is empty or not a mapping" in failure(text).message


def test_a_yaml_tag_makes_no_object() -> None:
    assert "not valid YAML" in failure("title: !!python/object/apply:os.system ['true']\ntiles: []\n").message


def test_tiles_without_a_relation_need_sql() -> None:
    error = failure("title: A\nmeasures: {amount: {}}\ntiles:\n- {type: kpi, title: A, measure: amount}\n")
    assert "needs the dashboard's relation" in error.message
    assert error.hint is not None


def test_two_tiles_with_one_title_get_ids_of_their_own_but_given_ids_must_differ() -> None:
    tiles = "tiles:\n- {type: kpi, title: A, measure: amount}\n- {type: kpi, title: A, measure: amount}\n"
    assert [tile.id for tile in parse_dashboard(HEAD + tiles, file="f", name="f").tiles] == ["a", "a-2"]
    tiles = "tiles:\n- {type: kpi, id: k, title: A, measure: amount}\n- {type: kpi, id: k, title: B, measure: amount}\n"
    assert "is the id of another tile" in failure(HEAD + tiles).message


@pytest.mark.parametrize(("text", "span"), [("30s", timedelta(seconds=30)), ("24h", timedelta(days=1)), ("2w", timedelta(days=14))])
def test_spans(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "0s", "5", "5 minutes", "-1h", "1h; drop", "999999d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="span of time"):
        parse_span(text)


def test_a_broken_file_stands_beside_the_good_ones_and_a_repaired_one_is_read_again(tmp_path: Path) -> None:
    good, other = tmp_path / "good.yaml", tmp_path / "other.yml"
    good.write_text("title: Good\norder: 5\ntiles: [{type: kpi, title: A, sql: SELECT 1 AS value}]\n")
    other.write_text("title: Other\ntiles: nothing\n")
    (tmp_path / "notes.txt").write_text("not a dashboard")
    folder = DashboardFolder(tmp_path)
    assert [(entry.name, entry.error is None) for entry in folder.entries()] == [("good", True), ("other", False)]
    other.write_text("title: Repaired\norder: 1\ntiles: [{type: kpi, title: A, sql: SELECT 1 AS value}]\n")
    assert [(entry.title, entry.error is None) for entry in folder.entries()] == [("Repaired", True), ("Good", True)]
    good.unlink()
    assert folder.find("good") is None


def test_no_folder_has_no_dashboards(tmp_path: Path) -> None:
    assert DashboardFolder(None).entries() == []
    assert DashboardFolder(tmp_path / "missing").entries() == []
