"""The process that forks readers of workbooks, kept from one run of this process of tests to the next.

To start it anew takes a third of a run's processor time, all of it for the same imports. It reads nothing itself, and
each workbook still has a reader of its own. A run that leaves a reader behind ends it, as every run of the product does.
What belongs to its start and its end is tested with the product's own (tests/workbook/test_workbook_forking.py).
"""

import asyncio
import atexit
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pytest

from cpimportd.workbook import reading
from cpimportd.workbook.forking import ForkServer
from cpimportd.workbook.sandbox import ENVIRONMENT
from tests.support import launcher

# It asks to be killed when the thread that started it ends; this one lasts.
_STARTING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starts readers")


class _Stderr:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    async def read(self) -> bytes:
        assert self._process.stderr is not None
        return await asyncio.to_thread(self._process.stderr.read)


@dataclass
class _Kept:
    """As much of ``asyncio.subprocess.Process`` as a fork server asks for, but of no event loop."""

    popen: "subprocess.Popen[bytes]"
    control: socket.socket

    @property
    def stderr(self) -> _Stderr:
        return _Stderr(self.popen)

    @property
    def returncode(self) -> int | None:
        return self.popen.poll()

    def kill(self) -> None:
        self.popen.kill()

    async def wait(self) -> int:
        return await asyncio.to_thread(self.popen.wait)


class LastingForkServer(ForkServer):
    """Takes the process that an earlier run has left, if it is there still, and leaves it to the next one."""

    _left: list[_Kept] = []  # noqa: RUF012  one for each run at a time

    async def _start(self) -> None:
        kept = None
        while self._left and (kept is None or kept.returncode is not None):
            kept = self._left.pop()
        if kept is None or kept.returncode is not None:
            kept = await asyncio.wrap_future(_STARTING.submit(self._begin))
        launcher.LASTING.discard(kept.popen.pid)
        self._process, self._control = kept, kept.control  # type: ignore[assignment]
        asyncio.get_running_loop().add_reader(kept.control, self._receive)

    def _begin(self) -> _Kept:
        control, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            popen = subprocess.Popen(
                self._argv, stdin=its, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT,
                start_new_session=True,
            )  # fmt: skip
        control.setblocking(False)
        return _Kept(popen, control)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process: Any = self._process
        if kind is None and self._control is not None and not self._answers and process.returncode is None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control = self._process = None
            launcher.LASTING.add(process.popen.pid)
            self._left.append(process)
            return
        await super().__aexit__(kind, error, trace)

    @classmethod
    def end_all(cls) -> None:
        """The processes that nobody has now."""
        while cls._left:
            kept = cls._left.pop()
            kept.control.close()  # which it takes for the end
            kept.popen.communicate()


atexit.register(LastingForkServer.end_all)


@pytest.fixture(scope="session", autouse=True)
def _readers_last() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "ForkServer", LastingForkServer)
        yield
    LastingForkServer.end_all()
