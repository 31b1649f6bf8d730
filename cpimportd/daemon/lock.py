"""One daemon per state folder: a lock on a file that names the process which holds it."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from cpimportd.core.files import give_to_folder_owner
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.core.system import unusable

LOCK: Final = "daemon.lock"
"""In the state folder."""

_RETRY_DELAYS: Final = (0.02, 0.05, 0.1, 0.1)
"""Seconds between tries: :func:`holder` takes the lock itself for an instant."""


class Holder(msgspec.Struct, frozen=True):
    """The daemon that works on a state folder.

    Attributes:
        pid: of its process.
        runtime: its runtime folder, where it keeps its status.
    """

    pid: int
    runtime: Path


@contextmanager
def locked(state: Path, runtime: Path) -> Iterator[None]:
    """Hold the state folder's lock; the kernel releases it when the process ends, however it ends.

    Raises:
        ProblemError: ``daemon-running`` with the other one's PID; ``disk`` where the file cannot be written.
    """
    path = state / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        give_to_folder_owner(path)
        _acquire(handle, state)
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "runtime": str(runtime)}).encode(), 0)
    except OSError as error:
        raise ProblemError(unusable(path, error)) from error
    try:
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, state: Path) -> None:
    for delay in _RETRY_DELAYS:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(delay)
        else:
            return
    other = _read(handle)
    raise ProblemError(problem("daemon-running", pid=other.pid if other else phrase("unknown-pid"), path=str(state)))


def holder(state: Path) -> Holder | None:
    """The daemon that works on a state folder now; None if there is none.

    Raises:
        ProblemError: ``daemon-permission``: the folder cannot be read.
    """
    try:
        handle = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise ProblemError(problem("daemon-permission", pid=phrase("unknown-pid"))) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(handle)
    finally:
        os.close(handle)
    return None


def _read(handle: int) -> Holder | None:
    try:
        found = json.loads(os.pread(handle, 4096, 0))
        return Holder(int(found["pid"]), Path(found["runtime"]))
    except (ValueError, KeyError, TypeError):
        return None  # it was locked a moment ago and is not written yet
