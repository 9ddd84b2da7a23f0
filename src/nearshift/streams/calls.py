"""The few calls a polled stream answers, and the ways they fail: the edge behind which the AWS client lives.

`polling.py` is written against this, so that its patience can be tested on a stream in memory with every failure in the book.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import pyarrow as pa

from nearshift.streams.reader import Description
from nearshift.streams.record import Position, Shard, ShardId


class FailureKind(Enum):
    """What a failed call means for the next one; the value is how a person is told."""

    THROTTLED = "it is read too often"
    UNAVAILABLE = "it could not be reached"
    CUT_OFF = "its answer was cut off"
    ITERATOR_EXPIRED = "the place in the shard was held too long"
    TOKEN_EXPIRED = "the list of shards took too long"
    POSITION_REFUSED = "it does not know the position"
    MISSING = "it does not exist"
    DENIED = "the credentials do not allow it"
    NO_CREDENTIALS = "there are no credentials"
    REFUSED = "it refused the call"


class CallFailed(Exception):
    """One call failed. `cause` is the service's own words, without secrets."""

    def __init__(self, kind: FailureKind, cause: str) -> None:
        super().__init__(f"{kind.value}: {cause}")
        self.kind = kind
        self.cause = cause


@dataclass(frozen=True, slots=True)
class ShardPage:
    """One page of the list of shards, and the token of the next one."""

    shards: list[Shard]
    next_token: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of GetRecords. `next_iterator` is None when the shard is closed and this was the last of it."""

    records: pa.RecordBatch
    next_iterator: str | None
    millis_behind: int
    children: tuple[ShardId, ...] = ()


class StreamCalls(Protocol):
    """A stream's API, one attempt per call. Every method raises CallFailed and nothing else; safe to share between threads."""

    def describe(self) -> Description:
        """Return identity and retention."""
        ...

    def list_shards(self, token: str | None) -> ShardPage:
        """Return the first page of shards, or the one that `token` names."""
        ...

    def iterator(self, shard: ShardId, position: Position) -> str:
        """Return an iterator at a position; for an AFTER position *at* its record, so that the reader sees whether it is still there."""
        ...

    def records(self, shard: ShardId, iterator: str, limit: int) -> Page:
        """Return the records at an iterator, in order, at most `limit`."""
        ...

    def close(self) -> None:
        """Release connections; a second call does nothing."""
        ...
