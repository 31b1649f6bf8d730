"""Landlock (landlock(7)): a process gives up the rights to open any file, to reach TCP, and to signal others."""

import ctypes
import os
import struct
from typing import Final

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
