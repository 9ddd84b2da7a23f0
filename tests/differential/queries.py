"""Whole queries for both sides: aggregates, grouping, windows, joins, set operations, subqueries, order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from tests.differential.expressions import Draw, condition, decimal, integer, pick, text

# What is asked, what PostgreSQL is asked instead (None: the same), and whether the order of rows counts.
Question = tuple[str, str | None, bool]
_TAME = "a BETWEEN -10 AND 10 AND l BETWEEN -100 AND 100"
_GROUPS = ("g", "b", "t", "g, b", "s", "d")


def _aggregate(draw: Draw) -> tuple[str, str]:
    """Return an aggregate in our words and in PostgreSQL's."""
    number, word = pick(draw, "a", "b", "s", "l", "p", "q", integer(draw, 1)), pick(draw, "t", "u", text(draw, 1))
    whole, distinct = pick(draw, "a", "b", "s", "l"), pick(draw, "", "DISTINCT ")
    match pick(draw, "count", "sum", "extreme", "logic", "bits", "average", "spread", "list", "median"):
        case "count":
            one = pick(draw, "count(*)", f"count({distinct}{number})", f"count({distinct}{word})")
        case "sum":
            one = f"sum({distinct}{pick(draw, number, decimal(draw, 1))})"
        case "extreme":
            one = f"{pick(draw, 'min', 'max')}({pick(draw, number, word, 'd', 'ts', 'f')})"
        case "logic":
            one = f"{pick(draw, 'bool_and', 'bool_or')}({condition(draw, 1)})"
        case "bits":
            one = f"{pick(draw, 'bit_and', 'bit_or')}({whole})"
        case "average":
            return f"avg({whole})", f"trunc(avg({whole}))"
        case "spread":
            name = pick(draw, "stddev_samp", "stddev_pop", "var_samp", "var_pop", "stddev", "variance")
            one = f"{name}({pick(draw, 'b', 's', 'p', 'f')})"
        case "list":
            mark = pick(draw, "''", "','", "'; '")
            mine = f"listagg({word}, {mark}) WITHIN GROUP (ORDER BY id)"
            return mine, f"string_agg(nullif({word}, ''), {mark} ORDER BY id)"
        case _:
            share = pick(draw, "0", "0.25", "0.5", "1")
            return f"percentile_cont({share}) WITHIN GROUP (ORDER BY f)", f"percentile_cont({share}) WITHIN GROUP (ORDER BY f)"
    return one, one


def grouped(draw: Draw) -> Question:
    """Return a query with aggregates, with or without groups."""
    ours, theirs = _aggregate(draw)
    second = _aggregate(draw)
    where = f"WHERE {pick(draw, _TAME, f'{_TAME} AND {condition(draw, 1)}')}"
    keys = pick(draw, "", *_GROUPS)
    if not keys:
        return f"SELECT {ours}, {second[0]} FROM mix {where}", f"SELECT {theirs}, {second[1]} FROM mix {where}", False
    sets = pick(draw, keys, keys, f"ROLLUP ({keys})", f"CUBE ({keys})", f"GROUPING SETS (({keys}), ())")
    having = pick(draw, "", f"HAVING count(*) {pick(draw, '>', '<=')} 2", "HAVING max(b) > 0")
    tail = f"FROM mix {where} GROUP BY {sets} {having}"
    return f"SELECT {keys}, {ours}, {second[0]} {tail}", f"SELECT {keys}, {theirs}, {second[1]} {tail}", False


def windowed(draw: Draw) -> Question:
    """Return a window function; its order is total, and an aggregate has a frame."""
    parts = f"PARTITION BY {pick(draw, 'g', 'b', 't', 'g, b')}" if draw(st.booleans()) else ""
    key = pick(draw, "b", "t", "p", "d", "ts", "s")
    order = f"ORDER BY {key} {pick(draw, '', 'ASC', 'DESC', 'NULLS FIRST', 'NULLS LAST', 'DESC NULLS LAST')}, id"
    low = pick(draw, "UNBOUNDED PRECEDING", "2 PRECEDING", "CURRENT ROW", "1 PRECEDING")
    high = pick(draw, "UNBOUNDED FOLLOWING", "1 FOLLOWING", "CURRENT ROW", "3 FOLLOWING")
    frame = pick(draw, f"ROWS BETWEEN {low} AND {high}", "ROWS UNBOUNDED PRECEDING", "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING")
    value = pick(draw, "b", "t", "p", "d", "f")
    offset = draw(st.integers(0, 3))
    default = {"b": "-1", "t": "'none'", "p": "0.5", "d": "date '2000-01-01'", "f": "0.25"}[value]
    match pick(draw, "rank", "shift", "edge", "aggregate", "ties", "ntile"):
        case "rank":
            call, window = pick(draw, "row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()"), order
        case "ties":
            call, window = pick(draw, "rank()", "dense_rank()", "percent_rank()", "cume_dist()"), order.removesuffix(", id")
        case "ntile":
            call, window = f"ntile({offset + 1})", order
        case "shift":
            more = pick(draw, "", f", {offset}", f", {offset}, {default}")
            call, window = f"{pick(draw, 'lag', 'lead')}({value}{more})", order
        case "edge":
            named = pick(draw, f"first_value({value})", f"last_value({value})", f"nth_value({value}, {offset + 1})")
            call, window = named, f"{order} {frame}"
        case _:
            name = pick(draw, "sum(b)", "sum(p)", "count(*)", "count(t)", "min(t)", "max(d)", "sum(l)", "bool_or(g)")
            call, window = name, pick(draw, f"{order} {frame}", "")
    return f"SELECT id, {call} OVER ({parts} {window}) AS x FROM mix WHERE {_TAME}", None, False


