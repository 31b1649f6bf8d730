"""A run as a child process: started, read from, stopped in order, and killed if it does not stop."""

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cpimportd.core.phrases import phrase
from cpimportd.core.state_folder import ENV_FILE
from cpimportd.core.system import exhausted
from cpimportd.core.workbooks import SeenWorkbook
from cpimportd.daemon.attempts import NOTIFY, RunCommand, RunExit
from cpimportd.daemon.command_lines import module_command
from cpimportd.daemon.messages import LONGEST_LINE, LogLine, Message, Progress, RunResult, RunStarted, Stage, decode

if TYPE_CHECKING:
    from cpimportd.daemon.crash_outcome import CrashOutcome

KILL_AFTER: Final = 30.0
"""Seconds between SIGTERM and SIGKILL for a run that took longer than allowed."""

DRAIN_TIMEOUT: Final = 5.0
"""Seconds for reading the rest of an ended process's pipe."""

_NOT_INHERITED: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", ENV_FILE)
"""sd_notify(3) is for the main process only; and a run must read the accepted ``.env``."""


_DAEMON_SIGNALS: Final = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
"""Signals for the daemon alone; `systemctl kill` sends them to every process of the unit."""


class Run(Protocol):
    """A run in progress."""

    async def wait(self) -> RunExit:
        """Wait for its end; never raises, however the process ends."""

    def stop(self) -> None:
        """Request a stop: before COMMIT the run rolls back, from COMMIT on it finishes."""

    def kill(self) -> None:
        """Stop it at once; PostgreSQL rolls back what was not committed."""


Launch = Callable[[RunCommand, Path, timedelta, Callable[[Message], None]], Run]
"""Starts a run: its command, its configuration, its time limit, and the receiver of its messages."""


def arguments(command: RunCommand, configuration: Path) -> list[str]:
    """The arguments of the run's command line."""
    common = ["--config", str(configuration), "--progress", "json", "--json"]
    if command.job == NOTIFY:
        return [NOTIFY, *common]
    if command.job != "import":
        return [command.job, *common, "--send", *_again_within(command)]
    argv = ["run", *common, *_again_within(command)]
    if command.schedule is not None and command.slot is not None:
        argv += ["--schedule", command.schedule, "--slot", command.slot.isoformat()]
    if command.uploaded_after is not None:
        argv += ["--uploaded-after", command.uploaded_after.isoformat()]
    if command.known_upload is not None:
        argv += ["--known-upload", command.known_upload.isoformat()]
    for kind in command.only:
        argv += ["--only", kind]
    return argv


def _again_within(command: RunCommand) -> list[str]:
    return [] if command.again_within is None else ["--again-within", f"{command.again_within.total_seconds():.3f}"]


def launch(command: RunCommand, configuration: Path, limit: timedelta, on_message: Callable[[Message], None]) -> Run:
    """Start a run as a process of its own."""
    return _ProcessRun(command, configuration, limit, on_message)


class _DaemonSignalsBlocked:
    """Children started in this block ignore the signals that are for the daemon alone.

    The signals are blocked in this thread, and so in the child from its first instant: between fork and exec, where it
    has lost this process's handlers and would die; in the program it executes; and in that program's children. The
    daemon receives its own signals after the block.
    """

    def __init__(self) -> None:
        self._entered = 0

    def __enter__(self) -> None:
        self._entered += 1
        signal.pthread_sigmask(signal.SIG_BLOCK, _DAEMON_SIGNALS)

    def __exit__(self, *_: object) -> None:
        self._entered -= 1
        if not self._entered:  # another task's child may be about to be started
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _DAEMON_SIGNALS)


_daemon_signals_blocked: Final = _DaemonSignalsBlocked()


def run_environment() -> dict[str, str]:
    """The environment of a child that must read the accepted configuration, not the file as it is now."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}


async def run_to_completion(
    argv: list[str],
    time_limit: float,
    *,
    stdout: int | None,
    stderr: int | None,
    environ: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Run a short process to its end; it no longer exists when this returns or raises.

    Args:
        argv: the command line.
        time_limit: seconds that it may take.
        stdout: as for asyncio; None is inherited.
        stderr: likewise; one of the two is a pipe.
        environ: its environment; None: the daemon's own.

    Returns:
        Its exit code, and its output in the pipe.

    Raises:
        TimeoutError: it took longer.
    """
    with _daemon_signals_blocked:
        process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=stdout, stderr=stderr, env=environ)
    try:
        async with asyncio.timeout(time_limit):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            # Read its pipe to the end, or asyncio never sees it end; a grandchild may hold the pipe open.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_TIMEOUT):
                    await process.communicate()
    return process.returncode or 0, out or err or b""


