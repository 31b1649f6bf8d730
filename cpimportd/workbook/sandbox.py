"""A child process with limits, seen from its parent: started, fed one job, listened to, and killed in time.

The limits are set with prlimit(2) from outside while the child still waits for its job on stdin, so that nothing
untrusted is touched before they hold, and no code runs between fork and exec.
"""

import asyncio
import contextlib
import math
import os
import resource
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from cpimportd.problems import ProblemError, problem
from cpimportd.resources import exhausted
from cpimportd.settings import Reader
from cpimportd.workbook.protocol import LONGEST_LINE

_PIECE = 256 * 1024
_STDERR_KEPT = 4096
_OPEN_FILES = 64
_SECONDS_TO_DIE = 10
_ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "RUST_BACKTRACE": "0"}
_OUT_OF_MEMORY = (b"MemoryError", b"memory allocation of", b"annot allocate memory", b"out of memory",
                  b"failed to map segment")  # fmt: skip


async def run_limited(argv: Sequence[str], job: bytes, limits: Reader, *, file: str) -> AsyncGenerator[bytes, None]:
    """Run a child under limits and yield what it writes to stdout, in blocks of one or more whole lines.

    Close the iterator (``contextlib.aclosing``) to be rid of the child early; cancellation kills it at once.

    Args:
        argv: the program, by its full path, and its arguments. It sees no environment but the language.
        job: what it reads from stdin, to the end.
        limits: address space, CPU time, wall time; ``max_unpacked`` also bounds what it may write.
        file: the name to use in problems.

    Raises:
        ProblemError: ``reader-limit`` naming the limit; ``reader-failed`` with the last it said on stderr.
        OSError: the machine has no process or pipe to give, which is no fault of the file.
    """
    deadline = asyncio.get_running_loop().time() + limits.wall_time.total_seconds()
    process = await _start(argv, file)
    complaint = bytearray()
    listener = asyncio.create_task(_listen(process, complaint))
    try:
        _limit(process.pid, limits)
        async with asyncio.timeout_at(deadline):
            await _feed(process, job)
        async for block in _lines(process, deadline, limits.max_unpacked, file):
            yield block
        async with asyncio.timeout_at(deadline):
            status = await process.wait()
            await listener
    except TimeoutError as error:
        raise _limit_hit(file, f"wall time of {limits.wall_time}") from error
    finally:
        await _end(process, listener)
    if status != 0:
        raise _why(status, bytes(complaint), limits, file)


async def _start(argv: Sequence[str], file: str) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_ENVIRONMENT, start_new_session=True, limit=_PIECE
        )
    except OSError as error:
        if exhausted(error):
            raise
        raise _failed(file, f"its reader could not be started: {error}") from error


def _limit(pid: int, limits: Reader) -> None:
    cpu = math.ceil(limits.cpu_time.total_seconds())
    with contextlib.suppress(ProcessLookupError):  # it may be gone already; its exit status says why
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


async def _feed(process: Process, job: bytes) -> None:
    assert process.stdin is not None  # noqa: S101  asked for above
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its exit status says why it did not read
        process.stdin.write(job)
        await process.stdin.drain()
    process.stdin.close()


async def _lines(process: Process, deadline: float, most: int, file: str) -> AsyncIterator[bytes]:
    assert process.stdout is not None  # noqa: S101  asked for above
    rest, total = b"", 0
    while True:
        async with asyncio.timeout_at(deadline):
            piece = await process.stdout.read(_PIECE)
        total += len(piece)
        if total > most:
            raise _limit_hit(file, f"output of {most} bytes (reader.max_unpacked)")
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
        if not piece:
            break
        if len(rest) > LONGEST_LINE:
            raise _failed(file, f"its reader wrote a line of more than {LONGEST_LINE} bytes")
    if rest:
        yield rest


async def _listen(process: Process, complaint: bytearray) -> None:
    """Keep the last that the child says on stderr; reading on keeps it from blocking."""
    assert process.stderr is not None  # noqa: S101  asked for above
    while piece := await process.stderr.read(_STDERR_KEPT):
        complaint += piece
        del complaint[:-_STDERR_KEPT]


async def _end(process: Process, listener: "asyncio.Task[None]") -> None:
    """Leave no process behind; a child that is through by now is only reaped."""
    assert process.stdout is not None  # noqa: S101  asked for above
    try:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        # asyncio sees a process as ended only when its pipes are read to their end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_DIE):
                while await process.stdout.read(_PIECE):
                    pass
                await process.wait()
    finally:
        listener.cancel()


def _why(status: int, complaint: bytes, limits: Reader, file: str) -> ProblemError:
    if any(sign in complaint for sign in _OUT_OF_MEMORY):
        return _limit_hit(file, f"memory of {limits.memory} bytes")
    if status == -signal.SIGXCPU:
        return _limit_hit(file, f"CPU time of {limits.cpu_time}")
    last = complaint.decode(errors="replace").strip().rpartition("\n")[2] or "it said nothing"
    if status == -signal.SIGKILL:
        return _limit_hit(file, "its reader was killed from outside: the machine's memory, or CPU time")
    ended = f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return _failed(file, f"its reader {ended}: {last}")


def _limit_hit(file: str, reason: str) -> ProblemError:
    return ProblemError(problem("reader-limit", file=file, reason=reason))


def _failed(file: str, reason: str) -> ProblemError:
    return ProblemError(problem("reader-failed", file=file, reason=reason))
