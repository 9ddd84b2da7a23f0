"""The admin door, POST /_admin: makes things go wrong on purpose, moves the clock. Closed unless the server is started with --admin.

The body is one JSON object whose `command` names one of the structs below; its other members are the struct's fields. The answer is JSON
too: what is in force now, or `error` and `message`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Annotated, Any, Literal

import msgspec

from nearshift.localaws.clock import Clock
from nearshift.localaws.errors import AwsError
from nearshift.localaws.faults import CaptureChaos, Fault, Faults, Mishap
from nearshift.localaws.kinesis import Kinesis
from nearshift.localaws.service import DEFAULT_ACCOUNT, DEFAULT_REGION
from nearshift.localaws.shards import Stream

Times = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
OperationName = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z]+$")]

ErrorCode = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z.]+$")]


class Command(msgspec.Struct, tag_field="command", forbid_unknown_fields=True, kw_only=True):
    """What all commands have in common: the name in `command`."""


class Throttle(Command, tag="throttle"):
    """Answer the next calls of an operation with `code`, as Amazon does when a caller is too fast."""

    operation: OperationName
    times: Times = 1
    code: ErrorCode = "ProvisionedThroughputExceededException"


class Fail(Command, tag="fail"):
    """Answer the next calls of an operation with a server's error."""

    operation: OperationName
    times: Times = 1
    status: Literal[500, 503] = 500


class Refuse(Command, tag="refuse"):
    """Answer the next calls of an operation with any error of status 400, for example ExpiredTokenException or AccessDeniedException."""

    operation: OperationName
    code: ErrorCode
    message: str = "The admin door asked for this error."
    times: Times = 1


class Drop(Command, tag="drop"):
    """Cut the connection: before the next calls of an operation are done, after, or in the middle of the answer."""

    operation: OperationName
    when: Literal["before", "after", "truncate"] = "before"
    times: Times = 1


class ExpireIterators(Command, tag="expire-iterators"):
    """Make all shard iterators given out so far expired."""


class IteratorSeconds(Command, tag="iterator-seconds"):
    """Set how long shard iterators are good for."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class EmptyPages(Command, tag="empty-pages"):
    """Let the next calls of GetRecords come back empty though there are records."""

    times: Times = 1


class PutFailures(Command, tag="put-failures"):
    """Refuse each record of PutRecords whose number in its call is a multiple of `every`; 0 ends it."""

    every: Annotated[int, msgspec.Meta(ge=0, le=500)]


class Trim(Command, tag="trim"):
    """Remove the oldest records of a shard, or of all shards of the stream: `count` of each, or all."""

    stream: str
    shard: str | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION


class Capture(Command, tag="capture"):
    """Write change records into a stream twice, or late, with these probabilities; both 0 end it."""

    stream: str
    duplicates: Probability = 0.0
    delays: Probability = 0.0
    delay_ms_max: Annotated[int, msgspec.Meta(ge=1, le=600_000)] = 500
    seed: int = 0
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION


class ClockCommand(Command, tag="clock"):
    """Move the clock: exactly one of the fields, in seconds; `set` since 1970, `skew` against the machine's clock."""

    set: float | None = None
    skew: float | None = None
    advance: float | None = None
    stop: Literal[True] | None = None
    resume: Literal[True] | None = None


class Limits(Command, tag="limits"):
    """Enforce the throughput of shards as Amazon does, or stop it."""

    enforce: bool


class Maintain(Command, tag="maintain"):
    """Do at once what time has made due: trimming, expiry, held records."""


class Reset(Command, tag="reset"):
    """End all faults and set the clock right; the data stay."""


class Status(Command, tag="status"):
    """Change nothing and say what is in force."""


_Any = (
    Throttle
    | Fail
    | Refuse
    | Drop
    | ExpireIterators
    | IteratorSeconds
    | EmptyPages
    | PutFailures
    | Trim
    | Capture
    | ClockCommand
    | Limits
    | Maintain
    | Reset
    | Status
)
_DECODER: msgspec.json.Decoder[_Any] = msgspec.json.Decoder(_Any)


