"""What a procedure commits, what it undoes, and what its handlers see: the cases of "Managing transactions" and "Trapping errors"."""

from __future__ import annotations

from typing import Any

import pytest

from nearshift.errors import NearshiftError
from nearshift.plpgsql.runner import Step
from nearshift.plpgsql.transactions import ATOMIC_HINT


def create(runner: Any, text: str, header: str = "p()", options: str = "") -> None:
    runner.create(f"create or replace procedure {header} as $$\n{text}\n$$ language plpgsql {options}")


def fails(runner: Any, call: str = "call p()", *, is_in_block: bool = False) -> NearshiftError:
    with pytest.raises(NearshiftError) as caught:
        runner.call(call, is_in_block=is_in_block)
    return caught.value


@pytest.fixture(autouse=True)
def _tables(runner: Any) -> None:
    runner.execute("create table employee (firstname varchar, lastname varchar)")
    runner.execute("insert into employee values ('Tomas', 'Smith')")
    runner.execute("create table log (message varchar)")
    runner.execute("create table a (x int)")
    runner.execute("create table b (x int)")
    runner.execute("insert into b values (99)")


def rows(runner: Any, table: str = "a") -> list[Any]:
    """Return what a second connection sees: committed rows only."""
    with runner.connection.cursor() as other:
        return [row[0] for row in other.execute(f"select * from {table} order by 1").fetchall()]


UPDATE_EMPLOYEE = """BEGIN
    UPDATE employee SET firstname = 'Adam' WHERE lastname = 'Smith';
    EXECUTE 'select invalid';
EXCEPTION WHEN OTHERS THEN
    RAISE INFO 'An exception occurred.';
    INSERT INTO log VALUES ('Error message: ' || SQLERRM || ' ' || SQLSTATE);
END;"""


def test_atomic_handler_keeps_its_own_work_and_the_error(runner: Any) -> None:
    create(runner, UPDATE_EMPLOYEE, "update_employee_sp()")
    error = fails(runner, "call update_employee_sp()")
    assert error.message == 'column "invalid" does not exist'
    assert error.context == 'SQL statement "select invalid"\nPL/pgSQL function "update_employee_sp" line 3 at execute statement'
    assert runner.notices == [("INFO", "An exception occurred.")]
    assert rows(runner, "employee") == ["Tomas"]
    assert rows(runner, "log") == ['Error message: column "invalid" does not exist 42703']
    assert runner.steps == ["BEGIN", "ROLLBACK", "BEGIN", "COMMIT"]


def test_nonatomic_handler_swallows_the_error_and_keeps_what_was_committed(runner: Any) -> None:
    create(runner, UPDATE_EMPLOYEE, "update_employee_sp()", "nonatomic")
    runner.call("call update_employee_sp()")
    assert rows(runner, "employee") == ["Adam"]
    assert len(rows(runner, "log")) == 1


def test_an_error_of_the_handler_replaces_the_first_and_goes_to_the_outer_handler(runner: Any) -> None:
    text = """begin
      insert into a values (1);
      begin
        insert into a values (2);
        raise exception 'one';
      exception when others then
        insert into a values (3);
        raise exception 'two';
      end;
    exception when others then
      insert into log values (sqlerrm);
    end;"""
    create(runner, text)
    assert fails(runner).message == "two"
    assert rows(runner) == []
    assert rows(runner, "log") == ["two"]
    create(runner, text, options="nonatomic")
    runner.call("call p()")
    assert rows(runner) == [1, 2, 3]
    assert rows(runner, "log") == ["two", "two"]


def test_the_original_error_passes_through_every_handler_outwards(runner: Any) -> None:
    handler = "exception when others then\ninsert into log values ("
    create(runner, f"begin\ninsert into a values (1); raise exception 'one';\n{handler}'inner');\nend;", "q()")
    create(runner, f"begin\ninsert into a values (2);\ncall q();\n{handler}'outer ' || sqlerrm);\nend;")
    error = fails(runner)
    assert error.message == "one"
    assert error.context == 'PL/pgSQL function "q" line 2 at raise\nPL/pgSQL function "p" line 3 at SQL statement'
    assert rows(runner) == []
    assert rows(runner, "log") == ["inner", "outer one"]


