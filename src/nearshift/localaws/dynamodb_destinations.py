"""Kinesis streaming destinations of tables, and TTL settings ("EnableKinesisStreamingDestination", "UpdateTimeToLive", API Reference)."""

from __future__ import annotations

from typing import Any, Protocol

from nearshift.localaws.clock import Clock
from nearshift.localaws.dynamodb_errors import invalid, resource_in_use
from nearshift.localaws.dynamodb_requests import Parameters, one_of, required
from nearshift.localaws.dynamodb_schema import check_name
from nearshift.localaws.dynamodb_tables import Destination, Table, Tables
from nearshift.localaws.errors import AwsError
from nearshift.localaws.service import Request
from nearshift.localaws.store import Store
from nearshift.localaws.ttl import renew_expiry

_PRECISIONS = ("MILLISECOND", "MICROSECOND")
_NOT_ACTIVE = "Table is not in a valid state to {} Kinesis Streaming Destination: the destination is not ACTIVE for stream {}"


class Precision(Parameters):
    """EnableKinesisStreamingConfiguration and UpdateKinesisStreamingConfiguration."""

    approximate_creation_date_time_precision: str | None = None


class DestinationParameters(Parameters):
    """The four operations on destinations."""

    table_name: str | None = None
    stream_arn: str | None = None
    enable_kinesis_streaming_configuration: Precision | None = None
    update_kinesis_streaming_configuration: Precision | None = None


class TtlSpecification(Parameters):
    """TimeToLiveSpecification."""

    enabled: bool
    attribute_name: str


class TtlParameters(Parameters):
    """UpdateTimeToLive and DescribeTimeToLive."""

    table_name: str | None = None
    time_to_live_specification: TtlSpecification | None = None


class StreamCatalog(Protocol):
    """What destinations need of Kinesis."""

    def find_stream(self, arn: str) -> Any:
        """Return the stream of an ARN or raise AwsError."""
        ...


