"""A desk to try translations on: an in-memory DuckDB with our macros, a small catalog, and the check that types are told truly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from nearshift.errors import NearshiftError
from nearshift.sql.lower import lower
from nearshift.sql.macros import SETUP, raised_error
from nearshift.sql.natives import NATIVES
from nearshift.sql.relations import BindContext, Column, Lowered, NameRules, ParameterSource, Relation, RelationKind
from nearshift.types import Kind, SqlType, parse_type

_SESSION: Mapping[str, Any] = {
    "statement_timestamp": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a timestamp without zone
    "transaction_timestamp": datetime(2026, 1, 2, 3, 4, 5, 678),  # noqa: DTZ001 - a timestamp without zone
    "transaction_timestamptz": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "current_date": date(2026, 1, 2),
    "current_user": "awsuser",
    "backend_pid": 7,
}
_NATIVE_OPTIONS: Any = {"type": "arrow", "null_handling": "special"}
_SPELLINGS = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "TIMETZ": "TIME WITH TIME ZONE"}


def shown(value: Any, kind: SqlType) -> Any:
    """Return a value as a client gets it; a blank at the end of SUPER is a note of ours (`sql.macros_documents`)."""
    return value.rstrip(" ") if kind.kind is Kind.SUPER and isinstance(value, str) else value


class Desk:
    """Tables by name, and statements run through the translation."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        for native in NATIVES:
            arguments: list[Any] = [duckdb.type(one) for one in native.arguments]
            self.connection.create_function(native.name, native.over_arrays, arguments, duckdb.type(native.result), **_NATIVE_OPTIONS)
        for statement in SETUP:
            self.connection.execute(statement)
        self.relations: dict[tuple[str, str], Relation] = {}
        self.settings: dict[str, str] = {}

    def find(self, schema: str | None, name: str) -> Relation | None:
        """Be the catalog: only the schema public is on the search path."""
        return self.relations.get((schema or "public", name))

    def names(self) -> list[str]:
        return [name for _, name in self.relations]

    def table(self, name: str, columns: str, *, hidden: str = "") -> Relation:
        """Make a table; `hidden` are columns that exist in DuckDB only."""
        pairs = [one.strip().split(" ", 1) for one in columns.split("; ")]
        kept = tuple(Column(label, parse_type(kind)) for label, kind in pairs)
        relation = Relation("public", name, RelationKind.TABLE, kept, f'"{name}"', f'"{name}"')
        body = ", ".join([*(f'"{one.name}" {one.type.duckdb}' for one in kept), *([hidden] if hidden else [])])
        self.connection.execute(f'CREATE TABLE "{name}" ({body})')
        self.relations[("public", name)] = relation
        return relation

    def context(self, rules: NameRules | None = None, **more: Any) -> BindContext:
        return BindContext(self, rules or NameRules(), settings=self.settings, **more)

    def lowered(self, text: str, rules: NameRules | None = None, **more: Any) -> Lowered:
        return lower(text, self.context(rules, **more))

    def run(self, text: str, rules: NameRules | None = None, values: Mapping[str, Any] | None = None, **more: Any) -> list[tuple[Any, ...]]:
        """Translate, run, and compare the told types with DuckDB's own."""
        translation = self.lowered(text, rules, **more)
        given = {**(values or {})}
        parameters = [
            _SESSION[one.name] if one.source is ParameterSource.SESSION else given.get(one.name) for one in translation.parameters
        ]
        result = self.connection.execute(translation.sql, parameters)
        if translation.columns:
            told = [_SPELLINGS.get(one.type.duckdb, one.type.duckdb) for one in translation.columns]
            assert [str(one[1]) for one in result.description] == told, text
        kinds = [one.type for one in translation.columns]
        return [tuple(map(shown, row, kinds)) if kinds else row for row in result.fetchall()]

    def value(self, expression: str, rules: NameRules | None = None, **more: Any) -> Any:
        """Return the value of one expression."""
        rows = self.run(f"SELECT {expression}", rules, **more)
        assert len(rows) == 1
        assert len(rows[0]) == 1
        return rows[0][0]

    def type_of(self, expression: str) -> SqlType:
        return self.lowered(f"SELECT {expression}").columns[0].type

    def label_of(self, expression: str, rules: NameRules | None = None) -> str:
        return self.lowered(f"SELECT {expression} FROM sales", rules).columns[0].name

    def refusal(self, text: str, rules: NameRules | None = None, **more: Any) -> NearshiftError:
        """Return the error of a statement that must not be translated; it must point into the text."""
        with pytest.raises(NearshiftError) as caught:
            self.lowered(text, rules, **more)
        span = caught.value.span
        assert span is not None, text
        assert 0 <= span.start <= span.end <= len(text), text
        return caught.value

    def failure(self, text: str) -> NearshiftError:
        """Return the error that a macro raises while a translated statement runs."""
        with pytest.raises(duckdb.Error) as caught:
            self.run(text)
        error = raised_error(str(caught.value))
        assert error is not None, str(caught.value)
        return error


@pytest.fixture
def desk() -> Desk:
    """A desk with one table of everything."""
    made = Desk()
    made.table("sales", "id int; name varchar(10); price decimal(8,2); at timestamp; doc super; small smallint; big bigint; code char(4)")
    made.connection.execute(
        """INSERT INTO sales VALUES
        (1, 'x', 1.50, '2020-01-31', '{"a":1,"Items":[{"x":1,"l":[1,2]},{"x":"q"}],"items":[7]}', 1, 10, 'ab'),
        (7, 'yy', 10.25, '2020-02-29 12:30:00', '{"a":"z"}', 2, 20, 'cd'),
        (NULL, NULL, 2.25, NULL, NULL, NULL, NULL, NULL)"""
    )
    return made
