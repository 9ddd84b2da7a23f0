"""The DynamoDB service: its operations put together, and what time makes due.

The parts: `dynamodb_control`, `dynamodb_items`, `query`, `transactions` and `dynamodb_destinations` answer requests; `dynamodb_writes`
changes one item; `capture` makes the change record in the same transaction; `dynamodb_rows` and `query_pages` hold all SQL on items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from nearshift.localaws.capture import SERVICE_IDENTITY, Capture, Streams
from nearshift.localaws.clock import Clock
from nearshift.localaws.dynamodb_control import Control, ListTables, TableNamed, Tagged, UpdateTable
from nearshift.localaws.dynamodb_destinations import DestinationParameters, Destinations, StreamCatalog, TtlParameters
from nearshift.localaws.dynamodb_errors import unreadable
from nearshift.localaws.dynamodb_items import Items
from nearshift.localaws.dynamodb_requests import ITEM_REQUESTS, Parameters
from nearshift.localaws.dynamodb_rows import SCHEMA
from nearshift.localaws.dynamodb_schema import CreateTable
from nearshift.localaws.dynamodb_tables import Tables
from nearshift.localaws.dynamodb_writes import Change, Writes
from nearshift.localaws.errors import AwsError
from nearshift.localaws.items import decode_item
from nearshift.localaws.items_keys import key_values
from nearshift.localaws.query import Queries
from nearshift.localaws.service import Decoder, Operation, Request
from nearshift.localaws.store import Store
from nearshift.localaws.transactions import Transactions
from nearshift.localaws.ttl import SWEEP_ITEMS_MAX, due_items

_UNSUPPORTED = (
    "BatchExecuteStatement", "CancelBulkOperation", "CreateBackup", "CreateGlobalTable", "DeleteBackup", "DeleteResourcePolicy",
    "DescribeBackup", "DescribeBulkOperation", "DescribeContributorInsights", "DescribeExport", "DescribeGlobalTable",
    "DescribeGlobalTableSettings", "DescribeImport", "DescribeTableReplicaAutoScaling", "ExecuteStatement", "ExecuteTransaction",
    "ExportTableToPointInTime", "GetResourcePolicy", "ImportTable", "ListBackups", "ListBulkOperations", "ListContributorInsights",
    "ListExports", "ListGlobalTables", "ListImports", "PutResourcePolicy", "RestoreTableFromBackup", "RestoreTableToPointInTime",
    "SearchVectors", "StartBulkPutItems", "UpdateContinuousBackups", "UpdateContributorInsights", "UpdateGlobalTable",
    "UpdateGlobalTableSettings", "UpdateTableReplicaAutoScaling",
)  # fmt: skip


class KinesisSide(Streams, StreamCatalog, Protocol):
    """What DynamoDB needs of Kinesis."""


class DynamoDb:
    """Amazon DynamoDB. A `Service`; the server's loop owns it."""

    target = "DynamoDB_20120810"
    json_version = "1.0"
    error_namespace = "com.amazonaws.dynamodb.v20120810#"
    has_crc32 = True
    reads = frozenset(
        {
            "BatchGetItem", "DescribeContinuousBackups", "DescribeEndpoints", "DescribeKinesisStreamingDestination", "DescribeLimits",
            "DescribeTable", "DescribeTimeToLive", "GetItem", "ListTables", "ListTagsOfResource", "Query", "Scan", "TransactGetItems",
            *_UNSUPPORTED,
        }
    )  # fmt: skip

    def __init__(self, store: Store, clock: Clock, kinesis: KinesisSide) -> None:
        self._store = store
        self._clock = clock
        store.define(*SCHEMA)
        self.tables = Tables(store)
        self._writes = Writes(store, self.tables, Capture(kinesis, clock))
        control = Control(store, self.tables, clock)
        items = Items(store, self.tables, self._writes)
        queries = Queries(store, self.tables)
        destinations = Destinations(store, self.tables, kinesis, clock)
        self._transactions = Transactions(store, self.tables, self._writes, clock)
        typed: dict[str, tuple[type[Parameters], Operation]] = {
            "CreateTable": (CreateTable, control.create_table),
            "DescribeTable": (TableNamed, control.describe_table),
            "DeleteTable": (TableNamed, control.delete_table),
            "ListTables": (ListTables, control.list_tables),
            "UpdateTable": (UpdateTable, control.update_table),
            "TagResource": (Tagged, control.tag_resource),
            "UntagResource": (Tagged, control.untag_resource),
            "ListTagsOfResource": (Tagged, control.list_tags),
            "DescribeLimits": (Parameters, control.describe_limits),
            "DescribeEndpoints": (Parameters, control.describe_endpoints),
            "DescribeContinuousBackups": (TableNamed, control.describe_backups),
            "EnableKinesisStreamingDestination": (DestinationParameters, destinations.enable),
            "DisableKinesisStreamingDestination": (DestinationParameters, destinations.disable),
            "UpdateKinesisStreamingDestination": (DestinationParameters, destinations.update),
            "DescribeKinesisStreamingDestination": (DestinationParameters, destinations.describe),
            "UpdateTimeToLive": (TtlParameters, destinations.update_ttl),
            "DescribeTimeToLive": (TtlParameters, destinations.describe_ttl),
        }
        on_items: dict[str, Operation] = {
            "PutItem": items.put_item,
            "GetItem": items.get_item,
            "UpdateItem": items.update_item,
            "DeleteItem": items.delete_item,
            "BatchWriteItem": items.batch_write_item,
            "BatchGetItem": items.batch_get_item,
            "Query": queries.query,
            "Scan": queries.scan,
            "TransactWriteItems": self._transactions.write,
            "TransactGetItems": self._transactions.get,
        }
        typed |= {name: (ITEM_REQUESTS[name], operation) for name, operation in on_items.items()}
        self.operations: dict[str, Operation] = {name: operation for name, (_, operation) in typed.items()}
        self.operations |= dict.fromkeys(_UNSUPPORTED, _refuse)
        self.decoders: Mapping[str, Decoder] = {name: _decoder(kind) for name, (kind, _) in typed.items()}

    def maintain(self) -> None:
        """Delete expired items, some of each table, and forget old tokens; inside a transaction."""
        now_seconds = int(self._clock.now())
        for table in self.tables.all():
            if table.definition.ttl_attribute is None:
                continue
            for key, row in due_items(self._store.connection, table, now_seconds, SWEEP_ITEMS_MAX):
                keys = key_values(table, decode_item(row.text))
                self._writes.apply(Change(table, key, keys, row, None, b"", 0), SERVICE_IDENTITY)
            self._writes.finish((table,))
        self._transactions.forget_tokens()


def _decoder(kind: type[Parameters]) -> Decoder:
    decode = msgspec.json.Decoder(kind).decode

    def decode_bounded(body: bytes) -> Parameters:
        try:
            return decode(body)
        except RecursionError as error:
            raise unreadable("The request is nested too deeply to be read") from error

    return decode_bounded


def _refuse(request: Request, _parameters: Any) -> dict[str, Any]:
    message = f"The operation {request.operation} is not supported by this local DynamoDB; see docs/local-aws.md"
    raise AwsError("UnknownOperationException", message)
