"""A Kafka topic as a source: a partition is a shard, an offset its sequence number. `confluent_kafka` is the extra `nearshift[kafka]`.

Theory of operation. No consumer group: positions are ours, and partitions are assigned, never subscribed to. Before a reader takes up an
offset it asks for the partition's oldest and next offset; between the two nothing is missing, below the oldest records were trimmed, above
the next the topic was made anew. `auto.offset.reset=error` tells of the same when it happens between the question and the read.
`isolation.level=read_committed` leaves out what aborted transactions wrote; the offsets of their records and markers are passed over by
the offset that an end-of-partition event names. Waiting and reconnecting within a call are librdkafka's.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from nearshift import limits
from nearshift.clock import Clock, SystemClock
from nearshift.errors import Cancelled, ConfigurationError, StreamError
from nearshift.streams.reader import Description
from nearshift.streams.record import KAFKA_SCHEMA, OLDEST, Batch, Overlap, Position, SequenceNumber, Shard, ShardId, after

if TYPE_CHECKING:
    import confluent_kafka

log = logging.getLogger("nearshift.kafka")

_TIMESTAMP_TYPES: Final = ("U", "C", "L")  # librdkafka's numbers: not available, create time, log append time
_TLS_PORT: Final = "9094"  # of MSK for brokers that ask for no proof ("Port information", Amazon MSK)
_SLICE_SECONDS: Final = 0.2  # a closed source ends a wait within this
_ASK_SECONDS: Final = 2.0
_HINT: Final = "Look whether the brokers of the external schema's URI can be reached."
_FETCH_KIB: Final = limits.GET_RECORDS_BYTES_MAX // limits.KIB


@dataclass(frozen=True, slots=True)
class Brokers:
    """Where a cluster is reached: `host:port` each."""

    addresses: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """Return librdkafka's settings of a reader."""
        is_tls = all(address.rpartition(":")[2] == _TLS_PORT for address in self.addresses)
        return {
            "bootstrap.servers": ",".join(self.addresses), "security.protocol": "ssl" if is_tls else "plaintext",
            "group.id": "nearshift", "enable.auto.commit": False, "enable.auto.offset.store": False, "auto.offset.reset": "error",
            "isolation.level": "read_committed", "enable.partition.eof": True, "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": 2 * _FETCH_KIB, "fetch.message.max.bytes": limits.MIB, "client.id": "nearshift",
            "topic.metadata.refresh.interval.ms": 30_000, "reconnect.backoff.max.ms": 1_000, "fetch.error.backoff.ms": 100, "logger": log,
        }  # fmt: skip


def _library() -> Any:
    """Return confluent_kafka. Raises ConfigurationError when it is not installed."""
    try:
        import confluent_kafka
    except ImportError as error:
        message = "Kafka topics are read with confluent-kafka, which is not installed"
        raise ConfigurationError(message, hint="Install it: pip install 'nearshift[kafka]'") from error
    return confluent_kafka


