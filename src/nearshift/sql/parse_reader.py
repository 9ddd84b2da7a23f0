"""Reading tokens one after the other: what every parser of a utility statement is written with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, NoReturn, TypeVar

from nearshift import limits
from nearshift.errors import InvalidSql, NearshiftError, Span
from nearshift.sql.lexer import Token, TokenKind, string_value
from nearshift.sql.names import RESERVED, Name, QualifiedName
from nearshift.sql.statements_parts import Fragment, Signature
from nearshift.types import SqlType, parse_type

T = TypeVar("T")

_OPENING: Final = frozenset({"(", "[", "{"})
_CLOSING: Final = frozenset({")", "]", "}"})
# Words that follow the first word of a type's name: `double precision`, `timestamp with time zone`, …
_TYPE_TAILS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "DOUBLE": (("PRECISION",),),
    "CHARACTER": (("VARYING",),),
    "CHAR": (("VARYING",),),
    "BINARY": (("VARYING",),),
    "TIME": (("WITH", "TIME", "ZONE"), ("WITHOUT", "TIME", "ZONE")),
    "TIMESTAMP": (("WITH", "TIME", "ZONE"), ("WITHOUT", "TIME", "ZONE")),
    "INTERVAL": (("YEAR", "TO", "MONTH"), ("DAY", "TO", "SECOND")),
}


def syntax_error(token: Token, hint: str | None = None) -> InvalidSql:
    """Return the error that PostgreSQL's parser gives at `token`."""
    if token.kind is TokenKind.END:
        return InvalidSql("syntax error at end of input", span=token.span, hint=hint)
    shown = token.text if len(token.text) <= 60 else token.text[:57] + "..."
    return InvalidSql(f'syntax error at or near "{shown}"', span=token.span, hint=hint)


