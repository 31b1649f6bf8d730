"""What goes on now, as server-sent events to a few watchers at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cpimportd.core.problems import problem
from cpimportd.web.daemon_view import FRESH
from cpimportd.web.place import Place
from cpimportd.web.problem_details import response

MOST_WATCHERS: Final = 16
_QUIET: Final = 15.0
"""Seconds of silence after which a stream says that it is still there: a proxy ends one that says nothing."""
_AS_IT_COMES: Final = {"X-Accel-Buffering": "no", "Cache-Control": "no-store, no-transform"}
"""To proxies: nginx would collect a stream, others would compress it, and so hold it back."""


class Events(StreamingResponse):
    """A stream of ``status`` events, or a refusal where there are enough of them.

    A place is taken when the answer begins and given back when it ends, however it ends.

    Args:
        here: the place.
    """

    media_type = "text/event-stream"

    def __init__(self, here: Place) -> None:
        super().__init__(_changes(here), headers=_AS_IT_COMES)
        self._here = here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if self._here.watchers >= MOST_WATCHERS:
            refused = response(Request(scope), problem("web-too-many", value=MOST_WATCHERS))
            await refused(scope, receive, send)
            return
        self._here.watchers += 1  # nothing is awaited in between
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._here.watchers -= 1


async def _changes(here: Place) -> AsyncIterator[str]:
    """One event whenever the daemon's status changes; starlette breaks it off when the watcher goes."""
    shown, quiet = "", 0.0
    while not here.stopping.is_set():
        seen = (await here.daemon.look()).live
        line = json.dumps(seen, ensure_ascii=False)
        if line != shown:
            shown, quiet = line, 0.0
            yield f"event: status\ndata: {line}\n\n"
        elif quiet >= _QUIET:
            quiet = 0.0
            yield ": still here\n\n"
        try:
            await asyncio.wait_for(here.stopping.wait(), FRESH)
        except TimeoutError:
            quiet += FRESH