def test_without_a_handler_everything_is_undone_once(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (1);\nselect invalid;\nend;")
    fails(runner)
    assert rows(runner) == []
    assert runner.steps == ["BEGIN", "ROLLBACK"]


def test_commit_and_rollback_in_an_atomic_procedure(runner: Any) -> None:
    create(
        runner,
        "begin\ninsert into a values (1);\ncommit;\ninsert into a values (2);\nrollback;\ninsert into a values (3);\n"
        "execute 'truncate b';\ninsert into a values (4);\nraise exception 'x';\nend;",
    )
    fails(runner)
    assert rows(runner) == [1, 3]
    assert rows(runner, "b") == []
    assert runner.steps == ["BEGIN", "COMMIT", "BEGIN", "ROLLBACK", "BEGIN", "COMMIT", "BEGIN", "ROLLBACK"]


def test_commit_of_an_inner_procedure_ends_the_outer_ones_work(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (2);\ncommit;\nend;", "q()")
    create(runner, "begin\ninsert into a values (1);\ncall q();\ninsert into a values (3);\nraise exception 'x';\nend;")
    fails(runner)
    assert rows(runner) == [1, 2]


@pytest.mark.parametrize("statement", ["TRUNCATE b", "COMMIT", "ROLLBACK"])
def test_atomic_context_refuses_transaction_control(runner: Any, statement: str) -> None:
    create(runner, f"BEGIN\n  {statement};\nEND;", "sp_truncate_atomic()")
    runner.transact(Step.BEGIN)
    error = fails(runner, "call sp_truncate_atomic()", is_in_block=True)
    assert error.message == f"{statement.split()[0]} cannot be invoked from a procedure that is executing in an atomic context."
    assert error.hint == ATOMIC_HINT
    assert error.context == f'SQL statement "{statement}"\nPL/pgSQL function "sp_truncate_atomic" line 2 at SQL statement'
    assert runner.steps == ["BEGIN"], "the user's transaction is left to the session"
    runner.transact(Step.ROLLBACK)
    create(runner, "begin\ncall sp_truncate_atomic();\nend;", options="set search_path to public")
    assert "atomic context" in fails(runner).message
    assert rows(runner, "b") == [99]


def test_a_call_in_the_users_block_commits_nothing(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (1);\nend;")
    runner.transact(Step.BEGIN)
    runner.call("call p()", is_in_block=True)
    assert rows(runner) == []
    assert runner.steps == ["BEGIN"]


def test_a_handler_in_the_users_block_undoes_the_users_work_too(runner: Any) -> None:
    create(runner, "begin\nselect invalid;\nexception when others then\ninsert into log values ('kept');\nend;")
    runner.transact(Step.BEGIN)
    runner.execute("insert into a values (1)")
    fails(runner, is_in_block=True)
    assert rows(runner) == []
    assert rows(runner, "log") == ["kept"]
    assert not runner.is_open


def test_cursors_end_with_their_transaction(runner: Any) -> None:
    fetch = "  FETCH cur1 INTO v;\n"
    create(runner, f"DECLARE\n  cur1 cursor for select x from b;\n  v int;\nBEGIN\n  OPEN cur1;\n{fetch}  TRUNCATE a;\n{fetch}END;")
    error = fails(runner)
    assert error.message == 'cursor "cur1" does not exist'
    assert error.context == 'PL/pgSQL function "p" line 8 at fetch'
    create(runner, "declare r record;\nbegin\nfor r in select 1 union select 2 loop\ninsert into a values (1); commit;\nend loop;\nend;")
    assert "does not exist" in fails(runner).message
    assert rows(runner) == [1]


def test_nonatomic_statements_commit_one_by_one(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (1);\ninsert into a values (2);\nselect invalid;\nend;", options="nonatomic")
    fails(runner)
    assert rows(runner) == [1, 2]
    assert runner.steps == ["BEGIN", "COMMIT", "BEGIN", "COMMIT", "BEGIN", "ROLLBACK"]


def test_nonatomic_block_is_undone_and_the_handler_commits_by_itself(runner: Any) -> None:
    create(
        runner,
        """declare v int;
        begin
          insert into log values ('running');
          begin
            start transaction;
            insert into a values (1);
            select into v x from b;
            start transaction;
            insert into a values ('not a number');
            commit;
          exception when others then
            insert into log values ('failed');
            raise;
          end;
        end;""",
        options="nonatomic",
    )
    error = fails(runner)
    assert "Could not convert" in error.message
    assert (error.context or "").count("PL/pgSQL function") == 1
    assert 'line 9 at SQL statement' in (error.context or "")
    assert rows(runner) == []
    assert rows(runner, "log") == ["failed", "running"]
    assert not runner.is_open
    runner.steps.clear()
    create(runner, "begin\nstart transaction;\ninsert into a values (1);\ninsert into a values (2);\ncommit;\nend;", options="nonatomic")
    runner.call("call p()")
    assert rows(runner) == [1, 2]
    assert runner.steps == ["BEGIN", "COMMIT"]


def test_continue_handler_goes_on_after_the_failing_statement(runner: Any) -> None:
    text = """begin
      insert into a values (1);
      if true then
        select invalid;
        insert into a values (2);
      end if;
      begin
        select invalid;
        insert into a values (3);
      exception when others then
        insert into a values (4);
      end;
      insert into a values (5);
    exception {} when others then
      insert into log values (sqlstate);
    end;"""
    create(runner, text.format("continue_handler"), options="nonatomic")
    runner.call("call p()")
    assert rows(runner) == [1, 2, 4, 5]
    assert rows(runner, "log") == ["42703"]
    create(runner, text.format("exit_handler"), options="nonatomic")
    runner.call("call p()")
    assert rows(runner) == [1, 1, 2, 4, 5]


def test_an_error_inside_a_continue_handler_is_not_handled_by_it(runner: Any) -> None:
    create(
        runner,
        "begin\nif true then\nif true then select invalid; end if;\nend if;\nexception continue_handler when others then\n"
        "insert into log values (sqlerrm);\nraise exception 'from the handler';\nend;",
        options="nonatomic",
    )
    assert fails(runner).message == "from the handler"
    assert len(rows(runner, "log")) == 1


def test_nonatomic_in_the_users_block_joins_it_and_may_end_it(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (1);\ncommit;\ninsert into a values (2);\nend;", options="nonatomic")
    runner.transact(Step.BEGIN)
    runner.call("call p()", is_in_block=True)
    assert rows(runner) == [1]
    assert runner.is_open
    runner.transact(Step.ROLLBACK)
    assert rows(runner) == [1]


def test_nonatomic_called_from_an_atomic_procedure_is_atomic(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (1);\nend;", "q()", "nonatomic")
    create(runner, "begin\ncall q();\nraise exception 'x';\nend;")
    fails(runner)
    assert rows(runner) == []


def test_atomic_called_from_a_nonatomic_procedure_is_one_statement(runner: Any) -> None:
    create(runner, "begin\ninsert into a values (1);\ninsert into a values (n);\nif n = 3 then raise exception 'x'; end if;\nend;",
           "q(n int)")
    create(
        runner,
        "begin\ncall q(2);\nbegin call q(3); exception when others then insert into log values (sqlerrm); end;\ncall q(4);\nend;",
        options="nonatomic",
    )
    runner.call("call p()")
    assert rows(runner) == [1, 1, 2, 4]
    assert rows(runner, "log") == ["x"]
    assert runner.steps == ["BEGIN", "COMMIT", "BEGIN", "ROLLBACK", "BEGIN", "COMMIT", "BEGIN", "COMMIT"]


def test_start_transaction_left_open_is_committed_with_a_warning(runner: Any) -> None:
    create(runner, "begin\nstart transaction;\ninsert into a values (1);\nend;", options="nonatomic")
    runner.call("call p()")
    assert rows(runner) == [1]
    assert [level for level, _ in runner.notices] == ["WARNING"]


def test_a_nonatomic_cursor_loop_ends_at_the_first_commit(runner: Any) -> None:
    loop = "declare r record;\nbegin\n{}for r in select 1 as x union select 2 loop insert into a values (r.x); end loop;\nend;"
    create(runner, loop.format(""), options="nonatomic")
    assert "does not exist" in fails(runner).message
    create(runner, loop.format("start transaction; "), options="nonatomic")
    runner.call("call p()")
    assert len(rows(runner)) == 3


def test_return_and_exit_inside_a_handler(runner: Any) -> None:
    text = """begin
      for i in 1..3 loop
        begin
          select invalid;
        exception when others then
          insert into a values (i); {};
        end;
      end loop;
      insert into a values (9);
    end;"""
    for way, expected in (("null", [1, 2, 3, 9]), ("exit", [1, 9]), ("return", [1])):
        runner.execute("delete from a")
        create(runner, text.format(way), options="nonatomic")
        runner.call("call p()")
        assert rows(runner) == expected
    create(runner, text.format("return"))
    assert "invalid" in fails(runner).message
