"""Streaming views over Kafka topics: Redshift's columns, quarantine and replay, gaps, and the statements about such schemas."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("confluent_kafka", reason="THE EXTRA nearshift[kafka] IS NOT INSTALLED: Kafka is not tested")

from nearshift.errors import NearshiftError
from nearshift.testing.mock_kafka import MockCluster
from nearshift.views import refresh
from nearshift.warehouse import Warehouse


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    found = MockCluster()
    yield found
    found.close()


class Place:
    """A warehouse, and a topic of the cluster."""

    def __init__(self, file: Path, cluster: MockCluster) -> None:
        self.file = file
        self.cluster = cluster
        self.topic = f"t-{time.monotonic_ns()}"
        cluster.create(self.topic, 2)
        self.open()
        self.run(f"CREATE EXTERNAL SCHEMA k FROM KAFKA AUTHENTICATION none URI '{cluster.address}'")

    def open(self, **options: Any) -> None:
        self.warehouse = Warehouse.open(self.file, **options)
        self.session = self.warehouse.session()

    def run(self, text: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for result in self.session.execute_script(text):
            rows = result.rows()
        return rows

    def view(self, query: str) -> None:
        self.run(f'CREATE MATERIALIZED VIEW v AS SELECT {query} FROM k."{self.topic}"')

    def put(self, *values: bytes | None, **options: Any) -> None:
        self.cluster.put(self.topic, *values, **options)

    def refresh(self) -> None:
        self.run("REFRESH MATERIALIZED VIEW v")

    def close(self) -> None:
        self.session.close()
        self.warehouse.close()


@pytest.fixture
def place(tmp_path: Path, cluster: MockCluster) -> Iterator[Place]:
    found = Place(tmp_path / "w.duckdb", cluster)
    yield found
    found.close()


def test_a_view_has_the_columns_of_a_topic(place: Place) -> None:
    place.view("*")
    place.put(b'{"a": 1}', headers=[("source", b"web")])
    place.put(None, key=None, partition=1)
    place.refresh()
    columns = place.run("SELECT column_name, data_type FROM svv_columns WHERE table_name = 'v' ORDER BY ordinal_position")
    assert [name for name, _type in columns] == [
        "kafka_partition", "kafka_offset", "kafka_timestamp_type", "kafka_timestamp", "kafka_key", "kafka_value", "kafka_headers",
        "refresh_time",
    ]  # fmt: skip
    rows = place.run(
        "SELECT kafka_partition, kafka_offset, kafka_timestamp_type, from_varbyte(kafka_key, 'utf-8'), from_varbyte(kafka_value, 'utf-8'),"
        " kafka_headers.source::varchar, abs(datediff(hour, kafka_timestamp, refresh_time)) FROM v ORDER BY 1"
    )
    assert rows == [(0, 0, "C", "k", '{"a": 1}', "web", 0), (1, 0, "C", None, None, None, 0)]
    assert place.run("SELECT shard_id, position FROM sys_nearshift_checkpoint ORDER BY 1") == [("0", "AFTER 0"), ("1", "AFTER 0")]


def test_a_reopened_warehouse_goes_on_after_the_last_offset(place: Place) -> None:
    place.view("kafka_offset")
    place.put(b"1", b"2")
    place.refresh()
    place.close()
    place.open()
    place.refresh()
    place.put(b"3")
    place.refresh()
    assert place.run("SELECT kafka_offset FROM v ORDER BY 1") == [(0,), (1,), (2,)]
    assert place.run("SELECT sum(read_rows)::int, min(is_balanced::int) FROM sys_nearshift_ledger") == [(3, 1)]


def test_bad_records_are_kept_whole_and_replayed(place: Place) -> None:
    place.view("kafka_partition, kafka_offset, from_varbyte(kafka_key, 'utf-8') AS key, kafka_headers.h::varchar AS h,"
               " from_varbyte(kafka_value, 'utf-8')::int AS n")  # fmt: skip
    place.put(b"1", b"bad", key=b"who", headers=[("h", b"x")])
    place.refresh()
    kept = place.run("SELECT shard_id, sequence_number, partition_key, payload_text FROM sys_nearshift_quarantine")
    assert kept == [("0", "1", "who", "bad")]
    connection = place.session.house.engine.connect()
    connection.execute("UPDATE nearshift.relations SET definition = replace(definition, '::int', '') WHERE name = 'v'")
    connection.execute("UPDATE nearshift.relations SET definition = replace(definition, $1, $2) WHERE name = 'v'",
                       ["from_varbyte(kafka_value, 'utf-8')", "len(from_varbyte(kafka_value, 'utf-8'))"])  # fmt: skip
    connection.close()
    place.session.house.current.reload()
    assert place.run("CALL sys_nearshift_replay('v')")[0][:4] == (1, 1, 0, 0)
    assert place.run("SELECT * FROM v ORDER BY kafka_offset") == [(0, 0, "who", "x", 1), (0, 1, "who", "x", 3)]
    assert place.run("SELECT read_rows, stored_rows, quarantined_rows, is_balanced FROM sys_nearshift_ledger WHERE shard_id = '0'") == [
        (2, 2, 0, True)
    ]


def test_records_up_to_sixteen_mebibytes_are_stored(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.view("kafka_value")
    place.put(b"x" * 2_000_000)
    place.refresh()
    assert place.run("SELECT octet_length(kafka_value) FROM v") == [(2_000_000,)]
    monkeypatch.setattr(refresh, "KAFKA_BYTES_MAX", 3)
    place.put(b"1234", b"123", None)
    place.refresh()
    assert place.run("SELECT count(*) FROM v") == [(3,)]
    assert place.run("SELECT read_rows, stored_rows, skipped_rows FROM sys_nearshift_ledger WHERE shard_id = '0'") == [(4, 3, 1)]


def test_trimmed_offsets_fail_the_refresh_or_are_recorded(place: Place) -> None:
    place.view("kafka_offset")
    place.put(b"0")
    place.refresh()
    place.put(b"1")
    for _ in range(8):
        place.put(b"x" * 900_000)
    with pytest.raises(NearshiftError, match="forgotten records") as caught:
        place.refresh()
    assert caught.value.sqlstate == "58030"
    assert place.run("SELECT count(*) FROM v") == [(1,)]
    place.close()
    place.open(accepts_gaps=True)
    place.refresh()
    (gap,) = place.run("SELECT shard_id, after_position FROM sys_nearshift_gap")
    assert gap == ("0", "AFTER 0")
    offsets = [offset for (offset,) in place.run("SELECT kafka_offset FROM v ORDER BY 1")]
    assert offsets[0] == 0
    assert offsets[1] > 1
    assert offsets[1:] == list(range(offsets[1], 10))


def test_brokers_can_be_changed(place: Place) -> None:
    place.view("kafka_offset")
    place.put(b"1")
    place.run("ALTER EXTERNAL SCHEMA k URI '127.0.0.1:9'")
    assert "127.0.0.1:9" in place.run("SELECT esoptions FROM svv_external_schemas WHERE schemaname = 'k'")[0][0]
    place.run(f"ALTER EXTERNAL SCHEMA k URI '{place.cluster.address}'")
    place.refresh()
    assert place.run("SELECT kafka_offset FROM v") == [(0,)]


def test_a_topic_that_does_not_exist_is_told_when_the_view_is_made(place: Place) -> None:
    with pytest.raises(NearshiftError, match="does not exist") as caught:
        place.run('CREATE MATERIALIZED VIEW w AS SELECT * FROM k."nothing"')
    assert caught.value.sqlstate == "42704"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE EXTERNAL SCHEMA m FROM KAFKA IAM_ROLE default AUTHENTICATION iam URI 'b:9098'", "AUTHENTICATION iam"),
        ("CREATE EXTERNAL SCHEMA m FROM KAFKA AUTHENTICATION mtls URI 'b:9094' SECRET_ARN 'arn:x'", "AUTHENTICATION mtls"),
        ("CREATE EXTERNAL SCHEMA m FROM MSK IAM_ROLE default AUTHENTICATION none CLUSTER_ARN 'arn:aws:kafka:x'", "CLUSTER_ARN"),
        ("ALTER EXTERNAL SCHEMA k AUTHENTICATION iam", "AUTHENTICATION iam"),
    ],
)
def test_other_proofs_are_refused(place: Place, statement: str, reason: str) -> None:
    with pytest.raises(NearshiftError, match=reason) as caught:
        place.run(statement)
    assert caught.value.sqlstate == "0A000"


def test_msk_with_brokers_is_the_same(place: Place) -> None:
    place.run(f"CREATE EXTERNAL SCHEMA m FROM MSK IAM_ROLE default AUTHENTICATION none URI '{place.cluster.address}'")
    place.run(f'CREATE MATERIALIZED VIEW w AS SELECT kafka_offset FROM m."{place.topic}"')
    place.put(b"1")
    place.run("REFRESH MATERIALIZED VIEW w")
    assert place.run("SELECT * FROM w") == [(0,)]
