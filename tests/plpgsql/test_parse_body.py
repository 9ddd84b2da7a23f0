"""Reading a body: what is understood, what is refused, and where the error points."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nearshift.errors import InvalidSql, NearshiftError, NotSupported, Span
from nearshift.plpgsql import nodes
from nearshift.plpgsql.compiled import compile_procedure
from nearshift.plpgsql.parse import BODY_DEPTH_MAX, parse_body
from nearshift.sql.parse import parse_statement
from nearshift.sql.relations import NameRules
from nearshift.sql.statements import CreateProcedure


def only(body: str) -> nodes.Node:
    (node,) = parse_body(f"begin {body} end").body
    return node


def test_embedded_text_is_verbatim_with_its_place() -> None:
    body = "\nDECLARE v int := 1 + 2;\nBEGIN\n  /* it's flat /* */ UPDATE t SET a = 'x;y' -- why; \n  WHERE b = (v);\nEND;"
    block = parse_body(body)
    (declaration,) = block.declarations
    assert isinstance(declaration, nodes.VariableDeclaration)
    assert declaration.default is not None
    assert declaration.default.text == "1 + 2"
    (update,) = block.body
    assert isinstance(update, nodes.Sql)
    assert update.line == 3
    assert update.sql.text == "UPDATE t SET a = 'x;y' -- why; \n  WHERE b = (v)"
    assert body[update.sql.span.start : update.sql.span.end] == update.sql.text


@pytest.mark.parametrize(("opening", "line"), [("", 1), ("\n", 1), ("\r\n", 1), (" \n", 2), ("\n\n", 2)])
def test_line_one_follows_a_line_end_that_opens_the_body(opening: str, line: int) -> None:
    assert parse_body(f"{opening}begin null; end").line == line


@pytest.mark.parametrize(
    ("text", "query", "targets"),
    [
        ("select into a, b x, y from t;", "select           x, y from t", ["a", "b"]),
        ("select x, y into a, r.b from t where 'into' = c;", "select x, y             from t where 'into' = c", ["a", "r.b"]),
        ("with q as (select 1) select * into r from q;", "with q as (select 1) select *        from q", ["r"]),
        ("select into v_to coalesce(max(t), v_from) from m;", "select           coalesce(max(t), v_from) from m", ["v_to"]),
        ("select case when a then 1 else 2 end into v;", "select case when a then 1 else 2 end       ", ["v"]),
    ],
)
def test_select_into(text: str, query: str, targets: list[str]) -> None:
    node = only(text)
    assert isinstance(node, nodes.SelectInto)
    assert node.query.text == query
    assert [str(target) for target in node.targets] == targets


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("insert into t select 1;", nodes.Sql), ("with q as (select 1) insert into t select * from q;", nodes.Sql),
        ("merge into t using s on t.a = s.a remove duplicates;", nodes.Sql), ("set a to b;", nodes.Sql),
        ("refresh materialized view v;", nodes.Sql), ("alter table t add column append int;", nodes.Sql),
        ("(select 1);", nodes.Sql), ("x = 1;", nodes.Assign), ("r.x := case when a then 1 end;", nodes.Assign),
        ("null := 1;", nodes.Assign),
        ("$1 := 2;", nodes.Assign), ("perform f(1);", nodes.Perform), ("execute 'a' || b into c;", nodes.Execute),
        ("for i in a.b .. c.d loop null; end loop;", nodes.ForInteger),
        ("for i in reverse 3..1 by 2 loop null; end loop;", nodes.ForInteger),
        ("for i in reverse..3 loop null; end loop;", nodes.ForInteger), ("for r in (select 1) loop null; end loop;", nodes.ForQuery),
        ("for a, b in with q as (select 1) select * from q loop null; end loop;", nodes.ForQuery),
        ("for r in execute 'x' loop null; end loop;", nodes.ForQuery),
        ("<<l>> while a < 1 loop exit l when true; end loop l;", nodes.While),
        ("get diagnostics n = row_count;", nodes.GetDiagnostics), ("raise;", nodes.Reraise), ("open c(1, f(2, 3));", nodes.Open),
        ("open c for execute q;", nodes.Open), ("fetch next from c into a, b;", nodes.Fetch), ("fetch c into r;", nodes.Fetch),
        ("close c;", nodes.Close), ("commit;", nodes.Commit), ("start transaction;", nodes.StartTransaction),
        ("truncate table t;", nodes.Truncate), ("call p(1, 'a;b');", nodes.Call), ("begin null; end;", nodes.Block),
        ("declare a int; begin null; end;", nodes.Block), ("if a then null; else if b then null; end if; end if;", nodes.If),
        ("case when a then null; end case;", nodes.Case), ("case a when 1, 2 then null; else null; end case;", nodes.Case),
        ("copy t from 's3://b' iam_role default csv;", nodes.Sql), ("return;", nodes.Return),
    ],
)  # fmt: skip
def test_kinds_of_statement(text: str, kind: type) -> None:
    assert type(only(text)) is kind


def test_raise_splits_its_format() -> None:
    node = only("raise info 'a % b%%c % %%', x, r.y;")
    assert isinstance(node, nodes.Raise)
    assert node.parts == ("a ", " b%c ", " %")
    assert [str(argument) for argument in node.arguments] == ["x", "r.y"]


REFUSED: list[tuple[str, type[NearshiftError], str]] = [
    ("return next 1;", NotSupported, "next"),
    ("return query select 1;", NotSupported, "query"),
    ("return 1;", InvalidSql, "1"),
    ("foreach x in array a loop null; end loop;", NotSupported, "foreach"),
    ("assert a;", NotSupported, "assert"),
    ("execute 'x' using a;", NotSupported, "using"),
    ("savepoint s;", NotSupported, "savepoint"),
    ("rollback to s;", NotSupported, "to"),
    ("commit work;", InvalidSql, "work"),
    ("start transaction read only;", InvalidSql, "read"),
    ("begin; null; end;", InvalidSql, "begin"),
    ("get stacked diagnostics a = message_text;", NotSupported, "stacked"),
    ("get diagnostics a = result_oid;", InvalidSql, "result_oid"),
    ("vacuum;", NotSupported, "vacuum"),
    ("set local a to b;", NotSupported, "set"),
    ("alter table t append from v;", NotSupported, "append"),
    ("prepare p as select 1;", NotSupported, "prepare"),
    ("create external table s.t (a int);", NotSupported, "create"),
    ("a[1] := 2;", NotSupported, "["),
    ("raise 'x';", InvalidSql, "'x'"),
    ("raise debug 'x';", InvalidSql, "debug"),
    ("raise info x;", InvalidSql, "x"),
    ("raise info '%';", InvalidSql, "'%'"),
    ("raise info 'a', b;", InvalidSql, "'a'"),
    ("raise info '%', a + 1;", InvalidSql, "a"),
    ("for r in c loop null; end loop;", NotSupported, "c"),
    ("for r.x in 1..2 loop null; end loop;", InvalidSql, "r"),
    ("if a null; end if;", InvalidSql, ";"),
    ("if a then null; end;", InvalidSql, ";"),
    ("loop null; end loop x;", InvalidSql, "x"),
    ("<<x>> null;", InvalidSql, "null"),
    ("select into strict a 1;", NotSupported, "strict"),
    ("select 1 into temp t from u;", InvalidSql, "temp"),
    ("x := ;", InvalidSql, ";"),
    ("x := (1;", InvalidSql, ";"),
    ("move c;", NotSupported, "move"),
    ("wibble", InvalidSql, ""),
    ("'text';", InvalidSql, "'text'"),
]


@pytest.mark.parametrize(("text", "error", "blamed"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_refusals_point_to_the_word(text: str, error: type[NearshiftError], blamed: str) -> None:
    body = f"begin {text} end"
    with pytest.raises(error) as caught:
        parse_body(body)
    assert caught.value.span is not None
    part = body[caught.value.span.start : caught.value.span.end]
    assert part == blamed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("select 1", 'syntax error at or near "select"'),
        ("begin null; end; select 1", 'syntax error at or near "select"'),
        ("begin null;", "syntax error at end of input"),
        ("", "syntax error at end of input"),
        ("declare a int; a int; begin null; end", 'variable "a" is declared twice'),
        ("declare a int not null; begin null; end", 'syntax error at or near ";"'),
        ("declare a wibble; begin null; end", 'type "wibble" does not exist'),
        ("begin null; exception when no_data_found then null; end", "specific exception conditions are not supported"),
        ("begin null; exception when others then null; when others then null; end", 'syntax error at or near "when"'),
        ("begin select 'a; end", "unterminated quoted string"),
        ("begin /* end", "unterminated /* comment"),
    ],
)
def test_bodies_that_are_not_right(body: str, message: str) -> None:
    with pytest.raises(NearshiftError) as caught:
        parse_body(body)
    assert caught.value.message == message
    assert caught.value.span is not None


@pytest.mark.parametrize("text", ["begin start transaction; end", "begin null; exception continue_handler when others then null; end"])
def test_what_only_nonatomic_procedures_may_use(text: str) -> None:
    parse_body(text, is_nonatomic=True)
    with pytest.raises(InvalidSql, match="can only be used in a NONATOMIC procedure"):
        parse_body(text, is_nonatomic=False)


def test_limits_of_depth_and_variables() -> None:
    def nested(depth: int) -> str:
        return "begin " * depth + "null; " + "end; " * depth

    parse_body(nested(BODY_DEPTH_MAX))
    with pytest.raises(InvalidSql) as caught:
        parse_body(nested(BODY_DEPTH_MAX + 1))
    assert caught.value.sqlstate == "54001"
    with pytest.raises(InvalidSql) as caught:
        parse_body("begin " + "if a then " * 100_000)
    assert caught.value.sqlstate == "54001"
    variables = "".join(f"v{i} int; " for i in range(1024))
    parse_body(f"declare {variables} begin null; end")
    with pytest.raises(InvalidSql, match="1024 variables"):
        parse_body(f"declare {variables} w int; begin null; end")


def test_spans_of_a_body_are_moved_to_the_statement() -> None:
    text = "create procedure p() as $$ begin wibble wobble end $$ language plpgsql"
    statement = parse_statement(text)
    assert isinstance(statement, CreateProcedure)
    with pytest.raises(InvalidSql) as caught:
        compile_procedure(statement, NameRules())
    assert caught.value.span is not None
    assert caught.value.span.start == text.index("$$ language")


WORDS = [
    "begin", "end", ";", "if", "then", "else", "elsif", "loop", "while", "for", "in", "..", "1", "x", ":=", "=", "case", "when",
    "exception", "others",
    "declare", "int", "raise", "info", "'a %'", ",", "select", "into", "from", "t", "(", ")", "<<", ">>", "l", "exit", "continue",
    "return", "open",
    "fetch", "close", "cursor", "execute", "using", "null", "commit", "start", "transaction", "call", "perform", ".", "%",
    "type", "record", "alias", "$1", "not", "default", "constant", "reverse", "by", "get", "diagnostics", "row_count", "[", "]", "$$",
    "'",
    "continue_handler", "truncate", "is", "with", "insert",
]  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=20), st.booleans())
@example(["for", "x", "in", "..", "loop"], True)
def test_only_our_errors_escape_and_point_into_the_body(words: list[str], is_wrapped: bool) -> None:
    body = " ".join(["begin", *words, "end"] if is_wrapped else words)
    refused: Span | None = None
    try:
        parse_body(body)
    except NearshiftError as error:
        refused = error.span or Span(-1, -1)
    assert refused is None or 0 <= refused.start <= refused.end <= len(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("begin exit; end", "EXIT cannot be used outside a loop"),
        ("<<a>> begin continue a; end", 'block label "a" cannot be used in CONTINUE'),
        ("begin <<a>> loop null; end loop; exit a; end", 'there is no label "a"'),
    ],
)
def test_a_way_out_needs_something_to_leave(body: str, message: str) -> None:
    with pytest.raises(InvalidSql, match=message):
        parse_body(body)


def test_exit_and_continue_name_what_stands_around_them() -> None:
    loop = "<<l>> while true loop continue when a; begin continue l; exit b; end; end loop;"
    assert parse_body(f"<<b>> begin {loop} exception when others then exit b; end").label == "b"