class Destinations:
    """The operations that say where a table's changes go and when its items expire."""

    def __init__(self, store: Store, tables: Tables, streams: StreamCatalog, clock: Clock) -> None:
        self._connection = store.connection
        self._tables = tables
        self._streams = streams
        self._clock = clock

    def enable(self, request: Request, parameters: DestinationParameters) -> dict[str, Any]:
        """Answer EnableKinesisStreamingDestination: changes are captured from now on.

        Raises ValidationException, ResourceNotFoundException for the table or the stream, LimitExceededException for a second stream.
        """
        table, arn = self._named(request, parameters)
        precision = _precision(parameters.enable_kinesis_streaming_configuration, "enableKinesisStreamingConfiguration")
        owner = arn.split(":")
        if len(owner) < 6 or (owner[4], owner[3]) != (table.account, table.region):
            raise invalid("The Kinesis stream must be in the same account and region as the table")
        self._streams.find_stream(arn)
        for destination in table.destinations:
            if destination.stream_arn == arn:
                detail = f"Table {table.name} already streams to {arn}"
                raise resource_in_use(f"Table is not in a valid state to enable Kinesis Streaming Destination: {detail}")
            message = "Cannot have more than one active Kinesis Streaming Destination per table"
            raise AwsError("LimitExceededException", message)
        chosen = precision or "MILLISECOND"
        definition = self._tables.editable(table)
        others = [destination for destination in definition.destinations if destination.stream_arn != arn]
        definition.destinations = [*others, Destination(arn, "ACTIVE", chosen, self._clock.now_us())]
        self._tables.save(table, definition)
        answer = {"TableName": table.name, "StreamArn": arn, "DestinationStatus": "ENABLING"}
        return answer | {"EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": chosen}}

    def disable(self, request: Request, parameters: DestinationParameters) -> dict[str, Any]:
        """Answer DisableKinesisStreamingDestination. Raises ValidationException, ResourceNotFoundException."""
        table, arn = self._named(request, parameters)
        destination = _active(table, arn, "disable")
        self._change(table, destination, status="DISABLED", precision=destination.precision)
        answer = {"TableName": table.name, "StreamArn": arn, "DestinationStatus": "DISABLING"}
        return answer | {"EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": destination.precision}}

    def update(self, request: Request, parameters: DestinationParameters) -> dict[str, Any]:
        """Answer UpdateKinesisStreamingDestination: the precision of records from now on. Raises as `disable` does."""
        table, arn = self._named(request, parameters)
        precision = _precision(parameters.update_kinesis_streaming_configuration, "updateKinesisStreamingConfiguration")
        required(precision, "updateKinesisStreamingConfiguration.approximateCreationDateTimePrecision")
        assert precision is not None
        destination = _active(table, arn, "update")
        if destination.precision == precision:
            raise invalid(f"Invalid Request: Precision is already set to the desired value of {precision}")
        self._change(table, destination, status="ACTIVE", precision=precision)
        answer = {"TableName": table.name, "StreamArn": arn, "DestinationStatus": "UPDATING"}
        return answer | {"UpdateKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": precision}}

    def describe(self, request: Request, parameters: DestinationParameters) -> dict[str, Any]:
        """Answer DescribeKinesisStreamingDestination. Raises ResourceNotFoundException."""
        table = self._tables.named(request, _table_name(parameters.table_name))
        found = []
        for destination in table.definition.destinations:
            described: dict[str, Any] = {
                "StreamArn": destination.stream_arn,
                "DestinationStatus": destination.status,
                "ApproximateCreationDateTimePrecision": destination.precision,
            }
            if table.dropped_count and destination.status == "ACTIVE":
                dropped = f"{table.dropped_count} records could not be written and were dropped"
                described["DestinationStatusDescription"] = f"{dropped}: too large for the stream, or the stream is gone"
            found.append(described)
        return {"TableName": table.name, "KinesisDataStreamDestinations": found}

    def _named(self, request: Request, parameters: DestinationParameters) -> tuple[Table, str]:
        name = _table_name(parameters.table_name)
        required(parameters.stream_arn, "streamArn")
        assert parameters.stream_arn is not None
        return self._tables.named(request, name), parameters.stream_arn

    def _change(self, table: Table, destination: Destination, *, status: str, precision: str) -> None:
        changed = Destination(destination.stream_arn, status, precision, self._clock.now_us())
        definition = self._tables.editable(table)
        definition.destinations = [changed if other.stream_arn == destination.stream_arn else other for other in definition.destinations]
        self._tables.save(table, definition)

    def update_ttl(self, request: Request, parameters: TtlParameters) -> dict[str, Any]:
        """Answer UpdateTimeToLive; in force at once. Raises ValidationException, ResourceNotFoundException."""
        table = self._tables.named(request, _table_name(parameters.table_name))
        required(parameters.time_to_live_specification, "timeToLiveSpecification")
        wanted = parameters.time_to_live_specification
        assert wanted is not None
        if not 1 <= len(wanted.attribute_name) <= 255:
            raise invalid("TimeToLiveSpecification.AttributeName must be between 1 and 255 characters long")
        current = table.definition.ttl_attribute
        if wanted.enabled and current == wanted.attribute_name:
            raise invalid("TimeToLive is already enabled")
        if not wanted.enabled and current is None:
            raise invalid("TimeToLive is already disabled")
        if current is not None and current != wanted.attribute_name:
            raise invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {current}")
        definition = self._tables.editable(table)
        definition.ttl_attribute = wanted.attribute_name if wanted.enabled else None
        renewed = self._tables.save(table, definition)
        renew_expiry(self._connection, renewed, renewed.definition.ttl_attribute)
        return {"TimeToLiveSpecification": {"Enabled": wanted.enabled, "AttributeName": wanted.attribute_name}}

    def describe_ttl(self, request: Request, parameters: TtlParameters) -> dict[str, Any]:
        """Answer DescribeTimeToLive. Raises ResourceNotFoundException."""
        table = self._tables.named(request, _table_name(parameters.table_name))
        attribute = table.definition.ttl_attribute
        if attribute is None:
            return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}


def _table_name(name: str | None) -> str:
    return name if name is not None and name.startswith("arn:") else check_name(name)


def _precision(configuration: Precision | None, member: str) -> str | None:
    precision = configuration.approximate_creation_date_time_precision if configuration is not None else None
    one_of(precision, f"{member}.approximateCreationDateTimePrecision", _PRECISIONS)
    return precision


def _active(table: Table, arn: str, verb: str) -> Destination:
    for destination in table.destinations:
        if destination.stream_arn == arn:
            return destination
    if not any(destination.stream_arn == arn for destination in table.definition.destinations):
        message = f"Requested resource not found: Table: {table.name} has no Kinesis Streaming Destination for stream {arn}"
        raise AwsError("ResourceNotFoundException", message)
    raise invalid(_NOT_ACTIVE.format(verb, arn))