class _ProcessRun:
    def __init__(
        self, command: RunCommand, configuration: Path, limit: timedelta, on_message: Callable[[Message], None]
    ) -> None:
        self._argv = module_command("cpimportd", *arguments(command, configuration))
        self._environ = run_environment()
        if command.retry_within is not None:
            self._environ["CPIMPORTD_RETRY__WITHIN"] = f"{command.retry_within.total_seconds():.3f}"
        self._limit = limit.total_seconds()
        self._on_message = on_message
        self._process: Process | None = None
        self._stopped = self._stopped_by_daemon = False
        self._seen: list[SeenWorkbook] = []
        self._result: RunResult | None = None
        self._configuration = configuration
        self._progress = Progress()
        self._outcome_query: asyncio.Task[CrashOutcome] | None = None

    async def wait(self) -> RunExit:
        try:
            # A session of its own: Ctrl-C in a terminal reaches the daemon alone, which passes it on.
            with _daemon_signals_blocked:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=self._environ,
                    start_new_session=True, limit=LONGEST_LINE,
                )  # fmt: skip
        except (OSError, RuntimeError) as error:  # RuntimeError: asyncio's thread that waits for it
            found = exhausted(error)
            self._on_message(LogLine(logging.ERROR, f"a run's process could not be started: {found or error}"))
            return RunExit(os.EX_OSERR)
        if self._stopped:
            self._stop()
        timed_out = False
        reading = asyncio.create_task(self._read_messages(self._process))
        try:
            try:
                async with asyncio.timeout(self._limit):
                    await self._process.wait()
            except TimeoutError:
                timed_out = True
                await self._end(self._process)
            await self._drain(reading)
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            reading.cancel()
        crash_outcome = await self._crash_outcome()
        return RunExit(self._process.returncode or 0, self._result, tuple(self._seen), timed_out, crash_outcome)

    async def _crash_outcome(self) -> "CrashOutcome | None":
        """What the database says of a run that crashed after COMMIT had begun."""
        from cpimportd.daemon.crash_outcome import CrashOutcome, query_crash_outcome  # noqa: PLC0415 - it imports this module

        number = self._progress.run
        if self._result is not None or number is None or not self._progress.reached_commit:
            return None
        if self._stopped_by_daemon:
            return CrashOutcome(number, why=phrase("daemon-stopped"))
        self._on_message(Stage("ask"))
        self._outcome_query = asyncio.ensure_future(query_crash_outcome(self._configuration, number))
        try:
            return await self._outcome_query
        except asyncio.CancelledError:
            if not self._stopped_by_daemon:
                raise
            return CrashOutcome(number, why=phrase("daemon-stopped"))

    def stop(self) -> None:
        self._stopped_by_daemon = True
        if self._outcome_query is not None:
            self._outcome_query.cancel()
        self._stop()

    def _stop(self) -> None:
        self._stopped = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _end(self, process: Process) -> None:
        self._stop()
        try:
            async with asyncio.timeout(KILL_AFTER):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()

    async def _read_messages(self, process: Process) -> None:
        assert process.stderr is not None  # noqa: S101  asked for above
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # asyncio: longer than the limit; the line is dropped, the next one begins
                self._on_message(LogLine(logging.ERROR, f"a run said more than {LONGEST_LINE} bytes in one line"))
                continue
            if not line:
                return
            self._handle_message(decode(line))

    @staticmethod
    async def _drain(reading: "asyncio.Task[None]") -> None:
        """Read the rest of the pipe; a grandchild that holds it open must not block the daemon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                await reading

    def _handle_message(self, message: Message) -> None:
        match message:
            case SeenWorkbook():
                self._seen.append(message)
            case RunResult():
                self._result = message
            case _:
                if isinstance(message, RunStarted | Stage):
                    self._progress.update(message)
                self._on_message(message)
