"""Redshift text to a sqlglot tree, with the places in the text kept.

sqlglot knows hundreds of functions of twenty dialects and turns them into one another. Here every call stays a plain call by its own name,
so that only our own table of functions decides what a name means, and the two forms of FROM that only Redshift has become nodes of ours.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.parsers.redshift import RedshiftParser
from sqlglot.tokenizer_core import TokenType

from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.limits import STATEMENT_BYTES_MAX, STATEMENT_DEPTH_MAX
from nearshift.sql.full_names import shortened
from nearshift.sql.intervals import is_qualifier
from nearshift.sql.stack_room import room_for

_OPENERS = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE})
_CLOSERS = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END})
# Anything else would come back from sqlglot as a Command.
_FIRST = frozenset({
    TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.INSERT, TokenType.UPDATE, TokenType.DELETE, TokenType.MERGE,
    TokenType.L_PAREN,
})  # fmt: skip
_KEPT_PARSERS = ("CAST", "CONVERT", "EXTRACT", "SUBSTRING", "TRIM", "TRY_CAST", "OBJECT_TRANSFORM")
_BARE_CALLS = {
    TokenType.CURRENT_DATE: "current_date", TokenType.CURRENT_TIME: "current_time", TokenType.CURRENT_TIMESTAMP: "current_timestamp",
    TokenType.CURRENT_USER: "current_user", TokenType.SESSION_USER: "session_user", TokenType.CURRENT_USER_ID: "current_user_id",
    TokenType.CURRENT_SCHEMA: "current_schema", TokenType.LOCALTIME: "localtime", TokenType.LOCALTIMESTAMP: "localtimestamp",
}  # fmt: skip


# Marks, in a join's meta, the comma between two items of FROM: a JOIN after it belongs to the item before it only.
COMMA: Final = "comma"


class PathItem(exp.Expression):
    """`a.b."C"[0] AS x AT i` in FROM, with UNPIVOT before it or not; `this` is the path as an expression."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True, "alias": False, "index": False, "is_unpivot": False, "columns": False, "has_offset": False,
    }  # fmt: skip


class RemoveDuplicates(exp.Expression):
    """`REMOVE DUPLICATES` of MERGE."""

    arg_types: ClassVar[dict[str, bool]] = {}


def _bare(name: str) -> Any:
    return lambda: exp.Anonymous(this=name, expressions=[])


