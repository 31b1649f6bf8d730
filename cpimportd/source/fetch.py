"""The whole fetch: lists the folder, waits for unfinished uploads, downloads several at a time, verifies, retries."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cpimportd.config import settings
from cpimportd.core.catalog import Effect
from cpimportd.core.model import Progress
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.workbooks import FetchedFile, MissedFile
from cpimportd.source import address
from cpimportd.source.download import Incoming, Spool, too_large
from cpimportd.source.folder import FolderSource
from cpimportd.source.interface import (
    Entry,
    FileState,
    InUseError,
    Listing,
    NotResumedError,
    PermanentError,
    Session,
    Source,
)
from cpimportd.source.pool import FtpSource
from cpimportd.source.retry import RetryBudget, describe_change, wait_until_stable

_log = logging.getLogger(__name__)

PROGRESS_EVERY = 1024 * 1024
"""Bytes between two words on a file's progress."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought.

    Attributes:
        files: whole, sorted by name; a file that has 0 bytes on the server is one of them.
        missed: those that were listed and did not come, links and refused names among them.
    """

    files: tuple[FetchedFile, ...]
    missed: tuple[MissedFile, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Per file that did not come, why."""
        return tuple(one.why for one in self.missed)


def open_source(source: settings.Source) -> Source:
    """The source that ``source.url`` names. Nothing is connected yet.

    Raises:
        ProblemError: config-incomplete, config-value.
    """
    place = address.parse(source)
    return FolderSource(place, source) if place.scheme == "file" else FtpSource(place, source)


def _ignore_progress(_: Progress) -> None:
    """Drops it."""


async def fetch(
    source: settings.Source,
    retry: settings.Retry,
    folder: Path,
    *,
    only_names: Callable[[str], bool] | None = None,
    progress: Callable[[Progress], None] = _ignore_progress,
) -> Fetched:
    """Bring today's workbooks into a folder of this run.

    When it is cancelled it ends at once and leaves neither tasks nor connections nor unfinished files.

    Args:
        source: where they are.
        retry: how long to go on trying, the waiting for unfinished uploads included.
        folder: the spool of this run; made with mode 0700. Files are stored under numbers, never under the names
            that the server sends.
        only_names: which names are wanted; all by default.
        progress: called with stage ``fetch``: bytes per file, and how many files of all are through, come or not.

    Returns:
        The files that came whole, and those that did not, each with its problem.

    Raises:
        ProblemError: nothing could be fetched at all: source-unreachable, source-login, source-busy, source-tls,
            source-listing, source-stalled, source-empty, disk, config-incomplete, config-value.
    """
    remote = open_source(source)
    try:
        spool = Spool(folder, source.max_file_size)
        budget = RetryBudget(retry, "folder" if isinstance(remote, FolderSource) else "source")
        return await _Fetch(remote, source, budget, spool, progress).run(only_names)
    finally:
        await remote.close()


