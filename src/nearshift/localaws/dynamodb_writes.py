"""One write of one item in two steps: prepare decides, apply writes the row, the index entries and the change record.

The two steps are apart so that a transaction can judge all its items before it touches any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from nearshift.localaws.capture import NO_IDENTITY, Capture
from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters
from nearshift.localaws.dynamodb_requests import ConditionCheck, DeleteItem, PutItem, UpdateItem, WriteParameters, required
from nearshift.localaws.dynamodb_rows import Key, Row, delete_row, find_row, move_entries, write_row
from nearshift.localaws.dynamodb_tables import Table, Tables
from nearshift.localaws.errors import AwsError
from nearshift.localaws.expressions_bind import Bindings
from nearshift.localaws.expressions_evaluate import is_true
from nearshift.localaws.expressions_tree import Condition, Path, Update
from nearshift.localaws.expressions_update import apply_updates
from nearshift.localaws.items import ITEM_BYTES_MAX, Item, decode_item, encode_item, normalise_item
from nearshift.localaws.items_keys import key_of_item, key_of_request, key_values
from nearshift.localaws.store import Store
from nearshift.localaws.ttl import expiry_of

_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_TOO_LARGE_UPDATE = "Item size to update has exceeded the maximum allowed size"


@dataclass(slots=True)
class Change:
    """What a write would do. `new` is None when it leaves no item; then `text` is empty and `size` 0."""

    table: Table
    key: Key
    keys: Item
    old: Row | None
    new: Item | None
    text: bytes
    size: int
    # The paths that an update names, for UPDATED_OLD and UPDATED_NEW.
    paths: tuple[Path, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Tell whether the item stays as it is."""
        return (self.old.text if self.old is not None else b"") == self.text

    @property
    def largest(self) -> int:
        """The larger of the old and the new size, which is what a write is charged for."""
        return max(self.size, self.old.size if self.old is not None else 0)


def condition_failed(parameters: WriteParameters, old: Row | None) -> AwsError:
    """Return ConditionalCheckFailedException, with the item if the request asked for it."""
    members: dict[str, Any] = {}
    if parameters.return_values_on_condition_check_failure == "ALL_OLD" and old is not None:
        members["Item"] = msgspec.Raw(old.text)
    return AwsError("ConditionalCheckFailedException", "The conditional request failed", members=members)


