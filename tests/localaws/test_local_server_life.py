"""The process: its line, its exit codes, its lock, and that kill -9 loses nothing that was answered."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from nearshift.localaws.connection import CONNECTIONS_MAX
from nearshift.localaws.errors import StartError
from nearshift.localaws.server import main
from nearshift.localaws.store import Store

if TYPE_CHECKING:
    from tests.localaws.conftest import LocalServer

Start = Callable[..., "LocalServer"]


def run_to_end(*arguments: str) -> tuple[int, str, str]:
    """Run the program with arguments with which it cannot start."""
    source = Path(__file__).resolve().parents[2] / "src"
    command = [sys.executable, "-m", "nearshift.localaws", *arguments]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(start_server: Start, number: int) -> None:
    server = start_server()
    server.client("kinesis").create_stream(StreamName="s", ShardCount=1)
    assert server.stop(number) == 0
    server.start()
    assert server.client("kinesis").list_streams()["StreamNames"] == ["s"]


def test_an_open_subscription_does_not_keep_it_from_stopping(start_server: Start) -> None:
    server = start_server()
    kinesis = server.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    arn = kinesis.register_stream_consumer(
        StreamARN=kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"], ConsumerName="c"
    )["Consumer"]["ConsumerARN"]
    events = kinesis.subscribe_to_shard(ConsumerARN=arn, ShardId="shardId-000000000000", StartingPosition={"Type": "LATEST"})["EventStream"]
    next(iter(events))
    try:
        assert server.stop() == 0
    finally:
        events.close()


def test_a_port_in_use_is_one_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output, problem = run_to_end("--dir", str(tmp_path), "--port", str(port))
    assert (code, output) == (1, "")
    assert problem.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")
    assert problem.count("\n") == 1


def test_a_directory_belongs_to_one_process(start_server: Start) -> None:
    server = start_server()
    code, _, problem = run_to_end("--dir", str(server.directory), "--port", "0")
    assert (code, problem) == (1, f'error: the directory "{server.directory}" is in use by another process\n')


def test_a_directory_that_cannot_be_one_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--dir", str(tmp_path / "file" / "sub"), "--port", "0"]) == 1
    assert capsys.readouterr().err.startswith("error: cannot use the directory")


def test_a_file_that_is_no_store_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "local-aws.sqlite").write_bytes(b"something else" * 1000)
    with pytest.raises(StartError, match="cannot open the store"):
        Store(tmp_path)
    assert (tmp_path / "local-aws.sqlite").read_bytes() == b"something else" * 1000


def test_the_world_is_not_let_in_by_accident(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", str(tmp_path), "--port", "0", "--host", "0.0.0.0"]) == 1
    assert "--allow-remote" in capsys.readouterr().err


def test_the_admin_door_is_closed_unless_asked_for(start_server: Start) -> None:
    server = start_server()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b'POST /_admin HTTP/1.1\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{"command":"status"}')
        answer = b""
        while chunk := raw.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 404")


def test_kill_9_in_the_middle_of_puts_loses_nothing_that_was_answered(start_server: Start) -> None:
    server = start_server()
    server.client("kinesis").create_stream(StreamName="s", ShardCount=2)
    acknowledged: list[str] = []

    def write(kinesis: Any, name: str) -> None:
        number = 0
        while True:
            batch = [f"{name}-{number + index}" for index in range(20)]
            try:
                kinesis.put_records(StreamName="s", Records=[{"Data": text.encode(), "PartitionKey": text} for text in batch])
            except (BotoCoreError, ClientError):
                return
            acknowledged.extend(batch)
            number += 20

    for turn in range(3):
        before = len(acknowledged)
        writers = [threading.Thread(target=write, args=(server.client("kinesis"), f"{turn}.{number}")) for number in range(3)]
        for writer in writers:
            writer.start()
        while len(acknowledged) < before + 600:
            assert any(writer.is_alive() for writer in writers)
        os.kill(server.pid, signal.SIGKILL)
        for writer in writers:
            writer.join(timeout=20)
        server.stop()
        server.start()
    kinesis = server.client("kinesis")
    found: list[str] = []
    for shard in ("shardId-000000000000", "shardId-000000000001"):
        iterator = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        found += [record["Data"].decode() for record in records]
        numbers = [int(record["SequenceNumber"]) for record in records]
        assert numbers == sorted(set(numbers))
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)


def test_positions_go_on_after_a_restart_even_with_a_clock_that_went_back(start_server: Start) -> None:
    server = start_server("--admin")
    server.admin("clock", advance=3600)
    kinesis = server.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    first = kinesis.put_record(StreamName="s", Data=b"1", PartitionKey="k")["SequenceNumber"]
    server.stop(signal.SIGKILL)
    server.start()
    kinesis = server.client("kinesis")
    second = kinesis.put_record(StreamName="s", Data=b"2", PartitionKey="k")["SequenceNumber"]
    assert int(second) > int(first)


def test_a_reader_at_the_end_misses_nothing_after_a_trim_a_clock_that_went_back_and_a_restart(start_server: Start) -> None:
    server = start_server("--admin")
    server.admin("clock", advance=7200)
    kinesis = server.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    for number in range(3):
        last = kinesis.put_record(StreamName="s", Data=b"%d" % number, PartitionKey="k")["SequenceNumber"]
    server.admin("trim", stream="s")
    server.stop(signal.SIGKILL)
    server.start()
    kinesis = server.client("kinesis")
    kinesis.put_record(StreamName="s", Data=b"after", PartitionKey="k")
    start = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
    iterator = kinesis.get_shard_iterator(**start, StartingSequenceNumber=last)["ShardIterator"]
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"after"]


def test_connections_are_bounded(start_server: Start) -> None:
    server = start_server()
    taken: list[socket.socket] = []
    try:
        while len(taken) < CONNECTIONS_MAX:
            taken.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as refused:
            assert refused.recv(100).startswith(b"HTTP/1.1 503 ")
    finally:
        for connection in taken:
            connection.close()
    assert server.client("kinesis").list_streams()["StreamNames"] == []