class _Parser(RedshiftParser):
    FUNCTIONS: ClassVar[Any] = {}
    SUPPORTS_IMPLICIT_UNNEST = False
    FUNCTION_PARSERS: ClassVar[Any] = {
        **{name: parser for name, parser in RedshiftParser.FUNCTION_PARSERS.items() if name in _KEPT_PARSERS},
        "POSITION": lambda self: self._parse_position_in(),
        "DATE": lambda self: self._parse_date_of(),
    }
    NO_PAREN_FUNCTIONS: ClassVar[Any] = {token: _bare(name) for token, name in _BARE_CALLS.items()}
    NO_PAREN_FUNCTION_PARSERS: ClassVar[Any] = {
        "CASE": lambda self: self._parse_case(),
        "ANY": lambda self: self.expression(exp.Any(this=self._parse_bitwise())),
        "APPROXIMATE": lambda self: self._parse_approximate(),
        "SYSDATE": lambda self: self.expression(exp.Anonymous(this="sysdate", expressions=[]), token=self._prev),
    }

    def _parse_position_in(self) -> exp.Expr:
        needle = self._parse_bitwise()
        if not (self._match(TokenType.IN) or self._match(TokenType.COMMA)):
            self.raise_error("Expected IN")
        return self.expression(exp.Anonymous(this="position", expressions=[needle, self._parse_bitwise()]))

    def _parse_date_of(self) -> exp.Expr:
        # PostgreSQL 8.0 casts by a type's name too; of those forms only this one is in use.
        return self.expression(exp.Cast(this=self._parse_bitwise(), to=exp.DataType.build("date")))

    def _parse_projections(self) -> Any:
        found = super()._parse_projections()
        if self._curr.token_type == TokenType.IDENTIFIER and self._curr.text.upper() == "EXCLUDE":
            self._advance()  # sqlglot steps back before a name "EXCLUDE", too
        return found

    def _parse_approximate(self) -> exp.Expr | None:
        token = self._prev
        call = self._parse_function()
        if call is None:
            self._retreat(self._index - 1)
            return None
        return self.expression(exp.Anonymous(this="approximate", expressions=[call]), token=token)

    def _parse_star_ops(self) -> exp.Expr | None:
        # EXCLUDE stands behind the whole list, and may name its columns without parentheses ("EXCLUDE column_list").
        return self.expression(exp.Star()).update_positions(self._prev)

    def _parse_join(self, *arguments: Any, **options: Any) -> exp.Join | None:
        is_comma = self._curr.token_type == TokenType.COMMA
        join = super()._parse_join(*arguments, **options)
        if join is not None and is_comma:
            join.meta[COMMA] = True
        return join

    def _parse_merge_remove(self) -> bool:
        return bool(self._match_text_seq("REMOVE", "DUPLICATES"))

    def _parse_when_matched(self) -> Any:
        if self._parse_merge_remove():
            return self.expression(exp.Whens(expressions=[RemoveDuplicates()]))
        return super()._parse_when_matched()

    def _parse_type(self, *arguments: Any, **options: Any) -> exp.Expr | None:
        # `date '2024-01-01'::varchar` casts the date; sqlglot alone would cast the string first and lose the outer cast's meaning.
        if self._next.token_type == TokenType.STRING and self._curr.token_type in self.TYPE_TOKENS - {TokenType.INTERVAL}:
            index = self._index
            kind = self._parse_types(check_func=True, allow_identifiers=False)
            if kind and self._curr.token_type == TokenType.STRING:
                return self._parse_column_ops(self.expression(exp.Cast(this=self._parse_primary(), to=kind)))
            self._retreat(index)
        return super()._parse_type(*arguments, **options)

    def _parse_interval(self, require_interval: bool = True, parse_function_unit: bool = True) -> Any:  # noqa: FBT001, FBT002 - its names
        # sqlglot reads a number and a unit out of the string and drops the rest of '3 days 04:05:06', and adds a string after +.
        if self._curr.token_type != TokenType.INTERVAL or self._next.token_type != TokenType.STRING:
            return super()._parse_interval(require_interval, parse_function_unit=parse_function_unit)
        self._advance(2)
        literal = self.expression(exp.Literal(this=self._prev.text, is_string=True), token=self._prev)
        return self.expression(exp.Interval(this=literal, unit=self._parse_qualifier()))

    def _parse_qualifier(self) -> exp.Expr | None:
        """Read what may follow an interval's string: `DAY`, `YEAR TO MONTH`, `DAY TO SECOND (3)`."""
        units: list[exp.Expr] = []
        while len(units) < 2 and self._is_qualifier():
            self._advance()
            name, digits = self._prev.text.upper(), None
            if self._match(TokenType.L_PAREN):
                digits = self._parse_number()
                self._match_r_paren()
            units.append(exp.Var(this=name) if digits is None else exp.Anonymous(this=name, expressions=[digits]))
            if not self._match_text_seq("TO"):
                break
        if len(units) < 2:
            return units[0] if units else None
        return exp.IntervalSpan(this=units[0], expression=units[1])

    def _is_qualifier(self) -> bool:
        return self._curr.token_type not in {TokenType.STRING, TokenType.IDENTIFIER} and is_qualifier(self._curr.text)

    def _parse_table(self, *arguments: Any, **options: Any) -> exp.Expr | None:
        if not arguments and not options.get("schema") and not options.get("is_db_reference"):
            item = self._parse_path_item(options.get("alias_tokens") or self.TABLE_ALIAS_TOKENS)
            if item is not None:
                return item
        return super()._parse_table(*arguments, **options)

    def _parse_path_item(self, alias_tokens: Collection[TokenType]) -> exp.Expr | None:
        index = self._index
        if self._match(TokenType.UNPIVOT):
            path = self._parse_column()
            return self._finish_path_item(path, alias_tokens, is_unpivot=True)
        if self._curr.text.upper() == "UNNEST" and self._next.token_type == TokenType.L_PAREN:
            self._advance(2)
            path = self._parse_bitwise()
            self._match_r_paren()
            return self._finish_unnest(path, alias_tokens)
        if self._next.token_type != TokenType.DOT and self._next.token_type != TokenType.L_BRACKET and not self._has_index_ahead():
            return None
        path = self._parse_column()
        parts, has_bracket = _path_length(path)
        if parts == 0:
            self._retreat(index)
            return None
        item = self._finish_path_item(path, alias_tokens, is_unpivot=False)
        if parts <= 3 and not has_bracket and item.args.get("index") is None:
            self._retreat(index)
            return None
        return item

    def _has_index_ahead(self) -> bool:
        words = [token.text.upper() for token in self._tokens[self._index + 1 : self._index + 4]]
        return "AT" in words[:3] and (words[:1] == ["AT"] or words[1:2] == ["AT"] or words[0:3:2] == ["AS", "AT"])

    def _finish_path_item(self, path: Any, alias_tokens: Collection[TokenType], *, is_unpivot: bool) -> PathItem:
        alias = at = None
        if self._match(TokenType.ALIAS):
            alias = self._parse_id_var(any_token=True)
        elif self._curr.text.upper() != "AT":
            alias = self._parse_id_var(any_token=False, tokens=alias_tokens)
        if self._match_text_seq("AT"):
            at = self._parse_id_var()
        return self.expression(PathItem(this=path, alias=alias, index=at, is_unpivot=is_unpivot))

    def _finish_unnest(self, path: Any, alias_tokens: Collection[TokenType]) -> PathItem:
        has_offset = bool(self._match_text_seq("WITH", "OFFSET"))
        self._match(TokenType.ALIAS)
        alias = self._parse_id_var(any_token=False, tokens=alias_tokens)
        columns = self._parse_wrapped_id_vars() if alias is not None and self._curr.token_type == TokenType.L_PAREN else None
        return self.expression(PathItem(this=path, alias=alias, columns=columns, has_offset=has_offset, is_unpivot=False))


