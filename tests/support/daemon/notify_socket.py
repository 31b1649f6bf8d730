"""Plays systemd's side of sd_notify(3): a datagram socket that keeps what it was told, by whom and when."""

import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.polling import LONG, until


@dataclass(frozen=True)
class Notice:
    """One datagram: who sent it, when it came on the monotonic clock, and its lines."""

    pid: int
    at: float
    lines: Mapping[str, str]


class NotifySocket:
    """A context manager; its ``path`` is what ``NOTIFY_SOCKET`` has to be."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.path: Path

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="notify-", dir="/tmp"))
        self._folder.chmod(0o755)
        self.path = self._folder / "socket"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(self.path))
        self.path.chmod(0o777)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
        shutil.rmtree(self._folder)

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(struct.calcsize("3i")))
            except TimeoutError:
                continue
            (pid,) = (
                struct.unpack("3i", content)[0] for _, sort, content in ancillary if sort == socket.SCM_CREDENTIALS
            )
            lines = dict(line.partition("=")[::2] for line in data.decode().splitlines())
            assert len(lines) == len(data.decode().splitlines()), data
            self.notices.append(Notice(pid, time.monotonic(), lines))

    def wait(self, key: str, value: str | None = None, *, after: int = 0, within: float = LONG) -> Notice:
        """The first notice with this line, from the ``after``-th on."""

        def found() -> Notice | None:
            for notice in self.notices[after:]:
                if key in notice.lines and value in (None, notice.lines[key]):
                    return notice
            return None

        return until(found, f"{key}={value or '…'}; so far: {[n.lines for n in self.notices]}", within)

    def wait_status(self, beginning: str, *, after: int = 0, within: float = LONG) -> str:
        """The first status that begins so."""
        return until(
            lambda: next((text for text in self.statuses(after) if text.startswith(beginning)), None),
            f"a status {beginning!r}",
            within,
        )

    def statuses(self, after: int = 0) -> list[str]:
        return [notice.lines["STATUS"] for notice in self.notices[after:] if "STATUS" in notice.lines]

    def times(self, key: str) -> list[float]:
        return [notice.at for notice in self.notices if key in notice.lines]
