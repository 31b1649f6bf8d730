"""What the child gives up of its own accord before it looks at a file: outliving its parent, new rights, the network.

The limits on memory and time are set from outside (``sandbox``). Each of these calls may be refused, by a container or
by the unit's own hardening; then that is in force already or must be lived without.
"""

import ctypes
import signal

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # prctl(2)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # unshare(2)


def confine() -> None:
    """Die with the parent, never gain rights, and see a network that has not even a loopback."""
    die_with_parent()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends; a fork of this process must ask anew."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