class Admin:
    """Runs the commands. `maintain` does what time has made due in all services."""

    def __init__(self, clock: Clock, faults: Faults, kinesis: Kinesis, maintain: Callable[[], None]) -> None:
        self._clock = clock
        self._faults = faults
        self._kinesis = kinesis
        self._maintain = maintain
        self._runs: dict[type[Command], Callable[[Any], None]] = {
            Throttle: self._throttle,
            Fail: self._fail,
            Refuse: self._refuse,
            Drop: self._drop,
            ExpireIterators: self._expire_iterators,
            IteratorSeconds: self._iterator_seconds,
            EmptyPages: self._empty_pages,
            PutFailures: self._put_failures,
            Trim: self._trim,
            Capture: self._capture,
            ClockCommand: self._move_clock,
            Limits: self._limits,
            Maintain: lambda _: self._maintain(),
            Reset: self._reset,
            Status: lambda _: None,
        }

    def run(self, body: bytes) -> dict[str, Any]:
        """Run one command, inside the caller's transaction, and return what is in force then. Raises AwsError for one that is not valid."""
        try:
            command = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AwsError("InvalidCommand", str(error)) from None
        self._runs[type(command)](command)
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """Return what is in force."""
        faults = self._faults
        return {
            "clock": {"now": self._clock.now(), "offset_seconds": self._clock.offset_seconds, "is_stopped": self._clock.is_stopped},
            "faults": [
                {"operation": fault.operation, "mishap": fault.mishap.value, "remaining": fault.remaining} for fault in faults.pending
            ],
            "capture": {
                arn: {"duplicates": chaos.duplicates, "delays": chaos.delays, "delay_ms_max": chaos.delay_ms_max}
                for arn, chaos in faults.capture.items()
            },
            "iterator_seconds": faults.iterator_ms_max / 1000,
            "empty_pages": faults.empty_pages,
            "put_failures_every": faults.put_records_fail_every,
            "limits_enforced": faults.are_limits_enforced,
            "records_held": self._kinesis.has_held,
        }

    def _inject(self, operation: str, times: int, error: AwsError) -> None:
        self._faults.pending.append(Fault(operation, Mishap.ERROR, times, error))

    def _throttle(self, command: Throttle) -> None:
        self._inject(command.operation, command.times, AwsError(command.code, "Rate exceeded; the admin door asked for this error."))

    def _fail(self, command: Fail) -> None:
        code = "InternalFailure" if command.status == 500 else "ServiceUnavailable"
        error = AwsError(code, "The admin door asked for this error.", command.status)
        self._inject(command.operation, command.times, error)

    def _refuse(self, command: Refuse) -> None:
        self._inject(command.operation, command.times, AwsError(command.code, command.message))

    def _drop(self, command: Drop) -> None:
        mishap = {"before": Mishap.DROP_BEFORE, "after": Mishap.DROP_AFTER, "truncate": Mishap.TRUNCATE}[command.when]
        self._faults.pending.append(Fault(command.operation, mishap, command.times))

    def _expire_iterators(self, _: ExpireIterators) -> None:
        self._faults.iterators_expired_before_ms = self._clock.now_ms()

    def _iterator_seconds(self, command: IteratorSeconds) -> None:
        self._faults.iterator_ms_max = round(command.seconds * 1000)

    def _empty_pages(self, command: EmptyPages) -> None:
        self._faults.empty_pages = command.times

    def _put_failures(self, command: PutFailures) -> None:
        self._faults.put_records_fail_every = command.every

    def _trim(self, command: Trim) -> None:
        stream = self._stream(command)
        catalog, records = self._kinesis.parts.catalog, self._kinesis.parts.records
        shards = list(stream.shards.values()) if command.shard is None else [catalog.shard(stream, command.shard)]
        for shard in shards:
            newest = catalog.positions.last
            position = newest if command.count is None else records.position_of_oldest(shard, command.count)
            if position is not None:
                catalog.set_horizon(shard, position)
        records.trim(stream, self._clock.now_ms())

    def _capture(self, command: Capture) -> None:
        stream = self._stream(command)
        if command.duplicates == 0 and command.delays == 0:
            self._faults.capture.pop(stream.arn, None)
            return
        self._faults.capture[stream.arn] = CaptureChaos(command.duplicates, command.delays, command.delay_ms_max, Random(command.seed))

    def _stream(self, command: Trim | Capture) -> Stream:
        return self._kinesis.parts.catalog.find(command.account, command.region, command.stream)

    def _move_clock(self, command: ClockCommand) -> None:
        given = {name: value for name, value in msgspec.structs.asdict(command).items() if value is not None}
        if len(given) != 1:
            raise AwsError("InvalidCommand", "exactly one of set, skew, advance, stop and resume must be given")
        if any(abs(value) > 1e11 for value in given.values()):
            raise AwsError("InvalidCommand", "the clock cannot go so far")
        moves: dict[str, Callable[[Any], None]] = {
            "set": self._clock.set,
            "skew": self._clock.skew,
            "advance": self._clock.advance,
            "stop": lambda _: self._clock.stop(),
            "resume": lambda _: self._clock.resume(),
        }
        for name, value in given.items():
            moves[name](value)

    def _limits(self, command: Limits) -> None:
        self._faults.are_limits_enforced = command.enforce

    def _reset(self, _: Reset) -> None:
        fresh = Faults()
        for name in Faults.__slots__:
            setattr(self._faults, name, getattr(fresh, name))
        self._clock.skew(0)
