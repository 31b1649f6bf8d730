"""One time budget for all retries and waits of a fetch, and the check whether an upload is complete.

FTP does not show when an upload is complete. A file that was last written at least ``stable_for`` ago, by the server's
clock compared with ours, counts as complete at once: a usual morning has no wait. Any other file is checked again:

- a younger file: until it is old enough and two checks agree;
- a file without a time (a server without MLSD and MDTM), or with an impossible one (before 2000, or more than a minute
  ahead of our clock: a server that reports local time east of Greenwich): until two checks ``stable_for`` apart agree;
- a file that changed or was locked by another program although it seemed old (a wrong clock, local time west of
  Greenwich): likewise, whatever its time.

All this only saves work: the file's size before and after the transfer, and the workbook in it, decide whether a file
is complete.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential, wait_random

from cpimportd.config import settings
from cpimportd.core.phrases import Phrase, phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.waiting import SHOWN_AFTER, Wait, WaitReporter, waiting
from cpimportd.source.interface import Entry, FileState

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class RetryBudget:
    """The time for retries, ``retry.within``, counted from here.

    A try in progress at its end continues, within its own time limits; no further try is started.

    Args:
        retry: the time, and the pauses.
        wait_code: the source, as :data:`cpimportd.core.waiting.WHAT` has it.
    """

    def __init__(self, retry: settings.Retry, wait_code: str = "source") -> None:
        self._wait_code = wait_code
        self.ends = datetime.now(UTC) + retry.within
        """When nothing is begun anew any more, by the wall clock."""
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + retry.within.total_seconds()
        first, longest = retry.wait_first.total_seconds(), retry.wait_longest.total_seconds()
        # The jitter keeps several transfers, and several hosts, from coming back all at the same moment.
        self._wait = wait_exponential(multiplier=first, max=max(first, longest - first)) + wait_random(0, first)
        self.first = first

    def allows(self, seconds: float) -> bool:
        """Whether so many seconds are left."""
        return self._clock() + seconds <= self._until

    async def retry(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Retry an operation after growing pauses while its failures are transient.

        Raises:
            ProblemError: of the last attempt; of the first, if it is permanent (a wrong password must not be tried
                twice, or the account may be locked).
        """
        waiter = WaitReporter()

        # tenacity awaits only what it sees to be a coroutine function, which a lambda around one is not.
        async def one_attempt() -> _T:
            # A try that lasts this long reports its own waits.
            clear_wait = asyncio.get_running_loop().call_later(SHOWN_AFTER, waiter.clear)
            try:
                return await attempt()
            finally:
                clear_wait.cancel()

        try:
            return await AsyncRetrying(
                retry=retry_if_exception(lambda error: isinstance(error, ProblemError) and error.passing),
                wait=self._wait,
                stop=lambda state: not self.allows(state.upcoming_sleep),
                before_sleep=lambda state: self._report_retry(state, waiter),
                reraise=True,
            )(one_attempt)
        finally:
            waiter.clear()

    def _report_retry(self, state: RetryCallState, waiter: WaitReporter) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        if error is None:
            return
        again = datetime.now(UTC) + timedelta(seconds=state.upcoming_sleep)
        waiter.report(Wait(self._wait_code, _why(error), again, self.ends))
        _log.warning(
            "trying again in %.0f s: %s",
            state.upcoming_sleep,
            error,
            extra={"action": "source.retry", "attempt": state.attempt_number},
        )


def _why(error: BaseException) -> str:
    """A short reason: the system's text for a network error, otherwise the problem's."""
    cause = error.__cause__
    if isinstance(cause, OSError) and (cause.errno or 0) > 0:
        return os.strerror(cause.errno or 0).lower()
    found = error.problems[0] if isinstance(error, ProblemError) else None
    if found is None:
        return str(error)
    if found.code == "source-unreachable":  # that it cannot be reached is what one waits for
        return found.message.partition(": ")[2]
    return found.message if found.file is None else f"{found.file} {found.message}"


_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCK_TOLERANCE = timedelta(minutes=1)
_SHORTEST_PAUSE = 0.05
_TOO_YOUNG: Final = phrase("young")


def age(look: FileState, now: datetime) -> float | None:
    """Seconds since the file was last written; None if the server tells no time, or an impossible one."""
    if look.modified is None or not _EARLIEST <= look.modified <= now + _CLOCK_TOLERANCE:
        return None
    return max(0.0, (now - look.modified).total_seconds())


async def wait_until_stable(
    entry: Entry,
    look: Callable[[], Awaitable[FileState]],
    stable_for: float,
    budget: RetryBudget,
    *,
    doubt: Phrase | None = None,
) -> Entry:
    """Wait until the upload of a file seems complete.

    Args:
        entry: the file with its last state.
        look: reads its current state.
        stable_for: seconds without a change that count as the end.
        budget: how long to wait at most.
        doubt: why its modification time is unreliable; None if it is reliable.

    Returns:
        The file with its final state.

    Raises:
        ProblemError: still-uploading, and whatever ``look`` raises.
    """
    if doubt is None and _is_old_enough(entry.look, stable_for):
        return entry
    clock = asyncio.get_running_loop().time
    # The listing may have told another time than MDTM does; only looks of the same kind are compared.
    seen, since = await look(), clock()
    why = doubt or _TOO_YOUNG
    while True:
        pause = stable_for - (clock() - since)
        aged = age(seen, datetime.now(UTC)) if doubt is None else None
        if aged is not None:
            pause = stable_for - aged
        if pause <= 0:
            return replace(entry, look=FileState(seen.size, seen.modified or entry.look.modified))
        pause = max(pause, _SHORTEST_PAUSE)
        if not budget.allows(pause):
            raise ProblemError(problem("still-uploading", file=entry.name, reason=why))
        await _pause(pause, f"{entry.name}: {why}", budget, trouble=why != _TOO_YOUNG)
        now = await look()
        if now != seen:
            why = describe_change(seen, now)
            seen, since = now, clock()


async def _pause(seconds: float, why: str, budget: RetryBudget, *, trouble: bool) -> None:
    """Wait and report it; a young file is normal, one that changes or is in use needs attention."""
    again = datetime.now(UTC) + timedelta(seconds=seconds)
    with waiting(Wait("upload", why, again, budget.ends, trouble=trouble)):
        await asyncio.sleep(seconds)


def describe_change(before: FileState, after: FileState) -> Phrase:
    """What two states of a file, in words."""
    if before.size != after.size:
        return phrase("size-changed", before=before.size, after=after.size)
    return phrase("written-anew")


def _is_old_enough(look: FileState, stable_for: float) -> bool:
    aged = age(look, datetime.now(UTC))
    return stable_for == 0 or (aged is not None and aged >= stable_for)
