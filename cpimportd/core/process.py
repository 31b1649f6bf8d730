"""Prepares every process of ours: its standard streams exist, and its memory is never dumped to disk."""

import errno
import io
import os
import select
import stat
import sys
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
import ctypes
import resource

_READER_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN})


class _LossTolerantStream(io.FileIO):
    """A descriptor to which writing never raises.

    Attributes:
        absent: the stream was closed at the start; writes go to /dev/null.
        lost: why what was written last did not arrive; None if it did.
        keep_trying: whether to write again after a loss. A log goes on as soon as there is room; a document with a hole
            in it is worse than one that ends early.
    """

    def __init__(self, descriptor: int, *, absent: bool, keep_trying: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.absent = absent
        self.lost: OSError | None = OSError(errno.EBADF, os.strerror(errno.EBADF)) if absent else None
        self.keep_trying = keep_trying

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of it, or drop it; the answer is always that it was written."""
        rest = whole = memoryview(data).cast("B")
        if self.absent or (self.lost is not None and not self.keep_trying):
            return len(whole)
        try:
            while rest:
                # None: another program that shares the descriptor has made it non-blocking.
                written = super().write(rest)
                if written is None:
                    select.select([], [self], [])
                rest = rest[written or 0 :]
        except OSError as error:
            self.lost = error
        else:
            self.lost = None
        return len(whole)


def prepare() -> None:
    """Make the three streams what this page says; the first thing that a command does.

    A descriptor that was closed is opened on /dev/null: else the next socket or file would get its number, and with it
    whatever is said on the stream.
    """
    absent = {descriptor for descriptor in (0, 1, 2) if _open_if_closed(descriptor)}
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it lives as long as the process
    sys.stdout = _text(_LossTolerantStream(1, absent=1 in absent, keep_trying=False), sys.stdout)
    sys.stderr = _text(_LossTolerantStream(2, absent=2 in absent, keep_trying=True), sys.stderr, line_buffering=True)


def _open_if_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        # open(2) takes the lowest free number, and those below are open by now. Children get it, too.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        return True
    return False


def _text(raw: _LossTolerantStream, before: IO[str] | None, *, line_buffering: bool = False) -> io.TextIOWrapper:
    """A stream of text like the one that Python made, which may be none."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", "utf-8"),
        errors=getattr(before, "errors", "backslashreplace"),
        # PYTHONUNBUFFERED asks for write_through: whole lines serve a viewer as well.
        line_buffering=line_buffering
        or any(getattr(before, how, False) for how in ("line_buffering", "write_through")),
    )


def lost_error(stream: IO[str]) -> OSError | None:
    """Why the last write to a standard stream was lost; None if it arrived, or if that is unknown."""
    raw = _raw(stream)
    if raw is None:
        return None
    stream.flush()
    return raw.lost


def unread(stream: IO[str]) -> bool:
    """Whether a standard stream has no reader (any more)."""
    raw, lost = _raw(stream), lost_error(stream)
    return (
        raw is not None and lost is not None and (raw.absent or lost.errno in _READER_GONE or _reader_gone(raw, lost))
    )


def abandon_stream(stream: IO[str]) -> None:
    """Treat a standard stream as one without a reader: its loss has been reported."""
    if (raw := _raw(stream)) is not None:
        raw.absent = True


def _reader_gone(raw: _LossTolerantStream, lost: OSError) -> bool:
    """Whether the terminal was closed: its driver then answers EIO, as a failing disk does."""
    return lost.errno == errno.EIO and not _is_file(raw)


def _is_file(raw: _LossTolerantStream) -> bool:
    return stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def _raw(stream: IO[str]) -> _LossTolerantStream | None:
    """The raw stream below; None if it is not ours, as in a test or another program."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, _LossTolerantStream) else None


_PR_SET_DUMPABLE = 4  # prctl(2)


def forbid_core_dumps() -> None:
    """Leave no core dump, whoever started us and however.

    The limit is inherited by every child. Where ``core_pattern`` names a program, the kernel pays no heed to the limit
    (core(5)), but does so to the attribute, which also closes our memory and environment in /proc to everybody but root
    (proc(5)); it ends with the next exec, so each program of ours says it anew.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
