"""Where workbooks are read: in child processes on this machine, or on a Dask cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from cpimportd.model import FetchedFile, Snapshot
from cpimportd.reading import ReadJob, Report, read, workers_command
from cpimportd.settings import Reader, Settings
from cpimportd.workbook.forking import ForkServer


class Read(Protocol):
    """Reads one workbook, as :func:`cpimportd.reading.read` does; called for all at once, it takes them in turn."""

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
        """Arguments and result are those of :func:`cpimportd.reading.read`."""
        ...


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Read]:
    """What reads, by ``engine.executor``.

    Raises:
        ProblemError: ``cluster-not-installed``, ``cluster-unreachable``.
    """
    if settings.engine.executor == "dask":
        from cpimportd.cluster import connected  # noqa: PLC0415 - few read elsewhere

        async with connected(settings.engine, settings.reader) as (cluster, _):
            yield cluster.read
        return
    turns = asyncio.Semaphore(settings.reader.parallel)
    async with ForkServer(workers_command()) as workers:

        async def in_turn(
            file: FetchedFile,
            file_no: int,
            job: ReadJob,
            limits: Reader,
            rows_folder: Path,
            *,
            progress: Report = lambda _: None,
        ) -> Snapshot:
            async with turns:
                return await read(file, file_no, job, limits, rows_folder, progress=progress, start=workers.fork)

        yield in_turn
