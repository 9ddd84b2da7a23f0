"""Query and Scan ("Query", "Scan", DynamoDB API Reference)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nearshift.localaws.dynamodb_capacity import consumed, read_units
from nearshift.localaws.dynamodb_errors import invalid, invalid_parameters
from nearshift.localaws.dynamodb_requests import PageParameters, Query, Scan, check_capacity, one_of, refuse_legacy, within
from nearshift.localaws.dynamodb_rows import entry_of
from nearshift.localaws.dynamodb_tables import Index, Table, Tables
from nearshift.localaws.errors import AwsError
from nearshift.localaws.expressions_bind import Bindings
from nearshift.localaws.expressions_evaluate import is_true
from nearshift.localaws.expressions_project import project, selection_of
from nearshift.localaws.expressions_tree import Condition, Path, paths_of
from nearshift.localaws.items import Item, encode_item, normalise_value
from nearshift.localaws.items_keys import key_of_request
from nearshift.localaws.query_keys import KeyRange, plan_range
from nearshift.localaws.query_pages import Page, Rows, Start, query_rows, read_page, scan_rows
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store

SEGMENTS_MAX = 1_000_000
_SELECTS = ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
_BAD_START = "The provided starting key is invalid"


@dataclass(frozen=True, slots=True)
class _Reading:
    """What Query and Scan have in common once a request is understood."""

    table: Table
    index: Index | None
    key_condition: Condition | None
    filter: Condition | None
    projection: tuple[Path, ...] | None


class Queries:
    """The two operations that read many items."""

    def __init__(self, store: Store, tables: Tables) -> None:
        self._connection = store.connection
        self._tables = tables

    def query(self, request: Request, parameters: Query) -> bytes:
        """Answer Query. Raises ValidationException, ResourceNotFoundException."""
        if parameters.key_condition_expression is None and parameters.key_conditions is None:
            raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
        reading = self._understand(request, parameters, parameters.key_condition_expression)
        table, index = reading.table, reading.index
        assert reading.key_condition is not None
        keys = (index.partition, index.sort) if index is not None else (table.partition, table.sort)
        wanted = plan_range(reading.key_condition, keys[0], keys[1], table.types)
        for path in paths_of(reading.filter) if reading.filter is not None else ():
            if path.parts[0] in keys:
                detail = f"Primary key attribute: {path.parts[0]}"
                raise invalid(f"Filter Expression can only contain non-primary key attributes: {detail}")
        start = _start(table, index, parameters.exclusive_start_key)
        if start is not None:
            _check_start(index, wanted, start)
        is_forward = parameters.scan_index_forward is not False
        rows = query_rows(self._connection, table, index, wanted, start, parameters.limit or -1, is_forward=is_forward)
        return _answer(parameters, reading, _page(parameters, reading, rows))

    def scan(self, request: Request, parameters: Scan) -> bytes:
        """Answer Scan. Raises ValidationException, ResourceNotFoundException."""
        segment = _segment(parameters)
        reading = self._understand(request, parameters, None)
        start = _start(reading.table, reading.index, parameters.exclusive_start_key)
        rows = scan_rows(self._connection, reading.table, reading.index, segment, start, parameters.limit or -1)
        return _answer(parameters, reading, _page(parameters, reading, rows))

    def _understand(self, request: Request, parameters: PageParameters, key_condition: str | None) -> _Reading:
        refuse_legacy(parameters)
        check_capacity(parameters.return_consumed_capacity)
        one_of(parameters.select, "select", _SELECTS)
        within(parameters.limit, "limit", 1)
        condition, filtered, projection = _expressions(parameters, key_condition)
        table = self._tables.holding(request, parameters.table_name)
        index = None
        if parameters.index_name is not None:
            index = table.index(parameters.index_name)
            if index is None:
                raise invalid(f"The table does not have the specified index: {parameters.index_name}")
        _check_select(parameters, index, has_projection=projection is not None)
        return _Reading(table, index, condition, filtered, projection)


def _expressions(
    parameters: PageParameters, key_condition: str | None
) -> tuple[Condition | None, Condition | None, tuple[Path, ...] | None]:
    names, values = parameters.expression_attribute_names, parameters.expression_attribute_values
    filter_text, projection_text = parameters.filter_expression, parameters.projection_expression
    if key_condition is None and filter_text is None:
        if values is not None:
            message = "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null"
            raise invalid(message)
        if names is not None and projection_text is None:
            raise invalid("ExpressionAttributeNames can only be specified when using expressions")
    bindings = Bindings(names, values)
    condition = bindings.condition(key_condition, "KeyConditionExpression") if key_condition is not None else None
    filtered = bindings.condition(filter_text, "FilterExpression") if filter_text is not None else None
    projection = bindings.projection(projection_text) if projection_text is not None else None
    bindings.finish()
    return condition, filtered, projection


def _check_select(parameters: PageParameters, index: Index | None, *, has_projection: bool) -> None:
    select = parameters.select
    if index is None and select == "ALL_PROJECTED_ATTRIBUTES":
        raise invalid_parameters("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if has_projection and select is not None and select != "SPECIFIC_ATTRIBUTES":
        if select == "COUNT":
            raise invalid("Cannot specify the ProjectionExpression when choosing to get only the Count")
        raise invalid(f"Cannot specify the ProjectionExpression when choosing to get {select}")
    if select == "SPECIFIC_ATTRIBUTES" and not has_projection:
        raise invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
    if index is not None and not index.is_local:
        if parameters.consistent_read:
            raise invalid("Consistent reads are not supported on global secondary indexes")
        if select == "ALL_ATTRIBUTES" and index.projected is not None:
            detail = f"global secondary index {index.name} because its projection type is not ALL"
            raise invalid_parameters(f"Select type ALL_ATTRIBUTES is not supported for {detail}")


def _segment(parameters: Scan) -> tuple[int, int]:
    number, total = parameters.segment, parameters.total_segments
    within(number, "segment", 0, SEGMENTS_MAX - 1)
    within(total, "totalSegments", 1, SEGMENTS_MAX)
    if total is None and number is not None:
        message = "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"
        raise invalid(message)
    if total is None:
        return 0, 1
    if number is None:
        message = "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"
        raise invalid(message)
    if number >= total:
        detail = f"Segment: {number} is not less than TotalSegments: {total}"
        raise invalid(f"The Segment parameter is zero-based and must be less than parameter TotalSegments: {detail}")
    return number, total


def _start(table: Table, index: Index | None, given: Item | None) -> Start | None:
    """Return the position that an ExclusiveStartKey means; for an index it has the keys of index and table."""
    if not given:
        return None
    names = set(table.key_names)
    extra = set() if index is None else {name for name in (index.partition, index.sort) if name is not None} - names
    if given.keys() != names | extra:
        raise invalid(_BAD_START)
    try:
        for name in extra:
            normalise_value(given[name])
        key = key_of_request(table, {name: given[name] for name in names})
    except AwsError as error:
        if error.code == "ValidationException":
            raise invalid(f"{_BAD_START}: {error.message}") from error
        raise
    if index is None:
        return Start(key)
    entry = entry_of(table, index, given)
    if entry is None:
        raise invalid(_BAD_START)
    return Start(key, entry[1], entry[2])


def _check_start(index: Index | None, wanted: KeyRange, start: Start) -> None:
    partition = start.key.pk if index is None else start.index_partition
    sort = start.key.sk if index is None else start.index_sort
    if partition != wanted.partition:
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    if not wanted.holds(sort):
        raise invalid("The provided starting key does not match the range key predicate")


def _page(parameters: PageParameters, reading: _Reading, rows: Rows) -> Page:
    is_wanted = partial(is_true, reading.filter) if reading.filter is not None else None
    shape: Callable[[Item], Item] | None = None
    if reading.projection is not None:
        shape = partial(project, selection_of(reading.projection))
    elif reading.index is not None and reading.index.projected is not None and parameters.select != "ALL_ATTRIBUTES":
        shape = partial(_projected, reading.index.projected)
    return read_page(rows, parameters.limit, is_wanted, shape)


def _projected(names: frozenset[str], item: Item) -> Item:
    return {name: value for name, value in item.items() if name in names}


def _answer(parameters: PageParameters, reading: _Reading, page: Page) -> bytes:
    table, index = reading.table, reading.index
    parts = [b'{"Count":%d,"ScannedCount":%d' % (len(page.texts), page.scanned_count)]
    if parameters.select != "COUNT":
        parts.append(b',"Items":[' + b",".join(page.texts) + b"]")
    if page.last is not None:
        names = set(table.key_names) | ({index.partition} | ({index.sort} if index.sort else set()) if index is not None else set())
        parts.append(b',"LastEvaluatedKey":' + encode_item({name: page.last[name] for name in names}))
    capacity = consumed(parameters.return_consumed_capacity, table, read_units(page.size, is_consistent=bool(parameters.consistent_read)))
    if capacity is not None:
        parts.append(b',"ConsumedCapacity":' + capacity)
    parts.append(b"}")
    return b"".join(parts)
