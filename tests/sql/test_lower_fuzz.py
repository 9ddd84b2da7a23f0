"""Broken statements: whatever a text becomes, it is translated into something DuckDB can bind, or refused with a place in it."""

from __future__ import annotations

import random
import re
from typing import Any

import duckdb
import pytest

from nearshift.errors import NearshiftError

STATEMENTS = (
    "SELECT s.id, upper(s.name) AS u, sum(price) FROM sales s WHERE s.id > 1 AND name LIKE 'x%' GROUP BY 1, 2 HAVING count(*) > 0",
    "SELECT a.doc.a::int, e.x, i FROM sales a LEFT JOIN a.doc.items e ON true WHERE a.doc.a = 1 OR e.x IS NULL",
    "WITH q AS (SELECT id, row_number() OVER (PARTITION BY name ORDER BY at) AS n FROM sales) SELECT * FROM q JOIN sales USING (id)",
    "SELECT CASE WHEN id IN (1, 2) THEN 'a' ELSE name END, coalesce(name, 'n'), dateadd(day, 1, at), id / 2, price * 1.5 FROM sales",
    "SELECT id FROM sales UNION ALL SELECT big FROM sales EXCEPT SELECT 1 ORDER BY 1 LIMIT 3",
    "INSERT INTO sales (id, name, price) VALUES (1, 'x', 2.5), ($1, upper('y'), NULL)",
    "UPDATE sales SET name = 'z', price = price + 1 FROM (SELECT 1 AS k) x WHERE x.k = sales.id",
    "DELETE FROM sales USING (SELECT 1 AS k) x WHERE x.k = id AND EXISTS (SELECT 1 FROM sales i WHERE i.big = sales.big)",
    "SELECT listagg(name, ',') WITHIN GROUP (ORDER BY id), median(price), count(DISTINCT id) FROM sales WHERE at < getdate()",
    "SELECT id, v, k FROM sales, UNPIVOT sales.doc AS v AT k WHERE k <> 'a' QUALIFY rank() OVER (ORDER BY id) < 3",
)
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\w+|\s+|<>|>=|<=|::|.")


def _broken(seed: int) -> str:
    dice = random.Random(seed)
    tokens = [one for one in _TOKEN.findall(dice.choice(STATEMENTS)) if not one.isspace()]
    if seed % 4:
        return _altered(tokens, dice)
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(tokens))
        kind = dice.randrange(4)
        if kind == 0:
            del tokens[place]
        elif kind == 1:
            tokens.insert(place, tokens[dice.randrange(len(tokens))])
        elif kind == 2:
            other = dice.randrange(len(tokens))
            tokens[place], tokens[other] = tokens[other], tokens[place]
        else:
            tokens[place] = dice.choice(["NULL", "(", ")", "*", "x", "1.5", "'q'", ",", "doc", "NOT", "-", "SELECT", "ON", "AS", "$1"])
    return " ".join(tokens)


_NAMES = ("id", "name", "price", "at", "doc", "small", "big", "code")
_OPERANDS = (
    *_NAMES, "1", "2.5", "'x'", "'7'", "NULL", "doc.a", "doc.items[0]", "getdate()", "(SELECT max(id) FROM sales)", "$1", "-1", "TRUE",
)  # fmt: skip
_OPERATORS = ("=", "<", "<>", ">=", "+", "-", "*", "/", "%", "||", "LIKE", "AND", "OR")
_CALLS = ("upper", "len", "abs", "count", "sum", "max", "coalesce", "json_typeof", "date_trunc", "avg", "round", "json_parse", "array")


def _altered(tokens: list[str], dice: random.Random) -> str:
    """Put other names, values, operators and functions where there are some: most of it is still a statement."""
    altered = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else ""
        after = tokens[index + 1] if index + 1 < len(tokens) else ""
        if dice.random() < 0.8:
            altered.append(token)
        elif token in _NAMES and before != "." and after not in {".", "("}:
            altered.append(dice.choice(_OPERANDS))
        elif token in _NAMES and before == ".":
            altered.append(dice.choice(_NAMES))
        elif token in {"=", ">", "+", "*", "<>", "/", "LIKE"} and before not in {"(", "SELECT"}:
            altered.append(dice.choice(_OPERATORS))
        elif after == "(" and token in {"upper", "sum", "count", "coalesce", "median", "listagg"}:
            altered.append(dice.choice(_CALLS))
        elif token.isdigit() or token.startswith("'"):
            altered.append(dice.choice(_OPERANDS))
        else:
            altered.append(token)
    return " ".join(altered)


def _check_refusal(error: NearshiftError, text: str, seed: int) -> None:
    assert error.sqlstate != "XX000", (seed, text)
    assert error.span is not None, (seed, text)
    assert 0 <= error.span.start <= error.span.end <= len(text), (seed, text)


@pytest.mark.parametrize("block", range(8))
def test_a_broken_statement_is_translated_or_refused(desk: Any, block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        text = _broken(seed)
        try:
            translation = desk.lowered(text)
        except NearshiftError as caught:
            _check_refusal(caught, text, seed)
            continue
        values = [None] * len(translation.parameters)
        try:
            desk.connection.execute(f"EXPLAIN {translation.sql}", values)
        except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as error:
            pytest.fail(f"seed {seed}: {text}\n{translation.sql}\n{error}")
        except duckdb.Error:
            continue  # a constant that cannot be converted is an error of the run
