"""What traffic needs and costs: shards by the busiest minute, prices from a file, lines that add up."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nearshift.cli.main import main
from nearshift.errors import ConfigurationError
from nearshift.estimate.cost import busy_hours, estimate, shards_for
from nearshift.estimate.prices import packaged_text, read_prices
from nearshift.estimate.traffic import Traffic, read_traffic, scaled

STARTER = Path(__file__).parents[2] / "src" / "nearshift" / "examples" / "starter"
START = datetime(2026, 1, 1)  # noqa: DTZ001 - as the warehouse has it


class Answer:
    """What a query gave."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows


def scan(view: str, minute: int, minutes: int, records: int, size: int) -> tuple[Any, ...]:
    first, last = START + timedelta(minutes=minute), START + timedelta(minutes=minute + minutes - 1)
    return ("s", view, first, last, records, size, first, last + timedelta(seconds=60))


def test_the_busiest_minute_counts_by_arrival_and_a_stream_once() -> None:
    rows = [scan("a", 0, 10, 6000, 600_000), scan("a", 10, 1, 12_000, 1_200_000), scan("b", 0, 1, 100, 100)]
    (one,) = read_traffic(lambda _query: Answer(rows))
    assert (one.records, one.bytes, one.seconds) == (18_000, 1_800_000, 660.0)
    assert one.peak_records_per_second == 200.0
    assert one.peak_bytes_per_second == 20_000.0


@pytest.mark.parametrize(
    ("records", "size", "shards"),
    [(10, 100, 1), (1000, 1000, 1), (1001, 1000, 2), (500, 4096, 2), (5000, 100, 5)],
)
def test_shards_follow_records_and_bytes(records: int, size: int, shards: int) -> None:
    assert shards_for(Traffic("s", records, records * size, 1.0, records, records * size)) == shards


def test_lines_are_quantities_times_prices() -> None:
    traffic = [Traffic("s", 864_000, 864_000 * 1500, 86_400.0, 10.0, 15_000.0)]
    found = estimate(traffic, ["rate(5 minutes)"], read_prices(None), retention_hours=48, is_streaming=False)
    lines = {line.item: line for line in found.lines}
    assert lines["Kinesis provisioned: shards"].quantity == 24
    assert lines["Kinesis provisioned: writes"].quantity == pytest.approx(0.864)
    assert lines["Kinesis provisioned: retention above a day"].quantity == 24
    assert lines["DynamoDB: capture"].quantity == pytest.approx(1.728)
    assert lines["Kinesis on demand: in"].quantity == pytest.approx(864_000 * 2048 / 1e9)
    assert lines["Redshift Serverless"].quantity == pytest.approx(288 / 60 * 8)
    assert found.stored_gb_per_day == pytest.approx(1.296)
    way = frozenset({"provisioned", "serverless"})
    assert found.per_day(way) == pytest.approx(sum(line.per_day for line in found.lines if line.choice is None or line.choice in way))


def test_how_long_serverless_is_busy() -> None:
    assert busy_hours(["rate(1 minute)", "cron(0 3 * * ? *)"], is_streaming=False) == (24.0, 1441.0)
    assert busy_hours(["rate(1 hour)"], is_streaming=False) == (0.4, 24.0)
    assert busy_hours([], is_streaming=True) == (24.0, 0)


def test_another_rate_and_size_than_seen() -> None:
    seen = [Traffic("s", 1000, 500_000, 100.0, 20.0, 10_000.0)]
    (one,) = scaled(seen, 100.0, 1000, "s")
    assert (one.records_per_second, one.record_bytes, one.peak_records_per_second, one.peak_bytes_per_second) == (
        100.0,
        1000.0,
        200.0,
        200_000.0,
    )
    (one,) = scaled([], 100.0, 1000, "mine")
    assert (one.stream, one.records_per_second, one.bytes_per_second) == ("mine", 100.0, 100_000.0)
    with pytest.raises(ConfigurationError, match="has read no records yet"):
        scaled([], 100.0, None, "mine")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("shard_hour = 0.015", "shard_hour = -1"), 'key "kinesis.shard_hour"'),
        (("base_rpu = 8", 'base_rpu = "eight"'), 'key "redshift.base_rpu"'),
        (("[scheduler]", "[planner]"), "unknown field"),
        (('currency = "USD"', "currency = USD"), "is not valid TOML"),
    ],
)
def test_prices_that_are_wrong_are_refused_with_their_key(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    file = tmp_path / "prices.toml"
    assert change[0] in packaged_text()
    file.write_text(packaged_text().replace(*change))
    with pytest.raises(ConfigurationError) as caught:
        read_prices(file)
    assert words in caught.value.message


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, prices = tmp_path / "p", tmp_path / "prices.toml"
    shutil.copytree(STARTER, folder)
    assert run("estimate", str(folder)) == 1
    assert "the warehouse has read no records yet" in capsys.readouterr().err
    assert run("estimate", str(folder), "--write-prices", str(prices)) == 0
    assert run("estimate", str(folder), "--write-prices", str(prices)) == 1
    prices.write_text(prices.read_text().replace("shard_hour = 0.015", "shard_hour = 1000"))
    capsys.readouterr()
    given = ("--records-per-second", "10", "--record-bytes", "1000", "--prices", str(prices))
    assert run("estimate", str(folder), *given, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["records_per_day"] == 864_000
    assert next(line["per_day"] for line in found["lines"] if line["item"] == "Kinesis provisioned: shards") == 24_000
    assert found["prices"] == {"as_of": "2025-01", "region": "us-east-1", "currency": "USD"}
    assert run("estimate", str(folder), *given) == 0
    text = capsys.readouterr().out
    assert "provisioned + serverless:" in text
    assert "List prices of us-east-1, 2025-01" in text
