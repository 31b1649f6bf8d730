"""Reading a day's workbooks as a run does, without a run."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cpimportd.config.settings import Reader, Settings
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.workbook import reading
from cpimportd.workbook.reading import ReadJob


async def read_all(
    files: Sequence[FetchedFile], job: ReadJob, limits: Reader, rows_folder: Path
) -> tuple[Snapshot, ...]:
    """One snapshot per file, in the order of the files; as many are read at once as the limits say."""
    async with reading.opened(Settings(reader=limits)) as read, asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(file, file_no, job, limits, rows_folder)) for file_no, file in enumerate(files)]
    return tuple(task.result() for task in tasks)
