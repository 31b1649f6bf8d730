"""A process that has imported what a child needs, and forks one on request: the child's side of ``forking``.

The standard library's ``multiprocessing.forkserver`` does the same, but passes on the whole environment of the process
that starts it, and with it all secrets there.

Requests come as packets over the socket that is this process's stdin: ``fork N`` with the child's stdin, stdout and
stderr, and ``kill N``. Answers go back the same way: ``N born PID`` or ``N failed ERRNO``, and ``N ended STATUS``, the
status as ``os.waitstatus_to_exitcode`` has it.
"""

import errno
import gc
import os
import select
import signal
import socket
from contextlib import suppress

from cpimportd.workbook.confine import die_with_parent

LONGEST = 64
_STANDARD = (0, 1, 2)


def serve() -> None:
    """Serve fork requests; returns in every child, and nowhere else.

    A child has its own session, the three descriptors that came with its request, and no other.

    Raises:
        SystemExit: the client has disconnected; the remaining children are killed.
    """
    die_with_parent()
    control = socket.socket(fileno=0)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ready = select.poll()
    ready.register(control, select.POLLIN)
    ready.register(woken, select.POLLIN)
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise copy every page that it shares with this process
    tickets: dict[int, int] = {}
    while True:
        for descriptor, _ in ready.poll():
            if descriptor == woken:
                os.read(woken, 4096)
                _reap(control, tickets)
            elif _answer(control, tickets) == 0:
                control.detach()  # its number is the child's stdin by now
                os.close(woken)
                os.close(wake)
                return


def _answer(control: socket.socket, tickets: dict[int, int]) -> int | None:
    """Do what is asked.

    Returns:
        As fork(2) does: 0 in a child.
    """
    try:
        request, descriptors, _, _ = socket.recv_fds(control, LONGEST, len(_STANDARD))
    except ConnectionResetError:  # the client has disconnected with unread answers
        request, descriptors = b"", []
    if not request:
        for pid in tickets:
            _kill(pid)
        raise SystemExit
    verb, ticket = request.split()
    if verb == b"kill":
        for pid, its in tickets.items():
            if its == int(ticket):
                _kill(pid)
        return None
    forked: int | None = None
    try:
        forked = _fork(descriptors)
    except OSError as error:
        _send(control, b"%d failed %d" % (int(ticket), error.errno or errno.EAGAIN))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if forked:
        tickets[forked] = int(ticket)
        _send(control, b"%d born %d" % (int(ticket), forked))
    return forked


def _fork(descriptors: list[int]) -> int:
    """Fork a child with these as its standard streams.

    Raises:
        OSError: there is no process to be had, or the descriptors did not fit into this one.
    """
    if len(descriptors) != len(_STANDARD):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for descriptor, standard in zip(descriptors, _STANDARD, strict=True):
                os.dup2(descriptor, standard)
        except BaseException:  # noqa: BLE001 - it must never go on as a second server
            os._exit(1)
    return pid


def _kill(pid: int) -> None:
    """Kill a child that was not reaped yet, so that the number is still its own, with whatever it has started."""
    with suppress(ProcessLookupError):  # it has not come to have a session
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def _reap(control: socket.socket, tickets: dict[int, int]) -> None:
    while tickets:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            break
        _send(control, b"%d ended %d" % (tickets.pop(pid), os.waitstatus_to_exitcode(status)))


def _send(control: socket.socket, answer: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the next read reports the disconnection
        control.send(answer)
