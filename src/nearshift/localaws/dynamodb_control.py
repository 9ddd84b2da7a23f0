"""The operations on tables: create, describe, update, delete, list, tags and limits ("Actions", DynamoDB API Reference)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from nearshift.localaws.clock import Clock
from nearshift.localaws.dynamodb_describe import describe
from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters, resource_in_use, table_missing
from nearshift.localaws.dynamodb_requests import Parameters, one_of, required, within
from nearshift.localaws.dynamodb_rows import Key, count_entries, drop_index, drop_table, entry_of, fill_index
from nearshift.localaws.dynamodb_schema import (
    AttributeDefinition,
    CreateTable,
    SecondaryIndex,
    Tag,
    Throughput,
    check_name,
    check_throughput,
    key_attributes,
    plan_index,
    plan_table,
)
from nearshift.localaws.dynamodb_tables import Definition, Index, Table, Tables
from nearshift.localaws.errors import AwsError
from nearshift.localaws.items import decode_item
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store

NAMES_PER_PAGE_MAX = 100
TAGS_MAX = 50


class TableNamed(Parameters):
    """DescribeTable, DeleteTable and others that have a table's name alone."""

    table_name: str | None = None


class ListTables(Parameters):
    """ListTables."""

    exclusive_start_table_name: str | None = None
    limit: int | None = None


class IndexName(Parameters):
    """DeleteGlobalSecondaryIndexAction."""

    index_name: str


class IndexThroughput(Parameters):
    """UpdateGlobalSecondaryIndexAction."""

    index_name: str
    provisioned_throughput: Throughput | None = None


class IndexUpdate(Parameters):
    """GlobalSecondaryIndexUpdate: exactly one member is set."""

    create: SecondaryIndex | None = None
    update: IndexThroughput | None = None
    delete: IndexName | None = None


class UpdateTable(Parameters):
    """UpdateTable."""

    table_name: str | None = None
    attribute_definitions: list[AttributeDefinition] | None = None
    billing_mode: str | None = None
    provisioned_throughput: Throughput | None = None
    global_secondary_index_updates: list[IndexUpdate] | None = None
    stream_specification: dict[str, Any] | None = None
    table_class: str | None = None
    deletion_protection_enabled: bool | None = None
    sse_specification: dict[str, Any] | None = msgspec.field(default=None, name="SSESpecification")
    replica_updates: Any = None


class Tagged(Parameters):
    """TagResource, UntagResource and ListTagsOfResource."""

    resource_arn: str | None = None
    tags: list[Tag] | None = None
    tag_keys: list[str] | None = None


