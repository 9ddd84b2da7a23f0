"""What CreateTable is asked for → a table's definition, refused in the service's words ("CreateTable", DynamoDB API Reference)."""

from __future__ import annotations

import re
import uuid
from typing import Any

import msgspec

from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters
from nearshift.localaws.dynamodb_requests import Parameters, one_of, required
from nearshift.localaws.dynamodb_tables import Definition

NAME_PATTERN = "[a-zA-Z0-9_.-]+"
GLOBAL_INDEXES_MAX = 20
LOCAL_INDEXES_MAX = 5
_NAME = re.compile(rf"{NAME_PATTERN}\Z")


class KeyElement(Parameters):
    """KeySchemaElement."""

    attribute_name: str
    key_type: str


class AttributeDefinition(Parameters):
    """AttributeDefinition."""

    attribute_name: str
    attribute_type: str


class Throughput(Parameters):
    """ProvisionedThroughput."""

    read_capacity_units: int = 0
    write_capacity_units: int = 0


class Projection(Parameters):
    """Projection of an index."""

    projection_type: str | None = None
    non_key_attributes: list[str] | None = None


class SecondaryIndex(Parameters):
    """GlobalSecondaryIndex and LocalSecondaryIndex."""

    index_name: str
    key_schema: list[KeyElement]
    projection: Projection
    provisioned_throughput: Throughput | None = None


class Tag(Parameters):
    """Tag."""

    key: str
    value: str


class CreateTable(Parameters):
    """CreateTable."""

    table_name: str | None = None
    attribute_definitions: list[AttributeDefinition] | None = None
    key_schema: list[KeyElement] | None = None
    billing_mode: str | None = None
    provisioned_throughput: Throughput | None = None
    global_secondary_indexes: list[SecondaryIndex] | None = None
    local_secondary_indexes: list[SecondaryIndex] | None = None
    stream_specification: dict[str, Any] | None = None
    table_class: str | None = None
    deletion_protection_enabled: bool | None = None
    sse_specification: dict[str, Any] | None = msgspec.field(default=None, name="SSESpecification")
    tags: list[Tag] | None = None


def check_name(name: str | None, member: str = "tableName") -> str:
    """Return a name of a table or index that follows AWS's rules. Raises ValidationException."""
    required(name, member)
    assert name is not None
    if not 3 <= len(name) <= 255:
        shown = "TableName" if member == "tableName" else member
        raise invalid(f"{shown} must be at least 3 characters long and at most 255 characters long")
    if not _NAME.match(name):
        constraint = f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
        raise invalid(f"1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: {constraint}")
    return name


def plan_table(wanted: CreateTable, now_us: int) -> Definition:
    """Return the definition of the table that a request asks for. Raises ValidationException."""
    check_name(wanted.table_name)
    required(wanted.attribute_definitions, "attributeDefinitions")
    required(wanted.key_schema, "keySchema")
    assert wanted.attribute_definitions is not None
    assert wanted.key_schema is not None
    one_of(wanted.billing_mode, "billingMode", ("PROVISIONED", "PAY_PER_REQUEST"))
    one_of(wanted.table_class, "tableClass", ("STANDARD", "STANDARD_INFREQUENT_ACCESS"))
    attributes: dict[str, str] = {}
    for position, attribute in enumerate(wanted.attribute_definitions, 1):
        one_of(attribute.attribute_type, f"attributeDefinitions.{position}.member.attributeType", ("B", "N", "S"))
        attributes[attribute.attribute_name] = attribute.attribute_type
    check_key_schema(wanted.key_schema, attributes)
    read_units, write_units = check_throughput(wanted.billing_mode, wanted.provisioned_throughput)
    definition = Definition(
        table_id=str(uuid.uuid4()), created_us=now_us, key_schema=_described(wanted.key_schema), attributes=attributes,
        billing_mode=wanted.billing_mode or "PROVISIONED", read_units=read_units, write_units=write_units,
        table_class=wanted.table_class, is_protected=bool(wanted.deletion_protection_enabled),
        tags={tag.key: tag.value for tag in wanted.tags or []},
    )  # fmt: skip
    if wanted.stream_specification is not None and wanted.stream_specification.get("StreamEnabled"):
        message = "DynamoDB Streams is not supported by this local DynamoDB; enable a Kinesis streaming destination on the table"
        raise invalid_parameters(message)
    if wanted.sse_specification is not None:
        definition.sse = {"Status": "ENABLED", "SSEType": "KMS"} if wanted.sse_specification.get("Enabled") else None
    _plan_indexes(wanted, definition)
    if key_attributes(definition) != attributes.keys():
        detail = "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"
        raise invalid_parameters(detail)
    return definition


def key_attributes(definition: Definition) -> set[str]:
    """Return the names of all attributes that are keys of a table or of its indexes."""
    used = {element["AttributeName"] for element in definition.key_schema}
    for index in (*definition.global_indexes, *definition.local_indexes):
        used |= {element["AttributeName"] for element in index["KeySchema"]}
    return used


def _described(schema: list[KeyElement]) -> list[dict[str, str]]:
    return [{"AttributeName": element.attribute_name, "KeyType": element.key_type} for element in schema]