class _Fetch:
    """One fetch under way."""

    def __init__(
        self,
        remote: Source,
        source: settings.Source,
        budget: RetryBudget,
        spool: Spool,
        progress: Callable[[Progress], None],
    ) -> None:
        self._remote = remote
        self._stable_for = source.stable_for.total_seconds()
        self._largest = source.max_file_size
        self._budget = budget
        self._spool = spool
        self._progress = progress
        self._connection_lost: list[ProblemError] = []
        self._wanted = self._done = 0

    async def run(self, only_names: Callable[[str], bool] | None) -> Fetched:
        listing = await self._budget.retry(self._list)
        if not listing.entries and not listing.problems:
            raise ProblemError(problem("source-empty", server=self._remote.label, folder=self._remote.folder))
        selected = [entry for entry in listing.entries if only_names is None or only_names(entry.name)]
        self._wanted = len(selected)
        self._report_count()
        refused = [
            missed for missed in map(_refused, listing.problems) if only_names is None or only_names(missed.name)
        ]
        outcomes = await self._download_all(selected)
        if selected and len(self._connection_lost) == len(selected):
            raise self._connection_lost[0]
        return Fetched(
            tuple(outcome for outcome in outcomes if isinstance(outcome, FetchedFile)),
            (*refused, *(outcome for outcome in outcomes if isinstance(outcome, MissedFile))),
        )

    async def _list(self) -> Listing:
        async with self._remote.session() as session:
            return await session.list()

    async def _download_all(self, selected: list[Entry]) -> list[FetchedFile | MissedFile]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._download_and_report(*numbered)) for numbered in enumerate(selected)]
        except ExceptionGroup as failures:
            for failure in failures.exceptions:
                if isinstance(failure, ProblemError):
                    raise failure from failures
            raise
        return [task.result() for task in tasks]

    def _report_count(self) -> None:
        """All files are named at once, for only a few of them are under way at a time."""
        done = self._done == self._wanted
        self._progress(Progress("fetch", None, self._done, self._wanted, finished=done))

    async def _download_and_report(self, number: int, entry: Entry) -> FetchedFile | MissedFile:
        outcome = await self._download_one(number, entry)
        size = outcome.size if isinstance(outcome, FetchedFile) else 0
        self._progress(Progress("fetch", entry.name, size, size, finished=True))
        self._done += 1
        self._report_count()
        return outcome

    async def _download_one(self, number: int, entry: Entry) -> FetchedFile | MissedFile:
        """One file, through all its tries.

        Raises:
            ProblemError: what ends the whole fetch: a login or certificate that is suddenly wrong, a full disk.
        """
        try:
            return await self._wait_and_transfer(number, entry)
        except ProblemError as error:
            first = error.problems[0]
            if first.effect is not Effect.FAILS:
                return MissedFile(entry.name, first, entry.look.modified)
            if not error.passing:
                raise
            self._connection_lost.append(error)
            why = problem("download-failed", file=entry.name, reason=first)
            return MissedFile(entry.name, why, entry.look.modified)

    async def _wait_and_transfer(self, number: int, entry: Entry) -> FetchedFile:
        stable_for, doubt = self._stable_for, None
        while True:
            entry = await wait_until_stable(entry, lambda: self._look(entry), stable_for, self._budget, doubt=doubt)  # noqa: B023 - called before entry changes
            try:
                with self._spool.receive(number, entry) as incoming:
                    return await self._budget.retry(lambda: self._transfer(entry, incoming))  # noqa: B023 - as above
            except InUseError as error:
                doubt = error.phrase
                # Even with stable_for = 0 the one that writes needs a moment.
                stable_for = max(self._stable_for, self._budget.first)
                _log.info("%s: %s", entry.name, doubt, extra={"action": "source.still_uploading"})

    async def _look(self, entry: Entry) -> FileState:
        async def attempt() -> FileState:
            async with self._remote.session() as session:
                return await session.look(entry)

        return await self._budget.retry(attempt)

    async def _transfer(self, entry: Entry, incoming: Incoming) -> FetchedFile:
        """Download one file once, and believe it only if its size and time stood still and all bytes came.

        A server's 226 proves nothing: it comes after half a file too.

        Raises:
            ProblemError: download-short, download-failed, file-too-large, disk, source-….
            InUseError: the file changed since the last look.
        """
        async with self._remote.session() as session:
            before = await session.look(entry)
            expected = entry.look.size if before.size is None else before.size
            if expected is None:
                reason = phrase("size-untold")
                raise PermanentError(problem("download-failed", file=entry.name, reason=reason))
            if entry.look.size not in (None, expected):
                raise InUseError("size-changed", before=entry.look.size, after=expected)
            if expected > self._largest:
                raise too_large(entry, expected, self._largest)
            with incoming.attempt(before) as start:
                await self._receive(session, entry, incoming, start, expected)
                after = await session.look(entry)
                if after != before:
                    raise InUseError("changed-in-download", change=describe_change(before, after))
                if incoming.size != expected:
                    raise ProblemError(problem("download-short", file=entry.name, got=incoming.size, size=expected))
                return incoming.keep(FileState(expected, entry.look.modified or after.modified))

    async def _receive(self, session: Session, entry: Entry, incoming: Incoming, start: int, expected: int) -> None:
        """Have the bytes sent from ``start`` on or, where the server does not do that, from the beginning."""
        write = self._reporting_write(entry, expected, incoming)
        if start:
            _log.info("%s: goes on at byte %d", entry.name, start, extra={"action": "source.resume"})
        try:
            await session.download(entry, write, start)
        except NotResumedError as error:
            _log.info("%s: from the beginning again: %s", entry.name, error, extra={"action": "source.restart"})
            incoming.restart()
            await session.download(entry, write)

    def _reporting_write(self, entry: Entry, total: int, incoming: Incoming) -> Callable[[bytes], None]:
        """``incoming.write``, with a word on the progress now and then."""
        reported = incoming.size
        self._progress(Progress("fetch", entry.name, reported, total))

        def write_and_report(block: bytes) -> None:
            nonlocal reported
            incoming.write(block)
            if abs(incoming.size - reported) >= PROGRESS_EVERY:
                reported = incoming.size
                self._progress(Progress("fetch", entry.name, reported, total))

        return write_and_report


def _refused(why: Problem) -> MissedFile:
    """A listed name that is refused and not fetched; its problem says why."""
    return MissedFile(why.file or why.value or "", why)
