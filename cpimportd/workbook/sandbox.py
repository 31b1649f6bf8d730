"""Runs a child process with limits: starts it, sends it one job, reads its output, and kills it in time.

The child is started anew (``spawned``) or forked by a prepared process (``forking``). Either way the parent sets the
limits with prlimit(2) while the child still waits for its job on stdin, so nothing untrusted is read before they apply.
"""

import asyncio
import contextlib
import math
import os
import resource
import signal
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cpimportd.config.settings import Reader
from cpimportd.core.phrases import Reason, phrase, reason_of
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import exhausted
from cpimportd.core.waiting import report_slow
from cpimportd.workbook.memory import is_out_of_memory
from cpimportd.workbook.protocol import LONGEST_LINE

PIECE = 256 * 1024
_STDERR_KEPT = 4096
_OPEN_FILES = 64
_KILL_TIMEOUT = 10
ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "RUST_BACKTRACE": "0"}


class Child(Protocol):
    """A process that has not got its job yet, in a session of its own by the time that it reads it."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def stdin(self) -> StreamWriter:
        """Where its job goes."""

    @property
    def stdout(self) -> StreamReader:
        """What it finds."""

    @property
    def stderr(self) -> StreamReader:
        """What it complains of."""

    @property
    def returncode(self) -> int | None:
        """How it ended, as of ``Process``; None as long as it did not."""

    async def wait(self) -> int:
        """Its ``returncode``, when it has ended."""

    def kill(self) -> None:
        """Kill it, with whatever it has started."""

    def close(self) -> None:
        """Let go of its streams."""


Start = Callable[[], Awaitable[Child]]
"""Starts a child; OSError: there is none to be had."""


def spawned(argv: Sequence[str]) -> Start:
    """Children that are programs started anew.

    Args:
        argv: the program, by its full path, and its arguments. Its environment holds only the language.
    """

    async def start() -> Child:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=ENVIRONMENT, start_new_session=True, limit=PIECE
        )
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018  asked for
        return _Spawned(process, process.pid, process.stdin, process.stdout, process.stderr)

    return start


@dataclass(frozen=True, slots=True)
class _Spawned:
    _process: Process
    pid: int
    stdin: StreamWriter
    stdout: StreamReader
    stderr: StreamReader

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        return await self._process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Its end has closed them."""


async def run_limited(start: Start, job: bytes, limits: Reader, *, file: str) -> AsyncGenerator[bytes, None]:
    """Run a child under limits and yield what it writes to stdout, in blocks of one or more whole lines.

    Close the iterator (``contextlib.aclosing``) to be rid of the child early; cancellation kills it at once.

    Args:
        start: what starts it.
        job: what it reads from stdin, to the end.
        limits: address space, CPU time, wall time; ``max_unpacked`` also bounds what it may write.
        file: the name to use in problems.

    Raises:
        ProblemError: ``reader-limit`` naming the limit; ``reader-failed`` with the last it said on stderr.
        OSError: the machine has no process or pipe to give, which is no fault of the file.
    """
    deadline = asyncio.get_running_loop().time() + limits.wall_time.total_seconds()
    child = await _started(start, deadline, limits, file)
    stderr_tail = bytearray()
    stderr_reader = asyncio.create_task(_keep_stderr(child, stderr_tail))
    try:
        _limit(child.pid, limits)
        async with asyncio.timeout_at(deadline):
            await _feed(child, job)
        async for block in _read_lines(child, deadline, limits.max_unpacked, file):
            yield block
        async with asyncio.timeout_at(deadline):
            status = await child.wait()
            await stderr_reader
    except TimeoutError as error:
        raise _out_of_time(limits, file) from error
    finally:
        await _end(child, stderr_reader)
    if status != 0:
        raise _end_reason(status, bytes(stderr_tail), limits, file)


async def _started(start: Start, deadline: float, limits: Reader, file: str) -> Child:
    try:
        async with asyncio.timeout_at(deadline):
            return await start()
    except TimeoutError as error:
        raise _out_of_time(limits, file) from error
    except OSError as error:
        if exhausted(error):
            raise
        raise _failed(file, phrase("reader-not-started", said=reason_of(error))) from error


