"""Every page is one range of one index: a page near the end of a table costs what the first one costs."""

from __future__ import annotations

import sqlite3

import pytest

from nearshift.localaws import dynamodb_rows, query_pages, ttl

QUERIES = {
    "query": query_pages._QUERY_FORWARD,
    "query backward": query_pages._QUERY_BACKWARD,
    "query index": query_pages._QUERY_INDEX_FORWARD,
    "query index backward": query_pages._QUERY_INDEX_BACKWARD,
    "scan": query_pages._SCAN,
    "scan index": query_pages._SCAN_INDEX,
    "expiry": ttl._DUE,
}
STARTS = {"query index": "(sk,item_key)>(?,?)", "scan": "(hash,pk,sk)>(?,?,?)", "scan index": "(hash,pk,sk,item_key)>(?,?,?,?)"}


@pytest.mark.parametrize("name", QUERIES)
def test_a_page_is_a_range_of_an_index(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in dynamodb_rows.SCHEMA:
            connection.execute(statement)
        rows = connection.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]}", [0] * QUERIES[name].count("?"))
        plan = [row[3] for row in rows]
    finally:
        connection.close()
    assert all(step.startswith("SEARCH") for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)
    assert STARTS.get(name, "") in plan[0]
