"""The throughput of a shard as Amazon bounds it ("Quotas and limits", Kinesis Data Streams developer guide): in force only when asked for.

A shard takes 1 MiB and 1,000 records in a second. It gives 2 MiB in a second, so after an answer of 10 MiB it rests for five, and answers
at most five GetRecords in a second. A record of more than 1 MiB may borrow from the seconds that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MIB = 1 << 20
WRITE_BYTES_PER_SECOND = MIB
WRITE_RECORDS_PER_SECOND = 1000
READ_BYTES_PER_SECOND = 2 * MIB
READS_PER_SECOND = 5


@dataclass(slots=True)
class _Usage:
    write_second: int = 0
    write_bytes: int = 0
    write_records: int = 0
    read_paid_ms: float = 0.0  # when the bytes given so far would have been due at full speed
    read_rest_until_ms: float = 0.0
    read_times_ms: list[int] = field(default_factory=list)


class Throughput:
    """What each shard has taken and given lately."""

    def __init__(self) -> None:
        self._usage: dict[int, _Usage] = {}

    def may_write(self, shard_key: int, size: int, now_ms: int) -> bool:
        """Say whether a shard takes a record of `size` bytes now; if so, it is counted."""
        usage = self._usage.setdefault(shard_key, _Usage())
        second = now_ms // 1000
        if second != usage.write_second:
            elapsed = max(0, second - usage.write_second)
            usage.write_bytes = max(0, usage.write_bytes - elapsed * WRITE_BYTES_PER_SECOND)
            usage.write_second, usage.write_records = second, 0
        is_over = usage.write_bytes > 0 and usage.write_bytes + size > WRITE_BYTES_PER_SECOND
        if is_over or usage.write_records >= WRITE_RECORDS_PER_SECOND:
            return False
        usage.write_bytes += size
        usage.write_records += 1
        return True

    def may_read(self, shard_key: int, now_ms: int) -> bool:
        """Say whether a shard answers a GetRecords now; if so, the call is counted."""
        usage = self._usage.setdefault(shard_key, _Usage())
        usage.read_times_ms = [at for at in usage.read_times_ms if now_ms - 1000 < at <= now_ms]
        if now_ms < usage.read_rest_until_ms or len(usage.read_times_ms) >= READS_PER_SECOND:
            return False
        usage.read_times_ms.append(now_ms)
        return True

    def note_read(self, shard_key: int, size: int, now_ms: int) -> None:
        """Count the bytes that a GetRecords has given."""
        usage = self._usage.setdefault(shard_key, _Usage())
        usage.read_paid_ms = max(now_ms, usage.read_paid_ms) + size * 1000 / READ_BYTES_PER_SECOND
        if usage.read_paid_ms - now_ms > 1000:
            usage.read_rest_until_ms = usage.read_paid_ms
