"""Reports waits while they last: what for, why, until when, and the time of the next attempt.

Any room reports a wait here. The caller of the work chooses the receiver (:func:`report_waits_to`): a run sends its
waits to the daemon, a verb prints them at a terminal; without a receiver they are dropped. Reporting changes nothing
in the work itself.

What usually answers at once is reported only after :data:`SHOWN_AFTER` seconds of silence.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import msgspec

from cpimportd.core.formatting import clock
from cpimportd.core.typed import Instant

SHOWN_AFTER: Final = 5.0
"""Seconds of silence after which a wait is reported."""

WHAT: Final = {
    "source": "the FTP server",
    "folder": "the folder of workbooks",
    "upload": "an upload to end",
    "other-half": "the other half of an upload",
    "database": "the database",
    "lock": "a lock in the database",
    "commit": "the database, to learn whether COMMIT took place",
    "upgrade": "another upgrade of the schema",
    "backup": "pg_dump, which keeps a copy of the books",
    "reader": "the reader of a workbook",
    "cluster": "the cluster",
    "cache": "the cache",
    "views": "a materialized view to be refreshed",
    "alerts": "alerts to be sent",
    "daemon": "the daemon's answer",
}
"""Names of what can be waited for, by code."""


class Wait(msgspec.Struct, frozen=True):
    """One thing that is waited for.

    Attributes:
        code: a key of :data:`WHAT`.
        why: the reason, in words; empty if unknown.
        again: time of the next try, in UTC; None if there is no retry but an answer outstanding.
        until: when the wait is given up, in UTC; None if unknown.
        trouble: whether it needs attention; False for a wait of a normal day.
    """

    code: str = msgspec.field(name="for")
    why: str = ""
    again: Instant | None = msgspec.field(name="next", default=None)
    until: Instant | None = None
    trouble: bool = True

    @property
    def what(self) -> str:
        """What is waited for, in words."""
        return WHAT.get(self.code, self.code)

    def describe(self, zone: tzinfo | None, now: datetime) -> str:
        """``the FTP server: connection refused; next try 06:12:07, gives up 06:20``.

        Args:
            zone: time zone for the instants; None means the machine's.
            now: the wall clock.
        """
        ends = []
        if self.again is not None:
            ends.append("being tried again" if self.again <= now else f"next try {clock(self.again, zone, now)}")
        if self.until is not None:
            ends.append(f"gives up {clock(self.until, zone, now)}")
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text}; {', '.join(ends)}" if ends else text


def describe_waits(waits: Sequence[Wait], zone: tzinfo | None, now: datetime) -> str:
    """The first wait, and the number of the others."""
    more = f" (and {len(waits) - 1} more)" if len(waits) > 1 else ""
    return f"{waits[0].describe(zone, now)}{more}"


WaitsCallback = Callable[[tuple[Wait, ...]], None]
"""Receives all current waits whenever they change: those that need attention first, then the oldest."""


class _CurrentWaits:
    """The current waits and their receiver."""

    def __init__(self, callback: WaitsCallback) -> None:
        self._callback = callback
        self._waits: dict[object, Wait] = {}
        self._reported: tuple[Wait, ...] = ()

    def put(self, key: object, wait: Wait | None) -> None:
        """Set or clear the wait of one reporter (``key``)."""
        if wait is None:
            self._waits.pop(key, None)
        else:
            self._waits[key] = wait
        now = tuple(sorted(self._one_per_code(), key=lambda wait: not wait.trouble))
        if now != self._reported:
            self._reported = now
            self._callback(now)

    def _one_per_code(self) -> list[Wait]:
        """One wait per code, however many report it: the one with the earliest next try."""
        found: dict[str, Wait] = {}
        for wait in self._waits.values():
            other = found.get(wait.code)
            if other is None or (wait.again is not None and (other.again is None or wait.again < other.again)):
                found[wait.code] = wait
        return list(found.values())


_current_waits: ContextVar[_CurrentWaits | None] = ContextVar("cpimportd-waiting", default=None)


@contextmanager
def report_waits_to(callback: WaitsCallback) -> Iterator[None]:
    """Send every wait in this block, and in tasks started in it, to the callback."""
    token = _current_waits.set(_CurrentWaits(callback))
    try:
        yield
    finally:
        _current_waits.reset(token)


class WaitReporter:
    """Reports one wait at a time; a new one replaces it."""

    def __init__(self) -> None:
        self._current_waits = _current_waits.get()

    def report(self, wait: Wait) -> None:
        """Report a wait, in place of the previous one."""
        if self._current_waits is not None:
            self._current_waits.put(self, wait)

    def clear(self) -> None:
        """End the reported wait."""
        if self._current_waits is not None:
            self._current_waits.put(self, None)


@contextmanager
def waiting(wait: Wait | None = None) -> Iterator[WaitReporter]:
    """Report waits in this block: the given one from the start, or those reported later."""
    reporter = WaitReporter()
    if wait is not None:
        reporter.report(wait)
    try:
        yield reporter
    finally:
        reporter.clear()


@asynccontextmanager
async def report_slow(
    code: str, why: str = "no answer yet", limit: float | None = None, *, trouble: bool = True, times: int = 1
) -> AsyncIterator[Callable[[], None]]:
    """Report a wait if the block gets no answer for a while.

    Args:
        code: what should answer, a key of :data:`WHAT`.
        why: the reason, in words.
        limit: seconds of silence after which it is given up; None if unknown.
        trouble: whether the wait needs attention.
        times: multiple of :data:`SHOWN_AFTER` before the wait is reported: higher for work than for a mere answer.

    Yields:
        The function to call at each answer.
    """
    reporter, loop, after = WaitReporter(), asyncio.get_running_loop(), times * SHOWN_AFTER
    answered_at, shown, timer = loop.time(), False, None

    def check() -> None:
        nonlocal shown, timer
        silent_for = loop.time() - answered_at
        if silent_for < after:
            timer = loop.call_later(after - silent_for, check)
            return
        until = None if limit is None else datetime.now(UTC) + timedelta(seconds=max(0.0, limit - silent_for))
        shown, timer = True, None
        reporter.report(Wait(code, why, until=until, trouble=trouble))

    def on_answer() -> None:
        nonlocal answered_at, shown, timer
        answered_at = loop.time()
        if shown:
            shown = False
            reporter.clear()
            timer = loop.call_later(after, check)

    timer = loop.call_later(after, check)
    try:
        yield on_answer
    finally:
        if timer is not None:
            timer.cancel()
        reporter.clear()
