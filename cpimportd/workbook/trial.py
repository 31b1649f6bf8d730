"""Tests what a reader of workbooks could do besides reading: a real reader tries it, in its real environment.

``cpimportd check`` runs it, because the permissions of a kernel, a container or a unit can only be tested inside. An
attempt that succeeds does no harm: it goes no further.
"""

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

from cpimportd.workbook.confine import CLONE_NEWUSER, Walls

# Refused, or not there: EAGAIN is what a limit of no processes says, the last three a network that has nothing.
_REFUSED: Final = {
    errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAGAIN, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT
}  # fmt: skip
_NOWHERE: Final = ("127.0.0.1", 9)
_SECONDS: Final = 0.5
_PROGRAMS: Final = "start programs"


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trial ended.

    Attributes:
        walls: by which means the reader is confined.
        possible: what it could do all the same, as verbs; empty if all is well.
    """

    walls: Walls
    possible: tuple[str, ...]


def attempt_all(walls: Walls, stream: IO[bytes]) -> None:
    """Try everything and report it; where a program can be started, this one ends with that.

    Args:
        walls: by which means this process is confined.
        stream: where it is reported, for :func:`parse_trial`.
    """
    possible = [what for what, attempt in _ATTEMPTS.items() if _succeeds(attempt)]
    stream.write(json.dumps({"walls": asdict(walls), "possible": possible}).encode() + b"\n")
    stream.flush()
    _succeeds(lambda: os.execv(sys.executable, (sys.executable, "-I", "-S", "-c", "")))  # noqa: S606
    stream.write(b"{}\n")
    stream.flush()


def parse_trial(said: bytes) -> Trial:
    """What a reader said of its trial.

    Raises:
        ValueError, KeyError, TypeError: that was no trial.
    """
    first, *rest = said.splitlines()
    told = json.loads(first)
    return Trial(Walls(**told["walls"]), (*map(str, told["possible"]), *(() if rest else (_PROGRAMS,))))


def _succeeds(attempt: Callable[[], object]) -> bool:
    """Whether an attempt was permitted: a missing peer is not a refusal."""
    try:
        attempt()
    except OSError as error:
        return error.errno not in _REFUSED
    return True


def _reach_tcp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.settimeout(_SECONDS)
        made.connect(_NOWHERE)


def _reach_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"", _NOWHERE)


def _reach_unix() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.connect("/nowhere")


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _enter_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


_ATTEMPTS: Final[dict[str, Callable[[], object]]] = {
    "reach hosts by TCP": _reach_tcp,
    "reach hosts by UDP": _reach_udp,
    "reach local sockets": _reach_unix,
    "read files": lambda: os.close(os.open(sys.executable, os.O_RDONLY)),
    "write files": lambda: os.close(os.open(os.devnull, os.O_WRONLY)),
    "see which files there are": Path("/").stat,
    "signal other processes": lambda: os.kill(os.getppid(), 0),
    "start processes": _fork,
    "enter namespaces": _enter_namespace,
}
