"""The kernel's filter of system calls: it allows only the calls that a reader needs after it has begun to read.

Unlike a list of forbidden calls, a list of needed calls does not age: no call that a later kernel adds is on it. No
file can be opened under the filter, so all modules must be imported and the workbook be open before it is put in force.
The code is our own, because the alternatives on the package index need a C library and have defects of their own
(pyseccomp is of 2021 and needs libseccomp.so).
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Mapping
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
    """How an architecture makes system calls: its number in audit.h, and by their names the numbers of calls."""

    architecture: int
    calls: Mapping[str, int]


PLAIN: Final = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "lseek": (8, 62), "pread64": (17, 67), "readv": (19, 65),
    "writev": (20, 66), "preadv": (295, 69), "preadv2": (327, 286), "munmap": (11, 215), "brk": (12, 214),
    "mremap": (25, 216), "madvise": (28, 233), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "futex": (202, 98), "sched_yield": (24, 124),
    "restart_syscall": (219, 128), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "getrandom": (318, 278),
    "getpid": (39, 172), "gettid": (186, 178), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
"""The calls that are allowed whatever their arguments, by name: their numbers on x86-64 and on ARM64."""

JUDGED: Final = {
    "mmap": (9, 222), "mprotect": (10, 226), "fcntl": (72, 25), "tgkill": (234, 131), "prlimit64": (302, 261),
}  # fmt: skip
"""The calls that are allowed with some arguments only."""

_SECCOMP: Final = {"seccomp": (317, 277)}
_ALL: Final = PLAIN | JUDGED | _SECCOMP

ABIS: Final = {
    "x86_64": Abi(0xC000_003E, {name: numbers[0] for name, numbers in _ALL.items()}),
    "aarch64": Abi(0xC000_00B7, {name: numbers[1] for name, numbers in _ALL.items()}),
}
"""By machine as uname(2) names it. Elsewhere there is no filter."""


def program(abi: Abi, pid: int) -> list[Instruction]:
    """The filter for a process.

    What it refuses fails with EPERM, which is reported in words; a call in another architecture's way ends the process.

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
    for name in PLAIN:
        made += (Instruction(_IF_EQUAL, 0, 1, abi.calls[name]), allow)
    for name, checks in _judged(pid):
        body = [*checks, allow]
        made += (Instruction(_IF_EQUAL, 0, len(body), abi.calls[name]), *body)
    return [*made, refuse]


def _judged(pid: int) -> Iterator[tuple[str, list[Instruction]]]:
    """What is asked of the arguments of each call in ``JUDGED``."""
    for name in ("mmap", "mprotect"):
        yield name, [_load(2), Instruction(_IF_ANY_BIT, 0, 1, _PROT_EXEC), _refusal()]
    # Other commands send signals to whomever (F_SETOWN), and lock.
    flags = [Instruction(_IF_EQUAL, 2, 0, _F_GETFD), Instruction(_IF_EQUAL, 1, 0, _F_GETFL)]
    yield "fcntl", [_load(1), *flags, _refusal()]
    yield "tgkill", _must_be(0, pid)
    yield "prlimit64", [*_must_be(0, 0), *_must_be(2, 0), *_must_be(2, 0, high=True)]  # its own limits, to be read


def _must_be(argument: int, value: int, *, high: bool = False) -> list[Instruction]:
    return [_load(argument, high=high), Instruction(_IF_EQUAL, 1, 0, value), _refusal()]


def _load(argument: int, *, high: bool = False) -> Instruction:
    """Half an argument: both architectures put the low one first."""
    return Instruction(_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4 * high)


def _refusal() -> Instruction:
    return Instruction(_RETURN, 0, 0, _ERRNO | errno.EPERM)


def abi_of_this_process() -> Abi | None:
    """How this process makes system calls; None if no filter is written for that."""
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
    if libc.syscall(abi.calls["seccomp"], _SET_MODE_FILTER, _THREADS_TOO, ctypes.byref(filters)) == 0:
        return
    # An older way, which a container's or a unit's own filter may have left open.
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
