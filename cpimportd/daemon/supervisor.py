"""What systemd is told (sd_notify(3)): ready, what the daemon is doing, that its loop turns, that it is stopping.

Off systemd nothing is sent.
"""

import os
import time
from collections.abc import Mapping
from typing import Final

from sdnotify import SystemdNotifier

_EXTENSION: Final = 30_000_000
"""Microseconds by which a stop is extended at a time."""


class Supervisor:
    """Tells systemd; the environment says whether there is one.

    Args:
        environ: the environment: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are read.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._notifier = SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        self._status: str | None = None
        # sd_watchdog_enabled(3): the variables may be meant for another process
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog: float | None = int(usec) / 1_000_000 if ours and usec.isdigit() and int(usec) > 0 else None
        """Seconds within which systemd wants to hear that the loop turns; None where it does not ask."""

    def ready(self, status: str) -> None:
        """The daemon is up, or a reload is over, whatever came of it."""
        self._status = status
        self._send("READY=1", f"STATUS={status}")

    def beat(self, status: str) -> None:
        """The loop has turned once more; the status is sent where it has changed."""
        lines = ["WATCHDOG=1"] if self.watchdog else []
        if status != self._status:
            self._status = status
            lines.append(f"STATUS={status}")
        self._send(*lines)

    def say(self, status: str) -> None:
        """Only what the daemon is doing, such as why it does not start."""
        self._status = status
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; systemd counts from this instant of the monotonic clock."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The daemon is on its way out."""
        self._status = status
        self._send("STOPPING=1", f"STATUS={status}")

    def extend(self) -> None:
        """The stop takes longer: a run is past COMMIT and has to be finished."""
        self._send(f"EXTEND_TIMEOUT_USEC={_EXTENSION}")

    def _send(self, *lines: str) -> None:
        if self._notifier is None or not lines:
            return
        # The package encodes as Latin-1 and drops what does not fit; systemd wants UTF-8.
        self._notifier.notify("\n".join(lines).encode("utf-8", "replace").decode("latin-1"))
