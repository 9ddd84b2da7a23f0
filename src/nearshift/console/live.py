"""Pushing: one query pass per thing that is looked at and commit, however many look at it, and nothing when nobody does.

A *feed* is what several viewers see alike: a dashboard with one set of choices, or the pipeline. Commits wake the hub; those that arrive
during a pass are folded into the next one, and passes begin at least CONSOLE_PASS_INTERVAL_MS apart. Each part of a feed (a tile, a list)
is sent when its bytes changed. A viewer holds at most one value per part, so that a slow reader costs no memory: it skips, never queues.

Without commits a pass runs every CONSOLE_IDLE_PASS_MS, since spans of time end now, and at once when a dashboard file changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from nearshift import limits
from nearshift.clock import Clock
from nearshift.console.answers import Moment
from nearshift.console.replies import describe_error, encode, iso
from nearshift.console.source import Subscription
from nearshift.errors import Conflict, InternalError

logger = logging.getLogger("nearshift")
_POLL_SECONDS = 1.0
_GONE = b"null"


class Content(Protocol):
    """What a feed shows."""

    def stamp(self) -> object:
        """Return a value that changes when a pass is due without a commit; cheap."""
        ...

    def parts(self, moment: Moment) -> Mapping[str, bytes]:
        """Run a query pass and return JSON by part."""
        ...


@dataclass(frozen=True, slots=True)
class Push:
    """What goes to a browser: the parts that changed, when the pass ended, and how long after the commit that was."""

    parts: Mapping[str, bytes]
    at: datetime
    delay_ms: float | None

    def encode(self) -> bytes:
        """Return the message as JSON: `{"at": …, "delay_ms": …, "parts": {…}}`."""
        parts = b",".join(encode(name) + b":" + value for name, value in self.parts.items())
        return b'{"at":"' + iso(self.at).encode() + b'","delay_ms":' + encode(self.delay_ms) + b',"parts":{' + parts + b"}}"


class Viewer:
    """One browser tab's place in a feed. `notify` is called from any thread whenever `take` has something or the feed has ended."""

    def __init__(self, feed: Feed, notify: Callable[[], None]) -> None:
        self.feed = feed
        self._notify = notify
        self._lock = threading.Lock()
        self._waiting: Push | None = None
        self.is_closed = False

    def put(self, push: Push) -> None:
        """Add a push to what waits; newer parts replace older ones."""
        with self._lock:
            before = self._waiting
            self._waiting = push if before is None else Push({**before.parts, **push.parts}, push.at, push.delay_ms)
        self._notify()

    def take(self) -> Push | None:
        """Return what waits, once."""
        with self._lock:
            push, self._waiting = self._waiting, None
            return push

    def close(self) -> None:
        """Tell the viewer that nothing more will come."""
        self.is_closed = True
        self._notify()


@dataclass(slots=True, eq=False)
class Feed:
    """What is shown under one key, and to whom."""

    key: str
    content: Content
    viewers: list[Viewer] = field(default_factory=list)
    shown: dict[str, bytes] = field(default_factory=dict)
    stamp: object = None
    passing: threading.Lock = field(default_factory=threading.Lock)


def start_thread(run: Callable[[], None]) -> None:
    """Run the hub's loop in a thread of its own."""
    threading.Thread(target=run, name="nearshift-console-live", daemon=True).start()


