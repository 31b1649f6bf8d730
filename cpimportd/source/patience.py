"""How long a fetch goes on trying: one budget of time for all its retries and all its waiting, and said meanwhile."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential, wait_random

from cpimportd.config import settings
from cpimportd.core.problems import ProblemError
from cpimportd.core.waiting import SHOWN_AFTER, Wait, Waiting

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Patience:
    """The time that ``retry.within`` grants, counted from here.

    What is under way when it ends is not cut short (its own time limits do that); nothing is begun anew.

    Args:
        retry: the time, and the pauses.
        waits_for: the source, as :data:`cpimportd.core.waiting.WHAT` has it.
    """

    def __init__(self, retry: settings.Retry, waits_for: str = "source") -> None:
        self._waits_for = waits_for
        self.ends = datetime.now(UTC) + retry.within
        """When nothing is begun anew any more, by the wall clock."""
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + retry.within.total_seconds()
        first, longest = retry.wait_first.total_seconds(), retry.wait_longest.total_seconds()
        # The jitter keeps several transfers, and several hosts, from coming back all at the same moment.
        self._wait = wait_exponential(multiplier=first, max=max(first, longest - first)) + wait_random(0, first)
        self.first = first

    def lasts(self, seconds: float) -> bool:
        """Whether one may still wait so long."""
        return self._clock() + seconds <= self._until

    async def insist(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Do something again, after growing pauses, while it fails in a way that may pass.

        Raises:
            ProblemError: of the last attempt; of the first, if that cannot pass (a wrong password must not be tried
                twice, or the account may be locked).
        """
        somebody = Waiting()

        # tenacity awaits only what it sees to be a coroutine function, which a lambda around one is not.
        async def one_attempt() -> _T:
            # A try that lasts so long tells by itself what it does, or who is silent.
            over = asyncio.get_running_loop().call_later(SHOWN_AFTER, somebody.over)
            try:
                return await attempt()
            finally:
                over.cancel()

        try:
            return await AsyncRetrying(
                retry=retry_if_exception(lambda error: isinstance(error, ProblemError) and error.passing),
                wait=self._wait,
                stop=lambda state: not self.lasts(state.upcoming_sleep),
                before_sleep=lambda state: self._say(state, somebody),
                reraise=True,
            )(one_attempt)
        finally:
            somebody.over()

    def _say(self, state: RetryCallState, somebody: Waiting) -> None:
        error = None if state.outcome is None else state.outcome.exception()
        if error is None:
            return
        again = datetime.now(UTC) + timedelta(seconds=state.upcoming_sleep)
        somebody.says(Wait(self._waits_for, _why(error), again, self.ends))
        _log.warning(
            "trying again in %.0f s: %s",
            state.upcoming_sleep,
            error,
            extra={"action": "source.retry", "attempt": state.attempt_number},
        )


def _why(error: BaseException) -> str:
    """In few words, what is wrong: of the network, as the system calls it; else the problem's own."""
    cause = error.__cause__
    if isinstance(cause, OSError) and (cause.errno or 0) > 0:
        return os.strerror(cause.errno or 0).lower()
    found = error.problems[0] if isinstance(error, ProblemError) else None
    if found is None:
        return str(error)
    if found.code == "source-unreachable":  # that it cannot be reached is what one waits for
        return found.message.partition(": ")[2]
    return found.message if found.file is None else f"{found.file} {found.message}"
