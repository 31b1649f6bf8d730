"""What asyncio cannot do because the machine gives no more: said now and then, without a traceback, and not in a spin.

A pipe that cannot be read for want of memory stays readable: the event loop would try again at once, for ever, and say
so each time.
"""

import asyncio
import time
from typing import Any, Final

from cpimportd.core.system import exhausted
from cpimportd.daemon.journal import tell_problem

_SAID_EVERY: Final = 60.0
"""Seconds."""

_BREATH: Final = 0.1
"""Seconds of rest before the loop tries again; short beside every span of the watchdog."""


class Exhaustion:
    """An exception handler of an event loop."""

    def __init__(self) -> None:
        self._said: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Hear what went wrong in a callback."""
        error = context.get("exception")
        found = None if error is None else exhausted(error)
        if found is None:
            loop.default_exception_handler(context)
            return
        if self._said is None or loop.time() - self._said >= _SAID_EVERY:
            self._said = loop.time()
            tell_problem(found)
        time.sleep(_BREATH)
