"""A program under a kernel that lacks something: ``python refusing.py seccomp,landlock,namespaces PROGRAM ARGUMENT...``.

What is named is refused by a filter that the program and all its children inherit, as an old kernel or a strict
container does it.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBERS = {
    "x86_64": {"seccomp": 317, "prctl": 157, "unshare": 272, "landlock": 444},
    "aarch64": {"seccomp": 277, "prctl": 167, "unshare": 97, "landlock": 444},
}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38


def refusing(what):
    numbers = NUMBERS[platform.machine()]
    made = [(LOAD, 0, 0, 0)]
    if "seccomp" in what:  # the call, and the older way: prctl(PR_SET_SECCOMP)
        made += [(IF_EQUAL, 0, 1, numbers["seccomp"]), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
        made += [(IF_EQUAL, 0, 4, numbers["prctl"]), (LOAD, 0, 0, 16), (IF_EQUAL, 0, 1, PR_SET_SECCOMP)]
        made += [(RETURN, 0, 0, ERRNO | errno.EINVAL), (RETURN, 0, 0, ALLOW)]
    if "seccomp call" in what:
        made += [(IF_EQUAL, 0, 1, numbers["seccomp"]), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    if "landlock" in what:
        made += [(IF_EQUAL, 0, 1, numbers["landlock"]), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    if "namespaces" in what:
        made += [(IF_EQUAL, 0, 1, numbers["unshare"]), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    made.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *one) for one in made), len(made)


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


if __name__ == "__main__":
    packed, length = refusing(sys.argv[1].split(","))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(Program(length, packed)), 0, 0) == 0, os.strerror(
        ctypes.get_errno()
    )
    os.execv(sys.argv[2], sys.argv[2:])
