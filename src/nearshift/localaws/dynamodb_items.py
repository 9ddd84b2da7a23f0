"""PutItem, GetItem, UpdateItem, DeleteItem and the two batches ("Actions", DynamoDB API Reference)."""

from __future__ import annotations

from typing import Any

import msgspec

from nearshift.localaws.dynamodb_capacity import consumed_raw, read_units, write_units
from nearshift.localaws.dynamodb_errors import invalid
from nearshift.localaws.dynamodb_requests import (
    BatchGetItem,
    BatchWriteItem,
    DeleteItem,
    GetItem,
    KeysAndAttributes,
    Names,
    PutItem,
    UpdateItem,
    WriteParameters,
    WriteRequest,
    check_capacity,
    check_write,
    refuse_legacy,
    required,
)
from nearshift.localaws.dynamodb_rows import Key, find_row
from nearshift.localaws.dynamodb_tables import Table, Tables
from nearshift.localaws.dynamodb_writes import Change, Writes
from nearshift.localaws.expressions_bind import Bindings
from nearshift.localaws.expressions_project import Selection, project, selection_of
from nearshift.localaws.items import decode_item, encode_item, normalise_item
from nearshift.localaws.items_keys import key_of_request
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store

BATCH_WRITE_MAX = 25
BATCH_GET_MAX = 100
BATCH_GET_BYTES_MAX = 16 * 1024 * 1024
_ALL_RETURNS = ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")


def selection(expression: str | None, names: Names | None) -> Selection | None:
    """Return what a ProjectionExpression selects, None for everything. Raises ValidationException."""
    if expression is None:
        if names is not None:
            raise invalid("ExpressionAttributeNames can only be specified when using expressions")
        return None
    bindings = Bindings(names, None)
    paths = bindings.projection(expression)
    bindings.finish()
    return selection_of(paths)


def shaped(text: bytes, wanted: Selection | None) -> msgspec.Raw:
    """Return an item as a member of an answer: its text as stored, or the part that is wanted of it."""
    return msgspec.Raw(text if wanted is None else encode_item(project(wanted, decode_item(text))))


