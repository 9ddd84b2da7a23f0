"""librdkafka's own mock cluster, from the library that confluent-kafka brings: a broker that can be made to fail, in this process."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any


def _load() -> Any:
    import confluent_kafka

    libraries = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(libraries.glob("librdkafka-*.so*"))))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_broker_set_down", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", number, [pointer, ctypes.c_int32]),
    ):
        call = getattr(library, name)
        call.restype, call.argtypes = result, arguments
    return library


class MockCluster:
    """One broker. Keeps 5 MiB per partition: what is older is trimmed."""

    FETCH = 1  # the number of the Fetch request in Kafka's protocol

    def __init__(self) -> None:
        self._library = _load()
        error = ctypes.create_string_buffer(512)
        settings = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(settings, b"log_level", b"0", error, 512)
        self._client = self._library.rd_kafka_new(0, settings, error, 512)
        assert self._client, error.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        self.address = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic."""
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def put(self, topic: str, *values: bytes | None, partition: int = 0, key: bytes | None = b"k", headers: Any = None) -> None:
        """Append records, each after the one before."""
        import confluent_kafka

        producer = confluent_kafka.Producer({"bootstrap.servers": self.address, "message.max.bytes": 4_000_000, "linger.ms": 0})
        for value in values:
            producer.produce(topic, value, key, partition=partition, headers=headers)
        assert producer.flush(20) == 0

    def fail(self, request: int, *codes: int) -> None:
        """Answer the next requests of a kind with these errors."""
        push = self._library.rd_kafka_mock_push_request_errors
        push.argtypes = None
        push(
            ctypes.c_void_p(self._cluster), ctypes.c_int16(request), ctypes.c_size_t(len(codes)), *[ctypes.c_int(code) for code in codes]
        )

    def take_down(self) -> None:
        """Let the broker be gone."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def bring_up(self) -> None:
        """Let it come back."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        """End it."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)
