"""How long to go on asking a stream that does not answer: bounded retries with full jitter, and waits that a close ends.

Full jitter (a wait drawn evenly between nothing and a bound that doubles) is what AWS recommends for many readers of one limit
("Exponential Backoff And Jitter", AWS Architecture Blog).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from typing import TypeVar

from nearshift import limits
from nearshift.clock import Clock
from nearshift.errors import Cancelled, StreamError
from nearshift.streams.calls import CallFailed, FailureKind

T = TypeVar("T")

_RETRIED = frozenset({FailureKind.THROTTLED, FailureKind.UNAVAILABLE, FailureKind.CUT_OFF})
_LEFT_TO_CALLER = frozenset({FailureKind.POSITION_REFUSED, FailureKind.MISSING, FailureKind.TOKEN_EXPIRED})
# What a role needs, as "Getting started with streaming ingestion from Amazon Kinesis Data Streams" lists it.
_ACTIONS = (
    "kinesis:DescribeStreamSummary, kinesis:GetShardIterator, kinesis:GetRecords and kinesis:ListShards on the stream, "
    "and kms:Decrypt on its key if it is encrypted"
)


class Patience:
    """Runs calls to one stream with retries. Safe to share between threads."""

    def __init__(self, stream: str, clock: Clock, random: Random) -> None:
        self._stream = stream
        self._clock = clock
        self._random = random
        self._stop = threading.Event()

    def stop(self) -> None:
        """End all waits, now and later, with Cancelled."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait, or raise Cancelled when `stop` was or is called."""
        if self._stop.is_set() or (seconds > 0 and self._clock.wait(self._stop, seconds)):
            message = f'the reader of stream "{self._stream}" was closed'
            raise Cancelled(message)

    def run(self, call: Callable[[], T], part: str, on_failure: Callable[[CallFailed], None] | None = None) -> T:
        """Return what `call` returns, retrying up to STREAM_RETRIES_MAX times what may pass by itself.

        `part` names what is read, as in `shard "shardId-…" of stream "s"`. `on_failure` hears of every failure before the wait. Raises
        StreamError with the last cause; POSITION_REFUSED, MISSING and TOKEN_EXPIRED come through, since the caller knows what to do.
        """
        for attempt in range(limits.STREAM_RETRIES_MAX + 1):
            self.wait(0)
            try:
                return call()
            except CallFailed as failure:
                if on_failure is not None:
                    on_failure(failure)
                if failure.kind in _LEFT_TO_CALLER:
                    raise
                if attempt == limits.STREAM_RETRIES_MAX or failure.kind not in _RETRIED | {FailureKind.ITERATOR_EXPIRED}:
                    raise explain(failure, part, attempts=attempt + 1) from failure
                if failure.kind in _RETRIED:
                    self.wait(self.backoff_seconds(attempt))
        raise AssertionError("the last attempt returns or raises")

    def backoff_seconds(self, attempt: int) -> float:
        """Return a random wait after the failure of `attempt` (from 0)."""
        bound = min(limits.STREAM_BACKOFF_MS_MAX, limits.STREAM_BACKOFF_MS_MIN << attempt)
        return self._random.uniform(0, bound) / 1000


def explain(failure: CallFailed, part: str, *, attempts: int = 1, needs: str = _ACTIONS) -> StreamError:
    """Return the error that a user sees for a failed call; `needs` are the IAM actions without which it fails."""
    match failure.kind:
        case FailureKind.MISSING:
            hint = "Check the name, its upper and lower case, the region of the external schema and the account of its role."
            return StreamError(f"{part} does not exist", sqlstate="42704", detail=_sentence(failure.cause), hint=hint)
        case FailureKind.DENIED:
            hint = f"Let the role of the external schema be assumed, and allow it {needs}."
            return StreamError(f"permission denied for {part}", sqlstate="42501", detail=_sentence(failure.cause), hint=hint)
        case FailureKind.NO_CREDENTIALS:
            hint = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the external schema an IAM_ROLE."
            return StreamError(f"there are no credentials to read {part}", sqlstate="42501", detail=_sentence(failure.cause), hint=hint)
        case FailureKind.THROTTLED:
            hint = "Give the stream more shards or its views fewer readers: all readers of a shard share five reads per second."
        case _:
            hint = "Refresh again; if it goes on, check the network and the endpoint of Kinesis."
    tries = "" if attempts == 1 else f" after {attempts} attempts"
    return StreamError(f"could not read {part}{tries}: {failure.kind.value}", detail=_sentence(failure.cause), hint=hint)


def _sentence(text: str) -> str:
    stripped = text.strip() or "The service gave no reason"
    return stripped[0].upper() + stripped[1:] + ("" if stripped.endswith((".", "!", "?")) else ".")
