"""The 22 queries of TPC-H in Redshift SQL, against the same texts handed to DuckDB directly.

Data is made here, with TPC-H's tables, keys and words but a generator of our own, so figures compare the two roads and nothing else.
Prints one JSON object: seconds per query and road, the ratio of each, their median, and milliseconds of translation. Arguments: scale
factor (0.05), repeats (3).
"""
# ruff: noqa: E501 - a table's rows are read best on few lines

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import duckdb
from benchmarks.desk import desk

from nearshift.sql.lower import lower
from nearshift.sql.relations import BindContext, Column, Relation, RelationKind
from nearshift.types import parse_type

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.05
REPEATS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
QUERIES = Path(__file__).with_name("tpch_queries.sql")
TABLES = {
    "region": "r_regionkey integer; r_name char(25); r_comment varchar(152)",
    "nation": "n_nationkey integer; n_name char(25); n_regionkey integer; n_comment varchar(152)",
    "supplier": "s_suppkey integer; s_name char(25); s_address varchar(40); s_nationkey integer; s_phone char(15); s_acctbal decimal(15,2); "
    "s_comment varchar(101)",
    "customer": "c_custkey integer; c_name varchar(25); c_address varchar(40); c_nationkey integer; c_phone char(15); "
    "c_acctbal decimal(15,2); c_mktsegment char(10); c_comment varchar(117)",
    "part": "p_partkey integer; p_name varchar(55); p_mfgr char(25); p_brand char(10); p_type varchar(25); p_size integer; "
    "p_container char(10); p_retailprice decimal(15,2); p_comment varchar(23)",
    "partsupp": "ps_partkey integer; ps_suppkey integer; ps_availqty integer; ps_supplycost decimal(15,2); ps_comment varchar(199)",
    "orders": "o_orderkey bigint; o_custkey integer; o_orderstatus char(1); o_totalprice decimal(15,2); o_orderdate date; "
    "o_orderpriority char(15); o_clerk char(15); o_shippriority integer; o_comment varchar(79)",
    "lineitem": "l_orderkey bigint; l_partkey integer; l_suppkey integer; l_linenumber integer; l_quantity decimal(15,2); "
    "l_extendedprice decimal(15,2); l_discount decimal(15,2); l_tax decimal(15,2); l_returnflag char(1); l_linestatus char(1); "
    "l_shipdate date; l_commitdate date; l_receiptdate date; l_shipinstruct char(25); l_shipmode char(10); l_comment varchar(44)",
}
NATIONS = (
    "ALGERIA", "ARGENTINA", "BRAZIL", "CANADA", "EGYPT", "ETHIOPIA", "FRANCE", "GERMANY", "INDIA", "INDONESIA", "IRAN", "IRAQ", "JAPAN",
    "JORDAN", "KENYA", "MOROCCO", "MOZAMBIQUE", "PERU", "CHINA", "ROMANIA", "SAUDI ARABIA", "VIETNAM", "RUSSIA", "UNITED KINGDOM",
    "UNITED STATES",
)  # fmt: skip
REGION_OF = (0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1)
# A number below n that hangs on the row's number and a salt alone.
SETUP = (
    "CREATE MACRO pick(i, salt, n) AS CAST(hash(i * 64 + salt) % CAST(n AS UBIGINT) AS INTEGER)",
    "CREATE MACRO word(i, salt, words) AS string_split(words, '|')[pick(i, salt, len(string_split(words, '|'))) + 1]",
)
ROWS = {
    "supplier": "SELECT i + 1, 'Supplier#' || i, 'street ' || i, pick(i, 1, 25), (10 + pick(i, 1, 25)) || '-555-' || i, pick(i, 2, 1100000) / 100.0 - 1000, "
    "CASE WHEN i % 200 = 7 THEN 'Customer slow Complaints' ELSE 'quick and even' END FROM range({supplier}) t(i)",
    "customer": "SELECT i + 1, 'Customer#' || i, 'road ' || i, pick(i, 3, 25), (10 + pick(i, 3, 25)) || '-777-' || i, pick(i, 4, 1100000) / 100.0 - 1000, "
    "word(i, 5, 'AUTOMOBILE|BUILDING|FURNITURE|MACHINERY|HOUSEHOLD'), 'silent dependencies' FROM range({customer}) t(i)",
    "part": "SELECT i + 1, word(i, 6, 'forest|green|ivory|lace|navy|plum') || ' ' || word(i, 7, 'green|chiffon|azure|tan'), 'Manufacturer#' || (1 + pick(i, 8, 5)), "
    "'Brand#' || (1 + pick(i, 8, 5)) || (1 + pick(i, 9, 5)), word(i, 10, 'ECONOMY|PROMO|MEDIUM|STANDARD') || ' ' || word(i, 11, 'ANODIZED|POLISHED|PLATED') "
    "|| ' ' || word(i, 12, 'STEEL|BRASS|TIN|COPPER'), 1 + pick(i, 13, 50), word(i, 14, 'SM|MED|LG|JUMBO') || ' ' || word(i, 15, 'CASE|BOX|PACK|PKG|BAG'), "
    "900 + i % 1000, 'even' FROM range({part}) t(i)",
    "partsupp": "SELECT 1 + i // 4, 1 + (i // 4 + (i % 4) * ({supplier} // 4 + 1)) % {supplier}, 1 + pick(i, 16, 9999), 1 + pick(i, 17, 99900) / 100.0, 'final' "
    "FROM range({part} * 4) t(i)",
    "orders": "SELECT i + 1, 1 + pick(i, 18, {customer}) // 3 * 3 % {customer}, CASE WHEN pick(i, 19, 2557) < 1200 THEN 'F' ELSE 'O' END, 1000 + pick(i, 20, 40000000) / 100.0, "
    "DATE '1992-01-01' + pick(i, 19, 2405), word(i, 21, '1-URGENT|2-HIGH|3-MEDIUM|4-NOT SPECIFIED|5-LOW'), 'Clerk#' || pick(i, 22, 1000), 0, "
    "CASE WHEN i % 50 = 3 THEN 'special packed requests' ELSE 'furiously regular' END FROM range({orders}) t(i)",
    "lineitem": "SELECT o, p, 1 + (p - 1 + pick(k, 23, 4) * ({supplier} // 4 + 1)) % {supplier}, n, q, q * (900 + p % 1000), pick(k, 24, 11) / 100.0, "
    "pick(k, 25, 9) / 100.0, word(k, 26, 'R|A|N'), CASE WHEN shipped > DATE '1995-06-17' THEN 'O' ELSE 'F' END, shipped, shipped + pick(k, 27, 60) - 30, "
    "shipped + 1 + pick(k, 28, 30), word(k, 29, 'DELIVER IN PERSON|COLLECT COD|NONE|TAKE BACK RETURN'), "
    "word(k, 30, 'MAIL|SHIP|AIR|REG AIR|TRUCK|RAIL|FOB'), 'carefully' FROM (SELECT k // 4 + 1 AS o, k % 4 + 1 AS n, k, 1 + pick(k, 31, {part}) AS p, "
    "1 + pick(k, 32, 50) AS q, DATE '1992-01-01' + pick(k // 4, 19, 2405) + 1 + pick(k, 33, 121) AS shipped FROM range({orders} * 4) t(k))",
}  # fmt: skip