def check_key_schema(schema: list[KeyElement], attributes: dict[str, str]) -> None:
    """Refuse a key schema that is not a HASH key and at most a RANGE key of defined attributes. Raises ValidationException."""
    if not 1 <= len(schema) <= 2:
        side = "greater than or equal to 1" if not schema else "less than or equal to 2"
        constraint = f"Member must have length {side}"
        raise invalid(f"1 validation error detected: Value '{len(schema)}' at 'keySchema' failed to satisfy constraint: {constraint}")
    for position, element in enumerate(schema, 1):
        one_of(element.key_type, f"keySchema.{position}.member.keyType", ("HASH", "RANGE"))
    names = [element.attribute_name for element in schema]
    if any(name not in attributes for name in names):
        detail = f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(attributes)}]"
        raise invalid_parameters(f"Some index key attributes are not defined in AttributeDefinitions. {detail}")
    if len(set(names)) != len(names):
        raise invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if schema[0].key_type != "HASH":
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(schema) == 2 and schema[1].key_type != "RANGE":
        raise invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")


def check_throughput(billing_mode: str | None, throughput: Throughput | None) -> tuple[int, int]:
    """Return read and write units, zero for PAY_PER_REQUEST. Raises ValidationException."""
    if billing_mode == "PAY_PER_REQUEST":
        if throughput is not None and (throughput.read_capacity_units or throughput.write_capacity_units):
            detail = "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            raise invalid_parameters(detail)
        return 0, 0
    if throughput is None:
        raise invalid_parameters("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
    units = (("readCapacityUnits", throughput.read_capacity_units), ("writeCapacityUnits", throughput.write_capacity_units))
    for member, value in units:
        if value < 1:
            constraint = "Member must have value greater than or equal to 1"
            path = f"provisionedThroughput.{member}"
            raise invalid(f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}")
    return throughput.read_capacity_units, throughput.write_capacity_units


def _plan_indexes(wanted: CreateTable, definition: Definition) -> None:
    numbers = iter(range(1, 100))
    seen: set[str] = set()
    for member, group, found, most in (
        ("GlobalSecondaryIndexes", wanted.global_secondary_indexes, definition.global_indexes, GLOBAL_INDEXES_MAX),
        ("LocalSecondaryIndexes", wanted.local_secondary_indexes, definition.local_indexes, LOCAL_INDEXES_MAX),
    ):
        if group is None:
            continue
        if not group:
            raise invalid_parameters(f"List of {member} is empty")
        for index in group:
            if index.index_name in seen:
                raise invalid_parameters(f"Duplicate index name: {index.index_name}")
            seen.add(index.index_name)
            found.append(plan_index(index, definition, next(numbers), is_local=found is definition.local_indexes))
        if len(found) > most:
            if found is definition.local_indexes:
                raise invalid_parameters(f"Number of LocalSecondaryIndexes exceeds per-table limit of {most}")
            raise invalid_parameters(f"GlobalSecondaryIndex count exceeds the per-table limit of {most}")


def plan_index(index: SecondaryIndex, definition: Definition, number: int, *, is_local: bool) -> dict[str, Any]:
    """Return the stored form of one index: AWS's shape and the index's number in its table. Raises ValidationException."""
    check_name(index.index_name, "indexName")
    check_key_schema(index.key_schema, definition.attributes)
    if is_local:
        _check_local(index, definition)
    projection = index.projection
    if projection.projection_type is None:
        raise invalid_parameters("Unknown ProjectionType: null")
    one_of(projection.projection_type, "projection.projectionType", ("ALL", "INCLUDE", "KEYS_ONLY"))
    described: dict[str, Any] = {"ProjectionType": projection.projection_type}
    if projection.non_key_attributes is not None:
        if projection.projection_type != "INCLUDE":
            raise invalid_parameters(f"ProjectionType is {projection.projection_type}, but NonKeyAttributes is specified")
        described["NonKeyAttributes"] = projection.non_key_attributes
    elif projection.projection_type == "INCLUDE":
        raise invalid_parameters("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    stored: dict[str, Any] = {
        "IndexName": index.index_name, "Number": number, "KeySchema": _described(index.key_schema), "Projection": described,
    }  # fmt: skip
    if not is_local:
        if definition.billing_mode == "PAY_PER_REQUEST":
            if index.provisioned_throughput is not None and index.provisioned_throughput.read_capacity_units:
                detail = f"for index: {index.index_name} when BillingMode is PAY_PER_REQUEST"
                raise invalid_parameters(f"ProvisionedThroughput should not be specified {detail}")
            units = (0, 0)
        else:
            units = check_throughput("PROVISIONED", index.provisioned_throughput)
        stored["ReadCapacityUnits"], stored["WriteCapacityUnits"] = units
    return stored


def _check_local(index: SecondaryIndex, definition: Definition) -> None:
    if len(definition.key_schema) != 2:
        detail = "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        raise invalid_parameters(detail)
    if len(index.key_schema) != 2:
        raise invalid_parameters(f"Index KeySchema does not have a range key for index: {index.index_name}")
    table_hash, index_hash = definition.key_schema[0]["AttributeName"], index.key_schema[0].attribute_name
    if table_hash != index_hash:
        detail = f"{index.index_name}. index hash key: {index_hash}, table hash key: {table_hash}"
        raise invalid_parameters(f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {detail}")
