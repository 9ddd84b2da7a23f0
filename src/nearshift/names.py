"""What names mean in one session: the search path, temporary tables before it, the one database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from nearshift.catalog.entities import RelationEntry
from nearshift.errors import InvalidSql, NotSupported, UndefinedObject
from nearshift.settings import Settings
from nearshift.sql.names import QualifiedName
from nearshift.transaction import Transaction


@lru_cache(maxsize=1000)
def _path_words(path: str) -> tuple[str, ...]:
    words = (word.strip().strip("\"'") for word in path.split(","))
    return tuple(word for word in words if word)


class Names:
    """Looks names up as the session's settings and its transaction have them now."""

    def __init__(
        self, user: str, database: str, settings: Settings, tx: Transaction, temporary: Mapping[str, RelationEntry]
    ) -> None:
        self.user = user  # who "$user" in the search path stands for
        self._database = database
        self._settings = settings
        self._tx = tx
        self._temporary = temporary
        self.usable: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda schemas: schemas

    def search_path(self) -> tuple[str, ...]:
        """The schemas that an unqualified name is looked up in: those on the path that the user may use, as in PostgreSQL."""
        words = _path_words(self._settings.get("search_path"))
        return self.usable(tuple(self.user if word == "$user" else word for word in words))

    def resolve(self, name: QualifiedName) -> tuple[str | None, str]:
        """Return (schema or None, name) as the catalog spells them. Raises NotSupported for another database."""
        parts = name.folded(self._settings.rules)
        if len(parts) > 2 and parts[-3] != self._database.lower():
            raise NotSupported(f'cross-database references are not supported: "{parts[-3]}"', span=name.span)
        return (parts[-2] if len(parts) > 1 else None), parts[-1]

    def relation(self, name: QualifiedName) -> RelationEntry:
        """Return the table or view of that name. Raises UndefinedObject (42P01)."""
        schema, own = self.resolve(name)
        found = self.find(schema, own)
        if found is None:
            raise UndefinedObject(f'relation "{name}" does not exist', span=name.span)
        return found

    def find(self, schema: str | None, name: str) -> RelationEntry | None:
        """Return a table or view, or None; without a schema temporary tables and the search path are walked."""
        if schema is None:
            if name in self._temporary:
                return self._temporary[name]
            for candidate in self.search_path():
                if (candidate, name) in self._tx.snapshot.relations:
                    return self._tx.snapshot.relations[candidate, name]
            return None
        return self._tx.snapshot.relations.get((schema, name))

    def creation_schema(self, schema: str | None) -> str:
        """Return the local schema that a new object without or with a schema goes to. Raises UndefinedObject (3F000)."""
        names = (schema,) if schema else tuple(name for name in self.search_path() if name in self._tx.snapshot.schemas)
        if not names or names[0] not in self._tx.snapshot.schemas:
            raise UndefinedObject(f'schema "{schema or "public"}" does not exist', sqlstate="3F000")
        if self._tx.snapshot.schemas[names[0]].source is not None:
            raise InvalidSql(f'schema "{names[0]}" is external: its relations are the streams themselves', sqlstate="42809")
        return names[0]
