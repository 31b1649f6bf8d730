"""A run as a child process: started, listened to, stopped in order, and killed where it does not stop."""

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
from cpimportd.core.seen import SeenWorkbook
from cpimportd.core.statefolder import ENV_FILE
from cpimportd.core.system import exhausted
from cpimportd.daemon.attempts import NOTIFY, Ended, RunCommand
from cpimportd.daemon.beginning import ours
from cpimportd.daemon.messages import LONGEST_LINE, Begun, Message, Result, Said, Stage, decode
from cpimportd.daemon.progress import Progress

if TYPE_CHECKING:
    from cpimportd.daemon.aftermath import Aftermath

PATIENCE: Final = 30.0
"""Seconds between SIGTERM and SIGKILL for a run that took longer than allowed."""

DRAINING: Final = 5.0
"""Seconds in which what an ended process left in its pipe is read."""

_NOT_INHERITED: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", ENV_FILE)
"""sd_notify(3): they are meant for the main process; and a run reads what was accepted of a ``.env``."""


_FOR_THE_DAEMON: Final = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
"""What asks something of the daemon, and of nobody else: `systemctl kill` sends it to every process of the unit."""


class Run(Protocol):
    """A run under way."""

    async def wait(self) -> Ended:
        """Until it is over; never raises for a way in which a process can end."""

    def stop(self) -> None:
        """Ask it to stop: before COMMIT it rolls back, from COMMIT on it is finished."""

    def kill(self) -> None:
        """Stop it at once; PostgreSQL rolls back what was not committed."""


Launch = Callable[[RunCommand, Path, timedelta, Callable[[Message], None]], Run]
"""Starts a run: what it is asked to do, its configuration, its time limit, and who is told of it."""


def arguments(order: RunCommand, configuration: Path) -> list[str]:
    """The command that does what is ordered."""
    common = ["--config", str(configuration), "--progress", "json", "--json"]
    if order.job == NOTIFY:
        return [NOTIFY, *common]
    if order.job != "import":
        return [order.job, *common, "--send", *_again_within(order)]
    command = ["run", *common, *_again_within(order)]
    if order.schedule is not None and order.slot is not None:
        command += ["--schedule", order.schedule, "--slot", order.slot.isoformat()]
    if order.uploaded_after is not None:
        command += ["--uploaded-after", order.uploaded_after.isoformat()]
    if order.known_upload is not None:
        command += ["--known-upload", order.known_upload.isoformat()]
    for kind in order.only:
        command += ["--only", kind]
    return command


def _again_within(order: RunCommand) -> list[str]:
    return [] if order.again_within is None else ["--again-within", f"{order.again_within.total_seconds():.3f}"]


def launch(order: RunCommand, configuration: Path, limit: timedelta, tell: Callable[[Message], None]) -> Run:
    """Start a run as a process of its own."""
    return _ProcessRun(order, configuration, limit, tell)


class _Deaf:
    """While any of its blocks is entered, a child that is started is deaf to what is meant for the daemon alone.

    The signals are blocked, in this thread and thereby in the child from its first instant: between fork and exec,
    where it has lost this process's handlers and would die; in what it executes; and in all that that starts. What
    comes to the daemon itself meanwhile is heard behind the block.
    """

    def __init__(self) -> None:
        self._entered = 0

    def __enter__(self) -> None:
        self._entered += 1
        signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_DAEMON)

    def __exit__(self, *_: object) -> None:
        self._entered -= 1
        if not self._entered:  # another task's child may be about to be started
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_THE_DAEMON)


_deaf: Final = _Deaf()


