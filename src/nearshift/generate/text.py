"""SQL text made of templates: names marked with @, literals and names quoted as Redshift reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Template


class SqlTemplate(Template):
    """A template whose places are `@name`; `$` is left to dollar quotes. A place that stands alone on its line may take several lines."""

    delimiter = "@"


def fill(template: str, places: Mapping[str, str]) -> str:
    """Return the template with its places filled; a place without a value is a KeyError."""
    return SqlTemplate(template).substitute(places)


def literal(text: str) -> str:
    """Return a string literal; a backslash escapes in every literal of Redshift, so it is doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def wrapped(words: Iterable[str], indent: str, width: int = 140) -> str:
    """Return the words parted by commas, broken into lines of at most `width`; all lines but the first begin with the indent."""
    lines: list[str] = []
    line = ""
    for word in words:
        if line and len(indent) + len(line) + len(word) + 3 > width:
            lines.append(line + ",")
            line = word
        else:
            line = f"{line}, {word}" if line else word
    return ("\n" + indent).join([*lines, line])
