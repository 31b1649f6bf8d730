"""Whether readers of the books have still to be told of a run, as far as a daemon can know that asks no database.

A run tells them itself, behind its COMMIT. One whose process died may have got that far and no farther; one that
found the cache away says so. Then a process of its own looks what is outstanding and does it: at once, and again now
and then.
"""

from typing import Final

from cpimportd.core.outcomes import JUDGED
from cpimportd.daemon.attempts import NOTIFY, Ended, RunCommand
from cpimportd.daemon.messages import Result

AGAIN_AFTER: Final = 600.0
"""Seconds before readers who could not be told are tried again; doubled each time, up to :data:`LONGEST`."""

LONGEST: Final = 7200.0
"""Seconds between two tries at most: what only a human can mend is not worth more."""


class Readers:
    """Keeps when readers are to be told next.

    Args:
        at_once: whether an earlier daemon may have left something to be told.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._next = 0.0 if at_once else None
        self._wait = AGAIN_AFTER

    def due(self, monotonic: float) -> bool:
        """Whether they are to be told now."""
        return self._next is not None and monotonic >= self._next

    def ended(self, order: RunCommand, ended: Ended, monotonic: float) -> None:
        """Hear how a run of the daemon's ended.

        Args:
            order: what it was to do.
            ended: how that went.
            monotonic: the monotonic clock, in seconds.
        """
        if ended.result is not None:
            self.heard(ended.result, monotonic, looked=order.job == NOTIFY)
        elif order.job == NOTIFY:
            self._later(monotonic)
        elif order.job == "import":
            self._next = monotonic

    def heard(self, result: Result, monotonic: float, *, looked: bool = False) -> None:
        """Hear of what a run says of itself, also of one beside the daemon.

        Args:
            result: what it says.
            monotonic: the monotonic clock, in seconds.
            looked: whether it was there for nothing else.
        """
        if result.untold and looked:
            self._later(monotonic)
        elif result.untold:
            self._next, self._wait = monotonic + AGAIN_AFTER, AGAIN_AFTER
        elif looked or result.status in JUDGED:
            self._next, self._wait = None, AGAIN_AFTER

    def _later(self, monotonic: float) -> None:
        self._next, self._wait = monotonic + self._wait, min(self._wait * 2, LONGEST)