def _limit(pid: int, limits: Reader) -> None:
    cpu = math.ceil(limits.cpu_time.total_seconds())
    with contextlib.suppress(ProcessLookupError):  # it may have ended already; its exit status says why
        for which, soft, hard in (
            (resource.RLIMIT_AS, limits.memory, limits.memory),
            (resource.RLIMIT_CPU, cpu, cpu + 1),  # SIGXCPU at the first, SIGKILL at the second
            (resource.RLIMIT_FSIZE, 0, 0),
            (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
            (resource.RLIMIT_NPROC, 0, 0),
            (resource.RLIMIT_CORE, 0, 0),
        ):
            # Where the daemon's own unit allows less, that is the limit; more takes a privilege: setrlimit(2).
            _, most = resource.prlimit(pid, which)
            allowed = (soft, hard) if most == resource.RLIM_INFINITY else (min(soft, most), min(hard, most))
            resource.prlimit(pid, which, allowed)


async def _feed(child: Child, job: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its exit status says why it did not read
        child.stdin.write(job)
        await child.stdin.drain()
        child.stdin.write_eof()


async def _read_lines(child: Child, deadline: float, most: int, file: str) -> AsyncIterator[bytes]:
    rest, total = b"", 0
    while True:
        piece = await _read_piece(child, deadline, file)
        total += len(piece)
        if total > most:
            raise _limit_hit(file, phrase("output-limit", most=most))
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
        if not piece:
            break
        if len(rest) > LONGEST_LINE:
            raise _failed(file, phrase("reader-long-line", most=LONGEST_LINE))
    if rest:
        yield rest


async def _read_piece(child: Child, deadline: float, file: str) -> bytes:
    left = max(0.0, deadline - asyncio.get_running_loop().time())
    async with report_slow("reader", f"{file}: it has said nothing yet, or no more", left, trouble=False, times=4):
        async with asyncio.timeout_at(deadline):
            return await child.stdout.read(PIECE)


async def _keep_stderr(child: Child, stderr_tail: bytearray) -> None:
    """Keep the last that the child says on stderr; reading on keeps it from blocking."""
    while piece := await child.stderr.read(_STDERR_KEPT):
        stderr_tail += piece
        del stderr_tail[:-_STDERR_KEPT]


async def _end(child: Child, stderr_reader: "asyncio.Task[None]") -> None:
    """Leave no process behind; a child that is through by now is only reaped."""
    try:
        if child.returncode is None:
            child.kill()
        # asyncio sees a process of its own as ended only when its pipes are read to their end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KILL_TIMEOUT):
                while await child.stdout.read(PIECE):
                    pass
                await child.wait()
    finally:
        stderr_reader.cancel()
        child.close()


def _end_reason(status: int, stderr_tail: bytes, limits: Reader, file: str) -> ProblemError:
    if is_out_of_memory(stderr_tail):
        return _limit_hit(file, phrase("memory-limit", limit=int(limits.memory)))
    if status == -signal.SIGXCPU:
        return _limit_hit(file, phrase("cpu-limit", limit=limits.cpu_time))
    last = last_line(stderr_tail)
    if status == -signal.SIGKILL:
        return _limit_hit(file, phrase("reader-killed"))
    if status < 0:
        return _failed(file, phrase("reader-died", signal=signal.Signals(-status).name, said=last))
    return _failed(file, phrase("reader-ended", status=status, said=last))


def last_line(stderr_tail: bytes) -> Reason:
    """The last line that a process said on stderr."""
    return stderr_tail.decode(errors="replace").strip().rpartition("\n")[2] or phrase("said-nothing")


def _out_of_time(limits: Reader, file: str) -> ProblemError:
    return _limit_hit(file, phrase("wall-limit", limit=limits.wall_time))


def _limit_hit(file: str, reason: Reason) -> ProblemError:
    return ProblemError(problem("reader-limit", file=file, reason=reason))


def _failed(file: str, reason: Reason) -> ProblemError:
    return ProblemError(problem("reader-failed", file=file, reason=reason))
