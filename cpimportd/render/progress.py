"""Shows the progress of a run: bars at a terminal, JSON lines for the daemon, otherwise nothing.

Each display is called with every :class:`Progress`. It is a context manager around the run, and also receives the run's
waits. No display can stop a run, even if its reader has gone.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, tzinfo
from types import TracebackType
from typing import IO, Final, Self

import msgspec
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from cpimportd.core.formatting import count
from cpimportd.core.model import Progress
from cpimportd.core.problems import Problem
from cpimportd.core.report import RunReport
from cpimportd.core.waiting import Wait, describe_waits, report_waits_to
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.messages import (
    CurrentWaits,
    LogLine,
    Message,
    MessageHandler,
    RunResult,
    RunStarted,
    Stage,
    encode,
)
from cpimportd.render.journal import journal_lines, summary_line
from cpimportd.render.layout import clean, make_console

_STAGES: Final = {
    "fetch": "Fetching",
    "read": "Reading",
    "check": "Checking",
    "publish": "Publishing",
    "commit": "Committing",
    "tell": "Telling",
    "rehearse": "Rehearsing",
}
_WAIT: Final = "wait"
_PER_SECOND: Final = 5

Key = tuple[str, str | None]
"""What an event is about: its stage and, where there is one, its file."""


def choose_progress(
    form: str = "auto", stream: IO[str] | None = None, zone: tzinfo | None = None
) -> "NoProgress | JsonProgress | TerminalProgress":
    """Choose how progress is shown.

    Args:
        form: ``json``, ``none``, or ``auto``: bars if the stream is a terminal, else nothing.
        stream: where to; standard error if none is given, because standard output belongs to the report.
        zone: in which the end of a wait is shown; that of the machine if none is given.

    Raises:
        ValueError: there is no such form.
    """
    stream = stream or sys.stderr
    if form == "json":
        return JsonProgress(stream)
    if form not in {"auto", "none"}:
        raise ValueError(f"there is no form of progress {form!r}")
    console = make_console(stream)
    return TerminalProgress(console, zone) if form == "auto" and console.is_terminal else NoProgress()


class NoProgress:
    """Shows nothing."""

    def __call__(self, progress: Progress) -> None:
        """Do nothing."""

    def end(self, report: RunReport) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Do nothing."""


