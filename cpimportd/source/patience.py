"""How long a fetch goes on trying: one budget of time for all its retries and all its waiting."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential, wait_random

from cpimportd import settings
from cpimportd.problems import ProblemError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Patience:
    """The time that ``retry.within`` grants, counted from here.

    What is under way when it ends is not cut short (its own time limits do that); nothing is begun anew.
    """

    def __init__(self, retry: settings.Retry) -> None:
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

        # tenacity awaits only what it sees to be a coroutine function, which a lambda around one is not.
        async def one_attempt() -> _T:
            return await attempt()

        return await AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, ProblemError) and error.passing),
            wait=self._wait,
            stop=lambda state: not self.lasts(state.upcoming_sleep),
            before_sleep=_say,
            reraise=True,
        )(one_attempt)


def _say(state: RetryCallState) -> None:
    if state.outcome is not None:
        _log.warning(
            "trying again in %.0f s: %s",
            state.upcoming_sleep,
            state.outcome.exception(),
            extra={"action": "source.retry", "attempt": state.attempt_number},
        )