def joined(draw: Draw) -> Question:
    """Return a join or a set operation of the two small tables."""
    condition_text = pick(draw, "one.k = two.k", "one.k = two.k AND v < w", "one.k = two.k AND one.k > 1", "one.k = two.k OR v = w")
    kind = pick(draw, "INNER", "LEFT", "RIGHT", "FULL")
    if kind == "FULL":
        condition_text = "one.k = two.k"
    where = pick(draw, "", "WHERE v IS NULL", "WHERE coalesce(v, 'x') <> coalesce(w, 'y')", "WHERE one.k + 1 = 3 OR w = 'a'")
    operation = pick(draw, "UNION", "UNION ALL", "INTERSECT", "EXCEPT")
    second = pick(draw, "UNION", "INTERSECT")
    lists = pick(draw, ("k, v", "k, w"), ("k", "k"), ("v", "w"), ("k + 0.5", "k"), ("NULL, v", "k, w"))
    queries = (
        f"SELECT one.k, v, two.k, w FROM one {kind} JOIN two ON {condition_text} {where}",
        f"SELECT v, w FROM one CROSS JOIN two {where}",
        f"SELECT k, v, w FROM one {kind} JOIN two USING (k)",
        f"SELECT * FROM one NATURAL {pick(draw, '', 'LEFT ')}JOIN two",
        f"SELECT {lists[0]} FROM one {operation} SELECT {lists[1]} FROM two",
        f"SELECT {lists[0]} FROM one {operation} (SELECT {lists[1]} FROM two {second} SELECT {lists[0]} FROM one)",
    )
    return str(pick(draw, *queries)), None, False


def nested(draw: Draw) -> Question:
    """Return a query with a subquery: IN, EXISTS, scalar, correlated, derived, WITH."""
    negation = pick(draw, "", "NOT ")
    sign = pick(draw, "=", "<>", "<", ">=")
    queries = (
        f"SELECT k, v FROM one WHERE k {negation}IN (SELECT k FROM two{pick(draw, '', ' WHERE k IS NOT NULL')})",
        "SELECT k, v FROM one WHERE (k, v) IN (SELECT k, w FROM two)",
        f"SELECT k, v FROM one WHERE {negation}EXISTS (SELECT 1 FROM two WHERE two.k = one.k{pick(draw, '', ' AND w > v')})",
        f"SELECT k, (SELECT {pick(draw, 'max(w)', 'count(*)', 'min(k)', 'sum(k)')} FROM two WHERE two.k {sign} one.k) AS x FROM one",
        f"SELECT k FROM one WHERE k {sign} (SELECT {pick(draw, 'max(k)', 'min(k)', 'avg(k)::int')} FROM two)",
        f"SELECT k FROM one WHERE k {sign} {pick(draw, 'ANY', 'ALL')} (SELECT k FROM two WHERE w IS NOT NULL)",
        f"WITH x AS (SELECT k, count(*) AS n FROM one GROUP BY k) SELECT x.k, n, w FROM x LEFT JOIN two ON x.k = two.k WHERE n {sign} 1",
        "SELECT n, sum(c) FROM (SELECT k AS n, count(v) AS c FROM one GROUP BY k UNION ALL SELECT k, 1 FROM two) z GROUP BY n",
        f"SELECT DISTINCT k {pick(draw, '', ', v')} FROM one",
        "WITH RECURSIVE r (n, m) AS (SELECT 1, 1 UNION ALL SELECT n + 1, m * (n + 1) FROM r WHERE n < 8) SELECT n, m FROM r",
    )
    return str(pick(draw, *queries)), None, False


def ordered(draw: Draw) -> Question:
    """Return a query whose order counts."""
    ways = ("", "DESC", "NULLS FIRST", "DESC NULLS LAST", "ASC NULLS LAST")
    names = ("b", "t", "p", "d", "g", "lower(t)", "a % 3", "2")
    keys = [f"{pick(draw, *names)} {pick(draw, *ways)}" for _ in range(draw(st.integers(1, 2)))]
    limit = pick(draw, "", f"LIMIT {draw(st.integers(0, 9))}", f"LIMIT 5 OFFSET {draw(st.integers(0, 12))}", "OFFSET 10")
    return f"SELECT id, b, t, p FROM mix WHERE {_TAME} ORDER BY {', '.join(keys)}, id {limit}", None, True


KINDS: dict[str, Callable[[Draw], Question]] = {
    "grouped": grouped, "windowed": windowed, "joined": joined, "nested": nested, "ordered": ordered,
}  # fmt: skip


def questions(kind: str) -> st.SearchStrategy[Question]:
    """Return a strategy for queries of a kind."""

    @st.composite
    def one(draw: Draw) -> Question:
        return KINDS[kind](draw)

    return one()