class Reader:
    """A place in the tokens of one text. Methods move it forward only when they succeed, or raise InvalidSql (42601) with a span."""

    def __init__(self, text: str, tokens: Iterable[Token]) -> None:
        self.text = text
        self._tokens = list(tokens)
        self._index = 0
        self._last = len(self._tokens) - 1

    @property
    def token(self) -> Token:
        """The next token, not yet taken."""
        return self._tokens[self._index]

    @property
    def previous(self) -> Token:
        """The token taken last."""
        return self._tokens[max(self._index - 1, 0)]

    def peek(self, ahead: int = 1) -> Token:
        """Return the token `ahead` places after the next one, END beyond the end."""
        return self._tokens[min(self._index + ahead, self._last)]

    def fail(self, token: Token | None = None, hint: str | None = None) -> NoReturn:
        """Raise the syntax error at `token`, or at the next one."""
        raise syntax_error(token or self.token, hint)

    def advance(self) -> Token:
        """Take the next token, whatever it is."""
        token = self.token
        self._index = min(self._index + 1, self._last)
        return token

    def is_at_end(self) -> bool:
        """Tell whether everything was taken."""
        return self.token.kind is TokenKind.END

    def at(self, *keys: str) -> bool:
        """Tell whether the next token is one of these keywords or operators."""
        return self.token.key in keys and self.token.key != ""

    def at_words(self, *sequence: str) -> bool:
        """Tell whether the next tokens are exactly this sequence."""
        return all(self.peek(i).key == key for i, key in enumerate(sequence))

    def take(self, *keys: str) -> Token | None:
        """Take the next token if it is one of these keywords or operators."""
        return self.advance() if self.at(*keys) else None

    def take_words(self, *sequence: str) -> bool:
        """Take the whole sequence if it comes next."""
        if not self.at_words(*sequence):
            return False
        self._index = min(self._index + len(sequence), self._last)
        return True

    def expect(self, *keys: str) -> Token:
        """Take the next token, which must be one of these."""
        return self.take(*keys) or self.fail()

    def expect_words(self, *sequence: str) -> None:
        """Take the whole sequence, which must come next."""
        for key in sequence:
            self.expect(key)

    def finish(self) -> None:
        """Refuse anything that is left."""
        if self.token.kind is not TokenKind.END:
            self.fail()

    def name(self) -> Name:
        """Take an identifier; reserved words need quotes ("Reserved words")."""
        token = self.token
        if token.kind is TokenKind.WORD and token.text.lower() in RESERVED:
            self.fail(hint=f"Write the name in double quotes: {token.text.lower()} is a reserved word.")
        return self.any_name()

    def any_name(self) -> Name:
        """Take an identifier, reserved words included."""
        token = self.token
        if token.kind is TokenKind.WORD:
            self.advance()
            return Name(token.text, is_quoted=False, span=token.span)
        if token.kind is TokenKind.QUOTED and len(token.text) > 2:
            self.advance()
            return Name(token.text[1:-1].replace('""', '"'), is_quoted=True, span=token.span)
        self.fail(hint="A name in double quotes must not be empty." if token.kind is TokenKind.QUOTED else None)

    def qualified(self, parts_max: int = 3) -> QualifiedName:
        """Take up to `parts_max` names joined by dots; only the first is checked against the reserved words."""
        parts = [self.name()]
        while self.at(".") and len(parts) < parts_max:
            self.advance()
            parts.append(self.any_name())
        return QualifiedName(tuple(parts))

    def comma_list(self, read: Callable[[], T]) -> tuple[T, ...]:
        """Take one or more of what `read` takes, separated by commas."""
        found = [read()]
        while self.take(","):
            found.append(read())
        return tuple(found)

    def parenthesised(self, read: Callable[[], T]) -> tuple[T, ...]:
        """Take a comma list of one or more in parentheses."""
        self.expect("(")
        found = self.comma_list(read)
        self.expect(")")
        return found

    def at_string(self) -> bool:
        """Tell whether a string comes next."""
        return self.token.kind in (TokenKind.STRING, TokenKind.DOLLAR)

    def string(self) -> str:
        """Take a string and return its value."""
        return string_value(self.advance()) if self.at_string() else self.fail()

    def integer(self) -> int:
        """Take a whole number, with a sign or without."""
        sign = -1 if self.take("-") else 1
        token = self.token
        if token.kind is not TokenKind.NUMBER or not token.text.isdigit() or len(token.text) > 18:
            self.fail()
        self.advance()
        return sign * int(token.text)

    def type_name(self) -> SqlType:
        """Take a type's name with its length. Raises what `parse_type` raises, with the span of the type."""
        first = self.token
        if first.kind not in (TokenKind.WORD, TokenKind.QUOTED):
            self.fail()
        if self.take_words("PG_CATALOG", "."):
            first = self.token
        self.advance()
        words, tails = first.text, _TYPE_TAILS.get(first.key, ())
        tail = self._type_tail(tails)
        modifier = self._type_modifier()
        if modifier and not tail:
            tail = self._type_tail(tails)
            words += modifier + tail
        else:
            words += tail + modifier
        if self.at("["):
            self.fail(hint="Redshift has no array types; use SUPER.")
        span = Span(first.start, self.previous.end)
        try:
            return parse_type(words)
        except NearshiftError as error:
            error.span = error.span or span
            raise

    def _type_tail(self, tails: tuple[tuple[str, ...], ...]) -> str:
        for tail in tails:
            if self.take_words(*tail):
                return " " + " ".join(tail).lower()
        return ""

    def _type_modifier(self) -> str:
        if not self.take("("):
            return ""
        values = ["max"] if self.take("MAX") else [str(value) for value in self.comma_list(self.integer)]
        self.expect(")")
        return "(" + ",".join(values) + ")"

    def signature(self) -> Signature:
        """Take a routine's name and, in parentheses, the types of its arguments; names and IN before them are read over."""
        name = self.qualified()
        if not self.take("("):
            return Signature(name, None)
        if self.take(")"):
            return Signature(name, ())
        types = [found for found in self.comma_list(self._signature_argument) if found is not None]
        self.expect(")")
        return Signature(name, tuple(types))

    def _signature_argument(self) -> SqlType | None:
        is_output = self.at("OUT")
        self.take("IN", "OUT", "INOUT")
        if self.starts_named_type():
            self.any_name()
            is_output = is_output or self.at("OUT")
            self.take("IN", "OUT", "INOUT")
        found = self.type_name()
        return None if is_output else found

    def starts_named_type(self) -> bool:
        """Tell whether `name type` comes next and not a type alone: two words that are no type of two words."""
        first, second = self.token, self.peek()
        names = (TokenKind.WORD, TokenKind.QUOTED)
        if first.kind not in names or second.kind not in names:
            return False
        return all(second.key != tail[0] for tail in _TYPE_TAILS.get(first.key, ()))

    def skip_until(self, stops: Collection[str]) -> None:
        """Move to the next token outside brackets and CASE … END whose key is in `stops`, or to the end; brackets must match."""
        depth, cases = 0, 0
        while self.token.kind is not TokenKind.END:
            key = self.token.key
            if depth == 0 and cases == 0 and key in stops and key:
                return
            if key == ";" and depth:
                self.fail()
            if key in _OPENING:
                depth += 1
                if depth > limits.STATEMENT_DEPTH_MAX:
                    raise too_deep(self.token.span)
            elif key in _CLOSING:
                depth -= 1
                if depth < 0:
                    self.fail()
            elif key == "CASE":
                cases += 1
            elif key == "END" and cases:
                cases -= 1
            self.advance()
        if depth:
            self.fail()

    def fragment_until(self, stops: Collection[str]) -> Fragment:
        """Take everything up to one of `stops` outside brackets; it must not be empty."""
        first = self.token
        self.skip_until(stops)
        if self.token.start == first.start:
            self.fail()
        return Fragment(self.text[first.start : self.previous.end], Span(first.start, self.previous.end))

    def rest(self) -> Fragment:
        """Take everything to the end; it must not be empty."""
        return self.fragment_until(())


def too_deep(span: Span) -> InvalidSql:
    """Return the error for brackets or blocks nested beyond the limit."""
    message = f"statement is nested too deeply: the maximum is {limits.STATEMENT_DEPTH_MAX} levels"
    return InvalidSql(message, sqlstate="54001", span=span, hint="Split the statement, or use WITH or a temporary table.")
