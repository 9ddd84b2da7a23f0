"""Primary keys out of items and requests, checked as the service checks them."""

from __future__ import annotations

from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters
from nearshift.localaws.dynamodb_rows import Key, key_of
from nearshift.localaws.dynamodb_tables import Table
from nearshift.localaws.expressions_evaluate import ordered_bytes
from nearshift.localaws.items import PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX, AttributeValue, Item, normalise_value

_MISMATCH = "The provided key element does not match the schema"


def key_of_item(table: Table, item: Item) -> Key:
    """Return the primary key of a normalised item that is to be stored; the keys of the table's indexes are checked too.

    Raises ValidationException for a key that is missing, of the wrong type, empty or too long.
    """
    for name in table.key_names:
        value = item.get(name)
        if value is None:
            raise invalid_parameters(f"Missing the key {name} in the item")
        if table.types[name] not in value:
            actual = next(iter(value))
            raise invalid_parameters(f"Type mismatch for key {name} expected: {table.types[name]} actual: {actual}")
    for index in table.indexes:
        for attribute in (index.partition, index.sort):
            value = item.get(attribute) if attribute is not None else None
            if attribute is not None and value is not None:
                _check_index_key(attribute, value, table.types[attribute], index.name)
    return _key(table, item)


def key_of_request(table: Table, given: Item) -> Key:
    """Return the primary key that a request names; its values are brought to normal form in place. Raises ValidationException."""
    for value in given.values():
        normalise_value(value)
    return key_of_names(table, given)


def key_of_names(table: Table, given: Item) -> Key:
    """Return the primary key of normalised values that are exactly the table's key. Raises ValidationException."""
    names = table.key_names
    if len(given) != len(names):
        raise invalid(_MISMATCH)
    for name in names:
        value = given.get(name)
        if value is None or table.types[name] not in value:
            raise invalid(_MISMATCH)
    return _key(table, given)


def _key(table: Table, item: Item) -> Key:
    partition = ordered_bytes(item[table.partition])
    if not 0 < len(partition) <= PARTITION_KEY_BYTES_MAX:
        raise _bad_size(table, table.partition, partition, "Size of hashkey has exceeded the maximum size limit of2048 bytes")
    if table.sort is None:
        return key_of(partition, b"")
    sort = ordered_bytes(item[table.sort])
    if not 0 < len(sort) <= SORT_KEY_BYTES_MAX:
        message = "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
        raise _bad_size(table, table.sort, sort, message)
    return key_of(partition, sort)


def _bad_size(table: Table, name: str, found: bytes, too_long: str) -> Exception:
    if found:
        return invalid_parameters(too_long)
    kind = "string" if table.types[name] == "S" else "binary"
    detail = f"The AttributeValue for a key attribute cannot contain an empty {kind} value. Key: {name}"
    return invalid(f"One or more parameter values are not valid. {detail}")


def _check_index_key(attribute: str, value: AttributeValue, expected: str, index: str) -> None:
    ((tag, content),) = value.items()
    if tag != expected:
        raise invalid_parameters(f"Type mismatch for Index Key {attribute} Expected: {expected} Actual: {tag} IndexName: {index}")
    if content == "":
        kind = "string" if tag == "S" else "binary"
        reason = "A value specified for a secondary index key is not supported."
        detail = f"The AttributeValue for a key attribute cannot contain an empty {kind} value. IndexName: {index}, IndexKey: {attribute}"
        raise invalid(f"One or more parameter values are not valid. {reason} {detail}")


def key_values(table: Table, item: Item) -> Item:
    """Return the attributes of the primary key alone."""
    return {name: item[name] for name in table.key_names}
