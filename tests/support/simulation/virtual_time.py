"""Clocks that only a story moves, and an event loop that jumps over every wait instead of sitting it out."""

import asyncio
import math
import selectors
from collections.abc import Callable
from datetime import datetime, timedelta

SPINS = 5_000
"""Rounds of the event loop within one instant; a loop that needs more is busy."""


class Clocks:
    """A wall clock and a monotonic clock.

    Args:
        wall: what the wall clock shows at first, in UTC.
    """

    def __init__(self, wall: datetime) -> None:
        self.monotonic = 0.0
        self._base = wall

    @property
    def wall(self) -> datetime:
        """The wall clock, in UTC, to the microsecond."""
        return self._base + timedelta(seconds=self.monotonic)

    def step(self, by: timedelta) -> None:
        """Somebody sets the wall clock; also what a suspend looks like, in which the monotonic clock stands still."""
        self._base += by


class VirtualLoop(asyncio.SelectorEventLoop):
    """The real event loop of asyncio, on a monotonic clock that jumps to the next timer when nothing is ready.

    Args:
        clocks: the clocks; the monotonic one is the loop's.
        settle: called whenever everything that happens at an instant has happened, before time goes on.
    """

    def __init__(self, clocks: Clocks, settle: Callable[[], None]) -> None:
        self._clocks = clocks
        super().__init__(_Jump(clocks, settle, lambda: bool(self._ready)))

    def time(self) -> float:
        return self._clocks.monotonic


class _Jump(selectors.SelectSelector):
    """Waits for nothing: there are no files here, only timers."""

    def __init__(self, clocks: Clocks, settle: Callable[[], None], is_busy: Callable[[], bool]) -> None:
        super().__init__()
        self._clocks = clocks
        self._settle = settle
        self._is_busy = is_busy
        self._spins = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for something that never comes"
        if timeout <= 0:
            self._spins += 1
            assert self._spins < SPINS, "the loop is busy: it turns and turns while no time passes"
            if not self._is_busy():
                # A timer is ready a nanosecond after its instant, says asyncio; after half a year of seconds no double
                # is so fine any more. So the least time passes, as it does on a real clock.
                self._clocks.monotonic = math.nextafter(self._clocks.monotonic, math.inf)
            return []
        self._spins = 0
        self._settle()
        self._clocks.monotonic += timeout
        return []
