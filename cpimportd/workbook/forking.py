"""Gets children for the sandbox from a process that has already imported what they need (``forkserver``).

Starting a new reader costs a tenth of a second of a processor, nearly all of it for imports. A fork costs a tenth of
that.
"""

import asyncio
import errno
import itertools
import os
import signal
import socket
from asyncio import Future, StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from cpimportd.core.phrases import PhraseError
from cpimportd.workbook.forkserver import LONGEST
from cpimportd.workbook.memory import is_out_of_memory
from cpimportd.workbook.sandbox import ENVIRONMENT, PIECE, last_line

_SECONDS_TO_END = 1
_SECONDS_TO_KILL = 5


class ForkerEndedError(PhraseError, ChildProcessError):
    """The process ended that forks the readers."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A :class:`cpimportd.workbook.sandbox.Child` that is not this process's own, but its fork server's."""

    pid: int
    stdin: StreamWriter
    stdout: StreamReader
    stderr: StreamReader
    kill: Callable[[], None]
    close: Callable[[], None]
    _ended: "Future[int]"

    @property
    def returncode(self) -> int | None:
        """As of ``Process``."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """As of ``Process``."""
        return await asyncio.shield(self._ended)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the fork server has to say of one child: its process id, or why there is none; and how it ended."""

    born: "Future[int | OSError]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    ended: "Future[int]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ForkServer:
    """Starts its process with the first child, and anew where it was killed; ends it, and all children, with its block.

    Args:
        argv: a program that calls :func:`cpimportd.workbook.forkserver.serve`, by its full path, and its arguments. It
            sees no environment but the language, and is told nothing.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._stderr = b""
        self._turn = asyncio.Lock()
        self._tickets = itertools.count()
        self._answers: dict[int, _Answers] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._turn:
            self._close_connection()
            await self._end()

    async def fork(self) -> Forked:
        """A new child, waiting for its job.

        Raises:
            OSError: the machine has no process or socket to give, or the fork server does not work.
        """
        async with self._turn:
            if self._control is None:
                await self._end()
                await self._start()
        with ExitStack() as ours, ExitStack() as theirs:
            streams, ends = [], []
            for _ in range(3):
                mine, its = socket.socketpair()
                ends.append(theirs.enter_context(its).fileno())
                streams.append(await asyncio.open_connection(sock=ours.enter_context(mine), limit=PIECE))
                ours.callback(streams[-1][1].close)
            ticket, answers = next(self._tickets), _Answers()
            self._answers[ticket] = answers
            ours.callback(self._kill, ticket, answers)
            self._send(b"fork %d" % ticket, ends)
            theirs.close()
            pid = await answers.born
            if isinstance(pid, OSError):
                raise await self._failure() if isinstance(pid, ConnectionError) else pid
            ours.pop_all()
        (_, stdin), (stdout, _), (stderr, _) = streams

        def close() -> None:
            for _, writer in streams:
                writer.close()

        return Forked(pid, stdin, stdout, stderr, lambda: self._kill(ticket, answers), close, answers.ended)

    async def _start(self) -> None:
        control, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its, ExitStack() as unless_started:
            unless_started.enter_context(control)
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=its.fileno(), stdout=DEVNULL, stderr=PIPE, env=ENVIRONMENT, start_new_session=True
            )
            unless_started.pop_all()
        control.setblocking(False)
        self._control = control
        asyncio.get_running_loop().add_reader(control, self._receive)

    async def _end(self) -> None:
        """End the server process after a disconnection, and keep its error output."""
        if self._process is None:
            return
        process = self._process
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS_TO_END):
                    await process.wait()
        finally:
            _kill(process)
        await process.wait()
        assert process.stderr is not None  # noqa: S101  asked for above
        self._stderr = await process.stderr.read()
        self._process = None

    async def _failure(self) -> OSError:
        """Why the process ended before it forked."""
        async with self._turn:
            if self._control is None:  # else it was started anew meanwhile
                await self._end()
        if is_out_of_memory(self._stderr):
            return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return ForkerEndedError("forker-ended", said=last_line(self._stderr))

    def _kill(self, ticket: int, answers: _Answers) -> None:
        self._send(b"kill %d" % ticket)
        asyncio.get_running_loop().call_later(_SECONDS_TO_KILL, self._abandon, answers)

    def _abandon(self, answers: _Answers) -> None:
        """A process that does not even kill was stopped, maybe by a child: what it has forked dies with it."""
        if not answers.ended.done():
            if self._process is not None:
                _kill(self._process)
            self._close_connection()

    def _send(self, request: bytes, descriptors: Sequence[int] = ()) -> None:
        if self._control is not None:
            try:
                socket.send_fds(self._control, [request], descriptors)
            except OSError:  # it has ended, or reads nothing any more
                self._close_connection()
        else:
            self._resolve_all()

    def _receive(self) -> None:
        """Take an answer that has come."""
        assert self._control is not None  # noqa: S101  callers have started it
        try:
            answer = self._control.recv(LONGEST)
        except ConnectionError:
            answer = b""
        if not answer:
            self._close_connection()
            return
        ticket, what, number = answer.split()
        answers = self._answers[int(ticket)]
        if what != b"ended" and not answers.born.done():  # otherwise the result is no longer awaited
            answers.born.set_result(int(number) if what == b"born" else OSError(int(number), os.strerror(int(number))))
        if what != b"born":
            answers.ended.set_result(int(number) if what == b"ended" else -signal.SIGKILL)
            del self._answers[int(ticket)]

    def _close_connection(self) -> None:
        """Talk no more to this process, and count its children as killed: it kills them when it notices."""
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        self._resolve_all()

    def _resolve_all(self) -> None:
        while self._answers:
            _, answers = self._answers.popitem()
            if not answers.born.done():
                answers.born.set_result(ConnectionResetError())
            answers.ended.set_result(-signal.SIGKILL)


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