def accepted_environment() -> dict[str, str]:
    """The environment of what goes by a configuration that was accepted, and not by a file that lies there now."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}


async def run_to_completion(
    argv: list[str],
    within: float,
    *,
    stdout: int | None,
    stderr: int | None,
    environ: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Run a short process to its end; it is gone when this returns or raises.

    Args:
        argv: the command line.
        within: seconds that it may take.
        stdout: what becomes of its standard output, as asyncio has it: None is inherited.
        stderr: the same of standard error; one of the two is a pipe.
        environ: its environment; None: the daemon's own.

    Returns:
        Its exit code, and what it wrote into the pipe.

    Raises:
        TimeoutError: it took longer.
    """
    with _deaf:
        process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=stdout, stderr=stderr, env=environ)
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            # Its pipe is read to the end, or asyncio would never count it as gone; a grandchild may hold that open.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAINING):
                    await process.communicate()
    return process.returncode or 0, out or err or b""


class _ProcessRun:
    def __init__(
        self, order: RunCommand, configuration: Path, limit: timedelta, tell: Callable[[Message], None]
    ) -> None:
        self._argv = ours("cpimportd", *arguments(order, configuration))
        self._environ = accepted_environment()
        if order.retry_within is not None:
            self._environ["CPIMPORTD_RETRY__WITHIN"] = f"{order.retry_within.total_seconds():.3f}"
        self._limit = limit.total_seconds()
        self._tell = tell
        self._process: Process | None = None
        self._stopped = self._stopped_by_daemon = False
        self._seen: list[SeenWorkbook] = []
        self._result: Result | None = None
        self._configuration = configuration
        self._progress = Progress()
        self._asking: asyncio.Task[Aftermath] | None = None

    async def wait(self) -> Ended:
        try:
            # A session of its own: Ctrl-C in a terminal reaches the daemon alone, which passes it on.
            with _deaf:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=self._environ,
                    start_new_session=True, limit=LONGEST_LINE,
                )  # fmt: skip
        except (OSError, RuntimeError) as error:  # RuntimeError: asyncio's thread that waits for it
            found = exhausted(error)
            self._tell(Said(logging.ERROR, f"a run's process could not be started: {found or error}"))
            return Ended(os.EX_OSERR)
        if self._stopped:
            self._stop()
        timed_out = False
        listening = asyncio.create_task(self._listen(self._process))
        try:
            try:
                async with asyncio.timeout(self._limit):
                    await self._process.wait()
            except TimeoutError:
                timed_out = True
                await self._end(self._process)
            await self._drain(listening)
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            listening.cancel()
        aftermath = await self._aftermath()
        return Ended(self._process.returncode or 0, self._result, tuple(self._seen), timed_out, aftermath)

    async def _aftermath(self) -> "Aftermath | None":
        """What the database says of a run that died after it had begun to commit."""
        from cpimportd.daemon.aftermath import Aftermath, ask  # noqa: PLC0415 - it needs this page

        number = self._progress.run
        if self._result is not None or number is None or not self._progress.reached_commit:
            return None
        if self._stopped_by_daemon:
            return Aftermath(number, why=phrase("daemon-stopped"))
        self._tell(Stage("ask"))
        self._asking = asyncio.ensure_future(ask(self._configuration, number))
        try:
            return await self._asking
        except asyncio.CancelledError:
            if not self._stopped_by_daemon:
                raise
            return Aftermath(number, why=phrase("daemon-stopped"))

    def stop(self) -> None:
        self._stopped_by_daemon = True
        if self._asking is not None:
            self._asking.cancel()
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
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()

    async def _listen(self, process: Process) -> None:
        assert process.stderr is not None  # noqa: S101  asked for above
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # asyncio: longer than the limit; the line is dropped, the next one begins
                self._tell(Said(logging.ERROR, f"a run said more than {LONGEST_LINE} bytes in one line"))
                continue
            if not line:
                return
            self._take(decode(line))

    @staticmethod
    async def _drain(listening: "asyncio.Task[None]") -> None:
        """Hear the run out; a grandchild that holds the pipe open must not hold up the daemon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAINING):
                await listening

    def _take(self, message: Message) -> None:
        match message:
            case SeenWorkbook():
                self._seen.append(message)
            case Result():
                self._result = message
            case _:
                if isinstance(message, Begun | Stage):
                    self._progress.take(message)
                self._tell(message)
