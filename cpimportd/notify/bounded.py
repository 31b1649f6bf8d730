"""Something that may hang, done in a thread that nobody waits for longer than a limit.

A thread of asyncio's own would be waited for when the program ends; one that hangs in the silence of a name server or a
mail server must hold up neither a run nor its end.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


async def bounded(work: Callable[[], Result], seconds: float) -> Result:
    """Do the work, for at most so long.

    Raises:
        TimeoutError: it takes longer; it is left to itself.
        Exception: whatever the work raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def conclude(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(conclude, result, failed)

    threading.Thread(target=run, name="alert", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done
