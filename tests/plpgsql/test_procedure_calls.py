"""Running procedures: values, control flow, cursors and messages, over DuckDB in memory."""

from __future__ import annotations

from typing import Any

import pytest

from nearshift.errors import Cancelled, NearshiftError


def body(text: str, header: str = "p()", options: str = "") -> str:
    return f"create or replace procedure {header} {options} as $$\n{text}\n$$ language plpgsql"


def run(runner: Any, text: str, header: str = "p()", call: str = "call p()", options: str = "") -> Any:
    runner.create(body(text, header, options))
    return runner.call(call)


def messages(runner: Any) -> list[str]:
    return [message for _, message in runner.notices]


def test_outputs_come_back_as_one_row(runner: Any) -> None:
    found = run(
        runner,
        "declare out_var alias for $3; loop_var int;\nbegin\nif f1 is null or f2 is null then f1 := 1; end if;\n"
        "create table my_etl (a int, b varchar(20));\nfor loop_var in 1..f1 loop insert into my_etl values (loop_var, f2); "
        "f2 := f2 || '+' || f2; end loop;\nselect into out_var count(*) from my_etl;\nend;",
        "test_sp2(f1 int, inout f2 varchar(256), out varchar(256))",
        "call test_sp2(2, '2019')",
    )
    assert [column.name for column in found.columns] == ["f2", "column2"]
    assert found.values == ("2019+2019+2019+2019", "2")


def test_nested_calls_pass_inout_variables(runner: Any) -> None:
    runner.create(body("begin\na := a * c; b := b || '0';\nend;", "inner_proc(inout a int, b inout varchar(10), c int)"))
    found = run(
        runner,
        "declare x int; y varchar(10) := '2';\nbegin\nx := 3;\ncall inner_proc(x, y, n);\noutput_x := x; output_y := y;\nend;",
        "outer_proc(n int, output_x out int, output_y out varchar(10))",
        "call outer_proc(5)",
    )
    assert found.values == (15, "20")
    with pytest.raises(NearshiftError, match='argument "1 \\+ 2" for INOUT parameter "a" must be a variable'):
        run(runner, "declare y varchar(10);\nbegin\ncall inner_proc(1 + 2, y, 3);\nend;")


def test_out_arguments_cannot_be_received_inside(runner: Any) -> None:
    runner.create(body("begin\na := 1;\nend;", "q(a out int)"))
    with pytest.raises(NearshiftError, match="has OUT arguments"):
        run(runner, "begin\ncall q();\nend;")


def test_control_flow(runner: Any) -> None:
    run(
        runner,
        """declare i int := 0; t varchar(100) := ''; k constant int := 7;
        begin
          for i in reverse 10..1 by 3 loop t := t || i || ' '; end loop;
          raise info '% and i is %', t, i;
          t := '';
          <<outer>> loop
            i := i + 1;
            while true loop
              if i = 2 then i := i + 1; continue outer; elsif i > 4 then exit outer; else exit; end if;
            end loop;
            t := t || i;
          end loop outer;
          raise notice '%', t;
          case when k > 6 then raise warning 'big %%'; else raise log 'small'; end case;
          case k when 1, 2 then null; when 3 + 4 then raise log 'seven'; end case;
          <<b>> begin exit b; raise log 'never'; end b;
          for i in 5..4 loop raise log 'never'; end loop;
          raise log 'found %', found;
          return;
          raise log 'never';
        end""",
    )
    assert runner.notices == [
        ("INFO", "10 7 4 1  and i is 0"), ("NOTICE", "14"), ("WARNING", "big %"), ("LOG", "seven"), ("LOG", "found f"),
    ]  # fmt: skip
    assert runner.steps == ["BEGIN", "COMMIT"]


def test_found_and_row_count(runner: Any) -> None:
    runner.execute("create table t (a int)")
    run(
        runner,
        """declare n bigint; x int; r record;
        begin
          raise log 'start %', found;
          insert into t values (1), (2), (3);
          get diagnostics n := row_count; raise log 'insert % %', n, found;
          delete from t where a > 100;
          get diagnostics n = row_count; raise log 'delete % %', n, found;
          select into x a from t where a > 2;
          get diagnostics n := row_count; raise log 'select % % %', x, n, found;
          select a into x from t where a > 200;
          raise log 'none % %', x, found;
          perform a from t;
          get diagnostics n := row_count; raise log 'perform % %', n, found;
          for r in select a, a * 2 as b from t order by a loop raise log 'row % %', r.a, r.b; end loop;
          raise log 'loop % %', found, r.a;
          execute 'select max(a), ''z'' from t' into x;
          raise log 'dynamic %', x;
          for r in execute 'select a from t where a = ' || x loop raise log 'dyn %', r.a; end loop;
        end;""",
    )
    assert messages(runner) == [
        "start f", "insert 3 t", "delete 0 f", "select 3 1 t", "none <NULL> f", "perform 3 t", "row 1 2", "row 2 4", "row 3 6", "loop t 3",
        "dynamic 3", "dyn 3",
    ]  # fmt: skip


