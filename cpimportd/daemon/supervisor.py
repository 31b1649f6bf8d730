"""Notifications to systemd (sd_notify(3)): ready, status, watchdog, reloading, stopping.

Without systemd nothing is sent.
"""

import os
import time
from collections.abc import Mapping
from typing import Final

from sdnotify import SystemdNotifier

_EXTENSION: Final = 30_000_000
"""Microseconds by which a stop is extended at a time."""


class Supervisor:
    """Notifies systemd, if the environment names a socket.

    Args:
        environ: the environment: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are read.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._notifier = SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        self._status: str | None = None
        # sd_watchdog_enabled(3): the variables may be meant for another process
        module_command = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog: float | None = (
            int(usec) / 1_000_000 if module_command and usec.isdigit() and int(usec) > 0 else None
        )
        """The watchdog interval in seconds; None if systemd asks for none."""

    def ready(self, status: str) -> None:
        """The daemon is ready, or a reload is over, accepted or refused."""
        self._status = status
        self._send("READY=1", f"STATUS={status}")

    def keep_alive(self, status: str) -> None:
        """Feed the watchdog; the status is sent if it has changed."""
        lines = ["WATCHDOG=1"] if self.watchdog else []
        if status != self._status:
            self._status = status
            lines.append(f"STATUS={status}")
        self._send(*lines)

    def set_status(self, status: str) -> None:
        """Send the status alone, such as the reason why the daemon does not start."""
        self._status = status
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; systemd counts from this instant of the monotonic clock."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The daemon is stopping."""
        self._status = status
        self._send("STOPPING=1", f"STATUS={status}")

    def extend_stop_timeout(self) -> None:
        """Extend the stop timeout: a run is past COMMIT and has to finish."""
        self._send(f"EXTEND_TIMEOUT_USEC={_EXTENSION}")

    def _send(self, *lines: str) -> None:
        if self._notifier is None or not lines:
            return
        # The package encodes as Latin-1 and drops what does not fit; systemd wants UTF-8.
        self._notifier.notify("\n".join(lines).encode("utf-8", "replace").decode("latin-1"))
