"""Confines the child before it reads a file: it keeps only memory and open descriptors.

The limits on memory and time are set from outside (``sandbox``). Namespaces, Landlock and a filter of system calls are
three walls. An old kernel, a container or the unit's own hardening may refuse each of them. All are tried, and either
of the last two alone prevents opening any file. ``cpimportd check`` reports what is still possible (``trial``).
"""

import ctypes
import encodings
import importlib
import os
import pkgutil
import signal
import struct
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Final

from cpimportd.workbook.seccomp import install

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # prctl(2)
CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # unshare(2)


@dataclass(frozen=True, slots=True)
class Walls:
    """The means by which a process is confined.

    Attributes:
        namespaces: it sees a network of its own, which has not even a loopback.
        landlock: the version of the kernel's interface; 0: it has none, or it was refused.
        seccomp: a filter of system calls is in force.
    """

    namespaces: bool
    landlock: int
    seccomp: bool


@cache
def import_codecs() -> None:
    """Have every encoding at hand: a workbook may be in any, and each is a module of its own."""
    import_submodules(encodings)


def import_submodules(package: ModuleType, *, but: Collection[str] = ()) -> None:
    """Import every module of a package that can be imported here: it would do so itself, when it can no more.

    Args:
        package: what to import.
        but: the full names of modules to leave out.
    """
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name not in but:
            with suppress(ImportError):  # of another system, or it wants what is not installed
                importlib.import_module(module.name)


def confine() -> Walls:
    """Give up, for good: new rights, every network, to open any file, to start anything, and to signal anybody.

    Whatever is to be read must be open, and what is to be imported be imported: ``import_codecs``,
    ``import_submodules``.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    namespaces = libc.unshare(CLONE_NEWUSER | _CLONE_NEWNET) == 0
    return Walls(namespaces, _landlock(), _seccomp())  # the filter at last: it refuses the other two


def _landlock() -> int:
    try:
        return restrict()
    except OSError:
        return 0


def _seccomp() -> bool:
    try:
        install()
    except OSError:
        return False
    return True


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent thread ends; a fork must call this again."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


# The numbers of these calls are the same on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION = 1

_FILES_SINCE: Final = ((1, 13), (2, 1), (3, 1), (5, 1))
"""How many rights over files each version of the interface added: refer (2), truncate (3), ioctl (5)."""
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2


def handled(abi: int) -> bytes:
    """Every right that a version of the interface can take away (``struct landlock_ruleset_attr``).

    Args:
        abi: the version, from 1; what one later than 6 adds is left alone.
    """
    files = (1 << sum(count for since, count in _FILES_SINCE if since <= abi)) - 1
    network = _BIND_TCP | _CONNECT_TCP if abi >= _NETWORK_SINCE else None
    scopes = _ABSTRACT_SOCKETS | _SIGNALS if abi >= _SCOPES_SINCE else None
    fields = [field for field in (files, network, scopes) if field is not None]
    return struct.pack(f"={len(fields)}Q", *fields)


def restrict() -> int:
    """Take from this process every right that Landlock knows, for good; what is open stays open.

    It must have given up new rights (PR_SET_NO_NEW_PRIVS).

    Returns:
        The version of the kernel's interface, from 1.

    Raises:
        OSError: this kernel has no Landlock (ENOSYS), it is not switched on (EOPNOTSUPP), or a container refuses it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long

    def call(number: int, *arguments: object) -> int:
        result = int(libc.syscall(ctypes.c_long(number), *arguments))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    abi = call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    rights = handled(abi)
    ruleset = call(_CREATE_RULESET, rights, ctypes.c_size_t(len(rights)), ctypes.c_uint32(0))
    try:
        call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return abi
