"""Parsing: which text is which statement, and what is refused where."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from nearshift.errors import InvalidSql, NearshiftError, NotSupported, Span
from nearshift.sql import statements as s
from nearshift.sql.parse import parse_statement
from nearshift.types import SqlType, varchar


def spans(value: Any) -> list[tuple[Any, Span]]:
    """Return every value with a span below a statement."""
    found: list[tuple[Any, Span]] = []
    if is_dataclass(value) and not isinstance(value, SqlType):
        span = getattr(value, "span", None)
        if isinstance(span, Span):
            found.append((value, span))
        for field in fields(value):
            found.extend(spans(getattr(value, field.name)))
    elif isinstance(value, tuple):
        for item in value:
            found.extend(spans(item))
    return found


ACCEPTED: list[tuple[str, type]] = [
    ("select 1", s.Query),
    ("(select 1) union (select 2)", s.Query),
    ("values (1), (2)", s.Query),
    ("with a as (select 1) select * from a", s.Query),
    ("with recursive a(n) as (select 1 union all select n + 1 from a) (select * from a)", s.Query),
    ("with a as (select 1) insert into t select * from a", s.Insert),
    ("with a as (select 1) update t set x = 1", s.Update),
    ("with a as (select 1), b as (select 2) delete from t using a", s.Delete),
    ("insert into t values (1)", s.Insert),
    ("update t set a = 1", s.Update),
    ("delete t where a = 1", s.Delete),
    ("merge into t using s on t.a = s.a remove duplicates", s.Merge),
    ("select a into temp t from b", s.SelectInto),
    ("select extract(year from d) into #t from b", s.SelectInto),
    ("begin", s.Begin),
    ("BEGIN WORK ISOLATION LEVEL SERIALIZABLE, READ ONLY", s.Begin),
    ("start transaction read write", s.Begin),
    ("commit work", s.Commit),
    ("end", s.Commit),
    ("abort transaction", s.Rollback),
    ("set a to 'b'", s.SetParameter),
    ("set search_path = '$user', public, \"Other\"", s.SetParameter),
    ("set local statement_timeout to 100", s.SetParameter),
    ("set session query_group to default", s.SetParameter),
    ("set time zone 'Europe/Zurich'", s.SetParameter),
    ("set my.var = -1.5", s.SetParameter),
    ("set datestyle to ISO, MDY", s.SetParameter),
    ("set names 'UTF8'", s.SetParameter),
    ("set session authorization bob", s.SetSessionUser),
    ("set session authorization default", s.SetSessionUser),
    ("set session characteristics as transaction isolation level read committed", s.SetTransaction),
    ("set transaction read only", s.SetTransaction),
    ("reset all", s.Reset),
    ("reset session authorization", s.SetSessionUser),
    ("reset query_group", s.Reset),
    ("show all", s.Show),
    ("show search_path", s.Show),
    ("show transaction isolation level", s.Show),
    ("show databases", s.ShowObjects),
    ("show databases like 'd%'", s.ShowObjects),
    ("show schemas from database dev like 'p%' limit 5", s.ShowObjects),
    ("show tables from schema dev.public", s.ShowObjects),
    ("show columns from table dev.public.t like 'a%'", s.ShowObjects),
    ("show constraints primary keys from table public.t", s.ShowObjects),
    ("show constraints foreign keys exported from table public.t", s.ShowObjects),
    ("show parameters of procedure dev.public.p(int)", s.ShowObjects),
    ("show grants on table t for role r", s.ShowObjects),
    ("show grants for public", s.ShowObjects),
    ("show table public.t", s.ShowDefinition),
    ("show view v", s.ShowDefinition),
    ("show procedure p(int, varchar(20))", s.ShowDefinition),
    ("create external schema if not exists k from kinesis iam_role default region 'eu-central-1'", s.CreateExternalSchema),
    ("create external schema k from kafka authentication none uri 'b1:9092, b2:9092'", s.CreateExternalSchema),
    ("create external schema k from kafka iam_role 'arn:aws:iam::123456789012:role/r' uri 'b1:9098' authentication iam",
     s.CreateExternalSchema),
    ("create external schema k from kafka uri 'b:9094' authentication mtls secret_arn 'arn:aws:x'", s.CreateExternalSchema),
    ("create external schema k from msk iam_role default authentication none cluster_arn 'arn:aws:kafka:x'", s.CreateExternalSchema),
    ("alter external schema k authentication none uri 'b:1'", s.AlterExternalSchema),
    ("create materialized view v as select 1", s.CreateMaterializedView),
    ("create materialized view s.v backup no diststyle key distkey(6) compound sortkey(1, b) auto refresh yes as select 1",
     s.CreateMaterializedView),
    ("refresh materialized view s.v cascade", s.RefreshMaterializedView),
    ("alter materialized view v auto refresh no", s.AlterMaterializedView),
    ("alter materialized view v alter distkey a", s.AlterMaterializedView),
    ("alter materialized view v alter diststyle key distkey a", s.AlterMaterializedView),
    ("alter materialized view v alter compound sortkey (a, b)", s.AlterMaterializedView),
    ("alter materialized view v alter sortkey none", s.AlterMaterializedView),
    ("alter materialized view v owner to bob", s.AlterMaterializedView),
    ("drop materialized view if exists a, b.c cascade", s.Drop),
    ("drop table a", s.Drop),
    ("drop view a restrict", s.Drop),
    ("drop schema if exists a, b cascade", s.Drop),
    ("drop user if exists a", s.Drop),
    ("drop role r force", s.Drop),
    ("drop procedure p(in int, a varchar, out b int), q", s.DropRoutine),
    ("drop function if exists f(int)", s.DropRoutine),
    ("create table if not exists t (a int)", s.CreateTable),
    ("create local temporary table t (a int)", s.CreateTable),
    ("create table t (like u including defaults, a int)", s.CreateTable),
    ("create table t distkey(a) as select 1 a", s.CreateTableAs),
    ("create temp table t (a, b) backup no as (select 1, 2)", s.CreateTableAs),
    ("create or replace view v (a) as select 1 with no schema binding", s.CreateView),
    ("create schema if not exists s authorization u quota 10 gb", s.CreateSchema),
    ("create schema authorization u", s.CreateSchema),
    ("alter schema s rename to r", s.AlterSchema),
    ("alter schema s quota unlimited", s.AlterSchema),
    ("create function f(a int, varchar(10)) returns int stable as $$ select $1 $$ language sql", s.CreateFunction),
    ("alter procedure p(int) rename to q", s.AlterProcedure),
    ("alter procedure p owner to u", s.AlterProcedure),
    ("call s.p(1, f(2, 'a,b'), case when true then 1 else 2 end)", s.Call),
    ("truncate table t", s.Truncate),
    ("copy t (a, b) from 's3://b/k' iam_role default format as csv quote '\"' ignoreheader 1 gzip", s.Copy),
    ("unload ('select 1') to 's3://b/k' iam_role default parquet partition by (a, b) include maxfilesize 5 gb manifest verbose", s.Unload),
    ("comment on column t.c is 'x'", s.Comment),
    ("comment on constraint c on t is null", s.Comment),
    ("declare c cursor for select 1", s.DeclareCursor),
    ("fetch forward 5 from c", s.Fetch),
    ("fetch all in c", s.Fetch),
    ("fetch c", s.Fetch),
    ("close c", s.CloseCursor),
    ("prepare p (int, varchar(10)) as select $1, $2", s.Prepare),
    ("execute p (1, 'a')", s.Execute),
    ("deallocate prepare p", s.Deallocate),
    ("deallocate all", s.Deallocate),
    ("explain verbose select 1", s.Explain),
    ("lock table a, b in access exclusive mode", s.Lock),
    ("vacuum full t to 99 percent boost", s.Recorded),
    ("analyze verbose t (a, b) predicate columns", s.Recorded),
    ("cancel 123 'too long'", s.Cancel),
    ("discard all", s.Recorded),
    ("grant select (a, b), insert on table t, s.u to bob, group g, role r, public with grant option", s.Grant),
    ("grant all privileges on all tables in schema s to bob", s.Grant),
    ("grant execute on procedure p(int, varchar) to bob", s.Grant),
    ("grant usage on language plpgsql to public", s.Grant),
    ("revoke grant option for select on t from bob cascade", s.Grant),
    ("grant role sys:monitor, role b to bob, role c with admin option", s.GrantRole),
    ("revoke role a from bob", s.GrantRole),
    ("alter default privileges for user a in schema s grant select on tables to group g", s.DefaultPrivileges),
    ("create user u with password 'Abc12345' createdb in group a, b valid until '2030-01-01' connection limit 5", s.UserChange),
    ("alter user u set search_path to a, b", s.UserChange),
    ("alter user u rename to v", s.UserChange),
    ("create group g with user a, b", s.GroupChange),
    ("alter group g drop user a", s.GroupChange),
    ("create role r", s.RoleChange),
    ("alter role r rename to q", s.RoleChange),
    ("alter table t add column a int default 1 encode zstd", s.AlterTable),
    ("alter table t drop column a cascade", s.AlterTable),
    ("alter table t rename a to b", s.AlterTable),
    ("alter table t rename to u", s.AlterTable),
    ("alter table t alter column a type varchar(300)", s.AlterTable),
    ("alter table t alter column a encode az64, alter column b encode raw", s.AlterTable),
    ("alter table t alter distkey a", s.AlterTable),
    ("alter table t alter sortkey (a, b)", s.AlterTable),
    ("alter table t alter encode auto", s.AlterTable),
    ("alter table t append from v fillTarget", s.AlterTable),
    ("alter table t add constraint pk primary key (a)", s.AlterTable),
    ("alter table t drop constraint pk", s.AlterTable),
    ("alter table t owner to u", s.AlterTable),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), ACCEPTED, ids=[text[:50] for text, _ in ACCEPTED])
def test_statement_is_recognised_and_its_spans_are_true(text: str, kind: type) -> None:
    spaced = f"/* why */ {text} -- end"
    found = parse_statement(spaced)
    assert type(found) is kind
    for value, span in spans(found):
        part = spaced[span.start : span.end]
        if isinstance(value, s.Fragment) and kind is not s.Unload:
            assert part == value.text
        if isinstance(value, s.Name) and part[0] not in "'\"":
            assert part == value.text


# The text, and what the error must point to.
REFUSED: list[tuple[str, type[NearshiftError], str]] = [
    ("selec 1", InvalidSql, "selec"),
    ("foo", InvalidSql, "foo"),
    ("create", InvalidSql, ""),
    ("create foo bar", InvalidSql, "foo"),
    ("create or replace table t (a int)", InvalidSql, "table"),
    ("create table select (a int)", InvalidSql, "select"),
    ("create table t (a int b int)", InvalidSql, "b"),
    ("create table t (a int, b wibble)", InvalidSql, "wibble"),
    ("create table t (a varchar(99999999999999999999))", InvalidSql, "99999999999999999999"),
    ("create table t (a int[])", InvalidSql, "["),
    ("create table t (a hllsketch)", NotSupported, "hllsketch"),
    ("create table t (a int check (a > 1))", NotSupported, "check"),
    ("create table t (a int) diststyle all distkey(a)", InvalidSql, "diststyle all distkey(a)"),
    ("create table t (a int) backup yes backup no", InvalidSql, "backup"),
    ("create table if not exists t as select 1", InvalidSql, "as"),
    ("create materialized view if not exists v as select 1", InvalidSql, "if"),
    ("create materialized view v (a) as select 1", InvalidSql, "("),
    ("create or replace materialized view v as select 1", InvalidSql, "materialized"),
    ("create materialized view v as", InvalidSql, ""),
    ("create external schema k from data catalog database 'd' iam_role default", NotSupported, "data"),
    ("create external schema k from kinesis", InvalidSql, "kinesis"),
    ("create external schema k from kinesis iam_role 'SESSION'", NotSupported, "'SESSION'"),
    ("create external schema k from kinesis iam_role 'arn:aws:iam::123456789012:role/a, arn:b'", InvalidSql,
     "'arn:aws:iam::123456789012:role/a, arn:b'"),
    ("create external schema k from kinesis iam_role default uri 'a:1'", InvalidSql, "uri"),
    ("create external schema k from kafka uri 'https://a:1' authentication none", InvalidSql, "'https://a:1'"),
    ("create external schema k from kafka uri 'a:1' authentication scram", InvalidSql, "scram"),
    ("alter external schema k", InvalidSql, ""),
    ("refresh materialized view", InvalidSql, ""),
    ("refresh materialized view v concurrently", InvalidSql, "concurrently"),
    ("create function f() returns int stable as $$ x $$ language plpythonu", NotSupported, "f"),
    ("create procedure p() as $$ begin end $$", InvalidSql, "p"),
    ("create procedure p() language plpgsql", InvalidSql, ""),
    ("create procedure p() nonatomic as $$ begin end $$ language plpgsql security definer", InvalidSql, "p"),
    ("call p", InvalidSql, ""),
    ("call p(1,)", InvalidSql, ")"),
    ("call p((1)", InvalidSql, ""),
    ("savepoint a", NotSupported, "savepoint"),
    ("rollback to savepoint a", NotSupported, "to"),
    ("create datashare d", NotSupported, "create datashare"),
    ("create model m from t", NotSupported, "create model"),
    ("create external table s.t (a int)", NotSupported, "create external table"),
    ("create database d", NotSupported, "create database"),
    ("create index i on t (a)", NotSupported, "create index"),
    ("attach rls policy p on t to public", NotSupported, "attach rls policy"),
    ("alter table t row level security on", NotSupported, "row"),
    ("alter table t add a int, add b int", InvalidSql, ","),
    ("copy t from 's3://a' wibble", InvalidSql, "wibble"),
    ("copy t from 's3://a' gzip gzip", InvalidSql, "gzip"),
    ("copy t to 'file'", InvalidSql, "to"),
    ("copy t from 's3://a' job create j auto on", NotSupported, "job"),
    ("explain analyze select 1", NotSupported, "analyze"),
    ("fetch backward 1 from c", NotSupported, "backward"),
    ("with a as (select 1) merge into t using a on true remove duplicates", NotSupported, "with"),
    ("with a as (select 1)", InvalidSql, ""),
    ("select (1", InvalidSql, ""),
    ("select 1)", InvalidSql, ")"),
    ("select 'a", InvalidSql, "'"),
    ("install httpfs", InvalidSql, "install"),
    ("attach 'x.db'", InvalidSql, "attach"),
    ("pragma version", InvalidSql, "pragma"),
    ("set a", InvalidSql, ""),
    ("set a to", InvalidSql, ""),
    ("set a to ,", InvalidSql, ","),
    ("grant select on t to bob with", InvalidSql, "with"),
    ("grant select for tables in schema s to bob", NotSupported, "for"),
    ("create user u", InvalidSql, ""),
    ('drop table ""', InvalidSql, '""'),
    ("", InvalidSql, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error", "blamed"), REFUSED, ids=[text[:50] for text, _, _ in REFUSED])
def test_refusal_points_to_the_words_it_is_about(text: str, error: type[NearshiftError], blamed: str) -> None:
    with pytest.raises(error) as caught:
        parse_statement(text)
    assert type(caught.value) is error
    assert caught.value.span is not None
    assert text[caught.value.span.start : caught.value.span.end] == blamed
    assert not caught.value.message.endswith(".")


def test_create_table_with_every_attribute() -> None:
    text = """create table public.t (
        id bigint identity(10, -2) not null, n integer generated by default as identity(1,1), a varchar(max) default 'x' || 'y' encode zstd,
        b decimal(5, 2) default (1 + 2) not null, c timestamp with time zone default getdate() sortkey, d int default null null unique,
        e varchar(20) collate case_insensitive, f int references u (id), g double precision default -1.5 primary key distkey, h super,
        k boolean default not true, m boolean default 1 is not null not null, o int default case when 1 is not null then 1 else 2 end,
        constraint pk primary key (id), unique (a, b), foreign key (f) references v
    ) backup no diststyle key interleaved sortkey (a, b)"""
    found = parse_statement(text)
    assert isinstance(found, s.CreateTable)
    columns = {column.name.text: column for column in found.columns}
    assert columns["id"].identity == s.Identity(10, -2)
    assert columns["n"].identity == s.Identity(1, 1, is_by_default=True)
    defaults = {name: column.default.text for name, column in columns.items() if column.default}
    assert defaults == {
        "a": "'x' || 'y'", "b": "(1 + 2)", "c": "getdate()", "d": "null", "g": "-1.5", "k": "not true", "m": "1 is not null",
        "o": "case when 1 is not null then 1 else 2 end",
    }  # fmt: skip
    assert [name for name, column in columns.items() if column.is_not_null] == ["id", "n", "b", "g", "m"]
    assert columns["a"].type == varchar(65535)
    assert columns["a"].encoding == "ZSTD"
    assert columns["c"].is_sort_key
    assert columns["d"].is_unique
    assert columns["e"].collation == "CASE_INSENSITIVE"
    assert columns["f"].references is not None
    assert columns["g"].is_primary_key
    assert columns["g"].is_dist_key
    assert [constraint.kind.name for constraint in found.constraints] == ["PRIMARY_KEY", "UNIQUE", "FOREIGN_KEY"]
    assert found.storage.dist_style is s.DistStyle.KEY
    assert found.storage.sort_key is not None
    assert found.storage.sort_key.kind is s.SortKind.INTERLEAVED
    assert found.storage.is_backed_up is False


def test_select_into_keeps_positions() -> None:
    text = "select a, b into temp table t2 from t where 'into' <> ''"
    found = parse_statement(text)
    assert isinstance(found, s.SelectInto)
    assert str(found.target) == "t2"
    assert found.is_temporary
    assert len(found.query) == len(text)
    assert found.query.split() == ["select", "a,", "b", "from", "t", "where", "'into'", "<>", "''"]


def test_copy_from_dynamodb() -> None:
    found = parse_statement("COPY public.f FROM 'dynamodb://sample-dynamoDB' IAM_ROLE default READRATIO 50 NULL AS '-' JSON AS 'auto'")
    assert isinstance(found, s.Copy)
    assert found.source.text == "dynamodb://sample-dynamoDB"
    assert {name: option.value for name, option in found.options.items()} == {
        "IAM_ROLE": "default", "READRATIO": "50", "NULL": "-", "FORMAT": "JSON", "JSON": "auto",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "create or replace procedure s.p(a int, inout b varchar(20), c out numeric(5, 2), in refcursor, double precision) "
        "nonatomic as $x$ begin null; end $x$ language plpgsql",
        "create or replace procedure s.p(a in int, b inout varchar(20), out c numeric(5, 2), refcursor, in double precision) "
        "language 'plpgsql' nonatomic security invoker as ' begin null; end '",
    ],
)
def test_create_procedure_in_both_orders(text: str) -> None:
    found = parse_statement(text)
    assert isinstance(found, s.CreateProcedure)
    assert [(a.name.text if a.name else None, a.mode.value, str(a.type)) for a in found.arguments] == [
        ("a", "IN", "integer"), ("b", "INOUT", "character varying(20)"), ("c", "OUT", "numeric(5,2)"), (None, "IN", "refcursor"),
        (None, "IN", "double precision"),
    ]  # fmt: skip
    assert found.body == " begin null; end "
    assert text[found.body_start :].startswith(found.body)
    assert found.is_nonatomic
    assert found.is_replace


def test_procedure_limits() -> None:
    arguments = ", ".join(f"a{i} int" for i in range(33))
    for text in (f"create procedure p({arguments})", f"create procedure p({arguments.replace(' int', ' out int')})"):
        with pytest.raises(InvalidSql) as caught:
            parse_statement(text + " as $$ begin end $$ language plpgsql")
        assert caught.value.sqlstate == "54023"
    with pytest.raises(InvalidSql) as caught:
        parse_statement("create procedure p() as $$" + "x" * (2 << 20) + "y$$ language plpgsql")
    assert caught.value.sqlstate == "54001"


def test_stream_access_in_any_order() -> None:
    chain = "arn:aws:iam::123456789012:role/a,arn:aws:iam::210987654321:role/b"
    found = parse_statement(f"create external schema k from kinesis region 'eu-west-1' iam_role '{chain}'")
    assert isinstance(found, s.CreateExternalSchema)
    assert found.access == s.StreamAccess(region="eu-west-1", roles=tuple(chain.split(",")))


def test_depth_is_bounded() -> None:
    for text in ("select " + "(" * 5000 + "1" + ")" * 5000, "call p(" + "(" * 5000 + "1" + ")" * 5000 + ")"):
        with pytest.raises(InvalidSql) as caught:
            parse_statement(text)
        assert caught.value.sqlstate == "54001"
