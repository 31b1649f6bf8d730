"""Memory that holds passwords is written to no disk when its process dies, and is no other process's to read."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # prctl(2)


def forbid_core_dumps() -> None:
    """Leave no core dump, whoever started us and however.

    The limit is inherited by every child. Where ``core_pattern`` names a program, the kernel pays no heed to the limit
    (core(5)), but does so to the attribute, which also closes our memory and environment in /proc to everybody but root
    (proc(5)); it ends with the next exec, so each program of ours says it anew.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
