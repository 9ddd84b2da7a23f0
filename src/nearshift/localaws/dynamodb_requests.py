"""The requests of DynamoDB's API as typed values ("Actions", DynamoDB API Reference, 2012-08-10).

msgspec checks the JSON types while it decodes; members that AWS adds later are ignored. Legacy parameters are members only so
that they can be refused by name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nearshift.localaws.dynamodb_errors import invalid

Values = dict[str, dict[str, Any]]
Names = dict[str, str]


class Parameters(msgspec.Struct, rename="pascal"):
    """What every request is."""


class ItemParameters(Parameters):
    """What the operations on items share."""

    table_name: str = ""
    expression_attribute_names: Names | None = None
    expression_attribute_values: Values | None = None
    return_consumed_capacity: str | None = None
    return_item_collection_metrics: str | None = None


class WriteParameters(ItemParameters):
    """What PutItem, UpdateItem and DeleteItem share."""

    condition_expression: str | None = None
    return_values: str | None = None
    return_values_on_condition_check_failure: str | None = None
    expected: Any = None
    conditional_operator: Any = None


class PutItem(WriteParameters):
    """PutItem, and Put of a transaction."""

    item: Values | None = None


class UpdateItem(WriteParameters):
    """UpdateItem, and Update of a transaction."""

    key: Values | None = None
    update_expression: str | None = None
    attribute_updates: Any = None


class DeleteItem(WriteParameters):
    """DeleteItem, and Delete of a transaction."""

    key: Values | None = None


class ConditionCheck(WriteParameters):
    """ConditionCheck of a transaction."""

    key: Values | None = None


class GetItem(ItemParameters):
    """GetItem, and Get of a transaction."""

    key: Values | None = None
    consistent_read: bool | None = None
    projection_expression: str | None = None
    attributes_to_get: Any = None


class PageParameters(ItemParameters):
    """What Query and Scan share."""

    index_name: str | None = None
    limit: int | None = None
    select: str | None = None
    consistent_read: bool | None = None
    exclusive_start_key: Values | None = None
    filter_expression: str | None = None
    projection_expression: str | None = None
    attributes_to_get: Any = None
    conditional_operator: Any = None


class Query(PageParameters):
    """Query."""

    key_condition_expression: str | None = None
    scan_index_forward: bool | None = None
    key_conditions: Any = None
    query_filter: Any = None


class Scan(PageParameters):
    """Scan."""

    segment: int | None = None
    total_segments: int | None = None
    scan_filter: Any = None


class PutRequest(Parameters):
    """One item of BatchWriteItem to be put."""

    item: Values


class DeleteRequest(Parameters):
    """One item of BatchWriteItem to be deleted."""

    key: Values


class WriteRequest(Parameters):
    """One request of BatchWriteItem: exactly one member is set."""

    put_request: PutRequest | None = None
    delete_request: DeleteRequest | None = None


class BatchWriteItem(Parameters):
    """BatchWriteItem."""

    request_items: dict[str, list[WriteRequest]] | None = None
    return_consumed_capacity: str | None = None
    return_item_collection_metrics: str | None = None


class KeysAndAttributes(Parameters, omit_defaults=True):
    """What BatchGetItem wants of one table."""

    keys: list[Values] | None = None
    consistent_read: bool | None = None
    projection_expression: str | None = None
    expression_attribute_names: Names | None = None
    attributes_to_get: Any = None


class BatchGetItem(Parameters):
    """BatchGetItem."""

    request_items: dict[str, KeysAndAttributes] | None = None
    return_consumed_capacity: str | None = None


class TransactWriteItem(Parameters):
    """One step of TransactWriteItems: exactly one member is set."""

    put: PutItem | None = None
    update: UpdateItem | None = None
    delete: DeleteItem | None = None
    condition_check: ConditionCheck | None = None


class TransactWriteItems(Parameters):
    """TransactWriteItems."""

    transact_items: list[TransactWriteItem] | None = None
    client_request_token: str | None = None
    return_consumed_capacity: str | None = None
    return_item_collection_metrics: str | None = None


class TransactGetItem(Parameters):
    """One step of TransactGetItems."""

    get: GetItem | None = None


class TransactGetItems(Parameters):
    """TransactGetItems."""

    transact_items: list[TransactGetItem] | None = None
    return_consumed_capacity: str | None = None


ITEM_REQUESTS: dict[str, type[Parameters]] = {
    "PutItem": PutItem,
    "UpdateItem": UpdateItem,
    "DeleteItem": DeleteItem,
    "GetItem": GetItem,
    "Query": Query,
    "Scan": Scan,
    "BatchWriteItem": BatchWriteItem,
    "BatchGetItem": BatchGetItem,
    "TransactWriteItems": TransactWriteItems,
    "TransactGetItems": TransactGetItems,
}

_INSTEAD = {
    "expected": "ConditionExpression",
    "conditional_operator": "ConditionExpression or FilterExpression",
    "attribute_updates": "UpdateExpression",
    "attributes_to_get": "ProjectionExpression",
    "key_conditions": "KeyConditionExpression",
    "query_filter": "FilterExpression",
    "scan_filter": "FilterExpression",
}


def refuse_legacy(parameters: Parameters) -> None:
    """Refuse the parameters that AWS calls legacy ("Legacy conditional parameters"). Raises ValidationException naming the new one."""
    for member, instead in _INSTEAD.items():
        if getattr(parameters, member, None) is not None:
            name = "".join(word.capitalize() for word in member.split("_"))
            raise invalid(f"The legacy parameter {name} is not supported by this local DynamoDB; use {instead}")


def required(value: Any, member: str) -> None:
    """Raise the ValidationException for a missing member; `member` is spelt as in the API: `tableName`."""
    if value is None or value == "":
        raise invalid(f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null")


def one_of(value: str | None, member: str, allowed: tuple[str, ...]) -> None:
    """Raise the ValidationException for a member whose value its enumeration does not have."""
    if value is not None and value not in allowed:
        constraint = f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        raise invalid(f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}")


def within(value: int | None, member: str, low: int, high: int | None = None) -> None:
    """Raise the ValidationException for a number out of its range."""
    if value is None:
        return
    if value < low:
        constraint = f"Member must have value greater than or equal to {low}"
    elif high is not None and value > high:
        constraint = f"Member must have value less than or equal to {high}"
    else:
        return
    raise invalid(f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}")


def check_write(parameters: WriteParameters, return_values: tuple[str, ...]) -> None:
    """Check the enumerations and legacy parameters that the three writes of one item share. Raises ValidationException."""
    refuse_legacy(parameters)
    check_capacity(parameters.return_consumed_capacity)
    one_of(parameters.return_item_collection_metrics, "returnItemCollectionMetrics", ("SIZE", "NONE"))
    one_of(parameters.return_values, "returnValues", ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"))
    if parameters.return_values is not None and parameters.return_values not in return_values:
        raise invalid("ReturnValues can only be ALL_OLD or NONE")
    one_of(parameters.return_values_on_condition_check_failure, "returnValuesOnConditionCheckFailure", ("ALL_OLD", "NONE"))


def check_capacity(value: str | None) -> None:
    """Check ReturnConsumedCapacity. Raises ValidationException."""
    one_of(value, "returnConsumedCapacity", ("INDEXES", "TOTAL", "NONE"))