class Writes:
    """Prepares and applies writes. All methods run in the caller's transaction."""

    def __init__(self, store: Store, tables: Tables, capture: Capture) -> None:
        self._connection = store.connection
        self._tables = tables
        self._capture = capture
        store.on_rollback.append(capture.forget)

    def put(self, table: Table, parameters: PutItem) -> Change:
        """Prepare a put. Raises ValidationException, ConditionalCheckFailedException."""
        required(parameters.item, "item")
        assert parameters.item is not None
        size = normalise_item(parameters.item)
        condition, _ = _expressions(parameters)
        change = self.put_item(table, parameters.item, size)
        _check(parameters, condition, change.old)
        return change

    def put_item(self, table: Table, item: Item, size: int) -> Change:
        """Prepare an unconditional put of a normalised item of that size. Raises ValidationException."""
        if size > ITEM_BYTES_MAX:
            raise invalid(_TOO_LARGE)
        key = key_of_item(table, item)
        return Change(table, key, key_values(table, item), find_row(self._connection, table, key), item, encode_item(item), size)

    def delete(self, table: Table, parameters: DeleteItem) -> Change:
        """Prepare a delete. Raises ValidationException, ConditionalCheckFailedException."""
        required(parameters.key, "key")
        assert parameters.key is not None
        condition, _ = _expressions(parameters)
        change = self.delete_key(table, parameters.key)
        _check(parameters, condition, change.old)
        return change

    def delete_key(self, table: Table, keys: Item) -> Change:
        """Prepare an unconditional delete. Raises ValidationException."""
        key = key_of_request(table, keys)
        return Change(table, key, keys, find_row(self._connection, table, key), None, b"", 0)

    def check(self, table: Table, parameters: ConditionCheck) -> Change:
        """Prepare what changes nothing and only has a condition. Raises ValidationException, ConditionalCheckFailedException."""
        required(parameters.key, "key")
        required(parameters.condition_expression, "conditionExpression")
        assert parameters.key is not None
        condition, _ = _expressions(parameters)
        key = key_of_request(table, parameters.key)
        old = find_row(self._connection, table, key)
        _check(parameters, condition, old)
        item = decode_item(old.text) if old is not None else None
        return Change(table, key, parameters.key, old, item, old.text if old else b"", old.size if old else 0)

    def update(self, table: Table, parameters: UpdateItem) -> Change:
        """Prepare an update, which makes the item if there is none. Raises ValidationException, ConditionalCheckFailedException."""
        required(parameters.key, "key")
        assert parameters.key is not None
        condition, steps = _expressions(parameters)
        key = key_of_request(table, parameters.key)
        _check_updated_names(table, steps)
        old = find_row(self._connection, table, key)
        _check(parameters, condition, old)
        item = decode_item(old.text) if old is not None else dict(parameters.key)
        apply_updates(steps, item)
        size = normalise_item(item)
        if size > ITEM_BYTES_MAX:
            raise invalid(_TOO_LARGE_UPDATE)
        if table.indexes:
            key_of_item(table, item)
        return Change(table, key, parameters.key, old, item, encode_item(item), size, tuple(step.path for step in steps))

    def finish(self, tables: Iterable[Table]) -> None:
        """End an operation that applied changes to these tables: hand over its change records and store the tables' counts."""
        for table in tables:
            self._capture.flush(table)
            self._tables.flush(table)

    def apply(self, change: Change, identity: bytes = NO_IDENTITY) -> None:
        """Write a prepared change and make its record; a change that changes nothing does neither. `finish` must follow."""
        if change.is_nothing:
            return
        table, old = change.table, change.old
        old_item = decode_item(old.text) if old is not None and table.indexes else None
        if change.new is None:
            assert old is not None
            row_id = old.id
            delete_row(self._connection, table, old)
        else:
            expires = expiry_of(table.definition.ttl_attribute, change.new)
            row_id = write_row(self._connection, table, change.key, old, change.text, change.size, expires)
        if table.indexes:
            move_entries(self._connection, table, change.key, row_id, old_item, change.new)
        if table.destinations:
            before = (old.text, old.size) if old is not None else None
            after = (change.text, change.size) if change.new is not None else None
            self._capture.record(table, change.key, change.keys, before, after, identity)


def _expressions(parameters: WriteParameters) -> tuple[Condition | None, tuple[Update, ...]]:
    """Bind the expressions of a write and refuse placeholders that nobody uses."""
    text = parameters.condition_expression
    update = parameters.update_expression if isinstance(parameters, UpdateItem) else None
    names, values = parameters.expression_attribute_names, parameters.expression_attribute_values
    if text is None and update is None:
        if names is not None:
            raise invalid("ExpressionAttributeNames can only be specified when using expressions")
        if values is not None:
            which = "UpdateExpression and ConditionExpression are" if isinstance(parameters, UpdateItem) else "ConditionExpression is"
            raise invalid(f"ExpressionAttributeValues can only be specified when using expressions: {which} null")
        return None, ()
    bindings = Bindings(names, values)
    steps = bindings.updates(update) if update is not None else ()
    condition = bindings.condition(text) if text is not None else None
    bindings.finish()
    return condition, steps


def _check(parameters: WriteParameters, condition: Condition | None, old: Row | None) -> None:
    if condition is not None and not is_true(condition, decode_item(old.text) if old is not None else {}):
        raise condition_failed(parameters, old)


def _check_updated_names(table: Table, steps: tuple[Update, ...]) -> None:
    names = table.key_names
    for step in steps:
        if step.path.parts[0] in names:
            raise invalid_parameters(f"Cannot update attribute {step.path.parts[0]}. This attribute is part of the key")