class JsonProgress:
    """One JSON line per event, as :mod:`messages` has them; while it is entered, log lines go the same way.

    At most 5 lines a second for each stage and file; the first and the last are always written. A stream that cannot be
    written to any more is left alone: whoever read it is gone, the run is not.

    Args:
        stream: where to; each line is flushed.
        clock: seconds on a clock that is never set back.
    """

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._written_at: dict[Key, float] = {}
        self._held_back: dict[Key, Progress] = {}
        self._closed = False
        self._handler = MessageHandler(self._send)
        self._handlers: list[logging.Handler] = []
        self._listening: AbstractContextManager[None] = nullcontext()

    def __call__(self, progress: Progress) -> None:
        """Write the event, unless one about the same was written a moment ago."""
        if progress.run is not None:
            with self._lock:
                self._send(RunStarted(progress.run))
            return
        key = (progress.stage, progress.file)
        with self._lock:
            now = self._clock()
            if not progress.finished and now - self._written_at.get(key, float("-inf")) < 1 / _PER_SECOND:
                self._held_back[key] = progress
                return
            self._held_back.pop(key, None)
            self._written_at[key] = now
            self._write(progress)

    def end(self, report: RunReport) -> None:
        """Write everything about the run that has ended."""
        with self._lock:
            for message in messages_of_report(report):
                self._send(message)

    def __enter__(self) -> Self:
        """The run begins."""
        root = logging.getLogger()
        self._handlers, root.handlers = root.handlers, [self._handler]
        logging.getLogger("cpimportd").setLevel(logging.INFO)
        self._listening = report_waits_to(self._show_waits)
        self._listening.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Write what was held back, so that the last line about each file is the last that happened."""
        self._listening.__exit__(kind, error, at)
        with self._lock:
            for progress in self._held_back.values():
                self._write(progress)
            self._held_back.clear()
        logging.getLogger().handlers = self._handlers

    def _show_waits(self, waits: tuple[Wait, ...]) -> None:
        with self._lock:
            self._send(CurrentWaits(waits))

    def _write(self, progress: Progress) -> None:
        self._send(msgspec.convert(progress, Stage, from_attributes=True))

    def _send(self, message: Message) -> None:
        if self._closed:
            return
        try:
            self._stream.write(encode(message) + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._closed = True


class TerminalProgress:
    """A bar for each file and stage under way; gone when the run is over, so that only the report stays.

    Args:
        console: a terminal, standard error as a rule.
        zone: in which instants are shown; None: that of the machine.
    """

    def __init__(self, console: Console, zone: tzinfo | None = None) -> None:
        columns = (SpinnerColumn(), _What(), BarColumn(bar_width=None), _HowFar(), TimeElapsedColumn())
        self._bars = Bars(*columns, console=console, transient=True, expand=True)
        self._tasks: dict[Key, TaskID] = {}
        self._zone = zone
        self._waits: TaskID | None = None
        self._listening = report_waits_to(self._show_waits)

    def __call__(self, progress: Progress) -> None:
        """Show the event; what is finished makes room for what is not."""
        if progress.run is not None:
            return
        key = (progress.stage, progress.file)
        task = self._tasks.get(key)
        if progress.finished:
            if task is not None:
                self._bars.remove_task(self._tasks.pop(key))
            return
        if task is None:
            what = _STAGES.get(progress.stage, progress.stage) + (f" {clean(progress.file)}" if progress.file else "")
            task = self._tasks[key] = self._bars.add_task(
                what, total=None, stage=progress.stage, whole=progress.file is None
            )
        self._bars.update(task, completed=progress.done, total=progress.total)

    def end(self, report: RunReport) -> None:
        """Do nothing: the report is printed when the bars are gone."""

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._listening.__enter__()
        self._bars.start()
        return self

    def _show_waits(self, waits: tuple[Wait, ...]) -> None:
        """Show what is waited for; the line goes when it is over."""
        if self._waits is not None:
            self._bars.remove_task(self._waits)
            self._waits = None
        if waits:
            said = f"Waiting for {describe_waits(waits, self._zone, datetime.now(UTC))}"
            self._waits = self._bars.add_task(said, total=None, stage=_WAIT)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wipe the bars."""
        self._listening.__exit__(kind, error, at)
        self._bars.stop()


class _What(ProgressColumn):
    """What is under way; a file's name is taken literally."""

    def render(self, task: Task) -> Text:
        waits = task.fields.get("stage") == _WAIT  # until when is at its end, and must not be cut off
        return Text(task.description, overflow="fold" if waits else "ellipsis", no_wrap=not waits)


class _HowFar(ProgressColumn):
    """Of a file bytes while fetching and rows while reading; files of the whole; nothing elsewhere."""

    def render(self, task: Task) -> Text:
        stage = task.fields.get("stage")
        if stage not in {"fetch", "read"}:
            return Text()
        return Text(" of ".join(self._amounts(task, stage)), no_wrap=True)

    @staticmethod
    def _amounts(task: Task, stage: str) -> Iterator[str]:
        if task.fields.get("whole"):
            yield count(int(task.completed))
            yield f"{count(int(task.total or 0))} files"
            return
        written = decimal if stage == "fetch" else count
        yield written(int(task.completed))
        if task.total is not None:
            yield written(int(task.total)) + (" rows" if stage == "read" else "")
        elif stage == "read":
            yield "? rows"


_NOT_NOTIFIED: Final = frozenset({"cache-stale", "views-stale"})


def messages_of_report(report: RunReport) -> Iterator[Message]:
    """The messages when a run ends: its lines for the journal, the workbooks, and how it ended."""
    for line in journal_lines(report):
        yield LogLine(line.level, line.text, line.fields)
    for file in report.files:
        yield msgspec.convert(file, SeenWorkbook, from_attributes=True)
    failed = report.failures
    worst = _worst(report)
    yield RunResult(
        report.run,
        report.status.value,
        report.code,
        summary_line(report),
        passing=bool(failed) and all(found.kind.passing for found in failed),
        codes=tuple(found.code for found in failed),
        held=None if report.held_now is None else tuple(one.unit.name for one in report.held_now),
        problem=None if worst is None else str(worst),
        way_out=None if worst is None else worst.way_out,
        untold=any(found.code in _NOT_NOTIFIED for found in report.problems),
    )


def _worst(report: RunReport) -> Problem | None:
    """The problem to name first; None where all was well."""
    return next(iter(report.all_problems), None) if report.code else None
