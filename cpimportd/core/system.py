"""Turns errors of the operating system into problems: disk, memory, processes, open files."""

import asyncio
import errno
import stat
from collections.abc import Coroutine
from pathlib import Path
from typing import Final, TypeVar

from cpimportd.core.phrases import phrase, reason_of
from cpimportd.core.problems import Problem, problem

_EXHAUSTED: Final = {
    errno.EMFILE: "open-files-of-process",
    errno.ENFILE: "open-files",
    errno.ENOMEM: "memory",
    errno.EAGAIN: "processes-and-threads",  # fork(2), pthread_create(3)
}

# ld.so has no exception of its own: a library for which there is no room is an ImportError with one of these texts.
_UNLOADABLE: Final = ("failed to map segment", "cannot allocate memory", "cannot apply additional memory protection")


_NOT_REPLACEABLE: Final = phrase("not-replaceable")


def exhausted(error: BaseException) -> Problem | None:
    """The problem of a machine, or of this process's limits on it, where that is what an exception means.

    Returns:
        ``machine-exhausted``; None if the exception means something else.
    """
    if isinstance(error, OSError):
        missing = _EXHAUSTED.get(error.errno or 0)
    elif isinstance(error, MemoryError):
        missing = "memory"
    elif isinstance(error, ImportError):
        missing = "memory" if any(sign in str(error).lower() for sign in _UNLOADABLE) else None
    elif isinstance(error, RuntimeError):
        missing = "processes-and-threads" if "can't start new thread" in str(error) else None
    else:
        missing = None
    return None if missing is None else problem("machine-exhausted", reason=phrase(missing))


def unusable(path: Path | str, error: OSError) -> Problem:
    """The problem of a file or folder of ours that cannot be used: ``disk``, or ``machine-exhausted``."""
    reason = _NOT_REPLACEABLE if error.strerror == str(_NOT_REPLACEABLE) else error.strerror or reason_of(error)
    return exhausted(error) or problem("disk", path=str(path), reason=reason)


def require_replaceable(path: Path) -> None:
    """Refuse to put a file in the place of what is none: /dev/null would be a file from then on.

    Args:
        path: where a file is to be written, or replaced; what may be there is looked at.

    Raises:
        OSError: a device, a pipe, a socket, a folder, or a link to one; also /dev/stdout, wherever that leads.
    """
    try:
        there = path.lstat()
        if stat.S_ISLNK(there.st_mode) and not path.readlink().is_relative_to("/proc"):
            there = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(there.st_mode):
        raise OSError(errno.EINVAL, str(_NOT_REPLACEABLE), str(path))


_Result = TypeVar("_Result")


async def uninterrupted(work: Coroutine[object, object, _Result]) -> _Result:
    """Carry some work through to its end, whatever cancellations reach the calling task while it lasts.

    From COMMIT on, a run is finished rather than given up: its outcome has to be recorded and told.

    Raises:
        Exception: whatever the work itself raises.
    """
    inner = asyncio.ensure_future(work)
    while not inner.done():
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if inner.cancelled() or current is None:
                raise
            current.uncancel()
        except BaseException:  # noqa: BLE001, S110 (raised again by result() below)
            pass
    return inner.result()