def test_declarations(runner: Any) -> None:
    runner.execute("create table t (a int, b varchar)")
    runner.execute("insert into t values (4, 'four')")
    run(
        runner,
        """<<top>>
        declare a int := 1; b int default a + 1; c t.a%type := '7'; d b%type = 9; e varchar(5) not null := 'x'; row t%rowtype; r record;
          f alias for a;
        begin
          declare a int := a + 10;
          begin
            raise log '% % % % %', a, top.a, b, c, d;
            top.a := 5;
          end;
          raise log '% %', a, f;
          raise log '% %', row.a, row.b;
          select * into r from t;
          r.b := 'vier';
          row := r;
          raise log '% %', row.a, row.b;
        end;""",
    )
    assert messages(runner) == ["11 1 2 7 9", "5 5", "<NULL> <NULL>", "4 vier"]


@pytest.mark.parametrize(
    ("text", "sqlstate", "message", "context"),
    [
        ("declare c constant int := 1;\nbegin\nc := 2;\nend;", "22005", 'variable "c" is declared CONSTANT', "line 3 at assignment"),
        ("declare c int not null := 1;\nbegin\nc := null;\nend;", "22004", 'null value cannot be assigned to variable "c"', "line 3"),
        ("declare v varchar(3);\nbegin\nv := 'abcd';\nend;", "22001", "value too long", "line 3 at assignment"),
        ("declare v int := 'x';\nbegin\nend;", "22P02", "invalid input syntax", "line 1 at block variables initialization"),
        ("begin\nnope := 1;\nend;", "42703", '"nope" is not a known variable', "line 2 at assignment"),
        ("declare r record;\nbegin\nraise info '%', r.a;\nend;", "55000", 'record "r" is not assigned yet', "line 3 at raise"),
        ("declare r record; x int;\nbegin\nx := r.a + 1;\nend;", "55000", 'record "r" is not assigned yet', "line 3 at assignment"),
        ("declare r record;\nbegin\nselect 1 as a into r;\nr.b := 1;\nend;", "42703", 'record "r" has no field "b"', "line 4"),
        ("begin\nselect 1;\nend;", "42601", "query has no destination for result data", "line 2 at SQL statement"),
        ("begin\ncase 1 when 2 then null; end case;\nend;", "20000", "case not found", "line 2 at case"),
        ("begin\nexecute null;\nend;", "22004", "cannot EXECUTE a null querystring", "line 2 at execute statement"),
        ("begin\nexecute 'commit';\nend;", "0A000", "EXECUTE cannot run COMMIT", "line 2 at execute statement"),
        ("begin\nexecute 'vacuum';\nend;", "0A000", "VACUUM cannot be executed from a procedure", "line 2"),
        ("begin\nraise exception 'no % here', found;\nend;", "P0001", "no f here", "line 2 at raise"),
        ("begin\nraise;\nend;", "0Z002", "RAISE without parameters", "line 2 at raise"),
        ("begin\nfor i in 1..null loop null; end loop;\nend;", "22004", "upper bound of FOR loop cannot be null", "line 2"),
        ("begin\nfor i in 1..3 by 0 loop null; end loop;\nend;", "22023", "BY value of FOR loop", "line 2"),
        ("begin\ncall nobody();\nend;", "42883", "procedure nobody(0) does not exist", "line 2 at SQL statement"),
        ("begin\nraise info '%', sqlerrm;\nend;", "42703", '"sqlerrm" is not a known variable', "line 2"),
    ],
)
def test_errors(runner: Any, text: str, sqlstate: str, message: str, context: str) -> None:
    with pytest.raises(NearshiftError) as caught:
        run(runner, text)
    assert caught.value.sqlstate == sqlstate
    assert message in caught.value.message
    assert f'PL/pgSQL function "p" {context}' in (caught.value.context or "")
    assert caught.value.span is None
    assert runner.steps == ["BEGIN", "ROLLBACK"]