class Items:
    """The operations on single items and on batches of them."""

    def __init__(self, store: Store, tables: Tables, writes: Writes) -> None:
        self._connection = store.connection
        self._tables = tables
        self._writes = writes

    def put_item(self, request: Request, parameters: PutItem) -> dict[str, Any]:
        """Answer PutItem. Raises ValidationException, ResourceNotFoundException, ConditionalCheckFailedException."""
        check_write(parameters, ("ALL_OLD", "NONE"))
        table = self._tables.holding(request, parameters.table_name)
        return self._written(parameters, self._writes.put(table, parameters))

    def delete_item(self, request: Request, parameters: DeleteItem) -> dict[str, Any]:
        """Answer DeleteItem; deleting what is not there is no error. Raises as PutItem does."""
        check_write(parameters, ("ALL_OLD", "NONE"))
        table = self._tables.holding(request, parameters.table_name)
        return self._written(parameters, self._writes.delete(table, parameters))

    def update_item(self, request: Request, parameters: UpdateItem) -> dict[str, Any]:
        """Answer UpdateItem. Raises as PutItem does."""
        check_write(parameters, _ALL_RETURNS)
        table = self._tables.holding(request, parameters.table_name)
        return self._written(parameters, self._writes.update(table, parameters))

    def get_item(self, request: Request, parameters: GetItem) -> dict[str, Any]:
        """Answer GetItem. Raises ValidationException, ResourceNotFoundException."""
        refuse_legacy(parameters)
        check_capacity(parameters.return_consumed_capacity)
        required(parameters.key, "key")
        assert parameters.key is not None
        wanted = selection(parameters.projection_expression, parameters.expression_attribute_names)
        table = self._tables.holding(request, parameters.table_name)
        row = find_row(self._connection, table, key_of_request(table, parameters.key))
        answer: dict[str, Any] = {}
        if row is not None:
            answer["Item"] = shaped(row.text, wanted)
        units = read_units(row.size if row else 0, is_consistent=bool(parameters.consistent_read))
        return _with_capacity(answer, parameters.return_consumed_capacity, table, units)

    def batch_write_item(self, request: Request, parameters: BatchWriteItem) -> dict[str, Any]:
        """Answer BatchWriteItem; nothing is left unprocessed here. Raises ValidationException, ResourceNotFoundException."""
        check_capacity(parameters.return_consumed_capacity)
        groups = _batch_groups(parameters)
        tables = [self._tables.holding(request, name) for name in groups]
        changes: list[Change] = []
        seen: set[tuple[int, Key]] = set()
        units: dict[str, float] = {}
        for table, requests in zip(tables, groups.values(), strict=True):
            for write in requests:
                change = self._batch_change(table, write)
                if (table.id, change.key) in seen:
                    raise invalid("Provided list of item keys contains duplicates")
                seen.add((table.id, change.key))
                changes.append(change)
                units[table.name] = units.get(table.name, 0) + write_units(change.largest)
        for change in changes:
            self._writes.apply(change)
        self._writes.finish(tables)
        answer: dict[str, Any] = {"UnprocessedItems": {}}
        if parameters.return_consumed_capacity in ("TOTAL", "INDEXES"):
            wanted = parameters.return_consumed_capacity
            answer["ConsumedCapacity"] = [consumed_raw(wanted, table, units[table.name]) for table in tables]
        return answer

    def _batch_change(self, table: Table, write: WriteRequest) -> Change:
        put, delete = write.put_request, write.delete_request
        if (put is None) == (delete is None):
            message = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
            raise invalid(message)
        if put is not None:
            return self._writes.put_item(table, put.item, normalise_item(put.item))
        assert delete is not None
        return self._writes.delete_key(table, delete.key)

    def batch_get_item(self, request: Request, parameters: BatchGetItem) -> dict[str, Any]:
        """Answer BatchGetItem; keys beyond 16 MB are given back unprocessed. Raises ValidationException, ResourceNotFoundException."""
        check_capacity(parameters.return_consumed_capacity)
        required(parameters.request_items, "requestItems")
        assert parameters.request_items is not None
        if sum(len(group.keys or ()) for group in parameters.request_items.values()) > BATCH_GET_MAX:
            raise invalid("Too many items requested for the BatchGetItem call")
        responses: dict[str, list[msgspec.Raw]] = {}
        unprocessed: dict[str, Any] = {}
        capacities: list[msgspec.Raw | None] = []
        bytes_left = BATCH_GET_BYTES_MAX
        for name, group in parameters.request_items.items():
            table = self._tables.holding(request, name)
            found, left, units, bytes_left = self._get_group(table, group, bytes_left)
            responses[name] = found
            if left is not None:
                unprocessed[name] = left
            capacities.append(consumed_raw(parameters.return_consumed_capacity, table, units))
        answer: dict[str, Any] = {"Responses": responses, "UnprocessedKeys": unprocessed}
        if parameters.return_consumed_capacity in ("TOTAL", "INDEXES"):
            answer["ConsumedCapacity"] = capacities
        return answer

    def _get_group(
        self, table: Table, group: KeysAndAttributes, bytes_left: int
    ) -> tuple[list[msgspec.Raw], KeysAndAttributes | None, float, int]:
        """Read the keys of one table while bytes are left; the rest is given back as a request."""
        refuse_legacy(group)
        required(group.keys or None, "requestItems.keys")
        assert group.keys is not None
        wanted = selection(group.projection_expression, group.expression_attribute_names)
        keys = [key_of_request(table, given) for given in group.keys]
        if len(set(keys)) != len(keys):
            raise invalid("Provided list of item keys contains duplicates")
        found: list[msgspec.Raw] = []
        units = 0.0
        for position, key in enumerate(keys):
            row = find_row(self._connection, table, key)
            if row is not None and row.size > bytes_left:
                left = KeysAndAttributes(
                    group.keys[position:], group.consistent_read, group.projection_expression, group.expression_attribute_names
                )
                return found, left, units, 0
            units += read_units(row.size if row else 0, is_consistent=bool(group.consistent_read))
            if row is not None:
                bytes_left -= row.size
                found.append(shaped(row.text, wanted))
        return found, None, units, bytes_left

    def _written(self, parameters: WriteParameters, change: Change) -> dict[str, Any]:
        self._writes.apply(change)
        self._writes.finish((change.table,))
        answer: dict[str, Any] = {}
        attributes = _returned(parameters.return_values, change)
        if attributes is not None:
            answer["Attributes"] = msgspec.Raw(attributes)
        return _with_capacity(answer, parameters.return_consumed_capacity, change.table, write_units(change.largest))


def _returned(wanted: str | None, change: Change) -> bytes | None:
    """Return the attributes that ReturnValues asks for; None for no member at all."""
    if wanted is None or wanted == "NONE":
        return None
    if wanted == "ALL_OLD":
        return change.old.text if change.old is not None else None
    if wanted == "ALL_NEW":
        return change.text
    text = change.text if wanted == "UPDATED_NEW" else change.old.text if change.old is not None else b""
    found = project(selection_of(change.paths), decode_item(text)) if text and change.paths else {}
    return encode_item(found) if found else None


def _with_capacity(answer: dict[str, Any], wanted: str | None, table: Table, units: float) -> dict[str, Any]:
    capacity = consumed_raw(wanted, table, units)
    if capacity is not None:
        answer["ConsumedCapacity"] = capacity
    return answer


def _batch_groups(parameters: BatchWriteItem) -> dict[str, list[WriteRequest]]:
    required(parameters.request_items or None, "requestItems")
    assert parameters.request_items is not None
    count = sum(len(requests) for requests in parameters.request_items.values())
    if count > BATCH_WRITE_MAX:
        raise invalid("Too many items requested for the BatchWriteItem call")
    if count == 0 or not all(parameters.request_items.values()):
        message = "Member must have length less than or equal to 25, Member must have length greater than or equal to 1"
        path = f"'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [{message}]"
        raise invalid(f"1 validation error detected: Value '{{}}' at {path}")
    return parameters.request_items
