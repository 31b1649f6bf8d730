"""Where workbooks are read: in child processes on this machine, or on a Dask cluster."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from cpimportd.config.libraries import READING, require_new_enough
from cpimportd.config.settings import Reader, Settings
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.reading import ReadJob, Report, prefork_command, read

P = ParamSpec("P")
Result = TypeVar("Result")
Act = Callable[P, Coroutine[Any, Any, Result]]


class Read(Protocol):
    """Reads one workbook, as :func:`read` does; called for all at once, it takes them in turn."""

    async def __call__(
        self,
        file: FetchedFile,
        file_no: int,
        job: ReadJob,
        limits: Reader,
        rows_folder: Path,
        *,
        progress: Report = ...,
    ) -> Snapshot:
        """Arguments and result are those of :func:`cpimportd.workbook.reading.read`."""
        ...


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Read]:
    """What reads, by ``engine.executor``.

    Raises:
        ProblemError: ``cluster-not-installed``, ``cluster-unreachable``, ``library-old``.
    """
    if settings.engine.executor == "dask":
        from cpimportd.workbook.cluster.parent import connected  # noqa: PLC0415 - few read elsewhere

        async with connected(settings.engine, settings.reader) as (cluster, _):
            yield cluster.read
        return
    require_new_enough(READING)
    async with ForkServer(prefork_command()) as workers:
        yield _in_turn(partial(read, start=workers.fork), settings.reader.parallel)


def _in_turn(act: Act[P, Result], at_once: int) -> Act[P, Result]:
    """The same act, for so many callers at a time."""
    turns = asyncio.Semaphore(at_once)

    async def in_turn(*arguments: P.args, **named: P.kwargs) -> Result:
        async with turns:
            return await act(*arguments, **named)

    return in_turn
