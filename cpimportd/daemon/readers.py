"""Retries of outstanding notifications, as far as a daemon without a database can know of them.

A run notifies readers itself, after its COMMIT. A crashed run may have stopped in between; a run that could not reach
the cache reports that. Then the daemon starts the ``notify`` job, at once, and again with growing delays.
"""

from typing import Final

from cpimportd.core.outcomes import JUDGED
from cpimportd.daemon.attempts import NOTIFY, RunCommand, RunExit
from cpimportd.daemon.messages import RunResult

RETRY_AFTER: Final = 600.0
"""Seconds until a failed notification is retried; doubled each time, up to :data:`LONGEST_DELAY`."""

LONGEST_DELAY: Final = 7200.0
"""The longest delay in seconds: what only a human can fix needs no more frequent retries."""


class NotifyRetry:
    """Decides when the ``notify`` job is due.

    Args:
        at_once: whether an earlier daemon may have left notifications outstanding.
    """

    def __init__(self, *, at_once: bool) -> None:
        self._next = 0.0 if at_once else None
        self._delay = RETRY_AFTER

    def due(self, monotonic: float) -> bool:
        """Whether to start the job now."""
        return self._next is not None and monotonic >= self._next

    def note_exit(self, command: RunCommand, ended: RunExit, monotonic: float) -> None:
        """Note the exit of a run that the daemon started.

        Args:
            command: of the run.
            ended: how it ended.
            monotonic: the monotonic clock, in seconds.
        """
        if ended.result is not None:
            self.note_result(ended.result, monotonic, notify_only=command.job == NOTIFY)
        elif command.job == NOTIFY:
            self._postpone(monotonic)
        elif command.job == "import":
            self._next = monotonic

    def note_result(self, result: RunResult, monotonic: float, *, notify_only: bool = False) -> None:
        """Note the result of a run, whoever started it.

        Args:
            result: of the run.
            monotonic: the monotonic clock, in seconds.
            notify_only: whether it was a ``notify`` job.
        """
        if result.untold and notify_only:
            self._postpone(monotonic)
        elif result.untold:
            self._next, self._delay = monotonic + RETRY_AFTER, RETRY_AFTER
        elif notify_only or result.status in JUDGED:
            self._next, self._delay = None, RETRY_AFTER

    def _postpone(self, monotonic: float) -> None:
        self._next, self._delay = monotonic + self._delay, min(self._delay * 2, LONGEST_DELAY)
