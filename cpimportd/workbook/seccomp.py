"""A filter of the kernel's for system calls: what a reader needs once it has begun to read, and nothing else.

Unlike a list of what is forbidden, a list of what is needed does not age: no call that a later kernel adds is on it. No
file can be opened under it, so that all modules must be imported and the workbook be open before it is put in force.
It is written by hand since nothing on the package index does it without a library of C and its own list of defects
(pyseccomp is of 2021 and needs libseccomp.so).
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

# bpf_common.h and seccomp.h: load a word at a constant offset, three jumps that compare it, and return.
_LOAD, _IF_EQUAL, _IF_GREATER, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32: Final = 0x4000_0000  # a bit in the numbers of calls by the x32 ABI, whose architecture is that of x86-64
_NEWEST: Final = 462
"""The last call known when this was written (mseal, Linux 6.10): of later ones a C library expects ENOSYS."""

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2  # prctl(2)
_SET_MODE_FILTER, _THREADS_TOO = 1, 1  # seccomp(2)
_PROT_EXEC = 4  # mman.h
_F_GETFD, _F_GETFL = 1, 3  # fcntl.h


class Instruction(NamedTuple):
    """One instruction of the kernel's filter machine (struct sock_filter).

    Attributes:
        code: what to do.
        yes: how many instructions to skip where a comparison holds.
        no: how many where it does not.
        value: what to compare with, load or return.
    """

    code: int
    yes: int
    no: int
    value: int


class Abi(NamedTuple):
    """How an architecture makes system calls: its number in audit.h, and the numbers of those that are allowed."""

    architecture: int
    seccomp: int
    plain: Sequence[int]
    mmap: int
    mprotect: int
    fcntl: int
    tgkill: int
    prlimit64: int


NAMES: Final = (
    "read", "write", "close", "lseek", "pread64", "readv", "writev", "preadv", "preadv2", "munmap", "brk", "mremap", "madvise",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "futex", "sched_yield", "restart_syscall", "nanosleep",
    "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "getrandom", "getpid", "gettid", "exit", "exit_group",
)  # fmt: skip
"""The calls that are allowed whatever their arguments, in the order of ``Abi.plain``."""

ABIS: Final = {
    "x86_64": Abi(
        0xC000_003E, 317,
        (0, 1, 3, 8, 17, 19, 20, 295, 327, 11, 12, 25, 28, 13, 14, 15, 131, 202, 24, 219, 35, 230, 228, 229, 96, 318, 39, 186, 60, 231),
        mmap=9, mprotect=10, fcntl=72, tgkill=234, prlimit64=302,
    ),
    "aarch64": Abi(
        0xC000_00B7, 277,
        (63, 64, 57, 62, 67, 65, 66, 69, 286, 215, 214, 216, 233, 134, 135, 139, 132, 98, 124, 128, 101, 115, 113, 114, 169, 278, 172,
         178, 93, 94),
        mmap=222, mprotect=226, fcntl=25, tgkill=131, prlimit64=261,
    ),
}  # fmt: skip
"""By machine as uname(2) names it. Elsewhere there is no filter."""


def program(abi: Abi, pid: int) -> list[Instruction]:
    """The filter for a process.

    What it refuses fails with EPERM, so that it is told in words; a call in another architecture's way ends the process.

    Args:
        abi: the architecture's.
        pid: the process that is to be confined: signals to it alone are its own affair.
    """
    refuse, allow = Instruction(_RETURN, 0, 0, _ERRNO | errno.EPERM), Instruction(_RETURN, 0, 0, _ALLOW)
    kill = Instruction(_RETURN, 0, 0, _KILL_PROCESS)
    made = [
        Instruction(_LOAD, 0, 0, _ARCHITECTURE),
        Instruction(_IF_EQUAL, 1, 0, abi.architecture),
        kill,
        Instruction(_LOAD, 0, 0, _NUMBER),
        Instruction(_IF_GREATER, 0, 1, _X32 - 1),
        kill,
        Instruction(_IF_GREATER, 0, 1, _NEWEST),
        Instruction(_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number in abi.plain:
        made += (Instruction(_IF_EQUAL, 0, 1, number), allow)
    for number, checks in _judged(abi, pid):
        body = [*checks, allow]
        made += (Instruction(_IF_EQUAL, 0, len(body), number), *body)
    return [*made, refuse]


def _judged(abi: Abi, pid: int) -> Iterator[tuple[int, list[Instruction]]]:
    """The calls that are allowed with some arguments only."""
    for number in (abi.mmap, abi.mprotect):
        yield number, [_load(2), Instruction(_IF_ANY_BIT, 0, 1, _PROT_EXEC), _refusal()]
    # Other commands send signals to whomever (F_SETOWN), and lock.
    yield abi.fcntl, [_load(1), Instruction(_IF_EQUAL, 2, 0, _F_GETFD), Instruction(_IF_EQUAL, 1, 0, _F_GETFL), _refusal()]
    yield abi.tgkill, _must_be(0, pid)
    yield abi.prlimit64, [*_must_be(0, 0), *_must_be(2, 0), *_must_be(2, 0, high=True)]  # its own limits, to be read


def _must_be(argument: int, value: int, *, high: bool = False) -> list[Instruction]:
    return [_load(argument, high=high), Instruction(_IF_EQUAL, 1, 0, value), _refusal()]


def _load(argument: int, *, high: bool = False) -> Instruction:
    """Half an argument: both architectures put the low one first."""
    return Instruction(_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4 * high)


def _refusal() -> Instruction:
    return Instruction(_RETURN, 0, 0, _ERRNO | errno.EPERM)


def abi_of_this_process() -> Abi | None:
    """How this process makes system calls; None where no filter is written for that."""
    if struct.calcsize("P") != 8 or sys.byteorder != "little":
        return None
    return ABIS.get(os.uname().machine)


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install() -> None:
    """Put the filter in force, for good; the process must have given up new rights (PR_SET_NO_NEW_PRIVS).

    Raises:
        OSError: the kernel has no such filters (ENOSYS, EINVAL), a container refuses them, or there is none for this
            architecture (ENOTSUP).
    """
    abi = abi_of_this_process()
    if abi is None:
        raise OSError(errno.ENOTSUP, f"no filter is written for {os.uname().machine}")
    made = program(abi, os.getpid())
    packed = b"".join(struct.pack("HBBI", *one) for one in made)
    filters = _Program(len(made), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(abi.seccomp, _SET_MODE_FILTER, _THREADS_TOO, ctypes.byref(filters)) == 0:
        return
    # An older way, which a container's or a unit's own filter may have left open.
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
