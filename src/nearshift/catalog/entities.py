"""What the catalog knows, as frozen rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nearshift.catalog.principals import Principals
from nearshift.sql.relations import Column, NameRules, Relation, RelationKind, UserFunction
from nearshift.types import SUPER, TIMESTAMP, VARBYTE, Kind, SqlType, varchar

SYSTEM_SCHEMA = "nearshift"
RESERVED_SCHEMAS = frozenset({SYSTEM_SCHEMA, "nearshift_sql", "pg_catalog", "information_schema", "pg_internal", "main", "temp"})

# "Getting started with streaming ingestion from Amazon Kinesis Data Streams": the columns of a stream, in the order of SELECT *.
KINESIS_COLUMNS = (
    Column("approximate_arrival_timestamp", TIMESTAMP),
    Column("partition_key", varchar(256)),
    Column("shard_id", SqlType(Kind.CHAR, length=20)),
    Column("sequence_number", varchar(128)),
    Column("refresh_time", TIMESTAMP),
    Column("kinesis_data", VARBYTE),
)
# "Getting started with streaming ingestion from Apache Kafka sources": the columns of a topic, and where each stands in a batch.
KAFKA_COLUMNS = (
    Column("kafka_partition", SqlType(Kind.BIGINT)),
    Column("kafka_offset", SqlType(Kind.BIGINT)),
    Column("kafka_timestamp_type", SqlType(Kind.CHAR, length=1)),
    Column("kafka_timestamp", TIMESTAMP),
    Column("kafka_key", VARBYTE),
    Column("kafka_value", VARBYTE),
    Column("kafka_headers", SUPER),
    Column("refresh_time", TIMESTAMP),
)
KAFKA_BATCH = (
    "(SELECT shard_id::BIGINT AS kafka_partition, sequence_number::BIGINT AS kafka_offset, kafka_timestamp_type,"
    " approximate_arrival_timestamp AS kafka_timestamp, kafka_key, kinesis_data AS kafka_value, kafka_headers::JSON AS kafka_headers,"
    " refresh_time FROM nearshift_batch)"
)


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """A schema; `source` is KINESIS, KAFKA or MSK for an external one."""

    oid: int
    name: str
    owner: str
    source: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_kinesis(self) -> bool:
        """Whether its streams are Kinesis'; other external schemas have Kafka's topics."""
        return self.source == "KINESIS"


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """A column with what CREATE TABLE said of it; `identity` is (seed, step, is_default)."""

    name: str
    type: SqlType
    is_nullable: bool = True
    default_text: str | None = None
    identity: tuple[int, int, bool] | None = None
    encoding: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class RelationEntry:
    """A table or view. `storage` is the quoted DuckDB name that holds its rows, None for a plain view."""

    oid: int
    schema: str
    name: str
    kind: RelationKind
    owner: str
    columns: tuple[ColumnEntry, ...]
    storage: str | None = None
    definition: str | None = None
    rules: NameRules = field(default_factory=NameRules)
    is_auto_refresh: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    comment: str | None = None
    bases: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Schema and name."""
        return self.schema, self.name

    @property
    def label(self) -> str:
        """Schema and name as events and logs spell them."""
        return f"{self.schema}.{self.name}"

    def bound(self, source: str | None = None) -> Relation:
        """Return the relation as the binder sees it; `source` replaces the place its rows come from."""
        # Rows of a streaming view may be deleted ("Streaming ingestion to a materialized view"); the binder refuses the rest.
        is_writable = self.kind in {RelationKind.TABLE, RelationKind.TEMP_TABLE, RelationKind.STREAMING_VIEW}
        return Relation(
            self.schema,
            self.name,
            self.kind,
            tuple(Column(c.name, c.type, c.is_nullable, c.identity is not None and not c.identity[2]) for c in self.columns),
            source or self.storage or "",
            self.storage if is_writable else None,
        )


@dataclass(frozen=True, slots=True)
class ProcedureEntry:
    """A procedure; `signature` is its input types, comma separated, as overloads are told apart by."""

    oid: int
    schema: str
    name: str
    signature: str
    owner: str
    text: str


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """An SQL function of a user, and whose it is."""

    function: UserFunction
    owner: str
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ViewState:
    """How far a materialized view got.

    `last_batch` numbers its appended batches from 1; `base_marks` holds per base (`schema.name`) its generation and the batch taken in.
    `generation` counts rewrites of the rows (recomputes, DELETE, TRUNCATE), after which a delta over them would be wrong.
    """

    last_batch: int = 0
    last_refresh_time: Any = None
    generation: int = 0
    base_marks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    is_incremental: bool = True
    reason: str | None = None
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that exists, at one version; never changed, only replaced."""

    version: int
    schemas: Mapping[str, SchemaEntry] = field(default_factory=dict)
    relations: Mapping[tuple[str, str], RelationEntry] = field(default_factory=dict)
    procedures: Mapping[tuple[str, str], tuple[ProcedureEntry, ...]] = field(default_factory=dict)
    functions: Mapping[tuple[str, str], tuple[FunctionEntry, ...]] = field(default_factory=dict)
    principals: Principals = field(default_factory=Principals)
    _bound: dict[tuple[str, str], Relation] = field(default_factory=dict, compare=False, repr=False)

    def bound(self, entry: RelationEntry) -> Relation:
        """Return a relation as the binder sees it, made once: every statement compares it with what its translation was made from."""
        found = self._bound.get(entry.key)
        if found is None:
            found = self._bound[entry.key] = entry.bound()
        return found

    def dependents(self, schema: str, name: str) -> tuple[RelationEntry, ...]:
        """Return the views that read the named relation directly."""
        return tuple(r for r in self.relations.values() if (schema, name) in r.bases)
