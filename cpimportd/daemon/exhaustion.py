"""The event loop's exception handler: errors of an exhausted machine are logged once a minute, without a traceback.

A pipe that cannot be read for lack of memory stays readable: without a pause the event loop would retry it at once,
forever, and log each time.
"""

import asyncio
import time
from typing import Any, Final

from cpimportd.core.system import exhausted
from cpimportd.daemon.journal import log_problem

_LOG_EVERY: Final = 60.0
"""Seconds."""

_PAUSE: Final = 0.1
"""Seconds before the loop retries; short beside any watchdog interval."""


class LoopExceptionHandler:
    """An exception handler of an event loop."""

    def __init__(self) -> None:
        self._last_logged: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error of a callback."""
        error = context.get("exception")
        found = None if error is None else exhausted(error)
        if found is None:
            loop.default_exception_handler(context)
            return
        if self._last_logged is None or loop.time() - self._last_logged >= _LOG_EVERY:
            self._last_logged = loop.time()
            log_problem(found)
        time.sleep(_PAUSE)