def _path_length(path: Any) -> tuple[int, bool]:
    """Return the number of names in a path and whether it has an index; 0 for anything that is no path."""
    count, has_bracket, node = 0, False, path
    while isinstance(node, (exp.Dot, exp.Bracket)):
        if isinstance(node, exp.Bracket):
            has_bracket = True
        elif isinstance(node.expression, exp.Identifier):
            count += 1
        else:
            return 0, False
        node = node.this
    if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
        return 0, False
    return count + len(node.parts), has_bracket


class NearshiftDialect(Redshift):
    """Redshift as this package reads it."""

    Parser: Any = _Parser

    class Tokenizer(Redshift.Tokenizer):
        """Without dollar quotes, which the tokenizer sees in `$1,$2`; `VALUES` is a keyword again."""

        HEREDOC_STRINGS: ClassVar[Any] = []
        VAR_SINGLE_TOKENS: ClassVar[Any] = {"$", "#"}
        SINGLE_TOKENS: ClassVar[Any] = {**Redshift.Tokenizer.SINGLE_TOKENS, "$": TokenType.PARAMETER}
        KEYWORDS: ClassVar[Any] = {**Redshift.Tokenizer.KEYWORDS, "VALUES": TokenType.VALUES}


_DIALECT = NearshiftDialect()


def parse(text: str) -> exp.Expr:
    """Return the tree of one statement; raises what `parse_nested` raises."""
    return parse_nested(text)[0]


