"""What is waited for, said while the waiting lasts: by whom, why, until when, and when it is tried again.

Whoever waits says so here, in whatever room; whoever does the work decides who hears of it (:func:`told_to`): a run
tells the daemon, a verb its terminal, and elsewhere nobody does. Nothing that is said here changes what is done.

What may answer at once, and mostly does, is told of when it has been silent for :data:`SHOWN_AFTER`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import msgspec

from cpimportd.core.time import clock
from cpimportd.core.typed import Instant

SHOWN_AFTER: Final = 5.0
"""Seconds of silence after which it is said that somebody is waited for."""

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
"""How each of the things that can be waited for is called, by its code."""


class Wait(msgspec.Struct, frozen=True):
    """One thing that is waited for.

    Attributes:
        code: which, of :data:`WHAT`.
        why: what keeps it, in words; empty where nothing is known.
        again: when it is tried again, in UTC; None where it is not tried but awaited.
        until: when it is given up, in UTC; None where that is not known.
        trouble: whether somebody should look; False where it belongs to a usual day.
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

    def told(self, zone: tzinfo | None, now: datetime) -> str:
        """``the FTP server: connection refused; next try 06:12:07, gives up 06:20``.

        Args:
            zone: in which instants are told; None: that of the machine.
            now: the wall clock.
        """
        ends = []
        if self.again is not None:
            ends.append("being tried again" if self.again <= now else f"next try {clock(self.again, zone, now)}")
        if self.until is not None:
            ends.append(f"gives up {clock(self.until, zone, now)}")
        said = f"{self.what}: {self.why}" if self.why else self.what
        return f"{said}; {', '.join(ends)}" if ends else said


def told(waits: Sequence[Wait], zone: tzinfo | None, now: datetime) -> str:
    """The first of them, and how many more there are."""
    more = f" (and {len(waits) - 1} more)" if len(waits) > 1 else ""
    return f"{waits[0].told(zone, now)}{more}"


Tell = Callable[[tuple[Wait, ...]], None]
"""Is told all that is waited for, whenever that has changed: what is trouble first, then what began first."""


class _Board:
    """What is waited for now, and who is told."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._waits: dict[object, Wait] = {}
        self._told: tuple[Wait, ...] = ()

    def put(self, key: object, wait: Wait | None) -> None:
        """Somebody waits for this, or waits no more."""
        if wait is None:
            self._waits.pop(key, None)
        else:
            self._waits[key] = wait
        now = tuple(sorted(self._by_what(), key=lambda wait: not wait.trouble))
        if now != self._told:
            self._told = now
            self._tell(now)

    def _by_what(self) -> list[Wait]:
        """One for each thing that is waited for, however many wait for it: the one that is tried first."""
        found: dict[str, Wait] = {}
        for wait in self._waits.values():
            other = found.get(wait.code)
            if other is None or (wait.again is not None and (other.again is None or wait.again < other.again)):
                found[wait.code] = wait
        return list(found.values())


_board: ContextVar[_Board | None] = ContextVar("cpimportd-waiting", default=None)


@contextmanager
def told_to(tell: Tell) -> Iterator[None]:
    """Whatever is waited for in this block, and in tasks that begin in it, is told so."""
    token = _board.set(_Board(tell))
    try:
        yield
    finally:
        _board.reset(token)


class Waiting:
    """Somebody who may wait: says what for, and says something else as it changes."""

    def __init__(self) -> None:
        self._board = _board.get()

    def says(self, wait: Wait) -> None:
        """This is waited for now."""
        if self._board is not None:
            self._board.put(self, wait)

    def over(self) -> None:
        """Nothing is waited for any more, or for now."""
        if self._board is not None:
            self._board.put(self, None)


@contextmanager
def waiting(wait: Wait | None = None) -> Iterator[Waiting]:
    """Wait in this block: for this from the beginning, or for what is said later."""
    somebody = Waiting()
    if wait is not None:
        somebody.says(wait)
    try:
        yield somebody
    finally:
        somebody.over()


@asynccontextmanager
async def silence(
    code: str, why: str = "no answer yet", limit: float | None = None, *, trouble: bool = True, times: int = 1
) -> AsyncIterator[Callable[[], None]]:
    """Do something that is over soon, as a rule; where it is not, it is said that it is waited for.

    Args:
        code: who is silent, of :data:`WHAT`.
        why: in words.
        limit: seconds of silence after which it is given up; None where nobody knows.
        trouble: whether somebody should look.
        times: how many times :data:`SHOWN_AFTER` it may be silent: more for who works than for who has to answer.

    Yields:
        What to call whenever something is heard after all.
    """
    somebody, loop, after = Waiting(), asyncio.get_running_loop(), times * SHOWN_AFTER
    heard_at, shown, timer = loop.time(), False, None

    def look() -> None:
        nonlocal shown, timer
        quiet = loop.time() - heard_at
        if quiet < after:
            timer = loop.call_later(after - quiet, look)
            return
        until = None if limit is None else datetime.now(UTC) + timedelta(seconds=max(0.0, limit - quiet))
        shown, timer = True, None
        somebody.says(Wait(code, why, until=until, trouble=trouble))

    def heard() -> None:
        nonlocal heard_at, shown, timer
        heard_at = loop.time()
        if shown:
            shown = False
            somebody.over()
            timer = loop.call_later(after, look)

    timer = loop.call_later(after, look)
    try:
        yield heard
    finally:
        if timer is not None:
            timer.cancel()
        somebody.over()
