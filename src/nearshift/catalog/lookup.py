"""Names to relations: temporary tables, the search path, views expanded, streams and system views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nearshift.catalog.entities import KAFKA_BATCH, KAFKA_COLUMNS, KINESIS_COLUMNS, RelationEntry, Snapshot
from nearshift.catalog.system_views import system_relation
from nearshift.errors import NotSupported
from nearshift.sql.relations import Lowered, Relation, RelationKind, UserFunction

PG_SCHEMAS = ("pg_catalog", "information_schema")


Question = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a lookup was asked, by schema and name, and what it said."""

    relations: tuple[tuple[Question, Relation | None], ...]
    functions: tuple[tuple[Question, tuple[UserFunction, ...]], ...]


class Lookup:
    """Implements the binder's `Relations` and `UserFunctions` over one snapshot and one session's temporary tables.

    `expand` returns the translation of a plain view's query. `overrides` replaces the source of single relations, for deltas and batches.
    A stream can be read only when it is among the overrides, or when `allows_streams` says that a view's query is being described.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        search_path: tuple[str, ...],
        expand: Callable[[RelationEntry], Lowered],
        *,
        temporary: Mapping[str, RelationEntry] | None = None,
        overrides: Mapping[tuple[str, str], str] | None = None,
        allows_streams: bool = False,
    ) -> None:
        self._snapshot = snapshot
        self._search_path = search_path
        self._expand = expand
        self._temporary = temporary or {}
        self._overrides = overrides or {}
        self._allows_streams = allows_streams
        self._answers: dict[Question, Relation | None] = {}
        self._function_answers: dict[Question, tuple[UserFunction, ...]] = {}

    def answers(self) -> Answers:
        """Return what was asked so far, and the answers."""
        return Answers(tuple(self._answers.items()), tuple(self._function_answers.items()))

    def still_says(self, answers: Answers) -> bool:
        """Return whether the same questions have the same answers now."""
        return all(self.find(*question) == relation for question, relation in answers.relations) and all(
            self.functions(*question) == found for question, found in answers.functions
        )

    def functions(self, schema: str | None, name: str) -> tuple[UserFunction, ...]:
        """Return the users' functions of that name, of the first schema of the search path that has any."""
        found: tuple[UserFunction, ...] = ()
        for place in (schema,) if schema is not None else self._search_path:
            found = found or tuple(entry.function for entry in self._snapshot.functions.get((place, name), ()))
        self._function_answers[schema, name] = found
        return found

    def names(self) -> list[str]:
        """Return the names that can be written without a schema, to guess what a wrong one was meant to be."""
        return [*self._temporary, *(name for schema, name in self._snapshot.relations if schema in self._search_path)]

    def find(self, schema: str | None, name: str) -> Relation | None:
        """Return the relation, or None. Without a schema the search path is walked, temporary tables first."""
        found = self._answers[schema, name] = self._find(schema, name)
        return found

    def _find(self, schema: str | None, name: str) -> Relation | None:
        if schema is None:
            if name in self._temporary:
                return self._temporary[name].bound()
            for candidate in self._search_path:
                found = self._in_schema(candidate, name)
                if found is not None:
                    return found
            return system_relation("pg_catalog", name)
        return self._in_schema(schema, name)

    def _in_schema(self, schema: str, name: str) -> Relation | None:
        entry = self._snapshot.relations.get((schema, name))
        if entry is not None:
            override = self._overrides.get(entry.key)
            if entry.kind is RelationKind.VIEW:
                lowered = self._expand(entry)
                found = entry.bound(f"({lowered.sql})")
                return replace(found, columns=lowered.columns) if entry.attributes.get("late_binding") else found
            return entry.bound(override) if override is not None else self._snapshot.bound(entry)
        external = self._snapshot.schemas.get(schema)
        if external is not None and external.source is not None:
            return self._stream(schema, name, is_kinesis=external.is_kinesis)
        return system_relation(schema, name)

    def _stream(self, schema: str, name: str, *, is_kinesis: bool) -> Relation:
        override = self._overrides.get((schema, name))
        if override is None and not self._allows_streams:
            raise NotSupported(
                f'stream "{schema}"."{name}" can only be read by a materialized view',
                hint=f'Create a materialized view that reads {schema}."{name}", then read the view.',
            )
        if is_kinesis:
            return Relation(schema, name, RelationKind.STREAM, KINESIS_COLUMNS, override or "nearshift_batch")
        return Relation(schema, name, RelationKind.STREAM, KAFKA_COLUMNS, override or KAFKA_BATCH)