def parse_nested(text: str) -> tuple[exp.Expr, int]:
    """Return the tree of one statement, and how many levels of parentheses, brackets and CASE it nests.

    Raises InvalidSql: 42601 with the span of the token that does not fit, 54000 for a text above 16 MB, 54001 for nesting deeper than
    limits.STATEMENT_DEPTH_MAX.
    """
    if len(text) > STATEMENT_BYTES_MAX:
        raise InvalidSql("statement is longer than 16 MB", sqlstate="54000")
    try:
        tokens = _DIALECT.tokenize(text)
    except TokenError as error:
        raise InvalidSql("unterminated or invalid token in the statement", span=Span(0, len(text)), hint="Check the quotes.") from error
    tokens = shortened(tokens)
    levels = _check_depth(tokens)
    if tokens and tokens[0].token_type not in _FIRST:
        raise NotSupported("this is neither a query nor DML", span=Span(tokens[0].start, tokens[0].end + 1))
    try:
        with room_for(levels):
            trees = _DIALECT.parser().parse(tokens, text)
    except ParseError as error:
        raise _syntax_error(text, error) from error
    except RecursionError as error:
        raise too_deep(Span(0, len(text))) from error
    except (SqlglotError, ValueError, AttributeError, TypeError, IndexError) as error:  # sqlglot fails so on some malformed texts
        raise InvalidSql("syntax error", span=Span(0, len(text))) from error
    if len(trees) != 1 or trees[0] is None:
        raise InvalidSql("one statement is expected", span=Span(0, len(text)))
    return trees[0], levels


def too_deep(span: Span) -> InvalidSql:
    """Return the error for a statement that nests too deeply."""
    hint = f"Nest expressions and subqueries at most {STATEMENT_DEPTH_MAX} levels deep."
    return InvalidSql("statement is nested too deeply", sqlstate="54001", span=span, hint=hint)


def _check_depth(tokens: list[Any]) -> int:
    depth = deepest = 0
    place = None
    for token in tokens:
        if token.token_type in _OPENERS:
            depth += 1
            if depth > deepest:
                deepest, place = depth, token
        elif token.token_type in _CLOSERS:
            depth -= 1
    if deepest > STATEMENT_DEPTH_MAX and place is not None:
        raise too_deep(Span(place.start, place.end + 1))
    return deepest


def _syntax_error(text: str, error: ParseError) -> InvalidSql:
    record = error.errors[0] if error.errors else {}
    line, column, word = record.get("line"), record.get("col"), str(record.get("highlight") or "")
    if line is None or column is None:
        return InvalidSql("syntax error", span=Span(0, len(text)))
    before = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
    end = min(before + column, len(text))
    start = max(0, end - max(len(word), 1))
    is_stray = str(record.get("description") or "").startswith("Invalid expression")
    if not word or (end >= len(text.rstrip()) and not is_stray):
        return InvalidSql("syntax error at end of input", span=Span(len(text), len(text)))
    return InvalidSql(f'syntax error at or near "{word}"', span=Span(start, end))


def span_of(node: exp.Expr) -> Span | None:
    """Return the place of a node in the text: its own token, or from the first to the last token below it."""
    start, end = _own_place(node)
    if start is not None and isinstance(node, (exp.Identifier, exp.Literal, exp.Anonymous, exp.Star)):
        return Span(start, end)
    low, high = start, end
    for below in node.find_all(exp.Identifier, exp.Literal, exp.Anonymous, exp.Star):
        first, last = _own_place(below)
        if first is not None:
            low = first if low is None else min(low, first)
            high = max(high, last)
    return None if low is None else Span(low, high)


def _own_place(node: exp.Expr) -> tuple[int | None, int]:
    meta = node._meta
    if meta and meta.get("start") is not None:
        return int(meta["start"]), int(meta["end"]) + 1
    return None, 0
