# ruff: noqa: E501 - a query beside its row is read best on one line
"""psql's commands about the catalog, by the real psql over the wire: each shows the table and view that were just made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import nearshift
from nearshift.catalog.system_views import views
from nearshift.sql.functions_catalog import FUNCTIONS
from nearshift.sql.functions_table import Function
from nearshift.warehouse import Warehouse
from nearshift.wire import Credential, WireServer

SETUP = """
CREATE SCHEMA sales;
CREATE TABLE orders (id int NOT NULL, name varchar(20) DEFAULT 'none', price decimal(8,2), payload super, at timestamp, PRIMARY KEY (id));
COMMENT ON TABLE orders IS 'what was bought';
CREATE VIEW cheap AS SELECT id, price FROM orders WHERE price < 10;
CREATE TABLE sales.targets (year smallint, goal bigint);
"""


class _Gate:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def password_of(self, user: str) -> Credential | None:
        return Credential.of_password(user, "secret")

    def open_session(self, user: str, database: str, options: Mapping[str, str]) -> Any:
        return self._warehouse.session(user, database, options=options)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    with Warehouse.open(threads=1) as warehouse, WireServer(_Gate(warehouse), port=0) as server:
        told = psql(server.port, SETUP)
        assert not told.stderr
        yield server.port


def psql(port: int, script: str) -> subprocess.CompletedProcess[str]:
    command = ["psql", "-X", "-A", "-P", "footer=off", "-h", "127.0.0.1", "-p", str(port), "-U", "dev", "dev", "-f", "-"]
    environment = {**os.environ, "PGPASSWORD": "secret", "PGCONNECT_TIMEOUT": "20"}
    return subprocess.run(command, input=script, env=environment, capture_output=True, text=True, timeout=60, check=False)


def shown(port: int, script: str) -> list[str]:
    told = psql(port, script)
    assert not told.stderr, told.stderr
    return told.stdout.splitlines()


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        ("\\d", ["public|cheap|view|dev", "public|orders|table|dev"]),
        ("\\dt", ["public|orders|table|dev"]),
        ("\\dt sales.*", ["sales|targets|table|dev"]),
        ("\\dv", ["public|cheap|view|dev"]),
        ("\\dn", ["public|dev", "sales|dev"]),
        ("\\l", ["dev|dev|UTF8|C|C||libc|=T/dev"]),
        ("\\du", ["dev|Superuser, Create role, Create DB|{}"]),
        ("\\dp", ["public|cheap|view||", "public|orders|table||"]),
        ("SET search_path TO sales;\n\\dt", ["sales|targets|table|dev"]),
    ],
)
def test_lists(port: int, command: str, rows: list[str]) -> None:
    found = shown(port, command)
    assert [line for line in found if "|" in line][1:] == rows


def test_a_table_with_its_columns(port: int) -> None:
    assert shown(port, "\\d orders") == [
        'Table "public.orders"',
        "Column|Type|Collation|Nullable|Default",
        "id|integer||not null|",
        "name|character varying(20)|||'none'",
        "price|numeric(8,2)|||",
        "payload|super|||",
        "at|timestamp without time zone|||",
    ]
    assert shown(port, "\\d sales.targets")[2:] == ["year|smallint|||", "goal|bigint|||"]
    assert shown(port, "\\d cheap") == [
        'View "public.cheap"', "Column|Type|Collation|Nullable|Default", "id|integer|||", "price|numeric(8,2)|||",
    ]  # fmt: skip
    assert "relname|character varying(128)|||" in shown(port, "\\d pg_class")
    told = psql(port, "\\d nothing")
    assert 'Did not find any relation named "nothing".' in told.stderr
    assert "Did not find any relations." in psql(port, "\\di").stderr


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("SELECT 'orders'::regclass = (SELECT oid FROM pg_class WHERE relname = 'orders')", "t"),
        ("SELECT oid::regclass, oid::pg_catalog.regclass::pg_catalog.text FROM pg_class WHERE relname = 'targets'", "sales.targets|sales.targets"),
        ("SELECT oid::regclass FROM pg_class WHERE relname = 'orders'", "orders"),
        ("SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, 'sales'::regnamespace IS NULL, '1043'::oid::regtype", "1259|f|character varying"),
        ("SELECT obj_description('orders'::regclass, 'pg_class'), obj_description('orders'::regclass, 'pg_proc')", "what was bought|"),
        ("SELECT pg_catalog.format_type(1043, 24), format_type(1700, 524294), format_type(23, NULL)", "character varying(20)|numeric(8,2)|integer"),
        ("SELECT pg_get_userbyid(1), pg_get_userbyid(7), pg_encoding_to_char(6)", "dev|unknown (OID=7)|UTF8"),
        ("SELECT current_schemas(true), current_schemas(false)", "{pg_catalog,public}|{public}"),
        ("SELECT pg_catalog.has_schema_privilege('sales', 'USAGE'), has_table_privilege('orders', 'SELECT')", "t|t"),
        ("SELECT 'abc' OPERATOR(pg_catalog.~) '^a' COLLATE pg_catalog.default, 'abc' COLLATE \"default\", 'collate' c", "t|abc|collate"),
        ("SELECT contype, conkey, conname FROM pg_constraint WHERE conrelid = 'orders'::regclass", "p|{1}|orders_pkey"),
        ("SELECT pg_get_viewdef('cheap'::regclass)", "SELECT id, price FROM orders WHERE price < 10"),
        ("SELECT relkind::\"char\", relname::name FROM pg_class WHERE relname = 'cheap'", "v|cheap"),
        ("SELECT array_to_string(ARRAY(SELECT nspname FROM pg_namespace WHERE nspname = 'sales'), E'\\n')", "sales"),
        ("SELECT relname AS table_name FROM pg_class WHERE table_name LIKE 'ord%' AND relkind = ANY (ARRAY['r', 'p'])", "orders"),
        ("SELECT relkind = ANY ('{r,p}'), relname FROM pg_class WHERE relname = 'cheap'", "f|cheap"),
        ("SELECT (pg_catalog.current_schemas(true))[1], (current_schemas(true))[2], (current_schemas(true))[3] IS NULL", "pg_catalog|public|t"),
        ("SELECT 2 = ANY (ARRAY[1, 2]), 3 = ANY (ARRAY[1, 2])", "t|f"),
        ("SELECT current_database AS name FROM current_database()", "dev"),
        ("SELECT pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'orders'::regclass", "PRIMARY KEY (id)"),
    ],
)
def test_names_oids_and_questions_about_them(port: int, query: str, row: str) -> None:
    assert shown(port, f"{query};")[1:] == [row]


def test_a_name_that_does_not_exist_says_so(port: int) -> None:
    told = psql(port, "\\set VERBOSITY verbose\nSELECT 'no_such'::regclass;")
    assert 'ERROR:  42P01: relation "no_such" does not exist' in told.stderr


def test_oids_of_attributes_join_types(port: int) -> None:
    query = (
        "SELECT a.attname, t.typname, a.attnum, a.atttypmod FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = 'orders'::regclass ORDER BY a.attnum;"
    )
    assert shown(port, query)[1:] == ["id|int4|1|-1", "name|varchar|2|24", "price|numeric|3|524294", "payload|super|4|-1", "at|timestamp|5|-1"]
    assert shown(port, "SELECT count(*), count(DISTINCT oid) = count(*) FROM pg_class WHERE relnamespace = 11;")[1:][0].endswith("|t")


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_function_of_the_catalog_answers(function: Function) -> None:
    samples = {"s": "'x'", "*": "1", "r": "1", "i": "6", "b": "TRUE"}
    arguments = ", ".join(samples[function.letter(index)] for index in range(function.bounds[0]))
    with nearshift.connect() as connection:
        cursor = connection.execute(f"SELECT {function.name}({arguments})")
        assert cursor.description is not None
        assert cursor.description[0][0] == function.name
        assert len(cursor.fetchall()) == 1


def test_views_of_the_catalog_all_answer() -> None:
    with nearshift.connect() as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, word varchar(9) DEFAULT 'x') DISTKEY (id) SORTKEY (word)")
        for schema, name in views():
            cursor = connection.execute(f"SELECT * FROM {schema}.{name}")
            assert cursor.description is not None
            assert [column[0] for column in cursor.description] == [column.name for column in views()[schema, name].columns]
            assert cursor.fetchall() is not None
        found = connection.execute(
            "SELECT attname, attisdistkey, attsortkeyord, atthasdef FROM pg_attribute WHERE attrelid = 't'::regclass ORDER BY attnum"
        )
        assert found.fetchall() == [("id", True, 0, False), ("word", False, 1, True)]
