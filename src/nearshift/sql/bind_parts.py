"""The clauses of one SELECT, and their text."""

from __future__ import annotations

from dataclasses import dataclass, field

from nearshift.sql.bind_from import FromClause
from nearshift.sql.bind_values import OutputColumn, Value
from nearshift.sql.names import quote


@dataclass(slots=True)
class Parts:
    """The clauses of one SELECT as text; empty where absent."""

    items: list[Value] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    distinct: str = ""
    where: list[str] = field(default_factory=list)
    group: str = ""
    having: str = ""
    qualify: str = ""
    order: str = ""
    limit: str = ""
    offset: str = ""


def render(parts: Parts, columns: tuple[OutputColumn, ...], clause: FromClause) -> str:
    """Return the text of a SELECT; FROM is rendered here, after everything that may ask something of it was bound."""
    items = ", ".join(f"{one.sql} AS {quote(column.sql_name)}" for one, column in zip(parts.items, columns, strict=True))
    text = ["SELECT"]
    if parts.distinct:
        text.append("DISTINCT")
    text.append(items)
    if clause.joined:
        text.extend(("FROM", clause.render()))
    conditions = [*clause.filters, *parts.where]
    for word, body in (
        ("WHERE", " AND ".join(conditions)), ("GROUP BY", parts.group), ("HAVING", parts.having), ("QUALIFY", parts.qualify),
        ("ORDER BY", parts.order), ("LIMIT", parts.limit), ("OFFSET", parts.offset),
    ):  # fmt: skip
        if body:
            text.extend((word, body))
    return " ".join(text)
