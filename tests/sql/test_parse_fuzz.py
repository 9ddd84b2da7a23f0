"""Whatever the text, the parser answers with a statement or with one of our errors that points into it."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nearshift.errors import NearshiftError, Span
from nearshift.sql.parse import parse_statement
from nearshift.sql.split import split_script

HEADS = [
    "create", "create table t", "create or replace", "create materialized view", "create external schema k from kinesis",
    "create external schema k from kafka", "create procedure p(", "create function f(", "create user u", "alter table t", "alter user u",
    "alter materialized view v", "drop", "copy t from 's3://x'", "unload ('select 1') to 's3://x'", "grant select on", "revoke", "set",
    "show", "reset", "begin", "call p(", "fetch", "declare c", "comment on", "prepare p", "execute p", "vacuum", "analyze", "lock",
    "select", "with a as", "alter default privileges", "show grants", "explain", "alter schema s", "create role", "refresh",
]  # fmt: skip
WORDS = [
    "table", "as", "select", "1", "t", "(", ")", ",", "'x'", '"Q"', "to", "=", "from", "on", "int", "varchar", "default", "null", "not",
    "key", "primary", "sortkey", "distkey", "diststyle", "all", "yes", "auto", "refresh", "identity", "like", "if", "exists", "iam_role",
    "uri", "authentication", "region", "language", "plpgsql", "$$ x $$", "nonatomic", "set", "security", "definer", "in", "out", "role",
    "group", "public", "with", "option", "cascade", "format", "csv", "json", "delimiter", "gzip", ".", "[", "]", "-", "case", "when",
    "then", "end", "into", "$1", "for", "cursor", "9" * 5000, "é", ";", "::", "max", "timestamp", "time", "zone", "double", "precision",
    "is", "collate", "references", "add", "alter", "column", "type", "encode", "user", "limit", "read", "only", "isolation", "level",
]  # fmt: skip


def check(text: str) -> None:
    refused: Span | None = None
    try:
        parse_statement(text)
    except NearshiftError as error:
        refused = error.span or Span(-1, -1)
    assert refused is None or 0 <= refused.start <= refused.end <= len(text)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(HEADS), st.lists(st.sampled_from(WORDS), max_size=14))
@example("create table t", ["(", "t", "varchar", "(", "9" * 5000, ")", ")"])
def test_statements_of_real_words(head: str, words: list[str]) -> None:
    check(" ".join([head, *words]))


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    check(text)
    refused: Span | None = None
    try:
        split_script(text)
    except NearshiftError as error:
        refused = error.span or Span(-1, -1)
    assert refused is None or 0 <= refused.start <= refused.end <= len(text)
