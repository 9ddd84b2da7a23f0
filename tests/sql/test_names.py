"""Names: folding, cutting, quoting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearshift.errors import InvalidSql
from nearshift.sql.names import fold, is_reserved, quote, quote_literal, split_qualified
from nearshift.sql.relations import NameRules

PLAIN = NameRules()
SENSITIVE = NameRules(case_sensitive_identifier=True)


@pytest.mark.parametrize(
    ("text", "is_quoted", "rules", "expected"),
    [
        ("Orders", False, PLAIN, "orders"),
        ("Orders", True, PLAIN, "orders"),
        ("Orders", False, SENSITIVE, "orders"),
        ("Orders", True, SENSITIVE, "Orders"),
        ("ÉTÉ_A", False, PLAIN, "ÉtÉ_a"),
        ("a" * 200, False, PLAIN, "a" * 127),
        ("é" * 64, True, SENSITIVE, "é" * 63),
    ],
)
def test_fold(text: str, is_quoted: bool, rules: NameRules, expected: str) -> None:
    assert fold(text, is_quoted, rules) == expected


@given(st.text(max_size=200), st.booleans(), st.booleans())
def test_folding_twice_changes_nothing(text: str, is_quoted: bool, is_sensitive: bool) -> None:
    rules = NameRules(case_sensitive_identifier=is_sensitive)
    once = fold(text, is_quoted, rules)
    assert fold(once, is_quoted, rules) == once
    assert len(once.encode("utf-8", "surrogatepass")) <= 127


def test_quotes() -> None:
    assert quote('a"b') == '"a""b"'
    assert quote_literal("it's \\") == "'it''s \\'"
    assert is_reserved("Select")
    assert not is_reserved("orders")


def test_qualified_names_split_at_dots_outside_quotes() -> None:
    found = split_qualified(' Dev.public."My.""T"')
    assert [(part.text, part.is_quoted) for part in found.parts] == [("Dev", False), ("public", False), ('My."T', True)]
    assert found.folded(SENSITIVE) == ("dev", "public", 'My."T')
    assert found.last.span.start == 12


@pytest.mark.parametrize("text", ["", "a.", ".a", "a.b.c.d", "a b", '"a', "1a", '""'])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidSql) as caught:
        split_qualified(text)
    assert caught.value.sqlstate == "42602"
