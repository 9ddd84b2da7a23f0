"""Whether a text holds a statement at all: drivers prepare empty texts and lone comments to see whether the server is there."""

from __future__ import annotations

import re

_FILL = re.compile(r"(?:[\s;]+|--[^\n]*)*")
_MARK = re.compile(r"/\*|\*/")


def is_blank(text: str) -> bool:
    """Whether `text` is blanks, semicolons and comments only; block comments nest, as in PostgreSQL."""
    at = 0
    while True:
        filled = _FILL.match(text, at)
        at = filled.end() if filled is not None else at
        if at == len(text):
            return True
        if not text.startswith("/*", at):
            return False
        end = _comment_end(text, at)
        if end is None:
            return False
        at = end


def _comment_end(text: str, start: int) -> int | None:
    depth = 0
    for mark in _MARK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return None