class LiveHub:
    """Joins viewers to feeds and runs the passes. `start` gets the loop to run; tests hand in one that does nothing and call `step`."""

    def __init__(
        self, subscribe: Callable[[], Subscription], clock: Clock, start: Callable[[Callable[[], None]], None] = start_thread
    ) -> None:
        self._subscribe = subscribe
        self._clock = clock
        self._start = start
        self._lock = threading.Lock()
        self._feeds: dict[str, Feed] = {}
        self._subscription: Subscription | None = None
        self._stopped = threading.Event()
        self._number = 0
        self._passed_at = 0.0
        self._pool = ThreadPoolExecutor(limits.CONSOLE_PASS_THREADS, thread_name_prefix="nearshift-console-pass")

    def fresh_moment(self) -> Moment:
        """Return a moment of its own for a page asked for once: what passes found before it is not good enough."""
        with self._lock:
            self._number += 1
            return Moment(self._number, self._clock.now())

    @property
    def is_listening(self) -> bool:
        """Whether commits are being followed, which they are only while somebody looks."""
        return self._subscription is not None

    def join(self, key: str, content: Content, notify: Callable[[], None]) -> Viewer:
        """Add a viewer to the feed `key`, made of `content` if nobody looks at it yet; what is known is sent at once.

        Raises Conflict (53300) when there are too many viewers or the hub is closed.
        """
        with self._lock:
            if self._stopped.is_set():
                raise Conflict("the console is shutting down", sqlstate="57P01")
            if sum(len(feed.viewers) for feed in self._feeds.values()) >= limits.CONSOLE_VIEWERS_MAX:
                hint = "Close some of the console's browser tabs."
                raise Conflict(f"more than {limits.CONSOLE_VIEWERS_MAX} viewers are connected", sqlstate="53300", hint=hint)
            feed = self._feeds.setdefault(key, Feed(key, content))
            viewer = Viewer(feed, notify)
            feed.viewers.append(viewer)
            is_first = self._subscription is None
            if is_first:
                self._subscription = self._subscribe()
                self._number += 1
                self._passed_at = self._clock.monotonic()
            if feed.shown:
                viewer.put(Push(dict(feed.shown), self._clock.now(), None))
        if is_first:
            self._start(self._run)
        if not feed.shown:
            self._submit(feed, None)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Take a viewer away; a feed without viewers is dropped. Leaving twice is harmless."""
        with self._lock:
            feed = viewer.feed
            if viewer in feed.viewers:
                feed.viewers.remove(viewer)
            if not feed.viewers and self._feeds.get(feed.key) is feed:
                del self._feeds[feed.key]
            subscription = self._end_if_alone()
        if subscription is not None:
            subscription.close()

    def step(self, timeout_seconds: float) -> int:
        """Wait for a commit, and run the passes that are due; return how many there were."""
        subscription = self._subscription
        if subscription is None:
            return 0
        event = subscription.next(timeout_seconds)
        with self._lock:
            feeds = list(self._feeds.values())
        is_idle_due = (self._clock.monotonic() - self._passed_at) * 1000 >= limits.CONSOLE_IDLE_PASS_MS
        if event is None and not is_idle_due:
            feeds = [feed for feed in feeds if feed.content.stamp() != feed.stamp]
        if not feeds:
            return 0
        with self._lock:
            self._number += 1
        self._passed_at = self._clock.monotonic()
        futures = [future for feed in feeds if (future := self._submit(feed, event.at if event else None))]
        wait(futures)
        return len(futures)

    def close(self) -> None:
        """End all feeds, stop following commits and begin no more passes. Closing twice is harmless."""
        self._stopped.set()
        with self._lock:
            viewers = [viewer for feed in self._feeds.values() for viewer in feed.viewers]
            self._feeds.clear()
            subscription = self._end_if_alone()
        if subscription is not None:
            subscription.close()
        for viewer in viewers:
            viewer.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait_for_passes(self) -> None:
        """Wait, after `close`, until the passes that had begun have ended."""
        self._pool.shutdown(wait=True)

    def _end_if_alone(self) -> Subscription | None:
        if self._feeds:
            return None
        subscription, self._subscription = self._subscription, None
        return subscription

    def _submit(self, feed: Feed, committed_at: datetime | None) -> Future[None] | None:
        try:
            return self._pool.submit(self._pass, feed, committed_at)
        except RuntimeError:  # closed meanwhile
            return None

    def _run(self) -> None:
        mine = self._subscription
        interval = limits.CONSOLE_PASS_INTERVAL_MS / 1000
        while mine is not None and self._subscription is mine:
            if self.step(_POLL_SECONDS):
                self._clock.wait(self._stopped, max(0.0, self._passed_at + interval - self._clock.monotonic()))

    def _pass(self, feed: Feed, committed_at: datetime | None) -> None:
        with feed.passing:
            stamp = feed.content.stamp()
            try:
                parts = dict(feed.content.parts(Moment(self._number, self._clock.now())))
            except Exception:
                logger.exception("a query pass of the console failed")
                parts = {"error": encode(describe_error(InternalError("the console could not show this page")))}
            now = self._clock.now()
            delay = None if committed_at is None else max(0.0, (now - committed_at).total_seconds() * 1000)
            gone = {name: _GONE for name in feed.shown if name not in parts}
            changed = gone | {name: value for name, value in parts.items() if feed.shown.get(name) != value}
            with self._lock:
                feed.stamp, feed.shown = stamp, parts
                viewers = list(feed.viewers)
                for viewer in viewers:
                    viewer.put(Push(changed, now, delay))
