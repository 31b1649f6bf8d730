"""An FTP server that serves one folder: for the demo and the tests, on the loopback interface by default."""

import logging
import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

_MAY_READ = "elr"  # change folder, list, retrieve: pyftpdlib's letters


class LoopbackFtpServer:
    """Serves a folder, read-only, to one user, by default on a free port of 127.0.0.1; names are UTF-8 (RFC 2640).

    Use as a context manager; the server runs in a thread of its own meanwhile.

    Args:
        folder: what is served; changes are seen at once.
        user: who may log in.
        password: with what; by default a random one.
        listen: where; port 0 stands for a free one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "finance",
        password: str | None = None,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self._listen = listen
        self.user = user
        self.password = password if password is not None else secrets.token_urlsafe(12)
        self._folder = folder
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._server: FTPServer | None = None

    @property
    def port(self) -> int:
        """Where it listens.

        Raises:
            RuntimeError: the server was not started.
        """
        if self._server is None:
            raise RuntimeError("the FTP server was not started")
        return int(self._server.address[1])

    @property
    def url(self) -> str:
        """The folder's URL, without user and password."""
        return f"ftp://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Listen; returns when clients can connect.

        Raises:
            OSError: the folder or the network is not there.
        """
        # Left alone, pyftpdlib would print every command of every client to the user's screen.
        log = logging.getLogger("pyftpdlib")
        log.setLevel(logging.WARNING)
        if not log.handlers:
            log.addHandler(logging.NullHandler())
        authorizer = DummyAuthorizer()
        authorizer.add_user(self.user, self.password, str(self._folder), perm=_MAY_READ)
        # pyftpdlib keeps settings on the handler's class and shares one loop by default; both are ours alone here.
        handler = type("Handler", (FTPHandler,), {"authorizer": authorizer, "auth_failed_timeout": 0})
        self._server = FTPServer(self._listen, handler, ioloop=IOLoop())
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, name="demo-ftp", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        assert self._server is not None  # noqa: S101  started first
        while not self._stopping.is_set():
            self._server.ioloop.loop(timeout=0.05, blocking=False)

    def stop(self) -> None:
        """Close every connection and the port; a server that was not started is no error."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._server is not None:
            self._server.close_all()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
