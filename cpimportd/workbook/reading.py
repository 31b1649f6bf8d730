"""Turns downloaded workbooks into snapshots: a limited child process each (``worker``), whose output is not trusted.

An error in a file becomes a problem of its snapshot, never an exception: one bad file does not stop the others.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import cpimportd
from cpimportd.config.libraries import READING, require_new_enough
from cpimportd.config.settings import Reader, Settings
from cpimportd.core.files import open_private
from cpimportd.core.model import Progress
from cpimportd.core.phrases import phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import unusable
from cpimportd.core.workbooks import FetchedFile, Snapshot
from cpimportd.documents.header import kind_by_name
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.protocol import Job, OutputParser
from cpimportd.workbook.sandbox import Start, run_limited, spawned

Report = Callable[[Progress], None]

# -I: neither the environment nor the current folder decides what is imported, so the package's own folder is named.
_START = (
    "import runpy, sys; folder = sys.argv.pop(); folder in sys.path or sys.path.insert(0, folder); "
    "runpy.run_module('{module}', run_name='__main__')"
)


@dataclass(frozen=True, slots=True)
class ReadJob:
    """What reading needs to know beside the file.

    Attributes:
        timezone: in which 1C writes its moments.
        lengths: per field, how many characters the books have room for.
        known_digests: of contents that are published already and need not be parsed.
    """

    timezone: str
    lengths: Mapping[str, int] = field(default_factory=dict)
    known_digests: frozenset[str] = frozenset()


def child_command(module: str) -> tuple[str, ...]:
    """The command that starts a child process of ours, from an installed package as from a source checkout.

    Args:
        module: what it runs, such as ``cpimportd.workbook.worker``.
    """
    folder = str(Path(cpimportd.__file__).resolve().parent.parent)
    return (sys.executable, "-I", "-B", "-c", _START.format(module=module), folder)


def worker_command() -> tuple[str, ...]:
    """The command that starts the child that reads a workbook."""
    return child_command("cpimportd.workbook.worker")


def prefork_command() -> tuple[str, ...]:
    """The command that starts the process that forks such children."""
    return child_command("cpimportd.workbook.preload")


async def read(
    file: FetchedFile,
    file_no: int,
    job: ReadJob,
    limits: Reader,
    rows_folder: Path,
    *,
    progress: Report = lambda _: None,
    start: Start | None = None,
) -> Snapshot:
    """Read one workbook in a child process.

    Args:
        file: the workbook.
        file_no: its place among today's files, from 0.
        job: what to read it by.
        limits: of the child, and of the zip.
        rows_folder: where its understood rows go, as ``000.rows`` by file_no.
        progress: called from time to time with the number of rows so far.
        start: what starts the child, where ``worker_command()`` is not to be started anew.

    Returns:
        The snapshot. What could not be read has problems, and its kind by its name where no header spoke.

    Raises:
        ProblemError: ``disk``: the rows could not be written; ``machine-exhausted``: there was no process to be had.
    """
    asked = json.dumps(child_job(file.path.resolve(), file.name, file_no, job, limits)).encode()
    said = run_limited(start or spawned(worker_command()), asked, limits, file=file.name)
    return await parse_reader_output(said, file, file_no, limits, rows_folder, progress=progress)


async def parse_reader_output(
    lines: AsyncGenerator[bytes, None],
    file: FetchedFile,
    file_no: int,
    limits: Reader,
    rows_folder: Path,
    *,
    progress: Report = lambda _: None,
) -> Snapshot:
    """Make a snapshot of what a reader says, wherever it runs, without trusting it.

    Args:
        lines: what it says, in blocks of whole lines; a ProblemError in between is a problem of the file.
        file: the workbook.
        file_no: its place among today's files, from 0.
        limits: that were set to the reader.
        rows_folder: where the understood rows go, as ``000.rows`` by file_no.
        progress: called from time to time with the number of rows so far.

    Raises:
        ProblemError: as of :func:`read`.
    """
    parser = OutputParser(file.name, file_no, progress, limits.max_problems)
    rows_path = rows_folder / f"{file_no:03}.rows"
    try:
        await _parse_into(lines, parser, rows_path, file.name)
    except OSError as error:
        raise ProblemError(unusable(rows_path, error)) from error
    progress(Progress("read", file.name, len(parser.documents), len(parser.documents), finished=True))
    said = parser.trailer
    return Snapshot(
        file=file,
        file_no=file_no,
        digest=said.digest,
        kind=parser.kind or kind_by_name(file.name),
        documents=parser.documents,
        control_totals=said.control_totals,
        sums=said.sums,
        total_row=said.total_row,
        problems=tuple(parser.problems),
        rows_path=rows_path,
        unchanged=said.unchanged,
        engine=parser.engine,
        sheet=parser.sheet,
        columns=parser.columns,
        rejected=said.rejected,
    )


async def _parse_into(lines: AsyncGenerator[bytes, None], parser: OutputParser, rows_path: Path, file: str) -> None:
    """Take down what a child says; what is wrong with the child or its file is a problem of the file.

    Raises:
        OSError: the rows could not be written, or there is no process to be had.
    """
    with os.fdopen(await asyncio.to_thread(open_private, rows_path, "wb"), "wb") as rows:
        try:
            async with aclosing(lines):
                async for block in lines:
                    await asyncio.to_thread(rows.write, parser.parse(block))
            parser.end()
        except ProblemError as error:
            parser.problems.extend(error.problems)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # Our child speaks the protocol; one that does not is compromised or defective.
            reason = phrase("reader-broke-protocol", said=reason_of(error) or type(error).__name__)
            parser.problems.append(problem("reader-failed", file=file, reason=reason))
        await asyncio.to_thread(rows.flush)


def child_job(path: Path, name: str, file_no: int, job: ReadJob, limits: Reader) -> Job:
    """What the child is asked for, as it travels to its stdin in JSON."""
    return {
        "path": str(path),
        "name": name,
        "file_no": file_no,
        "timezone": job.timezone,
        "limits": dict(job.lengths),
        "known_digests": sorted(job.known_digests),
        "zip": {"entries": limits.max_entries, "unpacked": limits.max_unpacked, "ratio": limits.max_ratio},
        "most_problems": limits.max_problems,
    }


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
