"""What must not be stopped halfway: a cancellation that arrives meanwhile has come too late, and is dropped."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

_Result = TypeVar("_Result")


async def uninterrupted(work: Coroutine[object, object, _Result]) -> _Result:
    """Carry some work through to its end, whatever cancellations reach the calling task while it lasts.

    From COMMIT on, a run is finished rather than given up: its outcome has to be recorded and told.

    Raises:
        Exception: whatever the work itself raises.
    """
    inner = asyncio.ensure_future(work)
    while not inner.done():
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if inner.cancelled() or current is None:
                raise
            current.uncancel()
        except BaseException:  # noqa: BLE001, S110 (raised again by result() below)
            pass
    return inner.result()
