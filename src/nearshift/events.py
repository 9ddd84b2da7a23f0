"""What happened in the warehouse, told to whoever wants to know: the console, schedules that follow a refresh, the demo.

An event says which relations a commit changed. A subscriber that is slow loses no news, only its granularity: events that wait for it are
folded into one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit became visible: the relations that it changed, as `schema.name`, and when (UTC, aware)."""

    relations: frozenset[str]
    at: datetime


class Subscription:
    """One subscriber's place; `next` is for one thread at a time, `close` for any."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._condition = threading.Condition()
        self._waiting: Committed | None = None
        self._is_closed = False

    def next(self, timeout_seconds: float) -> Committed | None:
        """Return the news since the last call, waiting at most `timeout_seconds`; None when there was none or after close."""
        with self._condition:
            if self._waiting is None and not self._is_closed:
                self._condition.wait(timeout_seconds)
            event, self._waiting = self._waiting, None
            return event

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    def close(self) -> None:
        """Stop listening; a waiting `next` returns at once. Closing twice is harmless."""
        self._events.drop(self)
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def put(self, event: Committed) -> None:
        """Hand over an event; never blocks."""
        with self._condition:
            before = self._waiting
            self._waiting = event if before is None else Committed(before.relations | event.relations, event.at)
            self._condition.notify_all()


class Events:
    """The warehouse's publisher."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []

    def subscribe(self) -> Subscription:
        """Return a subscription that hears of every commit from now on."""
        subscription = Subscription(self)
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def publish(self, event: Committed) -> None:
        """Tell all subscribers."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.put(event)

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """Close all subscriptions."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()
