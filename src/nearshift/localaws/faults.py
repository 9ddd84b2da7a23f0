"""What the admin door has asked to go wrong; everything is off until then and forgotten at the end of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from nearshift.localaws.errors import AwsError


@dataclass(slots=True)
class Fault:
    """An error that the next `remaining` calls of an operation get."""

    operation: str
    code: str
    message: str
    status: int
    remaining: int


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

    def take(self, operation: str) -> AwsError | None:
        """Return the error that this call of an operation must get, and count it; None if it may go on."""
        for fault in self.pending:
            if fault.operation == operation:
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self.pending.remove(fault)
                return AwsError(fault.code, fault.message, fault.status)
        return None

    def take_empty_page(self) -> bool:
        """Say whether this page of GetRecords must come back empty, and count it."""
        if self.empty_pages == 0:
            return False
        self.empty_pages -= 1
        return True
