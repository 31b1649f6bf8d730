"""``cpimportd`` with any arguments as a real process, without loading its modules each time.

One process for each session of tests has loaded them all; whatever is asked for is a fork of it, with streams, an
environment, a working directory, signals and an exit code of its own, like the command that a shell starts. What the
start itself is about (the interpreter's options, limits set before it, lost streams) needs ``python -m cpimportd``.
"""

import array
import atexit
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import psutil

MOST = 1 << 20  # bytes of a request
# What an interpreter has looked at before its first line: where a test says otherwise, it gets an interpreter of its own.
INTERPRETERS = ("PYTHON", "LC_", "LANG", "MALLOC_", "LD_")


def run(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: str | Path | None = None, timeout: float = 120,
    stdout: IO[bytes] | None = None, **options: Any,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """``cpimportd ARGUMENTS``, its streams captured as text, as ``subprocess.run`` does it.

    Options of ``subprocess.run`` that a fork cannot have, such as another user, start an interpreter.

    Args:
        arguments: of the command.
        env: its whole environment; this process's own if None.
        cwd: where it works.
        timeout: in seconds.
        stdout: where its output goes; nothing of it is captured then.
        options: of ``subprocess.run``.

    Raises:
        subprocess.TimeoutExpired: it did not end; it was killed.
    """
    argv = [sys.executable, "-m", "cpimportd", *arguments]
    environ = dict(os.environ if env is None else env)
    if options or _of_interpreters(environ) != _of_interpreters(os.environ):
        options = {"capture_output": True, "text": True, "check": False, **options}
        return subprocess.run(argv, env=environ, cwd=cwd, timeout=timeout, **options)  # noqa: PLW1510  check is among them
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as nothing:  # noqa: PTH123
        code = _LAUNCHER.run(
            {"argv": argv[2:], "env": environ, "cwd": str(cwd or Path.cwd())}, (nothing, stdout or out, err), timeout
        )
        said = [_text(stream) for stream in (out, err)]
    if code is None:
        raise subprocess.TimeoutExpired(argv, timeout, *said)
    return subprocess.CompletedProcess(argv, code, *said)


def _of_interpreters(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(INTERPRETERS)}


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode().replace("\r\n", "\n").replace("\r", "\n")


class Launcher:
    """The process that is forked; started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def run(self, request: dict[str, Any], streams: tuple[IO[bytes], ...], timeout: float) -> int | None:
        """The exit code as ``subprocess`` counts it; None of what did not end in time."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                self._ask(json.dumps(request).encode(), [theirs.fileno(), *(stream.fileno() for stream in streams)])
            ours.settimeout(timeout)
            pid = None
            with ours.makefile("rb") as answers:
                try:
                    pid = int(answers.readline())
                    return os.waitstatus_to_exitcode(int(answers.readline()))
                except TimeoutError:
                    if pid is not None:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    return None

    def _ask(self, request: bytes, descriptors: list[int]) -> None:
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._requests is not None
        assert len(request) < MOST
        self._requests.sendmsg(
            [request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())]
        )

    def _start(self) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        for one in (ours, theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._requests = ours
        atexit.register(self._end, self._process, ours)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @staticmethod
    def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
        requests.close()  # which it takes for the end
        process.wait()


_LAUNCHER = Launcher()

LASTING: set[int] = set()
"""Further children of this process of tests that wait for the next test which needs them."""


def children(*, recursive: bool = False) -> list[psutil.Process]:
    """The children of this process of tests, without those that live on for whoever asks them."""
    mine = psutil.Process()
    apart = [one for one in mine.children() if one.pid in {_LAUNCHER.pid, *LASTING}]
    left_out = {one.pid for root in apart for one in (root, *root.children(recursive=True))}
    return [one for one in mine.children(recursive=recursive) if one.pid not in left_out]


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for every request and tell its exit code; gives the request within a fork, None at the end."""
    waking, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests, waking], [], [])
        if waking in ready:
            os.read(waking, 1000)
        while waiting and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with waiting.pop(ended[0]) as answers, suppress(OSError):
                answers.sendall(b"%d\n" % ended[1])
        if requests not in ready:
            continue
        data, descriptors, _, _ = socket.recv_fds(requests, MOST, 4)
        if not data:
            return None
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, descriptor in enumerate(descriptors[1:]):
                os.dup2(descriptor, number)
            for descriptor in (*descriptors, waking, woken, requests.detach()):
                os.close(descriptor)
            for answers in waiting.values():
                answers.close()
            return json.loads(data)
        waiting[pid] = socket.socket(fileno=descriptors[0])
        waiting[pid].sendall(b"%d\n" % pid)
        for descriptor in descriptors[1:]:
            os.close(descriptor)


def load_all() -> None:
    """Every module that a verb may need."""
    import cpimportd  # only in the process that is forked

    for module in pkgutil.walk_packages(cpimportd.__path__, "cpimportd."):
        if not module.name.endswith("__main__") and "migrations" not in module.name:
            import_module(module.name)


def become(request: dict[str, Any]) -> None:
    """Be the process that was asked for."""
    from cpimportd.cli import main

    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv[:] = request["argv"]
    main()


if __name__ == "__main__":
    sys.path[0] = ""
    load_all()
    gc.collect()
    gc.freeze()
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        become(asked)
