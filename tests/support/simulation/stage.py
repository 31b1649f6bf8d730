"""Where a story is played: its clocks, the event loop, the state disk, the database; and the model, which looks on."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import schedule

from cpimportd.daemon import service
from cpimportd.daemon import status as document
from cpimportd.timetable import calendar
from tests.support.simulation.audit import Launched, Quiet, audit
from tests.support.simulation.calendar import ReadOnce
from tests.support.simulation.hearing import Hearing, Told
from tests.support.simulation.life import Disk, Life
from tests.support.simulation.model import Model
from tests.support.simulation.observed import Instant
from tests.support.simulation.punctuality import Punctuality
from tests.support.simulation.runs import Database
from tests.support.simulation.scene import Configured, Outcome
from tests.support.simulation.virtual_time import Clocks, VirtualLoop

LINES = 40
"""Of the story's diary, shown when it goes wrong."""

ROUNDS = 20
"""Of the event loop, in which everything happens that happens at one instant."""


class Stage:
    """Plays, and compares every instant with the model.

    Args:
        wall: what the clock shows at first.
        configured: the configuration at first.
        outcomes: of the runs, in the order in which they are started; those after are published.
        longest_sleep: seconds; the longest sleep between two looks at the clock.
        busy_slice: seconds; the same while a run is under way.
    """

    def __init__(
        self,
        wall: datetime,
        configured: Configured,
        outcomes: Iterable[Outcome] = (),
        *,
        longest_sleep: float = 1200.0,
        busy_slice: float = 15.0,
    ) -> None:
        self.clocks = Clocks(wall)
        self.configured = self.loaded = configured
        self.refused = False
        self.outcomes: Iterator[Outcome] = iter(outcomes)
        self.slice = longest_sleep
        self.disk = Disk()
        self.database = Database()
        self.punctuality = Punctuality(longest_sleep, busy_slice)
        self.model = Model(self.punctuality)
        self.instant = Instant()
        self.life: Life | None = None
        self.loop = VirtualLoop(self.clocks, self._settle)
        self.diary: deque[str] = deque(maxlen=LINES)
        self.looks = self.pruned = 0
        self.launches: list[Launched] = []
        self.heard: list[Told] = []
        self.quiet: list[Quiet] = []
        self.busy_slice = busy_slice
        self._actions = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        """For as long as the story lasts the modules that have clocks of their own go by the story's."""
        clocks = self.clocks
        wall = SimpleNamespace(now=lambda _zone=None: clocks.wall.replace(tzinfo=None))
        times = SimpleNamespace(datetime=wall, timedelta=timedelta)
        with (
            Hearing(self._hear, self.log),
            mock.patch.object(service, "BUSY_SLEEP", self.busy_slice),
            # A story's file never changes by itself: to look for that as often as real time does would take all of it.
            mock.patch.object(service, "REFUSED_SLEEP", self.slice),
            mock.patch.object(schedule, "datetime", times),
            mock.patch.object(calendar, "BaseIterator", ReadOnce),
            # The status file takes most of a turn, and is nobody's business here.
            mock.patch.object(document, "status_document", _nothing),
        ):
            try:
                yield
            finally:
                if self.life is not None:
                    self.bury()
                self.loop.close()

    def look_back(self) -> int:
        """Assert what is true of any story; for how many slots it was asserted."""
        busy = sum(((run.ended or run.monotonic) - run.monotonic) / self.busy_slice + 4 for run in self.launches)
        enough = self.clocks.monotonic / self.slice + busy + 4 * (self._actions + len(self.model.fates)) + 10
        assert self.looks <= enough, f"{self.looks} looks at the clock, where {enough:.0f} are enough"
        return audit(self.quiet, self.launches, timedelta(seconds=self.slice))

    # What the daemon does is seen here.

    def log(self, text: str) -> None:
        """Write a line into the diary."""
        self.diary.append(f"{self.clocks.wall:%Y-%m-%d %H:%M:%S}Z {self.clocks.monotonic:>12.1f}  {text}")

    def saved(self, well: bool) -> None:
        """The daemon saved its memory, or could not."""
        if well:
            self.instant.saved += 1
        else:
            self.instant.failed += 1

    def _hear(self, told: Told) -> None:
        self.heard.append(told)
        self.instant.told.append(told)

    def _settle(self) -> None:
        """Everything has happened at this instant."""
        if self.life is not None and self.life.serving.done() and not self.model.stopping:
            self.life.serving.result()
            raise AssertionError("the daemon ended by itself")
        instant, self.instant = self.instant, Instant()
        self.looks += instant.looked
        self.model.settle(instant, self.clocks.monotonic)
        if instant.saved:
            self.disk.settle(self.model.books)

    # How time passes.

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let the event loop turn until something is done."""
        self.loop.run_until_complete(work)

    def signal(self, handler: Callable[[], None]) -> None:
        """Have the event loop call a signal's handler."""

        async def ring() -> None:
            handler()

        self.run(ring())

    def drain(self) -> None:
        """Let everything happen that happens at this instant, and compare it."""

        async def rounds() -> None:
            for _ in range(ROUNDS):
                await asyncio.sleep(0)

        if self.life is not None:
            self.run(rounds())
            self._settle()
            self.punctuality.has_not_overslept(self.clocks.monotonic)

    def bury(self) -> None:
        """The daemon is dead: nothing of it goes on."""
        assert self.life is not None
        self.life.alive = False
        self.life = None
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            self.run(_gone(tasks))
        self.instant = Instant()


def _nothing(*_: object) -> str:
    return ""


async def _gone(tasks: set["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