def test_context_names_the_statement_and_every_call(runner: Any) -> None:
    runner.create(body("begin\n\nexecute 'select ' || 'invalid';\nend;", "inner_proc()"))
    with pytest.raises(NearshiftError) as caught:
        run(runner, "begin\nif true then\ncall inner_proc();\nend if;\nend;")
    assert caught.value.message == 'column "invalid" does not exist'
    assert caught.value.context == (
        'SQL statement "select invalid"\nPL/pgSQL function "inner_proc" line 3 at execute statement\n'
        'PL/pgSQL function "p" line 3 at SQL statement'
    )


def test_sixteen_levels_of_calls(runner: Any) -> None:
    runner.create(body("begin\nif n > 1 then call deep(n - 1); end if;\nend;", "deep(n int)"))
    runner.call("call deep(16)")
    with pytest.raises(NearshiftError, match="nested too deeply") as caught:
        runner.call("call deep(17)")
    assert caught.value.sqlstate == "54001"
    assert not runner.is_open


def test_cursors(runner: Any) -> None:
    runner.execute("create table t as select range as a from range(5)")
    run(
        runner,
        """declare c refcursor; x int; d cursor (low int, high int) for select a from t where a between low and high order by a;
          e cursor is select 'e'; s varchar(10);
        begin
          open c for select a from t order by a desc;
          fetch c into x; raise log '% %', x, found;
          close c;
          open d(1, 1 + 1);
          loop fetch next from d into x; exit when not found; raise log 'd %', x; end loop;
          raise log '% %', x, d;
          close d;
          open e; fetch e into s; raise log '%', s; close e;
          open c for execute 'select ' || 40 + 2; fetch c into x; raise log '%', x;
        end;""",
    )
    assert messages(runner) == ["4 t", "d 1", "d 2", "<NULL> d", "e", "42"]


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("declare a refcursor; b refcursor;\nbegin\nopen a for select 1;\nopen b for select 2;\nend;", "24000", "cannot be opened while"),
        ("declare r record; q record;\nbegin\nfor r in select 1 loop\nfor q in select 2 loop null; end loop;\nend loop;\nend;", "24000",
         "cannot be opened while"),
        ("declare a refcursor;\nbegin\nfetch a into a;\nend;", "22004", 'cursor variable "a" is null'),
        ("declare a refcursor := 'x';\nbegin\nclose a;\nend;", "34000", 'cursor "x" does not exist'),
        ("declare a int;\nbegin\nopen a for select 1;\nend;", "42804", "must be of type cursor or refcursor"),
        ("declare a refcursor;\nbegin\nopen a;\nend;", "42601", "is not bound to a query"),
    ],
)  # fmt: skip
def test_cursor_errors(runner: Any, text: str, sqlstate: str, message: str) -> None:
    with pytest.raises(NearshiftError, match=message) as caught:
        run(runner, text)
    assert caught.value.sqlstate == sqlstate


def test_a_refcursor_stays_open_for_the_users_block(runner: Any) -> None:
    from nearshift.plpgsql.runner import Step

    text = body("begin\nopen rs for select n as a union all select n + 1;\nend;", "get_rows(n int, inout rs refcursor)")
    runner.create(text)
    assert runner.call("call get_rows(1, 'mycursor')").cursors == ()
    runner.transact(Step.BEGIN)
    found = runner.call("call get_rows(1, 'mycursor')", is_in_block=True)
    assert found.values == ("mycursor",)
    assert [cursor.name for cursor in found.cursors] == ["mycursor"]
    assert sorted(found.cursors[0].rows) == [(1,), (2,)]
    assert runner.is_open


def test_an_endless_loop_can_be_cancelled_and_no_handler_sees_it(runner: Any) -> None:
    runner.checks_left = 50
    with pytest.raises(Cancelled):
        run(runner, "begin\nbegin\nloop null; end loop;\nexception when others then\nraise info 'never';\nend;\nend;", options="nonatomic")
    assert runner.notices == []
    assert not runner.is_open


def test_dynamic_sql_sees_no_variables_and_may_hold_several_statements(runner: Any) -> None:
    run(runner, "declare v int := 3;\nbegin\nexecute 'create table t (v int); insert into t values (' || v || ')';\nend;")
    assert runner.execute("select * from t") == [(3,)]
    with pytest.raises(NearshiftError, match='column "v" does not exist'):
        run(runner, "declare v int := 3;\nbegin\nexecute 'select v';\nend;")


def test_raise_shows_super_as_json_and_decimals_with_their_scale(runner: Any) -> None:
    run(
        runner,
        """declare s super; d decimal(10, 2) := 1.5; b boolean := true;
        begin
          select '{"a": [1]}'::json into s;
          raise info '% % %', s, d, b;
        end;""",
    )
    assert messages(runner) == ['{"a": [1]} 1.50 t']
