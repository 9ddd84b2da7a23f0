"""The text of a body while it is read: tokens, line numbers, folded names."""

from __future__ import annotations

import bisect
import contextlib
import re
from collections.abc import Iterator

from nearshift.errors import InvalidSql, NotSupported, Span
from nearshift.plpgsql.nodes import Target
from nearshift.sql.lexer import Comments, Token, TokenKind, tokens
from nearshift.sql.names import fold
from nearshift.sql.parse_reader import Reader
from nearshift.sql.relations import NameRules


class Source(Reader):
    """A Reader over a body; comments do not nest, and line 1 is the line after a line end that opens the body ("Trapping errors")."""

    def __init__(self, body: str, rules: NameRules, *, is_nonatomic: bool) -> None:
        super().__init__(body, tokens(body, Comments.FLAT))
        self.rules = rules
        self._is_nonatomic = is_nonatomic
        self.declared_count = 0
        self._around: list[tuple[str | None, bool]] = []
        opening = re.match(r"\r?\n", body)
        self._line_ends = [found.end() for found in re.finditer("\n", body)]
        self._lines_skipped = 1 if opening else 0

    def line(self) -> int:
        """Return the line of the next token."""
        return bisect.bisect_right(self._line_ends, self.token.start) + 1 - self._lines_skipped

    def folded_name(self) -> str:
        """Take a name and return it folded; words that SQL reserves are allowed, since variables never reach its grammar."""
        name = self.any_name()
        return fold(name.text, name.is_quoted, self.rules)

    def target(self) -> Target:
        """Take a variable, `record.field` or `$n`."""
        start = self.token
        if start.kind is TokenKind.PARAMETER:
            self.advance()
            return Target((start.text,), start.span)
        path = [self.folded_name()]
        while self.at(".") and len(path) < 3:
            self.advance()
            path.append(self.folded_name())
        if self.at("["):
            hint = "Build the whole SUPER value and assign it."
            raise NotSupported("assignment to a part of a value is not supported", span=self.token.span, hint=hint)
        return Target(tuple(path), Span(start.start, self.previous.end))

    def targets(self) -> tuple[Target, ...]:
        """Take a comma list of targets."""
        return self.comma_list(self.target)

    def is_assignment(self) -> bool:
        """Tell whether a target and then := or = comes next, whatever words the target is made of."""
        if self.token.kind not in (TokenKind.WORD, TokenKind.QUOTED, TokenKind.PARAMETER):
            return False
        ahead = 1
        while self.peek(ahead).key == "." and self.peek(ahead + 1).kind in (TokenKind.WORD, TokenKind.QUOTED):
            ahead += 2
        if self.peek(ahead).key == "[":
            while self.peek(ahead).key not in ("]", ";") and self.peek(ahead).kind is not TokenKind.END:
                ahead += 1
            ahead += 1
        return self.peek(ahead).key in (":=", "=")

    def is_followed_by_range_sign(self) -> bool:
        """Tell whether `..` stands after the next token, which is then a variable whatever its name."""
        return self.peek().key == ".."

    @contextlib.contextmanager
    def inside(self, label: str | None, *, is_loop: bool) -> Iterator[None]:
        """Read what stands in a block or loop."""
        self._around.append((label, is_loop))
        try:
            yield
        finally:
            self._around.pop()

    def require_label(self, token: Token, label: str | None, *, is_loop: bool) -> None:
        """Raise InvalidSql (42601) at `token` when no loop, or nothing of that label, stands around an EXIT or CONTINUE.

        `is_loop` tells that the label must be a loop's, as for CONTINUE.
        """
        if label is None:
            if all(not is_a_loop for _, is_a_loop in self._around):
                raise InvalidSql(f"{token.key} cannot be used outside a loop", span=token.span, hint="Leave a block by its label.")
            return
        found = [is_a_loop for known, is_a_loop in self._around if known == label]
        if not found:
            message = f'there is no label "{label}" attached to any block or loop enclosing this statement'
            raise InvalidSql(message, span=token.span, hint="Write <<label>> before the block or loop.")
        if is_loop and not found[-1]:
            raise InvalidSql(f'block label "{label}" cannot be used in CONTINUE', span=token.span, hint="Label the loop.")

    def refuse(self, key: str, what: str, hint: str) -> None:
        """Raise NotSupported for `what` when the next token is `key`."""
        if self.at(key):
            raise NotSupported(f"{what} is not supported in procedures", span=self.token.span, hint=hint)

    def require_nonatomic(self, token: Token) -> None:
        """Raise InvalidSql at `token` unless the body is that of a NONATOMIC procedure."""
        if not self._is_nonatomic:
            message = f"{token.text} can only be used in a NONATOMIC procedure"
            raise InvalidSql(message, sqlstate="0A000", span=token.span, hint="Create the procedure with NONATOMIC.")
