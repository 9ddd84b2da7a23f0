"""What the admin door has asked to go wrong; everything is off until then and forgotten at the end of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from random import Random

from nearshift.localaws.errors import AwsError


class Mishap(Enum):
    """What goes wrong with a call."""

    ERROR = "error"  # it is answered with an error and nothing is done
    DROP_BEFORE = "drop-before"  # the connection is cut and nothing is done
    DROP_AFTER = "drop-after"  # it is done, then the connection is cut
    TRUNCATE = "truncate"  # it is done, and the connection is cut in the middle of the answer


@dataclass(slots=True)
class Fault:
    """What the next `remaining` calls of an operation get; `error` is for Mishap.ERROR."""

    operation: str
    mishap: Mishap
    remaining: int
    error: AwsError | None = None


@dataclass(slots=True)
class CaptureChaos:
    """How the change records of tables go astray on their way into one stream, as AWS says they may.

    A record is written a second time with probability `duplicates`, and held back (so that later ones overtake it) with probability
    `delays`; copies and held records arrive up to `delay_ms_max` later. The same seed gives the same choices for the same sequence of
    records.
    """

    duplicates: float
    delays: float
    delay_ms_max: int
    random: Random

    def plan_arrivals(self) -> list[int]:
        """Return after how many milliseconds the next record arrives, once for each time that it is written."""
        first = self.random.randint(1, self.delay_ms_max) if self.random.random() < self.delays else 0
        if self.random.random() < self.duplicates:
            return [first, self.random.randint(0, self.delay_ms_max)]
        return [first]


@dataclass(slots=True)
class Faults:
    """All faults in force."""

    pending: list[Fault] = field(default_factory=list)
    capture: dict[str, CaptureChaos] = field(default_factory=dict)  # by stream ARN
    iterator_ms_max: int = 300_000
    iterators_expired_before_ms: int = -1
    empty_pages: int = 0
    put_records_fail_every: int = 0
    are_limits_enforced: bool = False

    def take(self, operation: str) -> Fault | None:
        """Return the fault that this call of an operation must get, and count it; None if it may go on."""
        for fault in self.pending:
            if fault.operation == operation:
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self.pending.remove(fault)
                return fault
        return None

    def take_empty_page(self) -> bool:
        """Say whether this page of GetRecords must come back empty, and count it."""
        if self.empty_pages == 0:
            return False
        self.empty_pages -= 1
        return True