class Control:
    """The operations on tables."""

    def __init__(self, store: Store, tables: Tables, clock: Clock) -> None:
        self._connection = store.connection
        self._tables = tables
        self._clock = clock

    def create_table(self, request: Request, parameters: CreateTable) -> dict[str, Any]:
        """Answer CreateTable; the table can be used at once. Raises ValidationException, ResourceInUseException."""
        definition = plan_table(parameters, self._clock.now_us())
        assert parameters.table_name is not None
        if self._tables.find(request, parameters.table_name) is not None:
            raise resource_in_use(f"Table already exists: {parameters.table_name}")
        return {"TableDescription": describe(self._tables.add(request, parameters.table_name, definition), "CREATING")}

    def describe_table(self, request: Request, parameters: TableNamed) -> dict[str, Any]:
        """Answer DescribeTable; counts are exact here. Raises ResourceNotFoundException."""
        table = self._named(request, parameters.table_name)
        return {"Table": describe(table, index_counts=self._index_counts(table))}

    def delete_table(self, request: Request, parameters: TableNamed) -> dict[str, Any]:
        """Answer DeleteTable. Raises ResourceNotFoundException, ValidationException for a protected table."""
        table = self._named(request, parameters.table_name)
        if table.definition.is_protected:
            detail = "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
            raise invalid(detail)
        described = describe(table, "DELETING")
        drop_table(self._connection, table)
        self._tables.remove(table)
        return {"TableDescription": described}

    def list_tables(self, request: Request, parameters: ListTables) -> dict[str, Any]:
        """Answer ListTables."""
        within(parameters.limit, "limit", 1, NAMES_PER_PAGE_MAX)
        after = parameters.exclusive_start_table_name or ""
        limit = parameters.limit or NAMES_PER_PAGE_MAX
        names = [name for name in self._tables.names(request) if name > after]
        answer: dict[str, Any] = {"TableNames": names[:limit]}
        if len(names) > limit:
            answer["LastEvaluatedTableName"] = names[limit - 1]
        return answer

    def update_table(self, request: Request, parameters: UpdateTable) -> dict[str, Any]:
        """Answer UpdateTable; changes are in force at once. Raises ResourceNotFoundException, ValidationException."""
        table = self._named(request, parameters.table_name)
        definition = self._tables.editable(table)
        one_of(parameters.billing_mode, "billingMode", ("PROVISIONED", "PAY_PER_REQUEST"))
        one_of(parameters.table_class, "tableClass", ("STANDARD", "STANDARD_INFREQUENT_ACCESS"))
        if parameters.replica_updates is not None:
            raise invalid_parameters("Replicas are not supported by this local DynamoDB")
        if parameters.stream_specification is not None and parameters.stream_specification.get("StreamEnabled"):
            message = "DynamoDB Streams is not supported by this local DynamoDB; enable a Kinesis streaming destination on the table"
            raise invalid_parameters(message)
        if parameters.billing_mode is not None or parameters.provisioned_throughput is not None:
            mode = parameters.billing_mode or definition.billing_mode
            definition.read_units, definition.write_units = check_throughput(mode, parameters.provisioned_throughput)
            definition.billing_mode = mode
        if parameters.deletion_protection_enabled is not None:
            definition.is_protected = parameters.deletion_protection_enabled
        if parameters.table_class is not None:
            definition.table_class = parameters.table_class
        if parameters.sse_specification is not None:
            definition.sse = {"Status": "ENABLED", "SSEType": "KMS"} if parameters.sse_specification.get("Enabled") else None
        for attribute in parameters.attribute_definitions or ():
            one_of(attribute.attribute_type, "attributeDefinitions.member.attributeType", ("B", "N", "S"))
            definition.attributes[attribute.attribute_name] = attribute.attribute_type
        for update in parameters.global_secondary_index_updates or ():
            self._update_index(table, definition, update)
        used = key_attributes(definition)
        definition.attributes = {name: kind for name, kind in definition.attributes.items() if name in used}
        renewed = self._tables.save(table, definition)
        for update in parameters.global_secondary_index_updates or ():
            created = renewed.index(update.create.index_name) if update.create is not None else None
            if created is not None:
                fill_index(self._connection, created, self._entries(renewed, created))
        return {"TableDescription": describe(renewed, "UPDATING", self._index_counts(renewed))}

    def _update_index(self, table: Table, definition: Definition, update: IndexUpdate) -> None:
        """Change the definition; a new index is filled when the definition is in force."""
        names = [index["IndexName"] for index in definition.global_indexes]
        if update.create is not None:
            if table.index(update.create.index_name) is not None:
                raise invalid_parameters(f"Index already exists: {update.create.index_name}")
            numbers = {index["Number"] for index in (*definition.global_indexes, *definition.local_indexes)}
            number = next(number for number in range(1, 100) if number not in numbers)
            definition.global_indexes = [*definition.global_indexes, plan_index(update.create, definition, number, is_local=False)]
            return
        named = update.delete or update.update
        if named is None:
            raise invalid_parameters("One of GlobalSecondaryIndexUpdate's members must be set")
        if named.index_name not in names:
            raise AwsError("ResourceNotFoundException", f"Requested resource not found: Index: {named.index_name} not found")
        if update.delete is not None:
            dropped = table.index(named.index_name)
            assert dropped is not None
            drop_index(self._connection, dropped.key_id)
            definition.global_indexes = [index for index in definition.global_indexes if index["IndexName"] != named.index_name]
        elif update.update is not None:
            units = check_throughput(definition.billing_mode, update.update.provisioned_throughput)
            index = definition.global_indexes[names.index(named.index_name)]
            index["ReadCapacityUnits"], index["WriteCapacityUnits"] = units

    def _entries(self, table: Table, index: Index) -> Iterator[tuple[int, bytes, bytes, bytes, int]]:
        rows = self._connection.execute("SELECT id, hash, pk, sk, item FROM ddb_item WHERE table_id = ?", (table.id,))
        for row_id, key_hash, partition, sort, text in rows:
            entry = entry_of(table, index, decode_item(text))
            if entry is not None:
                yield (*entry, Key(key_hash, partition, sort).as_bytes(), row_id)

    def _index_counts(self, table: Table) -> dict[str, int]:
        return {index.name: count_entries(self._connection, index) for index in table.indexes}

    def _named(self, request: Request, name: str | None) -> Table:
        if name is None or not name.startswith("arn:"):
            check_name(name)
        assert name is not None
        return self._tables.named(request, name)

    def tag_resource(self, request: Request, parameters: Tagged) -> dict[str, Any]:
        """Answer TagResource. Raises ResourceNotFoundException, ValidationException."""
        table = self._tagged(request, parameters)
        required(parameters.tags, "tags")
        definition = self._tables.editable(table)
        definition.tags |= {tag.key: tag.value for tag in parameters.tags or ()}
        if len(definition.tags) > TAGS_MAX:
            raise invalid_parameters(f"Too many tags: more than {TAGS_MAX}")
        self._tables.save(table, definition)
        return {}

    def untag_resource(self, request: Request, parameters: Tagged) -> dict[str, Any]:
        """Answer UntagResource. Raises ResourceNotFoundException, ValidationException."""
        table = self._tagged(request, parameters)
        required(parameters.tag_keys, "tagKeys")
        gone = set(parameters.tag_keys or ())
        definition = self._tables.editable(table)
        definition.tags = {key: value for key, value in definition.tags.items() if key not in gone}
        self._tables.save(table, definition)
        return {}

    def list_tags(self, request: Request, parameters: Tagged) -> dict[str, Any]:
        """Answer ListTagsOfResource. Raises ResourceNotFoundException, ValidationException."""
        table = self._tagged(request, parameters)
        return {"Tags": [{"Key": key, "Value": value} for key, value in table.definition.tags.items()]}

    def _tagged(self, request: Request, parameters: Tagged) -> Table:
        required(parameters.resource_arn, "resourceArn")
        assert parameters.resource_arn is not None
        if ":table/" not in parameters.resource_arn:
            raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {parameters.resource_arn}")
        table = self._tables.find(request, parameters.resource_arn)
        if table is None:
            raise table_missing(parameters.resource_arn)
        return table

    def describe_limits(self, _request: Request, _parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeLimits with AWS's default quotas; none is enforced."""
        return {
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        }

    def describe_endpoints(self, _request: Request, _parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeEndpoints with this machine: a client that discovers endpoints must not be sent to Amazon."""
        return {"Endpoints": [{"Address": "127.0.0.1", "CachePeriodInMinutes": 1440}]}

    def describe_backups(self, request: Request, parameters: TableNamed) -> dict[str, Any]:
        """Answer DescribeContinuousBackups: there are none here. Raises ResourceNotFoundException as TableNotFoundException."""
        name = check_name(parameters.table_name)
        if self._tables.find(request, name) is None:
            raise AwsError("TableNotFoundException", f"Table not found: {name}")
        described = {"PointInTimeRecoveryStatus": "DISABLED"}
        return {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "DISABLED", "PointInTimeRecoveryDescription": described}}