class Catalog:
    """The eight tables."""

    def __init__(self) -> None:
        self.relations = {name: self._relation(name, text) for name, text in TABLES.items()}

    def find(self, schema: str | None, name: str) -> Relation | None:
        return self.relations.get(name) if schema in {None, "public"} else None

    @staticmethod
    def _relation(name: str, text: str) -> Relation:
        columns = tuple(Column(label, parse_type(kind)) for label, kind in (one.split(" ", 1) for one in text.split("; ")))
        return Relation("public", name, RelationKind.TABLE, columns, f'"{name}"', f'"{name}"')


def fill(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Make the tables and their rows."""
    sizes = {"supplier": 10_000, "customer": 150_000, "part": 200_000, "orders": 1_500_000}
    counts = {name: max(40, int(size * SCALE)) for name, size in sizes.items()}
    for statement in SETUP:
        connection.execute(statement)
    for name, relation in catalog.relations.items():
        body = ", ".join(f'"{one.name}" {one.type.duckdb}' for one in relation.columns)
        connection.execute(f'CREATE TABLE "{name}" ({body})')
        if name in ROWS:
            connection.execute(f'INSERT INTO "{name}" {ROWS[name].format(**counts)}')
    for number, region in enumerate(("AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST")):
        connection.execute("INSERT INTO region VALUES (?, ?, '')", [number, region])
    for number, nation in enumerate(NATIONS):
        connection.execute("INSERT INTO nation VALUES (?, ?, ?, '')", [number, nation, REGION_OF[number]])


def queries() -> dict[str, str]:
    """Return the queries by name."""
    found = {}
    for piece in QUERIES.read_text().split("-- q")[1:]:
        name, _, text = piece.partition("\n")
        found[f"q{name.strip()}"] = text.strip().rstrip(";")
    return found


def seconds(connection: duckdb.DuckDBPyConnection, text: str) -> float:
    """Return how long a query takes to run and to be read."""
    begin = time.perf_counter()
    connection.execute(text).fetchall()
    return time.perf_counter() - begin


def main() -> None:
    catalog = Catalog()
    context = BindContext(catalog)
    connection = desk()
    fill(connection, catalog)
    report: dict[str, dict[str, float]] = {}
    for name, text in queries().items():
        begin = time.perf_counter()
        translated = lower(text, context).sql
        cold = time.perf_counter() - begin
        direct, ours = [], []
        for _ in range(REPEATS):
            direct.append(seconds(connection, text))
            ours.append(seconds(connection, translated))
        report[name] = {
            "duckdb": round(min(direct), 4), "nearshift": round(min(ours), 4), "ratio": round(min(ours) / min(direct), 2),
            "lowering_ms": round(cold * 1000, 2), "rows": len(connection.execute(translated).fetchall()),
        }  # fmt: skip
    ratios = [one["ratio"] for one in report.values()]
    summary = {"scale": SCALE, "queries": len(report), "median_ratio": statistics.median(ratios), "worst_ratio": max(ratios)}
    print(json.dumps({**summary, "by_query": report}))


if __name__ == "__main__":
    main()