class KafkaSource:
    """One topic. Implements `reader.Source`."""

    def __init__(self, topic: str, brokers: Brokers, *, clock: Clock | None = None) -> None:
        """Connect to nothing yet. Raises ConfigurationError when the library is not installed."""
        self._library = _library()
        self._topic = topic
        self._brokers = brokers
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._client: confluent_kafka.Consumer | None = None
        self.is_closed = False

    @property
    def name(self) -> str:
        """The topic's name."""
        return self._topic

    def describe(self) -> Description:
        """Return the cluster and topic. A topic made anew under its name is told by its offsets, which begin again at 0.

        Retention is given as none at all: offsets say exactly what is missing, so nothing need be concluded from times.
        """
        return Description(f"{self._metadata().cluster_id}/{self._topic}", timedelta(0))

    def shards(self) -> list[Shard]:
        """Return the partitions."""
        return [Shard(ShardId(str(number))) for number in sorted(self._metadata().topics[self._topic].partitions)]

    def open(self, shard: ShardId, position: Position) -> KafkaReader:
        """Return a reader of one partition, with a connection of its own once it is used."""
        return KafkaReader(self, int(shard), position, self._clock)

    def close(self) -> None:
        """End reading."""
        self.is_closed = True
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def connect(self) -> confluent_kafka.Consumer:
        """Return a new client of the cluster. Raises Cancelled when the source is closed."""
        self.check()
        return self._library.Consumer(self._brokers.settings())  # type: ignore[no-any-return]

    def failure(self, error: Any, partition: int | None = None) -> StreamError:
        """Return librdkafka's error as ours."""
        place = f'topic "{self._topic}"' if partition is None else f'topic "{self._topic}", partition {partition}'
        codes = self._library.KafkaError
        detail = str(error.str())
        match error.code():
            case codes.UNKNOWN_TOPIC_OR_PART | codes._UNKNOWN_TOPIC | codes._UNKNOWN_PARTITION:
                return StreamError(f"{place} does not exist", sqlstate="42704", hint="Create it, or correct its name.", detail=detail)
            case codes.TOPIC_AUTHORIZATION_FAILED | codes.CLUSTER_AUTHORIZATION_FAILED | codes.GROUP_AUTHORIZATION_FAILED:
                return StreamError(f"{place} may not be read", sqlstate="42501", detail=detail)
            case _:
                return StreamError(f"{place} could not be read", detail=detail, hint=_HINT)

    def is_reset(self, error: Any) -> bool:
        """Tell whether an error says that the offset asked for is not in the partition."""
        return bool(error.code() == self._library.KafkaError._AUTO_OFFSET_RESET)

    def is_refusal(self, error: Any) -> bool:
        """Tell whether an error will not go away by waiting."""
        codes = self._library.KafkaError
        return bool(error.fatal() or error.code() in {codes.TOPIC_AUTHORIZATION_FAILED, codes.GROUP_AUTHORIZATION_FAILED})

    def is_end_event(self, error: Any) -> bool:
        """Tell whether an error is the event of having read a partition up to now."""
        return bool(error.code() == self._library.KafkaError._PARTITION_EOF)

    def call(self, act: Any, *arguments: Any, partition: int | None = None, **named: Any) -> Any:
        """Do one call of librdkafka's. Raises StreamError."""
        try:
            return act(*arguments, **named)
        except self._library.KafkaException as error:
            raise self.failure(error.args[0], partition) from error

    def ask(self, act: Any, *arguments: Any, partition: int | None = None) -> Any:
        """Ask the brokers until they answer, within bounds. Raises StreamError, and Cancelled when the source is closed."""
        deadline = self._clock.monotonic() + limits.STREAM_ANSWER_SECONDS_MAX
        while True:
            try:
                answer = act(*arguments, timeout=min(_ASK_SECONDS, limits.STREAM_ANSWER_SECONDS_MAX))
            except self._library.KafkaException as error:
                answer, failure = None, error
                if not error.args[0].retriable() and error.args[0].code() not in self._transient():
                    raise self.failure(error.args[0], partition) from error
            else:
                failure = None
            if answer is not None:
                return answer
            self.check()
            if self._clock.monotonic() > deadline:
                if failure is not None:
                    raise self.failure(failure.args[0], partition) from failure
                raise StreamError(f'topic "{self._topic}" did not answer in time', hint=_HINT)

    def _transient(self) -> set[int]:
        codes = self._library.KafkaError
        return {codes._TRANSPORT, codes._TIMED_OUT, codes._ALL_BROKERS_DOWN, codes._RESOLVE, codes._WAIT_COORD}

    def check(self) -> None:
        """Raise Cancelled when the source is closed."""
        if self.is_closed:
            raise Cancelled(f'reading topic "{self._topic}" was stopped')

    def place(self, partition: int, offset: int | None = None) -> Any:
        """Return a partition of the topic, at an offset if one is given."""
        found = self._library.TopicPartition
        return found(self._topic, partition) if offset is None else found(self._topic, partition, offset)

    def _metadata(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self.connect()
            found = self.ask(self._client.list_topics, self._topic)
        error = found.topics[self._topic].error
        if error is not None:
            raise self.failure(error)
        return found


class KafkaReader:
    """Reads one partition forwards. Implements `reader.ShardReader`."""

    def __init__(self, source: KafkaSource, partition: int, position: Position, clock: Clock) -> None:
        self._source = source
        self._partition = partition
        self._position = position
        self._clock = clock
        self._client: confluent_kafka.Consumer | None = None
        self._offset: int | None = None  # of the next fetch; None while nothing is assigned
        self._is_closed = False

    def read(self, *, limit_records: int) -> Batch:
        """Return what the partition has next, up to what it had when asked."""
        self._check()
        asked_at = self._clock.now()
        if self._position.is_end:
            return self._batch([], 0, asked_at)
        if self._client is None:
            self._client = self._source.connect()
        place = self._source.place(self._partition)
        oldest, following = self._source.ask(self._client.get_watermark_offsets, place, partition=self._partition)
        is_placed = self._offset is not None and oldest <= self._offset <= following
        overlap = None if is_placed else self._take_up(oldest, following)
        if overlap is not None and overlap.found is None:
            return self._batch([], 0, asked_at, overlap)
        messages = self._fetch(following, min(limit_records, limits.GET_RECORDS_COUNT_MAX))
        if messages is None:  # trimmed after the question: the next read finds out what is left
            self._offset = None
            return self._batch([], 1, asked_at)
        assert self._offset is not None, "a partition is assigned at an offset"
        return self._batch(messages, max(0, following - self._offset), asked_at, overlap)

    def _take_up(self, oldest: int, following: int) -> Overlap | None:
        """Begin at the position, or at the oldest record when what follows the position is gone; return what that proves."""
        expected = self._position.sequence_number
        start = oldest if expected is None else int(expected) + 1
        if expected is None:
            self._assign(oldest if self._position.instant is None else self._offset_at(self._position.instant, following))
            # Offsets count from 0: what a partition has first tells what is gone before it.
            return None if self._position.instant is not None else Overlap(SequenceNumber("0"), SequenceNumber(str(oldest)))
        if start > following:
            self._position, self._offset = OLDEST, None
            return Overlap(expected, None)
        self._assign(max(start, oldest))
        return Overlap(expected, expected if start >= oldest else SequenceNumber(str(oldest)))

    def _offset_at(self, instant: datetime, following: int) -> int:
        """Return the offset of the first record that arrived at an instant or later; the next one if there is none."""
        assert self._client is not None, "reading has a connection"
        asked = [self._source.place(self._partition, int(instant.timestamp() * 1000))]
        (found,) = self._source.ask(self._client.offsets_for_times, asked, partition=self._partition)
        if found.error is not None:
            raise self._source.failure(found.error, self._partition)
        return following if found.offset < 0 else int(found.offset)

    def _assign(self, offset: int) -> None:
        assert self._client is not None, "reading has a connection"
        self._source.call(self._client.assign, [self._source.place(self._partition, offset)], partition=self._partition)
        self._offset = offset

    def _fetch(self, following: int, limit: int) -> list[Any] | None:
        """Return the messages before offset `following`, within the bounds of one answer; None when the offset is gone.

        An answer that does not come in time is an empty list: the caller asks again. librdkafka goes on by itself after the errors that it
        tells, a refusal excepted; they are raised when nothing came in time.
        """
        failure: Any = None
        assert self._client is not None, "reading has a connection"
        found: list[Any] = []
        size = 0
        deadline = self._clock.monotonic() + limits.STREAM_ANSWER_SECONDS_MAX
        while self._offset is not None and self._offset < following and len(found) < limit and size < limits.GET_RECORDS_BYTES_MAX:
            count = min(limit - len(found), following - self._offset, 500)
            taken = self._source.call(self._client.consume, count, partition=self._partition, timeout=_SLICE_SECONDS)
            self._check()
            for message in taken:
                error = message.error()
                if error is None:
                    found.append(message)
                    size += len(message)
                    self._offset = message.offset() + 1
                elif self._source.is_end_event(error):
                    self._offset = max(self._offset, message.offset())
                elif self._source.is_reset(error):
                    return found or None
                elif self._source.is_refusal(error):
                    self._offset = None
                    raise self._source.failure(error, self._partition)
                else:
                    failure = error
            if not taken and found:
                break
            if not found and self._clock.monotonic() > deadline:
                if failure is None:
                    break
                self._offset = None
                raise self._source.failure(failure, self._partition)
        return found

    def _batch(self, messages: Sequence[Any], behind: int, asked_at: datetime, overlap: Overlap | None = None) -> Batch:
        """Return an answer; `behind` is how many offsets follow it, and becomes the age of its last record."""
        if self._offset:
            self._position = after(str(self._offset - 1))
        millis = 0
        if behind:
            last = messages[-1].timestamp()[1] if messages else 0
            millis = max(1, int(asked_at.timestamp() * 1000) - last) if last > 0 else 1
        records = _to_arrow(self._partition, messages)
        size = sum(len(message.value() or b"") for message in messages)
        return Batch(records, self._position, millis, asked_at, size, overlap=overlap)

    def _check(self) -> None:
        if self._is_closed or self._source.is_closed:
            raise Cancelled(f'reading topic "{self._source.name}" was stopped')

    def close(self) -> None:
        """Hang up."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _to_arrow(partition: int, messages: Sequence[Any]) -> pa.RecordBatch:
    shard = str(partition)
    times = [message.timestamp() for message in messages]
    columns = [
        pa.array([datetime.fromtimestamp(max(millis, 0) / 1000, UTC).replace(tzinfo=None) for _, millis in times], pa.timestamp("us")),
        pa.array([(message.key() or b"").decode("utf-8", "replace") for message in messages], pa.string()),
        pa.array([shard] * len(messages), pa.string()),
        pa.array([str(message.offset()) for message in messages], pa.string()),
        pa.array([message.value() for message in messages], pa.binary()),
        pa.array([_TIMESTAMP_TYPES[kind] for kind, _ in times], pa.string()),
        pa.array([message.key() for message in messages], pa.binary()),
        pa.array([_headers(message.headers()) for message in messages], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=KAFKA_SCHEMA)


def _headers(found: Sequence[tuple[str, bytes | None]] | None) -> str | None:
    """Return headers as the JSON of an object: a value is text or, where it is not UTF-8, in hexadecimal. The last of equal keys counts."""
    if not found:
        return None
    return json.dumps({key: None if value is None else _text(value) for key, value in found})


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()

